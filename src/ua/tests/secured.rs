//! Keys by a handshake beside the audio: what calls show of it, and how they end where it fails.

use super::bench::*;
use crate::{
    media::plan::{DtlsPlan, Fingerprint, KeyExchange, Srtp, SrtpPolicy},
    sip::msg::{Message, Method},
    ua::api::{CallState, Command, EndedBy, Settings},
};

fn print(name: &str) -> Fingerprint {
    Fingerprint::of(name.as_bytes())
}

fn description(setup: &str, of: &str, more: &str) -> String {
    let sdp = SDP.replace("RTP/AVP", "UDP/TLS/RTP/SAVP");
    format!("{sdp}a=fingerprint:{}\r\na=setup:{setup}\r\na=rtcp-mux\r\n{more}", print(of))
}

fn bench() -> Bench {
    let mut bench = Bench::ready(Settings { srtp: SrtpPolicy::Dtls, ..settings() });
    bench.agent.set_certificate(print("ours"));
    bench
}

/// With a peer of this name, who begins.
fn agreed(bench: &mut Bench, peer: &str, result: Result<(), String>) {
    let plan = DtlsPlan { active: false, fingerprint: print(peer) };
    bench.agent.handle_keys_agreed(bench.now, 1, &plan, result);
    bench.drain();
}

fn calling() -> Bench {
    let mut bench = bench();
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    let offer = String::from_utf8_lossy(&invite.body).into_owned();
    assert!(offer.contains("UDP/TLS/RTP/SAVP") && offer.contains(&format!("a=fingerprint:{}\r\n", print("ours"))));
    bench.state(&CallState::Dialing);
    bench.reply(answer(&invite, 200, "peer", &description("active", "peer", "")));
    bench.request(Method::ACK);
    let expected = KeyExchange::Dtls(DtlsPlan { active: false, fingerprint: print("peer") });
    assert_eq!(bench.plans.pop_front().unwrap().srtp, Some(expected));
    let connected = bench.call();
    assert_eq!((connected.state, connected.srtp), (CallState::Connected, Srtp::Off), "no lock before the keys");
    bench
}

#[test]
fn the_lock_closes_with_the_handshake_and_stays_through_hold() {
    let mut bench = calling();
    agreed(&mut bench, "peer", Ok(()));
    assert_eq!(bench.call().srtp, Srtp::Dtls { in_the_open: true });
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    assert!(String::from_utf8_lossy(&hold.body).contains("a=setup:actpass\r\n"));
    bench.reply(answer(
        &hold,
        200,
        "peer",
        &description("active", "peer", "a=recvonly\r\n").replace("a=sendrecv\r\n", ""),
    ));
    bench.request(Method::ACK);
    let held = bench.call();
    assert_eq!((held.state, held.srtp), (CallState::Held, Srtp::Dtls { in_the_open: true }));
    // Somebody else takes the peer's place: open until their handshake is done.
    bench.command(Command::Resume { call: 1 });
    let resume = bench.request(Method::INVITE);
    bench.reply(answer(&resume, 200, "peer", &description("active", "another", "")));
    bench.request(Method::ACK);
    let resumed = bench.call();
    assert_eq!((resumed.state, resumed.srtp), (CallState::Connected, Srtp::Off));
    // What was under way before says nothing of it.
    agreed(&mut bench, "peer", Ok(()));
    agreed(&mut bench, "peer", Err("Nobody was there.".into()));
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    agreed(&mut bench, "another", Ok(()));
    assert_eq!(bench.call().srtp, Srtp::Dtls { in_the_open: true });
}

#[test]
fn a_failed_handshake_ends_the_call_in_a_sentence() {
    let mut bench = calling();
    agreed(&mut bench, "peer", Err("Nobody was there.".into()));
    let bye = bench.request(Method::BYE);
    bench.state(&super::ended(EndedBy::Network, None, "Nobody was there."));
    bench.reply(answer(&bye, 200, "peer", ""));
    // Told twice, or of a call that is gone: nothing.
    agreed(&mut bench, "peer", Err("Nobody was there.".into()));
    bench.silent();
    bench.settle();
}

#[test]
fn an_offered_handshake_is_begun_here() {
    let mut bench = bench();
    bench.deliver(Message::Request(incoming(&description("actpass", "caller", ""))));
    bench.response(180);
    bench.state(&CallState::Ringing);
    bench.command(Command::Answer { call: 1 });
    let ok = bench.response(200);
    let answer = String::from_utf8_lossy(&ok.body).into_owned();
    assert!(answer.contains("a=setup:active\r\n") && answer.contains("a=rtcp-mux\r\n"), "{answer}");
    let expected = KeyExchange::Dtls(DtlsPlan { active: true, fingerprint: print("caller") });
    assert_eq!(bench.plans.pop_front().unwrap().srtp, Some(expected));
    // Who is behind a NAT, to which nothing finds that it has not let out, begins itself.
    let mut hidden = incoming(&description("actpass", "hidden", "").replace("c=IN IP4 192.0.2.9", "c=IN IP4 10.0.0.9"));
    hidden.headers.set("Call-ID", "hidden");
    hidden.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-hidden"));
    bench.deliver(Message::Request(hidden));
    bench.response(180);
    bench.command(Command::Answer { call: 2 });
    assert!(String::from_utf8_lossy(&bench.response(200).body).contains("a=setup:passive\r\n"));
    // Who offers nothing of the kind is refused in words.
    let mut plain = incoming(SDP);
    plain.headers.set("Call-ID", "another");
    plain.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-plain"));
    bench.deliver(Message::Request(plain));
    let refused = bench.response(488);
    assert!(refused.headers.get("Warning").is_some_and(|warning| warning.contains("unencrypted")), "{refused:?}");
}

/// Whoever requires encryption does not give it up; whoever offers none is refused for something else, but rings at nobody who takes
/// nothing else.
#[test]
fn what_is_offered_says_what_a_refused_transport_means() {
    for (srtp, offers) in [(SrtpPolicy::Off, 2), (SrtpPolicy::Sdes, 1), (SrtpPolicy::Optional, 3)] {
        let mut bench = Bench::ready(Settings { srtp, ..settings() });
        bench.dial("101");
        for n in 1..=offers {
            let invite = bench.request(Method::INVITE);
            let is_encrypted = String::from_utf8_lossy(&invite.body).contains("a=crypto:");
            assert_eq!(is_encrypted, srtp != SrtpPolicy::Off && n == 1, "{srtp:?}, {n}");
            let mut refusal = answer(&invite, 488, "peer", "");
            refusal.headers.push("Warning", "302 agent-manager \"the peer takes unencrypted audio only\"");
            bench.reply(refusal);
            bench.request(Method::ACK);
        }
        bench.state(&CallState::Dialing);
        let CallState::Ended { code, reason, .. } = bench.call().state else { panic!("{srtp:?}") };
        assert_eq!(code, Some(488), "{srtp:?}");
        assert!(reason.contains("unencrypted audio only"), "{reason}");
    }
}
