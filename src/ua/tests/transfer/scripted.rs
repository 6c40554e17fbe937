//! The agent transfers, or is transferred by, a peer that does not behave like ours.

use crate::{
    sip::msg::{Message, Method, Request, Response, sipfrag},
    ua::{
        api::{CallState, Command, EndedBy, Event, TransferState, TransferTo},
        tests::{bench::*, ended},
    },
};
use std::time::Duration;

const RECVONLY: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=recvonly\r\n";

/// A call of ours, on hold for a transfer whose REFER is out; the ACK of its INVITE and the REFER.
fn referring() -> (Bench, Request, Request) {
    let mut bench = Bench::ready(settings());
    let ack = bench.connected_out();
    bench.command(Command::Transfer { call: 1, to: TransferTo::Address("102".into()) });
    assert_eq!(state(&mut bench), TransferState::Trying { code: None });
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 200, "peer", RECVONLY));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    let refer = bench.request(Method::REFER);
    (bench, ack, refer)
}

#[track_caller]
fn state(bench: &mut Bench) -> TransferState {
    match bench.events.pop_front() {
        Some(Event::Transfer { call: 1, state }) => state,
        other => panic!("a transfer's state was expected, not {other:?}"),
    }
}

#[track_caller]
fn failed(bench: &mut Bench) -> (Option<u16>, String) {
    match state(bench) {
        TransferState::Failed { code, reason } => (code, reason),
        other => panic!("a failure was expected, not {other:?}"),
    }
}

fn notify(ack: &Request, cseq: u32, event: &str, state: &str, body: &[u8]) -> Request {
    let mut notify = from_callee(ack, Method::NOTIFY, cseq, "peer", "");
    notify.headers.push("Event", event);
    notify.headers.push("Subscription-State", state);
    notify.headers.push("Content-Type", "message/sipfrag;version=2.0");
    notify.body = body.to_vec();
    notify
}

fn status(bench: &mut Bench, request: Request, code: u16) -> Response {
    bench.deliver(Message::Request(request));
    bench.response(code)
}

/// Off hold again: nobody is lost.
fn comes_back(bench: &mut Bench) {
    let resume = bench.request(Method::INVITE);
    bench.reply(answer(&resume, 200, "peer", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
}

#[test]
fn refer_says_where_to_and_by_whom() {
    let (_, _, refer) = referring();
    assert_eq!(refer.headers.get("Refer-To"), Some("<sip:102@acme>"));
    assert_eq!(refer.headers.get("Referred-By"), Some("<sip:100-acme@acme>"));
    assert!(refer.headers.contains("Contact"));
}

#[test]
fn a_notify_may_come_before_the_202() {
    let (mut bench, ack, refer) = referring();
    let id = refer.headers.cseq().unwrap().number;
    status(&mut bench, notify(&ack, 1, "refer", "active;expires=60", &sipfrag(100)), 200);
    assert_eq!(state(&mut bench), TransferState::Trying { code: Some(100) });
    status(&mut bench, notify(&ack, 2, &format!("refer;id={id}"), "terminated;reason=noresource", &sipfrag(200)), 200);
    assert_eq!(state(&mut bench), TransferState::Done { code: Some(200) });
    bench.state(&ended(EndedBy::Local, None, "The call was transferred to sip:102@acme."));
    let bye = bench.request(Method::BYE);
    bench.reply(answer(&refer, 202, "peer", ""));
    bench.reply(answer(&bye, 200, "peer", ""));
    bench.settle();
}

#[test]
fn what_is_no_notification_of_the_transfer_changes_nothing() {
    let (mut bench, ack, refer) = referring();
    bench.reply(answer(&refer, 202, "peer", ""));
    for (cseq, event, state, code) in [
        (1, "presence", "active", 489),
        (2, "refer;id=99", "terminated", 481),
        (3, "", "active", 400),
        (4, "refer", "", 400),
    ] {
        status(&mut bench, notify(&ack, cseq, event, state, &sipfrag(200)), code);
    }
    // Nothing new, and nothing that can be read.
    status(&mut bench, notify(&ack, 5, "refer", "active", b"nonsense"), 200);
    assert!(bench.events.is_empty());
}

#[test]
fn a_peer_that_refuses_or_falls_silent_comes_back() {
    for (code, words) in
        [(405, "cannot be transferred"), (603, "did not accept"), (488, "no common audio"), (503, "overloaded")]
    {
        let (mut bench, _, refer) = referring();
        bench.reply(answer(&refer, code, "peer", ""));
        let (told, reason) = failed(&mut bench);
        assert_eq!(told, Some(code));
        assert!(reason.contains(words), "{reason}");
        comes_back(&mut bench);
    }
    // Accepted, and then nothing: not even the NOTIFY that has to come at once.
    let (mut bench, _, refer) = referring();
    bench.reply(answer(&refer, 202, "peer", ""));
    bench.advance(Duration::from_secs(31));
    assert!(bench.events.is_empty());
    bench.advance(Duration::from_secs(1));
    let (_, reason) = failed(&mut bench);
    assert!(reason.contains("did not say"), "{reason}");
    comes_back(&mut bench);
    // No more than an end.
    let (mut bench, ack, refer) = referring();
    bench.reply(answer(&refer, 202, "peer", ""));
    status(&mut bench, notify(&ack, 1, "refer", "terminated;reason=timeout", &sipfrag(100)), 200);
    failed(&mut bench);
    comes_back(&mut bench);
}

#[test]
fn a_peer_that_never_answers_is_asked_whether_it_is_there() {
    let (mut bench, _, _) = referring();
    bench.advance(Duration::from_secs(32));
    bench.sent.retain(|(_, m)| !matches!(m, Message::Request(r) if r.method == Method::REFER));
    assert_eq!(failed(&mut bench).0, Some(408));
    let resume = bench.request(Method::INVITE);
    let options = bench.request(Method::OPTIONS);
    bench.reply(answer(&options, 200, "peer", ""));
    bench.reply(answer(&resume, 200, "peer", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
}

#[test]
fn a_pbx_that_takes_the_call_over_without_a_word_has_done_it() {
    let (mut bench, ack, refer) = referring();
    bench.reply(answer(&refer, 202, "peer", ""));
    status(&mut bench, from_callee(&ack, Method::BYE, 1, "peer", ""), 200);
    assert_eq!(state(&mut bench), TransferState::Done { code: None });
    assert!(matches!(bench.call().state, CallState::Ended { ended_by: EndedBy::Remote, .. }));
    bench.settle();
    // Nor does one that has begun to tell say by its BYE that the target could not be had.
    for code in [100, 180] {
        let (mut bench, ack, refer) = referring();
        bench.reply(answer(&refer, 202, "peer", ""));
        status(&mut bench, notify(&ack, 1, "refer", "active", &sipfrag(code)), 200);
        assert_eq!(state(&mut bench), TransferState::Trying { code: Some(code) });
        status(&mut bench, from_callee(&ack, Method::BYE, 2, "peer", ""), 200);
        assert_eq!(state(&mut bench), TransferState::Done { code: None });
        assert!(matches!(bench.call().state, CallState::Ended { ended_by: EndedBy::Remote, .. }));
    }
    // Before it has taken the order it has done nothing.
    let (mut bench, ack, _) = referring();
    status(&mut bench, from_callee(&ack, Method::BYE, 1, "peer", ""), 200);
    assert!(failed(&mut bench).1.contains("ended before"));
    // Without a subscription there is nothing to wait for.
    let (mut bench, _, refer) = referring();
    let mut accepted = answer(&refer, 202, "peer", "");
    accepted.headers.push("Refer-Sub", "false");
    bench.reply(accepted);
    assert_eq!(state(&mut bench), TransferState::Done { code: Some(202) });
}

#[test]
fn a_challenged_refer_is_sent_again_and_named_by_its_new_number() {
    let (mut bench, ack, refer) = referring();
    let mut challenge = answer(&refer, 407, "peer", "");
    challenge.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
    bench.reply(challenge);
    let again = bench.request(Method::REFER);
    assert!(again.headers.contains("Proxy-Authorization"));
    assert_eq!(again.headers.get("Refer-To"), refer.headers.get("Refer-To"));
    bench.reply(answer(&again, 202, "peer", ""));
    let id = again.headers.cseq().unwrap().number;
    status(&mut bench, notify(&ack, 1, &format!("refer;id={}", id - 1), "active", &sipfrag(100)), 481);
    status(&mut bench, notify(&ack, 2, &format!("refer;id={id}"), "active", &sipfrag(100)), 200);
}

#[test]
fn a_hold_that_is_refused_does_not_keep_a_transfer_from_going_on() {
    let mut bench = Bench::ready(settings());
    bench.connected_out();
    bench.command(Command::Transfer { call: 1, to: TransferTo::Address("102".into()) });
    state(&mut bench);
    let hold = bench.request(Method::INVITE);
    bench.reply(answer(&hold, 488, "peer", ""));
    bench.request(Method::ACK);
    assert!(bench.events.is_empty(), "nobody has ordered a hold: {:?}", bench.events);
    let refer = bench.request(Method::REFER);
    bench.reply(answer(&refer, 603, "peer", ""));
    let (_, reason) = failed(&mut bench);
    assert!(reason.ends_with("The call is back with you."), "{reason}");
    bench.silent();
}

/// REFER of the peer that called us.
fn refer(ok: &Response, cseq: u32, to: &str) -> Request {
    let mut refer = in_dialog(ok, Method::REFER, cseq, "");
    refer.headers.push("Refer-To", to);
    refer.headers.push("Referred-By", "<sip:alice@acme>;cid=\"1@acme\"");
    refer
}

#[test]
fn refers_that_are_not_followed() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    for (n, (to, code)) in [
        ("nonsense", 400),
        ("<sip:102@acme>, <sip:103@acme>", 400),
        ("<sip:102@acme?Replaces=x>", 400),
        ("<http://example.com>", 416),
        ("<sip:102@acme;method=BYE>", 603),
    ]
    .into_iter()
    .enumerate()
    {
        status(&mut bench, refer(&ok, 10 + n as u32, to), code);
    }
    bench.silent();
    assert!(bench.events.is_empty());
}

#[test]
fn being_transferred() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    let to = "<sip:102@192.0.2.9;method=INVITE?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces&Subject=x>";
    bench.deliver(Message::Request(refer(&ok, 2, to)));
    let accepted = bench.response(202);
    assert!(accepted.headers.contains("Contact"));
    let trying = bench.request(Method::NOTIFY);
    assert_eq!(trying.headers.get("Event"), Some("refer"));
    assert_eq!(trying.headers.get("Subscription-State"), Some("active;expires=600"));
    assert_eq!(trying.body, b"SIP/2.0 100 Trying\r\n");
    assert_eq!(bench.events.pop_front(), Some(Event::Referred { call: 2, by: 1 }));
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    assert_eq!(invite.uri.to_string(), "sip:102@192.0.2.9");
    assert_eq!(invite.headers.get("Referred-By"), Some("<sip:alice@acme>;cid=\"1@acme\""));
    assert_eq!(invite.headers.get("Replaces"), Some("a@b;to-tag=1;from-tag=2"));
    assert_eq!(invite.headers.get("Require"), Some("replaces"));
    assert_eq!(invite.headers.get("Subject"), None);
    // A second one while the first goes on.
    status(&mut bench, refer(&ok, 3, "<sip:103@acme>"), 491);
    // The news waits for the answer to the NOTIFY before.
    bench.reply(answer(&invite, 180, "target", ""));
    bench.state(&CallState::Early { media: false });
    bench.silent();
    bench.reply(answer(&trying, 200, "alice", ""));
    let ringing = bench.request(Method::NOTIFY);
    assert_eq!(ringing.body, b"SIP/2.0 180 Ringing\r\n");
    bench.reply(answer(&ringing, 200, "alice", ""));
    bench.reply(answer(&invite, 200, "target", SDP));
    let done: Vec<_> = std::iter::from_fn(|| bench.sent.pop_front())
        .filter_map(|(_, m)| match m {
            Message::Request(r) if r.method == Method::NOTIFY => Some(r),
            _ => None,
        })
        .collect();
    assert_eq!(done.len(), 1);
    assert_eq!(done[0].headers.get("Subscription-State"), Some("terminated;reason=noresource"));
    assert_eq!(done[0].body, b"SIP/2.0 200 OK\r\n");
    bench.state(&CallState::Connected);
    // The old call stays until its peer ends it, whatever it says to the NOTIFY.
    bench.reply(answer(&done[0], 481, "alice", ""));
    assert!(bench.events.is_empty());
    status(&mut bench, in_dialog(&ok, Method::BYE, 4, ""), 200);
    assert!(matches!(bench.call().state, CallState::Ended { .. }));
}

#[test]
fn a_second_refer_is_named_in_its_notifications_and_one_without_a_subscription_has_none() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    bench.deliver(Message::Request(refer(&ok, 2, "<sip:102@192.0.2.9>")));
    bench.response(202);
    let trying = bench.request(Method::NOTIFY);
    bench.reply(answer(&trying, 200, "alice", ""));
    let invite = bench.request(Method::INVITE);
    bench.reply(answer(&invite, 486, "target", ""));
    bench.request(Method::ACK);
    let busy = bench.request(Method::NOTIFY);
    assert_eq!(busy.body, b"SIP/2.0 486 Busy Here\r\n");
    // Not answered yet, and still free for the next.
    bench.deliver(Message::Request(refer(&ok, 3, "<sip:103@192.0.2.9>")));
    bench.response(202);
    assert_eq!(bench.request(Method::NOTIFY).headers.get("Event"), Some("refer;id=3"));
    let invite = bench.request(Method::INVITE);
    bench.reply(answer(&invite, 603, "target", ""));
    bench.sent.clear();
    bench.reply(answer(&busy, 200, "alice", ""));
    bench.advance(Duration::from_secs(40));
    bench.sent.clear();
    let mut quiet = refer(&ok, 4, "<sip:104@192.0.2.9>");
    quiet.headers.push("Refer-Sub", "false");
    quiet.headers.push("Require", "norefersub");
    bench.deliver(Message::Request(quiet));
    assert_eq!(bench.response(202).headers.get("Refer-Sub"), Some("false"));
    bench.request(Method::INVITE);
    bench.silent();
}

#[test]
fn nobody_can_be_sent_to_more_calls_than_there_may_be() {
    let mut bench = Bench::ready(crate::ua::api::Settings { max_calls: Some(1), ..settings() });
    let ok = bench.connected_in();
    bench.deliver(Message::Request(refer(&ok, 2, "<sip:102@192.0.2.9>")));
    bench.response(202);
    assert_eq!(bench.request(Method::NOTIFY).body, b"SIP/2.0 486 Busy Here\r\n");
    bench.silent();
}

/// RFC 3515 §2.4.6: what does not say which transfer it is about is about the first, as long as that one may still tell.
#[test]
fn news_of_an_earlier_transfer_is_not_taken_for_the_later_ones() {
    let again = |bench: &mut Bench| {
        comes_back(bench);
        bench.command(Command::Transfer { call: 1, to: TransferTo::Address("103".into()) });
        state(bench);
        let hold = bench.request(Method::INVITE);
        bench.reply(answer(&hold, 200, "peer", RECVONLY));
        bench.request(Method::ACK);
        bench.state(&CallState::Held);
        let refer = bench.request(Method::REFER);
        bench.reply(answer(&refer, 202, "peer", ""));
        refer.headers.cseq().unwrap().number
    };
    // The first falls silent, and tells of its end only when the second is under way.
    let (mut bench, ack, refer) = referring();
    bench.reply(answer(&refer, 202, "peer", ""));
    bench.advance(Duration::from_secs(32));
    failed(&mut bench);
    let second = again(&mut bench);
    status(&mut bench, notify(&ack, 1, "refer", "terminated", &sipfrag(486)), 481);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    status(&mut bench, notify(&ack, 2, &format!("refer;id={second}"), "terminated", &sipfrag(200)), 200);
    assert_eq!(state(&mut bench), TransferState::Done { code: Some(200) });
    // It has told: what comes without a number is about the second.
    let (mut bench, ack, refer) = referring();
    bench.reply(answer(&refer, 202, "peer", ""));
    status(&mut bench, notify(&ack, 1, "refer", "terminated", &sipfrag(486)), 200);
    failed(&mut bench);
    again(&mut bench);
    status(&mut bench, notify(&ack, 2, "refer", "terminated", &sipfrag(200)), 200);
    assert_eq!(state(&mut bench), TransferState::Done { code: Some(200) });
}

#[test]
fn who_calls_without_being_known_is_not_named_by_a_transfer_either() {
    let mut bench = Bench::ready(settings());
    bench.command(Command::Dial { to: "101".into(), anonymous: true });
    let invite = bench.request(Method::INVITE);
    let hidden = |request: &Request| {
        let contact = request.headers.get("Contact").unwrap();
        assert!(contact.starts_with("<sip:anonymous@192.0.2.1:5062"), "{contact}");
        assert!(!request.headers.get("From").unwrap().contains("100-acme"));
    };
    hidden(&invite);
    bench.state(&CallState::Dialing);
    bench.reply(answer(&invite, 200, "peer", SDP));
    let ack = bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    // In the answer to the peer's re-INVITE as well.
    bench.deliver(Message::Request(from_callee(&ack, Method::INVITE, 1, "peer", SDP)));
    let ok = bench.response(200);
    assert!(ok.headers.get("Contact").unwrap().starts_with("<sip:anonymous@"));
    bench.deliver(Message::Request(from_callee(&ack, Method::ACK, 1, "peer", "")));
    bench.command(Command::Transfer { call: 1, to: TransferTo::Address("102".into()) });
    state(&mut bench);
    let hold = bench.request(Method::INVITE);
    hidden(&hold);
    bench.reply(answer(&hold, 200, "peer", RECVONLY));
    bench.request(Method::ACK);
    let refer = bench.request(Method::REFER);
    hidden(&refer);
    assert_eq!(refer.headers.get("Referred-By"), None);
}
