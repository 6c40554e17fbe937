//! API keys: shown once, stored hashed, revoked at once, their use logged.

use serde_json::json;

use crate::server::store::query;
use crate::{
    server::{
        http::{input::Peer, testing::Harness},
        secrets, sessions,
        setup::{self, NewAgent},
        web::testing::Browser,
    },
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

#[tokio::test]
async fn a_rotated_key_overlaps_as_long_as_it_is_told() {
    let h = Harness::new().await;
    let (operator, agent) = (h.operator().await, h.agent().await);
    let key = h.get(KEYS).token(&operator).send().await.json[0].clone();
    let path = format!("{KEYS}/{}/rotate", key["id"]);
    let rotate = |body| h.post(&path, body).token(&operator).send();
    for (old_until, word) in [
        (json!("2020-01-01T00:00:00Z"), "future"),
        (json!("2028-01-01T00:00:00Z"), "90 days"),
        (json!("tomorrow"), "does not fit"),
    ] {
        let refused = rotate(json!({"prefix": key["prefix"], "old_until": old_until})).await;
        assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
        assert!(refused.string("detail").contains(word), "{}", refused.text);
    }
    let made = rotate(json!({"prefix": key["prefix"], "old_until": "2027-01-15T09:00:00Z"})).await;
    assert_eq!((made.status.as_u16(), &made.json["id"]), (201, &key["id"]), "{}", made.text);
    let with = async |key: &str| h.try_sign_in(&h.demo.username, &h.demo.password, key).await.status.as_u16();
    assert_eq!((with(&made.string("key")).await, with(&h.demo.api_key).await), (201, 201), "both work");
    assert_eq!(rotate(json!({"prefix": key["prefix"]})).await.status.as_u16(), 409, "what was rotated already");
    assert_eq!(h.get("/v1/me").token(&agent).send().await.status.as_u16(), 200, "its sessions stay");
    h.pass(3600 + 1);
    assert_eq!((with(&made.string("key")).await, with(&h.demo.api_key).await), (201, 403), "the old one stops");
    sessions::purge(&h.app).await.expect("purges");
    assert_eq!(with(&made.string("key")).await, 201);

    let operator = h.operator().await;
    let again = h.post(&path, json!({"prefix": made.string("prefix")})).token(&operator).send().await;
    assert_eq!(
        (with(&again.string("key")).await, with(&made.string("key")).await),
        (201, 403),
        "no overlap was asked for"
    );
    h.delete(&format!("{KEYS}/{}", key["id"])).token(&operator).send().await;
    let revoked = h.post(&path, json!({"prefix": again.string("prefix")})).token(&operator).send().await;
    assert_eq!(revoked.status.as_u16(), 409, "a revoked key was rotated: {}", revoked.text);
}

#[tokio::test]
async fn a_key_opens_what_it_is_for_until_it_expires() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let add = |body| h.post(KEYS, body).token(&operator).send();
    assert_eq!(add(json!({"name": "K", "expires_at": "2020-01-01T00:00:00Z"})).await.status.as_u16(), 422);
    assert_eq!(add(json!({"name": "K", "scope": "everything"})).await.status.as_u16(), 422);
    let xml = add(json!({"name": "CRM", "scope": "xml"})).await;
    let agent = add(json!({"name": "Agents", "scope": "agent", "expires_at": "2027-01-15T09:00:00Z"})).await;
    let extension = "/v1/accounts/acme/extensions/100";
    let tie = |key: &serde_json::Value| h.patch(extension, json!({"api_key": key})).token(&operator).send();
    assert_eq!(tie(&xml.json["id"]).await.status.as_u16(), 422, "a key for the XML API on an extension");
    assert_eq!(tie(&agent.json["id"]).await.status.as_u16(), 200);

    let with = async |key: &str| h.try_sign_in(&h.demo.username, &h.demo.password, key).await;
    let refused = with(&xml.string("key")).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (403, problem::API_KEY_UNKNOWN));
    assert!(refused.string("detail").contains("XML API only"), "{}", refused.text);
    let session = with(&agent.string("key")).await.string("token");
    let ask = async |key: &str| {
        let request = format!(
            "<XML><Tenant><Name>acme</Name><Auth>{key}</Auth></Tenant><ActionName>DoNothing</ActionName></XML>"
        );
        h.call(axum::http::Method::POST, "/Euphoria.Api.aspx").raw(request).send().await.text
    };
    assert!(ask(&xml.string("key")).await.contains("Nothing Done"));
    assert!(ask(&agent.string("key")).await.contains("Agent Manager only"));

    h.pass(3600 + 1);
    assert_eq!(h.get("/v1/me").token(&session).send().await.status.as_u16(), 401, "its session goes on");
    let expired = with(&agent.string("key")).await;
    assert!(expired.string("detail").contains("expired"), "{}", expired.text);
    sessions::purge(&h.app).await.expect("purges");
    assert!(h.sip.ordered().iter().any(|order| order.starts_with("end session")), "{:?}", h.sip.ordered());
}

#[tokio::test]
async fn each_key_has_its_own_room_in_the_log() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    h.agent().await;
    let quiet = h.post(KEYS, json!({"name": "Quiet"})).token(&operator).send().await.json["id"].clone();
    h.app.notebook.flush().await;
    let many = "INSERT INTO api_key_use (api_key_id, at, address, request)
        SELECT k.id, u.at - n, u.address, u.request
        FROM api_key_use u, api_key k,
            (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 12000) SELECT n FROM c) AS c
        WHERE k.id = u.api_key_id OR (k.name = 'Quiet' AND n <= 5)";
    query(many).execute(&h.app.store).await.expect("inserts");
    sessions::purge(&h.app).await.expect("purges");
    let left = async |of: &'static str| query(of).scalar::<i64>(&h.app.store).await.expect("counts");
    let busy =
        left("SELECT count(*) FROM api_key_use u JOIN api_key k ON k.id = u.api_key_id WHERE k.name <> 'Quiet'").await;
    assert_eq!(busy, 10_000);
    let uses = h.get(&format!("{KEYS}/{quiet}/uses")).token(&operator).send().await;
    assert_eq!(uses.json.as_array().map(Vec::len), Some(5), "it was crowded out");
}

#[tokio::test]
async fn a_key_that_has_expired_is_not_offered_or_kept() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let add = |name: &str, scope: &str, hours: i64| {
        let end = h.app.clock.now() + jiff::SignedDuration::from_hours(hours);
        h.post(KEYS, json!({"name": name, "scope": scope, "expires_at": end})).token(&operator).send()
    };
    let short = add("Short", "all", 1).await.json["id"].clone();
    add("Lasting XML", "xml", 100).await;
    let path = "/v1/accounts/acme/extensions/101";
    assert_eq!(h.patch(path, json!({"api_key": short})).token(&operator).send().await.status.as_u16(), 200);
    h.pass(2 * 3600);
    let browser = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    for page in ["/accounts/acme/extensions/101/api-key", "/accounts/acme/set-up/101"] {
        let page = browser.open(page).await;
        assert!(!page.has("Short (") && !page.has("Lasting XML ("), "{}", page.text());
    }
    let operator = h.operator().await;
    let manager =
        sessions::Manager::of_token(&h.app, &operator, sessions::Carrier::Token, sessions::Presence::There).await;
    let manager = manager.expect("signed in");
    let (peer, agent) = (Peer(([127, 0, 0, 1], 1).into()), NewAgent::default());
    let agent = NewAgent { name: Some("Nina".into()), username: Some("nina@acme.example".into()), ..agent };
    setup::begin(&h.app, &manager, peer, ("acme", "101"), agent).await.expect("set up");
    let kept = h.get(path).token(&operator).send().await.json["api_key"].clone();
    assert_ne!(kept, short, "a key that opens nothing is kept");
}
