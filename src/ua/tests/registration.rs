use super::bench::*;
use crate::{
    sip::{
        flow::Flow,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{Account, Command, RegistrationState},
};
use std::time::Duration;

const CHALLENGE: &str = "Digest realm=\"acme\", nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"";

pub(super) fn registering() -> (Bench, Request) {
    let mut bench = Bench::offline(settings());
    bench.command(Command::SetAccount(Box::new(account(true))));
    assert_eq!(bench.registration(), RegistrationState::Registering);
    let register = bench.request(Method::REGISTER);
    (bench, register)
}

pub(super) fn granted(request: &Request, expires: u32) -> Response {
    let mut response = Response::to(request, 200, Some("registrar"));
    let ours = request.headers.get("Contact").unwrap().split(";expires").next().unwrap();
    response.headers.push("Contact", format!("<sip:other@192.0.2.77>;expires=7, {ours};expires={expires}"));
    response
}

fn with(request: &Request, code: u16, headers: &[(&str, &str)]) -> Response {
    let mut response = Response::to(request, code, Some("registrar"));
    for (name, value) in headers {
        response.headers.push(name, *value);
    }
    response
}

#[test]
fn a_challenge_is_answered_and_our_own_contact_counts() {
    let (mut bench, register) = registering();
    assert_eq!(register.uri.to_string(), "sip:acme");
    assert_eq!(register.headers.get("Route"), Some("<sip:192.0.2.9:5060;lr>"));
    let contact = register.headers.get("Contact").unwrap();
    let instance = "+sip.instance=\"<urn:uuid:00000000-0000-4000-8000-000000000001>\"";
    assert_eq!(contact, format!("<sip:100-acme@192.0.2.1:5062>;{instance};reg-id=1;expires=600"));
    assert_eq!(register.headers.get("Supported"), Some("path, outbound, gruu"));
    bench.reply(with(&register, 401, &[("WWW-Authenticate", CHALLENGE)]));
    let again = bench.request(Method::REGISTER);
    assert!(again.headers.get("Authorization").unwrap().contains("username=\"100-acme\""));
    assert_eq!(again.headers.get("Call-ID"), register.headers.get("Call-ID"));
    assert_eq!(again.headers.get("CSeq"), Some("2 REGISTER"));
    bench.reply(granted(&again, 120));
    assert_eq!(bench.registration(), RegistrationState::Online { expires: Duration::from_secs(120) });
    // Refreshed in time, with credentials from the start.
    bench.advance(Duration::from_secs(83));
    bench.silent();
    bench.advance(Duration::from_secs(20));
    let refresh = bench.request(Method::REGISTER);
    assert!(refresh.headers.get("Authorization").unwrap().contains("nc=00000002"));
    bench.reply(granted(&refresh, 120));
    assert_eq!(bench.registration(), RegistrationState::Online { expires: Duration::from_secs(120) });
    assert!(bench.events.is_empty());
}

#[test]
fn renewed_credentials_are_used_without_going_offline() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 600));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    let renewed = Account { auth_username: "100-acme~k2".into(), ..account(true) };
    bench.command(Command::SetAccount(Box::new(renewed)));
    let again = bench.request(Method::REGISTER);
    assert_eq!(again.headers.get("Expires"), Some("600"));
    bench.reply(with(&again, 401, &[("WWW-Authenticate", CHALLENGE)]));
    let again = bench.request(Method::REGISTER);
    assert!(again.headers.get("Authorization").unwrap().contains("username=\"100-acme~k2\""));
    bench.reply(granted(&again, 600));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn endless_grants_are_refreshed_all_the_same() {
    for endless in ["18446744073709551615", "99999999999999999999999", "4294967295", "86401"] {
        let (mut bench, register) = registering();
        let mut response = granted(&register, 1);
        let contact = response.headers.get("Contact").unwrap().replace(";expires=1", &format!(";expires={endless}"));
        response.headers.set("Contact", contact);
        response.headers.push("Expires", endless);
        bench.reply(response);
        let a_day = Duration::from_secs(24 * 3600);
        assert_eq!(bench.registration(), RegistrationState::Online { expires: a_day }, "{endless}");
        bench.advance(a_day);
        bench.request(Method::REGISTER);
    }
}

#[test]
fn a_lost_connection_is_made_good_but_not_in_a_circle() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 600));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    bench.advance(Duration::from_secs(10));
    bench.lose_registrar();
    bench.silent();
    let RegistrationState::Failed { code: None, retry_in, .. } = bench.registration() else {
        panic!("nobody can reach us meanwhile")
    };
    assert_eq!(retry_in, Some(Duration::from_secs(20)));
    bench.advance(Duration::from_secs(20));
    let again = bench.request(Method::REGISTER);
    bench.reply(granted(&again, 600));
    assert_eq!(bench.registration(), RegistrationState::Registering);
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    bench.advance(Duration::from_secs(60));
    bench.silent();
    bench.lose_registrar();
    let at_once = bench.request(Method::REGISTER);
    bench.reply(granted(&at_once, 600));
    // Told again, although nothing changed: the new connection is to be kept open too.
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    assert!(bench.events.is_empty(), "{:?}", bench.events);
}

#[test]
fn wrong_passwords_are_not_tried_again() {
    let (mut bench, register) = registering();
    bench.reply(with(&register, 401, &[("WWW-Authenticate", CHALLENGE)]));
    let again = bench.request(Method::REGISTER);
    bench.reply(with(&again, 401, &[("WWW-Authenticate", &CHALLENGE.replace("n1", "n2"))]));
    let RegistrationState::Failed { code: Some(401), reason, retry_in: None } = bench.registration() else {
        panic!("the failure is final")
    };
    assert!(reason.contains("password"), "{reason}");
    bench.advance(Duration::from_secs(7_200));
    bench.silent();
}

#[test]
fn a_stale_nonce_is_no_wrong_password() {
    let (mut bench, register) = registering();
    bench.reply(with(&register, 401, &[("WWW-Authenticate", CHALLENGE)]));
    let again = bench.request(Method::REGISTER);
    let stale = CHALLENGE.replace("n1", "n2") + ", stale=true";
    bench.reply(with(&again, 401, &[("WWW-Authenticate", &stale)]));
    let third = bench.request(Method::REGISTER);
    assert!(third.headers.get("Authorization").unwrap().contains("nonce=\"n2\""));
    bench.reply(granted(&third, 600));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
}

/// Answer to the first REGISTER, the state it leads to, and whether it is tried again.
#[test]
fn refusals_lead_to_the_right_state() {
    type Case = (u16, &'static str, &'static [(&'static str, &'static str)], &'static str, bool);
    let cases: [Case; 8] = [
        (
            403,
            "100-acme was taken over by a signed-in user",
            &[("Error-Info", "<urn:tms:problem:registration-in-use>")],
            "conflict",
            false,
        ),
        (403, "100-acme is in use by Yealink T46S (10.0.0.12)", &[], "conflict", false),
        (403, "Forbidden", &[], "does not allow", false),
        (404, "Not Found", &[], "does not know this address", false),
        (503, "Service Unavailable", &[("Retry-After", "100")], "problem", true),
        (500, "Server Internal Error", &[], "problem", true),
        (401, "Unauthorized", &[("WWW-Authenticate", "Basic realm=\"x\"")], "not supported", false),
        (423, "Interval Too Brief", &[("Min-Expires", "60")], "duration", true),
    ];
    for (code, phrase, headers, expected, again) in cases {
        let (mut bench, register) = registering();
        let mut response = with(&register, code, headers);
        response.reason = phrase.into();
        bench.reply(response);
        match bench.registration() {
            RegistrationState::Conflict { code: 403, reason } => {
                assert_eq!((expected, reason.as_str()), ("conflict", phrase));
            }
            RegistrationState::Failed { code: Some(c), reason, retry_in } => {
                assert_eq!((c, retry_in.is_some()), (code, again), "{phrase}");
                assert!(reason.contains(expected), "{reason}");
                if code == 503 {
                    assert_eq!(retry_in, Some(Duration::from_secs(100)));
                }
            }
            other => panic!("{code} {phrase}: {other:?}"),
        }
        bench.advance(Duration::from_secs(101));
        assert_eq!(!bench.sent.is_empty(), again, "{code} {phrase}");
    }
}

#[test]
fn a_silent_server_is_asked_ever_more_rarely() {
    let (mut bench, _) = registering();
    let mut waits = Vec::new();
    for _ in 0..10 {
        bench.advance(Duration::from_secs(32));
        let RegistrationState::Failed { code: Some(408), retry_in: Some(wait), .. } = bench.registration() else {
            panic!("no answer is a failure")
        };
        bench.advance(wait);
        assert_eq!(bench.registration(), RegistrationState::Registering);
        waits.push(wait.as_secs());
    }
    for (n, wait) in waits.iter().enumerate() {
        let longest = (30 << n.min(6)).min(1_800);
        assert!((longest / 2..=longest).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_longer_interval_and_another_registrar_are_accepted() {
    let (mut bench, register) = registering();
    bench.reply(with(&register, 423, &[("Min-Expires", "1800")]));
    let longer = bench.request(Method::REGISTER);
    assert_eq!(longer.headers.get("Expires"), Some("1800"));
    bench.reply(with(&longer, 302, &[("Contact", "<sip:192.0.2.50:5070>")]));
    let (flow, _) = bench.sent.front().cloned().unwrap();
    assert_eq!(flow.remote.to_string(), "192.0.2.50:5070");
    let elsewhere = bench.request(Method::REGISTER);
    assert_eq!((elsewhere.uri.to_string().as_str(), elsewhere.headers.get("Route")), ("sip:192.0.2.50:5070", None));
    bench.reply(granted(&elsewhere, 1800));
    assert_eq!(bench.registration(), RegistrationState::Online { expires: Duration::from_secs(1800) });
}

#[test]
fn redirections_in_a_circle_come_to_an_end() {
    let (mut bench, mut register) = registering();
    for _ in 0..5 {
        bench.reply(with(&register, 302, &[("Contact", "<sip:192.0.2.9:5060>")]));
        register = bench.request(Method::REGISTER);
    }
    bench.reply(with(&register, 302, &[("Contact", "<sip:192.0.2.9:5060>")]));
    let RegistrationState::Failed { reason, .. } = bench.registration() else { panic!("a circle is a failure") };
    assert!(reason.contains("circle"), "{reason}");
}

#[test]
fn a_refresh_that_fails_is_reported() {
    for (code, final_) in [(403, true), (404, true), (500, false)] {
        let (mut bench, register) = registering();
        bench.reply(granted(&register, 120));
        bench.registration();
        bench.advance(Duration::from_secs(102));
        let refresh = bench.request(Method::REGISTER);
        bench.reply(with(&refresh, code, &[]));
        let RegistrationState::Failed { code: Some(c), retry_in, .. } = bench.registration() else {
            panic!("{code}: the registration is lost")
        };
        assert_eq!((c, retry_in.is_none()), (code, final_));
    }
    // Taken over by another device.
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 120));
    bench.registration();
    bench.advance(Duration::from_secs(102));
    let refresh = bench.request(Method::REGISTER);
    let mut response = with(&refresh, 403, &[]);
    response.reason = "In use by Yealink T46S".into();
    bench.reply(response);
    assert!(matches!(bench.registration(), RegistrationState::Conflict { code: 403, .. }));
    bench.sent.clear(); // retransmissions
    bench.advance(Duration::from_secs(7_200));
    bench.pass_over_questions();
    bench.silent();
    // Granted, but not to us.
    let (mut bench, register) = registering();
    bench.reply(with(&register, 200, &[("Contact", "<sip:other@192.0.2.77>;expires=60")]));
    assert!(matches!(bench.registration(), RegistrationState::Failed { .. }));
}

#[test]
fn e8_a_displaced_device_stops_at_once_and_un_registers_nothing() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 120));
    bench.registration();
    let reason = || "In use by Yealink T46S.".to_owned();
    bench.command(Command::Displace { name: "another".into(), code: 409, reason: reason() });
    assert!(bench.events.is_empty());
    bench.command(Command::Displace { name: "100-acme".into(), code: 409, reason: reason() });
    assert_eq!(bench.registration(), RegistrationState::Conflict { code: 409, reason: reason() });
    bench.advance(Duration::from_secs(7_200));
    bench.silent();
    // Until it is chosen again.
    bench.command(Command::SetAccount(Box::new(account(true))));
    bench.request(Method::REGISTER);
}

#[test]
fn another_way_to_the_same_address_of_record_un_registers_nothing() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 600));
    bench.registration();
    let elsewhere = Account { outbound_proxy: Some("sip:192.0.2.8:5060".parse().unwrap()), ..account(true) };
    bench.command(Command::SetAccount(Box::new(elsewhere)));
    let again = bench.request(Method::REGISTER);
    assert_eq!(again.headers.get("Expires"), Some("600"));
    assert_eq!(again.headers.get("Route"), Some("<sip:192.0.2.8:5060;lr>"));
    bench.silent();
    assert!(bench.events.is_empty());
}

#[test]
fn strangers_reach_our_user_only_and_vouch_for_nobody() {
    let stranger = Flow { remote: "198.51.100.7:5060".parse().unwrap(), ..flow() };
    for (user, from, rings, peer) in [
        ("100-acme", stranger, true, "sip:alice@acme"),
        ("service", stranger, false, ""),
        ("service", flow(), true, "sip:boss@acme"),
    ] {
        let (mut bench, register) = registering();
        bench.reply(granted(&register, 600));
        bench.registration();
        let mut invite = incoming(SDP);
        invite.uri = format!("sip:{user}@192.0.2.1:5062").parse().unwrap();
        invite.headers.push("P-Asserted-Identity", "<sip:boss@acme>");
        bench.agent.handle_message(bench.now, from, Message::Request(invite));
        bench.drain();
        bench.response(if rings { 180 } else { 404 });
        if rings {
            assert_eq!(bench.call().peer, peer);
        }
        assert!(bench.events.is_empty());
    }
}

#[test]
fn another_account_reports_the_old_one_offline_first() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 600));
    bench.registration();
    let mut other = account(true);
    other.name = "100-acme-laptop".into();
    bench.command(Command::SetAccount(Box::new(other)));
    assert_eq!(bench.registration(), RegistrationState::Offline);
    assert_eq!(bench.registration(), RegistrationState::Registering);
    let leave = bench.request(Method::REGISTER);
    assert_eq!(leave.headers.get("Expires"), Some("0"));
    assert!(leave.headers.get("Contact").unwrap().ends_with(";expires=0"));
    assert_eq!(leave.headers.get("Call-ID"), register.headers.get("Call-ID"));
    let enter = bench.request(Method::REGISTER);
    assert_eq!(enter.headers.get("Expires"), Some("600"));
    // The old registrar asks for the password; both go on.
    bench.reply(with(&leave, 401, &[("WWW-Authenticate", CHALLENGE)]));
    let leave = bench.request(Method::REGISTER);
    assert!(leave.headers.contains("Authorization"));
    bench.reply(with(&leave, 200, &[]));
    bench.reply(granted(&enter, 600));
    assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
    assert!(bench.events.is_empty());
}

#[test]
fn shutting_down_unregisters_and_then_falls_idle() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 600));
    bench.registration();
    bench.command(Command::Shutdown);
    assert_eq!(bench.registration(), RegistrationState::Offline);
    let leave = bench.request(Method::REGISTER);
    assert!(!bench.idle);
    bench.reply(with(&leave, 200, &[]));
    assert!(bench.idle);
    bench.settle();
    assert_eq!(bench.agent.poll_timeout(), None);
}

#[test]
fn leaving_while_a_retry_is_due_takes_the_contact_back() {
    let (mut bench, register) = registering();
    bench.reply(granted(&register, 600));
    bench.registration();
    bench.advance(Duration::from_secs(10));
    bench.lose_registrar();
    assert!(matches!(bench.registration(), RegistrationState::Failed { .. }));
    bench.command(Command::ClearAccount);
    assert_eq!(bench.registration(), RegistrationState::Offline);
    assert!(bench.request(Method::REGISTER).headers.get("Contact").unwrap().ends_with(";expires=0"));

    // What nobody granted is not taken back.
    let (mut bench, register) = registering();
    bench.reply(with(&register, 503, &[]));
    assert!(matches!(bench.registration(), RegistrationState::Failed { .. }));
    bench.command(Command::ClearAccount);
    assert_eq!(bench.registration(), RegistrationState::Offline);
    bench.silent();
}

#[test]
fn the_service_route_leads_our_calls() {
    let (mut bench, register) = registering();
    let mut response = granted(&register, 600);
    response.headers.push("Service-Route", "<sip:192.0.2.20;lr>, <sip:192.0.2.21;lr>");
    bench.reply(response);
    bench.registration();
    bench.dial("101");
    let (flow, _) = bench.sent.front().cloned().unwrap();
    assert_eq!(flow.remote.to_string(), "192.0.2.20:5060");
    let invite = bench.request(Method::INVITE);
    let routes: Vec<_> = invite.headers.get_all("Route").collect();
    assert_eq!(routes, ["<sip:192.0.2.20;lr>", "<sip:192.0.2.21;lr>"]);
}
