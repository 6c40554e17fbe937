//! Every page that a link leads to, as an operator and as an agent see it, so that a new page cannot be forgotten.

use crate::{
    browser::Browser,
    phone::Phone,
    server::{OPERATOR, OPERATOR_PASSWORD, Server},
};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use totp_rs::{Builder, Secret};

/// Whose next segment names one of many: the first is looked at for all.
const MANY: [&str; 6] = ["accounts", "extensions", "registrations", "users", "api-keys", "set-up"];
/// Pages beside those of the many.
const NONE_OF_MANY: [&str; 2] = ["new", "existing"];

/// What kind of page an address is: `accounts/-/extensions/-/tms-admin`. `None` for what is no page of ours.
fn kind(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next()?;
    if !path.starts_with('/') || path.starts_with("/downloads/") {
        return None;
    }
    let mut of_many = false;
    let segments = path.split('/').filter(|s| !s.is_empty()).map(|segment| {
        let named = of_many && !NONE_OF_MANY.contains(&segment);
        of_many = MANY.contains(&segment);
        if named { "-" } else { segment }
    });
    Some(segments.collect::<Vec<_>>().join("/"))
}

/// Opens what is linked from where the browser is, and what is linked from there, one page of each kind.
async fn tour(browser: &Browser, person: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut ahead = VecDeque::from([browser.path().await]);
    while let Some(path) = ahead.pop_front() {
        let Some(kind) = kind(&path).filter(|kind| seen.insert(kind.clone())) else { continue };
        browser.open(&path).await;
        browser.looked(&format!("{person}-{}", kind.replace('/', "_"))).await;
        let links = "return [...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))";
        let links = browser.script(links).await;
        ahead.extend(links.as_array().expect("a list").iter().filter_map(|link| Some(link.as_str()?.to_owned())));
    }
    seen
}

/// A device with a wrong password, so that there is a refusal to look at.
fn refused(server: &Server) {
    let proxy = format!("sip:{};lr", server.sip);
    let args =
        ["--sip-account", "sip:101-acme@acme", "--outbound-proxy", &proxy, "--bind", "127.0.0.1:0", "--audio", "null"];
    let phone = Phone::start(server.folder.path(), "stranger", &args, "wrong", None);
    phone.wait(json!({"event": "registration", "state": "failed"}));
    phone.quit();
}

/// The demonstration's agent calls the echo; the calls' page while they talk and afterwards.
async fn called(server: &Server, browser: &Browser) {
    let (username, password) = server.demo();
    let args = ["--tms", &server.http, "--username", username, "--registration", "100-acme-laptop"];
    let args = [&args[..], &["--bind", "127.0.0.1:0", "--audio", "null"]].concat();
    let mut phone = Phone::start(server.folder.path(), "agent", &args, password, Some(server.said("api_key")));
    phone.wait(json!({"event": "registration", "state": "online"}));
    phone.send(json!({"cmd": "dial", "to": "600"}));
    let call = phone.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    browser.open("/accounts/acme/calls").await;
    browser.sees("Talking").await;
    browser.looked("calls").await;
    phone.send(json!({"cmd": "hangup", "call": call}));
    phone.wait(json!({"event": "call", "state": "ended"}));
    phone.quit();
    browser.open("/accounts/acme/calls").await;
    browser.sees("Nobody is on a call").await;
    browser.looked("calls-past").await;
}

/// Turns two-step sign-in on, comes in with it, and has it removed by the operator.
async fn two_steps(browser: &Browser, (username, password): (&str, &str)) {
    browser.sign_out().await;
    browser.sign_in(username, password).await;
    browser.sees("Select account").await;
    browser.open("/profile").await;
    browser.press("Turn on").await;
    browser.looked("second-factor").await;
    let secret = browser.text(".two-lines .code").await.replace(' ', "");
    let totp =
        Builder::new().with_secret(Secret::try_from_base32(&secret).expect("base 32")).build().expect("a secret");
    browser.fill("code", &totp.generate_current().to_string()).await;
    browser.press("Turn on").await;
    browser.sees("Two-step sign-in is on").await;
    browser.looked("recovery-codes").await;
    let recovery = browser.text("ul.codes li").await;
    for (page, name) in [("", ""), ("/second-factor/codes", "-codes"), ("/second-factor/off", "-off")] {
        browser.open(&format!("/profile{page}")).await;
        browser.looked(&format!("profile-two-steps{name}")).await;
    }
    browser.sign_out().await;
    browser.sign_in(username, password).await;
    browser.sees("Two-step sign-in").await;
    browser.fill("code", "000000").await;
    browser.press("Sign in").await;
    browser.sees("The code is wrong").await;
    browser.looked("sign-in-code").await;
    browser.fill("code", &recovery).await;
    browser.press("Sign in").await;
    browser.sees("Select account").await;
    browser.sign_out().await;
    browser.sign_in(OPERATOR, OPERATOR_PASSWORD).await;
    browser.sees("Add New Account").await;
    browser.open(&format!("/accounts/acme/users/{username}/second-factor")).await;
    browser.looked("remove-second-factor").await;
    browser.fill("password", "wrong").await;
    browser.press("Remove second factor").await;
    browser.sees("this is not your password").await;
    browser.looked("remove-second-factor-refused").await;
    browser.fill("password", OPERATOR_PASSWORD).await;
    browser.press("Remove second factor").await;
    browser.sees("The second factor was removed").await;
}

fn walked(look: impl AsyncFn(&Server, &Browser)) {
    let server = Server::with_demonstration();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let browser = Browser::start(&server.http).await;
        browser.open("/accounts").await;
        look(&server, &browser).await;
        browser.end().await;
    });
}

#[test]
fn every_page_of_an_operator_is_good_in_every_look() {
    walked(async |_, browser| {
        browser.sign_in(OPERATOR, OPERATOR_PASSWORD).await;
        browser.sees("Add New Account").await;
        let seen = tour(browser, "operator").await;
        for page in [
            "accounts/-/extensions/-/refusals",
            "accounts/-/extensions/-/remove",
            "accounts/-/set-up/-",
            "accounts/-/extensions/-/registrations/-/label",
            "accounts/-/calls",
            "accounts/-/api-keys/-/rotate",
            "accounts/-/api-keys/-/expiry",
            "accounts/-/users/-",
            "accounts/-/users/-/remove",
            "accounts/-/users/existing",
            "accounts/-/audit",
            "audit",
            "profile",
        ] {
            assert!(seen.contains(page), "no link leads to {page}: {seen:?}");
        }
    });
}

#[test]
fn every_page_of_an_agent_is_good_in_every_look() {
    walked(async |server, browser| {
        let (username, password) = server.demo();
        browser.sign_in(username, password).await;
        browser.sees("Select account").await;
        tour(browser, "agent").await;
    });
}

#[test]
fn what_forms_answer_is_good_in_every_look() {
    walked(async |server, browser| {
        browser.sign_in(OPERATOR, "wrong").await;
        browser.sees("wrong").await;
        browser.looked("sign-in-refused").await;
        browser.sign_in(OPERATOR, OPERATOR_PASSWORD).await;
        browser.sees("Add New Account").await;
        refused(server);
        browser.open("/accounts/acme/extensions/101/refusals").await;
        browser.sees("The password is not 101-acme's").await;
        browser.looked("refusals").await;
        browser.open("/accounts/acme/extensions/101").await;
        browser.press("Make a new SIP password").await;
        browser.looked("sip-password").await;
        browser.open("/accounts/acme/extensions/999").await;
        browser.looked("not-found").await;
        browser.open("/accounts/acme/api-keys").await;
        browser.press("Add API login").await;
        browser.fill("name", "CRM").await;
        browser.looked("dialog").await;
        browser.press("Add API login").await;
        browser.value("secret").await;
        browser.looked("api-key-once").await;
        called(server, browser).await;
        two_steps(browser, server.admin()).await;
    });
}
