//! What is changed at the TMS reaches the softphone by itself, within a second.

use crate::{
    phone::Phone,
    process::poll_until,
    tms::{Tms, select},
};
use serde_json::{Value, json};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(1);
const SECONDARY: &str = "100-acme-laptop";
const EXTENSION: &str = "/v1/accounts/acme/extensions/100";
const REGISTRATIONS: &str = "/v1/accounts/acme/extensions/100/registrations";

/// The list as last told without being asked for.
fn shown(phone: &Phone) -> Vec<Value> {
    let events = phone.events();
    let told = events.iter().rev().find(|event| event["event"] == "registrations" && event.get("id").is_none());
    told.and_then(|event| event["list"].as_array().cloned()).unwrap_or_default()
}

#[track_caller]
fn shows_soon(phone: &Phone, what: &str, is_so: impl Fn(&Value) -> bool) {
    let seen = poll_until(SOON, || shown(phone).iter().any(&is_so).then_some(()));
    assert!(seen.is_some(), "{what} does not show within {SOON:?}: {:?}", shown(phone));
}

#[test]
fn the_list_of_registrations_is_live() {
    let tms = Tms::start(true);
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"emergency_numbers": ["144"]}));
    let agent = tms.agent("agent");
    let mut other = tms.agent("other");
    shows_soon(&agent, "the list", |row| row["name"] == SECONDARY && row["ring_inbound"] == true);
    tms.ask("PATCH", &format!("{REGISTRATIONS}/{SECONDARY}"), &json!({"ring_inbound": false}));
    shows_soon(&agent, "ring inbound", |row| row["name"] == SECONDARY && row["ring_inbound"] == false);
    tms.ask("POST", REGISTRATIONS, &json!({"username": "home", "label": "At home"}));
    shows_soon(&agent, "a new registration", |row| row["name"] == "100-acme-home" && row["label"] == "At home");
    select(&mut other, SECONDARY, false, "online");
    shows_soon(&agent, "who came", |row| row["name"] == SECONDARY && row["in_use"]["this_device"] == false);
    other.send(json!({"cmd": "offline"}));
    shows_soon(&agent, "who went", |row| row["name"] == SECONDARY && row.get("in_use").is_none());
    dials_the_accounts_emergency_numbers(&mut other);
    other.quit();
    tms.ask("DELETE", &format!("{REGISTRATIONS}/100-acme-home"), &Value::Null);
    let gone = poll_until(SOON, || (shown(&agent).len() == 2).then_some(()));
    assert!(gone.is_some(), "{:?}", shown(&agent));
    agent.quit();
}

/// Offline: those, and no others. The TMS has no line out, and says so.
fn dials_the_accounts_emergency_numbers(phone: &mut Phone) {
    phone.wait(json!({"event": "registration", "state": "offline"}));
    phone.send(json!({"cmd": "dial", "to": "999"}));
    let refused = phone.wait(json!({"event": "error", "cmd": "dial"}));
    assert!(refused["message"].as_str().is_some_and(|why| why.contains("offline")), "{refused}");
    phone.send(json!({"cmd": "dial", "to": "144"}));
    let ended = phone.wait(json!({"event": "call", "state": "ended"}));
    assert_eq!(ended["code"], 404, "{ended}");
}

#[test]
fn a_takeover_elsewhere_is_told_at_once() {
    let tms = Tms::start(true);
    let mut agent = tms.agent("agent");
    select(&mut agent, SECONDARY, false, "online");
    let mut other = tms.agent("other");
    select(&mut other, SECONDARY, true, "online");
    let conflict = json!({"event": "registration", "name": SECONDARY, "state": "conflict"});
    let lost = agent.wait_for(SOON, conflict);
    // Which word comes first, the takeover's or the list's, is a matter of milliseconds.
    let told = |reason: &str| reason.contains("taken over") || reason.contains("is in use by");
    assert!(lost["reason"].as_str().is_some_and(told), "{lost}");
    agent.quit();
    other.quit();
}

#[test]
fn a_registration_that_is_removed_is_given_up_with_the_reason() {
    let tms = Tms::start(true);
    let mut agent = tms.agent("agent");
    select(&mut agent, SECONDARY, false, "online");
    shows_soon(&agent, "we", |row| row["name"] == SECONDARY && row["in_use"]["this_device"] == true);
    // What proves that calls arrive says so, too.
    let is_seen = |event: &Value| event["event"] == "registration" && event["proof"]["tms_sees"] == true;
    let seen = poll_until(SOON, || agent.events().iter().any(is_seen).then_some(()));
    assert!(seen.is_some(), "{:?}", agent.events());
    tms.ask("DELETE", &format!("{REGISTRATIONS}/{SECONDARY}"), &Value::Null);
    agent.wait_for(SOON, json!({"event": "registration", "name": SECONDARY, "state": "offline"}));
    let error = agent.wait(json!({"event": "error", "cmd": "select"}));
    assert!(error["message"].as_str().is_some_and(|m| m.contains(SECONDARY)), "{error}");
    agent.quit();
}

/// What the manager does.
type Change = fn(&Tms);

#[test]
fn whoever_is_disabled_is_signed_out_at_once_with_the_reason_and_keeps_the_call() {
    let cases: [(&str, Change, &str); 5] = [
        (
            "the login",
            |tms| {
                let login = format!("/v1/accounts/acme/logins/{}", tms.demo("username"));
                tms.ask("PATCH", &login, &json!({"enabled": false}));
            },
            "login was disabled",
        ),
        ("the account", |tms| drop(tms.ask("PATCH", "/v1/accounts/acme", &json!({"enabled": false}))), "account"),
        ("the extension", |tms| drop(tms.ask("PATCH", EXTENSION, &json!({"enabled": false}))), "extension"),
        ("the key on the extension", |tms| drop(tms.ask("PATCH", EXTENSION, &json!({"api_key": null}))), "API key"),
        (
            "the key",
            |tms| {
                let keys = tms.ask("GET", "/v1/accounts/acme/api-keys", &Value::Null);
                tms.ask("DELETE", &format!("/v1/accounts/acme/api-keys/{}", keys[0]["id"]), &Value::Null);
            },
            "revoked",
        ),
    ];
    for (what, change, words) in cases {
        let tms = Tms::start(true);
        let mut agent = tms.agent("agent");
        select(&mut agent, SECONDARY, false, "online");
        agent.send(json!({"cmd": "dial", "to": "600"}));
        let call = agent.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        change(&tms);
        let refused = agent.wait_for(SOON, json!({"event": "login", "state": "refused"}));
        let reason = refused["reason"].as_str().expect("a reason");
        assert!(reason.contains(words) && reason.len() > 30, "{what}: {reason}");
        agent.wait_for(SOON, json!({"event": "registration", "name": SECONDARY, "state": "offline"}));
        let before = agent.stats_until(&call, |_| true)["rx"]["packets"].as_u64();
        agent.stats_until(&call, |stats| stats["rx"]["packets"].as_u64() > before.map(|n| n + 20));
        let ended = |event: &&Value| event["event"] == "call" && event["state"] == "ended";
        assert_eq!(agent.events().iter().find(ended), None, "{what}: the call goes on");
        agent.quit();
    }
}
