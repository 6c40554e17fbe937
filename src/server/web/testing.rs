//! A browser without a window over the in-process router: it keeps cookies, sends what browsers send, fills forms in and
//! follows redirects.

use std::{cell::RefCell, collections::BTreeMap};

use axum::{
    body::to_bytes,
    http::{HeaderMap, Method},
};

use crate::server::http::testing::{Harness, OPERATOR_PASSWORD};

pub struct Browser<'a> {
    harness: &'a Harness,
    pub cookies: RefCell<BTreeMap<String, String>>,
    /// The page that is shown.
    shown: RefCell<Page>,
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub status: u16,
    pub path: String,
    pub html: String,
    pub headers: HeaderMap,
}

/// What a form of the shown page would send.
pub type Fields = Vec<(String, String)>;

impl<'a> Browser<'a> {
    pub fn new(harness: &'a Harness) -> Self {
        Self { harness, cookies: RefCell::default(), shown: RefCell::default() }
    }

    /// One that is signed in.
    pub async fn signed_in(harness: &'a Harness, username: &str, password: &str) -> Self {
        let browser = Self::new(harness);
        browser.open("/sign-in").await;
        let page = browser.send("/sign-in", &[("username", username), ("password", password)]).await;
        assert_eq!((page.status, page.path.as_str()), (200, "/accounts"), "{}", page.html);
        browser
    }

    pub async fn operator(harness: &'a Harness) -> Self {
        Self::signed_in(harness, "operator", OPERATOR_PASSWORD).await
    }

    /// Opens a page and follows where it leads.
    pub async fn open(&self, path: &str) -> Page {
        let answer = self.request(Method::GET, path, None, &[]).await;
        self.follow(answer).await
    }

    /// Fills the form with this action on the shown page in and sends it. Fields that the form has besides keep their values.
    pub async fn send(&self, action: &str, filled: &[(&str, &str)]) -> Page {
        let fields = self.form(action, filled);
        let answer = self.request(Method::POST, action, Some(&fields), &SAME_ORIGIN).await;
        self.follow(answer).await
    }

    /// The fields of the form with this action on the shown page, some of them filled in anew.
    pub fn form(&self, action: &str, filled: &[(&str, &str)]) -> Fields {
        let page = self.shown.borrow();
        let start = page.html.find(&format!("action=\"{action}\""));
        let start = start.unwrap_or_else(|| panic!("no form for {action} on {}: {}", page.path, page.html));
        let form = page.html[start..].split("</form>").next().unwrap_or_default();
        let mut fields: Fields = form.split('<').filter_map(field).chain(selected(form)).collect();
        for (name, value) in filled {
            fields.retain(|(known, _)| known != name);
            fields.push(((*name).to_owned(), (*value).to_owned()));
        }
        fields
    }

    /// One request with the cookies; redirects are not followed.
    pub async fn request(&self, method: Method, path: &str, fields: Option<&Fields>, headers: &[(&str, &str)]) -> Page {
        let cookies: Vec<_> = self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut call = self.harness.call(method, path).header("accept", "text/html").header("host", "tms.example");
        if !cookies.is_empty() {
            call = call.header("cookie", &cookies.join("; "));
        }
        for (name, value) in headers {
            call = call.header(name, value);
        }
        if let Some(fields) = fields {
            let body: Vec<_> = fields.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
            call = call.header("content-type", "application/x-www-form-urlencoded").raw(body.join("&"));
        }
        let (parts, body) = call.stream().await.into_parts();
        for set in parts.headers.get_all("set-cookie") {
            self.keep(set.to_str().expect("ASCII"));
        }
        let bytes = to_bytes(body, 10 << 20).await.expect("the body is read");
        let html = String::from_utf8_lossy(&bytes).into_owned();
        Page { status: parts.status.as_u16(), path: path.to_owned(), html, headers: parts.headers }
    }

    async fn follow(&self, mut answer: Page) -> Page {
        for _ in 0..5 {
            if answer.status != 303 {
                check(&answer);
                *self.shown.borrow_mut() = answer.clone();
                return answer;
            }
            let place = answer.headers["location"].to_str().expect("ASCII").to_owned();
            answer = self.request(Method::GET, &place, None, &[]).await;
        }
        panic!("{} leads round in circles", answer.path);
    }

    fn keep(&self, set: &str) {
        let (pair, attributes) = set.split_once(';').expect("attributes");
        for wanted in ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"] {
            assert!(attributes.contains(wanted), "{set}");
        }
        let (name, value) = pair.split_once('=').expect("a value");
        assert!(name.starts_with("__Host-"), "{set}");
        let mut cookies = self.cookies.borrow_mut();
        match attributes.contains("Max-Age=0") {
            true => cookies.remove(name),
            false => cookies.insert(name.to_owned(), value.to_owned()),
        };
    }
}

impl Page {
    pub fn has(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// Where its links lead.
    pub fn links(&self) -> impl Iterator<Item = String> {
        self.html.split("<a").skip(1).filter_map(|tag| attribute(tag, "href"))
    }

    /// Where its forms are posted, each with the names of the fields that are no token of ours and no box to be ticked.
    pub fn forms(&self) -> Vec<(String, Vec<String>)> {
        let named = |tag: &str| {
            let is_field = ["input", "select", "textarea"].iter().any(|kind| tag.starts_with(kind));
            let name = attribute(tag, "name").filter(|_| is_field && !tag.contains("type=\"checkbox\""));
            name.filter(|name| !["form", "once"].contains(&name.as_str()))
        };
        let read = |form: &str| {
            let posted = form.split('>').next().is_some_and(|tag| tag.contains("method=\"post\""));
            let inside = form.split("</form>").next().unwrap_or_default();
            Some((attribute(form, "action")?, inside.split('<').filter_map(named).collect())).filter(|_| posted)
        };
        self.html.split("<form").skip(1).filter_map(read).collect()
    }

    /// What people read: without tags, without the spaces that HTML ignores.
    pub fn text(&self) -> String {
        let body = self.html.split_once("<body").map_or(self.html.as_str(), |(_, body)| body);
        let texts = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
        let text = texts.collect::<Vec<_>>().join(" ");
        let text = text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

pub const SAME_ORIGIN: [(&str, &str); 2] = [("origin", "https://tms.example"), ("sec-fetch-site", "same-origin")];

/// What holds of every page: HTML with a title, a heading and a main part, labels for all fields, ids used once, no script or
/// style of its own.
fn check(page: &Page) {
    let html = &page.html;
    assert!(page.headers["content-type"].to_str().is_ok_and(|t| t.starts_with("text/html")), "{page:?}");
    assert_eq!(html.matches("<main").count(), 1, "{html}");
    assert_eq!(html.matches("<h1").count(), 1, "{html}");
    assert!(!html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick"), "{html}");
    assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/assets/").count(), "{html}");
    let ids: Vec<_> = html.match_indices(" id=\"").map(|(at, _)| html[at + 5..].split('"').next()).collect();
    let mut different = ids.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), ids.len(), "an id is used twice: {ids:?}");
    for form in html.split("<form").skip(1).filter(|form| form.starts_with(" ") && form.contains("method=\"post\"")) {
        assert!(
            form.split("</form>").next().is_some_and(|f| f.contains("name=\"form\"")),
            "a form without its token: {form}"
        );
    }
}

/// What the form's lists have selected: the marked option, else the first.
fn selected(form: &str) -> Vec<(String, String)> {
    let choose = |list: &str| {
        let options: Vec<_> = list.split("<option").skip(1).collect();
        let marked =
            options.iter().find(|option| option.split('>').next().is_some_and(|tag| tag.ends_with(" selected")));
        Some((attribute(list, "name")?, attribute(marked.or(options.first())?, "value").unwrap_or_default()))
    };
    form.split("<select").skip(1).filter_map(choose).collect()
}

/// An attribute of the tag that stands first.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next()?;
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = tag[start..].split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

/// Name and value of an input as its form would send it.
fn field(tag: &str) -> Option<(String, String)> {
    if !tag.starts_with("input") || (tag.contains("type=\"checkbox\"") && !tag.contains(" checked")) {
        return None;
    }
    Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))
}

fn escape(value: &str) -> String {
    super::visitor::escape(value)
}
