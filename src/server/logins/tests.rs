//! Logins: what is accepted, and what a change ends.

use serde_json::json;

use super::operators::{self, Deed};
use crate::server::{
    http::testing::{Harness, OPERATOR_PASSWORD},
    store::query,
    web::testing::Browser,
};

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
    assert_eq!(
        made.json,
        json!({"username": "new@acme.example", "name": "N", "email": "new@acme.example", "role": "manager",
        "state": "pending", "elsewhere": false, "second_factor": false})
    );
    for (username, password, status, word) in [
        ("new@acme.example", GOOD, 409, "exists already"),
        ("OPERATOR", GOOD, 409, "exists already"),
        ("ab", GOOD, 422, "3 to 100"),
        ("with space", GOOD, 422, "no spaces"),
        ("", GOOD, 422, "empty"),
        ("fine@acme.example", "short", 422, "too short"),
        ("fine@acme.example", "xfine@acme.examplex", 422, "user name"),
        ("fine@acme.example", "Password1234", 422, "guessed first"),
        ("fine@acme.example", &"x".repeat(300), 422, "too long"),
    ] {
        let reply = add(username, password).await;
        assert_eq!(reply.status.as_u16(), status, "{username}: {}", reply.text);
        assert!(reply.string("detail").contains(word), "{}", reply.text);
    }
    let list = h.get(LOGINS).token(&token).send().await;
    assert_eq!(list.json.as_array().map(Vec::len), Some(3));
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

#[tokio::test]
async fn the_line_under_a_password_says_what_the_server_will() {
    let h = Harness::new().await;
    let check = |body| h.post("/v1/passwords/check", body).send();
    assert_eq!(check(json!({"password": GOOD})).await.json, json!({"good": true}));
    let weak = check(json!({"password": "qwertyuiop", "username": "x"})).await;
    assert_eq!((weak.status.as_u16(), &weak.json["good"]), (200, &json!(false)));
    assert!(weak.string("detail").contains("guessed first"));
}

#[tokio::test]
async fn a_login_is_made_with_its_extension_or_not_at_all() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let add = |username: &str, extension: &str| {
        let body =
            json!({"username": username, "name": "N", "password": GOOD, "role": "extension", "extension": extension});
        h.post(LOGINS, body).token(&token).send()
    };
    assert_eq!(add("one@acme.example", "101").await.status.as_u16(), 201);
    let extension = h.get("/v1/accounts/acme/extensions/101").token(&token).send().await;
    assert_eq!(extension.json["login"], "one@acme.example");
    for number in ["101", "999"] {
        assert_eq!(add("two@acme.example", number).await.status.as_u16(), 409, "{number}");
    }
    let list = h.get(LOGINS).token(&token).send().await;
    assert!(!list.text.contains("two@acme.example"), "half done: {}", list.text);
}

#[tokio::test]
async fn name_and_address_change_and_are_checked() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let path = format!("{LOGINS}/{}", h.demo.username);
    let change = |body| h.patch(&path, body).token(&token).send();
    assert_eq!(change(json!({"name": "Al", "email": " Al@Acme.Example "})).await.json["email"], "al@acme.example");
    assert_eq!(change(json!({"email": null})).await.json["email"], json!(null));
    for email in ["", "al", "@acme", "al@", "a l@acme", "al@acme\u{7}"] {
        assert_eq!(change(json!({"email": email})).await.status.as_u16(), 422, "{email:?}");
    }
}

#[tokio::test]
async fn a_login_joins_a_second_account_and_its_owner_agrees() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let beta = json!({"name": "Beta", "tenant": "beta", "edition": "enterprise"});
    h.post("/v1/accounts", beta).token(&operator).send().await;
    let stranger = h.member("beta", "boss@beta.example", "admin").await;
    let join = |token: &str, username: &str, role: &str| {
        let body = json!({"username": username, "role": role});
        h.post("/v1/accounts/beta/members", body).token(token).send()
    };
    // Whose names one cannot know, one cannot guess at.
    for username in [h.demo.username.as_str(), "nobody@acme.example", "operator"] {
        let refused = join(&stranger, username, "extension").await;
        assert_eq!(refused.status.as_u16(), 422, "{}", refused.text);
        assert!(refused.string("detail").contains("no account that you administer has such a login"));
    }
    let both = h.member("beta", "both@beta.example", "admin").await;
    let own = json!({"username": "both@beta.example", "role": "admin"});
    h.post("/v1/accounts/acme/members", own).token(&operator).send().await;
    assert_eq!(h.post("/v1/manage/memberships/acme/enable", json!({})).token(&both).send().await.status.as_u16(), 204);
    let joined = join(&both, &h.demo.username.to_uppercase(), "extension").await;
    assert_eq!(joined.status.as_u16(), 201, "{}", joined.text);
    assert_eq!((&joined.json["state"], &joined.json["elsewhere"]), (&json!("pending"), &json!(true)));
    let again = join(&operator, &h.demo.username, "extension").await;
    assert!(again.status.as_u16() == 409 && again.string("detail").contains("already"), "{}", again.text);

    // The other account goes on, and neither may alter the person any more.
    assert_eq!(h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await.status.as_u16(), 201);
    let path = format!("/v1/accounts/beta/logins/{}", h.demo.username);
    assert_eq!(h.patch(&path, json!({"password": GOOD})).token(&both).send().await.status.as_u16(), 403);
    let owner = h.manager(&h.demo.username, &h.demo.password).await;
    assert_eq!(h.get("/v1/accounts/beta").token(&owner).send().await.status.as_u16(), 403, "nobody agreed yet");
    h.post("/v1/manage/memberships/beta/enable", json!({})).token(&owner).send().await;
    assert_eq!(h.get("/v1/accounts/beta").token(&owner).send().await.status.as_u16(), 200);
}

/// Existing instructions have it typed into Agent Manager at once; the portal asks its owner for another one.
#[tokio::test]
async fn a_password_that_was_given_is_good_for_agent_manager() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let username = &h.demo.username;
    let agent = async |password: &str| h.try_sign_in(username, password, &h.demo.api_key).await.status.as_u16();
    let given = json!({"password": GOOD});
    h.patch(&format!("/v1/accounts/acme/logins/{username}"), given).token(&operator).send().await;
    assert_eq!(agent(GOOD).await, 201);
    let browser = Browser::new(&h);
    browser.open("/sign-in").await;
    let page = browser.send("/sign-in", &[("username", username), ("password", GOOD)]).await;
    assert!(page.path == "/profile" && page.has("Choose your password"), "{} {}", page.path, page.text());
    let own = "a password of one's own";
    browser.send("/profile/password", &[("current", GOOD), ("password", own)]).await;
    assert_eq!((agent(GOOD).await, agent(own).await), (401, 201));
    assert_eq!(browser.open("/accounts/acme").await.path, "/accounts/acme");
}

#[tokio::test]
async fn an_operator_is_switched_off_and_helped_at_the_machine() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let alter = async |deed: Deed<'_>| {
        operators::alter(&h.app.store, "Operator", deed, h.app.clock.now_ms()).await.expect("alters");
    };
    let sign_in =
        |password: &str| h.post("/v1/manage/session", json!({"username": "operator", "password": password})).send();
    alter(Deed::Disable).await;
    assert_eq!(h.get("/v1/accounts").token(&operator).send().await.status.as_u16(), 401, "the session goes on");
    let refused = sign_in(OPERATOR_PASSWORD).await;
    assert_eq!((refused.status.as_u16(), refused.kind()), (403, crate::tms::wire::problem::LOGIN_DISABLED));
    assert_eq!(sign_in("wrong").await.status.as_u16(), 401, "told to who does not know the password");
    let listed = operators::list(&h.app.store).await.expect("lists");
    assert!(listed.len() == 1 && !listed[0].enabled, "{listed:?}");
    alter(Deed::Enable).await;
    alter(Deed::SetPassword(&h.app.passwords.hash(GOOD).await.expect("hashes"))).await;
    assert_eq!(sign_in(OPERATOR_PASSWORD).await.status.as_u16(), 401);
    alter(Deed::RemoveSecondFactor).await;
    alter(Deed::AllowSecondFactor).await;
    let token = sign_in(GOOD).await.string("token");
    let audit = h.get("/v1/audit?search=operator").token(&token).send().await;
    for action in
        ["disable operator", "enable operator", "set operator's password", "allow second factor", "sign in to manage"]
    {
        assert!(audit.text.contains(action), "{action}: {}", audit.text);
    }
    for unknown in ["nobody", &h.demo.username] {
        let refused = operators::alter(&h.app.store, unknown, Deed::Disable, 1).await.expect_err(unknown).to_string();
        assert!(refused.contains("does not exist"), "{refused}");
    }
}
