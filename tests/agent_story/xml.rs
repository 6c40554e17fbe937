//! The same TMS, known by its XML API only: tenant and key, and the lasting SIP password.

use crate::tms::{Tms, row, select};
use serde_json::{Value, json};
use std::time::Duration;

const PRIMARY: &str = "100-acme";
const SECONDARY: &str = "100-acme-laptop";

#[test]
fn tenant_key_and_sip_password_bring_a_registration_online() {
    let tms = Tms::start(false);
    let password = tms.sip_password(SECONDARY);
    let mut phone = tms.phone_by_xml("agent", tms.demo("api_key"), &password, &[]);
    phone.wait(json!({"event": "login", "state": "initialized"}));
    let held = row(&mut phone, PRIMARY);
    assert_eq!((&held["kind"], &held["in_use"]["device"]), (&json!("P"), &json!("Yealink T46S")), "{held}");
    let conflict = select(&mut phone, PRIMARY, true, "conflict");
    assert!(conflict["reason"].as_str().is_some_and(|r| r.contains("in use by Yealink T46S")), "{conflict}");

    select(&mut phone, SECONDARY, false, "online");
    assert_eq!(row(&mut phone, SECONDARY)["in_use"]["this_device"], true);
    phone.send(json!({"cmd": "dial", "to": "101"}));
    phone.wait(json!({"event": "call", "direction": "out", "state": "connected"}));
    phone.quit();

    let phone = tms.phone_by_xml("agent", tms.demo("api_key"), &password, &[]);
    phone.wait(json!({"event": "registration", "name": SECONDARY, "state": "online"}));
    phone.quit();
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let tms = Tms::start(true);
    let mut phone = tms.phone_by_xml("key", "tms_wrong", "x", &[]);
    let refused = phone.wait(json!({"event": "login", "state": "refused"}));
    assert!(refused["reason"].as_str().is_some_and(|r| r.contains("tenant name or the key is wrong")), "{refused}");
    assert_eq!(phone.exit_code(), Some(3));

    let phone = tms.phone_by_xml("password", tms.demo("api_key"), "wrong", &["--registration", SECONDARY]);
    let failed = phone.wait(json!({"event": "registration", "name": SECONDARY, "state": "failed"}));
    assert!(failed["reason"].as_str().is_some_and(|r| r.contains("password")), "{failed}");
    phone.quit();

    let phone = tms.phone_by_xml("none", tms.demo("api_key"), "", &["--registration", SECONDARY]);
    let failed = phone.wait(json!({"event": "registration", "name": SECONDARY, "state": "failed"}));
    assert!(failed["reason"].as_str().is_some_and(|r| r.contains("AGENT_MANAGER_PASSWORD")), "{failed}");
    phone.quit();
}

#[test]
fn a_key_that_is_revoked_ends_the_session_with_the_reason() {
    let tms = Tms::start(true);
    let password = tms.sip_password(SECONDARY);
    let mut phone = tms.phone_by_xml("agent", tms.demo("api_key"), &password, &["--registration", SECONDARY]);
    phone.wait(json!({"event": "registration", "name": SECONDARY, "state": "online"}));
    let keys = tms.ask("GET", "/v1/accounts/acme/api-keys", &Value::Null);
    tms.ask("DELETE", &format!("/v1/accounts/acme/api-keys/{}", keys[0]["id"]), &Value::Null);
    // It is asked every half minute at the latest; a look at the list is soon enough.
    phone.send(json!({"cmd": "registrations", "id": "look"}));
    phone.wait(json!({"event": "error", "id": "look"}));
    let refused = phone.wait_for(Duration::from_secs(20), json!({"event": "login", "state": "refused"}));
    assert!(refused["reason"].as_str().is_some_and(|r| r.contains("revoked")), "{refused}");
    phone.wait(json!({"event": "registration", "name": SECONDARY, "state": "offline"}));
    phone.quit();
}
