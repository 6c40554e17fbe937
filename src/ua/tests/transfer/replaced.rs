//! INVITE with Replaces (RFC 3891), against a scripted peer.

use crate::{
    sip::msg::{Message, Method, Request, Response},
    ua::{
        api::{CallState, Command, EndedBy, Event, Settings},
        tests::bench::*,
    },
};

/// Somebody else's INVITE that is to take the place of the dialog with those tags of ours and the peer's.
fn replacing(call_id: &str, ours: &str, theirs: &str, rest: &str) -> Request {
    let mut invite = incoming(SDP);
    invite.headers.set("From", "<sip:bob@acme>;tag=bob");
    one_of_its_own(&mut invite, &format!("{call_id}-{ours}-{}", rest.len()));
    invite.headers.push("Replaces", format!("{call_id};to-tag={ours};from-tag={theirs}{rest}"));
    invite.headers.push("Require", "replaces");
    invite
}

/// With a transaction and a Call-ID that no other one has.
fn one_of_its_own(invite: &mut Request, name: &str) {
    invite.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-{name}"));
    invite.headers.set("Call-ID", name);
}

fn of_incoming(ok: &Response, rest: &str) -> Request {
    replacing("from-outside", ok.headers.to().unwrap().tag().unwrap(), "alice", rest)
}

#[track_caller]
fn status(bench: &mut Bench, request: Request, code: u16) {
    bench.deliver(Message::Request(request));
    bench.response(code);
}

#[test]
fn a_call_is_taken_over_without_ringing() {
    let mut bench = Bench::ready(Settings { max_calls: Some(1), ..settings() });
    let ok = bench.connected_in();
    bench.deliver(Message::Request(of_incoming(&ok, "")));
    assert_eq!(bench.events.pop_front(), Some(Event::TakesOver { call: 2, old: 1 }));
    let info = bench.call();
    assert_eq!((info.call, info.state, info.peer.as_str()), (2, CallState::Connected, "sip:bob@acme"));
    let taken = bench.response(200);
    assert!(taken.headers.tokens("Supported").contains(&"replaces".to_owned()));
    let bye = bench.request(Method::BYE);
    assert_eq!(bye.headers.get("Call-ID"), Some("from-outside"));
    let info = bench.call();
    let CallState::Ended { ended_by: EndedBy::Local, reason, .. } = info.state else { panic!("{info:?}") };
    assert_eq!((info.call, reason.as_str()), (1, "The call was transferred: you talk to sip:bob@acme now."));
    bench.reply(answer(&bye, 200, "alice", ""));
    bench.silent();
}

#[test]
fn what_cannot_be_replaced_is_refused_as_the_rfc_says() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    status(&mut bench, of_incoming(&ok, ";early-only"), 486);
    status(&mut bench, replacing("unknown", "1", "2", ""), 481);
    status(&mut bench, replacing("from-outside", "1", "alice", ""), 481);
    let mut twice = of_incoming(&ok, "");
    one_of_its_own(&mut twice, "twice");
    twice.headers.push("Replaces", "a;to-tag=1;from-tag=2");
    status(&mut bench, twice, 400);
    let mut unusable = of_incoming(&ok, "");
    one_of_its_own(&mut unusable, "unusable");
    unusable.body = SDP.replace("m=audio", "m=video").into_bytes();
    status(&mut bench, unusable, 488);
    assert!(bench.events.is_empty(), "the call goes on");
    // Ended, and its BYE not answered yet.
    bench.command(Command::Hangup { call: 1 });
    bench.request(Method::BYE);
    bench.events.clear();
    let mut late = of_incoming(&ok, "");
    one_of_its_own(&mut late, "late");
    status(&mut bench, late, 603);
}

#[test]
fn a_call_that_rings_here_is_not_replaced() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(incoming(SDP)));
    let ringing = bench.response(180);
    bench.state(&CallState::Ringing);
    status(&mut bench, of_incoming(&ringing, ""), 481);
    assert!(bench.events.is_empty());
}

#[test]
fn a_call_of_ours_that_is_not_answered_yet_is_replaced() {
    for early_only in ["", ";early-only"] {
        let mut bench = Bench::ready(settings());
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        bench.reply(answer(&invite, 180, "peer", ""));
        bench.events.clear();
        let (call_id, from) = (invite.headers.call_id().unwrap(), invite.headers.from().unwrap());
        bench.deliver(Message::Request(replacing(call_id, from.tag().unwrap(), "peer", early_only)));
        bench.response(200);
        bench.request(Method::CANCEL);
        assert_eq!(bench.events.pop_front(), Some(Event::TakesOver { call: 2, old: 1 }));
        bench.state(&CallState::Connected);
        assert!(matches!(bench.call().state, CallState::Ended { .. }));
    }
}

#[test]
fn a_takeover_without_audio_leaves_the_call_as_it_was() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    bench.media = Err("no ports are left".into());
    status(&mut bench, of_incoming(&ok, ""), 500);
    let calls: Vec<_> = std::iter::from_fn(|| bench.events.pop_front())
        .filter_map(|event| match event {
            Event::Call(info) => Some(info.call),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [2], "the new one has ended, the old one goes on");
    bench.silent();
}

#[test]
fn who_was_on_hold_is_it_still_when_somebody_else_takes_over() {
    for late in [false, true] {
        let mut bench = Bench::ready(settings());
        let ok = bench.connected_in();
        bench.command(Command::Hold { call: 1 });
        let hold = bench.request(Method::INVITE);
        bench.reply(answer(&hold, 200, "alice", &SDP.replace("sendrecv", "recvonly")));
        bench.request(Method::ACK);
        bench.state(&CallState::Held);
        let mut invite = of_incoming(&ok, "");
        if late {
            invite.body.clear();
            invite.headers.remove("Content-Type");
        }
        bench.deliver(Message::Request(invite.clone()));
        let taken = bench.response(200);
        assert!(String::from_utf8_lossy(&taken.body).contains("a=sendonly"), "the same direction");
        assert_eq!(bench.events.pop_front(), Some(Event::TakesOver { call: 2, old: 1 }));
        if late {
            let mut ack = in_dialog(&taken, Method::ACK, 1, &SDP.replace("sendrecv", "recvonly"));
            for name in ["From", "Call-ID"] {
                ack.headers.set(name, invite.headers.get(name).unwrap());
            }
            bench.deliver(Message::Request(ack));
            bench.events.retain(|event| matches!(event, Event::Call(info) if info.state == CallState::Held));
        }
        bench.state(&CallState::Held);
    }
}
