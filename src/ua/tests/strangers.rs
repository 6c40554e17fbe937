//! What comes from another place than our own server, and what goes to one.

use super::bench::*;
use crate::{
    media::plan::{Srtp, SrtpPolicy},
    sip::{
        flow::{Flow, Transport},
        msg::{Message, Method, Request, Response},
    },
    ua::api::{Account, CallState, Command, Event, RegistrationState, Settings},
};
use std::time::Duration;

/// Registered over [`flow`], by `account` after a challenge.
fn registered(account: Account) -> Bench {
    let mut bench = Bench::offline(settings());
    bench.dns = vec![("acme", vec![PEER]), ("elsewhere.example", vec!["198.51.100.7:5060"])];
    bench.command(Command::SetAccount(Box::new(account)));
    bench.registration();
    let first = bench.request(Method::REGISTER);
    let mut challenge = Response::to(&first, 401, Some("registrar"));
    challenge.headers.push("WWW-Authenticate", "Digest realm=\"acme\", nonce=\"n1\", qop=\"auth\"");
    bench.reply(challenge);
    let register = bench.request(Method::REGISTER);
    let mut granted = Response::to(&register, 200, Some("registrar"));
    granted.headers.push("Contact", register.headers.get("Contact").expect("ours"));
    bench.reply(granted);
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    bench
}

/// Neither the registrar's port on its machine nor another machine is the registrar.
#[test]
fn a_stranger_takes_no_call_over_and_asks_for_none() {
    for (source, is_home) in [(PEER, true), ("192.0.2.9:5999", false), ("198.51.100.7:5060", false)] {
        let mut bench = registered(account(true));
        let ok = bench.connected_in();
        let from = |bench: &mut Bench, request: Request| {
            let flow = Flow { remote: source.parse().expect("an address"), ..flow() };
            bench.agent.handle_message(bench.now, flow, Message::Request(request));
            bench.drain();
        };
        let mut invite = incoming(SDP);
        invite.headers.set("Via", format!("SIP/2.0/UDP {source};branch=z9hG4bK-replaces"));
        invite.headers.set("Call-ID", "another");
        let ours = ok.headers.to().expect("To").tag().expect("a tag").to_owned();
        invite.headers.push("Replaces", format!("from-outside;to-tag={ours};from-tag=alice"));
        from(&mut bench, invite);
        bench.response(if is_home { 200 } else { 403 });
        let mut refer = outside(Method::REFER, "sip:100-acme@192.0.2.1:5062");
        refer.headers.set("Via", format!("SIP/2.0/UDP {source};branch=z9hG4bK-refer"));
        refer.headers.set("Call-ID", "click");
        refer.headers.push("Contact", format!("<sip:crm@{source}>"));
        refer.headers.push("Refer-To", "<sip:102@acme>");
        bench.sent.clear();
        from(&mut bench, refer);
        bench.response(if is_home { 202 } else { 403 });
    }
}

#[test]
fn nobody_but_the_agent_calls_for_help() {
    let mut bench = Bench::ready(settings());
    let ok = bench.connected_in();
    let mut refer = in_dialog(&ok, Method::REFER, 10, "");
    refer.headers.push("Refer-To", "<sip:112@acme>");
    bench.deliver(Message::Request(refer));
    bench.response(202);
    let refused = bench.request(Method::NOTIFY);
    bench.reply(answer(&refused, 200, "alice", ""));
    let last = if refused.body.starts_with(b"SIP/2.0 100") { bench.request(Method::NOTIFY) } else { refused };
    assert!(last.body.starts_with(b"SIP/2.0 603"), "{}", String::from_utf8_lossy(&last.body));
    assert!(!bench.events.iter().any(|event| matches!(event, Event::Referred { .. })), "{:?}", bench.events);
    assert!(!bench.events.iter().any(|event| matches!(event, Event::Call(call) if call.state == CallState::Dialing)));
}

/// Credentials go along unasked to whom they were made for alone.
#[test]
fn another_server_is_not_given_what_it_has_not_asked_for() {
    let mut bench = registered(Account { outbound_proxy: None, ..account(true) });
    for (to, ours) in [("sip:101@acme", true), ("sip:101@elsewhere.example", false)] {
        bench.command(Command::Message { to: to.into(), text: "hello".into() });
        let message = bench.request(Method::MESSAGE);
        assert_eq!(message.headers.contains("Authorization"), ours, "{to}");
        bench.dial(to);
        let invite = bench.request(Method::INVITE);
        assert_eq!(invite.headers.contains("Authorization"), ours, "{to}");
    }
}

/// Whoever has a name in common with our server, or takes ours, could try passwords against the answer or hand it on.
#[test]
fn a_realm_is_one_server_s() {
    let here = || Some("acme".to_owned());
    for (told, to, realm, is_answered) in [
        (None, "sip:101@acme", "acme", true),
        (None, "sip:101@acme", "proxy", true),
        (None, "sip:101@elsewhere.example", "acme", false),
        (None, "sip:101@elsewhere.example", "elsewhere", true),
        (here(), "sip:101@acme", "acme", true),
        (here(), "sip:101@acme", "proxy", false),
        (here(), "sip:101@elsewhere.example", "acme", false),
        (here(), "sip:101@elsewhere.example", "elsewhere", false),
    ] {
        let mut bench = registered(Account { outbound_proxy: None, realm: told.clone(), ..account(true) });
        bench.dial(to);
        bench.call();
        let (from, invite) = bench.sent.pop_front().expect("the INVITE");
        let Message::Request(invite) = invite else { panic!("{invite:?}") };
        let mut challenge = Response::to(&invite, 407, Some("proxy"));
        challenge.headers.push("Proxy-Authenticate", format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\""));
        bench.agent.handle_message(bench.now, from, Message::Response(challenge));
        bench.drain();
        bench.request(Method::ACK);
        if is_answered {
            assert!(bench.request(Method::INVITE).headers.contains("Proxy-Authorization"), "{told:?} {to} {realm}");
        } else {
            bench.silent();
            let CallState::Ended { reason, .. } = bench.call().state else { panic!("{told:?} {to} {realm}") };
            assert!(reason.contains(&format!("“{realm}”")) && reason.contains("IT staff"), "{reason}");
        }
    }
}

/// What has let us in for one realm does not ask for another all at once: somebody else answers in its place.
#[test]
fn a_registrar_keeps_its_realm() {
    for (realm, is_answered) in [("acme", true), ("evil", false)] {
        let mut bench = registered(account(true));
        let refresh = loop {
            bench.advance(Duration::from_secs(1));
            bench.pass_over_questions();
            if let Some((_, Message::Request(request))) = bench.sent.pop_front() {
                break request;
            }
        };
        assert_eq!(refresh.method, Method::REGISTER);
        let mut challenge = Response::to(&refresh, 401, Some("registrar"));
        let digest = format!("Digest realm=\"{realm}\", nonce=\"n2\", stale=true, qop=\"auth\"");
        challenge.headers.push("WWW-Authenticate", digest);
        bench.events.clear();
        bench.sent.clear();
        bench.reply(challenge);
        if is_answered {
            assert!(bench.request(Method::REGISTER).headers.contains("Authorization"));
        } else {
            bench.silent();
            let RegistrationState::Failed { reason, retry_in, .. } = bench.registration() else { panic!("{realm}") };
            assert!(reason.contains("“evil”") && retry_in.is_some(), "{reason}");
        }
    }
}

/// Where a transfer leads away from our servers, or has not come through them, the agent is asked, as outside of a call.
#[test]
fn a_transfer_that_our_server_has_not_seen_is_a_question_to_the_agent() {
    for (n, (source, to, asks)) in [
        (PEER, "sip:102@acme", false),
        (PEER, "sip:102@192.0.2.9", false),
        (PEER, "sip:0900123@elsewhere.example", true),
        ("198.51.100.7:5060", "sip:102@acme", true),
        ("192.0.2.9:5999", "sip:102@acme", true),
    ]
    .into_iter()
    .enumerate()
    {
        for accept in [true, false] {
            let mut bench = registered(account(true));
            let ok = bench.connected_in();
            let mut refer = in_dialog(&ok, Method::REFER, 10, "");
            refer.headers.set("Via", format!("SIP/2.0/UDP {source};branch=z9hG4bK-{n}"));
            refer.headers.push("Refer-To", format!("<{to}>"));
            let flow = Flow { remote: source.parse().expect("an address"), ..flow() };
            bench.agent.handle_message(bench.now, flow, Message::Request(refer));
            bench.drain();
            bench.response(202);
            let told = bench.request(Method::NOTIFY);
            let state = told.headers.get("Subscription-State").expect("a state");
            assert_eq!(state, if asks { "pending;expires=600" } else { "active;expires=600" }, "{source} {to}");
            if asks {
                let (from, to) = ("sip:alice@acme".to_owned(), to.to_owned());
                assert_eq!(bench.events.pop_front(), Some(Event::DialAsked { request: 1, from, to }));
                bench.silent();
                bench.reply(answer(&told, 200, "alice", ""));
                bench.command(Command::AnswerDialAsked { request: 1, accept });
                assert_eq!(bench.events.pop_front(), Some(Event::DialAskedOver { request: 1 }));
            }
            if asks && !accept {
                assert!(bench.request(Method::NOTIFY).body.starts_with(b"SIP/2.0 603"));
                bench.silent();
            } else {
                assert_eq!(bench.events.pop_front(), Some(Event::Referred { call: 2, by: 1 }));
                bench.state(&CallState::Dialing);
                assert_eq!(bench.request(Method::INVITE).uri.to_string(), to);
            }
        }
    }
}

/// A question that nobody answers, and the call it came in ends meanwhile.
#[test]
fn a_question_outlives_the_call_that_asked_it() {
    let mut bench = registered(account(true));
    let ok = bench.connected_in();
    let mut refer = in_dialog(&ok, Method::REFER, 10, "");
    refer.headers.push("Refer-To", "<sip:102@elsewhere.example>");
    bench.deliver(Message::Request(refer));
    bench.response(202);
    let pending = bench.request(Method::NOTIFY);
    bench.reply(answer(&pending, 200, "alice", ""));
    bench.deliver(Message::Request(in_dialog(&ok, Method::BYE, 11, "")));
    bench.response(200);
    bench.events.clear();
    bench.command(Command::AnswerDialAsked { request: 1, accept: true });
    assert_eq!(bench.events.pop_front(), Some(Event::DialAskedOver { request: 1 }));
    assert_eq!(bench.request(Method::INVITE).uri.to_string(), "sip:102@elsewhere.example");
}

/// An account over TLS takes nothing from the listeners that are open for others, and a call's keys count as read by others
/// where they went that way.
#[test]
fn over_tls_nothing_is_taken_that_came_in_the_open() {
    let settings = Settings { srtp: SrtpPolicy::Optional, ..settings() };
    let tls = Account { transport: Transport::Tls, ..account(false) };
    for (transport, code) in [(Transport::Udp, 403), (Transport::Tcp, 403), (Transport::Tls, 180)] {
        let mut bench = Bench::offline(settings.clone());
        bench.command(Command::SetAccount(Box::new(tls.clone())));
        bench.registration();
        let from = |bench: &mut Bench, request: Request| {
            let flow = Flow { transport, ..flow() };
            bench.agent.handle_message(bench.now, flow, Message::Request(request));
            bench.drain();
        };
        from(&mut bench, incoming(SDP));
        let response = bench.response(code);
        assert_eq!(bench.events.is_empty(), code == 403, "{transport:?}");
        let mut message = outside(Method::MESSAGE, "sip:100-acme@192.0.2.1:5062");
        message.headers.push("Content-Type", "text/plain");
        message.body = b"hello".to_vec();
        from(&mut bench, message);
        bench.response(if code == 403 { 403 } else { 200 });
        if code == 180 {
            bench.command(Command::Answer { call: 1 });
            let ok = bench.response(200);
            // Within the call neither.
            bench.deliver(Message::Request(in_dialog(&ok, Method::BYE, 2, "")));
            bench.response(403);
            drop(response);
        }
    }
}

#[test]
fn keys_are_in_the_open_where_their_description_went_there() {
    const CRYPTO: &str = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
    let settings = Settings { srtp: SrtpPolicy::Optional, ..settings() };
    for (transport, in_the_open) in [(Transport::Tls, false), (Transport::Tcp, true), (Transport::Udp, true)] {
        let mut bench = Bench::ready(settings.clone());
        let flow = Flow { transport, ..flow() };
        let invite = incoming(&format!("{SDP}{CRYPTO}"));
        bench.agent.handle_message(bench.now, flow, Message::Request(invite));
        bench.drain();
        bench.response(180);
        bench.command(Command::Answer { call: 1 });
        let Some(Event::Call(info)) = bench.events.pop_back() else { panic!("a call") };
        assert_eq!((info.state, info.srtp), (CallState::Connected, Srtp::Sdes { in_the_open }), "{transport:?}");
    }
}

/// Whoever knows a call's tags can send a re-INVITE; who is shown is our servers' word, and only once it was taken.
#[test]
fn nobody_else_renames_the_peer_and_not_by_what_is_refused() {
    let asserted = ("P-Asserted-Identity", "\"Boss\" <sip:boss@acme>");
    let carol = ("From", "\"Carol\" <sip:103@acme>;tag=alice");
    for (source, field, sdp, code, shown) in [
        (PEER, asserted, SDP, 200, Some(("sip:boss@acme", "Boss"))),
        (PEER, carol, SDP, 200, Some(("sip:103@acme", "Carol"))),
        (PEER, asserted, "v=nonsense", 400, None),
        (PEER, carol, "v=nonsense", 400, None),
        ("198.51.100.7:5060", asserted, SDP, 200, None),
        ("198.51.100.7:5060", carol, SDP, 200, None),
    ] {
        let mut bench = registered(account(true));
        let ok = bench.connected_in();
        let mut reinvite = in_dialog(&ok, Method::INVITE, 2, sdp);
        reinvite.headers.set("Via", format!("SIP/2.0/UDP {source};branch=z9hG4bK-again"));
        reinvite.headers.set(field.0, field.1);
        let flow = Flow { remote: source.parse().expect("an address"), ..flow() };
        bench.agent.handle_message(bench.now, flow, Message::Request(reinvite));
        bench.drain();
        bench.response(code);
        let told = bench.events.pop_front().map(|event| match event {
            Event::Call(info) => (info.peer, info.peer_name.unwrap_or_default()),
            other => panic!("{other:?}"),
        });
        let expected = shown.map(|(peer, name)| (peer.to_owned(), name.to_owned()));
        assert_eq!(told, expected, "{source} {field:?} {sdp}");
        // Nor is whoever is spoken to called otherwise on the wire.
        bench.deliver(Message::Request(in_dialog(&ok, Method::ACK, 2, "")));
        bench.command(Command::Hangup { call: 1 });
        let to = bench.request(Method::BYE).headers.to().expect("readable");
        let is_carol = shown.is_some() && field == carol;
        assert_eq!(to.uri.to_string() == "sip:103@acme", is_carol, "{source} {field:?} {sdp}: {to}");
    }
}

/// The servers of somebody else learn nothing of a caller who does not want to be known.
#[test]
fn only_our_own_servers_are_told_who_calls_anonymously() {
    let mut bench = registered(Account { outbound_proxy: None, ..account(true) });
    for (to, ours) in [("sip:101@acme", true), ("sip:101@elsewhere.example", false)] {
        bench.command(Command::Dial { to: to.into(), anonymous: true });
        let invite = bench.request(Method::INVITE);
        assert_eq!(invite.headers.contains("P-Preferred-Identity"), ours, "{to}");
        assert_eq!(invite.headers.get("Privacy"), Some("id"));
    }
}
