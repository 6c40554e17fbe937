//! What is tried after a refusal, what several forks say, and what comes late, twice or from somebody else.

use super::{bench::*, ended};
use crate::{
    media::plan::Codec,
    sip::msg::{Message, Method, Request, Response},
    ua::api::{CallState, Command, EndedBy, Settings},
};

fn dialled() -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    (bench, invite)
}

fn refuse(bench: &mut Bench, invite: &Request, code: u16, fields: &[(&str, &str)]) {
    let mut response = answer(invite, code, "peer", "");
    for (name, value) in fields {
        response.headers.push(name, *value);
    }
    bench.reply(response);
    bench.request(Method::ACK);
}

fn formats(request: &Request) -> String {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    body.lines().find(|line| line.starts_with("m=")).unwrap_or_default().to_owned()
}

#[test]
fn a_refused_offer_is_made_again_with_less_and_then_left_to_the_other_side() {
    for code in [488, 606, 415] {
        let (mut bench, invite) = dialled();
        refuse(&mut bench, &invite, code, &[]);
        let plain = bench.request(Method::INVITE);
        assert_eq!(
            (formats(&plain).as_str(), plain.headers.get("CSeq")),
            ("m=audio 4000 RTP/AVP 0 8 101", Some("2 INVITE"))
        );
        assert_eq!(plain.headers.get("Call-ID"), invite.headers.get("Call-ID"));
        refuse(&mut bench, &plain, code, &[]);
        let late = bench.request(Method::INVITE);
        assert!(late.body.is_empty() && !late.headers.contains("Content-Type"));
        bench.reply(answer(&late, 180, "peer", ""));
        bench.state(&CallState::Early { media: false });
        bench.reply(answer(&late, 200, "peer", &SDP.replace("RTP/AVP 0", "RTP/AVP 8")));
        let ack = bench.request(Method::ACK);
        assert_eq!(formats(&ack), "m=audio 4000 RTP/AVP 8");
        assert_eq!(bench.call().codec, Some(Codec::Pcma));
        assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5000);
        bench.command(Command::Hangup { call: 1 });
        bench.request(Method::BYE);
        bench.settle();
    }
}

#[test]
fn a_refusal_of_everything_is_a_sentence_in_the_end() {
    let (mut bench, mut invite) = dialled();
    for _ in 0..2 {
        refuse(&mut bench, &invite, 488, &[]);
        invite = bench.request(Method::INVITE);
    }
    refuse(&mut bench, &invite, 488, &[]);
    let words = "The other side cannot take this kind of call: no common audio.";
    bench.state(&ended(EndedBy::Remote, Some(488), words));
    bench.settle();
}

#[test]
fn what_has_rung_is_not_tried_again() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 180, "peer", ""));
    bench.state(&CallState::Early { media: false });
    refuse(&mut bench, &invite, 488, &[]);
    assert!(matches!(bench.call().state, CallState::Ended { code: Some(488), .. }));
    bench.silent();
}

#[test]
fn with_one_codec_there_is_nothing_less_to_offer() {
    let mut bench = Bench::ready(Settings { codecs: vec![Codec::Pcmu], ..settings() });
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    refuse(&mut bench, &invite, 488, &[]);
    assert!(bench.request(Method::INVITE).body.is_empty());
}

#[test]
fn a_late_offer_that_cannot_be_taken_is_confirmed_and_ended() {
    for sdp in ["", &SDP.replace("RTP/AVP 0", "RTP/AVP 9")] {
        let (mut bench, mut invite) = dialled();
        for _ in 0..2 {
            refuse(&mut bench, &invite, 488, &[]);
            invite = bench.request(Method::INVITE);
        }
        bench.reply(answer(&invite, 200, "peer", sdp));
        bench.request(Method::ACK);
        assert!(bench.request(Method::BYE).headers.get("Reason").is_some_and(|reason| reason.contains("488")));
        assert!(matches!(bench.call().state, CallState::Ended { code: Some(488), .. }));
        bench.settle();
    }
}

#[test]
fn a_late_offer_in_a_reliable_response_is_answered_in_the_prack() {
    let (mut bench, mut invite) = dialled();
    for _ in 0..2 {
        refuse(&mut bench, &invite, 488, &[]);
        invite = bench.request(Method::INVITE);
    }
    let mut progress = answer(&invite, 183, "peer", SDP);
    progress.headers.push("Require", "100rel");
    progress.headers.push("RSeq", "1");
    bench.reply(progress);
    assert_eq!(formats(&bench.request(Method::PRACK)), "m=audio 4000 RTP/AVP 0");
    bench.state(&CallState::Early { media: true });
    bench.reply(answer(&invite, 200, "peer", ""));
    assert!(bench.request(Method::ACK).body.is_empty());
    bench.state(&CallState::Connected);
}

#[test]
fn extensions_that_a_server_refuses_are_left_out() {
    let (mut bench, invite) = dialled();
    refuse(&mut bench, &invite, 420, &[("Unsupported", "timer")]);
    let again = bench.request(Method::INVITE);
    assert!(!again.headers.contains("Supported") && !again.headers.contains("Session-Expires"));
    assert_eq!(formats(&again), formats(&invite));
    refuse(&mut bench, &again, 420, &[("Unsupported", "magic")]);
    let words = "The other side needs a feature that is not supported.";
    bench.state(&ended(EndedBy::Remote, Some(420), words));
    let (mut bench, invite) = dialled();
    refuse(&mut bench, &invite, 421, &[("Require", "magic")]);
    bench.state(&ended(EndedBy::Remote, Some(421), words));
}

#[test]
fn a_session_interval_that_is_too_short_is_raised() {
    let (mut bench, invite) = dialled();
    refuse(&mut bench, &invite, 422, &[("Min-SE", "3600")]);
    let again = bench.request(Method::INVITE);
    assert_eq!((again.headers.get("Session-Expires"), again.headers.get("Min-SE")), (Some("3600"), Some("3600")));
    refuse(&mut bench, &again, 422, &[("Min-SE", "3600")]);
    assert!(matches!(bench.call().state, CallState::Ended { code: Some(422), .. }), "it asks for what it got");
}

#[test]
fn servers_may_say_when_to_try_again() {
    for (code, after, words) in [
        (503, "1", "The server is overloaded or out of order. Try again in a second."),
        (503, "30", "The server is overloaded or out of order. Try again in 30 seconds."),
        (480, "300 (in a meeting)", "The other side cannot be reached at the moment. Try again in 5 minutes."),
        (600, "10800;duration=60", "The other side is busy. Try again in 3 hours."),
        (486, "0", "The other side is busy."),
    ] {
        let (mut bench, invite) = dialled();
        refuse(&mut bench, &invite, code, &[("Retry-After", after)]);
        let CallState::Ended { reason, .. } = bench.call().state else { panic!("the call is over") };
        assert_eq!(reason, words);
    }
}

#[test]
fn redirections_are_followed_by_preference() {
    let (mut bench, invite) = dialled();
    let contacts =
        "<sip:c@192.0.2.33>;q=0.1, <sip:a@192.0.2.31>;q=0.9, <sip:first@192.0.2.30>, <sip:b@192.0.2.32>;q=0.5";
    let mut response = answer(&invite, 300, "peer", "");
    response.headers.push("Contact", contacts);
    bench.reply(response);
    bench.request(Method::ACK);
    for user in ["first", "a", "b", "c"] {
        let invite = bench.request(Method::INVITE);
        assert!(invite.uri.to_string().starts_with(&format!("sip:{user}@")), "{}", invite.uri);
        refuse(&mut bench, &invite, 480, &[]);
    }
    assert!(matches!(bench.call().state, CallState::Ended { code: Some(480), .. }));
}

fn port(bench: &mut Bench) -> Option<u16> {
    bench.plans.pop_back().map(|plan| plan.remote_rtp.port())
}

#[test]
fn the_latest_early_media_is_heard_and_an_ended_fork_gives_way() {
    let (mut bench, invite) = dialled();
    for (tag, media) in [("a", "6000"), ("b", "6002"), ("c", "6004")] {
        bench.reply(answer(&invite, 183, tag, &SDP.replace("5000", media)));
        assert_eq!(port(&mut bench).map(|p| p.to_string()).as_deref(), Some(media));
    }
    bench.events.clear();
    // RFC 6228: the latest of those that are left; one that was not heard changes nothing.
    bench.reply(answer(&invite, 199, "a", ""));
    assert_eq!(port(&mut bench), None);
    bench.reply(answer(&invite, 199, "c", ""));
    assert_eq!(port(&mut bench), Some(6002));
    bench.reply(answer(&invite, 200, "b", ""));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    assert_eq!(port(&mut bench), None, "as agreed early");
}

#[test]
fn a_199_alone_does_not_ring() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 199, "a", ""));
    assert!(bench.events.is_empty());
}

#[test]
fn responses_that_come_late_or_twice_or_for_nobody_do_nothing() {
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 200, "peer", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    bench.plans.clear();
    for (code, tag) in [(180, "peer"), (183, "other"), (486, "peer"), (100, ""), (487, "third")] {
        bench.reply(answer(&invite, code, tag, SDP));
    }
    let mut foreign = answer(&invite, 200, "peer", SDP);
    foreign.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK-not-ours");
    bench.reply(foreign);
    bench.silent();
    assert!(bench.events.is_empty() && bench.plans.is_empty());
}

#[test]
fn a_description_among_other_parts_is_found() {
    let many = |sdp: &str| {
        format!(
            "--x\r\nContent-Type: application/ISUP\r\n\r\n\u{1}\r\n--x\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--x--\r\n"
        )
    };
    let wrap = |headers: &mut crate::sip::msg::Headers, body: &mut Vec<u8>| {
        *body = many(&String::from_utf8_lossy(body)).into_bytes();
        headers.set("Content-Type", "multipart/mixed;boundary=x");
    };
    let mut bench = Bench::ready(settings());
    let mut invite = incoming(SDP);
    wrap(&mut invite.headers, &mut invite.body);
    bench.deliver(Message::Request(invite));
    bench.response(180);
    bench.command(Command::Answer { call: 1 });
    let ok = bench.response(200);
    assert_eq!(port(&mut bench), Some(5000));
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
    let mut reinvite = in_dialog(&ok, Method::INVITE, 2, &SDP.replace("5000", "5002"));
    wrap(&mut reinvite.headers, &mut reinvite.body);
    bench.deliver(Message::Request(reinvite));
    bench.response(200);
    assert_eq!(port(&mut bench), Some(5002));

    let (mut bench, invite) = dialled();
    let mut ok: Response = answer(&invite, 200, "peer", SDP);
    wrap(&mut ok.headers, &mut ok.body);
    bench.reply(ok);
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
}

/// What servers say of the way so far goes along to where they send us; what strangers say does not.
#[test]
fn a_redirection_takes_its_history_along() {
    let (mut bench, invite) = dialled();
    let redirect = |invite: &Request, to: &str, diversions: &[&str]| {
        let mut response = answer(invite, 302, "peer", "");
        response.headers.push("Contact", to);
        diversions.iter().for_each(|diversion| response.headers.push("Diversion", *diversion));
        response
    };
    let diversions = |invite: &Request| invite.headers.get_all("Diversion").map(str::to_owned).collect::<Vec<_>>();
    assert!(diversions(&invite).is_empty());
    let anna = "<sip:101@acme>;reason=user-busy;counter=1";
    bench.reply(redirect(&invite, "<sip:102@192.0.2.9>", &[anna]));
    bench.request(Method::ACK);
    let second = bench.request(Method::INVITE);
    assert_eq!(diversions(&second), [anna]);
    // One that repeats what it was told, and one that says its own only.
    let berta = "<sip:102@acme>;reason=no-answer";
    bench.reply(redirect(&second, "<sip:103@192.0.2.9>", &[berta, anna]));
    bench.request(Method::ACK);
    let third = bench.request(Method::INVITE);
    assert_eq!(diversions(&third), [berta, anna]);
    let carla = "<sip:103@acme>;reason=unconditional";
    bench.reply(redirect(&third, "<sip:104@192.0.2.9>", &[carla]));
    bench.request(Method::ACK);
    assert_eq!(diversions(&bench.request(Method::INVITE)), [carla, berta, anna]);
}
