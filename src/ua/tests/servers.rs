//! Several servers behind one name (RFC 3263 §4.3), and none but protected ways to them.

use super::bench::{Bench, SDP, account, answer, flow, settings};
use crate::{
    sip::{
        flow::{Flow, Transport},
        msg::{Message, Method, Request, Response},
    },
    ua::api::{Account, CallState, Command, Event, RegistrationState},
};
use std::time::Duration;

const FIRST: &str = "192.0.2.41:5060";
const SECOND: &str = "192.0.2.42:5060";

/// An account whose proxy has two addresses.
fn bench(register: bool) -> Bench {
    let mut bench = Bench::offline(settings());
    bench.dns = vec![("pbx.acme", vec![FIRST, SECOND])];
    let account = Account { outbound_proxy: Some("sip:pbx.acme".parse().unwrap()), ..account(register) };
    bench.command(Command::SetAccount(Box::new(account)));
    bench.registration();
    bench
}

/// The next request and where it went.
#[track_caller]
fn sent(bench: &mut Bench, method: Method) -> (String, Request) {
    bench.pass_over_questions();
    match bench.sent.pop_front() {
        Some((flow, Message::Request(request))) if request.method == method => (flow.remote.to_string(), request),
        other => panic!("{method} was expected, not {other:#?}"),
    }
}

/// The refresh after `last`, as soon as it leaves, and where it goes.
#[track_caller]
fn refresh(bench: &mut Bench, last: &Request) -> (String, Request) {
    let number = |request: &Request| request.headers.cseq().map_or(0, |cseq| cseq.number);
    for _ in 0..600 {
        bench.advance(Duration::from_secs(1));
        while let Some((flow, message)) = bench.sent.pop_front() {
            match message {
                Message::Request(next) if next.method == Method::REGISTER && number(&next) > number(last) => {
                    return (flow.remote.to_string(), next);
                }
                // Repetitions, and questions.
                Message::Request(_) | Message::Response(_) => {}
            }
        }
    }
    panic!("no refresh within ten minutes")
}

/// The server at `from` says that.
fn says(bench: &mut Bench, from: &str, response: Response) {
    bench.agent.handle_message(
        bench.now,
        Flow { remote: from.parse().unwrap(), ..flow() },
        Message::Response(response),
    );
    bench.drain();
}

fn granted(register: &Request, seconds: u32) -> Response {
    let mut response = Response::to(register, 200, Some("registrar"));
    let contact = register.headers.get("Contact").unwrap().replace("expires=600", &format!("expires={seconds}"));
    response.headers.push("Contact", contact);
    response
}

#[test]
fn a_silent_server_is_left_for_the_next_and_tried_again_once_it_may_have_recovered() {
    let mut bench = bench(true);
    assert_eq!(sent(&mut bench, Method::REGISTER).0, FIRST);
    bench.advance(Duration::from_secs(5));
    let tries: Vec<_> =
        std::iter::from_fn(|| bench.sent.pop_front().map(|(flow, _)| flow.remote.to_string())).collect();
    // Retransmissions, and then the other one, within its patience; the agent waits no half minute.
    assert!(tries.contains(&SECOND.to_owned()) && tries.contains(&FIRST.to_owned()), "{tries:?}");
    let at_second = bench.agent.pending();
    assert!(at_second > 0);
    bench.advance(Duration::from_millis(1));
    bench.sent.clear();
    bench.advance(Duration::from_secs(2));
    let register = loop {
        let (to, register) = sent(&mut bench, Method::REGISTER);
        if to == SECOND {
            break register;
        }
    };
    says(&mut bench, SECOND, granted(&register, 60));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    // After 42 to 51 s the first is still passed over.
    let (to, register) = refresh(&mut bench, &register);
    assert_eq!(to, SECOND);
    says(&mut bench, SECOND, granted(&register, 60));
    bench.registration();
    let (to, register) = refresh(&mut bench, &register);
    assert_eq!(to, FIRST, "a minute has passed");
    says(&mut bench, FIRST, granted(&register, 600));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
}

#[test]
fn a_server_that_asks_to_be_left_alone_is() {
    let mut bench = bench(true);
    let (_, register) = sent(&mut bench, Method::REGISTER);
    let mut busy = Response::to(&register, 503, Some("x"));
    busy.headers.push("Retry-After", "250");
    says(&mut bench, FIRST, busy);
    let (to, mut register) = sent(&mut bench, Method::REGISTER);
    assert_eq!(to, SECOND);
    says(&mut bench, SECOND, granted(&register, 200));
    // Refreshes after 140 to 170 s each.
    for expected in [SECOND, FIRST] {
        bench.registration();
        let to;
        (to, register) = refresh(&mut bench, &register);
        assert_eq!(to, expected);
        says(&mut bench, expected, granted(&register, 200));
    }
}

#[test]
fn a_call_that_two_servers_answer_is_one_call() {
    let mut bench = bench(false);
    bench.dial("101");
    bench.state(&CallState::Dialing);
    let (to, late) = sent(&mut bench, Method::INVITE);
    assert_eq!(to, FIRST);
    bench.advance(Duration::from_secs(5));
    let invite = loop {
        let (to, invite) = sent(&mut bench, Method::INVITE);
        if to == SECOND {
            break invite;
        }
    };
    says(&mut bench, SECOND, answer(&invite, 200, "peer", SDP));
    bench.state(&CallState::Connected);
    bench.sent.clear();
    // It was only slow: its callee is told at once that nobody is there.
    says(&mut bench, FIRST, answer(&late, 200, "other", SDP));
    let methods: Vec<_> = std::iter::from_fn(|| match bench.sent.pop_front() {
        Some((_, Message::Request(request))) => {
            Some((request.method.clone(), request.headers.to().unwrap().tag().map(str::to_owned)))
        }
        _ => None,
    })
    .collect();
    assert_eq!(methods, [(Method::ACK, Some("other".into())), (Method::BYE, Some("other".into()))]);
    assert!(bench.events.is_empty(), "{:?}", bench.events);
    // And where it says nothing at all, nothing is left of it.
    bench.command(Command::Hangup { call: 1 });
    bench.settle();
}

#[test]
fn an_account_for_tls_sends_nothing_without() {
    let mut bench = Bench::offline(settings());
    let account = Account {
        transport: Transport::Tls,
        outbound_proxy: Some("sip:192.0.2.9:5060;transport=udp".parse().unwrap()),
        ..account(true)
    };
    bench.command(Command::SetAccount(Box::new(account.clone())));
    assert_eq!(bench.registration(), RegistrationState::Registering);
    let RegistrationState::Failed { reason, .. } = bench.registration() else {
        panic!("it cannot be reached that way")
    };
    assert!(reason.contains("unprotected"), "{reason}");
    bench.silent();
    // A registrar that sends us to an unprotected one.
    let account =
        Account { outbound_proxy: Some("sip:192.0.2.9;transport=tls".parse().unwrap()), name: "b".into(), ..account };
    bench.command(Command::SetAccount(Box::new(account)));
    let (_, register) = sent(&mut bench, Method::REGISTER);
    assert_eq!(register.headers.get("Contact").map(|c| c.contains("transport=tls")), Some(true));
    let mut elsewhere = Response::to(&register, 302, Some("x"));
    elsewhere.headers.push("Contact", "<sip:192.0.2.66;transport=udp>");
    bench.agent.handle_message(
        bench.now,
        Flow { transport: Transport::Tls, remote: "192.0.2.9:5061".parse().unwrap() },
        Message::Response(elsewhere),
    );
    bench.drain();
    bench.silent();
    let failed = bench.events.iter().any(|event| matches!(event, Event::Registration { state: RegistrationState::Failed { reason, .. }, .. } if reason.contains("unprotected")));
    assert!(failed, "{:?}", bench.events);
}
