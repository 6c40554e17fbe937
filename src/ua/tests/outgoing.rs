//! Calls of ours, from dialling to the answer or its lack.

use super::{bench::*, ended};
use crate::{
    media::plan::Direction,
    sip::{
        flow::Flow,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{CallState, Command, EndedBy, Event},
};
use std::time::Duration;

fn dialled() -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    (bench, invite)
}

fn contact(mut response: Response, value: &str) -> Response {
    response.headers.set("Contact", value);
    response
}

#[track_caller]
fn end(bench: &mut Bench) -> (EndedBy, Option<u16>, String) {
    match bench.call().state {
        CallState::Ended { ended_by, code, reason } => (ended_by, code, reason),
        other => panic!("the end was expected, not {other:?}"),
    }
}

#[test]
fn silence_need_not_be_sent_from_the_next_call_on() {
    let mut bench = Bench::ready(settings());
    bench.connected_out();
    bench.command(Command::SuppressSilence(true));
    bench.command(Command::Hold { call: 1 });
    let offers_noise = |invite: Request| String::from_utf8_lossy(&invite.body).contains(" CN/8000");
    assert!(!offers_noise(bench.request(Method::INVITE)), "the call goes on as it began");
    bench.dial("102");
    assert!(offers_noise(bench.request(Method::INVITE)));
    bench.command(Command::SuppressSilence(false));
    bench.dial("103");
    assert!(!offers_noise(bench.request(Method::INVITE)));
}

#[test]
fn early_media_is_heard_and_stands_for_a_missing_answer() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 183, "peer", SDP));
    bench.state(&CallState::Early { media: true });
    assert_eq!(bench.plans.pop_front().unwrap().direction, Direction::SendRecv);
    bench.reply(answer(&invite, 200, "peer", ""));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    assert!(bench.plans.is_empty(), "nothing new was agreed");
}

#[test]
fn of_several_forks_the_first_to_answer_wins_and_the_others_are_hung_up() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 180, "a", ""));
    bench.state(&CallState::Early { media: false });
    bench.reply(answer(&invite, 183, "b", &SDP.replace("5000", "6000")));
    bench.state(&CallState::Early { media: true });
    bench.reply(answer(&invite, 200, "a", SDP));
    assert_eq!(bench.request(Method::ACK).uri.to_string(), "sip:a@192.0.2.9:5060");
    bench.state(&CallState::Connected);
    assert_eq!(bench.plans.pop_back().unwrap().remote_rtp.port(), 5000);
    for tag in ["b", "never-seen"] {
        bench.reply(answer(&invite, 200, tag, SDP));
        let ack = bench.request(Method::ACK);
        let bye = bench.request(Method::BYE);
        assert!(ack.headers.get("To").unwrap().ends_with(&format!(";tag={tag}")));
        assert_eq!(bye.headers.get("To"), ack.headers.get("To"));
        // Its 2xx again is confirmed again and nothing more.
        bench.reply(answer(&invite, 200, tag, SDP));
        bench.request(Method::ACK);
        bench.reply(answer(&bye, 200, tag, ""));
        bench.silent();
    }
    assert!(bench.events.is_empty() && bench.closed.is_empty());
}

#[test]
fn challenges_to_the_invite_are_answered() {
    for (code, header, credentials) in
        [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")]
    {
        let (mut bench, invite) = dialled();
        let mut response = answer(&invite, code, "proxy", "");
        response.headers.push(header, "Digest realm=\"acme\", nonce=\"n1\", qop=\"auth,auth-int\"");
        bench.reply(response);
        let ack = bench.request(Method::ACK);
        assert_eq!(ack.headers.get("CSeq"), Some("1 ACK"));
        let again = bench.request(Method::INVITE);
        assert_eq!(again.headers.get("CSeq"), Some("2 INVITE"));
        assert_eq!((again.headers.get("From"), &again.body), (invite.headers.get("From"), &invite.body));
        assert!(again.headers.contains(credentials));
        let mut refused = answer(&again, code, "proxy", "");
        refused.headers.push(header, "Digest realm=\"acme\", nonce=\"n2\", qop=\"auth\"");
        bench.reply(refused);
        bench.request(Method::ACK);
        let (by, reported, reason) = end(&mut bench);
        assert_eq!((by, reported), (EndedBy::Network, Some(code)));
        assert!(reason.contains("password"), "{reason}");
        bench.silent();
    }
}

/// Final answer, who ended the call, a word of the sentence.
#[test]
fn refusals_become_sentences() {
    for (code, by, word) in [
        (404, EndedBy::Remote, "does not exist"),
        (403, EndedBy::Remote, "not allowed"),
        (408, EndedBy::Network, "no answer"),
        (480, EndedBy::Remote, "cannot be reached"),
        (484, EndedBy::Remote, "incomplete"),
        (486, EndedBy::Remote, "busy"),
        (503, EndedBy::Network, "overloaded"),
        (600, EndedBy::Remote, "busy"),
        (603, EndedBy::Remote, "declined"),
        (604, EndedBy::Remote, "does not exist"),
        (699, EndedBy::Remote, "failed"),
    ] {
        let (mut bench, invite) = dialled();
        bench.reply(answer(&invite, code, "peer", ""));
        bench.request(Method::ACK);
        let (ended_by, reported, reason) = end(&mut bench);
        assert_eq!((ended_by, reported), (by, Some(code)));
        assert!(reason.contains(word), "{code}: {reason}");
        assert_eq!(bench.closed, [1]);
        bench.settle();
    }
}

#[test]
fn the_servers_own_words_are_passed_on() {
    let (mut bench, invite) = dialled();
    let mut response = answer(&invite, 403, "peer", "");
    response.headers.push("Warning", "399 acme \"An additional registration cannot be dialled\"");
    bench.reply(response);
    bench.request(Method::ACK);
    let (_, _, reason) = end(&mut bench);
    assert_eq!(reason, "This call is not allowed. (An additional registration cannot be dialled)");
}

#[test]
fn redirections_are_followed_each_once() {
    let (mut bench, invite) = dialled();
    bench.reply(contact(answer(&invite, 302, "peer", ""), "<tel:+1201>, <sip:a@192.0.2.30>, <sip:b@192.0.2.31>"));
    bench.request(Method::ACK);
    let to_a = bench.request(Method::INVITE);
    assert_eq!((to_a.uri.to_string().as_str(), to_a.headers.get("CSeq")), ("sip:a@192.0.2.30", Some("2 INVITE")));
    // A circle: only what was not tried yet is tried.
    bench.reply(contact(answer(&to_a, 301, "peer", ""), "<sip:a@192.0.2.30>, <sip:101@acme>"));
    bench.request(Method::ACK);
    let to_b = bench.request(Method::INVITE);
    assert_eq!(to_b.uri.to_string(), "sip:b@192.0.2.31");
    bench.reply(answer(&to_b, 486, "peer", ""));
    bench.request(Method::ACK);
    assert_eq!(end(&mut bench), (EndedBy::Remote, Some(486), "The other side is busy.".into()));
    bench.silent();
    assert_eq!(bench.closed, [1], "audio was opened once");
}

#[test]
fn redirections_without_end_are_given_up() {
    let (mut bench, mut invite) = dialled();
    for n in 0..5 {
        bench.reply(contact(answer(&invite, 302, "peer", ""), &format!("<sip:{n}@192.0.2.30>")));
        bench.request(Method::ACK);
        invite = bench.request(Method::INVITE);
    }
    bench.reply(contact(answer(&invite, 302, "peer", ""), "<sip:again@192.0.2.30>"));
    bench.request(Method::ACK);
    assert_eq!(end(&mut bench).1, Some(302));
    bench.settle();
}

#[test]
fn silence_and_failed_sending_end_the_call() {
    let (mut bench, _) = dialled();
    bench.advance(Duration::from_secs(33));
    assert_eq!(end(&mut bench).1, Some(408));
    bench.settle();

    let (mut bench, _) = dialled();
    let token = bench.tokens[0];
    bench.agent.handle_transport_failed(bench.now, token, "connection refused");
    bench.drain();
    let (by, code, reason) = end(&mut bench);
    assert_eq!((by, code), (EndedBy::Network, None));
    assert!(reason.contains("connection refused"), "{reason}");
    bench.settle();
}

#[test]
fn names_are_looked_up_and_every_address_is_tried() {
    let mut bench = Bench::offline(settings());
    bench.dns = vec![("pbx.acme", vec!["192.0.2.41:5060", "192.0.2.42:5060", "192.0.2.43:5060"])];
    let mut account = account(false);
    account.outbound_proxy = Some("sip:pbx.acme".parse().unwrap());
    bench.command(Command::SetAccount(Box::new(account)));
    bench.registration();
    bench.dial("101");
    bench.state(&CallState::Dialing);
    let (first, _) = bench.sent.pop_front().unwrap();
    bench.agent.handle_transport_failed(bench.now, bench.tokens[0], "no route to host");
    bench.drain();
    let (second, message) = bench.sent.pop_front().unwrap();
    let Message::Request(invite) = message else { panic!("an INVITE was expected") };
    bench.reply(answer(&invite, 503, "peer", ""));
    bench.request(Method::ACK);
    let (third, _) = bench.sent.pop_front().unwrap();
    let to = |flow: Flow| flow.remote.to_string();
    assert_eq!([to(first), to(second), to(third)], ["192.0.2.41:5060", "192.0.2.42:5060", "192.0.2.43:5060"]);
    assert!(bench.events.is_empty());

    bench.dns.clear();
    bench.dial("102");
    bench.state(&CallState::Dialing);
    let (by, _, reason) = end(&mut bench);
    assert_eq!((by, reason.as_str()), (EndedBy::Network, "The call cannot be placed: the name pbx.acme is unknown."));
}

#[test]
fn a_call_that_rings_is_not_sent_to_the_next_address_as_well() {
    let mut bench = Bench::offline(settings());
    bench.dns = vec![("pbx.acme", vec!["192.0.2.41:5060", "192.0.2.42:5060"])];
    let mut account = account(false);
    account.outbound_proxy = Some("sip:pbx.acme".parse().unwrap());
    bench.command(Command::SetAccount(Box::new(account)));
    bench.registration();
    bench.dial("101");
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    bench.reply(answer(&invite, 180, "peer", ""));
    bench.state(&CallState::Early { media: false });
    bench.agent.handle_transport_failed(bench.now, bench.tokens[0], "the connection was lost");
    bench.drain();
    assert_eq!(end(&mut bench).0, EndedBy::Network);
    bench.silent();
}

#[test]
fn ringing_that_nobody_confirms_comes_to_an_end() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 180, "peer", ""));
    bench.state(&CallState::Early { media: false });
    for _ in 0..10 {
        // A callee that still rings says so every minute (RFC 3261 §13.3.1.1).
        bench.advance(Duration::from_secs(60));
        bench.reply(answer(&invite, 180, "peer", ""));
    }
    bench.silent();
    bench.advance(Duration::from_secs(300));
    assert_eq!(end(&mut bench), (EndedBy::Network, Some(408), "Nobody answered.".into()));
    bench.request(Method::CANCEL);

    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 183, "peer", SDP));
    bench.state(&CallState::Early { media: true });
    // Promised is not heard; what is heard may last.
    bench.advance(Duration::from_secs(200));
    bench.command(Command::EarlyMedia { call: 1, comes: true });
    bench.reply(answer(&invite, 183, "peer", SDP));
    bench.advance(Duration::from_secs(3600));
    bench.silent();
    bench.command(Command::EarlyMedia { call: 1, comes: false });
    bench.advance(Duration::from_secs(299));
    bench.silent();
    bench.advance(Duration::from_secs(1));
    assert_eq!(end(&mut bench), (EndedBy::Network, Some(408), "Nobody answered.".into()));
    bench.request(Method::CANCEL);

    // The stream that is heard goes on while the INVITE is sent again, and is not told anew.
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 183, "peer", SDP));
    bench.state(&CallState::Early { media: true });
    bench.command(Command::EarlyMedia { call: 1, comes: true });
    let mut challenge = answer(&invite, 407, "peer", "");
    challenge.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n\", qop=\"auth\"");
    bench.reply(challenge);
    bench.request(Method::ACK);
    let again = bench.request(Method::INVITE);
    bench.reply(answer(&again, 183, "peer", SDP));
    bench.advance(Duration::from_secs(3600));
    bench.silent();

    // A description in vain.
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 183, "peer", SDP));
    bench.state(&CallState::Early { media: true });
    bench.command(Command::EarlyMedia { call: 1, comes: false });
    bench.advance(Duration::from_secs(300));
    assert_eq!(end(&mut bench), (EndedBy::Network, Some(408), "Nobody answered.".into()));
}

#[test]
fn a_redirection_to_a_name_that_does_not_exist_is_passed_over() {
    let (mut bench, invite) = dialled();
    let contacts = "<sip:a@nowhere.test>, <sip:b@192.0.2.31>";
    // Without a proxy on the way a target's name is looked up.
    bench.reply(contact(answer(&invite, 302, "peer", ""), contacts));
    bench.request(Method::ACK);
    let next = bench.request(Method::INVITE).uri.to_string();
    assert_eq!(next, "sip:a@nowhere.test", "by the proxy");

    let mut bench = Bench::offline(settings());
    let mut direct = account(false);
    direct.outbound_proxy = None;
    bench.command(Command::SetAccount(Box::new(direct)));
    bench.registration();
    bench.dial("sip:101@192.0.2.9");
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    bench.reply(contact(answer(&invite, 302, "peer", ""), contacts));
    bench.request(Method::ACK);
    assert_eq!(bench.request(Method::INVITE).uri.to_string(), "sip:b@192.0.2.31");
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn hanging_up_before_the_answer_cancels() {
    let (mut bench, invite) = dialled();
    bench.command(Command::Hangup { call: 1 });
    bench.state(&ended(EndedBy::Local, None, "You ended the call."));
    bench.silent();
    // CANCEL waits for a provisional response (RFC 3261 §9.1).
    bench.reply(answer(&invite, 180, "peer", ""));
    let cancel = bench.request(Method::CANCEL);
    assert_eq!(cancel.headers.get("CSeq"), Some("1 CANCEL"));
    bench.reply(answer(&cancel, 200, "peer", ""));
    bench.reply(answer(&invite, 487, "peer", ""));
    bench.request(Method::ACK);
    assert!(bench.events.is_empty());
    bench.settle();
}

#[test]
fn an_answer_that_crosses_the_cancel_is_confirmed_and_ended() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 180, "peer", ""));
    bench.state(&CallState::Early { media: false });
    bench.command(Command::Hangup { call: 1 });
    bench.state(&ended(EndedBy::Local, None, "You ended the call."));
    bench.request(Method::CANCEL);
    bench.reply(answer(&invite, 200, "peer", SDP));
    bench.request(Method::ACK);
    let bye = bench.request(Method::BYE);
    bench.reply(answer(&bye, 200, "peer", ""));
    assert!(bench.events.is_empty());
    bench.settle();
}

#[test]
fn without_usable_audio_there_is_no_call() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 200, "peer", &SDP.replace("RTP/AVP 0", "RTP/AVP 9")));
    bench.request(Method::ACK);
    let bye = bench.request(Method::BYE);
    let (by, code, reason) = end(&mut bench);
    assert_eq!((by, code), (EndedBy::Local, Some(488)));
    assert!(reason.contains("no audio codec"), "{reason}");
    bench.reply(answer(&bye, 200, "peer", ""));
    bench.settle();

    let mut bench = Bench::ready(settings());
    bench.media = Err("There is no free port for audio.".into());
    bench.dial("101");
    bench.state(&CallState::Dialing);
    bench.state(&ended(EndedBy::Local, None, "There is no free port for audio."));
    bench.silent();
}

#[test]
fn what_cannot_be_dialled_is_refused_in_words() {
    let mut bench = Bench::offline(settings());
    bench.dial("101");
    assert_eq!(bench.refused(), ("dial", "You are offline: choose a registration first.".into()));
    let mut bench = Bench::ready(crate::ua::api::Settings { max_calls: Some(1), ..settings() });
    bench.dial("mailto:x");
    assert!(bench.refused().1.contains("mailto:"));
    bench.dial("101");
    bench.dial("102");
    bench.state(&CallState::Dialing);
    assert!(bench.refused().1.contains("end one first"));
    bench.command(Command::Hangup { call: 7 });
    assert_eq!(bench.refused().0, "hangup");
    for command in [Command::Answer { call: 1 }, Command::Reject { call: 1, code: 486 }, Command::Hold { call: 1 }] {
        bench.command(command);
        bench.refused();
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_confirmed_and_ended() {
    for header in ["Contact", "Record-Route"] {
        let mut bench = Bench::ready(settings());
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        let mut ok = answer(&invite, 200, "peer", SDP);
        ok.headers.set(header, "<sip:broken");
        bench.reply(ok);
        let ack = bench.request(Method::ACK);
        assert_eq!(ack.uri, invite.uri, "{header}");
        assert_eq!(bench.request(Method::BYE).uri, invite.uri);
        let last = std::iter::from_fn(|| bench.events.pop_front()).last();
        assert!(matches!(last, Some(Event::Call(info)) if matches!(info.state, CallState::Ended { .. })), "{header}");
    }
}
