//! Signing in by a one-time link instead of password and key.

use crate::tms::{Tms, select};
use serde_json::json;

const SECONDARY: &str = "100-acme-laptop";

#[test]
fn a_link_opens_the_softphone_signed_in_and_online_once_and_for_the_next_starts() {
    let tms = Tms::start(true);
    let link = tms.link(&format!("&registration={SECONDARY}"));
    let online = || json!({"event": "registration", "name": SECONDARY, "state": "online"});
    let phone = tms.phone_by("agent", Some(&link));
    phone.wait(json!({"event": "login", "state": "initialized"}));
    phone.wait(online());
    phone.quit();

    let phone = tms.phone_by("agent", None);
    phone.wait(online());
    phone.quit();

    let mut late = tms.phone_by("late", Some(&link));
    let refused = late.wait(json!({"event": "login", "state": "refused"}));
    assert!(refused["reason"].as_str().is_some_and(|r| r.contains("used already")), "{refused}");
    assert_eq!(late.exit_code(), Some(3));
}

#[test]
fn a_link_without_a_registration_only_signs_in_and_ends_with_the_login() {
    let tms = Tms::start(true);
    let mut phone = tms.phone_by("agent", Some(&tms.link("")));
    phone.wait(json!({"event": "login", "state": "initialized"}));
    select(&mut phone, SECONDARY, false, "online");
    let login = format!("/v1/accounts/acme/logins/{}", tms.demo("username"));
    tms.ask("PATCH", &login, &json!({"enabled": false}));
    let refused = phone.wait(json!({"event": "login", "state": "refused"}));
    let reason = refused["reason"].as_str().expect("a reason");
    assert!(reason.contains("disabled") && reason.contains("Ask for a new link"), "{reason}");
    phone.wait(json!({"event": "registration", "name": SECONDARY, "state": "offline"}));
    phone.quit();
}
