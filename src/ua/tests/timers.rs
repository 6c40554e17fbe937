//! Session timers (RFC 4028), both roles, against hold, glare and peers that know nothing of them; UPDATE (RFC 3311).

use super::bench::*;
use crate::{
    sip::msg::{Message, Method, Request, Response},
    ua::api::{CallState, Command, EndedBy},
};
use std::time::Duration;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn with(mut response: Response, fields: &[(&str, &str)]) -> Response {
    for (name, value) in fields {
        response.headers.push(name, *value);
    }
    response
}

/// A call of ours whose 2xx carries these fields.
fn out(fields: &[(&str, &str)]) -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    assert_eq!(invite.headers.get("Session-Expires"), Some("1800"));
    bench.reply(with(answer(&invite, 200, "peer", SDP), fields));
    let ack = bench.request(Method::ACK);
    bench.events.clear();
    bench.plans.clear();
    (bench, ack)
}

/// A call to us whose INVITE carries these fields; our 200.
fn called(fields: &[(&str, &str)]) -> (Bench, Response) {
    let mut bench = Bench::ready(settings());
    let mut invite = incoming(SDP);
    for (name, value) in fields {
        invite.headers.push(name, *value);
    }
    bench.deliver(Message::Request(invite));
    bench.command(Command::Answer { call: 1 });
    bench.sent.pop_front();
    let ok = bench.response(200);
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
    bench.events.clear();
    bench.plans.clear();
    (bench, ok)
}

const WE_REFRESH: (&str, &str) = ("Session-Expires", "1800;refresher=uac");
const THEY_REFRESH: (&str, &str) = ("Session-Expires", "1800;refresher=uas");
const UPDATES: (&str, &str) = ("Allow", "INVITE, ACK, BYE, UPDATE");

#[track_caller]
fn ended_by_timer(bench: &mut Bench) {
    let bye = bench.request(Method::BYE);
    assert!(bye.headers.get("Reason").is_some_and(|r| r.contains("408")));
    let CallState::Ended { ended_by, code, reason } = bench.call().state else { panic!("the call is over") };
    assert_eq!((ended_by, code), (EndedBy::Network, Some(408)));
    assert!(reason.contains("did not confirm"), "{reason}");
    bench.settle();
}

#[test]
fn the_caller_refreshes_by_update_where_that_is_taken() {
    let (mut bench, _) = out(&[WE_REFRESH, UPDATES]);
    for round in 0..3 {
        bench.advance(s(899));
        bench.silent();
        bench.advance(s(1));
        let update = bench.request(Method::UPDATE);
        assert!(update.body.is_empty());
        assert_eq!(update.headers.get("Session-Expires"), Some("1800;refresher=uac"), "round {round}");
        assert!(update.headers.contains("Contact"));
        bench.reply(with(answer(&update, 200, "peer", ""), &[WE_REFRESH]));
    }
    assert!(bench.events.is_empty());
}

#[test]
fn the_caller_refreshes_by_reinvite_where_update_is_not_taken() {
    for (fields, refused) in [(&[WE_REFRESH][..], false), (&[WE_REFRESH, UPDATES], true)] {
        let (mut bench, _) = out(fields);
        bench.advance(s(900));
        if refused {
            let update = bench.request(Method::UPDATE);
            bench.reply(answer(&update, 405, "peer", ""));
        }
        let reinvite = bench.request(Method::INVITE);
        assert_eq!(reinvite.headers.get("Session-Expires"), Some("1800;refresher=uac"));
        assert!(String::from_utf8_lossy(&reinvite.body).contains("a=sendrecv"));
        bench.reply(with(answer(&reinvite, 200, "peer", SDP), &[WE_REFRESH]));
        bench.request(Method::ACK);
        bench.advance(s(899));
        bench.silent();
        bench.advance(s(1));
        bench.request(Method::INVITE);
        assert!(bench.events.is_empty() && bench.plans.is_empty(), "nobody noticed");
    }
}

#[test]
fn a_peer_that_does_not_refresh_is_gone() {
    let (mut bench, _) = out(&[THEY_REFRESH]);
    bench.advance(s(1767));
    bench.silent();
    bench.advance(s(1));
    ended_by_timer(&mut bench);
    // Its refresh, by either method, starts the time anew.
    for method in [Method::UPDATE, Method::INVITE] {
        let (mut bench, ack) = out(&[THEY_REFRESH]);
        bench.advance(s(900));
        let sdp = if method == Method::INVITE { SDP } else { "" };
        let mut refresh = from_callee(&ack, method.clone(), 1, "peer", sdp);
        refresh.headers.push("Supported", "timer");
        refresh.headers.push("Session-Expires", "1800;refresher=uac");
        bench.deliver(Message::Request(refresh));
        let ok = bench.response(200);
        assert_eq!(ok.headers.get("Session-Expires"), Some("1800;refresher=uac"));
        assert_eq!(ok.headers.get("Require"), Some("timer"));
        if method == Method::INVITE {
            bench.deliver(Message::Request(from_callee(&ack, Method::ACK, 1, "peer", "")));
        }
        bench.advance(s(1767));
        bench.silent();
        bench.advance(s(1));
        ended_by_timer(&mut bench);
    }
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let (mut bench, _) = out(&[WE_REFRESH, UPDATES]);
    bench.advance(s(900));
    bench.request(Method::UPDATE);
    bench.advance(s(32));
    bench.sent.retain(|(_, m)| !matches!(m, Message::Request(r) if r.method == Method::UPDATE));
    bench.request(Method::BYE);
    assert!(matches!(bench.call().state, CallState::Ended { ended_by: EndedBy::Network, .. }));
    bench.settle();
}

#[test]
fn a_refresh_that_fails_for_the_moment_is_tried_again_until_the_end() {
    for (code, field, wait) in [(500, Some(("Retry-After", "7")), 7), (491, None, 4), (503, None, 4)] {
        let (mut bench, _) = out(&[WE_REFRESH, UPDATES]);
        bench.advance(s(900));
        let update = bench.request(Method::UPDATE);
        bench.reply(with(answer(&update, code, "peer", ""), field.as_slice()));
        bench.advance(s(wait - 1));
        bench.silent();
        bench.advance(s(1));
        bench.request(Method::UPDATE);
    }
    let (mut bench, _) = out(&[("Session-Expires", "90;refresher=uac"), UPDATES]);
    bench.advance(s(45));
    while bench.events.is_empty() {
        if let Some((_, Message::Request(update))) = bench.sent.pop_front() {
            bench.reply(answer(&update, 503, "peer", ""));
        }
        bench.advance(s(1));
    }
    bench.sent.retain(|(_, m)| matches!(m, Message::Request(r) if r.method == Method::BYE));
    ended_by_timer(&mut bench);
}

#[test]
fn a_422_to_a_refresh_raises_the_interval() {
    for fields in [&[WE_REFRESH, UPDATES][..], &[WE_REFRESH]] {
        let (mut bench, _) = out(fields);
        bench.advance(s(900));
        let Some((_, Message::Request(first))) = bench.sent.pop_front() else { panic!("a refresh was expected") };
        bench.reply(with(answer(&first, 422, "peer", ""), &[("Min-SE", "3600")]));
        if first.method == Method::INVITE {
            bench.request(Method::ACK);
        }
        let again = bench.request(first.method);
        assert_eq!(again.headers.get("Session-Expires"), Some("3600;refresher=uac"));
        assert_eq!(again.headers.get("Min-SE"), Some("3600"));
    }
}

#[test]
fn a_peer_without_timers_is_left_alone() {
    let (mut bench, _) = out(&[]);
    bench.advance(s(10_000));
    bench.silent();
    assert!(bench.events.is_empty());
    // As callee we refresh what a proxy has put in for a caller that knows nothing of it.
    let (mut bench, ok) = called(&[("Session-Expires", "600")]);
    assert_eq!((ok.headers.get("Session-Expires"), ok.headers.get("Require")), (Some("600;refresher=uas"), None));
    bench.advance(s(300));
    let reinvite = bench.request(Method::INVITE);
    assert_eq!(reinvite.headers.get("Session-Expires"), Some("600;refresher=uac"));
}

#[test]
fn the_callee_waits_or_refreshes_as_the_caller_wants() {
    let (mut bench, ok) = called(&[("Session-Expires", "600;refresher=uas"), ("Supported", "timer"), UPDATES]);
    assert_eq!(ok.headers.get("Session-Expires"), Some("600;refresher=uas"));
    bench.advance(s(300));
    let update = bench.request(Method::UPDATE);
    assert_eq!(update.headers.get("Session-Expires"), Some("600;refresher=uac"), "the sender of this request");
    let (mut bench, ok) = called(&[("Session-Expires", "600"), ("Supported", "timer")]);
    assert_eq!(ok.headers.get("Session-Expires"), Some("600;refresher=uac"));
    bench.advance(s(567));
    bench.silent();
    bench.advance(s(1));
    ended_by_timer(&mut bench);
}

#[test]
fn intervals_too_short_are_refused_before_and_in_the_call() {
    let short = [("Session-Expires", "30"), ("Supported", "timer")];
    let mut bench = Bench::ready(settings());
    let mut invite = incoming(SDP);
    for (name, value) in short {
        invite.headers.push(name, value);
    }
    bench.deliver(Message::Request(invite));
    assert_eq!(bench.response(422).headers.get("Min-SE"), Some("90"));
    assert!(bench.events.is_empty());
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    for (cseq, method) in [(2, Method::INVITE), (3, Method::UPDATE)] {
        let mut request = in_dialog(&ok, method, cseq, "");
        for (name, value) in short {
            request.headers.push(name, value);
        }
        bench.deliver(Message::Request(request));
        bench.response(422);
    }
}

/// Session timer against hold: whichever comes first, the call is confirmed and stays as the agent wants it.
#[test]
fn a_hold_is_a_refresh_and_a_refresh_keeps_the_hold() {
    let (mut bench, _) = out(&[WE_REFRESH]);
    bench.advance(s(899));
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    assert_eq!(hold.headers.get("Session-Expires"), Some("1800;refresher=uac"));
    bench.reply(answer(&hold, 100, "", ""));
    bench.advance(s(1)); // due while the hold is under way
    bench.silent();
    bench.reply(with(answer(&hold, 200, "peer", &SDP.replace("sendrecv", "recvonly")), &[WE_REFRESH]));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    // What had become due meanwhile is sent once, on hold.
    let refresh = bench.request(Method::INVITE);
    assert!(String::from_utf8_lossy(&refresh.body).contains("a=sendonly"));
    bench.reply(with(answer(&refresh, 200, "peer", &SDP.replace("sendrecv", "recvonly")), &[WE_REFRESH]));
    bench.request(Method::ACK);
    bench.silent();
    // A refresh under way when the agent resumes.
    bench.advance(s(900));
    let refresh = bench.request(Method::INVITE);
    bench.command(Command::Resume { call: 1 });
    bench.silent();
    bench.reply(answer(&refresh, 488, "peer", ""));
    bench.request(Method::ACK);
    let resume = bench.request(Method::INVITE);
    assert!(String::from_utf8_lossy(&resume.body).contains("a=sendrecv"));
    bench.reply(with(answer(&resume, 200, "peer", SDP), &[WE_REFRESH]));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    assert!(bench.events.is_empty(), "no word about a refresh: {:?}", bench.events);
}

#[test]
fn a_refresh_that_meets_the_peers_reinvite_comes_again() {
    let (mut bench, _) = out(&[WE_REFRESH]);
    bench.advance(s(900));
    let refresh = bench.request(Method::INVITE);
    bench.reply(answer(&refresh, 491, "peer", ""));
    bench.request(Method::ACK);
    bench.advance(s(5));
    let again = bench.request(Method::INVITE);
    bench.sent.clear(); // its retransmissions
    assert_eq!(again.headers.get("Session-Expires"), Some("1800;refresher=uac"));
    // A hold that is told to wait, waits so long.
    bench.reply(with(answer(&again, 200, "peer", SDP), &[WE_REFRESH]));
    bench.request(Method::ACK);
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    bench.reply(with(answer(&hold, 500, "peer", ""), &[("Retry-After", "9")]));
    bench.request(Method::ACK);
    bench.advance(s(8));
    bench.silent();
    bench.advance(s(1));
    bench.request(Method::INVITE);
    assert!(bench.events.is_empty());
}

#[test]
fn an_update_changes_the_audio_of_an_answered_call() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    let mut update = in_dialog(&ok, Method::UPDATE, 2, &SDP.replace("sendrecv", "sendonly"));
    update.headers.set("Contact", "<sip:caller@192.0.2.99:5099>");
    bench.deliver(Message::Request(update));
    let response = bench.response(200);
    assert!(String::from_utf8_lossy(&response.body).contains("a=recvonly"));
    bench.state(&CallState::RemoteHeld);
    bench.deliver(Message::Request(in_dialog(&ok, Method::UPDATE, 3, SDP)));
    bench.response(200);
    bench.state(&CallState::Connected);
    bench.deliver(Message::Request(in_dialog(&ok, Method::UPDATE, 4, &SDP.replace("RTP/AVP 0", "RTP/AVP 9"))));
    bench.response(488);
    let mut text = in_dialog(&ok, Method::UPDATE, 5, SDP);
    text.headers.set("Content-Type", "text/plain");
    bench.deliver(Message::Request(text));
    bench.response(415);
    assert!(bench.events.is_empty());
    bench.command(Command::Hangup { call: 1 });
    assert_eq!(bench.request(Method::BYE).uri.to_string(), "sip:caller@192.0.2.9:5060", "the last Contact");
}

/// RFC 3311 §5.2.
#[test]
fn an_offer_in_an_update_waits_for_its_turn() {
    // Ours is not answered: a hold under way.
    let (mut bench, ack) = out(&[]);
    bench.command(Command::Hold { call: 1 });
    bench.request(Method::INVITE);
    bench.deliver(Message::Request(from_callee(&ack, Method::UPDATE, 1, "peer", SDP)));
    bench.response(491);
    bench.deliver(Message::Request(from_callee(&ack, Method::UPDATE, 2, "peer", "")));
    bench.response(200);
    // Ours in the INVITE is not answered: an early dialog.
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    bench.reply(answer(&invite, 180, "peer", ""));
    bench.deliver(Message::Request(from_callee(&invite, Method::UPDATE, 1, "peer", SDP)));
    bench.response(491);
    // Theirs in the INVITE is not answered: it rings.
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(incoming(SDP)));
    let ringing = bench.response(180);
    bench.deliver(Message::Request(in_dialog(&ringing, Method::UPDATE, 2, SDP)));
    let later = bench.response(500);
    assert!(later.headers.number("Retry-After").is_some_and(|wait| wait <= 10));
    bench.deliver(Message::Request(in_dialog(&ringing, Method::UPDATE, 3, "")));
    bench.response(200);
}

#[test]
fn an_update_changes_early_media_that_is_settled() {
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    let progress = with(answer(&invite, 183, "peer", SDP), &[("Require", "100rel"), ("RSeq", "1")]);
    bench.reply(progress);
    bench.request(Method::PRACK);
    bench.events.clear();
    bench.plans.clear();
    bench.deliver(Message::Request(from_callee(&invite, Method::UPDATE, 1, "peer", &SDP.replace("5000", "5004"))));
    assert!(!bench.response(200).body.is_empty());
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5004);
    bench.reply(answer(&invite, 200, "peer", ""));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    assert!(bench.plans.is_empty());
}

/// RFC 4916: put through to somebody else.
#[test]
fn the_peer_may_turn_out_to_be_another() {
    let (mut bench, ack) = out(&[]);
    let mut update = from_callee(&ack, Method::UPDATE, 1, "peer", "");
    update.headers.set("From", "\"Carol C.\" <sip:103@acme>;tag=peer");
    bench.deliver(Message::Request(update));
    bench.response(200);
    let info = bench.call();
    assert_eq!((info.peer.as_str(), info.peer_name.as_deref()), ("sip:103@acme", Some("Carol C.")));
    bench.deliver(Message::Request(from_callee(&ack, Method::OPTIONS, 2, "peer", "")));
    bench.sent.clear();
    bench.events.clear();
    bench.command(Command::Hangup { call: 1 });
    assert!(bench.request(Method::BYE).headers.get("To").unwrap().contains("sip:"));
    // A refresh that says the same, or nothing new, changes nothing.
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    bench.deliver(Message::Request(in_dialog(&ok, Method::UPDATE, 2, "")));
    bench.response(200);
    assert!(bench.events.is_empty());
}
