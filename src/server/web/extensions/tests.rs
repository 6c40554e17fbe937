//! Extension Manager in a browser, as the document walks through it.

use serde_json::json;

use crate::server::{
    http::testing::Harness,
    web::testing::{Browser, Page},
};

const LIST: &str = "/accounts/acme/extensions";
const PASSWORD: &str = "three quiet words";
/// What its owner chooses in its place.
const OWN_PASSWORD: &str = "four rather louder words";

async fn admin(h: &Harness) -> Browser<'_> {
    Browser::signed_in(h, &h.demo.admin.username, &h.demo.admin.password).await
}

/// A new user's: nothing opens before another password is chosen.
async fn first_sign_in<'a>(h: &'a Harness, username: &str) -> Browser<'a> {
    let browser = Browser::new(h);
    browser.open("/sign-in").await;
    let first = browser.send("/sign-in", &[("username", username), ("password", PASSWORD)]).await;
    assert!(first.path == "/profile" && first.has("Whoever gave you this password knows it"), "{}", first.text());
    for closed in ["/accounts", "/accounts/acme", "/profile/second-factor", "/accounts/acme/downloads"] {
        assert_eq!(browser.open(closed).await.path, "/profile", "{closed} opens");
    }
    let same = browser.send("/profile/password", &[("current", PASSWORD), ("password", PASSWORD)]).await;
    assert!(same.status == 422 && same.has("another than the one that you were given"), "{}", same.text());
    let chosen = browser.send("/profile/password", &[("current", PASSWORD), ("password", OWN_PASSWORD)]).await;
    assert!(chosen.path == "/accounts" && chosen.has("The password was changed."), "{}", chosen.text());
    browser
}

async fn add(browser: &Browser<'_>, number: &str, name: &str) -> Page {
    browser.open(&format!("{LIST}/new")).await;
    browser.send(&format!("{LIST}/new"), &[("number", number), ("name", name)]).await
}

#[tokio::test]
async fn extensions_are_listed_searched_and_added() {
    let h = Harness::new().await;
    h.sip.hold("100-acme", None, None);
    let browser = admin(&h).await;
    let list = browser.open(LIST).await;
    for words in ["100 Alex Agent", "Registered Desk <phone> & co", "101 Chris Colleague", "Not registered"] {
        assert!(list.has(words), "{words}: {}", list.text());
    }
    let found = browser.open(&format!("{LIST}?search=colleague")).await;
    assert!(found.has("Chris Colleague") && !found.has("Alex Agent"), "{}", found.text());
    assert!(browser.open(&format!("{LIST}?search=%3Cb%3E")).await.has("Nothing found"));

    let open = browser.open(&format!("{LIST}/100")).await;
    assert!(open.has("10.0.0.12:5060 · latency 23 ms"), "{}", open.text());

    let added = add(&browser, "102", "New & <desk>").await;
    assert_eq!(added.path, format!("{LIST}/102"));
    assert!(added.has("Extension 102 was added") && added.has("102 New & <desk>"), "{}", added.text());
    for (number, name, words) in [
        ("102", "Again", "The extension 102 exists already"),
        ("1x", "Letters", "Number must have 1 to 12 digits."),
        ("103", " ", "Name must not be empty."),
        ("103", "tab\there", "Name must not contain control characters."),
    ] {
        let refused = add(&browser, number, name).await;
        assert!(refused.status >= 400 && refused.has(words), "{words}: {}", refused.text());
    }
}

#[tokio::test]
async fn a_long_list_has_pages() {
    let h = Harness::new().await;
    let token = h.operator().await;
    for number in 200..260 {
        let body = json!({"number": number.to_string(), "name": "N"});
        h.post("/v1/accounts/acme/extensions", body).token(&token).send().await;
    }
    let browser = admin(&h).await;
    let first = browser.open(LIST).await;
    assert!(first.has("Next") && !first.has("Previous") && !first.has("259"), "{}", first.text());
    let second = browser.open(&format!("{LIST}?search=&offset=50")).await;
    assert!(second.has("Previous") && !second.has("Next") && second.has("259"), "{}", second.text());
}

#[tokio::test]
async fn details_are_updated_and_a_sip_password_is_shown_once() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let path = format!("{LIST}/101");
    browser.open(&path).await;
    let renamed = browser.send(&path, &[("name", "Carla")]).await;
    assert!(renamed.has("The extension was updated.") && renamed.has("101 Carla"), "{}", renamed.text());
    let refused = browser.send(&path, &[("name", "")]).await;
    assert!(refused.status == 422 && refused.has("Name must not be empty"), "{}", refused.text());

    browser.open(&path).await;
    let form = browser.form(&format!("{path}/sip-password"), &[("registration", "101-acme")]);
    let headers = [("sec-fetch-site", "same-origin")];
    let post = || {
        browser.request(axum::http::Method::POST, "/accounts/acme/extensions/101/sip-password", Some(&form), &headers)
    };
    let made = post().await;
    let secret = made.html.split("id=\"secret\" value=\"").nth(1).and_then(|s| s.split('"').next()).expect("a secret");
    let credentials = h.registry().credentials("acme", "101-acme").await.expect("asks").expect("known");
    assert_eq!(credentials.ha1, crate::server::registry::Ha1::of("101-acme", "acme", secret));
    let again = post().await;
    assert!(again.status == 409 && again.has("sent already") && !again.html.contains(secret), "{}", again.text());
}

#[tokio::test]
async fn additional_registrations_come_ring_and_go() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let tab = format!("{LIST}/101/registrations");
    let new = format!("{tab}/new");
    for (username, words) in [("laptop", "101-acme-laptop was added"), ("mobile", "101-acme-mobile was added")] {
        assert!(browser.open(&new).await.has("101-acme-"));
        let added = browser.send(&new, &[("username", username)]).await;
        assert!(added.path == tab && added.has(words), "{}", added.text());
    }
    let full = browser.open(&tab).await;
    assert!(full.has("both of its additional registrations") && !full.has("Add Registration"), "{}", full.text());
    assert!(full.has("(P)") && full.has("(S)") && full.has("Always"));

    let one = format!("{tab}/101-acme-laptop");
    let form = browser.form(&one, &[]).into_iter().filter(|(name, _)| name != "ring_inbound").collect();
    let off = browser.request(axum::http::Method::POST, &one, Some(&form), &[]).await;
    assert_eq!(off.status, 303, "{}", off.html);
    assert!(browser.open(&tab).await.has("101-acme-laptop does not ring any more."));
    let group = h.registry().ring_group("acme", "101").await.expect("asks").expect("known");
    assert_eq!(group.registrations, ["101-acme", "101-acme-mobile"]);

    browser.open(&tab).await;
    let state = format!("{one}/state");
    let off = browser.send(&state, &[]).await;
    assert!(off.has("101-acme-laptop was disabled; no device can hold it.") && off.has("Enable"), "{}", off.text());
    assert!(browser.send(&state, &[]).await.has("101-acme-laptop was enabled."));
    assert!(browser.open(&format!("{one}/remove")).await.has("Its SIP password stops working"));
    assert!(browser.send(&format!("{one}/remove"), &[]).await.has("101-acme-laptop was removed"));
    assert!(browser.open(&tab).await.has("Add Registration"));
    browser.open(&new).await;
    let refused = browser.send(&new, &[("username", "Mob ile!")]).await;
    assert!(refused.status == 422 && refused.has("User name must have 1 to 20 characters"), "{}", refused.text());
}

#[tokio::test]
async fn express_says_why_there_is_no_second_registration() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let account = json!({"name": "Beta", "tenant": "beta", "edition": "express"});
    h.post("/v1/accounts", account).token(&token).send().await;
    h.post("/v1/accounts/beta/extensions", json!({"number": "100", "name": "N"})).token(&token).send().await;
    let browser = Browser::operator(&h).await;
    for path in ["/accounts/beta/extensions/100/registrations", "/accounts/beta/extensions/100/registrations/new"] {
        let page = browser.open(path).await;
        assert!(page.has("An Express account has one registration per extension."), "{}", page.text());
        assert!(!page.html.contains("name=\"username\""), "{path}");
    }
}

/// The document from *TMS Admin* to the first sign-in of Agent Manager.
#[tokio::test]
async fn a_new_agent_comes_to_life() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let tab = format!("{LIST}/101/tms-admin");
    assert!(browser.open(&tab).await.has("Create TMS account for this extension"));
    let create = format!("{tab}/create");
    for (fields, words) in [
        ([("name", "Chris"), ("username", "chris@acme.example"), ("password", "short")], "too short"),
        ([("name", ""), ("username", "chris@acme.example"), ("password", PASSWORD)], "Full name must not be empty"),
        ([("name", "Chris"), ("username", "a b"), ("password", PASSWORD)], "User name must have 3 to 100"),
        ([("name", "Chris"), ("username", &h.demo.username), ("password", PASSWORD)], "exists already"),
    ] {
        browser.open(&create).await;
        let refused = browser.send(&create, &fields).await;
        assert!(refused.status >= 400 && refused.has(words), "{words}: {}", refused.text());
        assert!(!refused.html.contains(PASSWORD), "the password came back");
    }
    browser.open(&create).await;
    let fields = [("name", "Chris"), ("username", "Chris@acme.example"), ("password", PASSWORD)];
    let made = browser.send(&create, &fields).await;
    assert!(
        made.path == tab && made.has("chris@acme.example was created") && made.has("Not enabled yet"),
        "{}",
        made.text()
    );

    let agent = first_sign_in(&h, "chris@acme.example").await;
    assert!(agent.open("/accounts/acme").await.has("Until then Agent Manager cannot use it"));
    agent.send("/accounts/acme", &[("enabled", "yes")]).await;

    let keys = "/accounts/acme/api-keys";
    browser.open(&format!("{keys}/new")).await;
    let key_page = browser.send(&format!("{keys}/new"), &[("name", "Phones")]).await;
    let key = key_page
        .html
        .split("id=\"secret\" value=\"")
        .nth(1)
        .and_then(|s| s.split('"').next())
        .expect("a key")
        .to_owned();
    assert!(key_page.has("shown this once"), "{}", key_page.text());
    assert!(!browser.open(keys).await.html.contains(&key), "shown twice");
    assert!(h.try_sign_in("chris@acme.example", OWN_PASSWORD, &key).await.string("detail").contains("press Update"));

    let page = browser.open(&format!("{LIST}/101/api-key")).await;
    let id =
        page.html.split("<option value=\"").filter_map(|o| o.split_once('"')).find(|(_, rest)| rest.contains("Phones"));
    let id = id.expect("the key is offered").0.to_owned();
    let updated = browser.send(&format!("{LIST}/101/api-key"), &[("api_key", &id)]).await;
    assert!(updated.has("The API key was enabled on this extension."), "{}", updated.text());
    assert_eq!(h.try_sign_in("chris@acme.example", OWN_PASSWORD, &key).await.status.as_u16(), 201);
    assert!(browser.open(&format!("{keys}/{id}")).await.has("sign-in"));
    assert!(browser.open("/accounts/acme/audit").await.has("chris@acme.example"));

    let own = agent.open(LIST).await;
    assert!(own.has("101 Chris Colleague") && !own.has("Alex Agent") && !own.has("Add extension"), "{}", own.text());
    assert_eq!(agent.open(&format!("{LIST}/100")).await.status, 404);
    assert_eq!(agent.open(&tab).await.status, 403);
    let ringing = agent.open(&format!("{LIST}/101/registrations")).await;
    assert!(ringing.status == 200 && !ringing.has("Add Registration"), "{}", ringing.text());
}

#[tokio::test]
async fn an_extension_is_assigned_and_taken() {
    let h = Harness::new().await;
    let browser = admin(&h).await;
    let tab = format!("{LIST}/101/tms-admin");
    let assign = format!("{tab}/assign");
    assert!(browser.open(&assign).await.html.contains(&h.demo.username), "not offered");
    let refused = browser.send(&assign, &[("login", "nobody")]).await;
    assert!(refused.status == 422 && refused.has("no such login"), "{}", refused.text());
    browser.open(&assign).await;
    let assigned = browser.send(&assign, &[("login", &h.demo.username)]).await;
    assert!(assigned.has("Extension 101 belongs to agent@acme.example now."), "{}", assigned.text());
    assert!(browser.open(&format!("{tab}/take")).await.has("the extension can be assigned again"));
    assert!(browser.send(&format!("{tab}/take"), &[]).await.has("No TMS account uses this extension"));
}

#[tokio::test]
async fn an_extension_says_what_agent_manager_still_needs_and_goes_when_removed() {
    let h = Harness::new().await;
    h.sip.hold("100-acme", None, None);
    let browser = admin(&h).await;
    let bare = browser.open(&format!("{LIST}/101")).await;
    for words in ["Not ready", "No TMS account uses it", "No API key is enabled on it", "Set up an agent"] {
        assert!(bare.has(words), "{words}: {}", bare.text());
    }
    let ready = browser.open(&format!("{LIST}/100")).await;
    for words in
        ["Agent Manager Ready", "Alex Agent uses it", "100-acme-laptop is a registration of its own", "10.0.0.12"]
    {
        assert!(ready.has(words), "{words}: {}", ready.text());
    }
    let remove = format!("{LIST}/100/remove");
    let asked = browser.open(&remove).await;
    for words in ["100-acme : Desk <phone> & co is signed out", "The TMS account itself stays", "cannot be undone"] {
        assert!(asked.has(words), "{words}: {}", asked.text());
    }
    let gone = browser.send(&remove, &[]).await;
    assert!(gone.path == LIST && gone.has("Extension 100 was removed.") && !gone.has("Alex Agent"), "{}", gone.text());
    let agent = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
    assert_eq!(agent.open(&format!("{LIST}/101/remove")).await.status, 403);
}
