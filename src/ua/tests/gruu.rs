//! Addresses that lead to this device from everywhere (RFC 5627), as registrars grant them.

use super::{bench::*, registration::registering};
use crate::{
    sip::{
        flow::Flow,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{CallState, Command, Package},
};

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
    assert_eq!(contact(&bench.response(180).headers), format!("<{PUBLIC}>"));
}

#[test]
fn one_that_leads_nowhere_is_not_used() {
    for code in [404, 481, 200, 408] {
        let (mut bench, question) = asking();
        bench.reply(Response::to(&question, code, None));
        bench.dial("101");
        let invite = bench.request(Method::INVITE);
        assert_eq!(contact(&invite.headers), "<sip:100-acme@192.0.2.1:5062>", "{code}: it has not arrived");
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

/// Without a registration nothing leads here by it: whoever we talk to is told our own address.
#[test]
fn a_call_outlives_the_registration_that_named_us() {
    let (mut bench, question) = asking();
    returned(&mut bench, &question);
    bench.reply(Response::to(&question, 200, None));
    let ack = bench.connected_out();
    assert_eq!(ack.method, Method::ACK);
    bench.command(Command::ClearAccount);
    let sent: Vec<_> = bench.sent.drain(..).collect();
    let told = sent.into_iter().find_map(|(_, message)| match message {
        Message::Request(request) if request.method == Method::INVITE || request.method == Method::UPDATE => {
            Some(request)
        }
        _ => None,
    });
    let told = told.expect("the peer is told");
    assert_eq!(contact(&told.headers), "<sip:100-acme@192.0.2.1:5062>");
    bench.reply(answer(&told, 200, "peer", SDP));
    bench.events.clear();
    bench.command(Command::Hangup { call: 1 });
    let ended = bench.events.iter().any(
        |event| matches!(event, crate::ua::api::Event::Call(info) if matches!(info.state, CallState::Ended { .. })),
    );
    assert!(ended);
}
