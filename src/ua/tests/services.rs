//! Do not disturb, forwarding, emergency numbers, answering by order, and who calls.

use super::{bench::*, ended};
use crate::{
    sip::{
        flow::Flow,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{
        Account, CallDirection, CallState, Command, EndedBy, Event, ForwardWhen, NoAnswer, RegistrationState,
        ServiceCommand, Services, Settings,
    },
};
use std::time::Duration;

fn with(services: Services) -> Bench {
    Bench::ready(Settings { services, ..settings() })
}

fn to(number: &str) -> Option<String> {
    Some(number.to_owned())
}

/// An INVITE with these header fields besides or instead.
fn invite(fields: &[(&str, &str)]) -> Request {
    let mut invite = incoming(SDP);
    for (name, value) in fields {
        invite.headers.set(name, *value);
    }
    invite
}

/// The same from another call.
fn another(mut invite: Request) -> Request {
    invite.headers.set("Call-ID", "another");
    invite.headers.set("Via", "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-another");
    invite
}

impl Bench {
    fn change(&mut self, change: ServiceCommand) -> Result<Services, String> {
        let command = change.name();
        self.command(Command::Services(change));
        match self.events.pop_front() {
            Some(Event::Services(services)) => {
                assert_eq!(self.events.pop_front(), Some(Event::Done { command, call: None }));
                Ok(services)
            }
            Some(Event::Refused { command: refused, message, .. }) if refused == command => Err(message),
            other => panic!("the services were expected, not {other:?}"),
        }
    }

    fn invited(&mut self, invite: Request, code: u16) -> Response {
        self.deliver(Message::Request(invite));
        self.response(code)
    }
}

fn header<'a>(response: &'a Response, name: &'a str) -> Vec<&'a str> {
    response.headers.get_all(name).collect()
}

#[test]
fn do_not_disturb_turns_calls_away_and_tells_the_agent() {
    for (unreachable, code) in [(false, 486), (true, 480)] {
        let mut bench = Bench::ready(Settings {
            services: Services { do_not_disturb_as_unreachable: unreachable, ..Services::default() },
            ..settings()
        });
        let services = bench.change(ServiceCommand::DoNotDisturb { on: true }).expect("taken");
        assert!(services.do_not_disturb);
        bench.invited(incoming(SDP), code);
        let info = bench.call();
        assert_eq!((info.call, info.direction, info.peer.as_str()), (1, CallDirection::In, "sip:alice@acme"));
        assert_eq!(info.state, ended(EndedBy::Local, Some(code), "Do not disturb was on."));
        bench.change(ServiceCommand::DoNotDisturb { on: false }).expect("taken");
        bench.invited(another(incoming(SDP)), 180);
        bench.state(&CallState::Ringing);
        assert!(bench.closed.is_empty());
    }
}

/// Settings, whether a call is up, header fields, then the answer: 302 with the target and the first Diversion's reason.
#[test]
fn calls_are_forwarded_and_never_in_a_circle() {
    let always = || Services { forward_always: to("103"), ..Services::default() };
    let busy = || Services { forward_busy: to("sip:104@elsewhere.example"), ..Services::default() };
    let dnd = |services: Services| Services { do_not_disturb: true, ..services };
    type Case<'a> = (Services, bool, &'a [(&'a str, &'a str)], u16, Option<(&'a str, &'a str)>);
    let cases: [Case<'_>; 11] = [
        (always(), false, &[], 302, Some(("<sip:103@acme>", "unconditional"))),
        (always(), true, &[], 302, Some(("<sip:103@acme>", "unconditional"))),
        (dnd(always()), false, &[], 302, Some(("<sip:103@acme>", "unconditional"))),
        (busy(), false, &[], 180, None),
        (busy(), true, &[], 302, Some(("<sip:104@elsewhere.example>", "user-busy"))),
        (dnd(busy()), false, &[], 302, Some(("<sip:104@elsewhere.example>", "user-busy"))),
        (always(), false, &[("Diversion", "<sip:100-acme@acme>;reason=unconditional")], 180, None),
        (always(), false, &[("Diversion", "<sip:7@acme>;counter=5")], 180, None),
        (always(), false, &[("From", "<sip:103@acme>;tag=x")], 180, None),
        (dnd(always()), false, &[("From", "<sip:103@acme>;tag=x")], 486, None),
        (dnd(always()), false, &[("Priority", "psap-callback")], 180, None),
    ];
    for (services, talking, fields, code, expected) in cases {
        let case = format!("{services:?} {fields:?}");
        let mut bench = with(services);
        if talking {
            bench.connected_out();
        }
        let response = bench.invited(invite(fields), code);
        let contacts = header(&response, "Contact");
        match expected {
            Some((contact, reason)) => {
                assert_eq!(contacts, [contact], "{case}");
                let diversion = format!("<sip:100-acme@acme>;reason={reason};counter=1");
                assert_eq!(header(&response, "Diversion")[0], diversion, "{case}");
                assert!(matches!(bench.call().state, CallState::Ended { code: Some(302), .. }), "{case}");
            }
            None => {
                assert!(header(&response, "Diversion").is_empty() && contacts.iter().all(|c| c.contains("192.0.2.1")));
                let state = bench.events.pop_back();
                let expected = match code {
                    180 => CallState::Ringing,
                    _ => ended(EndedBy::Local, Some(code), "Do not disturb was on."),
                };
                assert!(matches!(&state, Some(Event::Call(info)) if info.state == expected), "{case}: {state:?}");
            }
        }
    }
}

#[test]
fn a_call_that_nobody_answers_goes_on_to_the_next_with_its_history() {
    let forward_no_answer = Some(NoAnswer { to: "103".into(), after_s: 20 });
    let mut bench = with(Services { forward_no_answer, ..Services::default() });
    let ringing = bench.invited(invite(&[("Diversion", "<sip:sales@acme>;reason=unconditional")]), 180);
    bench.state(&CallState::Ringing);
    bench.advance(Duration::from_millis(19_999));
    bench.silent();
    bench.advance(Duration::from_millis(1));
    let response = bench.response(302);
    assert_eq!(response.headers.get("To"), ringing.headers.get("To"), "the same early dialog");
    assert_eq!(header(&response, "Contact"), ["<sip:103@acme>"]);
    let diversions = ["<sip:100-acme@acme>;reason=no-answer;counter=1", "<sip:sales@acme>;reason=unconditional"];
    assert_eq!(header(&response, "Diversion"), diversions);
    let words = "Nobody answered here, so the call was forwarded to 103.";
    bench.state(&ended(EndedBy::Remote, Some(302), words));
    bench.settle();
}

#[test]
fn what_cannot_be_a_service_is_refused_and_changes_nothing() {
    let forward =
        |when, to: Option<&str>, after_s| ServiceCommand::Forward { when, to: to.map(str::to_owned), after_s };
    let mut bench = with(Services::default());
    for (change, words) in [
        (forward(ForwardWhen::Always, None, None), "Say where to forward"),
        (forward(ForwardWhen::Busy, Some("two words"), None), "“two words” is neither"),
        (forward(ForwardWhen::Always, Some("112"), None), "Calls cannot be forwarded to the emergency number 112."),
        (forward(ForwardWhen::Always, Some("sip:911@acme"), None), "Calls cannot be forwarded"),
        (forward(ForwardWhen::Always, Some("100-acme"), None), "100-acme is this phone"),
        (forward(ForwardWhen::NoAnswer, Some("103"), Some(0)), "Calls can be forwarded after 1 to 180 seconds"),
        (ServiceCommand::Set(Box::new(Services { forward_busy: to(""), ..Services::default() })), "Enter a number"),
    ] {
        let said = bench.change(change.clone()).expect_err("refused");
        assert!(said.starts_with(words), "{change:?}: {said}");
    }
    bench.invited(incoming(SDP), 180);
}

#[test]
fn each_kind_of_forwarding_stands_beside_the_others_until_all_are_off() {
    let forward = |when, to: &str| ServiceCommand::Forward { when, to: Some(to.to_owned()), after_s: None };
    let mut bench = Bench::offline(settings());
    bench.change(forward(ForwardWhen::Busy, "104")).expect("taken, though offline");
    let both = bench.change(forward(ForwardWhen::NoAnswer, "105")).expect("taken");
    let after = Some(NoAnswer { to: "105".into(), after_s: 20 });
    assert_eq!((both.forward_busy.as_deref(), both.forward_no_answer), (Some("104"), after));
    let off = ServiceCommand::Forward { when: ForwardWhen::Off, to: None, after_s: None };
    assert_eq!(bench.change(off), Ok(Services::default()));
}

/// Whatever stands in the way.
#[test]
fn an_emergency_call_always_goes_out_and_may_be_called_back() {
    let full = Settings {
        max_calls: Some(0),
        services: Services { do_not_disturb: true, withhold_identity: true, ..Services::default() },
        ..settings()
    };
    for to in ["112", "sip:10111@acme", "tel:911", "9-9-9"] {
        let mut bench = Bench::ready(full.clone());
        bench.command(Command::ClearAccount);
        assert_eq!(bench.registration(), RegistrationState::Offline);
        bench.dial("101");
        assert_eq!(bench.refused().0, "dial");
        bench.dial(to);
        let invite = bench.request(Method::INVITE);
        assert_eq!(invite.headers.get("Privacy"), None, "the emergency service is to know who calls");
        assert!(invite.headers.get("From").is_some_and(|from| from.starts_with("<sip:100-acme@acme>")));
        assert_eq!(bench.call().state, CallState::Dialing, "{to}");
    }
    let mut bench = with(Services { do_not_disturb: true, forward_always: to("103"), ..Services::default() });
    bench.dial("112");
    let ours = bench.request(Method::INVITE);
    bench.state(&CallState::Dialing);
    bench.reply(answer(&ours, 486, "peer", ""));
    bench.request(Method::ACK);
    bench.call();
    bench.invited(incoming(SDP), 180);
    bench.state(&CallState::Ringing);
    bench.command(Command::Reject { call: 2, code: 486 });
    bench.response(486);
    bench.call();
    bench.advance(Duration::from_secs(30 * 60));
    bench.sent.clear();
    bench.invited(another(incoming(SDP)), 302);
}

/// Left or not, those of the account count; where there has been none, there is no way out.
#[test]
fn each_account_has_its_own_emergency_numbers() {
    let mut bench = Bench::offline(settings());
    bench.dial("112");
    assert!(bench.refused().1.contains("choose a registration"));
    let ours = Account { emergency_numbers: vec!["110".into()], ..account(false) };
    bench.command(Command::SetAccount(Box::new(ours)));
    bench.command(Command::ClearAccount);
    bench.events.clear();
    bench.dial("112");
    assert!(bench.refused().1.contains("offline"));
    bench.dial("110");
    bench.request(Method::INVITE);
}

#[test]
fn a_call_is_answered_by_order_of_our_servers_only_and_never_beside_another() {
    const ORDER: (&str, &str) = ("Alert-Info", "<http://pbx>;info=alert-autoanswer;delay=2");
    let mut bench = with(Services::default());
    bench.invited(invite(&[ORDER]), 180);
    assert!(bench.call().origin.answers_itself);
    bench.advance(Duration::from_secs(2));
    bench.response(200);
    bench.state(&CallState::Connected);

    let rings = |mut bench: Bench, case: &str| {
        let info = bench.call();
        assert!(!info.origin.answers_itself, "{case}");
        bench.advance(Duration::from_secs(10));
        bench.silent();
    };
    let mut off = with(Services { answer_on_request: false, ..Services::default() });
    off.invited(invite(&[ORDER]), 180);
    rings(off, "switched off");
    let mut busy = with(Services::default());
    busy.connected_out();
    busy.invited(invite(&[ORDER]), 180);
    rings(busy, "another call is up");
    let mut stranger = with(Services::default());
    let flow = Flow { remote: "198.51.100.7:5060".parse().unwrap(), ..flow() };
    stranger.agent.handle_message(stranger.now, flow, Message::Request(invite(&[ORDER])));
    stranger.drain();
    stranger.response(180);
    rings(stranger, "somebody else's order");
}

#[test]
fn only_our_servers_are_believed_about_callers() {
    let fields = [("P-Asserted-Identity", "\"Boss\" <sip:boss@acme>"), ("Diversion", "\"Anna\" <sip:anna@acme>")];
    for (remote, peer, by) in [(PEER, "sip:boss@acme", Some("Anna")), ("198.51.100.7:5060", "sip:alice@acme", None)] {
        let mut bench = with(Services::default());
        let flow = Flow { remote: remote.parse().unwrap(), ..flow() };
        bench.agent.handle_message(bench.now, flow, Message::Request(invite(&fields)));
        bench.drain();
        bench.response(180);
        let info = bench.call();
        assert_eq!((info.peer.as_str(), info.origin.forwarded_by_name.as_deref()), (peer, by), "{remote}");
    }
}

#[test]
fn an_anonymous_call_says_who_we_are_to_the_servers_alone() {
    for (anonymous, withhold_identity) in [(true, false), (false, true)] {
        let mut bench = with(Services { withhold_identity, ..Services::default() });
        bench.command(Command::Dial { to: "101".into(), anonymous });
        let invite = bench.request(Method::INVITE);
        let get = |name| invite.headers.get(name).unwrap_or_default();
        assert!(get("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="), "{}", get("From"));
        assert_eq!((get("Privacy"), get("P-Preferred-Identity")), ("id", "<sip:100-acme@acme>"));
    }
    // A TMS knows the account by the domain.
    let mut bench = Bench::offline(settings());
    bench.command(Command::SetAccount(Box::new(Account { realm: Some("acme".into()), ..account(false) })));
    bench.registration();
    bench.command(Command::Dial { to: "101".into(), anonymous: true });
    let invite = bench.request(Method::INVITE);
    let from = invite.headers.get("From").unwrap();
    assert!(from.starts_with("\"Anonymous\" <sip:anonymous@acme>;tag="), "{from}");
}
