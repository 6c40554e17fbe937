//! What comes from another place than our own server, and what goes to one.

use super::bench::*;
use crate::{
    sip::{
        flow::Flow,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{Account, CallState, Command, Event, RegistrationState},
};

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
