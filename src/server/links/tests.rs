//! One-time links: good once, for 30 minutes, for whoever has the code.

use axum::http::Method;
use serde_json::json;

use crate::server::store::query;
use crate::{
    server::http::testing::{Harness, INSTANCE, Reply},
    tms::wire::problem,
};

async fn code(h: &Harness) -> String {
    let token = h.operator().await;
    let made = h.call(Method::POST, "/v1/accounts/acme/extensions/100/links").token(&token).send().await;
    assert_eq!(made.status.as_u16(), 201, "{}", made.text);
    let url = made.string("url");
    assert!(url.starts_with("agent-manager://link?tms=https%3A%2F%2Ftms.example&code="), "{url}");
    url.rsplit_once('=').expect("a code").1.to_owned()
}

async fn exchange(h: &Harness, code: &str) -> Reply {
    h.post("/v1/link", json!({"code": code, "instance_id": INSTANCE})).send().await
}

#[tokio::test]
async fn a_link_opens_one_session() {
    let h = Harness::new().await;
    let code = code(&h).await;
    let opened = exchange(&h, &code).await;
    assert_eq!(opened.status.as_u16(), 201, "{}", opened.text);
    assert_eq!(h.get("/v1/me").token(&opened.string("token")).send().await.status.as_u16(), 200);
    let again = exchange(&h, &code).await;
    assert_eq!(again.status.as_u16(), 403);
    assert!(again.string("detail").contains("used already"));
}

#[tokio::test]
async fn a_link_expires() {
    let h = Harness::new().await;
    let code = code(&h).await;
    h.pass(30 * 60);
    assert_eq!(exchange(&h, &code).await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_refusal_does_not_use_the_link_up() {
    let h = Harness::new().await;
    let code = code(&h).await;
    let set = async |state: &'static str| {
        query("UPDATE membership SET state = $1").bind(state).execute(&h.app.store).await.expect("sets");
    };
    set("pending").await;
    assert_eq!(exchange(&h, &code).await.kind(), problem::LOGIN_NOT_ACTIVATED);
    set("enabled").await;
    assert_eq!(exchange(&h, &code).await.status.as_u16(), 201);
}

#[tokio::test]
async fn an_extension_without_owner_or_key_has_no_link_and_guessing_is_slowed() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let path = "/v1/accounts/acme/extensions/101/links";
    assert_eq!(h.call(Method::POST, path).token(&token).send().await.status.as_u16(), 409);
    let mut last = 0;
    for i in 0..20 {
        last = exchange(&h, &format!("guess{i}")).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn a_link_is_for_whom_it_was_made_and_not_for_the_next_owner() {
    let h = Harness::new().await;
    let code = code(&h).await;
    h.member("acme", "bob@acme.example", "extension").await;
    let operator = h.operator().await;
    let give = async |owner: &str| {
        let given = h.patch("/v1/accounts/acme/extensions/100", json!({"login": owner})).token(&operator).send().await;
        assert_eq!(given.status.as_u16(), 200, "{}", given.text);
    };
    give("bob@acme.example").await;
    let refused = exchange(&h, &code).await;
    assert_eq!(refused.status.as_u16(), 403, "somebody else's session was opened: {}", refused.text);
    give(&h.demo.username).await;
    assert_eq!(exchange(&h, &code).await.status.as_u16(), 201);
}
