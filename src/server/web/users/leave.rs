//! What ends something of a user: the second factor, the place on the account. Each after a page that says what that means.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{address, at, one};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    logins::manage::{self, ManagedLogin},
    second_factor,
    sessions::Right,
    web::{
        guard::Form,
        parts::{self, Field, Refusal},
        shell::Section,
        visitor::Signed,
    },
};

type At = Segments<(String, String)>;

/// What ends.
#[derive(Clone, Copy)]
enum End {
    SecondFactor,
    Membership,
}

pub async fn ask_second_factor(State(app): State<Arc<App>>, signed: Signed, Segments(at): At) -> Answer<Response> {
    page(&app, &signed, &at, End::SecondFactor, None).await
}

pub async fn ask_remove(State(app): State<Arc<App>>, signed: Signed, Segments(at): At) -> Answer<Response> {
    page(&app, &signed, &at, End::Membership, None).await
}

#[derive(Deserialize)]
pub struct Proof {
    password: String,
}

pub async fn remove_second_factor(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(at): At,
    Form(proof): Form<Proof>,
) -> Answer<Response> {
    let (tenant, username) = (at.0.as_str(), at.1.as_str());
    let removed = second_factor::remove(&app, &signed.manager, peer, (tenant, username), &proof.password).await;
    match parts::refused(removed)? {
        Ok(()) => Ok(signed.to(&address(tenant, username), "The second factor was removed.")),
        Err(refusal) => page(&app, &signed, &at, End::SecondFactor, Some(&refusal)).await,
    }
}

pub async fn remove(State(app): State<Arc<App>>, signed: Signed, peer: Peer, Segments(at): At) -> Answer<Response> {
    let (tenant, username) = (at.0.as_str(), at.1.as_str());
    match parts::refused(manage::remove(&app, &signed.manager, peer, tenant, username).await)? {
        Ok(()) => Ok(signed.to(&Section::Users.of(tenant), &format!("{username} was removed."))),
        Err(refusal) => page(&app, &signed, &at, End::Membership, Some(&refusal)).await,
    }
}

async fn page(
    app: &App,
    signed: &Signed,
    (tenant, username): &(String, String),
    end: End,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let login = one::read(app, signed, tenant, username).await?;
    let access = signed.manager.account(app, tenant, Right::ManageLogins).await?;
    let path = address(tenant, &login.username);
    let (title, body) = match end {
        End::SecondFactor => {
            ("Remove the second factor?".to_owned(), second_factor_form(&login, &path, &signed.form_token(), refusal))
        }
        End::Membership => {
            (format!("Remove {}?", login.name), remove_form(&login, &path, &signed.form_token(), refusal))
        }
    };
    let crumb = parts::crumb(&path, &login.name);
    Ok(at(signed, &access, &title, refusal, &parts::sheet(&crumb, &title, &body)))
}

fn second_factor_form(login: &ManagedLogin, path: &str, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    html! {
        (parts::trouble(refusal, &["password"]))
        p { "For who has lost the authenticator and the recovery codes. The password alone signs in then, until " (login.name)
            " turns two-step sign-in on again: be sure who asks." }
        form.stack method="post" action={ (path) "/second-factor" } {
            (parts::hidden(form_token))
            (Field::password("password", "Your own password", "current-password").refusal(refusal).focused().render())
            (parts::send("Remove second factor", path))
        }
    }
}

fn remove_form(login: &ManagedLogin, path: &str, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    html! {
        (parts::trouble(refusal, &[]))
        p { (login.username) " is signed out, in Agent Manager too, and its extensions have no owner. "
            @if login.elsewhere { "It stays a login of its other accounts." }
            @else { "It is on no other account, so the login itself is removed. This cannot be undone." } }
        (parts::confirm(&format!("{path}/remove"), form_token, "Remove user", path))
    }
}
