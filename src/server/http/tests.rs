//! What surrounds every route: bad input, headers, idempotency, the document.

mod at_once;
mod input;
mod portal;
mod tenants;
mod trouble;

use std::sync::{Arc, Mutex};

use axum::http::Method;
use serde_json::json;

use super::testing::{Harness, INSTANCE};
use crate::server::store::query;

#[tokio::test]
async fn bad_input_is_answered_in_words() {
    let h = Harness::new().await;
    let post = |body: &str| h.call(Method::POST, "/v1/sessions").header("content-type", "application/json").raw(body);
    for (body, status, word) in [
        ("", 400, "not JSON"),
        ("{", 400, "not JSON"),
        ("\u{feff}{}", 400, "not JSON"),
        ("[]", 422, "expected"),
        ("{}", 422, "missing field"),
        (r#"{"username":1,"password":"","instance_id":""}"#, 422, "invalid type"),
        (&format!(r#"{{"username":"{}"}}"#, "x".repeat(70_000)), 413, "too large"),
        (&format!("{{\"x\":{}", "[".repeat(60_000)), 400, "not JSON"),
    ] {
        let reply = post(body).send().await;
        assert_eq!(reply.status.as_u16(), status, "{:.60}: {}", body, reply.text);
        assert!(reply.string("detail").contains(word), "{}", reply.text);
    }
    let unlabelled = h.call(Method::POST, "/v1/sessions").raw("{}").send().await;
    assert_eq!(unlabelled.status.as_u16(), 415);
    let not_utf8 = h.call(Method::POST, "/v1/sessions").header("content-type", "application/json").raw(b"{\"\xff\":1}");
    assert_eq!(not_utf8.send().await.status.as_u16(), 400);
    let nowhere = h.get("/v1/nothing").send().await;
    assert_eq!((nowhere.status.as_u16(), nowhere.kind()), (404, "urn:tms:problem:not-found"));
    let wrong_way = h.delete("/v1/sessions").send().await;
    assert_eq!((wrong_way.status.as_u16(), wrong_way.kind()), (405, "urn:tms:problem:method-not-allowed"));
    assert_eq!(wrong_way.headers["allow"], "POST");
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let h = Harness::new().await;
    for path in ["/", "/sign-in", "/v1/openapi.json", "/v1/me", "/nowhere"] {
        let reply = h.get(path).send().await;
        for name in [
            "content-security-policy",
            "x-content-type-options",
            "referrer-policy",
            "cache-control",
            "strict-transport-security",
        ] {
            assert!(reply.headers.contains_key(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn a_repeat_makes_nothing_and_shows_no_secret() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let post =
        |path: &'static str, key: &str, body| h.post(path, body).token(&token).header("idempotency-key", key).send();
    let keys = "/v1/accounts/acme/api-keys";
    let first = post(keys, "k1", json!({"name": "CRM"})).await;
    let again = post(keys, "k1", json!({"name": "CRM"})).await;
    assert_eq!((first.status, again.status.as_u16()), (again.status, 201));
    assert_eq!((&first.json["id"], &first.json["prefix"]), (&again.json["id"], &again.json["prefix"]));
    assert!(first.json["key"].is_string() && again.json["key"].is_null(), "{}", again.text);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = post(keys, "k1", json!({"name": "Another"})).await;
    assert_eq!((other.status.as_u16(), other.kind()), (422, "urn:tms:problem:idempotency-key"));
    let rows = query("SELECT answer FROM idempotency").fetch_all(&h.app.store).await.expect("reads");
    let stored: Result<Vec<String>, _> = rows.iter().map(|row| row.try_get("answer")).collect();
    assert!(!stored.expect("texts").concat().contains(&first.string("key")), "the secret is kept");

    // What failed may be tried again with the same key.
    let extensions = "/v1/accounts/acme/extensions";
    assert_eq!(post(extensions, "k2", json!({"number": "x", "name": "N"})).await.status.as_u16(), 422);
    assert_eq!(post(extensions, "k2", json!({"number": "300", "name": "N"})).await.status.as_u16(), 201);
    let replayed = post(extensions, "k2", json!({"number": "300", "name": "N"})).await;
    assert_eq!(replayed.json["number"], "300");
    assert_eq!(post(extensions, "", json!({})).await.status.as_u16(), 400);

    // Kept for a day.
    h.pass(25 * 3600);
    crate::server::sessions::purge(&h.app).await.expect("purges");
    let token = h.operator().await;
    let late = h.post(extensions, json!({"number": "300", "name": "N"})).token(&token).header("idempotency-key", "k2");
    assert_eq!(late.send().await.status.as_u16(), 409, "taken, not replayed");
}

#[tokio::test]
async fn a_repeated_sign_in_shows_no_token() {
    let h = Harness::new().await;
    let body = json!({"username": h.demo.username, "password": h.demo.password, "instance_id": INSTANCE});
    let sign_in = |address| {
        let call = h.post("/v1/sessions", body.clone()).header("x-api-key", &h.demo.api_key);
        call.header("idempotency-key", "once").from(address).send()
    };
    let (first, again) = (sign_in([127, 0, 0, 1]).await, sign_in([127, 0, 0, 1]).await);
    assert!(first.json["token"].is_string() && again.json["token"].is_null());
    assert_eq!(first.json["expires_at"], again.json["expires_at"]);
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_said_so() {
    let h = Harness::new().await;
    let token = h.agent().await;
    h.app.store.close().await;
    let reply = h.get("/v1/me").token(&token).send().await;
    assert_eq!(reply.status.as_u16(), 503);
    assert!(reply.string("detail").contains("database") && reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_full_disk_changes_nothing_and_is_said() {
    let h = Harness::on("sqlite::memory:").await;
    let token = h.operator().await;
    // SQLite's own limit fails as a full disk does, with SQLITE_FULL.
    let pages: i64 = query("PRAGMA page_count").scalar(&h.app.store).await.expect("counts");
    let limit = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
    query(limit).execute(&h.app.store).await.expect("limits");
    let mut refused = None;
    for i in 0..2000 {
        let body = json!({"number": i.to_string(), "name": "x".repeat(100)});
        let reply = h.post("/v1/accounts/acme/extensions", body).token(&token).send().await;
        if reply.status.as_u16() == 503 {
            refused = Some((i, reply));
            break;
        }
    }
    let (number, reply) = refused.expect("the disk is full at some time");
    assert!(reply.string("detail").contains("Nothing was changed"), "{}", reply.text);
    let half = h.get(&format!("/v1/accounts/acme/extensions/{number}")).token(&token).send().await;
    assert_eq!(half.status.as_u16(), 404, "half done");
    assert_eq!(h.get("/v1/accounts").token(&token).send().await.status.as_u16(), 200, "reading goes on");
}

/// docs/tms-rest.md, step by step.
#[tokio::test]
async fn an_agent_is_set_up_from_nothing() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let post = |path: &'static str, body| h.post(path, body).token(&operator).send();
    let password = "what Ann thought of";
    post("/v1/accounts", json!({"name": "Beta", "tenant": "beta", "edition": "enterprise"})).await;
    post("/v1/accounts/beta/extensions", json!({"number": "100", "name": "Ann"})).await;
    let laptop = json!({"username": "laptop", "ring_inbound": true});
    post("/v1/accounts/beta/extensions/100/registrations", laptop).await;
    let ann = json!({"username": "ann@beta.example", "name": "Ann", "password": password, "role": "extension"});
    post("/v1/accounts/beta/logins", ann).await;
    let key = post("/v1/accounts/beta/api-keys", json!({"name": "Agent Manager"})).await;
    let tie = json!({"login": "ann@beta.example", "api_key": key.json["id"]});
    h.patch("/v1/accounts/beta/extensions/100", tie).token(&operator).send().await;
    let own = h.manager("ann@beta.example", password).await;
    let enabled = h.call(Method::POST, "/v1/manage/memberships/beta/enable").token(&own).send().await;
    assert_eq!(enabled.status.as_u16(), 204);

    let session = h.try_sign_in("ann@beta.example", password, &key.string("key")).await;
    assert_eq!(session.status.as_u16(), 201, "{}", session.text);
    let token = session.string("token");
    let list = h.get("/v1/me/registrations").token(&token).send().await;
    let names: Vec<_> = list.json.as_array().expect("a list").iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, ["100-beta", "100-beta-laptop"], "another tenant's 100 is not among them");
    let path = "/v1/me/registrations/100-beta-laptop/sip-credential";
    let credential = h.post(path, json!({"instance_id": INSTANCE.to_uppercase()})).token(&token).send().await;
    assert_eq!(credential.string("realm"), "beta", "{}", credential.text);
}

#[tokio::test]
async fn nobody_fills_the_database_with_remembered_answers() {
    let h = Harness::new().await;
    let rows = async || query("SELECT count(*) FROM idempotency").scalar::<i64>(&h.app.store).await.expect("counts");
    let check = |key: &str| h.post("/v1/passwords/check", json!({"password": "x"})).header("idempotency-key", key);
    for key in ["1", "2", "3"] {
        assert_eq!(check(key).send().await.status.as_u16(), 200);
        assert_eq!(check(key).token("made up").send().await.status.as_u16(), 200);
        let wrong = h.post("/v1/sessions", json!({"username": "a", "password": "b", "instance_id": INSTANCE}));
        assert_eq!(wrong.header("idempotency-key", key).send().await.status.as_u16(), 401);
    }
    assert_eq!(rows().await, 0);
    let token = h.operator().await;
    check("mine").token(&token).send().await;
    assert_eq!(rows().await, 1);
    let many = "INSERT INTO idempotency (key_hash, fingerprint, status, answer, created_at, caller)
        SELECT key_hash || n, fingerprint, status, answer, created_at - n, caller
        FROM idempotency, (WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1200) SELECT n FROM c) AS c";
    query(many).execute(&h.app.store).await.expect("inserts");
    h.pass(1);
    let last = check("the last").token(&token).send().await;
    assert!((1000..=1001).contains(&rows().await), "{}", rows().await);
    assert_eq!(check("the last").token(&token).send().await.text, last.text, "the newest is forgotten");
}

/// What the log has of a refused request.
#[tokio::test]
async fn a_code_is_not_logged() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("unpoisoned").extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let h = Harness::new().await;
    h.get("/setup/verysecretcode").header("accept", "text/html").stream().await;
    let text = String::from_utf8(log.0.lock().expect("unpoisoned").clone()).expect("UTF-8");
    assert!(text.contains("refused") && text.contains("/setup/{code}"), "{text}");
    assert!(!text.contains("verysecretcode"), "{text}");
}
