//! Answered calls: hold, the peer's changes, glare, INFO, and how they are lost.

use super::{bench::*, ended};
use crate::{
    media::plan::{Codec, Direction},
    sip::msg::{Message, Method, Request, Response},
    ua::api::{CallState, Command, EndedBy, Event},
};
use std::time::Duration;

const RECVONLY: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n";

fn out() -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    let ack = bench.connected_out();
    (bench, ack)
}

fn body(request: &Request) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

fn status(bench: &mut Bench, request: Request, code: u16) -> Response {
    bench.deliver(Message::Request(request));
    bench.response(code)
}

#[test]
fn hold_and_resume_are_negotiated() {
    let (mut bench, _) = out();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    assert!(body(&hold).contains("a=sendonly\r\n"));
    assert!(bench.events.is_empty(), "nothing has changed yet");
    bench.command(Command::Hold { call: 1 });
    assert_eq!(bench.refused(), ("hold", "The call is on hold already.".into()));
    bench.reply(answer(&hold, 200, "peer", RECVONLY));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    assert_eq!(bench.plans.pop_front().unwrap().direction, Direction::SendOnly);
    bench.command(Command::Resume { call: 1 });
    let resume = bench.request(Method::INVITE);
    assert!(body(&resume).contains("a=sendrecv\r\n"));
    bench.reply(answer(&resume, 200, "peer", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    assert_eq!(bench.plans.pop_front().unwrap().direction, Direction::SendRecv);
}

#[test]
fn hold_then_resume_at_once_ends_resumed() {
    let (mut bench, _) = out();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.command(Command::Resume { call: 1 });
    bench.silent();
    bench.reply(answer(&hold, 200, "peer", RECVONLY));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    let resume = bench.request(Method::INVITE);
    bench.reply(answer(&resume, 200, "peer", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
}

#[test]
fn the_peers_hold_is_seen_in_every_spelling() {
    for (line, direction) in [
        ("a=sendonly", Direction::RecvOnly),
        ("a=inactive", Direction::Inactive),
        ("c=IN IP4 0.0.0.0", Direction::RecvOnly),
    ] {
        let mut bench = Bench::ready(settings());
        let ok = bench.connected_in();
        let held = match line.strip_prefix("c=") {
            Some(_) => SDP.replace("c=IN IP4 192.0.2.9", line),
            None => SDP.replace("a=sendrecv", line),
        };
        let response = status(&mut bench, in_dialog(&ok, Method::INVITE, 2, &held), 200);
        bench.state(&CallState::RemoteHeld);
        assert_eq!(bench.plans.pop_front().unwrap().direction, direction, "{line}");
        assert!(response.headers.contains("Contact"));
        bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 2, "")));
        status(&mut bench, in_dialog(&ok, Method::INVITE, 3, SDP), 200);
        bench.state(&CallState::Connected);
    }
}

#[test]
fn both_sides_may_hold() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    status(&mut bench, in_dialog(&ok, Method::INVITE, 2, &SDP.replace("sendrecv", "sendonly")), 200);
    bench.state(&CallState::RemoteHeld);
    bench.command(Command::Hold { call: 1 });
    bench.silent(); // not before the ACK
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 2, "")));
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 200, "", &SDP.replace("sendrecv", "inactive")));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    assert_eq!(bench.plans.pop_back().unwrap().direction, Direction::Inactive);
    bench.command(Command::Resume { call: 1 });
    let resume = bench.request(Method::INVITE);
    bench.reply(answer(&resume, 200, "", &SDP.replace("sendrecv", "sendonly")));
    bench.request(Method::ACK);
    bench.state(&CallState::RemoteHeld);
}

#[test]
fn the_peer_may_move_and_change_the_codec() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    let mut moved = in_dialog(&ok, Method::INVITE, 2, &SDP.replace("RTP/AVP 0", "RTP/AVP 8").replace("5000", "5008"));
    moved.headers.set("Contact", "<sip:caller@192.0.2.99:5099>");
    status(&mut bench, moved, 200);
    let info = bench.call();
    assert_eq!((info.state, info.codec), (CallState::Connected, Some(Codec::Pcma)));
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5008);
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 2, "")));
    bench.command(Command::Hangup { call: 1 });
    assert_eq!(bench.sent.front().unwrap().0.remote.to_string(), "192.0.2.99:5099");
    assert_eq!(bench.request(Method::BYE).uri.to_string(), "sip:caller@192.0.2.99:5099");
}

#[test]
fn hold_and_resume_before_either_is_sent_are_both_answered() {
    let (mut bench, _) = out();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 491, "peer", ""));
    bench.request(Method::ACK);
    bench.command(Command::Resume { call: 1 });
    assert_eq!(bench.refused().0, "hold");
    assert_eq!(bench.events.pop_front(), Some(Event::Done { command: "resume", call: Some(1) }));
    bench.advance(Duration::from_secs(5));
    bench.silent();
    // The other way round, with a hold under way that then fails.
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.command(Command::Resume { call: 1 });
    assert!(bench.events.is_empty());
    bench.reply(answer(&hold, 488, "peer", ""));
    bench.request(Method::ACK);
    assert_eq!(bench.events.pop_front(), Some(Event::Done { command: "resume", call: Some(1) }));
    assert_eq!(bench.refused().0, "hold");
    assert!(bench.events.is_empty());
}

#[test]
fn digits_of_several_commands_are_answered_one_by_one() {
    for (code, done) in [(200, true), (415, false)] {
        let (mut bench, _) = out();
        for digits in ["1", "2"] {
            bench.command(Command::DtmfInfo { call: 1, digits: digits.into() });
        }
        let mut answers = 0;
        while let Some((_, message)) = bench.sent.pop_front() {
            let Message::Request(info) = message else { panic!("requests only") };
            bench.reply(answer(&info, code, "peer", ""));
        }
        while let Some(event) = bench.events.pop_front() {
            let is_done = matches!(event, Event::Done { command: "dtmf", .. });
            assert!(
                is_done == done && (is_done || matches!(event, Event::Refused { command: "dtmf", .. })),
                "{event:?}"
            );
            answers += 1;
        }
        assert_eq!(answers, 2);
    }
}

#[test]
fn glare_waits_as_long_as_the_rfc_says() {
    let (mut bench, ack) = out();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    // The peer's at the same time.
    let theirs = from_callee(&ack, Method::INVITE, 1, "peer", SDP);
    let mut confirmed = from_callee(&ack, Method::ACK, 1, "peer", "");
    confirmed.headers.set("Via", theirs.headers.get("Via").unwrap());
    status(&mut bench, theirs, 491);
    bench.deliver(Message::Request(confirmed));
    bench.reply(answer(&hold, 491, "peer", ""));
    bench.request(Method::ACK);
    bench.advance(Duration::from_millis(2_090));
    bench.silent();
    // Meanwhile the peer's second try is taken.
    status(&mut bench, from_callee(&ack, Method::INVITE, 2, "peer", &SDP.replace("sendrecv", "sendonly")), 200);
    bench.deliver(Message::Request(from_callee(&ack, Method::ACK, 2, "peer", "")));
    // Our wish went into the answer or is asked for now; either way the call ends up held.
    while let Some((_, message)) = bench.sent.pop_front() {
        if let Message::Request(request) = message
            && request.method == Method::INVITE
        {
            bench.reply(answer(&request, 200, "peer", RECVONLY));
        }
    }
    bench.advance(Duration::from_millis(2_000));
    let last = std::iter::from_fn(|| bench.events.pop_front()).last();
    assert!(matches!(last, Some(Event::Call(info)) if info.state == CallState::Held));

    let mut bench = Bench::ready(settings());
    bench.connected_in();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 491, "", ""));
    bench.request(Method::ACK);
    bench.advance(Duration::from_millis(2_000));
    assert_eq!(bench.request(Method::INVITE).headers.get("CSeq"), Some("2 INVITE"));
}

#[test]
fn a_hold_that_is_refused_leaves_the_call_as_it_was() {
    let (mut bench, _) = out();
    for code in [488, 500] {
        bench.command(Command::Hold { call: 1 });
        let hold = bench.request(Method::INVITE);
        bench.reply(answer(&hold, code, "peer", ""));
        bench.request(Method::ACK);
        let (command, why) = bench.refused();
        assert_eq!(command, "hold");
        assert!(why.starts_with("The call could not be put on hold: "), "{why}");
    }
    assert!(bench.plans.is_empty() && bench.events.is_empty());
}

#[test]
fn a_dead_dialog_ends_the_call() {
    for (code, by, word) in [
        (Some(481), EndedBy::Remote, "knows nothing of this call"),
        (Some(408), EndedBy::Network, "lost"),
        (None, EndedBy::Network, "lost"),
    ] {
        let (mut bench, _) = out();
        bench.command(Command::Hold { call: 1 });
        let hold = bench.request(Method::INVITE);
        match code {
            Some(code) => {
                bench.reply(answer(&hold, code, "peer", ""));
                bench.request(Method::ACK);
            }
            None => {
                bench.advance(Duration::from_secs(32));
                bench.sent.retain(|(_, m)| !matches!(m, Message::Request(r) if r.method == Method::INVITE));
            }
        }
        bench.request(Method::BYE);
        let CallState::Ended { ended_by, reason, .. } = bench.call().state else { panic!("the call is over") };
        assert_eq!(ended_by, by);
        assert!(reason.contains(word), "{reason}");
        bench.settle();
    }
}

#[test]
fn a_peer_that_is_silent_is_asked_and_any_answer_will_do() {
    for code in [200, 405, 407, 500] {
        let (mut bench, _) = out();
        bench.command(Command::Probe { call: 1 });
        let options = bench.request(Method::OPTIONS);
        assert!(options.headers.to().unwrap().tag().is_some(), "within the dialog");
        bench.reply(answer(&options, code, "peer", ""));
        bench.advance(Duration::from_secs(60));
        bench.silent();
        assert!(bench.events.is_empty(), "{code}: the call goes on");
    }
    for failure in [Some(481), None] {
        let (mut bench, _) = out();
        bench.command(Command::Probe { call: 1 });
        let options = bench.request(Method::OPTIONS);
        match failure {
            Some(code) => bench.reply(answer(&options, code, "peer", "")),
            None => bench.advance(Duration::from_secs(32)),
        }
        let CallState::Ended { ended_by, reason, .. } = bench.call().state else { panic!("the call is over") };
        assert_ne!(ended_by, EndedBy::Local);
        assert!(reason.ends_with('.'), "{reason}");
        bench.settle();
    }
}

#[test]
fn a_silent_peer_that_cannot_even_be_asked_is_gone() {
    let (mut bench, _) = out();
    bench.tokens.clear();
    bench.command(Command::Probe { call: 1 });
    bench.request(Method::OPTIONS);
    let token = bench.tokens[0];
    bench.agent.handle_transport_failed(bench.now, token, "nothing listens there");
    bench.drain();
    bench.state(&ended(EndedBy::Network, Some(408), "The connection to the other side was lost."));
    bench.settle();
}

#[test]
fn challenges_within_the_dialog_are_answered() {
    let challenge = |request: &Request| {
        let mut response = answer(request, 407, "peer", "");
        response.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
        response
    };
    let (mut bench, _) = out();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    let refused = challenge(&hold);
    bench.reply(refused);
    bench.request(Method::ACK);
    let again = bench.request(Method::INVITE);
    assert!(again.headers.contains("Proxy-Authorization"));
    assert_eq!((again.headers.get("CSeq"), &again.body), (Some("3 INVITE"), &hold.body));
    bench.reply(answer(&again, 200, "peer", RECVONLY));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    bench.command(Command::Hangup { call: 1 });
    let bye = bench.request(Method::BYE);
    bench.reply(challenge(&bye));
    let again = bench.request(Method::BYE);
    assert!(again.headers.contains("Proxy-Authorization"));
    bench.reply(answer(&again, 200, "peer", ""));
    bench.settle();
}

#[test]
fn a_reinvite_without_an_offer_gets_ours() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    let response = status(&mut bench, in_dialog(&ok, Method::INVITE, 2, ""), 200);
    assert!(String::from_utf8_lossy(&response.body).contains("m=audio 4000 RTP/AVP 0 96 8 97 101"), "all codecs again");
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 2, &SDP.replace("5000", "5010"))));
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5010);
}

#[test]
fn what_cannot_be_changed_is_refused_and_the_call_goes_on() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    status(&mut bench, in_dialog(&ok, Method::INVITE, 2, &SDP.replace("RTP/AVP 0", "RTP/AVP 9")), 488);
    let mut text = in_dialog(&ok, Method::INVITE, 3, SDP);
    text.headers.set("Content-Type", "text/plain");
    status(&mut bench, text, 415);
    status(&mut bench, in_dialog(&ok, Method::INVITE, 1, SDP), 500);
    let mut unknown = in_dialog(&ok, Method::INVITE, 4, SDP);
    unknown.headers.push("Require", "magic");
    assert_eq!(status(&mut bench, unknown, 420).headers.get("Unsupported"), Some("magic"));
    let response = status(&mut bench, in_dialog(&ok, Method::SUBSCRIBE, 5, ""), 405);
    assert_eq!(response.headers.get("Allow"), Some(crate::ua::ALLOW));
    status(&mut bench, in_dialog(&ok, Method::Extension("DANCE".into()), 6, ""), 501);
    status(&mut bench, in_dialog(&ok, Method::OPTIONS, 7, ""), 200);
    assert!(bench.events.is_empty() && bench.plans.is_empty());
}

#[test]
fn requests_for_no_call_are_481() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    for (n, method) in [Method::BYE, Method::INVITE, Method::INFO, Method::OPTIONS].into_iter().enumerate() {
        let mut request = in_dialog(&ok, method, 9, SDP);
        request.headers.set("To", format!("<sip:100-acme@acme>;tag=unknown-{n}"));
        status(&mut bench, request, 481);
    }
}

#[test]
fn bye_may_say_why() {
    for (reason, expected) in [
        (None, ended(EndedBy::Remote, None, "The other side ended the call.")),
        (Some("SIP;cause=200"), ended(EndedBy::AnsweredElsewhere, Some(200), "The call was answered elsewhere.")),
        (
            Some("SIP;cause=503;text=\"No more credit\""),
            ended(EndedBy::Remote, Some(503), "The other side ended the call: No more credit."),
        ),
    ] {
        let mut bench = Bench::ready(settings());
        let ok = bench.connected_in();
        let mut bye = in_dialog(&ok, Method::BYE, 2, "");
        if let Some(reason) = reason {
            bye.headers.push("Reason", reason);
        }
        status(&mut bench, bye, 200);
        bench.state(&expected);
        bench.settle();
    }
}

#[test]
fn byes_may_cross() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    bench.command(Command::Hangup { call: 1 });
    bench.request(Method::BYE);
    status(&mut bench, in_dialog(&ok, Method::BYE, 2, ""), 200);
    status(&mut bench, in_dialog(&ok, Method::INFO, 3, ""), 481);
}

#[test]
fn e10_digits_go_by_info_in_order() {
    let (mut bench, _) = out();
    bench.command(Command::DtmfInfo { call: 1, digits: "1#".into() });
    let first = bench.request(Method::INFO);
    assert_eq!(body(&first), "Signal=1\r\nDuration=160\r\n");
    bench.silent();
    bench.reply(answer(&first, 200, "peer", ""));
    let second = bench.request(Method::INFO);
    assert_eq!(body(&second), "Signal=#\r\nDuration=160\r\n");
    bench.reply(answer(&second, 200, "peer", ""));
    assert_eq!(bench.events.pop_front(), Some(Event::Done { command: "dtmf", call: Some(1) }));
    bench.command(Command::DtmfInfo { call: 1, digits: "5".into() });
    let third = bench.request(Method::INFO);
    bench.reply(answer(&third, 415, "peer", ""));
    assert!(bench.refused().1.contains("send them in the audio"));
    bench.command(Command::DtmfInfo { call: 1, digits: "x".into() });
    assert_eq!(bench.refused().0, "dtmf");
}

#[test]
fn digits_come_by_info() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    for (n, (kind, body, expected)) in [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some(Some('5'))),
        ("application/dtmf", "*", Some(Some('*'))),
        ("application/dtmf-relay", "nonsense", Some(None)),
        ("application/media_control+xml", "<x/>", None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut info = in_dialog(&ok, Method::INFO, 10 + n as u32, "");
        info.headers.push("Content-Type", kind);
        info.body = body.as_bytes().to_vec();
        let response = status(&mut bench, info, if expected.is_some() { 200 } else { 415 });
        assert_eq!(response.headers.contains("Accept"), expected.is_none());
        let digit = expected.flatten();
        assert_eq!(bench.events.pop_front(), digit.map(|digit| Event::Dtmf { call: 1, digit }));
    }
    let mut info = in_dialog(&ok, Method::INFO, 20, "");
    info.headers.push("Info-Package", "nothingKnownHere");
    assert_eq!(status(&mut bench, info, 469).headers.get("Recv-Info"), Some("trickle-ice"));
}
