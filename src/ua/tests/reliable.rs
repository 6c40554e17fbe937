//! Provisional responses that arrive (RFC 3262), both roles, with offers and answers in them.

use super::{bench::*, ended};
use crate::{
    sip::msg::{Message, Method, Request, Response},
    ua::api::{CallState, Command, EndedBy},
};
use std::time::Duration;

fn dialled() -> (Bench, Request) {
    let mut bench = Bench::ready(settings());
    bench.dial("101");
    bench.state(&CallState::Dialing);
    let invite = bench.request(Method::INVITE);
    (bench, invite)
}

fn reliable(invite: &Request, code: u16, tag: &str, rseq: u32, sdp: &str) -> Response {
    let mut response = answer(invite, code, tag, sdp);
    response.headers.push("Require", "100rel");
    response.headers.push("RSeq", rseq.to_string());
    response
}

/// An INVITE that insists on PRACK.
fn insistent(sdp: &str) -> Request {
    let mut invite = incoming(sdp);
    invite.headers.push("Require", "100rel");
    invite
}

fn prack(ringing: &Response, cseq: u32, sdp: &str) -> Request {
    let mut prack = in_dialog(ringing, Method::PRACK, cseq, sdp);
    prack.headers.push("RAck", format!("{} 1 INVITE", ringing.headers.get("RSeq").unwrap()));
    prack
}

#[test]
fn each_reliable_response_is_confirmed_once_and_in_order() {
    let (mut bench, invite) = dialled();
    assert!(invite.headers.tokens("Supported").contains(&"100rel".to_owned()));
    bench.reply(reliable(&invite, 180, "a", 100, ""));
    bench.state(&CallState::Early { media: false });
    let prack = bench.request(Method::PRACK);
    assert_eq!((prack.headers.get("RAck"), prack.headers.get("CSeq")), (Some("100 1 INVITE"), Some("2 PRACK")));
    assert_eq!(prack.uri.to_string(), "sip:a@192.0.2.9:5060");
    assert!(prack.headers.get("To").unwrap().ends_with(";tag=a") && prack.body.is_empty());
    // A retransmission, and one after a gap, wait.
    bench.reply(reliable(&invite, 180, "a", 100, ""));
    bench.reply(reliable(&invite, 183, "a", 102, SDP));
    bench.silent();
    assert!(bench.events.is_empty());
    bench.reply(reliable(&invite, 183, "a", 101, SDP));
    assert_eq!(bench.request(Method::PRACK).headers.get("RAck"), Some("101 1 INVITE"));
    bench.state(&CallState::Early { media: true });
    // Another fork counts for itself.
    bench.reply(reliable(&invite, 180, "b", 7, ""));
    assert_eq!(bench.request(Method::PRACK).headers.get("CSeq"), Some("2 PRACK"));
    bench.reply(answer(&invite, 200, "a", ""));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    bench.command(Command::Hangup { call: 1 });
    assert_eq!(bench.request(Method::BYE).headers.get("CSeq"), Some("4 BYE"), "after two PRACKs");
}

#[test]
fn what_is_settled_by_prack_no_2xx_changes() {
    let (mut bench, invite) = dialled();
    bench.reply(reliable(&invite, 183, "a", 1, SDP));
    bench.request(Method::PRACK);
    bench.state(&CallState::Early { media: true });
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5000);
    bench.reply(answer(&invite, 200, "a", &SDP.replace("5000", "7000")));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    assert!(bench.plans.is_empty(), "RFC 3261 §13.2.1");
}

#[test]
fn a_challenged_prack_is_sent_with_credentials_and_any_other_failure_does_no_harm() {
    let (mut bench, invite) = dialled();
    bench.reply(reliable(&invite, 180, "a", 1, ""));
    bench.state(&CallState::Early { media: false });
    let prack = bench.request(Method::PRACK);
    let mut challenge = answer(&prack, 407, "a", "");
    challenge.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n1\"");
    bench.reply(challenge);
    let again = bench.request(Method::PRACK);
    assert_eq!((again.headers.get("CSeq"), again.headers.get("RAck")), (Some("3 PRACK"), Some("1 1 INVITE")));
    assert!(again.headers.contains("Proxy-Authorization"));
    bench.reply(answer(&invite, 200, "a", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
    bench.reply(answer(&again, 481, "a", ""));
    bench.silent();
    assert!(bench.events.is_empty(), "the call stands");
}

#[test]
fn ringing_is_repeated_until_its_prack() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(insistent(SDP)));
    let ringing = bench.response(180);
    assert_eq!(ringing.headers.get("Require"), Some("100rel"));
    assert!(ringing.body.is_empty());
    bench.state(&CallState::Ringing);
    for wait in [500, 1000, 2000] {
        bench.advance(Duration::from_millis(wait - 1));
        bench.silent();
        bench.advance(Duration::from_millis(1));
        assert_eq!(bench.response(180).headers.get("RSeq"), ringing.headers.get("RSeq"));
    }
    // Another's PRACK, then ours, then ours again.
    let mut wrong = prack(&ringing, 2, "");
    wrong.headers.set("RAck", "1 1 INVITE");
    bench.deliver(Message::Request(wrong));
    bench.response(481);
    bench.deliver(Message::Request(prack(&ringing, 3, "")));
    bench.response(200);
    bench.deliver(Message::Request(prack(&ringing, 4, "")));
    bench.response(481);
    bench.advance(Duration::from_secs(50));
    bench.silent();
    bench.command(Command::Answer { call: 1 });
    assert!(!bench.response(200).body.is_empty());
    bench.state(&CallState::Connected);
}

#[test]
fn ringing_that_is_never_confirmed_ends_the_call() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(insistent(SDP)));
    bench.state(&CallState::Ringing);
    bench.advance(Duration::from_secs(32));
    let Some((_, Message::Response(last))) = bench.sent.pop_back() else { panic!("a refusal was expected") };
    assert_eq!(last.code(), 504);
    let words = "The caller's side did not confirm that the call rings here.";
    bench.state(&ended(EndedBy::Network, Some(504), words));
    bench.settle();
}

#[test]
fn an_answer_may_be_faster_than_the_prack() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(insistent(SDP)));
    let ringing = bench.response(180);
    bench.state(&CallState::Ringing);
    bench.command(Command::Answer { call: 1 });
    let ok = bench.response(200);
    bench.state(&CallState::Connected);
    bench.deliver(Message::Request(prack(&ringing, 2, "")));
    bench.response(200);
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
    bench.advance(Duration::from_secs(40));
    bench.silent();
}

#[test]
fn without_an_offer_in_the_invite_the_180_holds_ours_and_the_prack_the_answer() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(insistent("")));
    let ringing = bench.response(180);
    assert!(String::from_utf8_lossy(&ringing.body).contains("m=audio 4000 RTP/AVP 96 0 8"));
    bench.state(&CallState::Ringing);
    // RFC 3262 §3: the 2xx waits for it.
    bench.command(Command::Answer { call: 1 });
    bench.silent();
    bench.deliver(Message::Request(prack(&ringing, 2, SDP)));
    bench.response(200);
    let ok = bench.response(200);
    assert!(ok.body.is_empty() && !ok.headers.contains("Content-Type"));
    bench.state(&CallState::Connected);
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5000);
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
    bench.command(Command::Hangup { call: 1 });
    bench.request(Method::BYE);
    bench.settle();
}

#[test]
fn nothing_is_heard_before_the_agent_answers() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(insistent("")));
    let ringing = bench.response(180);
    bench.state(&CallState::Ringing);
    bench.deliver(Message::Request(prack(&ringing, 2, SDP)));
    bench.response(200);
    assert!(bench.plans.is_empty());
    // An UPDATE may change it meanwhile.
    bench.deliver(Message::Request(in_dialog(&ringing, Method::UPDATE, 3, &SDP.replace("5000", "5002"))));
    assert!(!bench.response(200).body.is_empty());
    assert!(bench.plans.is_empty());
    bench.command(Command::Answer { call: 1 });
    bench.response(200);
    assert_eq!(bench.plans.pop_front().unwrap().remote_rtp.port(), 5002);
}

#[test]
fn a_prack_without_a_usable_answer_ends_the_call() {
    for sdp in ["", &SDP.replace("RTP/AVP 0", "RTP/AVP 9")] {
        let mut bench = Bench::ready(settings());
        bench.deliver(Message::Request(insistent("")));
        let ringing = bench.response(180);
        bench.state(&CallState::Ringing);
        bench.deliver(Message::Request(prack(&ringing, 2, sdp)));
        assert!(matches!(bench.sent.pop_front(), Some((_, Message::Response(r))) if r.code() >= 400));
        bench.response(488);
        assert!(matches!(bench.call().state, CallState::Ended { code: Some(488), .. }));
        bench.settle();
    }
}

#[test]
fn a_cancel_beats_the_prack() {
    let mut bench = Bench::ready(settings());
    let invite = insistent("");
    bench.deliver(Message::Request(invite.clone()));
    let ringing = bench.response(180);
    bench.state(&CallState::Ringing);
    bench.command(Command::Answer { call: 1 });
    let mut cancel = outside(Method::CANCEL, "sip:100-acme@192.0.2.1:5062");
    cancel.headers.set("Via", invite.headers.get("Via").unwrap());
    bench.deliver(Message::Request(cancel));
    bench.response(200);
    bench.response(487);
    bench.state(&ended(EndedBy::Remote, Some(487), "The caller hung up."));
    bench.deliver(Message::Request(prack(&ringing, 2, SDP)));
    bench.response(481);
    assert_eq!(bench.closed, [1], "its audio was open for the offer");
    bench.settle();
}

#[test]
fn pracks_for_nothing_are_481() {
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(incoming(SDP)));
    let ringing = bench.response(180);
    let mut prack = in_dialog(&ringing, Method::PRACK, 2, "");
    prack.headers.push("RAck", "1 1 INVITE");
    bench.deliver(Message::Request(prack));
    bench.response(481);
    bench.deliver(Message::Request(outside(Method::PRACK, "sip:100-acme@192.0.2.1:5062")));
    bench.response(481);
}

/// It is confirmed, or it would come again and again, and then there is nothing more to be said (RFC 3262 §5).
#[test]
fn a_reliable_description_that_cannot_be_used_ends_the_call_in_a_sentence() {
    let unusable = SDP.replace("RTP/AVP 0", "RTP/AVP 18");
    for late in [false, true] {
        let (mut bench, mut invite) = dialled();
        if late {
            // Everything that we offer is refused, so that the other side makes the offer.
            for _ in 0..2 {
                bench.reply(answer(&invite, 488, "x", ""));
                bench.request(Method::ACK);
                invite = bench.request(Method::INVITE);
            }
            assert!(invite.body.is_empty());
        }
        bench.reply(reliable(&invite, 183, "a", 1, &unusable));
        // Its way is looked up first.
        bench.request(Method::CANCEL);
        let prack = bench.request(Method::PRACK);
        assert!(prack.body.is_empty());
        let CallState::Ended { ended_by: EndedBy::Local, code: Some(488), reason } = bench.call().state else {
            panic!("it has ended")
        };
        assert!(reason.starts_with("The other side wants to talk in a way that is not understood here: "), "{reason}");
        bench.reply(answer(&prack, 200, "a", ""));
        bench.settle();
    }
    // Another fork may do better.
    let (mut bench, invite) = dialled();
    bench.reply(answer(&invite, 180, "b", ""));
    bench.state(&CallState::Early { media: false });
    bench.reply(reliable(&invite, 183, "a", 1, &unusable));
    bench.request(Method::PRACK);
    bench.silent();
    bench.reply(answer(&invite, 200, "b", SDP));
    bench.request(Method::ACK);
    bench.state(&CallState::Connected);
}
