//! Calls to us, from the INVITE to the confirmed answer or its lack.

use super::{bench::*, ended};
use crate::{
    sip::msg::{Message, Method, Request, Response},
    ua::api::{CallState, Command, EndedBy, Settings},
};
use std::time::Duration;

fn ringing() -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    let invite = incoming(SDP);
    bench.deliver(Message::Request(invite.clone()));
    bench.response(180);
    bench.state(&CallState::Ringing);
    (bench, invite)
}

fn cancel(invite: &Request, reason: Option<&str>) -> Message {
    let mut cancel = outside(Method::CANCEL, "sip:100-acme@192.0.2.1:5062");
    cancel.headers.set("Via", invite.headers.get("Via").unwrap());
    if let Some(reason) = reason {
        cancel.headers.push("Reason", reason);
    }
    Message::Request(cancel)
}

fn ack_failure(invite: &Request, response: &Response) -> Message {
    let mut ack = in_dialog(response, Method::ACK, 1, "");
    ack.headers.set("Via", invite.headers.get("Via").unwrap());
    Message::Request(ack)
}

#[test]
fn rejecting_sends_the_code() {
    for (command, code) in [
        (Command::Reject { call: 1, code: 603 }, 603),
        (Command::Reject { call: 1, code: 200 }, 486),
        (Command::Hangup { call: 1 }, 486),
    ] {
        let (mut bench, invite) = ringing();
        bench.command(command);
        let response = bench.response(code);
        bench.state(&ended(EndedBy::Local, Some(code), "You rejected the call."));
        bench.deliver(ack_failure(&invite, &response));
        assert!(bench.closed.is_empty(), "no audio was opened");
        bench.settle();
    }
}

#[test]
fn e7_the_callers_cancel_says_what_became_of_the_call() {
    for (reason, by, code, words) in [
        (None, EndedBy::Remote, 487, "The caller hung up."),
        (Some("Q.850;cause=16"), EndedBy::Remote, 487, "The caller hung up."),
        (
            Some("SIP;cause=200;text=\"Call completed elsewhere\""),
            EndedBy::AnsweredElsewhere,
            200,
            "The call was answered elsewhere.",
        ),
        (Some("Q.850;cause=26"), EndedBy::AnsweredElsewhere, 200, "The call was answered elsewhere."),
        (Some("SIP;cause=603"), EndedBy::Remote, 603, "The call was declined elsewhere."),
    ] {
        let (mut bench, invite) = ringing();
        bench.deliver(cancel(&invite, reason));
        bench.response(200);
        let response = bench.response(487);
        bench.state(&ended(by, Some(code), words));
        bench.deliver(ack_failure(&invite, &response));
        bench.settle();
    }
}

#[test]
fn an_answer_that_is_never_confirmed_ends_with_bye() {
    let (mut bench, _) = ringing();
    bench.command(Command::Answer { call: 1 });
    bench.state(&CallState::Connected);
    bench.advance(Duration::from_secs(33));
    let (by, code) = match bench.call().state {
        CallState::Ended { ended_by, code, .. } => (ended_by, code),
        other => panic!("the end was expected, not {other:?}"),
    };
    assert_eq!((by, code), (EndedBy::Network, Some(408)));
    let answers = bench.sent.iter().filter(|(_, m)| matches!(m, Message::Response(r) if r.code() == 200)).count();
    assert!(answers > 5, "the 200 was repeated {answers} times");
    let Some((_, Message::Request(bye))) = bench.sent.pop_back() else { panic!("a BYE was expected") };
    bench.sent.clear();
    bench.reply(answer(&bye, 200, "", ""));
    bench.settle();
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    for confirmed in [true, false] {
        let (mut bench, _) = ringing();
        bench.command(Command::Answer { call: 1 });
        let ok = bench.response(200);
        bench.state(&CallState::Connected);
        bench.command(Command::Hangup { call: 1 });
        bench.state(&ended(EndedBy::Local, None, "You ended the call."));
        bench.silent();
        if confirmed {
            bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
            bench.request(Method::BYE);
            bench.silent();
        } else {
            bench.advance(Duration::from_secs(32));
            assert!(matches!(bench.sent.pop_back(), Some((_, Message::Request(r))) if r.method == Method::BYE));
        }
        bench.settle();
    }
}

#[test]
fn a_caller_without_an_offer_gets_ours() {
    for (body, works) in [(SDP, true), ("", false)] {
        let mut bench = Bench::ready(settings());
        bench.deliver(Message::Request(incoming("")));
        bench.response(180);
        bench.state(&CallState::Ringing);
        bench.command(Command::Answer { call: 1 });
        let ok = bench.response(200);
        assert!(String::from_utf8_lossy(&ok.body).contains("m=audio 4000 RTP/AVP 96 0 8 97 101 98\r\n"));
        bench.state(&CallState::Connected);
        assert!(bench.plans.is_empty());
        bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, body)));
        if works {
            bench.state(&CallState::Connected);
            assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5000);
        } else {
            bench.request(Method::BYE);
            let CallState::Ended { code: Some(488), reason, .. } = bench.call().state else { panic!("it ends") };
            assert!(reason.contains("our offer was not answered"), "{reason}");
            bench.settle();
        }
    }
}

#[test]
fn auto_answer_answers_after_its_time() {
    let auto = |ms| Bench::ready(Settings { auto_answer: Some(Duration::from_millis(ms)), ..settings() });
    let mut bench = auto(0);
    bench.deliver(Message::Request(incoming(SDP)));
    bench.response(200);
    bench.state(&CallState::Ringing);
    bench.state(&CallState::Connected);
    let mut bench = auto(500);
    bench.deliver(Message::Request(incoming(SDP)));
    bench.response(180);
    bench.state(&CallState::Ringing);
    bench.advance(Duration::from_millis(499));
    bench.silent();
    bench.advance(Duration::from_millis(1));
    bench.response(200);
}

#[test]
fn nobody_rings_for_ever() {
    for (expires, seconds) in [(None, 300), (Some("20"), 20), (Some("4000"), 300)] {
        let mut bench = Bench::ready(settings());
        let mut invite = incoming(SDP);
        if let Some(expires) = expires {
            invite.headers.push("Expires", expires);
        }
        bench.deliver(Message::Request(invite));
        bench.state(&CallState::Ringing);
        bench.advance(Duration::from_secs(seconds - 1));
        assert!(bench.events.is_empty());
        bench.advance(Duration::from_secs(1));
        bench.state(&ended(EndedBy::Remote, Some(480), "Nobody answered the call here."));
        bench.settle();
    }
}

#[test]
fn without_ports_for_audio_the_call_is_refused() {
    let (mut bench, _) = ringing();
    bench.media = Err("There is no free port for audio.".into());
    bench.command(Command::Answer { call: 1 });
    bench.response(500);
    bench.state(&ended(EndedBy::Local, Some(500), "There is no free port for audio."));
    bench.settle();
}

/// What is wrong with the INVITE, and the answer with a header that says so.
#[test]
fn invites_that_cannot_be_taken_are_refused() {
    let text_body = |mut r: Request| {
        r.headers.set("Content-Type", "text/plain");
        r
    };
    let with = |name: &'static str, value: &'static str| {
        move |mut r: Request| {
            r.headers.set(name, value);
            r
        }
    };
    let body = |sdp: String| {
        move |mut r: Request| {
            r.body = sdp.clone().into_bytes();
            r
        }
    };
    let uri = |mut r: Request| {
        r.uri = "nobody:knows".parse().unwrap();
        r
    };
    let no_contact = |mut r: Request| {
        r.headers.remove("Contact");
        r
    };
    const KINDS: &str = "application/sdp, multipart/mixed, multipart/alternative";
    type Case = (Box<dyn Fn(Request) -> Request>, u16, Option<(&'static str, &'static str)>);
    let cases: Vec<Case> = vec![
        (Box::new(text_body), 415, Some(("Accept", KINDS))),
        (Box::new(with("Content-Encoding", "gzip")), 415, Some(("Accept", KINDS))),
        (Box::new(with("Require", "100rel, nothing, magic")), 420, Some(("Unsupported", "nothing, magic"))),
        (Box::new(uri), 416, None),
        (Box::new(no_contact), 400, None),
        (
            Box::new(body(SDP.replace("RTP/AVP 0", "RTP/AVP 9"))),
            488,
            Some(("Warning", "305 agent-manager \"there is no audio codec that both sides know\"")),
        ),
        (
            Box::new(body(SDP.replace("m=audio", "m=video"))),
            488,
            Some(("Warning", "304 agent-manager \"no audio is offered\"")),
        ),
        (Box::new(body("rubbish".into())), 400, None),
    ];
    for (spoil, code, header) in cases {
        let mut bench = Bench::ready(settings());
        bench.deliver(Message::Request(spoil(incoming(SDP))));
        let response = bench.response(code);
        if let Some((name, value)) = header {
            assert_eq!(response.headers.get(name), Some(value));
        }
        assert!(bench.events.is_empty(), "{code}");
        bench.settle();
    }
}

#[test]
fn too_many_calls_and_no_account_are_refused() {
    let mut bench = Bench::ready(Settings { max_calls: Some(1), ..settings() });
    bench.deliver(Message::Request(incoming(SDP)));
    bench.response(180);
    let mut second = incoming(SDP);
    second.headers.set("Call-ID", "another");
    second.headers.set("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-another");
    bench.deliver(Message::Request(second));
    bench.response(486);
    let mut bench = Bench::offline(settings());
    bench.deliver(Message::Request(incoming(SDP)));
    bench.response(480);
}

#[test]
fn a_second_call_waits_beside_the_first() {
    let mut bench = Bench::ready(settings());
    bench.connected_in();
    let mut second = incoming(SDP);
    second.headers.set("Call-ID", "another");
    second.headers.set("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-another");
    bench.deliver(Message::Request(second));
    bench.response(180);
    let info = bench.call();
    assert_eq!((info.call, info.state), (2, CallState::Ringing));
    bench.command(Command::Answer { call: 2 });
    bench.response(200);
    assert_eq!(bench.call().state, CallState::Connected);
    bench.command(Command::Hangup { call: 1 });
    bench.request(Method::BYE);
    assert_eq!(bench.call().call, 1);
}

#[test]
fn the_caller_is_who_the_network_says() {
    let mut bench = Bench::ready(settings());
    let mut invite = incoming(SDP);
    invite.headers.push("P-Asserted-Identity", "\"Acme Sales\" <sip:+12015550123@acme;user=phone>, <tel:+12015550123>");
    invite.headers.set("To", "<sip:queue-7@acme>");
    bench.deliver(Message::Request(invite));
    let info = bench.call();
    assert_eq!(info.peer, "sip:+12015550123@acme");
    assert_eq!(info.peer_name.as_deref(), Some("Acme Sales"));
    assert_eq!(info.called.as_deref(), Some("sip:queue-7@acme"));
}
