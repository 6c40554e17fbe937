//! Accounts: who may, what is taken, and what switching one off does.

use serde_json::json;

use crate::server::{
    http::testing::{Harness, INSTANCE},
    store,
};

#[tokio::test]
async fn an_operator_adds_and_alters_accounts() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let add = |body| h.post("/v1/accounts", body).token(&token).send();
    let new = json!({"name": " Beta Ltd ", "tenant": "beta", "edition": "express", "unknown": "ignored"});
    let made = add(new.clone()).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let shown = json!({"name": "Beta Ltd", "tenant": "beta", "realm": "beta", "edition": "express", "enabled": true,
        "time_zone": "UTC", "parent": null, "emergency_numbers": ["112", "911", "999", "10111", "10177"],
        "srtp": "optional", "recording": "allowed", "recording_tone": false});
    assert_eq!(made.json, shown);
    assert_eq!(h.get("/v1/accounts/beta").token(&token).send().await.json, shown);
    for (body, status, word) in [
        (new, 409, "exists already"),
        (json!({"name": "B", "tenant": "gamma", "realm": "acme", "edition": "express"}), 409, "exists already"),
        (json!({"name": "B", "tenant": "two words", "edition": "express"}), 422, "lower-case"),
        (json!({"name": "B", "tenant": "b", "edition": "express"}), 422, "2 to 30"),
        (json!({"name": "", "tenant": "gamma", "edition": "express"}), 422, "empty"),
        (json!({"name": "a\u{7}b", "tenant": "gamma", "edition": "express"}), 422, "control"),
        (json!({"name": "x".repeat(101), "tenant": "gamma", "edition": "express"}), 422, "100 characters"),
        (json!({"name": "B", "tenant": "gamma", "edition": "gold"}), 422, "unknown variant"),
        (json!({"name": "B", "tenant": "gamma"}), 422, "missing field"),
        (json!({"name": "B", "tenant": "gamma", "realm": "Über", "edition": "express"}), 422, "realm"),
        (json!({"name": "B", "tenant": "gamma", "time_zone": "Mars/Base", "edition": "express"}), 422, "time_zone"),
        (
            json!({"name": "B", "tenant": "gamma", "parent": "nobody", "edition": "express"}),
            422,
            "no account with this tenant",
        ),
    ] {
        let reply = add(body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{body}: {}", reply.text);
        assert!(reply.string("detail").contains(word), "{body}: {}", reply.text);
    }
    let list = h.get("/v1/accounts").token(&token).send().await;
    let tenants: Vec<_> = list.json.as_array().expect("a list").iter().map(|a| a["tenant"].clone()).collect();
    assert_eq!(tenants, ["acme", "beta"]);
    let renamed = h.patch("/v1/accounts/beta", json!({"name": "Beta"})).token(&token).send().await;
    assert_eq!(renamed.json["name"], "Beta");
    let audit = h.get("/v1/accounts/beta/audit").token(&token).send().await;
    let actions: Vec<_> = audit.json.as_array().expect("a list").iter().map(|e| e["action"].clone()).collect();
    assert_eq!(actions, ["alter account", "create account"]);
}

#[tokio::test]
async fn switching_an_account_off_ends_its_sessions_and_devices() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    h.sip.hold("101-acme", None, None);
    let off = h.patch("/v1/accounts/acme", json!({"enabled": false})).token(&operator).send().await;
    assert_eq!(off.json["enabled"], false);
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 401);
    assert!(h.sip.contacts.lock().expect("unpoisoned").is_empty());
    let refused = h.registry().credentials("acme", "101-acme").await.expect("asks").expect("known").refused;
    assert!(refused.expect("refused").contains("account"));
    h.patch("/v1/accounts/acme", json!({"enabled": true})).token(&operator).send().await;
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 401, "the old session came back");
    h.agent().await;
}

/// A second tenant with an administrator; his token.
async fn other_tenant(h: &Harness) -> String {
    let operator = h.operator().await;
    let account = json!({"name": "Beta", "tenant": "beta", "edition": "enterprise"});
    h.post("/v1/accounts", account).token(&operator).send().await;
    let login =
        json!({"username": "boss@beta.example", "name": "Boss", "password": "a long enough one", "role": "admin"});
    let made = h.post("/v1/accounts/beta/logins", login).token(&operator).send().await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let token = h.manager("boss@beta.example", "a long enough one").await;
    assert_eq!(h.get("/v1/accounts/beta").token(&token).send().await.status.as_u16(), 403, "pending, yet manages");
    h.call(axum::http::Method::POST, "/v1/manage/memberships/beta/enable").token(&token).send().await;
    assert_eq!(h.get("/v1/accounts/beta").token(&token).send().await.status.as_u16(), 200);
    token
}

#[tokio::test]
async fn an_administrator_manages_his_own_account_but_not_its_edition() {
    let h = Harness::new().await;
    let boss = other_tenant(&h).await;
    let change = |body| h.patch("/v1/accounts/beta", body).token(&boss).send();
    assert_eq!(change(json!({"name": "Better"})).await.status.as_u16(), 200);
    for body in [json!({"edition": "integrator"}), json!({"enabled": false})] {
        assert_eq!(change(body).await.status.as_u16(), 403);
    }
    let extension = json!({"number": "200", "name": "First"});
    assert_eq!(h.post("/v1/accounts/beta/extensions", extension).token(&boss).send().await.status.as_u16(), 201);
}

#[tokio::test]
async fn an_administrator_manages_the_accounts_below_his_own() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let boss = other_tenant(&h).await;
    let add = |tenant: &str, parent: &str| {
        let body = json!({"name": tenant, "tenant": tenant, "edition": "enterprise", "parent": parent});
        h.post("/v1/accounts", body).token(&operator).send()
    };
    assert_eq!(add("branch", "beta").await.json["parent"], "beta");
    assert_eq!(add("desk", "branch").await.status.as_u16(), 201);
    let list = h.get("/v1/accounts").token(&boss).send().await;
    let tenants: Vec<_> = list.json.as_array().expect("a list").iter().map(|a| a["tenant"].clone()).collect();
    assert_eq!(tenants, ["beta", "branch", "desk"]);
    let named = h.patch("/v1/accounts/desk", json!({"time_zone": "Europe/Berlin"})).token(&boss).send().await;
    assert_eq!(named.json["time_zone"], "Europe/Berlin", "{}", named.text);

    // Whoever is an administrator below has no say above, and beside there is nothing for either.
    let below = h.member("branch", "admin@branch.example", "admin").await;
    for (token, tenant, status) in [(&below, "beta", 404), (&below, "desk", 200), (&boss, "acme", 404)] {
        assert_eq!(
            h.get(&format!("/v1/accounts/{tenant}")).token(token).send().await.status.as_u16(),
            status,
            "{tenant}"
        );
    }
    h.patch("/v1/accounts/beta", json!({"enabled": false})).token(&operator).send().await;
    assert_eq!(h.get("/v1/accounts/desk").token(&boss).send().await.status.as_u16(), 404, "by a disabled account");
    let moved = store::query("UPDATE account SET parent_id = NULL WHERE tenant = 'desk'").execute(&h.app.store).await;
    assert!(moved.is_err(), "an account was moved in the tree");
}

/// What is not said stays; the account's softphones are told as they come online, and nobody else's.
#[tokio::test]
async fn an_account_says_how_its_calls_are_encrypted_and_recorded() {
    let h = Harness::new().await;
    let (admin, boss) = (h.manager(&h.demo.admin.username, &h.demo.admin.password).await, other_tenant(&h).await);
    let alter = |tenant: &str, body| h.patch(&format!("/v1/accounts/{tenant}"), body).token(&admin).send();
    let agent = h.agent().await;
    let told = async || {
        let path = "/v1/me/registrations/100-acme-laptop/sip-credential";
        let media = h.post(path, json!({"instance_id": INSTANCE})).token(&agent).send().await.json["media"].take();
        json!([media["srtp"], media["recording"], media["recording_tone"]])
    };
    assert_eq!(told().await, json!(["optional", "allowed", false]));
    for (body, expected) in [
        (json!({"srtp": "dtls"}), json!(["dtls", "allowed", false])),
        (json!({"recording": "forbidden"}), json!(["dtls", "forbidden", false])),
        (json!({"recording": "required", "recording_tone": true}), json!(["dtls", "required", true])),
        (json!({"name": "Acme"}), json!(["dtls", "required", true])),
        (json!({"srtp": "sdes"}), json!(["sdes", "required", true])),
        (json!({"srtp": "off", "recording_tone": false}), json!(["off", "required", false])),
    ] {
        let altered = alter("acme", body.clone()).await.json;
        assert_eq!(json!([altered["srtp"], altered["recording"], altered["recording_tone"]]), expected, "{body}");
        assert_eq!(told().await, expected, "{body}");
    }
    for body in [json!({"srtp": "zrtp"}), json!({"recording": "some"}), json!({"recording_tone": "yes"})] {
        assert_eq!(alter("acme", body.clone()).await.status.as_u16(), 422, "{body}");
    }
    assert_eq!(alter("beta", json!({"recording": "forbidden"})).await.status.as_u16(), 404, "somebody else's");
    assert_eq!(h.get("/v1/accounts/beta").token(&boss).send().await.json["recording"], "allowed");
    let agents = h.patch("/v1/accounts/acme", json!({"recording": "allowed"})).token(&agent).send().await;
    assert_eq!(agents.status.as_u16(), 401, "an agent's session manages nothing");
    let audit = h.get("/v1/accounts/acme/audit").token(&admin).send().await;
    let altered = |entry: &&serde_json::Value| entry["action"] == "alter account";
    assert_eq!(audit.json.as_array().expect("a list").iter().filter(altered).count(), 6);
    let wrong = store::query("UPDATE account SET recording = 'some'").execute(&h.app.store).await;
    assert!(wrong.is_err(), "the database takes any word");
}

/// Each account has its own; a new one begins with the installation's, and the softphone is told at its sign-in.
#[tokio::test]
async fn emergency_numbers_are_those_of_the_account() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let boss = other_tenant(&h).await;
    let alter = |tenant: &str, list| {
        h.patch(&format!("/v1/accounts/{tenant}"), json!({"emergency_numbers": list})).token(&operator).send()
    };
    let is_one = async |realm: &str, number: &str| h.registry().is_emergency(realm, number).await.expect("asks");
    let own = h.patch("/v1/accounts/beta", json!({"emergency_numbers": ["144", "112", "144"]})).token(&boss).send();
    assert_eq!(own.await.json["emergency_numbers"], json!(["112", "144"]));
    for (realm, number, expected) in [
        ("beta", "144", true),
        ("beta", "999", false),
        ("acme", "144", false),
        ("acme", "999", true),
        ("no", "112", false),
    ] {
        assert_eq!(is_one(realm, number).await, expected, "{number} in {realm}");
    }
    for (list, word) in [
        (json!([]), "must not be empty"),
        (json!(["1"]), "2 to 6 digits"),
        (json!(["112", "0900123"]), "2 to 6 digits"),
        (json!(["police"]), "2 to 6 digits"),
        (json!((100..121).map(|n| n.to_string()).collect::<Vec<_>>()), "20 at most"),
    ] {
        let refused = alter("beta", list.clone()).await;
        assert!(refused.status == 422 && refused.string("detail").contains(word), "{list}: {}", refused.text);
    }
    store::query("DELETE FROM emergency_number WHERE number <> '911'").execute(&h.app.store).await.expect("removes");
    let new = json!({"name": "New", "tenant": "new", "edition": "express"});
    let made = h.post("/v1/accounts", new).token(&operator).send().await;
    assert_eq!(made.json["emergency_numbers"], json!(["911"]), "{}", made.text);
    alter("acme", json!(["110"])).await;
    let signed_in = h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await;
    assert_eq!(signed_in.json["account"]["emergency_numbers"], json!(["110"]), "{}", signed_in.text);
    let me = h.get("/v1/me").token(&signed_in.string("token")).send().await;
    assert_eq!(me.json["account"]["emergency_numbers"], json!(["110"]));
    let wrong = store::query("UPDATE account SET emergency_numbers = '112;0900'").execute(&h.app.store).await;
    assert!(wrong.is_err(), "the database takes anything");
}

#[tokio::test]
async fn an_extensions_number_is_no_emergency() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    for number in ["112", "150"] {
        let body = json!({"number": number, "name": "Desk"});
        let made = h.post("/v1/accounts/acme/extensions", body).token(&operator).send().await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    }
    let list = json!({"emergency_numbers": ["112", "150", "199"]});
    assert_eq!(h.patch("/v1/accounts/acme", list).token(&operator).send().await.status.as_u16(), 200);
    let is_as_said = async |number: &str, expected: bool| {
        assert_eq!(h.registry().is_emergency("acme", number).await.expect("asks"), expected, "{number}");
        if h.app.store.postgres().is_some() {
            let asked =
                store::query("SELECT is_emergency(id, $1) AS says FROM account WHERE realm = 'acme'").bind(number);
            assert_eq!(asked.scalar::<bool>(&h.app.store).await.expect("asks"), expected, "{number} at Kamailio");
        }
    };
    for (number, expected) in [("112", true), ("150", false), ("199", true), ("911", false)] {
        is_as_said(number, expected).await;
    }
    let off = h.patch("/v1/accounts/acme/extensions/150", json!({"enabled": false})).token(&operator).send().await;
    assert_eq!(off.status.as_u16(), 200, "{}", off.text);
    is_as_said("150", true).await;
}

/// Whoever runs the TMS writes any number into the table; a new account takes what a list may have.
#[tokio::test]
async fn a_new_account_takes_a_list_that_it_could_send_back() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let make = async |tenant: &str| {
        let new = json!({"name": "New", "tenant": tenant, "edition": "express"});
        let made = h.post("/v1/accounts", new).token(&operator).send().await;
        assert_eq!(made.status.as_u16(), 201, "{}", made.text);
        let list = json!({"emergency_numbers": made.json["emergency_numbers"]});
        let sent = h.patch(&format!("/v1/accounts/{tenant}"), list).token(&operator).send().await;
        assert_eq!(sent.status.as_u16(), 200, "{}", sent.text);
        made.json["emergency_numbers"].clone()
    };
    for number in (0..40).map(|n| (100_000_000 + n).to_string()).chain(["1".into(), "1234567".into()]) {
        let add = store::query("INSERT INTO emergency_number (number) VALUES ($1)").bind(number);
        add.execute(&h.app.store).await.expect("adds");
    }
    assert_eq!(make("long").await, json!(["112", "911", "999", "10111", "10177"]));
    for number in 200..300 {
        let add = store::query("INSERT INTO emergency_number (number) VALUES ($1)").bind(number.to_string());
        add.execute(&h.app.store).await.expect("adds");
    }
    assert_eq!(make("many").await.as_array().map(Vec::len), Some(20));
    let wrong = "DELETE FROM emergency_number WHERE length(number) BETWEEN 2 AND 6";
    store::query(wrong).execute(&h.app.store).await.expect("removes");
    assert_eq!(make("none").await, json!(["112", "911"]));
}

#[tokio::test]
async fn the_realm_changes_until_a_digest_depends_on_it() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    other_tenant(&h).await;
    let change = |realm: &str| h.patch("/v1/accounts/beta", json!({"realm": realm})).token(&operator).send();
    assert_eq!(change("beta.example").await.json["realm"], "beta.example");
    assert_eq!(change("acme").await.status.as_u16(), 409, "another account's");
    h.post("/v1/accounts/beta/extensions", json!({"number": "1", "name": "N"})).token(&operator).send().await;
    assert_eq!(change("beta.test").await.status.as_u16(), 200);
    let password = "/v1/accounts/beta/extensions/1/registrations/1-beta/sip-password";
    h.call(axum::http::Method::POST, password).token(&operator).send().await;
    let refused = change("late.example").await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.string("detail").contains("realm stays"), "{}", refused.text);
}
