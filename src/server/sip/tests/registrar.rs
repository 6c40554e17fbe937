//! REGISTER, message by message. The rules of who holds a registration are tested beside [`super::super::location`].

use super::bench::{At, Bench, REALM};
use crate::{
    server::{refusals::Why, registry::Ha1},
    sip::{
        flow::Transport::{Tcp, Udp},
        msg::Response,
    },
};
use std::time::Duration;

/// A change to a request before it is sent.
type Edit = fn(&mut crate::sip::msg::Request);

fn ask_edited(bench: &mut Bench, at: At, edit: Edit) -> Response {
    let mut request = bench.register_request(at, 600);
    edit(&mut request);
    bench.ask(at, request)
}

#[test]
fn what_a_registrar_refuses() {
    // Each on a fresh server with the desk phone registered: who, what about the REGISTER, answer, words in it.
    let instance = Some("urn:uuid:laptop");
    #[expect(clippy::type_complexity, reason = "a table's row, used once")]
    #[rustfmt::skip]
    let cases: &[(&str, &'static str, &str, Option<&'static str>, Edit, u16, &str)] = &[
        ("all well", "100-acme-laptop", "100-acme-laptop~k3f9", instance, |_| (), 200, ""),
        ("in use", "100-acme", "100-acme", Some("urn:uuid:other"), |_| (), 403, "100-acme is in use by Yealink T46S at 10.0.0.12 since 08:02"),
        ("an unknown user", "100-acme-laptop", "100-acme-laptop~gone", instance, |_| (), 401, ""),
        ("another's registration", "101-acme", "100-acme-laptop~k3f9", instance, |_| (), 403, "not for 101-acme"),
        ("another's instance", "100-acme-laptop", "100-acme-laptop~k3f9", Some("urn:uuid:stolen"), |_| (), 403, "another installation"),
        ("no instance", "100-acme-laptop", "100-acme-laptop~k3f9", None, |_| (), 403, "another installation"),
        ("too brief", "101-acme", "101-acme", None, |r| r.headers.set("Expires", "5"), 423, ""),
        ("two contacts", "101-acme", "101-acme", None, |r| r.headers.push("Contact", "<sip:b@10.0.0.99>"), 403, "one contact"),
        ("star without Expires: 0", "101-acme", "101-acme", None, |r| r.headers.set("Contact", "*"), 400, ""),
        ("an extension nobody knows", "101-acme", "101-acme", None, |r| r.headers.push("Require", "gruu"), 420, ""),
        ("a realm nobody has", "101-acme", "101-acme", None, |r| r.headers.set("To", "<sip:101-acme@elsewhere>"), 404, "no account elsewhere"),
        ("no realm at all", "101-acme", "101-acme", None, |r| r.headers.set("To", "<tel:101>"), 400, ""),
    ];
    for (what, name, username, instance, edit, code, words) in cases {
        let mut bench = Bench::new();
        bench.desk();
        let at = bench.phone(name, username, Udp, *instance);
        let response = ask_edited(&mut bench, at, *edit);
        assert_eq!(response.code(), *code, "{what}: {}", response.reason);
        assert!(response.reason.contains(words), "{what}: {} lacks {words:?}", response.reason);
        let machine = (*what == "in use").then_some("<urn:tms:problem:registration-in-use>");
        assert_eq!(response.headers.get("Error-Info"), machine, "{what}");
        match code {
            423 => assert_eq!(response.headers.number("Min-Expires"), Some(10), "{what}"),
            420 => assert_eq!(response.headers.get("Unsupported"), Some("gruu"), "{what}"),
            401 => assert!(response.headers.contains("WWW-Authenticate"), "{what}"),
            _ => {}
        }
    }
}

#[test]
fn a_wrong_password_is_asked_again_and_binds_nothing() {
    let mut bench = Bench::new();
    let at = bench.phone("101-acme", "101-acme", Udp, None);
    bench.users[3].ha1 = Ha1::of("101-acme", REALM, "another password");
    let response = bench.register(at, 600);
    assert_eq!(response.code(), 401);
    // MD5 and SHA-256 are offered, the stronger first (RFC 8760).
    let algorithms: Vec<&str> = response
        .headers
        .get_all("WWW-Authenticate")
        .map(|c| if c.contains("SHA-256") { "SHA-256" } else { "MD5" })
        .collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
    assert_eq!(bench.holder("101-acme"), None);
}

#[test]
fn expiry_is_bounded_told_and_kept() {
    for (asked, granted) in [(600, 600), (10, 10), (86_400, 3_600)] {
        let mut bench = Bench::new();
        let at = bench.phone("101-acme", "101-acme", Udp, None);
        let response = bench.register(at, asked);
        let contact = response.headers.get("Contact").expect("the contact in force").to_owned();
        assert!(contact.ends_with(&format!("expires={granted}")), "{contact}");
        bench.advance(Duration::from_secs(granted - 1));
        assert!(bench.holder("101-acme").is_some());
        bench.advance(Duration::from_secs(1));
        assert_eq!(bench.holder("101-acme"), None);
        assert_eq!(bench.changed, ["101-acme", "101-acme"]);
    }
}

#[test]
fn unregistering_by_contact_and_by_star() {
    let edits: [Edit; 2] = [
        |r| r.headers.set("Expires", "0"),
        |r| {
            r.headers.set("Expires", "0");
            r.headers.set("Contact", "*");
        },
    ];
    for edit in edits {
        let mut bench = Bench::new();
        let at = bench.desk();
        let response = ask_edited(&mut bench, at, edit);
        assert_eq!((response.code(), response.headers.get("Contact")), (200, None));
        assert_eq!(bench.holder("100-acme"), None);
    }
}

#[test]
fn a_query_tells_the_holder() {
    let mut bench = Bench::new();
    let at = bench.desk();
    let response = ask_edited(&mut bench, at, |r| r.headers.remove("Contact"));
    assert!(response.headers.get("Contact").is_some_and(|c| c.contains("10.0.0.12:5070")));
}

#[test]
fn a_session_that_ends_and_a_registration_that_is_revoked_lose_their_contacts() {
    let mut bench = Bench::new();
    let (desk, laptop) = (bench.desk(), bench.laptop());
    bench.pbx.end_session(bench.now, 7);
    bench.users.remove(1);
    assert_eq!(bench.holder("100-acme-laptop"), None);
    assert_eq!(bench.register(laptop, 600).code(), 401);
    bench.pbx.remove(bench.now, &Bench::aor("100-acme"));
    bench.users[0].refused = Some("This extension is disabled in TMS, Extension Manager".into());
    assert_eq!(bench.holder("100-acme"), None);
    let response = bench.register(desk, 600);
    assert_eq!((response.code(), response.reason.contains("disabled")), (403, true));
}

#[test]
fn a_takeover_holds_although_the_desk_phone_registers_again() {
    let mut bench = Bench::new();
    let desk = bench.desk();
    let agent = bench.phone("100-acme", "100-acme~k3f9", Udp, Some("urn:uuid:agent"));
    let mut credential = bench.users[1].clone();
    credential.ha1 = Ha1::of("100-acme~k3f9", REALM, super::bench::PASSWORD);
    credential.registration = "100-acme".into();
    let binding = credential.session.as_mut().expect("a session's credential");
    binding.instance_id = "urn:uuid:agent".into();
    bench.users.push(credential);
    bench.phones[agent].user_agent = "Agent Manager";

    assert_eq!(bench.register(agent, 600).code(), 403);
    bench.pbx.take_over(bench.now, &Bench::aor("100-acme"), 7, "urn:uuid:agent");
    assert_eq!(bench.register(desk, 600).code(), 403);
    assert_eq!(bench.register(agent, 600).code(), 200);
    for _ in 0..20 {
        bench.advance(Duration::from_secs(4));
        let response = bench.register(desk, 600);
        assert_eq!(response.code(), 403);
        assert!(response.reason.contains("in use by Agent Manager"), "{}", response.reason);
        assert_eq!(bench.holder("100-acme").as_deref(), Some("Agent Manager"));
    }
    bench.pbx.end_session(bench.now, 7);
    assert_eq!(bench.register(desk, 600).code(), 200);
}

#[test]
fn a_connection_that_closes_takes_its_contact() {
    let mut bench = Bench::new();
    let laptop = bench.laptop();
    let flow = crate::sip::flow::Flow { transport: Tcp, remote: bench.phones[laptop].address };
    bench.pbx.handle_flow_lost(bench.now, flow);
    assert_eq!(bench.holder("100-acme-laptop"), None);
}

#[test]
fn a_flood_of_wrong_passwords_is_answered_from_memory_and_noted() {
    let mut bench = Bench::new();
    let at = bench.phone("101-acme", "101-acme", Udp, None);
    let right = bench.users[3].ha1.clone();
    bench.users[3].ha1 = Ha1::of("101-acme", REALM, "another password");
    let codes: Vec<u16> = (0..8).map(|_| bench.register(at, 600).code()).collect();
    // From the second time on a phone tries twice: with the nonce that it has, and with the new one.
    assert_eq!(codes, [401, 401, 401, 403, 403, 403, 403, 403]);
    let whys: Vec<Why> = bench.refused.iter().map(|note| note.why).collect();
    assert_eq!(whys, [Why::WrongSecret, Why::WrongSecret, Why::WrongSecret, Why::WrongSecret, Why::Banned]);
    let note = &bench.refused[0];
    assert_eq!((note.registration.as_str(), note.username.as_str()), ("101-acme", "101-acme"));
    assert_eq!((note.address.to_string().as_str(), note.device.as_str()), ("10.0.0.12", "Yealink T46S"));

    // The right one is not heard either, until a minute is over.
    bench.users[3].ha1 = right;
    let response = bench.register(at, 600);
    assert!(response.code() == 403 && response.headers.contains("Retry-After"), "{}", response.reason);
    bench.advance(Duration::from_secs(61));
    assert_eq!(bench.register(at, 600).code(), 200);
    assert_eq!(bench.saved, ["101-acme"]);
}

#[test]
fn each_refusal_is_noted_for_whom_it_concerns() {
    let mut bench = Bench::new();
    bench.desk();
    let stolen = Some("urn:uuid:stolen");
    let cases = [
        ("100-acme", "100-acme", Some("urn:uuid:other"), Why::InUse, "Yealink T46S at 10.0.0.12 since 08:02 UTC"),
        ("101-acme", "100-acme-laptop~k3f9", stolen, Why::WrongName, "100-acme-laptop"),
        ("100-acme-laptop", "100-acme-laptop~k3f9", stolen, Why::OtherInstallation, ""),
        ("100-acme-laptop", "100-acme-laptop~gone", None, Why::UnknownUser, ""),
    ];
    for (name, username, instance, why, detail) in cases {
        let at = bench.phone(name, username, Udp, instance);
        bench.register(at, 600);
        let note = bench.refused.pop().expect("it is noted");
        assert_eq!((note.why, note.detail.as_str(), note.registration.as_str()), (why, detail, name));
    }
    bench.users[3].refused = Some("This extension is disabled".into());
    let at = bench.phone("101-acme", "101-acme", Udp, None);
    bench.register(at, 600);
    assert_eq!(bench.refused.pop().map(|note| note.why), Some(Why::Disabled));
}
