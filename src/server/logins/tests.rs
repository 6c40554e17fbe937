//! Logins: what is accepted, and what a change ends.

use serde_json::json;

use crate::server::http::testing::Harness;
use crate::server::store::query;

const LOGINS: &str = "/v1/accounts/acme/logins";
const GOOD: &str = "a long enough one";

#[tokio::test]
async fn a_login_starts_pending_and_bad_ones_are_refused_in_words() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let add = |username: &str, password: &str| {
        let body = json!({"username": username, "name": "N", "password": password, "role": "manager"});
        h.post(LOGINS, body).token(&token).send()
    };
    let made = add("New@Acme.example", GOOD).await;
    assert_eq!(made.json, json!({"username": "new@acme.example", "name": "N", "role": "manager", "state": "pending"}));
    for (username, password, status, word) in [
        ("new@acme.example", GOOD, 409, "exists already"),
        ("OPERATOR", GOOD, 409, "exists already"),
        ("ab", GOOD, 422, "3 to 100"),
        ("with space", GOOD, 422, "no spaces"),
        ("", GOOD, 422, "empty"),
        ("fine@acme.example", "short", 422, "too short"),
        ("fine@acme.example", "xfine@acme.examplex", 422, "user name"),
        ("fine@acme.example", &"x".repeat(300), 422, "too long"),
    ] {
        let reply = add(username, password).await;
        assert_eq!(reply.status.as_u16(), status, "{username}: {}", reply.text);
        assert!(reply.string("detail").contains(word), "{}", reply.text);
    }
    let list = h.get(LOGINS).token(&token).send().await;
    assert_eq!(list.json.as_array().map(Vec::len), Some(2));
    let stored: String = query("SELECT password_hash FROM login WHERE username = 'new@acme.example'")
        .scalar(&h.app.store)
        .await
        .expect("one");
    assert!(stored.starts_with("$argon2id$"));
}

#[tokio::test]
async fn only_its_owner_activates_a_login() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let body = json!({"username": "new@acme.example", "name": "N", "password": GOOD, "role": "extension"});
    h.post(LOGINS, body).token(&token).send().await;
    let change = |body| h.patch("/v1/accounts/acme/logins/new@acme.example", body).token(&token).send();
    let refused = change(json!({"enabled": true})).await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.string("detail").contains("Account enabled"));
    assert_eq!(change(json!({"enabled": false})).await.json["state"], "disabled");
    assert_eq!(change(json!({"enabled": true})).await.json["state"], "pending", "activated by someone else");
    assert_eq!(change(json!({"role": "admin"})).await.json["role"], "admin");
    let unknown = h.patch("/v1/accounts/acme/logins/nobody", json!({})).token(&token).send().await;
    assert_eq!(unknown.status.as_u16(), 404);
}

#[tokio::test]
async fn a_new_password_ends_every_session_of_its_login() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    let own = h.manager(&h.demo.username, &h.demo.password).await;
    let path = format!("{LOGINS}/{}", h.demo.username);
    let changed = h.patch(&path, json!({"password": GOOD})).token(&operator).send().await;
    assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 401);
    assert_eq!(h.get("/v1/manage/memberships").token(&own).send().await.status.as_u16(), 401);
    let old = h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await;
    assert_eq!(old.status.as_u16(), 401);
    let new = h.try_sign_in(&h.demo.username, GOOD, &h.demo.api_key).await;
    assert_eq!(new.status.as_u16(), 201);
}
