//! Two Kamailios, each with a `tms` beside it, on one PostgreSQL: what is ordered at one happens at the other, and neither is the
//! master.

use crate::{
    phone::Phone,
    process::{binary, poll_until},
    provider::Kamailio,
    tms::{Tms, row, select},
};
use serde_json::json;
use std::{process::Command, thread, time::Duration};

const SECONDARY: &str = "100-acme-laptop";

#[test]
fn two_nodes_share_one_database_without_a_master() {
    let mut first = Tms::start_provider(true);
    let folder = tempfile::tempdir().expect("a folder");
    let kamailio = Kamailio::start_as("1", folder.path(), &first.provider().postgres, None);
    let second = first.beside(&kamailio);
    let [username, password, key] = ["username", "password", "api_key"].map(|field| first.demo(field).to_owned());
    let sign_in = |tms: &Tms, name: &str| -> Phone {
        let phone = tms.phone_as(name, &username, &password, &key);
        phone.wait(json!({"event": "login", "state": "initialized"}));
        phone
    };

    // Held at the second node, seen at the first, and taken over there: the second node lets go.
    let mut far = sign_in(&second, "far");
    select(&mut far, SECONDARY, false, "online");
    let mut near = sign_in(&first, "near");
    let conflict = select(&mut near, SECONDARY, false, "conflict");
    assert!(conflict["reason"].as_str().is_some_and(|r| r.contains("in use by")), "{conflict}");
    select(&mut near, SECONDARY, true, "online");
    far.wait_for(Duration::from_secs(5), json!({"event": "registration", "name": SECONDARY, "state": "conflict"}));
    assert_eq!(row(&mut near, SECONDARY)["in_use"]["this_device"], true);
    let refused = select(&mut far, SECONDARY, false, "conflict");
    assert!(refused["reason"].as_str().is_some_and(|r| r.contains("in use by")), "{refused}");
    far.quit();

    // Disabled at the second, signed out and off the air at the first.
    let login = format!("/v1/accounts/acme/logins/{username}");
    second.ask("PATCH", &login, &json!({"enabled": false}));
    near.wait_for(Duration::from_secs(5), json!({"event": "login", "state": "refused"}));
    assert_eq!(free(&second), Some(()), "its contact is left");
    near.quit();
    second.ask("PATCH", &login, &json!({"enabled": true}));

    // Both write at once; then one is killed, and the other goes on.
    thread::scope(|scope| {
        for (tms, from) in [(&first, 700), (&second, 800)] {
            scope.spawn(move || (from..from + 20).for_each(|number| add_extension(tms, number)));
        }
    });
    first.stop();
    add_extension(&second, 900);
    let mut again = sign_in(&second, "again");
    select(&mut again, SECONDARY, false, "online");
    again.quit();
    let database = first.provider().postgres.url("tms");
    let verified = Command::new(binary("tms")).args(["audit", "verify", "--database-url", &database]).output();
    let verified = verified.expect("tms runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    for node in [&kamailio, &first.provider().kamailio] {
        assert_eq!(node.complaints(), Vec::<String>::new());
    }
}

/// Once nobody holds the additional registration.
fn free(tms: &Tms) -> Option<()> {
    poll_until(Duration::from_secs(5), || tms.holder(SECONDARY).is_null().then_some(()))
}

fn add_extension(tms: &Tms, number: u32) {
    tms.ask("POST", "/v1/accounts/acme/extensions", &json!({"number": number.to_string(), "name": "N"}));
}
