//! Who holds what, credentials, takeover; the rules about P and S.

use axum::http::Method;
use serde_json::json;

use super::queries;

use crate::{
    server::{
        http::testing::{Harness, INSTANCE, OTHER_INSTANCE, Reply},
        registry::Ha1,
        store::query,
    },
    tms::wire::problem,
};

async fn credential(h: &Harness, token: &str, name: &str, takeover: bool) -> Reply {
    let path = format!("/v1/me/registrations/{name}/sip-credential");
    h.post(&path, json!({"instance_id": INSTANCE, "takeover": takeover})).token(token).send().await
}

#[tokio::test]
async fn the_list_tells_who_holds_each() {
    let h = Harness::new().await;
    let token = h.agent().await;
    h.sip.hold("100-acme", Some(OTHER_INSTANCE), None);
    h.sip.hold("100-acme-laptop", Some(INSTANCE), Some(1));
    let list = h.get("/v1/me/registrations").token(&token).send().await;
    let in_use = |this_device: bool| {
        json!({"device": "Desk <phone> & \u{1}co", "address": "10.0.0.12:5060", "since": "2027-01-15T07:43:20Z",
            "this_device": this_device})
    };
    assert_eq!(
        list.json,
        json!([
            {"name": "100-acme", "extension": "100", "kind": "P", "label": "Primary", "ring_inbound": true,
                "in_use": in_use(false)},
            {"name": "100-acme-laptop", "extension": "100", "kind": "S", "label": "Laptop", "ring_inbound": true,
                "in_use": in_use(true)},
        ])
    );
}

#[tokio::test]
async fn a_credential_is_the_sessions_own_and_dies_with_it() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let made = credential(&h, &token, "100-acme-laptop", false).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let username = made.string("username");
    assert!(username.starts_with("100-acme-laptop~") && made.string("aor") == "100-acme-laptop", "{}", made.text);
    assert_eq!(made.string("outbound_proxy"), "sip:127.0.0.1:5060;lr");
    let found = h.registry().credentials("acme", &username).await.expect("asks").expect("known");
    assert!(found.ha1 == Ha1::of(&username, "acme", &made.string("password")));
    assert_eq!((found.registration.as_str(), &found.refused), ("100-acme-laptop", &None));
    assert_eq!(found.session.map(|s| s.instance_id).as_deref(), Some(INSTANCE));
    assert!(h.registry().credentials("other", &username).await.expect("asks").is_none());

    let again = credential(&h, &token, "100-acme-laptop", false).await.string("username");
    assert!(h.registry().credentials("acme", &username).await.expect("asks").is_none(), "the former one still works");
    h.sip.hold("100-acme-laptop", Some(INSTANCE), Some(1));
    h.delete("/v1/sessions/current").token(&token).send().await;
    assert!(h.registry().credentials("acme", &again).await.expect("asks").is_none());
    assert!(h.sip.contacts.lock().expect("unpoisoned").is_empty(), "its contact stays");
    let lasting = h.registry().credentials("acme", "100-acme").await.expect("asks").expect("known");
    assert!(lasting.session.is_none(), "the desk phone's own password goes on working");
}

#[tokio::test]
async fn a_credential_comes_with_what_calls_need_and_a_repeat_without_its_secrets() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let ask = async || {
        let path = "/v1/me/registrations/100-acme-laptop/sip-credential";
        let asked = h.post(path, json!({"instance_id": INSTANCE})).token(&token).header("idempotency-key", "once");
        asked.send().await.json["media"]["turn"].clone()
    };
    let turn = ask().await;
    let ends = 1_800_000_000 + 24 * 3600;
    assert_eq!(turn["uri"], "turn:relay.example:3478");
    assert_eq!(turn["username"], format!("{ends}:100-acme-laptop"), "nobody else's name");
    assert_eq!(turn["expires_at"], "2027-01-16T08:00:00Z");
    assert!(turn["password"].as_str().is_some_and(|password| password.len() == 28), "{turn}");
    let again = ask().await;
    assert_eq!((&again["username"], again.get("password")), (&turn["username"], None));
}

#[tokio::test]
async fn a_credential_expires_with_its_session() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let username = credential(&h, &token, "100-acme", false).await.string("username");
    h.pass(31 * 24 * 3600);
    assert!(h.registry().credentials("acme", &username).await.expect("asks").is_none());
}

#[tokio::test]
async fn in_use_elsewhere_is_a_conflict_until_it_is_taken_over() {
    let h = Harness::new().await;
    let token = h.agent().await;
    h.sip.hold("100-acme", None, None);
    let refused = credential(&h, &token, "100-acme", false).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, problem::REGISTRATION_IN_USE));
    let detail = refused.string("detail");
    assert!(
        detail.contains("Desk") && detail.contains("10.0.0.12:5060") && detail.contains("take it over"),
        "{detail}"
    );

    let taken = credential(&h, &token, "100-acme", true).await;
    assert_eq!(taken.status.as_u16(), 201, "{}", taken.text);
    assert_eq!(h.sip.ordered(), ["take over 100-acme"]);

    // The one who was pushed off has no credential left to come back with.
    let body = json!({"username": h.demo.username, "password": h.demo.password, "instance_id": OTHER_INSTANCE});
    let other = h.post("/v1/sessions", body).header("x-api-key", &h.demo.api_key).send().await.string("token");
    let body = json!({"instance_id": OTHER_INSTANCE, "takeover": true});
    let path = "/v1/me/registrations/100-acme/sip-credential";
    assert_eq!(h.post(path, body).token(&other).send().await.status.as_u16(), 201);
    let first = h.registry().credentials("acme", &taken.string("username")).await.expect("asks");
    assert!(first.is_none());
}

#[tokio::test]
async fn this_devices_own_contact_is_no_conflict() {
    let h = Harness::new().await;
    let token = h.agent().await;
    h.sip.hold("100-acme", Some(INSTANCE), Some(1));
    assert_eq!(credential(&h, &token, "100-acme", false).await.status.as_u16(), 201);
}

#[tokio::test]
async fn nobody_gets_a_credential_for_what_is_not_theirs() {
    let h = Harness::new().await;
    let token = h.agent().await;
    for name in ["101-acme", "100-acme~x", "nothing", "100-acme%00", "%ff", "..%2f..%2fetc"] {
        assert_eq!(credential(&h, &token, name, true).await.status.as_u16(), 404, "{name}");
    }
    let path = "/v1/me/registrations/100-acme/sip-credential";
    let stolen = h.post(path, json!({"instance_id": OTHER_INSTANCE})).token(&token).send().await;
    assert_eq!(stolen.status.as_u16(), 403, "a token carried to another installation works there");
    let unlike = h.post(path, json!({"instance_id": "x"})).token(&token).send().await;
    assert_eq!(unlike.status.as_u16(), 422);
}

const REGISTRATIONS: &str = "/v1/accounts/acme/extensions/101/registrations";

#[tokio::test]
async fn an_extension_has_one_p_and_at_most_two_s() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let add = |username: &str| h.post(REGISTRATIONS, json!({"username": username})).token(&token).send();
    for (username, status, word) in [
        ("laptop", 201, ""),
        ("laptop", 409, "exists already"),
        ("Mobile Phone", 422, "lower-case"),
        ("", 422, "1 to 20"),
        ("mobile", 201, ""),
        ("third", 409, "at most two"),
    ] {
        let reply = add(username).await;
        assert_eq!(reply.status.as_u16(), status, "{username}: {}", reply.text);
        assert!(reply.text.contains(word), "{username}: {}", reply.text);
    }
    let list = h.get(REGISTRATIONS).token(&token).send().await;
    let kinds: Vec<_> = list.json.as_array().expect("a list").iter().map(|r| r["kind"].clone()).collect();
    assert_eq!(kinds, ["P", "S", "S"]);
    let gone = |name: &str| h.delete(&format!("{REGISTRATIONS}/{name}")).token(&token).send();
    assert_eq!(gone("101-acme").await.status.as_u16(), 409, "the primary was removed");
    assert_eq!(gone("100-acme-laptop").await.status.as_u16(), 404, "another extension's was removed");
    assert_eq!(gone("101-acme-laptop").await.status.as_u16(), 204);
    assert_eq!(add("third").await.status.as_u16(), 201, "the free place is used again");
}

#[tokio::test]
async fn express_has_no_additional_registration_and_none_while_it_is_lowered() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let edition = |edition: &str| h.patch("/v1/accounts/acme", json!({"edition": edition})).token(&token).send();
    let lowered = edition("express").await;
    assert_eq!((lowered.status.as_u16(), lowered.kind()), (409, "urn:tms:problem:edition"), "{}", lowered.text);
    let laptop = "/v1/accounts/acme/extensions/100/registrations/100-acme-laptop";
    assert_eq!(h.delete(laptop).token(&token).send().await.status.as_u16(), 204);
    assert_eq!(edition("express").await.status.as_u16(), 200);
    let refused = h.post(REGISTRATIONS, json!({"username": "laptop"})).token(&token).send().await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (409, "urn:tms:problem:edition"), "{}", refused.text);
    assert_eq!(edition("integrator").await.status.as_u16(), 200);
    assert_eq!(h.post(REGISTRATIONS, json!({"username": "laptop"})).token(&token).send().await.status.as_u16(), 201);
}

#[tokio::test]
async fn the_database_keeps_the_rules_without_the_code() {
    let h = Harness::new().await;
    for (what, statement) in [
        (
            "a second P",
            "INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
            SELECT extension_id, account_id, edition, 0, 'x-acme', 'x', 1, 0 FROM registration WHERE name = '100-acme'",
        ),
        (
            "a fourth place",
            "INSERT INTO registration (extension_id, account_id, edition, slot, name, label, ring_inbound, created_at)
            SELECT extension_id, account_id, edition, 3, 'x-acme', 'x', 1, 0 FROM registration WHERE name = '100-acme'",
        ),
        ("no P", "DELETE FROM registration WHERE name = '100-acme'"),
        ("Express with an S", "UPDATE account SET edition = 'express'"),
        ("another realm", "UPDATE account SET realm = 'other'"),
        ("a silent P", "UPDATE registration SET ring_inbound = FALSE WHERE name = '100-acme'"),
        ("a name like a session's", "UPDATE registration SET name = '100-acme~x' WHERE name = '100-acme'"),
        ("an altered audit", "UPDATE audit SET actor = 'x'"),
        ("a foreign key's account", "UPDATE extension SET api_key_id = 999"),
    ] {
        if what == "an altered audit" {
            h.operator().await;
        }
        assert!(query(statement).execute(&h.app.store).await.is_err(), "{what} is possible");
    }
}

#[tokio::test]
async fn a_change_reaches_routing_and_the_holder() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let rings = async || h.registry().ring_group("acme", "100").await.expect("asks").map(|g| g.registrations);
    let laptop = "/v1/accounts/acme/extensions/100/registrations/100-acme-laptop";
    let change = |path: &'static str, body| h.patch(path, body).token(&token).send();
    assert_eq!(rings().await, Some(vec!["100-acme".to_owned(), "100-acme-laptop".to_owned()]));
    assert_eq!(change(laptop, json!({"ring_inbound": false})).await.json["ring_inbound"], false);
    assert_eq!(rings().await, Some(vec!["100-acme".to_owned()]));
    let primary = "/v1/accounts/acme/extensions/100/registrations/100-acme";
    assert_eq!(change(primary, json!({"ring_inbound": false})).await.status.as_u16(), 422);

    h.sip.hold("100-acme", None, None);
    assert_eq!(change(primary, json!({"enabled": false})).await.json["holder"], json!(null));
    assert_eq!(rings().await, Some(vec![]));
    let refused = h.registry().credentials("acme", "100-acme").await.expect("asks").expect("known").refused;
    assert!(refused.expect("refused").contains("disabled"));
    assert_eq!(change("/v1/accounts/acme/extensions/100", json!({"enabled": false})).await.status.as_u16(), 200);
    assert_eq!(rings().await, None);
    assert!(h.registry().serves("acme").await.expect("asks") && !h.registry().serves("other").await.expect("asks"));
    let kind = h.registry().registration("acme", "100-acme-laptop").await.expect("asks").expect("known").kind;
    assert_eq!(kind, crate::tms::wire::Kind::S);
}

#[tokio::test]
async fn a_lasting_password_is_shown_once_and_replaces_the_last() {
    let h = Harness::new().await;
    let token = h.operator().await;
    h.sip.hold("101-acme", None, None);
    let path = "/v1/accounts/acme/extensions/101/registrations/101-acme/sip-password";
    let made = h.call(Method::POST, path).token(&token).send().await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let stored = h.registry().credentials("acme", "101-acme").await.expect("asks").expect("known").ha1;
    assert!(stored == Ha1::of("101-acme", "acme", &made.string("password")));
    assert_eq!(h.sip.ordered(), ["remove 101-acme"], "the device with the old password stays");
}

#[tokio::test]
async fn a_credential_is_stored_only_while_the_registration_is_the_sessions_own() {
    let h = Harness::new().await;
    h.agent().await;
    let store = async || {
        let mut tx = h.app.store.begin().await.expect("begins");
        let ha1 = Ha1::of("100-acme~abcd", "acme", "secret");
        let id: i64 = query("SELECT id FROM registration WHERE name = '100-acme'").scalar(&mut tx).await.expect("one");
        queries::set_credential(&mut tx, 1, id, "100-acme~abcd", &ha1, 1).await.expect("asks")
    };
    assert!(store().await);
    for statement in [
        "UPDATE registration SET enabled = FALSE WHERE name = '100-acme'",
        "UPDATE extension SET membership_id = NULL WHERE number = '100'",
        "DELETE FROM session",
    ] {
        query(statement).execute(&h.app.store).await.expect(statement);
        assert!(!store().await, "{statement}");
    }
}
