//! Accounts: who may, what is taken, and what switching one off does.

use serde_json::json;

use crate::server::http::testing::{Harness, INSTANCE};

#[tokio::test]
async fn an_operator_adds_and_alters_accounts() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let add = |body| h.post("/v1/accounts", body).token(&token).send();
    let new = json!({"name": " Beta Ltd ", "tenant": "beta", "edition": "express", "unknown": "ignored"});
    let made = add(new.clone()).await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let shown = json!({"name": "Beta Ltd", "tenant": "beta", "realm": "beta", "edition": "express", "enabled": true});
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
async fn no_route_opens_without_its_token_or_to_another_tenant() {
    let h = Harness::new().await;
    let boss = other_tenant(&h).await;
    let agent = h.agent().await;
    let document = h.get("/v1/openapi.json").send().await;
    let paths = document.json["paths"].as_object().expect("paths");
    assert!(paths.len() >= 15, "{}", paths.len());
    let mut tried = 0;
    for (path, item) in paths {
        for method in item.as_object().expect("operations").keys() {
            let method: axum::http::Method = method.to_uppercase().parse().expect("a method");
            let concrete = path
                .replace("{tenant}", "acme")
                .replace("{number}", "100")
                .replace("{name}", "100-acme")
                .replace("{username}", &h.demo.username)
                .replace("{id}", "1");
            assert!(!concrete.contains('{'), "{path} has a parameter that this test does not know");
            if matches!(path.as_str(), "/v1/sessions" | "/v1/manage/session" | "/v1/link") && method == "POST" {
                continue;
            }
            // A body that every route can read, so that it is the caller who is refused and not the form.
            let body = json!({"name": "X", "number": "999", "username": "xxx", "password": "a long enough one",
                "role": "admin", "tenant": "gamma", "edition": "express", "instance_id": INSTANCE});
            let bare = h.call(method.clone(), &concrete).json(body.clone()).send().await;
            assert_eq!(bare.status.as_u16(), 401, "{method} {path}: {}", bare.text);
            if path.starts_with("/v1/accounts") {
                let softphone = h.call(method.clone(), &concrete).json(body.clone()).token(&agent).send().await;
                assert_eq!(softphone.status.as_u16(), 401, "{method} {path} with a softphone's token");
                let stranger = h.call(method.clone(), &concrete).json(body).token(&boss).send().await;
                let expected = match (path.as_str(), method.as_str()) {
                    ("/v1/accounts", "GET") => 200,
                    ("/v1/accounts", _) => 403,
                    _ => 404,
                };
                assert_eq!(stranger.status.as_u16(), expected, "{method} {path}: {}", stranger.text);
                assert!(!stranger.text.contains("Acme"), "{}", stranger.text);
            }
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried} operations");
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
    // What belongs to another account cannot be tied to this one's extension.
    for body in [json!({"login": h.demo.username}), json!({"api_key": 1})] {
        let tied = h.patch("/v1/accounts/beta/extensions/200", body).token(&boss).send().await;
        assert_eq!(tied.status.as_u16(), 422, "{}", tied.text);
    }
}
