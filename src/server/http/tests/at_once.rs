//! The rules hold when many ask for the same at once.

use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::server::{
    http::testing::{GOOD, Harness},
    store::query,
};

const MANY: usize = 200;

/// How many were answered with each of the two statuses; any other fails.
async fn statuses<F>(good: u16, refused: u16, request: impl Fn(usize) -> F) -> (usize, usize)
where
    F: Future<Output = axum::http::StatusCode> + Send + 'static,
{
    let mut tries = JoinSet::new();
    for i in 0..MANY {
        tries.spawn(request(i));
    }
    let mut counts = (0, 0);
    while let Some(status) = tries.join_next().await {
        match status.expect("no panic").as_u16() {
            status if status == good => counts.0 += 1,
            status if status == refused => counts.1 += 1,
            other => panic!("answered {other}"),
        }
    }
    counts
}

async fn count(h: &Harness, statement: &'static str) -> i64 {
    query(statement).scalar(&h.app.store).await.expect(statement)
}

#[tokio::test]
async fn two_additional_registrations_and_no_third() {
    let (h, _folder) = Harness::for_many().await;
    let token = h.operator().await;
    let path = "/v1/accounts/acme/extensions/101/registrations";
    let add = |i| h.post(path, json!({"username": format!("phone{i}")})).token(&token).request();
    assert_eq!(statuses(201, 409, add).await, (2, MANY - 2));
    assert_eq!(count(&h, "SELECT count(*) FROM registration WHERE name LIKE '101-acme%'").await, 3);
}

#[tokio::test]
async fn a_login_is_activated_once() {
    let (h, _folder) = Harness::for_many().await;
    let token = h.operator().await;
    let login = json!({"username": "new@acme.example", "name": "N", "password": GOOD, "role": "extension"});
    h.post("/v1/accounts/acme/logins", login).token(&token).send().await;
    let own = h.manager("new@acme.example", GOOD).await;
    let enable = |_| h.call(Method::POST, "/v1/manage/memberships/acme/enable").token(&own).request();
    assert_eq!(statuses(204, 0, enable).await, (MANY, 0));
    assert_eq!(count(&h, "SELECT count(*) FROM audit WHERE action = 'enable'").await, 1);
}

#[tokio::test]
async fn a_key_is_rotated_once() {
    let (h, _folder) = Harness::for_many().await;
    let token = h.operator().await;
    let keys = h.get("/v1/accounts/acme/api-keys").token(&token).send().await;
    let (id, prefix) = (&keys.json[0]["id"], &keys.json[0]["prefix"]);
    let path = format!("/v1/accounts/acme/api-keys/{id}/rotate");
    let rotate = |_| h.post(&path, json!({"prefix": prefix})).token(&token).request();
    assert_eq!(statuses(201, 409, rotate).await, (1, MANY - 1));
    assert_eq!(count(&h, "SELECT count(*) FROM audit WHERE action = 'rotate api key'").await, 1);
    assert_eq!(h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await.status.as_u16(), 403);
}

#[tokio::test]
async fn of_many_alike_one_is_carried_out() {
    let (h, _folder) = Harness::for_many().await;
    let token = h.operator().await;
    let add = |_| {
        let call = h.post("/v1/accounts/acme/api-keys", json!({"name": "CRM"})).token(&token);
        call.header("idempotency-key", "one").request()
    };
    let (answered, _under_way) = statuses(201, 409, add).await;
    assert!(answered >= 1);
    assert_eq!(count(&h, "SELECT count(*) FROM api_key WHERE name = 'CRM'").await, 1);
}

#[tokio::test]
async fn the_audit_stays_linked() {
    let (h, _folder) = Harness::for_many().await;
    let token = h.operator().await;
    let name = |i: usize| h.patch("/v1/accounts/acme", json!({"name": format!("Acme {i}")})).token(&token).request();
    assert_eq!(statuses(200, 0, name).await, (MANY, 0));
    let whole = crate::server::audit::verify(&h.app.store).await.expect("whole");
    assert_eq!(whole, MANY as u64 + 1, "with the operator's sign-in");
    let shown = h.get("/v1/accounts/acme/audit").token(&token).send().await;
    assert_eq!(shown.json.as_array().map(Vec::len), Some(MANY), "{:?}", shown.json.get(0).unwrap_or(&Value::Null));
}

/// Two who alter different things of one row at once: neither writes back what he did not alter.
#[tokio::test]
async fn a_change_keeps_what_another_has_changed_meanwhile() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let login = format!("/v1/accounts/acme/logins/{}", h.demo.username);
    for (path, one, other) in [
        (login.as_str(), json!({"password": GOOD, "name": "Al"}), json!({"enabled": false})),
        ("/v1/accounts/acme", json!({"name": "New"}), json!({"enabled": false})),
        ("/v1/accounts/acme/extensions/101", json!({"name": "New"}), json!({"enabled": false})),
        ("/v1/accounts/acme/extensions/101", json!({"login": h.demo.username}), json!({"api_key": 1})),
        (
            "/v1/accounts/acme/extensions/100/registrations/100-acme-laptop",
            json!({"label": "New"}),
            json!({"enabled": false}),
        ),
    ] {
        let change = |body: &Value| h.patch(path, body.clone()).token(&token).send();
        let (a, b) = tokio::join!(change(&one), change(&other));
        assert_eq!((a.status.as_u16(), b.status.as_u16()), (200, 200), "{} {}", a.text, b.text);
        let now = change(&json!({})).await.json;
        for (field, value) in one.as_object().into_iter().chain(other.as_object()).flatten() {
            match field.as_str() {
                "password" => {}
                "enabled" if now["state"].is_string() => assert_eq!(now["state"], "disabled", "{path}"),
                _ => assert_eq!(now[field], *value, "{path}: {field}"),
            }
        }
    }
}
