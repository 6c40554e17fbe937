//! A call that measures the way to the server stands in nobody's way.

use super::bench::*;
use crate::{
    sip::msg::{Message, Method},
    ua::api::{CallState, Command, Services, Settings},
};
use std::time::Duration;

const PROBE: u32 = 1;

/// A phone that takes one call at most and forwards when it is busy, with a call to the echo that is up.
fn measuring() -> Bench {
    let services = Services { forward_busy: Some("103".into()), ..Services::default() };
    let mut bench = Bench::ready(Settings { max_calls: Some(1), services, ..settings() });
    bench.command(Command::Measure { to: "600".into() });
    let invite = bench.request(Method::INVITE);
    bench.state(&CallState::Dialing);
    bench.reply(answer(&invite, 200, "echo", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    bench
}

/// The check hangs up once a person's call has been told, which ends as any call does.
fn leave(bench: &mut Bench) {
    bench.command(Command::Hangup { call: PROBE });
    let bye = bench.request(Method::BYE);
    bench.reply(answer(&bye, 200, "echo", ""));
    assert!(matches!(bench.call().state, CallState::Ended { .. }));
}

#[test]
fn a_call_that_comes_meanwhile_rings_and_is_answered_by_order() {
    for order in [false, true] {
        let mut bench = measuring();
        let mut invite = incoming(SDP);
        if order {
            invite.headers.set("Alert-Info", "<http://pbx>;info=alert-autoanswer;delay=2");
        }
        bench.deliver(Message::Request(invite));
        bench.response(180);
        let info = bench.call();
        assert_eq!((info.call, info.state, info.origin.answers_itself), (2, CallState::Ringing, order));
        leave(&mut bench);
        if order {
            bench.advance(Duration::from_secs(2));
            bench.response(200);
        }
    }
}

#[test]
fn a_person_dials_meanwhile_and_only_a_persons_calls_count() {
    let mut bench = measuring();
    bench.dial("101");
    assert_eq!(bench.call().state, CallState::Dialing, "one call is allowed, and this is it");
    bench.dial("102");
    assert_eq!(bench.refused().0, "dial");
    // Refused, it measures nothing: the person's call counts as before.
    bench.command(Command::Measure { to: "600".into() });
    assert_eq!(bench.refused().0, "dial");
    bench.dial("102");
    assert_eq!(bench.refused().0, "dial");
}

#[test]
fn nobody_measures_the_way_to_the_emergency_service() {
    let mut bench = Bench::ready(settings());
    bench.command(Command::Measure { to: "112".into() });
    assert!(bench.refused().1.contains("emergency number"));
    bench.silent();
}
