//! The three steps in a browser: what they make, what they refuse, and that nothing is half made.

use axum::http::Method;
use serde_json::json;

use crate::{
    server::{
        http::testing::{Harness, INSTANCE},
        store::query,
        web::testing::{Browser, Page},
    },
    tms::wire::problem,
};

const SET_UP: &str = "/accounts/acme/set-up";
const PASSWORD: &str = "three quiet words";

async fn admin(h: &Harness) -> Browser<'_> {
    Browser::signed_in(h, &h.demo.admin.username, &h.demo.admin.password).await
}

/// Makes the link for a new agent on this extension.
async fn link(browser: &Browser<'_>, number: &str, username: &str) -> Page {
    let path = format!("{SET_UP}/{number}");
    browser.open(&path).await;
    browser.send(&path, &[("name", "Nina New"), ("username", username)]).await
}

/// The path of a one-time link that a page shows.
fn path(page: &Page) -> String {
    let url = page.html.split("id=\"link\" value=\"").nth(1).and_then(|s| s.split('"').next());
    let url = url.unwrap_or_else(|| panic!("no link on {}", page.text()));
    url.strip_prefix("https://tms.example").expect("the public address").to_owned()
}

async fn rows(h: &Harness, table: &str) -> i64 {
    query(sqlx::AssertSqlSafe(format!("SELECT count(*) AS n FROM {table}"))).scalar(&h.app.store).await.expect("counts")
}

#[tokio::test]
async fn an_agent_is_set_up_in_three_steps() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    assert!(browser.open(SET_UP).await.has("101 Chris Colleague"));
    let made = link(&browser, "101", "nina@acme.example").await;
    assert!(made.has("The link for Nina New") && made.has("101-acme-agent"), "{}", made.text());
    assert!(made.html.contains("mailto:nina%40acme.example?"), "{}", made.html);
    let path = path(&made);

    let agent = Browser::new(&h);
    for _ in 0..2 {
        let welcome = agent.open(&path).await;
        assert!(welcome.status == 200 && welcome.has("Welcome, Nina New"), "looking used it up: {}", welcome.text());
    }
    let weak = agent.send("/setup", &[("password", "password12")]).await;
    assert!(weak.status == 422 && weak.has("guessed first"), "{}", weak.text());
    let done = agent.send("/setup", &[("password", PASSWORD)]).await;
    let opens = done.html.split("href=\"agent-manager://link?").nth(1).and_then(|s| s.split('"').next());
    let opens = opens.unwrap_or_else(|| panic!("no button: {}", done.html)).replace("&amp;", "&");
    assert!(opens.ends_with("&registration=101-acme-agent"), "{opens}");
    assert_eq!(agent.open(&path).await.status, 403, "good twice");

    let code = opens.split("code=").nth(1).and_then(|c| c.split('&').next()).expect("a code");
    let session = h.post("/v1/link", json!({"code": code, "instance_id": INSTANCE})).send().await;
    assert_eq!(session.status.as_u16(), 201, "{}", session.text);
    let token = session.string("token");
    let list = h.get("/v1/me/registrations").token(&token).send().await;
    let names: Vec<_> = list.json.as_array().expect("a list").iter().map(|r| r["name"].clone()).collect();
    assert_eq!(names, ["101-acme", "101-acme-agent"]);
    Browser::signed_in(&h, "nina@acme.example", PASSWORD).await;
}

#[tokio::test]
async fn on_express_agent_manager_gets_the_primary_and_a_key_is_made_where_there_is_none() {
    let h = Harness::new().await;
    let token = h.operator().await;
    h.post("/v1/accounts", json!({"name": "Beta", "tenant": "beta", "edition": "express"})).token(&token).send().await;
    h.post("/v1/accounts/beta/extensions", json!({"number": "7", "name": "Desk"})).token(&token).send().await;
    let browser = Browser::operator(&h).await;
    browser.open("/accounts/beta/set-up/7").await;
    let made = browser.send("/accounts/beta/set-up/7", &[("name", "Bo"), ("username", "bo.beta")]).await;
    let agent = Browser::new(&h);
    agent.open(&path(&made)).await;
    let done = agent.send("/setup", &[("password", PASSWORD)]).await;
    assert!(done.html.contains("registration=7-beta\""), "{}", done.html);
    assert_eq!(rows(&h, "registration WHERE name LIKE '7-beta%'").await, 1);
    assert_eq!(rows(&h, "api_key WHERE name = 'Agent Manager' AND scope = 'agent'").await, 1);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let before = (rows(&h, "login").await, rows(&h, "registration").await, rows(&h, "invitation").await);
    for (name, username, words) in [
        ("Nina", "ab", "3 to 100 characters"),
        ("", "nina@acme.example", "must not be empty"),
        ("Nina", &h.demo.username, "exists already"),
    ] {
        browser.open(&format!("{SET_UP}/101")).await;
        let refused = browser.send(&format!("{SET_UP}/101"), &[("name", name), ("username", username)]).await;
        assert!(refused.status >= 400 && refused.has(words), "{words}: {}", refused.text());
    }
    // Both places taken by others: the login and its owner are not made either.
    let token = h.operator().await;
    for username in ["one", "two"] {
        let body = json!({"username": username});
        h.post("/v1/accounts/acme/extensions/600/registrations", body).token(&token).send().await;
    }
    let full = link(&browser, "600", "nina@acme.example").await;
    assert!(full.status == 409 && full.has("Both additional registrations"), "{}", full.text());
    let after = (rows(&h, "login").await, rows(&h, "registration").await - 2, rows(&h, "invitation").await);
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_link_ends_with_time_with_the_next_one_and_with_the_login() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let first = path(&link(&browser, "101", "nina@acme.example").await);
    browser.open(&format!("{SET_UP}/101")).await;
    let second = path(&browser.send(&format!("{SET_UP}/101"), &[]).await);
    let agent = Browser::new(&h);
    assert_eq!(agent.open(&first).await.status, 403, "the former link is still good");
    assert_eq!(agent.open(&second).await.status, 200);
    query("UPDATE membership SET state = 'disabled' WHERE state = 'pending'")
        .execute(&h.app.store)
        .await
        .expect("sets");
    assert!(agent.open(&second).await.has("This login is disabled"));
    query("UPDATE membership SET state = 'pending' WHERE activated_at IS NULL")
        .execute(&h.app.store)
        .await
        .expect("sets");
    h.pass(30 * 60);
    assert!(agent.open(&second).await.has("older than 30 minutes"));
    let mut last = 0;
    for i in 0..20 {
        last = agent.request(Method::GET, &format!("/setup/guess{i}"), None, &[]).await.status;
    }
    assert_eq!(last, 429, "guessing is not slowed");
}

#[tokio::test]
async fn a_password_link_ends_the_sessions_of_the_old_password() {
    let h = Harness::new().await;
    let (browser, token) = (admin(&h).await, h.agent().await);
    let user = format!("/accounts/acme/users/{}", h.demo.username.replace('@', "%40"));
    browser.open(&user).await;
    let made = browser.send(&format!("{user}/link"), &[]).await;
    let agent = Browser::new(&h);
    agent.open(&path(&made)).await;
    assert_eq!(h.get("/v1/me").token(&token).send().await.status.as_u16(), 200, "the link alone ended it");
    let done = agent.send("/setup", &[("password", PASSWORD)]).await;
    assert!(done.has("Your password is set") && !done.html.contains("agent-manager://"), "{}", done.text());
    let ended = h.get("/v1/me").token(&token).send().await;
    assert_eq!((ended.status.as_u16(), ended.kind()), (401, problem::SESSION_ENDED));
    assert_eq!(h.try_sign_in(&h.demo.username, PASSWORD, &h.demo.api_key).await.status.as_u16(), 201);
}

#[tokio::test]
async fn two_who_open_the_same_link_set_one_password() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let path = path(&link(&browser, "101", "nina@acme.example").await);
    let code = path.rsplit('/').next().expect("a code");
    let (one, two) = (Browser::new(&h), Browser::new(&h));
    one.open(&path).await;
    two.open(&path).await;
    let headers = [("sec-fetch-site", "same-origin")];
    let send =
        |browser: &Browser<'_>, password: &str| browser.form("/setup", &[("code", code), ("password", password)]);
    let (first, second) = (send(&one, PASSWORD), send(&two, "other quiet words"));
    let (a, b) = tokio::join!(
        one.request(Method::POST, "/setup", Some(&first), &headers),
        two.request(Method::POST, "/setup", Some(&second), &headers)
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
}

#[tokio::test]
async fn a_link_opens_no_telephone_that_was_given_to_somebody_else() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let path = path(&link(&browser, "101", "nina@acme.example").await);
    let token = h.operator().await;
    let given = json!({"login": h.demo.username});
    assert_eq!(h.patch("/v1/accounts/acme/extensions/101", given).token(&token).send().await.status.as_u16(), 200);
    let agent = Browser::new(&h);
    agent.open(&path).await;
    let done = agent.send("/setup", &[("password", PASSWORD)]).await;
    assert!(done.has("Your password is set") && !done.html.contains("agent-manager://"), "{}", done.text());
}

#[tokio::test]
async fn of_two_who_set_up_one_extension_at_once_one_is_told() {
    let h = Harness::new().await;
    let (one, two) = (admin(&h).await, admin(&h).await);
    let path = format!("{SET_UP}/101");
    one.open(&path).await;
    two.open(&path).await;
    let before = rows(&h, "login").await;
    let (a, b) = tokio::join!(
        one.send(&path, &[("name", "Nina"), ("username", "nina@acme.example")]),
        two.send(&path, &[("name", "Otto"), ("username", "otto@acme.example")])
    );
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{} {}", a.text(), b.text());
    assert_eq!((rows(&h, "login").await, rows(&h, "invitation").await), (before + 1, 1));
}

#[tokio::test]
async fn a_program_sets_an_agent_up() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let path = "/v1/accounts/acme/extensions/101/set-up";
    let wanted = json!({"name": "Nina New", "username": "nina@acme.example"});
    let made = h.post(path, wanted).token(&token).header("idempotency-key", "\"once\"").send().await;
    assert_eq!((made.status.as_u16(), &made.json["registration"]), (201, &json!("101-acme-agent")), "{}", made.text);
    let url = made.string("url");
    let again = h.post(path, json!({"name": "Nina New", "username": "nina@acme.example"})).token(&token);
    let again = again.header("idempotency-key", "\"once\"").send().await;
    assert!(again.status.as_u16() == 201 && !again.text.contains(&url), "a repeat shows the link: {}", again.text);
    let agent = Browser::new(&h);
    agent.open(url.strip_prefix("https://tms.example").expect("the public address")).await;
    assert!(agent.send("/setup", &[("password", PASSWORD)]).await.html.contains("agent-manager://link?"));
    let user = "/v1/accounts/acme/logins/nina@acme.example/invitations";
    let link = h.post(user, json!({})).token(&token).send().await;
    assert!(link.status.as_u16() == 201 && link.string("url").contains("/setup/"), "{}", link.text);
}
