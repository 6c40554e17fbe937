//! The portal as a browser sees it: sign-in, the fences before forms, activation.

use axum::http::Method;

use super::testing::{Browser, SAME_ORIGIN};
use serde_json::json;

use crate::server::http::testing::{Harness, OPERATOR_PASSWORD};
use crate::server::store::query;

#[tokio::test]
async fn somebody_signs_in_selects_the_account_and_signs_out() {
    let h = Harness::new().await;
    let browser = Browser::new(&h);
    let start = browser.open("/").await;
    assert_eq!((start.path.as_str(), start.status), ("/sign-in", 200));
    let before = browser.cookies.borrow().clone();
    let wrong = browser.send("/sign-in", &[("username", &h.demo.username), ("password", "wrong")]).await;
    assert!(wrong.status == 401 && wrong.has("user name or password is wrong"), "{}", wrong.html);
    assert!(wrong.html.contains(&format!("value=\"{}\"", h.demo.username)), "what was typed is gone");
    let accounts = browser.send("/sign-in", &[("password", &h.demo.password)]).await;
    assert!(accounts.path == "/accounts" && accounts.has("Acme") && accounts.has("Enabled"), "{}", accounts.html);
    assert_ne!(*browser.cookies.borrow(), before, "the session keeps a name from before the sign-in");

    let session = browser.cookies.borrow().clone();
    let left = browser.request(Method::POST, "/sign-out", Some(&browser.form("/sign-out", &[])), &SAME_ORIGIN).await;
    assert_eq!(left.headers["clear-site-data"], "\"cache\", \"storage\"");
    let out = browser.open("/sign-in").await;
    assert!(out.path == "/sign-in" && out.has("You are signed out."), "{}", out.html);
    assert!(!browser.open("/sign-in").await.has("You are signed out."), "said twice");
    *browser.cookies.borrow_mut() = session;
    assert_eq!(browser.open("/accounts").await.path, "/sign-in?next=%2Faccounts", "the session outlived its end");
}

#[tokio::test]
async fn a_page_that_was_asked_for_follows_the_sign_in() {
    let h = Harness::new().await;
    let browser = Browser::new(&h);
    assert_eq!(browser.open("/accounts/acme").await.path, "/sign-in?next=%2Faccounts%2Facme");
    let signed = browser.send("/sign-in", &[("username", &h.demo.username), ("password", &h.demo.password)]).await;
    assert!(signed.path == "/accounts/acme" && signed.has("Account enabled"), "{}", signed.html);
}

#[tokio::test]
async fn a_new_user_ticks_account_enabled() {
    let h = Harness::new().await;
    for state in ["pending", "disabled"] {
        let set = query("UPDATE membership SET state = $1, activated_at = NULL").bind(state);
        set.execute(&h.app.store).await.expect("sets");
        let browser = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
        let page = browser.open("/accounts/acme").await;
        if state == "disabled" {
            assert!(page.has("disabled your login") && !page.html.contains("name=\"enabled\""), "{}", page.html);
            continue;
        }
        let refused = h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await;
        assert!(refused.string("detail").contains("tick Account enabled"));
        let unticked = browser.send("/accounts/acme", &[]).await;
        assert!(unticked.status == 422 && unticked.has("Tick Account enabled"), "{}", unticked.html);
        let ticked = browser.send("/accounts/acme", &[("enabled", "yes")]).await;
        assert!(ticked.has("The account is enabled"), "{}", ticked.html);
        h.agent().await;
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let h = Harness::new().await;
    let browser = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
    browser.open("/accounts/acme").await;
    let good = browser.form("/sign-out", &[]);
    let stolen = browser.form("/sign-out", &[("form", "0000")]);
    let without = good.iter().filter(|(name, _)| name != "form").cloned().collect();
    let cases: [(&_, &[(&str, &str)], u16); 8] = [
        (&stolen, &SAME_ORIGIN, 403),
        (&without, &SAME_ORIGIN, 403),
        (&good, &[("sec-fetch-site", "cross-site")], 403),
        (&good, &[("sec-fetch-site", "same-site")], 403),
        (&good, &[("origin", "https://evil.example")], 403),
        (&good, &[("origin", "null")], 403),
        (&good, &[("origin", "https://tms.example.evil.example"), ("sec-fetch-site", "same-origin")], 403),
        (&good, &[], 303),
    ];
    for (fields, headers, status) in cases {
        let answer = browser.request(Method::POST, "/sign-out", Some(fields), headers).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.html);
    }
    let other = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
    let answer = other.request(Method::POST, "/sign-out", Some(&good), &SAME_ORIGIN).await;
    assert!(answer.status == 403 && answer.html.contains("out of date"), "another session's form: {}", answer.html);
}

#[tokio::test]
async fn signing_in_needs_the_page_it_was_typed_on() {
    let h = Harness::new().await;
    let fields = vec![("username".into(), "operator".into()), ("password".into(), OPERATOR_PASSWORD.into())];
    let bare = Browser::new(&h).request(Method::POST, "/sign-in", Some(&fields), &SAME_ORIGIN).await;
    assert_eq!(bare.status, 403, "{}", bare.html);
}

#[tokio::test]
async fn what_goes_wrong_is_a_page_for_a_browser() {
    let h = Harness::new().await;
    let browser = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
    for (path, status, word) in [
        ("/nowhere", 404, "does not exist here"),
        ("/accounts/other", 404, "does not exist here"),
        ("/accounts/%ff", 404, "does not exist here"),
        ("/assets/x/y", 404, "does not exist here"),
    ] {
        let page = browser.open(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.has(word) && page.has("To the start"), "{path}: {}", page.html);
    }
    let wrong_way = browser.request(Method::POST, "/accounts", Some(&Vec::new()), &SAME_ORIGIN).await;
    assert!(wrong_way.status == 405 || wrong_way.status == 403, "{}", wrong_way.status);
    assert_eq!(h.get("/accounts").send().await.kind(), "urn:tms:problem:signed-out", "who asks for no page gets none");
}

#[tokio::test]
async fn files_are_kept_and_change_their_address() {
    let h = Harness::new().await;
    let page = Browser::new(&h).open("/sign-in").await;
    for (name, kind) in [("portal.css", "text/css"), ("portal.js", "text/javascript"), ("icon.svg", "image/svg+xml")] {
        let end = page.html.find(name).unwrap_or_else(|| panic!("{name} in {}", page.html)) + name.len();
        let start = page.html[..end].rfind('"').expect("an address") + 1;
        let file = h.get(&page.html[start..end]).send().await;
        assert!(file.headers["content-type"].to_str().is_ok_and(|t| t.starts_with(kind)), "{name}");
        assert!(file.headers["cache-control"].to_str().is_ok_and(|c| c.contains("immutable")), "{name}");
        assert!(file.text.len() > 200);
    }
}

#[tokio::test]
async fn somebody_changes_the_password_and_ends_other_sessions() {
    let h = Harness::new().await;
    let (one, two) = (&h.demo.username, &h.demo.password);
    let (here, there) = (Browser::signed_in(&h, one, two).await, Browser::signed_in(&h, one, two).await);
    let profile = here.open("/profile").await;
    assert!(profile.has("This one") && profile.has("Where you are signed in"), "{}", profile.text());
    assert!(here.send("/profile/sessions", &[]).await.has("The session has ended."));
    assert_eq!(there.open("/accounts").await.path, "/sign-in?next=%2Faccounts");

    let there = Browser::signed_in(&h, one, two).await;
    for (current, password, words) in
        [("wrong", "three quiet words", "password is wrong"), (two.as_str(), "short", "too short")]
    {
        here.open("/profile").await;
        let refused = here.send("/profile/password", &[("current", current), ("password", password)]).await;
        assert!(refused.status >= 400 && refused.has(words), "{words}: {}", refused.text());
    }
    here.open("/profile").await;
    let changed = here.send("/profile/password", &[("current", two), ("password", "three quiet words")]).await;
    assert!(changed.path == "/profile" && changed.has("The password was changed."), "{}", changed.text());
    assert_eq!(there.open("/accounts").await.path, "/sign-in?next=%2Faccounts");
    Browser::signed_in(&h, one, "three quiet words").await;
}

#[tokio::test]
async fn an_operator_adds_and_alters_accounts() {
    let h = Harness::new().await;
    let browser = Browser::operator(&h).await;
    assert!(browser.open("/accounts").await.has("Add New Account"));
    browser.open("/accounts/new").await;
    let new = [("name", "Beta"), ("tenant", "beta"), ("edition", "Express"), ("time_zone", "Europe/Berlin")];
    let refused = browser.send("/accounts/new", &[new[0], ("tenant", "a b"), new[2], new[3]]).await;
    assert!(refused.status == 422 && refused.has("Tenant must have 2 to 30"), "{}", refused.text());
    let nowhere = browser.send("/accounts/new", &[new[0], new[1], new[2], ("time_zone", "Mars")]).await;
    assert!(nowhere.status == 422 && nowhere.has("Time zone must be a name"), "{}", nowhere.text());
    let made = browser.send("/accounts/new", &new).await;
    assert!(made.path == "/accounts/beta/users" && made.has("The account Beta was added"), "{}", made.text());
    browser.open("/accounts/beta").await;
    let off = browser.form("/accounts/beta/settings", &[("name", "Better")]);
    let off = off.into_iter().filter(|(name, _)| name != "enabled").collect();
    browser.request(Method::POST, "/accounts/beta/settings", Some(&off), &SAME_ORIGIN).await;
    let list = browser.open("/accounts?search=bet").await;
    assert!(list.has("Better beta Express Disabled"), "{}", list.text());

    let admin = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    assert_eq!(admin.open("/accounts/new").await.status, 403);
    let own = admin.open("/accounts/acme").await;
    assert!(own.html.contains("name=\"time_zone\"") && !own.html.contains("name=\"edition\""), "{}", own.html);
}

#[tokio::test]
async fn emergency_numbers_are_typed_among_the_accounts_settings() {
    let h = Harness::new().await;
    let admin = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    let (page, settings) = (admin.open("/accounts/acme").await, "/accounts/acme/settings");
    assert!(page.html.contains("value=\"112 911 999 10111 10177\""), "{}", page.html);
    let refused = admin.send(settings, &[("name", "Typed"), ("emergency_numbers", "112, police")]).await;
    assert!(refused.status == 422 && refused.has("Emergency numbers must be numbers of 2 to 6"), "{}", refused.text());
    assert!(
        refused.html.contains("value=\"112 police\"") && refused.html.contains("value=\"Typed\""),
        "what was typed"
    );
    let kept = admin.send(settings, &[("emergency_numbers", "144;112")]).await;
    assert!(kept.has("The account was updated.") && kept.html.contains("value=\"112 144\""), "{}", kept.text());
}

#[tokio::test]
async fn how_calls_are_encrypted_and_recorded_is_chosen_among_the_accounts_settings() {
    let h = Harness::new().await;
    let admin = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    let settings = "/accounts/acme/settings";
    let chosen = |page: &str, value: &str| page.contains(&format!("<option value=\"{value}\" selected>"));
    let page = admin.open("/accounts/acme").await.html;
    assert!(
        chosen(&page, "optional")
            && chosen(&page, "allowed")
            && !page.contains("recording_tone\" value=\"yes\" checked")
    );
    let filled = [("srtp", "sdes"), ("recording", "required"), ("recording_tone", "yes")];
    let kept = admin.send(settings, &filled).await.html;
    assert!(chosen(&kept, "sdes") && chosen(&kept, "required"), "{kept}");
    assert!(kept.contains("recording_tone\" value=\"yes\" checked"), "{kept}");
    // What is wrong elsewhere on the form costs nothing of it.
    let refused = admin.send(settings, &[("recording", "forbidden"), ("emergency_numbers", "police")]).await;
    assert!(refused.status == 422 && chosen(&refused.html, "forbidden") && chosen(&refused.html, "sdes"));
    assert!(chosen(&admin.open("/accounts/acme").await.html, "required"));
}

#[tokio::test]
async fn users_are_listed_altered_and_disabled() {
    let h = Harness::new().await;
    let browser = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    let users = "/accounts/acme/users";
    assert!(browser.open(users).await.has("Alex Agent agent@acme.example Extension user Enabled"));
    browser.open(&format!("{users}/new")).await;
    let fields =
        [("name", "May"), ("username", "may@acme.example"), ("password", "three quiet words"), ("role", "manager")];
    let added = browser.send(&format!("{users}/new"), &fields).await;
    assert!(added.path == users && added.has("May may@acme.example Manager Not enabled yet"), "{}", added.text());

    let user = format!("{users}/{}", h.demo.username.replace('@', "%40"));
    let token = h.agent().await;
    browser.open(&user).await;
    let changed = browser.send(&user, &[("role", "manager"), ("name", "Al"), ("email", "")]).await;
    assert!(changed.has("The user was updated.") && changed.has("Al agent@acme.example"), "{}", changed.text());
    let refused = browser.send(&user, &[("name", "Al"), ("email", "nowhere")]).await;
    assert!(refused.status == 422 && refused.has("E-mail must read name@domain"), "{}", refused.text());
    browser.open(&user).await;
    let off = browser.send(&format!("{user}/state"), &[]).await;
    assert!(off.has("The user was disabled") && off.has("Enabling lets it sign in again"), "{}", off.text());
    assert_eq!(h.get("/v1/me").token(&token).send().await.status.as_u16(), 401);
    assert!(browser.send(&format!("{user}/state"), &[]).await.has("The user was enabled."));
    let own = format!("{users}/{}", h.demo.admin.username.replace('@', "%40"));
    let page = browser.open(&own).await;
    assert!(!page.html.contains("/state\"") && page.has("This is your own login"), "{}", page.text());
}

#[tokio::test]
async fn somebody_of_another_account_is_added() {
    let h = Harness::new().await;
    let operator = Browser::operator(&h).await;
    operator.open("/accounts/new").await;
    let new = [("name", "Branch"), ("tenant", "branch"), ("parent", "acm")];
    let refused = operator.send("/accounts/new", &new).await;
    assert!(refused.status == 422 && refused.has("there is no account with this tenant"), "{}", refused.text());
    let made = operator.send("/accounts/new", &[new[0], new[1], ("parent", "acme")]).await;
    assert!(made.has("The account Branch was added"), "{}", made.text());
    assert!(operator.open("/accounts").await.has("branch, under acme"), "the tree does not show");
    let existing = "/accounts/branch/users/existing";
    operator.open(existing).await;
    let refused = operator.send(existing, &[("username", "nobody@acme.example")]).await;
    assert!(refused.status == 422 && refused.has("Add it as a new one instead"), "{}", refused.text());
    let added = operator.send(existing, &[("username", &h.demo.username)]).await;
    assert!(added.has("Alex Agent agent@acme.example Extension user Not enabled yet"), "{}", added.text());

    let admin = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    let shared = admin.open(&format!("/accounts/acme/users/{}", h.demo.username.replace('@', "%40"))).await;
    assert!(shared.has("on other accounts too") && !shared.html.contains("name=\"email\""), "{}", shared.text());
    assert!(!shared.has("Make a link to set a new password"), "{}", shared.text());
}

#[tokio::test]
async fn a_key_works_to_the_end_of_its_last_day() {
    let h = Harness::new().await;
    let token = h.operator().await;
    h.patch("/v1/accounts/acme", json!({"time_zone": "Asia/Tokyo"})).token(&token).send().await;
    let browser = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    let new = "/accounts/acme/api-keys/new";
    browser.open(new).await;
    for (day, words) in [("2020-01-01", "Last day must lie in the future"), ("soon", "Last day must be a day")] {
        let refused = browser.send(new, &[("name", "CRM"), ("expires_at", day)]).await;
        assert!(refused.status == 422 && refused.has(words), "{words}: {}", refused.text());
    }
    // The harness's clock stands at 2027-01-15T08:00:00Z.
    let made = browser.send(new, &[("name", "CRM"), ("expires_at", "2027-01-15")]).await;
    assert!(made.has("shown this once"), "{}", made.text());
    let key = h.get("/v1/accounts/acme/api-keys?search=CRM").token(&token).send().await;
    assert_eq!(key.json[0]["expires_at"], "2027-01-15T15:00:00Z");
    let list = "/accounts/acme/api-keys?search=CRM";
    assert!(browser.open(list).await.has("Expires soon"));
    h.pass(7 * 3600);
    let later = Browser::signed_in(&h, &h.demo.admin.username, &h.demo.admin.password).await;
    assert!(later.open(list).await.has("Expired"));
}
