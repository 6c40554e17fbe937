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

pub async fn ask_second_factor(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, username)): At,
) -> Answer<Response> {
    let login = one::read(&app, &signed, &tenant, &username).await?;
    second_factor_page(&app, &signed, &tenant, &login, None).await
}

async fn second_factor_page(
    app: &App,
    signed: &Signed,
    tenant: &str,
    login: &ManagedLogin,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let path = address(tenant, &login.username);
    let body = html! {
        (parts::trouble(refusal, &["password"]))
        p { "For who has lost the authenticator and the recovery codes. The password alone signs in then, until " (login.name)
            " turns two-step sign-in on again: be sure who asks." }
        form.stack method="post" action={ (path) "/second-factor" } {
            (parts::hidden(&signed.form_token()))
            (Field::password("password", "Your own password", "current-password").refusal(refusal).focused().render())
            (parts::send("Remove second factor", &path))
        }
    };
    sheet(app, signed, tenant, login, "Remove the second factor?", refusal, &body).await
}

#[derive(Deserialize)]
pub struct Proof {
    password: String,
}

pub async fn remove_second_factor(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): At,
    Form(proof): Form<Proof>,
) -> Answer<Response> {
    let removed = async {
        second_factor::prove(&app, &signed.manager, peer, &proof.password).await?;
        second_factor::remove(&app, &signed.manager, peer, &tenant, &username).await
    };
    match parts::refused(removed.await)? {
        Ok(()) => Ok(signed.to(&address(&tenant, &username), "The second factor was removed.")),
        Err(refusal) => {
            let login = one::read(&app, &signed, &tenant, &username).await?;
            second_factor_page(&app, &signed, &tenant, &login, Some(&refusal)).await
        }
    }
}

pub async fn ask_remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, username)): At,
) -> Answer<Response> {
    let login = one::read(&app, &signed, &tenant, &username).await?;
    remove_page(&app, &signed, &tenant, &login, None).await
}

async fn remove_page(
    app: &App,
    signed: &Signed,
    tenant: &str,
    login: &ManagedLogin,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let path = address(tenant, &login.username);
    let body = html! {
        (parts::trouble(refusal, &[]))
        p { (login.username) " is signed out, in Agent Manager too, and its extensions have no owner. "
            @if login.elsewhere { "It stays a login of its other accounts." }
            @else { "It is on no other account, so the login itself is removed. This cannot be undone." } }
        (parts::confirm(&format!("{path}/remove"), &signed.form_token(), "Remove user", &path))
    };
    sheet(app, signed, tenant, login, &format!("Remove {}?", login.name), refusal, &body).await
}

pub async fn remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, username)): At,
) -> Answer<Response> {
    match parts::refused(manage::remove(&app, &signed.manager, peer, &tenant, &username).await)? {
        Ok(()) => Ok(signed.to(&Section::Users.of(&tenant), &format!("{username} was removed."))),
        Err(refusal) => {
            let login = one::read(&app, &signed, &tenant, &username).await?;
            remove_page(&app, &signed, &tenant, &login, Some(&refusal)).await
        }
    }
}

async fn sheet(
    app: &App,
    signed: &Signed,
    tenant: &str,
    login: &ManagedLogin,
    title: &str,
    refusal: Option<&Refusal>,
    body: &Markup,
) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageLogins).await?;
    let crumb = parts::crumb(&address(tenant, &login.username), &login.name);
    Ok(at(signed, &access, title, refusal, &parts::sheet(&crumb, title, body)))
}
