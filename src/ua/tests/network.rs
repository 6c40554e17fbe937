//! A network that changes under a registration and its calls, and what shows that calls can arrive.

use super::bench::{Bench, SDP, account, answer, flow, in_dialog, incoming, settings};
use crate::{
    sip::{
        flow::{Flow, Transport},
        msg::{Message, Method, Request, Response},
        sdp::Outside,
    },
    ua::api::{CallState, Command, NetworkChange, ProvedBy, RegistrationState},
};
use std::{net::SocketAddr, time::Duration};

/// The registrar's 200 to `register`, listing its contact and `more`.
fn granted(register: &Request, more: &[(&str, &str)]) -> Response {
    let mut response = Response::to(register, 200, Some("registrar"));
    response.headers.push("Contact", register.headers.get("Contact").unwrap());
    for (name, value) in more {
        response.headers.push(name, *value);
    }
    response
}

/// Online by a registrar whose grant says `more`.
fn online(more: &[(&str, &str)]) -> Bench {
    let mut bench = Bench::offline(settings());
    bench.command(Command::SetAccount(Box::new(account(true))));
    assert_eq!(bench.registration(), RegistrationState::Registering);
    let register = bench.request(Method::REGISTER);
    bench.reply(granted(&register, more));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    bench
}

fn move_to(bench: &mut Bench, address: &str) {
    bench.agent.set_local(Transport::Udp, address.parse().unwrap());
    bench.media = Ok("192.0.2.7:4002".parse().unwrap());
    bench.command(Command::Network(NetworkChange::Moved));
}

#[test]
fn e3_a_change_of_address_is_told_to_the_registrar_and_to_the_peer() {
    let mut bench = online(&[]);
    bench.connected_out();
    move_to(&mut bench, "192.0.2.7:5062");
    let register = bench.request(Method::REGISTER);
    assert!(register.headers.get("Contact").unwrap().contains("192.0.2.7:5062"));
    let invite = bench.request(Method::INVITE);
    assert!(
        invite.headers.to().unwrap().tag().is_some() && invite.headers.get("Contact").unwrap().contains("192.0.2.7")
    );
    assert!(String::from_utf8_lossy(&invite.body).contains("192.0.2.7"), "audio comes to the new address");
    assert!(invite.headers.get("Via").unwrap().contains("192.0.2.7"));
    bench.reply(answer(&invite, 200, "peer", SDP));
    bench.request(Method::ACK);
    // The old contact would ring nowhere: it is taken back.
    let old =
        format!("<sip:100-acme@192.0.2.1:5062>;+sip.instance=\"<{}>\";reg-id=1;expires=500", settings().instance_id);
    bench.reply(granted(&register, &[("Contact", &old)]));
    let away = bench.request(Method::REGISTER);
    assert_eq!(away.headers.get("Contact"), Some("<sip:100-acme@192.0.2.1:5062>;expires=0"));
    assert_eq!(away.headers.get("Expires"), Some("0"));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    assert!(bench.events.is_empty(), "the call goes on: {:?}", bench.events);
}

/// RFC 8445 §9: the relay that carried the audio is lost, and another address is there in its place. The call goes on at the same
/// port, with new passwords, once what is under way is settled.
#[test]
fn another_relay_s_address_begins_the_checks_anew() {
    let ice = "a=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n\
        a=candidate:1 1 UDP 2130706431 192.0.2.9 5000 typ host\r\n";
    let sdp = SDP.to_owned() + ice;
    let mut bench = Bench::ready(settings());
    bench.deliver(Message::Request(incoming(&sdp)));
    bench.response(180);
    bench.command(Command::Answer { call: 1 });
    let ok = bench.response(200);
    let relayed = |bench: &mut Bench, port: u16| {
        let outside = Outside { reflexive: None, relayed: Some(SocketAddr::from(([198, 51, 100, 2], port))) };
        bench.agent.handle_media_seen_anew(bench.now, 1, outside);
        bench.drain();
    };
    let password = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        text.lines().find_map(|line| line.strip_prefix("a=ice-pwd:").map(str::to_owned)).expect("ICE")
    };
    relayed(&mut bench, 49_160);
    bench.silent();
    bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
    let first = bench.request(Method::INVITE);
    let text = String::from_utf8_lossy(&first.body).into_owned();
    assert!(text.contains("198.51.100.2 49160 typ relay") && text.contains("192.0.2.1 4000 typ host"), "{text}");
    assert_ne!(password(&first.body), password(&ok.body));
    // Lost again at once: told once this is answered.
    relayed(&mut bench, 49_161);
    bench.silent();
    bench.plans.clear();
    bench.reply(answer(&first, 200, "peer", &sdp));
    bench.request(Method::ACK);
    let plan = bench.plans.pop_front().and_then(|plan| plan.ice).expect("checks");
    assert_eq!(plan.local.password, password(&first.body), "as it was offered");
    let second = bench.request(Method::INVITE);
    assert!(String::from_utf8_lossy(&second.body).contains("49161 typ relay"));
    assert_ne!(password(&second.body), password(&first.body));
    bench.reply(answer(&second, 200, "peer", &sdp));
    bench.request(Method::ACK);
    bench.silent();
    // A refresh later on begins nothing anew.
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    assert_eq!(password(&hold.body), password(&second.body));
    bench.reply(answer(&hold, 200, "peer", &sdp.replace("sendrecv", "recvonly")));
    bench.request(Method::ACK);
    // The peer answers no checks any more, on hold or not.
    bench.agent.handle_consent_lost(bench.now, 1);
    bench.drain();
    let third = bench.request(Method::INVITE);
    assert_ne!(password(&third.body), password(&second.body));
    assert!(String::from_utf8_lossy(&third.body).contains("49161 typ relay"));
}

#[test]
fn e3_without_a_network_there_is_a_countdown_and_then_life_again() {
    let mut bench = online(&[]);
    let patience = Duration::from_secs(60);
    bench.command(Command::Network(NetworkChange::Lost { patience }));
    let RegistrationState::Failed { reason, retry_in, .. } = bench.registration() else {
        panic!("nobody can reach us")
    };
    assert!(reason.contains("no network") && retry_in == Some(patience), "{reason}");
    bench.advance(Duration::from_secs(20));
    bench.silent();
    bench.command(Command::Network(NetworkChange::Back));
    let register = bench.request(Method::REGISTER);
    bench.reply(granted(&register, &[]));
    assert_eq!(bench.registration(), RegistrationState::Registering);
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    // After sleep: at once, and nothing is shown of it.
    bench.command(Command::Network(NetworkChange::Back));
    bench.request(Method::REGISTER);
    bench.silent();
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn a_failure_waits_no_longer_once_the_network_is_back() {
    let mut bench = online(&[]);
    bench.advance(Duration::from_secs(1));
    bench.lose_registrar();
    assert!(matches!(bench.registration(), RegistrationState::Failed { .. }));
    bench.command(Command::Network(NetworkChange::Back));
    bench.request(Method::REGISTER);
}

#[test]
fn e2_online_is_proved_by_what_the_server_gives() {
    let mut bench = online(&[]);
    assert_eq!(bench.proofs.pop().map(|proof| (proof.by, proof.is_listed)), Some((ProvedBy::Register, true)));
    bench.advance(Duration::from_secs(111));
    let options = bench.request(Method::OPTIONS);
    assert_eq!(options.uri.to_string(), "sip:acme");
    bench.reply(Response::to(&options, 404, Some("x")));
    assert_eq!(bench.proofs.pop().map(|proof| proof.by), Some(ProvedBy::Options), "whatever it says, it lives");
    // It falls silent: noticed, and registered anew.
    bench.advance(Duration::from_secs(111));
    bench.request(Method::OPTIONS);
    bench.advance(Duration::from_secs(33));
    let RegistrationState::Failed { reason, .. } = bench.registration() else { panic!("nobody answers") };
    assert!(reason.contains("no longer answers"), "{reason}");
    assert_eq!(bench.registration(), RegistrationState::Registering);
    assert!(bench.sent.iter().any(|(_, message)| format!("{message:?}").contains("REGISTER")));
    assert!(bench.proofs.is_empty());
}

#[test]
fn a_server_that_answers_no_options_is_not_missed_and_one_that_pongs_is_not_asked() {
    let mut bench = online(&[]);
    bench.advance(Duration::from_secs(400));
    bench.sent.clear();
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    let mut bench = online(&[("Require", "outbound"), ("Flow-Timer", "25")]);
    assert_eq!(bench.agent.keeps_flow(), Some(Some(Duration::from_secs(25))));
    bench.agent.handle_pong(bench.now, flow());
    bench.drain();
    assert_eq!(bench.proofs.last().map(|proof| proof.by), Some(ProvedBy::Pong));
    bench.agent.handle_pong(bench.now, Flow { transport: Transport::Tcp, ..flow() });
    bench.drain();
    assert_eq!(bench.proofs.len(), 2, "another flow's proves nothing");
    bench.advance(Duration::from_secs(400));
    bench.silent();
}

#[test]
fn a_first_hop_that_takes_no_part_in_outbound_is_not_asked_again() {
    let mut bench = Bench::offline(settings());
    bench.command(Command::SetAccount(Box::new(account(true))));
    bench.registration();
    let register = bench.request(Method::REGISTER);
    assert_eq!(register.headers.get("Supported"), Some("path, outbound, gruu"));
    bench.reply(Response::to(&register, 439, Some("x")));
    let register = bench.request(Method::REGISTER);
    assert_eq!(register.headers.get("Supported"), Some("path, gruu"));
    assert!(!register.headers.get("Contact").unwrap().contains("reg-id"));
    bench.reply(granted(&register, &[]));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
}

#[test]
fn behind_a_translator_the_contact_is_what_the_registrar_sees() {
    for (require, learned) in [(None, true), (Some("outbound"), false)] {
        let mut bench = Bench::offline(settings());
        bench.command(Command::SetAccount(Box::new(account(true))));
        bench.registration();
        let register = bench.request(Method::REGISTER);
        let seen = |request: &Request| {
            let mut response = granted(request, &[]);
            let via = response.headers.get("Via").unwrap().replace(";rport", ";received=198.51.100.7;rport=40000");
            response.headers.set("Via", via);
            if let Some(tag) = require {
                response.headers.push("Require", tag);
            }
            response
        };
        bench.reply(seen(&register));
        assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
        if !learned {
            bench.silent();
            continue;
        }
        let again = bench.request(Method::REGISTER);
        assert!(again.headers.get("Contact").unwrap().starts_with("<sip:100-acme@198.51.100.7:40000>"));
        bench.reply(seen(&again));
        assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
        bench.silent();
        // Calls name it too; another network makes it void.
        bench.dial("101");
        bench.state(&CallState::Dialing);
        let invite = bench.request(Method::INVITE);
        assert!(invite.headers.get("Contact").unwrap().contains("198.51.100.7:40000"));
        move_to(&mut bench, "192.0.2.7:5062");
        let register = bench.request(Method::REGISTER);
        assert!(register.headers.get("Contact").unwrap().contains("192.0.2.7:5062"));
    }
}

/// The agent has put the peer on hold: from the new address it is on hold still, however often that has to be said.
#[test]
fn a_move_keeps_the_hold_and_is_told_again_until_it_is_heard() {
    let mut bench = online(&[]);
    bench.connected_out();
    bench.command(Command::Hold { call: 1 });
    let hold = bench.request(Method::INVITE);
    let held = SDP.replace("sendrecv", "recvonly");
    bench.reply(answer(&hold, 200, "peer", &held));
    bench.request(Method::ACK);
    bench.state(&CallState::Held);
    move_to(&mut bench, "192.0.2.7:5062");
    let register = bench.request(Method::REGISTER);
    bench.reply(granted(&register, &[]));
    bench.events.clear();
    // Without its retransmissions.
    let next = |bench: &mut Bench| {
        let invite = bench.request(Method::INVITE);
        bench.sent.clear();
        let body = String::from_utf8_lossy(&invite.body).into_owned();
        assert!(body.contains("a=sendonly") && body.contains("192.0.2.7"), "{body}");
        invite
    };
    let first = next(&mut bench);
    bench.reply(answer(&first, 491, "peer", ""));
    bench.request(Method::ACK);
    bench.advance(Duration::from_secs(4));
    let second = next(&mut bench);
    // The way there is not open yet.
    bench.reply(answer(&second, 408, "proxy", ""));
    bench.request(Method::ACK);
    bench.advance(Duration::from_secs(4));
    next(&mut bench);
    bench.advance(Duration::from_secs(32));
    bench.sent.clear();
    bench.advance(Duration::from_secs(4));
    let fourth = next(&mut bench);
    bench.reply(answer(&fourth, 200, "peer", &held));
    bench.request(Method::ACK);
    assert!(bench.events.is_empty(), "it was on hold all the time: {:?}", bench.events);
    // Once it has been heard, silence is the end again.
    bench.command(Command::Resume { call: 1 });
    let resume = bench.request(Method::INVITE);
    bench.reply(answer(&resume, 408, "proxy", ""));
    assert!(matches!(bench.call().state, CallState::Ended { code: Some(408), .. }));
}

#[test]
fn a_peer_that_stays_silent_after_a_move_is_gone_in_the_end() {
    let mut bench = online(&[]);
    bench.connected_out();
    move_to(&mut bench, "192.0.2.7:5062");
    let register = bench.request(Method::REGISTER);
    bench.reply(granted(&register, &[]));
    bench.events.clear();
    bench.advance(Duration::from_secs(4 * 32 + 3 * 4 - 1));
    assert!(!bench.events.iter().any(|event| matches!(event, crate::ua::api::Event::Call(_))), "{:?}", bench.events);
    bench.advance(Duration::from_secs(2));
    assert!(bench.events.iter().any(|event| matches!(event, crate::ua::api::Event::Call(_))), "{:?}", bench.events);
}

/// RFC 3311 §5.1: an early dialog whose first offer is settled may move by UPDATE; another once it is answered.
#[test]
fn a_call_that_rings_moves_as_soon_as_it_may() {
    for settled in [true, false] {
        let mut bench = online(&[]);
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        let mut progress = answer(&invite, 183, "peer", SDP);
        progress.headers.push("Allow", "INVITE, UPDATE, PRACK");
        if settled {
            progress.headers.push("Require", "100rel");
            progress.headers.push("RSeq", "1");
        }
        bench.reply(progress);
        if settled {
            let prack = bench.request(Method::PRACK);
            bench.reply(answer(&prack, 200, "peer", ""));
        }
        bench.events.clear();
        bench.plans.clear();
        move_to(&mut bench, "192.0.2.7:5062");
        let register = bench.request(Method::REGISTER);
        bench.reply(granted(&register, &[]));
        if settled {
            let update = bench.request(Method::UPDATE);
            assert!(update.headers.get("Contact").unwrap().contains("192.0.2.7"));
            assert!(String::from_utf8_lossy(&update.body).contains("192.0.2.7"));
            bench.reply(answer(&update, 200, "peer", &SDP.replace("5000", "5004")));
            assert_eq!(bench.plans.pop_front().map(|plan| plan.remote_rtp.port()), Some(5004));
        }
        bench.silent();
        bench.reply(answer(&invite, 200, "peer", if settled { "" } else { SDP }));
        bench.request(Method::ACK);
        let reinvite = bench.request(Method::INVITE);
        assert!(String::from_utf8_lossy(&reinvite.body).contains("192.0.2.7"));
        bench.reply(answer(&reinvite, 200, "peer", SDP));
        bench.request(Method::ACK);
        bench.silent();
    }
}

/// RFC 5626 §4.3: who is reached over a flow that the registrar keeps asks for it in its calls too, and not when it registers.
#[test]
fn calls_ask_for_the_flow_that_the_registrar_keeps() {
    for (more, kept) in [(&[("Require", "outbound")][..], true), (&[], false)] {
        let mut bench = online(more);
        let has_ob = |request: &Request| request.headers.get("Contact").unwrap().contains(";ob>");
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        assert_eq!(has_ob(&invite), kept, "{more:?}");
        bench.command(Command::Network(NetworkChange::Back));
        assert!(!has_ob(&bench.request(Method::REGISTER)));
    }
}
