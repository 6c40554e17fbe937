//! What goes wrong between two endpoints: lost, late, doubled and crossing messages.

use super::{
    pair::{Answer, CALLED, CALLER, Pair},
    sim::Faults,
    *,
};

const CLEAN: Faults = Faults { loss: 0.0, duplicate: 0.0, delay: Duration::from_millis(20), jitter: Duration::ZERO };

/// One request over a clean link that loses what is named.
#[test]
fn scripted() {
    struct Case {
        name: &'static str,
        method: &'static str,
        answer: Answer,
        cancel_after: Option<u64>,
        lose: &'static [&'static str],
        caller: &'static [&'static str],
        called: &'static [&'static str],
    }
    let answered = Answer { ring_after: 50, code: 200, after: 1000 };
    let refused = Answer { ring_after: 50, code: 486, after: 1000 };
    let never = Answer { ring_after: 50, code: 200, after: 200_000 };
    for case in [
        Case {
            name: "answered",
            method: "INVITE",
            answer: answered,
            cancel_after: None,
            lose: &[],
            caller: &["Response 180", "Response 200"],
            called: &["Request INVITE", "Ack"],
        },
        Case {
            name: "INVITE lost three times",
            method: "INVITE",
            answer: answered,
            cancel_after: None,
            lose: &["INVITE", "INVITE", "INVITE"],
            caller: &["Response 180", "Response 200"],
            called: &["Request INVITE", "Ack"],
        },
        Case {
            name: "200 lost: the 2xx comes again, the INVITE after it is absorbed",
            method: "INVITE",
            answer: Answer { ring_after: 0, code: 200, after: 1 },
            cancel_after: None,
            lose: &["180 INVITE", "200 INVITE"],
            caller: &["Response 200"],
            called: &["Request INVITE", "Ack"],
        },
        Case {
            name: "ACK for the 2xx lost twice: each 2xx is acknowledged anew",
            method: "INVITE",
            answer: answered,
            cancel_after: None,
            lose: &["ACK", "ACK"],
            caller: &["Response 180", "Response 200", "Response 200", "Response 200"],
            called: &["Request INVITE", "Ack"],
        },
        Case {
            name: "ACK for the 486 lost: the caller hears of it once",
            method: "INVITE",
            answer: refused,
            cancel_after: None,
            lose: &["ACK", "ACK"],
            caller: &["Response 180", "Response 486"],
            called: &["Request INVITE"],
        },
        Case {
            name: "CANCEL before the answer",
            method: "INVITE",
            answer: never,
            cancel_after: Some(500),
            lose: &["CANCEL", "200 CANCEL", "487 INVITE", "ACK"],
            caller: &["Response 180", "Response 487"],
            called: &["Request INVITE", "Cancelled"],
        },
        Case {
            name: "CANCEL crosses the 200: the 200 stands",
            method: "INVITE",
            answer: answered,
            cancel_after: Some(1030),
            lose: &[],
            caller: &["Response 180", "Response 200"],
            called: &["Request INVITE", "Ack"],
        },
        Case {
            name: "the answer crosses the CANCEL: the CANCEL stands",
            method: "INVITE",
            answer: answered,
            cancel_after: Some(990),
            lose: &[],
            caller: &["Response 180", "Response 487"],
            called: &["Request INVITE", "Cancelled"],
        },
        Case {
            name: "CANCEL before any response: held back until the 180",
            method: "INVITE",
            answer: Answer { ring_after: 100, code: 200, after: 1000 },
            cancel_after: Some(1),
            lose: &[],
            caller: &["Response 180", "Response 487"],
            called: &["Request INVITE", "Cancelled"],
        },
        Case {
            name: "a response later than Timer F is nobody's",
            method: "OPTIONS",
            answer: Answer { ring_after: 0, code: 200, after: 31_970 },
            cancel_after: None,
            lose: &["100 OPTIONS", "200 OPTIONS", "200 OPTIONS", "200 OPTIONS", "200 OPTIONS", "200 OPTIONS"],
            caller: &["TimedOut"],
            called: &["Request OPTIONS"],
        },
        Case {
            name: "the answer to MESSAGE lost: it is repeated, the request not",
            method: "MESSAGE",
            answer: Answer { ring_after: 0, code: 202, after: 10 },
            cancel_after: None,
            lose: &["202 MESSAGE", "202 MESSAGE"],
            caller: &["Response 202"],
            called: &["Request MESSAGE"],
        },
    ] {
        let mut pair = Pair::new(1, Transport::Udp, CLEAN);
        pair.answer = case.answer;
        pair.lose = case.lose.to_vec();
        pair.request(case.method, case.cancel_after);
        pair.run_to(300_000);
        let heard: Vec<_> = pair.sides[CALLER].events.iter().filter(|e| *e != "Response 100").collect();
        assert_eq!(heard, case.caller.iter().collect::<Vec<_>>(), "{}: caller", case.name);
        assert_eq!(pair.sides[CALLED].events, case.called, "{}: called", case.name);
        pair.assert_empty();
    }
}

/// Two branches answer 200: both come up, each to be acknowledged (RFC 3261 §13.2.2.4).
#[test]
fn every_fork_that_answers_is_heard() {
    let mut bench = Bench::new();
    let flow = udp("192.0.2.9:5060");
    bench.send(flow, outgoing("INVITE"));
    let (_, invite) = bench.last_request("INVITE");
    for (tag, code) in [("one", 180), ("two", 183), ("one", 200), ("two", 200), ("one", 200)] {
        bench.endpoint.handle_message(bench.now, flow, Message::Response(Response::to(&invite, code, Some(tag))));
    }
    bench.drain();
    assert_eq!(bench.take_events(), ["Response 180", "Response 183", "Response 200", "Response 200", "Response 200"]);
    bench.run_to(32_000);
    bench.endpoint.handle_message(bench.now, flow, Message::Response(Response::to(&invite, 200, Some("two"))));
    bench.drain();
    assert!(bench.take_events().is_empty(), "Timer M has passed");
    bench.assert_empty();
}

mod properties {
    use super::*;
    use crate::properties::config;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(config(64, 3262))]

        /// Whatever the link does and in whatever order requests, answers and cancels fall: every request has one outcome (a
        /// 2xx may come again), both sides agree on it or were told that they may not, and nothing is left behind.
        #[test]
        fn nothing_is_left_behind(
            seed: u64,
            reliable: bool,
            loss in 0.0..0.4f64,
            duplicate in 0.0..0.3f64,
            jitter in 0u64..800,
            requests in prop::collection::vec(
                (0u64..3000, 0u64..400, 0u64..5000, 0usize..4, prop::option::of(0u64..6000), any::<bool>()), 1..30),
        ) {
            let transport = if reliable { Transport::Tcp } else { Transport::Udp };
            let delay = Duration::from_millis(10);
            let faults = Faults { loss, duplicate, delay, jitter: Duration::from_millis(jitter) };
            let mut pair = Pair::new(seed, transport, faults);
            let mut at = 0;
            for (gap, ring_after, after, code, cancel_after, is_invite) in requests {
                at += gap;
                pair.run_to(at);
                pair.answer = Answer { ring_after, code: [200, 302, 486, 603][code], after };
                pair.request(if is_invite { "INVITE" } else { "MESSAGE" }, cancel_after);
            }
            pair.run_to(at + 300_000);
            pair.assert_empty();
            for outcome in pair.sides[CALLER].outcomes.values() {
                prop_assert!(
                    outcome.len() == 1 || outcome.iter().all(|o| o == "Response 200") && !outcome.is_empty(),
                    "{outcome:?}"
                );
            }
            // A caller that heard 200 has a called side that answered 200.
            let heard = pair.sides[CALLER].events.iter().filter(|e| *e == "Response 200").count();
            let answered = pair.sides[CALLED].answered.values().filter(|code| **code == 200).count();
            let unacknowledged = pair.sides[CALLED].events.iter().filter(|e| *e == "NoAck").count();
            if loss < 0.001 && duplicate < 0.001 {
                prop_assert_eq!(unacknowledged, 0);
            }
            prop_assert!(heard > 0 || answered == unacknowledged);
        }
    }
}
