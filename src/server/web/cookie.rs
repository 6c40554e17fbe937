//! Cookies: the session's and the one that carries a sentence to the next page.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::server::http::App;

/// Holds a session's token or, before sign-in, a random value that forms are tied to.
pub const SESSION: &str = "tms";
/// What was done, for the next page to say.
pub const SAID: &str = "tms-said";

/// `__Host-` (RFC 6265bis §4.1.3.2) ties a cookie to this host over HTTPS; plain HTTP, which is served on loopback only,
/// cannot have it.
fn full_name(app: &App, name: &str) -> String {
    if secure(app) { format!("__Host-{name}") } else { name.to_owned() }
}

fn secure(app: &App) -> bool {
    app.reach.url.starts_with("https://")
}

pub fn read(app: &App, headers: &HeaderMap, name: &str) -> Option<String> {
    let name = full_name(app, name);
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(n, _)| *n == name);
    values.next().map(|(_, value)| value.to_owned()).filter(|value| !value.is_empty())
}

/// `Set-Cookie`; `None` takes the cookie away. The value must be of characters that a cookie may have.
pub fn set(app: &App, name: &str, value: Option<&str>) -> HeaderValue {
    let secure = if secure(app) { "; Secure" } else { "" };
    let age = if value.is_some() { "" } else { "; Max-Age=0" };
    let cookie =
        format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", full_name(app, name), value.unwrap_or_default());
    HeaderValue::try_from(cookie).unwrap_or_else(|_| HeaderValue::from_static(""))
}
