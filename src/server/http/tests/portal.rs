//! Every page and form of the portal that a link leads to, so that a new one, or a new field, cannot be forgotten: with what its
//! fields cannot be, and for people of another tenant.

use std::collections::{BTreeSet, VecDeque};

use axum::http::Method;

use super::tenants::{beta, everything};
use crate::server::{
    http::testing::{GOOD, Harness},
    throttle,
    web::testing::{Browser, Fields, SAME_ORIGIN},
};

/// Whose next segment names one of many: the first is looked at for all.
const MANY: [&str; 6] = ["accounts", "extensions", "registrations", "users", "api-keys", "set-up"];
/// Pages beside those of the many.
const NONE_OF_MANY: [&str; 2] = ["new", "existing"];
/// Fields of which any value will do: where to go after the sign-in, which is looked at there, and what is on by being sent.
const ANY: [&str; 2] = ["next", "enabled"];
const MARKUP: &str = "<script>alert(1)</script>";

/// What kind of page or form an address is: `accounts/-/extensions/-/tms-admin`.
fn kind(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let mut of_many = false;
    let segments = path.split('/').filter(|s| !s.is_empty()).map(|segment| {
        let named = of_many && !NONE_OF_MANY.contains(&segment);
        of_many = MANY.contains(&segment);
        if named { "-" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// A form: where it is sent, what its page would send, and the names of all its fields that people or the page fill in.
struct Form {
    action: String,
    fields: Fields,
    own: Vec<String>,
}

/// One page of each kind that is linked from where it starts, and the forms there.
async fn tour(browser: &Browser<'_>, start: &str) -> (Vec<String>, Vec<Form>) {
    let (mut seen, mut pages, mut forms) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut ahead = VecDeque::from([start.to_owned()]);
    while let Some(path) = ahead.pop_front() {
        let file = path.starts_with("/downloads/") || path.starts_with("/assets/");
        if file || !path.starts_with('/') || !seen.insert(kind(&path)) {
            continue;
        }
        let page = browser.open(&path).await;
        assert!(page.status < 500 && !page.html.contains(MARKUP), "{path}: {}", page.html);
        for (action, own) in page.forms() {
            // It would end the session that the next is tried with.
            if action != "/sign-out" && seen.insert(format!("POST {}", kind(&action))) {
                forms.push(Form { fields: browser.form(&action, &[]), action, own });
            }
        }
        ahead.extend(page.links());
        pages.push(path);
    }
    (pages, forms)
}

async fn send(browser: &Browser<'_>, form: &Form, name: &str, value: &str) -> (u16, String) {
    let mut fields = form.fields.clone();
    fields.retain(|(known, _)| known != name);
    fields.push((name.to_owned(), value.to_owned()));
    let answer = browser.request(Method::POST, &form.action, Some(&fields), &SAME_ORIGIN).await;
    let shown: String = value.chars().take(30).collect();
    let what = format!("{} with {name} = {shown:?}: {} {}", form.action, answer.status, answer.text());
    assert!(answer.status < 500 && !answer.html.contains(MARKUP), "{what}");
    assert!(answer.status == 303 || answer.text().len() > 30, "nothing is said: {what}");
    (answer.status, what)
}

/// Until nobody takes it for a flood, or for guessing.
fn pass(h: &Harness, form: &Form) {
    let guessed = ["password", "current", "code"];
    let guesses = form.own.iter().any(|field| guessed.contains(&field.as_str()));
    h.pass(if guesses { throttle::WINDOW_S } else { 1 });
}

#[tokio::test]
async fn no_field_of_any_form_takes_what_it_cannot_be() {
    let h = Harness::new().await;
    let operator = Browser::operator(&h).await;
    let agent = Browser::signed_in(&h, &h.demo.username, &h.demo.password).await;
    let invited = h.call(Method::POST, "/v1/accounts/acme/logins/agent@acme.example/invitations");
    let link = invited.token(&h.operator().await).send().await.string("url");
    let stranger = Browser::new(&h);
    let mut toured = Vec::new();
    for (browser, start) in
        [(&operator, "/accounts"), (&agent, "/accounts"), (&stranger, "/sign-in"), (&stranger, &link)]
    {
        let start = start.strip_prefix("https://tms.example").unwrap_or(start);
        toured.push((browser, tour(browser, start).await.1));
    }
    let fields: usize = toured.iter().flat_map(|(_, forms)| forms).map(|form| form.own.len()).sum();
    assert!(fields > 40, "{fields} fields");
    let (before, mut taken) = (everything(&h).await, Vec::new());
    for (browser, form) in toured.iter().flat_map(|(browser, forms)| forms.iter().map(move |form| (browser, form))) {
        for field in form.own.iter().filter(|field| !ANY.contains(&field.as_str())) {
            for value in [&"x".repeat(10_000), "a\u{7}b", "a\0b"] {
                let (status, what) = send(browser, form, field, value).await;
                taken.extend(Some(what).filter(|_| !(400..500).contains(&status)));
            }
        }
        pass(&h, form);
    }
    assert_eq!(taken, Vec::<String>::new(), "these were taken");
    assert_eq!(everything(&h).await, before, "something was altered");
    for (browser, form) in toured.iter().flat_map(|(browser, forms)| forms.iter().map(move |form| (browser, form))) {
        for field in &form.own {
            for value in ["", MARKUP, "\"><b>' OR 1=1; --", "beta", "100-beta", "-1", "\u{202e}"] {
                send(browser, form, field, value).await;
            }
        }
        pass(&h, form);
    }
    // What was taken as a name is shown as text.
    tour(&Browser::operator(&h).await, "/accounts").await;
}

#[tokio::test]
async fn no_page_or_form_opens_to_another_tenant() {
    let h = Harness::new().await;
    beta(&h).await;
    let (pages, forms) = tour(&Browser::operator(&h).await, "/accounts/acme").await;
    let ours = |path: &&String| path.starts_with("/accounts/acme");
    assert!(pages.iter().filter(ours).count() > 20 && forms.iter().filter(|form| ours(&&form.action)).count() > 15);
    let before = everything(&h).await;
    for role in ["admin", "manager", "extension"] {
        let stranger = Browser::signed_in(&h, &format!("{role}@beta.example"), GOOD).await;
        let token = stranger.form("/sign-out", &[]).into_iter().find(|(name, _)| name == "form").expect("its token");
        // Theirs; and their things under one's own account.
        let tried = |path: &str| {
            let names = path.contains("-acme") || path.contains("acme.example") || path.contains("/api-keys/");
            let own =
                Some(path.replace("/accounts/acme", "/accounts/beta")).filter(|_| names && !path.ends_with("/new"));
            [Some(path.to_owned()), own].into_iter().flatten()
        };
        for path in pages.iter().filter(ours).flat_map(|path| tried(path)) {
            let page = stranger.request(Method::GET, &path, None, &[]).await;
            assert!(matches!(page.status, 403 | 404), "{role} opens {path}: {} {}", page.status, page.text());
            assert!(!page.has("Alex") && !page.has("Acme"), "{role} on {path}: {}", page.text());
        }
        for form in forms.iter().filter(|form| ours(&&form.action)) {
            let mut fields = form.fields.clone();
            fields.retain(|(name, _)| name != "form");
            fields.push(token.clone());
            for action in tried(&form.action) {
                let answer = stranger.request(Method::POST, &action, Some(&fields), &SAME_ORIGIN).await;
                assert!(matches!(answer.status, 403 | 404), "{role} sends {action}: {}", answer.text());
                assert!(!answer.has("Alex") && !answer.has("Acme"), "{role} to {action}: {}", answer.text());
            }
        }
    }
    assert_eq!(everything(&h).await, before, "something of theirs was altered");
}
