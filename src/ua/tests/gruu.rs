//! Addresses that lead to this device from everywhere (RFC 5627), as registrars grant them.

use super::{bench::*, registration::registering};
use crate::{
    sip::{
        flow::Flow,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{Account, CallState, Command, Event, NetworkChange, Package},
};
use std::time::Duration;

const PUBLIC: &str = "sip:100-acme@acme;gr=urn:uuid:00000000-0000-4000-8000-000000000001";
const TEMPORARY: &str = "sip:tgruu.7hs@acme;gr";

/// The registrar grants, with such an address.
fn grant(bench: &mut Bench, register: &Request, temporary: &str) {
    let mut response = Response::to(register, 200, Some("registrar"));
    let ours = register.headers.get("Contact").unwrap();
    response.headers.push("Contact", format!("{ours};pub-gruu=\"{PUBLIC}\";temp-gruu=\"{temporary}\""));
    bench.reply(response);
    bench.registration();
}

/// Registered, and the question whether requests to the address arrive.
fn asking() -> (Bench, Request) {
    let (mut bench, register) = registering();
    assert!(register.headers.tokens("Supported").contains(&"gruu".to_owned()));
    grant(&mut bench, &register, TEMPORARY);
    let question = bench.request(Method::OPTIONS);
    assert_eq!(question.uri.to_string(), PUBLIC);
    assert!(question.headers.to().unwrap().tag().is_some(), "as a peer asks within a dialog");
    (bench, question)
}

/// The question comes back through the server, as it would hand on a peer's.
fn returned(bench: &mut Bench, question: &Request) {
    let mut request = Request { uri: "sip:100-acme@192.0.2.1:5062".parse().unwrap(), ..question.clone() };
    request.headers.push_front("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-back"));
    request.headers.remove("Route");
    bench.deliver(Message::Request(request));
    bench.response(200);
}

fn contact(headers: &crate::sip::msg::Headers) -> &str {
    headers.get("Contact").unwrap()
}

#[test]
fn an_address_that_is_proved_to_lead_here_is_our_contact_in_calls() {
    let (mut bench, question) = asking();
    // Nobody else's request with such a name proves anything.
    let stranger = Flow { remote: "198.51.100.7:5060".parse().unwrap(), ..flow() };
    let mut overheard = question.clone();
    overheard.headers.push_front("Via", "SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-overheard");
    bench.agent.handle_message(bench.now, stranger, Message::Request(overheard));
    bench.drain();
    bench.response(481);
    returned(&mut bench, &question);
    bench.reply(Response::to(&question, 200, None));
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    assert_eq!(contact(&invite.headers), format!("<{PUBLIC}>"));
    bench.events.clear();
    bench.command(Command::Dial { to: "101".into(), anonymous: true });
    let anonymous = bench.request(Method::INVITE);
    assert_eq!(contact(&anonymous.headers), format!("<{TEMPORARY}>"));
    // But not where a server notifies by itself.
    bench.command(Command::Subscribe { package: Package::Dialog, to: "102".into() });
    assert!(contact(&bench.request(Method::SUBSCRIBE).headers).starts_with("<sip:100-acme@192.0.2.1:5062>"));
    // And when we are called, where requests to it are for us.
    let mut bench = {
        let (mut bench, question) = asking();
        returned(&mut bench, &question);
        bench
    };
    let mut invite = incoming(SDP);
    invite.uri = PUBLIC.parse().unwrap();
    bench.deliver(Message::Request(invite));
    // Whoever is to confirm that it rings finds us whatever the registrar thinks by then.
    assert_eq!(contact(&bench.response(180).headers), OURS);
    bench.command(Command::Answer { call: 1 });
    assert_eq!(contact(&bench.response(200).headers), format!("<{PUBLIC}>"));
}

#[test]
fn one_that_leads_nowhere_is_not_used() {
    for code in [404, 481, 200, 408] {
        let (mut bench, question) = asking();
        bench.reply(Response::to(&question, code, None));
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        assert_eq!(contact(&invite.headers), OURS, "{code}: it has not arrived");
    }
}

#[test]
fn the_question_is_asked_once_and_with_credentials_where_the_server_wants_them() {
    let (mut bench, question) = asking();
    let mut challenge = Response::to(&question, 407, Some("proxy"));
    challenge.headers.push("Proxy-Authenticate", "Digest realm=\"acme\", nonce=\"n\", qop=\"auth\"");
    bench.reply(challenge);
    let again = bench.request(Method::OPTIONS);
    assert!(again.headers.contains("Proxy-Authorization"));
    returned(&mut bench, &again);
    bench.reply(Response::to(&again, 200, None));
    // The next grant renews the temporary one; that the public one leads here is known.
    let account = account(true);
    bench.command(Command::SetAccount(Box::new(account)));
    let register = bench.request(Method::REGISTER);
    grant(&mut bench, &register, "sip:tgruu.next@acme;gr");
    bench.silent();
    bench.command(Command::Dial { to: "101".into(), anonymous: true });
    assert_eq!(contact(&bench.request(Method::INVITE).headers), "<sip:tgruu.next@acme;gr>");
}

/// Registered, and so named.
fn named() -> Bench {
    let (mut bench, question) = asking();
    returned(&mut bench, &question);
    bench.reply(Response::to(&question, 200, None));
    bench
}

/// REGISTER goes out again.
fn refreshing(bench: &mut Bench) -> Request {
    bench.command(Command::SetAccount(Box::new(account(true))));
    bench.request(Method::REGISTER)
}

fn refuse(bench: &mut Bench, code: u16, reason: &str) {
    let register = refreshing(bench);
    let mut response = Response::to(&register, code, Some("registrar"));
    reason.clone_into(&mut response.reason);
    bench.reply(response);
}

/// What tells a call's peer of another Contact; whatever else was sent is passed over.
fn telling(bench: &mut Bench) -> Option<Request> {
    let sent: Vec<_> = bench.sent.drain(..).collect();
    sent.into_iter().find_map(|(_, message)| match message {
        Message::Request(request) if matches!(request.method, Method::INVITE | Method::UPDATE) => Some(request),
        _ => None,
    })
}

const OURS: &str = "<sip:100-acme@192.0.2.1:5062>";

/// The peer has been told our own address, and whom we call from now on is too.
#[track_caller]
fn goes_on_by_our_address(bench: &mut Bench, way: &str) {
    let told = telling(bench).unwrap_or_else(|| panic!("{way}: the peer is told"));
    assert_eq!(contact(&told.headers), OURS, "{way}");
    bench.reply(answer(&told, 200, "peer", SDP));
    bench.sent.clear();
    bench.events.clear();
    bench.command(Command::Hangup { call: 1 });
    let is_end = |event: &Event| matches!(event, Event::Call(info) if matches!(info.state, CallState::Ended { .. }));
    assert!(bench.events.iter().any(is_end), "{way}");
}

/// Without a registration nothing leads here by it: whoever we talk to is told our own address.
#[test]
fn a_call_outlives_the_registration_that_named_us() {
    type End = fn(&mut Bench);
    let ends: [(&str, End); 6] = [
        ("left", |bench| bench.command(Command::ClearAccount)),
        ("displaced", |bench| {
            let (name, reason) = (account(true).name, "in use".to_owned());
            bench.command(Command::Displace { name, code: 403, reason });
        }),
        ("taken", |bench| refuse(bench, 403, "Registration in use")),
        ("refused", |bench| refuse(bench, 403, "Forbidden")),
        ("not answered until it ends", |bench| {
            bench.advance(Duration::from_secs(595));
            assert!(telling(bench).is_none(), "the registrar still keeps us");
            bench.advance(Duration::from_secs(6));
        }),
        ("granted without a name", |bench| {
            let register = refreshing(bench);
            let mut response = Response::to(&register, 200, Some("registrar"));
            response.headers.push("Contact", register.headers.get("Contact").unwrap());
            bench.reply(response);
        }),
    ];
    for (way, end) in ends {
        let mut bench = named();
        bench.connected_out();
        end(&mut bench);
        goes_on_by_our_address(&mut bench, way);
    }
}

#[test]
fn a_call_that_is_not_answered_yet_is_told_when_it_is() {
    let mut bench = named();
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    assert_eq!(contact(&invite.headers), format!("<{PUBLIC}>"));
    refuse(&mut bench, 403, "Forbidden");
    assert!(telling(&mut bench).is_none());
    bench.reply(answer(&invite, 200, "peer", SDP));
    goes_on_by_our_address(&mut bench, "answered");
    // Another is called from there at once.
    bench.sent.clear();
    bench.dial("101");
    assert_eq!(contact(&bench.request(Method::INVITE).headers), OURS);
}

/// One whose early dialog takes an UPDATE hears it at once, without a word about audio.
#[test]
fn a_call_that_rings_is_told_where_it_can_be() {
    let mut bench = named();
    bench.dial("101");
    let invite = bench.request(Method::INVITE);
    let mut progress = answer(&invite, 183, "peer", SDP);
    progress.headers.push("Allow", "INVITE, UPDATE");
    bench.reply(progress);
    refuse(&mut bench, 403, "Forbidden");
    let told = telling(&mut bench).expect("told");
    assert_eq!((&told.method, contact(&told.headers), told.body.is_empty()), (&Method::UPDATE, OURS, true));
    bench.reply(answer(&told, 200, "peer", ""));
    bench.reply(answer(&invite, 200, "peer", SDP));
    goes_on_by_our_address(&mut bench, "answered");
}

/// One UPDATE at a time: what changes before it is answered is said when the call is.
#[test]
fn a_call_that_rings_is_not_told_two_things_at_once() {
    for moves_first in [true, false] {
        let mut bench = named();
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        let mut progress = answer(&invite, 183, "peer", SDP);
        for (name, value) in [("Allow", "INVITE, UPDATE, PRACK"), ("Require", "100rel"), ("RSeq", "1")] {
            progress.headers.push(name, value);
        }
        bench.reply(progress);
        let prack = bench.request(Method::PRACK);
        bench.reply(answer(&prack, 200, "peer", ""));
        let moves = |bench: &mut Bench| {
            bench.media = Ok("192.0.2.1:4002".parse().unwrap());
            bench.command(Command::Network(NetworkChange::Moved));
        };
        let loses = |bench: &mut Bench| refuse(bench, 403, "Forbidden");
        if moves_first {
            moves(&mut bench)
        } else {
            loses(&mut bench)
        }
        let first = telling(&mut bench).expect("told");
        assert_eq!((&first.method, first.body.is_empty()), (&Method::UPDATE, !moves_first));
        if moves_first {
            loses(&mut bench)
        } else {
            moves(&mut bench)
        }
        assert!(telling(&mut bench).is_none(), "{moves_first}");
        bench.plans.clear();
        let answered = if moves_first { SDP.replace("5000", "5004") } else { String::new() };
        bench.reply(answer(&first, 200, "peer", &answered));
        assert_eq!(bench.plans.is_empty(), !moves_first, "its answer is taken");
        bench.reply(answer(&invite, 200, "peer", ""));
        goes_on_by_our_address(&mut bench, "answered");
    }
}

/// The next server has no way to us by what the last one called us: it is asked, too, before it is our Contact again.
#[test]
fn over_another_flow_it_is_to_be_proved_anew() {
    const SECOND: &str = "192.0.2.10:5060";
    let mut bench = Bench::offline(settings());
    bench.dns = vec![("acme", vec![PEER, SECOND])];
    bench.command(Command::SetAccount(Box::new(Account { outbound_proxy: None, ..account(true) })));
    bench.registration();
    let register = bench.request(Method::REGISTER);
    grant(&mut bench, &register, TEMPORARY);
    let question = bench.request(Method::OPTIONS);
    returned(&mut bench, &question);
    bench.reply(Response::to(&question, 200, None));
    bench.connected_out();

    // The first server falls silent, and the second grants the same.
    bench.lose_registrar();
    let second = Flow { remote: SECOND.parse().unwrap(), ..flow() };
    let register = loop {
        bench.advance(Duration::from_secs(1));
        let to_second = |(at, message): (Flow, Message)| match message {
            Message::Request(request) if at == second && request.method == Method::REGISTER => Some(request),
            _ => None,
        };
        if let Some(register) = bench.sent.drain(..).find_map(to_second) {
            break register;
        }
    };
    let mut granted = Response::to(&register, 200, Some("registrar"));
    let ours = register.headers.get("Contact").unwrap();
    granted.headers.push("Contact", format!("{ours};pub-gruu=\"{PUBLIC}\""));
    bench.agent.handle_message(bench.now, second, Message::Response(granted));
    bench.drain();
    let asks = |(at, message): &(Flow, Message)| {
        *at == second
            && matches!(message, Message::Request(r) if r.method == Method::OPTIONS && r.uri.to_string() == PUBLIC)
    };
    assert!(bench.sent.iter().any(asks), "{:?}", bench.sent);
    // Until that has come back, the call goes on with our own address.
    goes_on_by_our_address(&mut bench, "over another flow");
}

/// Nobody else would ever tell the peer: no session timer runs, or it is the peer's.
#[test]
fn whoever_refuses_to_hear_it_now_is_told_again() {
    for (code, timer) in [(491, ""), (500, ""), (503, ""), (491, "1800;refresher=uas"), (491, "1800;refresher=uac")] {
        let mut bench = named();
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        let mut ok = answer(&invite, 200, "peer", SDP);
        ok.headers.push("Allow", "INVITE, ACK, BYE, UPDATE");
        if !timer.is_empty() {
            ok.headers.push("Session-Expires", timer);
        }
        bench.reply(ok);
        bench.request(Method::ACK);
        bench.command(Command::ClearAccount);
        let update = telling(&mut bench).expect("told");
        assert_eq!(update.method, Method::UPDATE);
        bench.reply(Response::to(&update, code, Some("peer")));
        assert!(telling(&mut bench).is_none());
        bench.advance(Duration::from_secs(5));
        goes_on_by_our_address(&mut bench, &format!("{code} {timer}"));
    }
}

#[test]
fn a_question_that_was_not_handed_on_is_asked_again_with_the_next_grant() {
    for (code, is_asked_again) in [(503, true), (500, true), (408, true), (404, false), (200, false)] {
        let (mut bench, question) = asking();
        bench.reply(Response::to(&question, code, None));
        let register = refreshing(&mut bench);
        grant(&mut bench, &register, TEMPORARY);
        let again = bench.sent.pop_front();
        assert_eq!(again.is_some(), is_asked_again, "{code}: {again:?}");
        if let Some((_, Message::Request(again))) = again {
            assert_eq!(again.uri.to_string(), PUBLIC);
            returned(&mut bench, &again);
            bench.dial("101");
            assert_eq!(contact(&bench.request(Method::INVITE).headers), format!("<{PUBLIC}>"));
        }
    }
}

/// It may be the word of somebody behind it.
#[test]
fn a_question_that_fails_says_nothing_about_the_server() {
    let mut bench = Bench::offline(settings());
    bench.dns = vec![("acme", vec![PEER, "192.0.2.10:5060"])];
    bench.command(Command::SetAccount(Box::new(Account { outbound_proxy: None, ..account(true) })));
    bench.registration();
    let register = bench.request(Method::REGISTER);
    grant(&mut bench, &register, TEMPORARY);
    let question = bench.request(Method::OPTIONS);
    bench.reply(Response::to(&question, 503, None));
    bench.dial("101");
    let (way, _) = bench.sent.pop_front().expect("the call's INVITE");
    assert_eq!(way, flow(), "where we are registered");
}
