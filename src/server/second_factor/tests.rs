//! Two-step sign-in in a browser and by the REST API: on, asked, never twice with the same code, off.

use serde_json::json;
use totp_rs::{Builder, Secret};

use crate::server::{
    http::{
        input::Peer,
        testing::{GOOD, Harness, OPERATOR_PASSWORD},
    },
    sessions::{self, Carrier, Proved, manage},
    store::query,
    web::testing::{Browser, Page},
};

/// The authenticator: the code for a secret now.
fn code(h: &Harness, secret: &str) -> String {
    let secret = Secret::try_from_base32(secret).expect("base 32");
    let totp = Builder::new().with_secret(secret).build().expect("a secret");
    totp.generate(h.app.clock.now().as_second().try_into().expect("after 1970")).to_string()
}

fn shown(page: &Page, class: &str) -> Vec<String> {
    let marked = format!("class=\"{class}\">");
    page.html.split(&marked).skip(1).map(|p| p.split('<').next().unwrap_or_default().replace(' ', "")).collect()
}

/// Turns it on for the demonstration's administrator; the secret and the recovery codes.
async fn turn_on(h: &Harness) -> (String, Vec<String>) {
    let browser = Browser::signed_in(h, &h.demo.admin.username, &h.demo.admin.password).await;
    assert!(browser.open("/profile").await.has("Two-step sign-in Off"));
    let page = browser.open("/profile/second-factor").await;
    assert!(page.html.contains("<svg xmlns") && !page.html.contains("<?xml"), "no picture");
    let secret = shown(&page, "code").remove(0);
    let wrong = browser.send("/profile/second-factor", &[("code", "000000")]).await;
    assert!(wrong.status == 422 && wrong.has("The code is wrong"), "{}", wrong.text());
    assert_eq!(shown(&wrong, "code")[0], secret, "another secret than was scanned");
    let on = browser.send("/profile/second-factor", &[("code", &code(h, &secret))]).await;
    let codes = shown(&on, "code");
    assert!(codes.len() == 10 && on.has("shown this once"), "{}", on.text());
    assert!(browser.open("/profile").await.has("10 recovery codes are left"));
    (secret, codes)
}

/// A browser in which the password was typed.
async fn halfway(h: &Harness) -> Browser<'_> {
    let browser = Browser::new(h);
    browser.open("/sign-in?next=%2Fprofile").await;
    let (username, password) = (&h.demo.admin.username, &h.demo.admin.password);
    let step = browser.send("/sign-in", &[("username", username), ("password", password)]).await;
    assert!(step.path.starts_with("/sign-in/code") && step.has("Type the code"), "{} {}", step.path, step.text());
    assert_eq!(
        browser.open("/accounts/acme").await.path,
        "/sign-in?next=%2Faccounts%2Facme",
        "half a sign-in opened it"
    );
    browser.open("/sign-in/code?next=%2Fprofile").await;
    browser
}

#[tokio::test]
async fn a_code_is_asked_for_and_good_once() {
    let h = Harness::new().await;
    let (secret, _) = turn_on(&h).await;
    let browser = halfway(&h).await;
    let again = browser.send("/sign-in/code", &[("code", &code(&h, &secret))]).await;
    assert!(again.status == 401 && again.has("was used already"), "the code that turned it on: {}", again.text());
    h.pass(30);
    let now = code(&h, &secret);
    let signed = browser.send("/sign-in/code", &[("code", &format!(" {} {} ", &now[..3], &now[3..]))]).await;
    assert_eq!((signed.status, signed.path.as_str()), (200, "/profile"), "{}", signed.text());
    let other = halfway(&h).await;
    assert_eq!(other.send("/sign-in/code", &[("code", &now)]).await.status, 401, "taken twice");
}

#[tokio::test]
async fn a_recovery_code_takes_its_place_once() {
    let h = Harness::new().await;
    let (_, codes) = turn_on(&h).await;
    let typed = format!("{}-{}", codes[3][..5].to_uppercase(), &codes[3][5..]);
    assert_eq!(halfway(&h).await.send("/sign-in/code", &[("code", &typed)]).await.status, 200);
    assert_eq!(halfway(&h).await.send("/sign-in/code", &[("code", &codes[3])]).await.status, 401, "taken twice");
}

#[tokio::test]
async fn guesses_and_time_run_out() {
    let h = Harness::new().await;
    let (secret, _) = turn_on(&h).await;
    let browser = halfway(&h).await;
    for _ in 0..5 {
        assert_eq!(browser.send("/sign-in/code", &[("code", "123456")]).await.status, 401);
    }
    h.pass(30);
    let late = browser.send("/sign-in/code", &[("code", &code(&h, &secret))]).await;
    assert!(late.status == 401 && late.has("Sign in with your password again"), "{}", late.text());
    let slow = halfway(&h).await;
    h.pass(5 * 60);
    assert_eq!(slow.open("/sign-in/code").await.path, "/sign-in");
}

#[tokio::test]
async fn a_program_sends_the_code_with_the_password() {
    let h = Harness::new().await;
    let (secret, _) = turn_on(&h).await;
    h.pass(30);
    let now = code(&h, &secret);
    for (given, status) in [(json!(null), 401), (json!("000000"), 401), (json!(now), 201), (json!(now), 401)] {
        let body = json!({"username": h.demo.admin.username, "password": h.demo.admin.password, "code": given});
        let reply = h.post("/v1/manage/session", body).send().await;
        assert_eq!(reply.status.as_u16(), status, "{given}: {}", reply.text);
        assert!(status == 201 || reply.kind() == "urn:tms:problem:second-factor", "{}", reply.text);
    }
}

#[tokio::test]
async fn it_is_turned_off_with_the_password() {
    let h = Harness::new().await;
    let (secret, _) = turn_on(&h).await;
    h.pass(30);
    let browser = halfway(&h).await;
    browser.send("/sign-in/code", &[("code", &code(&h, &secret))]).await;
    browser.open("/profile/second-factor/off").await;
    let wrong = browser.send("/profile/second-factor/off", &[("password", "wrong")]).await;
    assert!(wrong.status == 401 && wrong.has("password is wrong"), "{}", wrong.text());
    let off = browser.send("/profile/second-factor/off", &[("password", &h.demo.admin.password)]).await;
    assert!(off.has("Two-step sign-in is off."), "{}", off.text());
    Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
}

#[tokio::test]
async fn a_new_password_ends_a_sign_in_that_waits_for_the_code() {
    let h = Harness::new().await;
    let (secret, _) = turn_on(&h).await;
    h.pass(30);
    let browser = halfway(&h).await;
    let operator = h.operator().await;
    let path = format!("/v1/accounts/acme/logins/{}", h.demo.admin.username);
    let changed = h.patch(&path, json!({"password": GOOD})).token(&operator).send().await;
    assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
    let late = browser.send("/sign-in/code", &[("code", &code(&h, &secret))]).await;
    assert!(late.status == 401 && late.has("Sign in with your password again"), "{}", late.text());
}

#[tokio::test]
async fn recovery_codes_are_renewed_with_the_password() {
    let h = Harness::new().await;
    let (_, old) = turn_on(&h).await;
    let browser = halfway(&h).await;
    browser.send("/sign-in/code", &[("code", &old[0])]).await;
    let path = "/profile/second-factor/codes";
    browser.open(path).await;
    let wrong = browser.send(path, &[("password", "wrong")]).await;
    assert!(wrong.status == 401 && wrong.has("password is wrong"), "{}", wrong.text());
    let page = browser.send(path, &[("password", &h.demo.admin.password)]).await;
    let new = shown(&page, "code");
    assert!(new.len() == 10 && page.has("shown this once") && !new.contains(&old[1]), "{}", page.text());
    assert!(browser.open("/profile").await.has("10 recovery codes are left."));
    assert_eq!(halfway(&h).await.send("/sign-in/code", &[("code", &old[1])]).await.status, 401, "an old one is good");
    assert_eq!(halfway(&h).await.send("/sign-in/code", &[("code", &new[0])]).await.status, 200);
}

#[tokio::test]
async fn a_program_turns_it_on_and_off() {
    let h = Harness::new().await;
    let (username, password) = (&h.demo.admin.username, &h.demo.admin.password);
    let token = h.manager(username, password).await;
    const FACTOR: &str = "/v1/manage/second-factor";
    let post = |rest: &str, body| h.post(&format!("{FACTOR}{rest}"), body).token(&token).send();
    let proof = || json!({"password": password});
    assert_eq!(post("/recovery-codes", proof()).await.status.as_u16(), 409, "there is nothing to recover");
    let secret = post("", json!({})).await.string("secret");
    assert_eq!(post("/confirm", json!({"code": "000000"})).await.status.as_u16(), 422);
    let on = post("/confirm", json!({"code": code(&h, &secret)})).await;
    assert_eq!(
        (on.status.as_u16(), on.json["recovery_codes"].as_array().map(Vec::len)),
        (201, Some(10)),
        "{}",
        on.text
    );
    let standing = h.get(FACTOR).token(&token).send().await;
    assert_eq!(standing.json, json!({"on": true, "recovery_codes_left": 10}));
    assert_eq!(post("/recovery-codes", proof()).await.json["recovery_codes"].as_array().map(Vec::len), Some(10));
    assert_eq!(post("/off", json!({"password": "wrong"})).await.status.as_u16(), 401);
    assert_eq!(post("/off", proof()).await.status.as_u16(), 204);
    assert_eq!(h.get(FACTOR).token(&token).send().await.json["on"], false);
}

#[tokio::test]
async fn who_has_lost_everything_is_helped_by_those_above() {
    let h = Harness::new().await;
    turn_on(&h).await;
    let path = format!("/v1/accounts/acme/logins/{}/second-factor/off", h.demo.admin.username);
    let remove = async |by: &str, password: &str| {
        let removed = h.post(&path, json!({"password": password})).token(by).send().await;
        removed.status.as_u16()
    };
    let manager = h.member("acme", "manager@acme.example", "manager").await;
    assert_eq!(remove(&manager, GOOD).await, 403, "by somebody below");
    let other = h.member("acme", "other@acme.example", "admin").await;
    let listed = h.get("/v1/accounts/acme/logins").token(&other).send().await;
    let with: Vec<_> = listed.json.as_array().expect("a list").iter().filter(|l| l["second_factor"] == true).collect();
    assert!(with.len() == 1 && with[0]["username"] == h.demo.admin.username, "{}", listed.text);
    assert_eq!(remove(&other, "not it").await, 422, "by a session left open");
    assert_eq!(h.post(&path, json!({})).token(&other).send().await.status.as_u16(), 422);
    let refused = h.try_manager(&h.demo.admin.username, &h.demo.admin.password).await;
    assert_eq!(refused.kind(), "urn:tms:problem:second-factor", "still on: {}", refused.text);
    assert_eq!(remove(&other, GOOD).await, 204);
    let own = h.manager(&h.demo.admin.username, &h.demo.admin.password).await;
    assert_eq!(remove(&own, &h.demo.admin.password).await, 409, "one's own is turned off in the profile");
    let audit = h.get("/v1/accounts/acme/audit?search=factor").token(&other).send().await;
    let told: Vec<_> = audit.json.as_array().expect("a list").iter().map(|e| e["action"].clone()).collect();
    assert_eq!(told, ["remove second factor", "turn second factor on"]);
}

#[tokio::test]
async fn nothing_is_turned_on_where_its_secret_would_stay_readable() {
    let h = Harness::without_key().await;
    let browser = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    let profile = browser.open("/profile").await;
    assert!(profile.has("cannot be turned on yet") && !profile.html.contains("Turn on"), "{}", profile.text());
    assert_eq!(browser.open("/profile/second-factor").await.status, 409);
    let token = h.manager(&h.demo.admin.username, &h.demo.admin.password).await;
    let refused = h.post("/v1/manage/second-factor", json!({})).token(&token).send().await;
    assert!(refused.status == 409 && refused.string("detail").contains("--secrets-key"), "{}", refused.text);
    let stored = query("SELECT 1 FROM second_factor").fetch_optional(&h.app.store).await.expect("reads");
    assert!(stored.is_none());
}

#[tokio::test]
async fn where_it_is_demanded_nobody_manages_without_it() {
    let h = Harness::demanding().await;
    let (username, password) = (&h.demo.admin.username, &h.demo.admin.password);
    let browser = Browser::signed_in(&h, username, password).await;
    let refused = browser.open("/accounts/acme/extensions").await;
    assert!(refused.status == 403 && refused.has("Turn it on under Your profile"), "{}", refused.text());
    let operator = h.operator().await;
    for path in ["/v1/accounts/acme/extensions", "/v1/audit"] {
        let reply = h.get(path).token(&operator).send().await;
        assert!(reply.status == 403 && reply.string("detail").contains("two-step sign-in"), "{path}: {}", reply.text);
    }
    // An agent manages nobody.
    let agent = h.manager(&h.demo.username, &h.demo.password).await;
    assert_eq!(h.get("/v1/accounts/acme/extensions").token(&agent).send().await.status, 200);
    let (_, codes) = turn_on(&h).await;
    let out = browser.open("/accounts/acme/extensions").await;
    assert!(out.path.starts_with("/sign-in"), "a session that has proved a password alone goes on: {}", out.text());
    let proved = halfway(&h).await;
    proved.send("/sign-in/code", &[("code", &codes[0])]).await;
    assert_eq!(proved.open("/accounts/acme/extensions").await.status, 200);
}

/// A password that was stolen later turns nothing on: only for a week after it was issued, or after an administrator allows it.
#[tokio::test]
async fn where_it_is_demanded_a_stolen_password_turns_nothing_on() {
    let h = Harness::demanding().await;
    let (secret, _) = turn_on(&h).await;
    another_administrator(&h).await;
    h.pass(8 * 24 * 3600);
    let password = &h.demo.admin.password;
    let thief = h.manager("boss@acme.example", password).await;
    let refused = h.post("/v1/manage/second-factor", json!({})).token(&thief).send().await;
    assert!(refused.status == 409 && refused.string("detail").contains("Ask an administrator"), "{}", refused.text);
    let browser = Browser::signed_in(&h, "boss@acme.example", password).await;
    let profile = browser.open("/profile").await;
    assert!(profile.has("within a week after you got your password"), "{}", profile.text());
    assert_eq!(browser.open("/profile/second-factor").await.status, 409);

    // Another administrator, who has his own on, allows it; nobody does so for himself.
    let proved = signed_in_with_code(&h, &secret).await;
    let users = "/accounts/acme/users";
    let page = proved.open(&format!("{users}/boss%40acme.example")).await;
    assert!(page.has("Allow two-step sign-in"), "{}", page.text());
    let allowed = proved.send(&format!("{users}/boss%40acme.example/second-factor/allow"), &[]).await;
    assert!(allowed.has("may be turned on within a week"), "{}", allowed.text());
    assert!(browser.open("/profile/second-factor").await.html.contains("<svg"), "it is not offered");
    let own = proved.open(&format!("{users}/{}", h.demo.admin.username)).await;
    assert!(!own.html.contains("second-factor/allow"), "{}", own.text());
    let allow = format!("/v1/accounts/acme/logins/{}/second-factor/allow", h.demo.username);
    assert_eq!(h.post(&allow, json!({})).token(&thief).send().await.status, 403, "by who has none");
    let audit = proved.open("/accounts/acme/audit").await;
    assert!(audit.has("Allow second factor boss@acme.example"), "{}", audit.text());
}

/// With the same password, and without a second factor.
async fn another_administrator(h: &Harness) {
    for statement in [
        "INSERT INTO login (username, name, password_hash, created_at, second_factor_until)
             SELECT 'boss@acme.example', 'Boss', password_hash, created_at, second_factor_until FROM login WHERE username = $1",
        "INSERT INTO membership (login_id, account_id, role, state, activated_at)
             SELECT l.id, m.account_id, m.role, m.state, m.activated_at
             FROM login l, membership m JOIN login o ON o.id = m.login_id
             WHERE l.username = 'boss@acme.example' AND o.username = $1",
    ] {
        query(statement).bind(&h.demo.admin.username).execute(&h.app.store).await.expect("writes");
    }
}

/// The demonstration's administrator, proved by both.
async fn signed_in_with_code<'a>(h: &'a Harness, secret: &str) -> Browser<'a> {
    let browser = halfway(h).await;
    let signed = browser.send("/sign-in/code", &[("code", &code(h, secret))]).await;
    assert_eq!(signed.status, 200, "{}", signed.text());
    browser
}

/// Whoever has stolen the password sees no secret that its owner turns on, and loses what he has opened.
#[tokio::test]
async fn what_is_turned_on_was_seen_by_one_session_and_ends_the_others() {
    let h = Harness::new().await;
    let (username, password) = (&h.demo.admin.username, &h.demo.admin.password);
    let (thief, owner) = (h.manager(username, password).await, h.manager(username, password).await);
    const FACTOR: &str = "/v1/manage/second-factor";
    let enrol = async |token: &str| h.post(FACTOR, json!({})).token(token).send().await.string("secret");
    let confirm = async |token: &str, secret: &str| {
        let confirmed = h.post(&format!("{FACTOR}/confirm"), json!({"code": code(&h, secret)})).token(token).send();
        confirmed.await.status.as_u16()
    };
    let seen = enrol(&thief).await;
    let own = enrol(&owner).await;
    assert_ne!(own, seen, "it was shown to somebody else");
    assert_eq!(enrol(&owner).await, own, "another secret than was scanned");
    assert_eq!(confirm(&thief, &own).await, 409, "it was not offered there");
    assert_eq!((confirm(&owner, &seen).await, confirm(&owner, &own).await), (422, 201));
    assert_eq!(confirm(&owner, &own).await, 409, "it is on");
    assert_eq!(h.get(FACTOR).token(&thief).send().await.status, 401, "it goes on");
    assert_eq!(h.get(FACTOR).token(&owner).send().await.json["on"], true);
}

/// Sign-ins have proved the password while two-step sign-in was off, and are stored while it is turned on.
#[tokio::test]
async fn a_sign_in_at_the_moment_it_is_turned_on_opens_nothing_that_lasts() {
    let (h, _folder) = Harness::for_many().await;
    let peer = Peer(([127, 0, 0, 1], 1).into());
    let (username, password) = (&h.demo.admin.username, &h.demo.admin.password);
    let owner = h.manager(username, password).await;
    let secret = h.post("/v1/manage/second-factor", json!({})).token(&owner).send().await.string("secret");
    let login = sessions::authenticate(&h.app, peer, username, password).await.expect("right");
    let open = |proved| manage::open(&h.app, peer, (&login, proved), Carrier::Token, "");
    let some = || async { tokio::join!(open(Proved::Password), open(Proved::Password), open(Proved::Password)) };
    let confirm = h.post("/v1/manage/second-factor/confirm", json!({"code": code(&h, &secret)})).token(&owner).send();
    let (_, confirmed, _) = tokio::join!(some(), confirm, some());
    assert_eq!(confirmed.status, 201, "{}", confirmed.text);
    let sessions = query("SELECT count(*) FROM manage_session WHERE login_id = $1").bind(login.id);
    assert_eq!(sessions.scalar::<i64>(&h.app.store).await.expect("counts"), 1, "only that of who turned it on");
    assert!(open(Proved::Password).await.is_err(), "later still");
    assert!(open(Proved::PasswordAndCode).await.is_ok());
    assert_eq!(h.get("/v1/manage/second-factor").token(&owner).send().await.json["on"], true);
}

#[tokio::test]
async fn an_operator_without_it_is_shown_no_account_but_the_way_to_it() {
    let h = Harness::demanding().await;
    let (token, browser) = (h.operator().await, Browser::new(&h));
    browser.open("/sign-in").await;
    browser.send("/sign-in", &[("username", "operator"), ("password", OPERATOR_PASSWORD)]).await;
    let listed = h.get("/v1/accounts").token(&token).send().await;
    assert!(listed.status == 403 && listed.string("detail").contains("two-step sign-in"), "{}", listed.text);
    let page = browser.open("/accounts").await;
    assert!(page.status == 403 && page.has("Turn it on under Your profile"), "{}", page.text());
    assert!(page.html.contains("href=\"/profile\"") && !page.html.contains("acme"), "{}", page.html);
    let secret = shown(&browser.open("/profile/second-factor").await, "code").remove(0);
    browser.send("/profile/second-factor", &[("code", &code(&h, &secret))]).await;
    assert!(browser.open("/accounts").await.html.contains("acme"), "it is on now");
}
