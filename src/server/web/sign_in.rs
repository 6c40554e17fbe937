//! Signing in and out.

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use maud::{Markup, Render, html};
use serde::Deserialize;
use std::sync::Arc;

use super::{
    guard::Form,
    icon,
    parts::{self, Field, Refusal},
    visitor::{Signed, Visitor, escape},
};
use crate::server::{
    http::{App, input::Peer, problem::Answer},
    second_factor, secrets,
    sessions::{self, Carrier, Login, Manager, Proved},
};

#[derive(Default, Deserialize)]
pub struct Wanted {
    /// The page that was asked for before.
    next: Option<String>,
}

#[derive(Deserialize)]
pub struct SignIn {
    username: String,
    password: String,
    next: Option<String>,
}

/// The start: whoever is signed in selects the account, everybody else signs in.
pub async fn start(State(app): State<Arc<App>>, visitor: Visitor) -> Answer<Response> {
    let signed_in = Manager::of_token(&app, &visitor.token, Carrier::Browser, visitor.presence).await.is_ok();
    Ok(visitor.to(if signed_in { "/accounts" } else { "/sign-in" }, ""))
}

pub async fn page(visitor: Visitor, wanted: Result<Query<Wanted>, QueryRejection>) -> Response {
    let next = wanted.ok().and_then(|Query(wanted)| wanted.next);
    visitor.page("Sign in", &form(&visitor.form_token(), "", next.as_deref(), None))
}

pub async fn sign_in(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    peer: Peer,
    headers: HeaderMap,
    Form(given): Form<SignIn>,
) -> Answer<Response> {
    match parts::refused(sessions::authenticate(&app, peer, &given.username, &given.password).await)? {
        Ok(login) if second_factor::ask(&app, &login, &visitor.token).await? => {
            let next = given.next.as_deref().map(|next| format!("?next={}", escape(next))).unwrap_or_default();
            Ok(visitor.to(&format!("/sign-in/code{next}"), ""))
        }
        Ok(login) => enter(&app, &visitor, peer, &headers, (&login, Proved::Password), given.next.as_deref()).await,
        Err(refusal) => {
            let form = form(&visitor.form_token(), &given.username, given.next.as_deref(), Some(&refusal));
            Ok(visitor.page_with(refusal.status, "Sign in", &form))
        }
    }
}

/// Opens the session, in a new cookie: one that somebody planted in this browser before is worth nothing.
async fn enter(
    app: &App,
    visitor: &Visitor,
    peer: Peer,
    headers: &HeaderMap,
    who: (&Login, Proved),
    next: Option<&str>,
) -> Answer<Response> {
    let device = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let session = sessions::manage::open(app, peer, who, Carrier::Browser, device).await?;
    let next = next.filter(|next| is_ours(next)).unwrap_or("/accounts");
    Ok(visitor.with_session(visitor.to(next, ""), Some(&session.token)))
}

/// The second step, where it is on.
pub async fn code(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Answer<Response> {
    if !second_factor::is_asked(&app, &visitor.token).await? {
        return Ok(visitor.to("/sign-in", ""));
    }
    let next = wanted.ok().and_then(|Query(wanted)| wanted.next);
    Ok(visitor.page("Two-step sign-in", &code_form(&visitor.form_token(), next.as_deref(), None)))
}

#[derive(Deserialize)]
pub struct Code {
    code: String,
    next: Option<String>,
}

pub async fn send_code(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    peer: Peer,
    headers: HeaderMap,
    Form(given): Form<Code>,
) -> Answer<Response> {
    match parts::refused(second_factor::answer(&app, peer, &visitor.token, &given.code).await)? {
        Ok((login, proved)) => enter(&app, &visitor, peer, &headers, (&login, proved), given.next.as_deref()).await,
        Err(refusal) => {
            let form = code_form(&visitor.form_token(), given.next.as_deref(), Some(&refusal));
            Ok(visitor.page_with(refusal.status, "Two-step sign-in", &form))
        }
    }
}

fn code_form(form_token: &str, next: Option<&str>, refusal: Option<&Refusal>) -> Markup {
    html! {
        div.brand { (icon::brand()) "TMS" }
        div.card.pad {
            div {
                h1 { "Two-step sign-in" }
                p.weak { "Type the code that your authenticator shows, or one of your recovery codes." }
            }
            (parts::trouble(refusal, &["code"]))
            form.stack method="post" action="/sign-in/code" {
                (parts::hidden(form_token))
                @if let Some(next) = next { input type="hidden" name="next" value=(next); }
                (Field::text("code", "Code").longest(20).autocomplete("one-time-code").focused().refusal(refusal).render())
                button.main type="submit" { "Sign in" }
            }
        }
        p.small { a href="/sign-in" { "Sign in as somebody else" } }
    }
}

pub async fn sign_out(State(app): State<Arc<App>>, signed: Signed) -> Answer<Response> {
    sessions::manage::sign_out(&app, &signed.manager).await?;
    let away = signed.to("/sign-in", "You are signed out.");
    let mut away = signed.with_session(away, Some(&secrets::random(32)));
    // Not the cookies: the session's is replaced, and another says that it is over.
    away.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"cache\", \"storage\""));
    Ok(away)
}

/// Whether an address is a page of this server: nobody is sent elsewhere after the sign-in.
fn is_ours(next: &str) -> bool {
    next.starts_with("/") && !next.starts_with("//") && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

fn form(form_token: &str, username: &str, next: Option<&str>, refusal: Option<&Refusal>) -> Markup {
    html! {
        div.brand { (icon::brand()) "TMS" }
        div.card.pad {
            div {
                h1 { "Sign in" }
                p.weak { "Telephone management system" }
            }
            (parts::trouble(refusal, &[]))
            form.stack method="post" action="/sign-in" {
                (parts::hidden(form_token))
                @if let Some(next) = next { input type="hidden" name="next" value=(next); }
                (Field::text("username", "User name").value(username).autocomplete("username").focused().render())
                (Field::password("password", "Password", "current-password").render())
                button.main type="submit" { "Sign in" }
            }
        }
        p.small.weak { "You forgot your password? Whoever manages your TMS can send you a link to set a new one." }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (next, ours) in [
            ("/accounts/acme/extensions?search=1", true),
            ("//evil.example", false),
            ("https://evil.example", false),
            ("/\\evil.example", false),
            ("/\nSet-Cookie:x", false),
            ("", false),
        ] {
            assert_eq!(is_ours(next), ours, "{next:?}");
        }
    }
}
