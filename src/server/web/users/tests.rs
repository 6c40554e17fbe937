//! Users in a browser: what ends something of theirs.

use serde_json::json;

use crate::server::{
    http::testing::{GOOD, Harness},
    store::query,
    web::testing::Browser,
};

const USERS: &str = "/accounts/acme/users";

async fn admin(h: &Harness) -> Browser<'_> {
    Browser::signed_in(h, &h.demo.admin.username, &h.demo.admin.password).await
}

#[tokio::test]
async fn a_user_is_removed_with_all_that_it_could_do() {
    let h = Harness::new().await;
    let session = h.agent().await;
    let browser = admin(&h).await;
    let path = format!("{USERS}/agent%40acme.example");
    let asked = browser.open(&format!("{path}/remove")).await;
    assert!(asked.has("is on no other account") && asked.has("cannot be undone"), "{}", asked.text());
    let removed = browser.send(&format!("{path}/remove"), &[]).await;
    assert_eq!(removed.path, USERS);
    assert!(removed.has("agent@acme.example was removed."), "{}", removed.text());
    assert_eq!(h.get("/v1/me").token(&session).send().await.status.as_u16(), 401, "its session goes on");
    assert!(h.sip.ordered().iter().any(|order| order.starts_with("end session")), "{:?}", h.sip.ordered());
    assert_eq!(h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await.status.as_u16(), 401);
    let extension = browser.open("/accounts/acme/extensions/100/tms-admin").await;
    assert!(!extension.has("agent@acme.example"), "{}", extension.text());
    assert_eq!(browser.open(&path).await.status, 404);
}

#[tokio::test]
async fn who_is_on_another_account_stays_there_and_nobody_removes_himself() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let account = json!({"name": "Beta", "tenant": "beta", "edition": "enterprise"});
    h.post("/v1/accounts", account).token(&operator).send().await;
    let member = json!({"username": h.demo.username, "role": "extension"});
    h.post("/v1/accounts/beta/members", member).token(&operator).send().await;
    let delete = |tenant: &str, login: &str, token: &str| {
        let path = format!("/v1/accounts/{tenant}/logins/{login}");
        h.call(axum::http::Method::DELETE, &path).token(token).send()
    };
    assert_eq!(delete("acme", &h.demo.username, &operator).await.status.as_u16(), 204);
    let left: i64 = query("SELECT count(*) FROM membership m JOIN login l ON l.id = m.login_id WHERE l.username = $1")
        .bind(&h.demo.username)
        .scalar(&h.app.store)
        .await
        .expect("counts");
    assert_eq!(left, 1, "it is on its other account");
    assert_eq!(delete("acme", &h.demo.username, &operator).await.status.as_u16(), 404, "twice");

    let own = h.manager(&h.demo.admin.username, &h.demo.admin.password).await;
    assert_eq!(delete("acme", &h.demo.admin.username, &own).await.status.as_u16(), 409);
    let browser = admin(&h).await;
    let page = browser.open(&format!("{USERS}/ada%40acme.example")).await;
    assert!(page.has("This is your own login") && !page.has("Remove from this account"), "{}", page.text());
}

#[tokio::test]
async fn ones_own_password_needs_the_present_one() {
    let h = Harness::new().await;
    let own = h.manager(&h.demo.admin.username, &h.demo.admin.password).await;
    let path = format!("/v1/accounts/acme/logins/{}", h.demo.admin.username);
    let refused = h.patch(&path, json!({"password": GOOD})).token(&own).send().await;
    assert_eq!(refused.status.as_u16(), 409);
    assert!(refused.string("detail").contains("with the present one"), "{}", refused.text);
    let browser = admin(&h).await;
    browser.open(&format!("{USERS}/agent%40acme.example")).await;
    // A link for oneself would be the same way round.
    let form = browser.form(&format!("{USERS}/agent%40acme.example/link"), &[]);
    let headers = [("sec-fetch-site", "same-origin")];
    let link = format!("{USERS}/ada%40acme.example/link");
    let answer = browser.request(axum::http::Method::POST, &link, Some(&form), &headers).await;
    assert!(answer.status == 409 && answer.has("with the present one"), "{}", answer.text());
}

#[tokio::test]
async fn a_lost_second_factor_is_removed_with_ones_own_password() {
    let h = Harness::new().await;
    query("INSERT INTO second_factor (login_id, secret, since) SELECT id, 'x', 1 FROM login WHERE username = $1")
        .bind(&h.demo.username)
        .execute(&h.app.store)
        .await
        .expect("as if it was on");
    let browser = admin(&h).await;
    let path = format!("{USERS}/agent%40acme.example");
    assert!(browser.open(&path).await.has("Two-step sign-in is on"));
    browser.open(&format!("{path}/second-factor")).await;
    let action = format!("{path}/second-factor");
    let wrong = browser.send(&action, &[("password", "wrong")]).await;
    assert!(wrong.status == 422 && wrong.has("this is not your password"), "{}", wrong.text());
    let done = browser.send(&action, &[("password", &h.demo.admin.password)]).await;
    assert!(done.has("The second factor was removed."), "{}", done.text());
    assert!(!browser.open(&path).await.has("Two-step sign-in is on"));
}

#[tokio::test]
async fn a_keys_last_day_and_a_registrations_label_are_altered() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let list = browser.open("/accounts/acme/api-keys").await;
    let id = list.html.split("/accounts/acme/api-keys/").find_map(|rest| {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        (!digits.is_empty()).then_some(digits)
    });
    let path = format!("/accounts/acme/api-keys/{}/expiry", id.expect("a key"));
    browser.open(&path).await;
    for (day, status, words) in [
        ("2027-01-01", 422, "must lie in the future"),
        ("tomorrow", 422, "must be a day"),
        ("2027-12-31", 200, "was changed"),
        ("", 200, "was changed"),
    ] {
        browser.open(&path).await;
        let answer = browser.send(&path, &[("expires_at", day)]).await;
        assert!(answer.status == status && answer.has(words), "{day}: {}", answer.text());
        assert_eq!(answer.has("Expires"), day == "2027-12-31", "{day}: {}", answer.text());
    }
    let path = "/accounts/acme/extensions/100/registrations/100-acme/label";
    browser.open(path).await;
    let empty = browser.send(path, &[("label", " ")]).await;
    assert!(empty.status == 422 && empty.has("must not be empty"), "{}", empty.text());
    let done = browser.send(path, &[("label", "Front desk")]).await;
    assert!(done.has("100-acme is called Front desk now."), "{}", done.text());
}
