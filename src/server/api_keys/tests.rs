//! API keys: shown once, stored hashed, revoked at once, their use logged.

use serde_json::json;

use crate::server::store::query;
use crate::{
    server::{http::testing::Harness, secrets},
    tms::wire::problem,
};

const KEYS: &str = "/v1/accounts/acme/api-keys";

#[tokio::test]
async fn a_key_is_shown_once_and_stored_hashed() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let made = h.post(KEYS, json!({"name": "CRM"})).token(&token).send().await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let key = made.string("key");
    assert!(secrets::ApiKey::is_whole(&key) && key.starts_with(&made.string("prefix")));
    let list = h.get(KEYS).token(&token).send().await;
    assert!(!list.text.contains(&key) && list.text.contains(&made.string("prefix")), "{}", list.text);
    let stored: String = query("SELECT hash FROM api_key WHERE name = 'CRM'").scalar(&h.app.store).await.expect("one");
    assert_eq!(stored, secrets::hash(&key));
    assert_eq!(h.post(KEYS, json!({"name": " "})).token(&token).send().await.status.as_u16(), 422);
}

#[tokio::test]
async fn revoking_a_key_ends_its_sessions() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    let id = h.get("/v1/accounts/acme/extensions/100").token(&operator).send().await.json["api_key"].clone();
    let uses = h.get(&format!("{KEYS}/{id}/uses")).token(&operator).send().await;
    assert_eq!((&uses.json[0]["request"], &uses.json[0]["address"]), (&json!("sign-in"), &json!("127.0.0.1")));
    assert_eq!(h.delete(&format!("{KEYS}/{id}")).token(&operator).send().await.status.as_u16(), 204);
    assert_eq!(
        h.delete(&format!("{KEYS}/{id}")).token(&operator).send().await.status.as_u16(),
        204,
        "again is no harm"
    );
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 401);
    let refused = h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await;
    assert_eq!(refused.kind(), problem::API_KEY_UNKNOWN);
    for path in [format!("{KEYS}/999"), format!("{KEYS}/x")] {
        assert_eq!(h.delete(&path).token(&operator).send().await.status.as_u16(), 404, "{path}");
    }
    let enable = h.patch("/v1/accounts/acme/extensions/100", json!({"api_key": id})).token(&operator).send().await;
    assert_eq!(enable.status.as_u16(), 422, "a revoked key was enabled");
}
