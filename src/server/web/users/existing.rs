//! Adding somebody who has a login on another account already.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Render, html};
use serde::Deserialize;

use super::{at, chosen, roles};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    logins::manage::{self, NewMember},
    sessions::Right,
    web::{
        guard::Form,
        parts::{self, Field, Refusal},
        shell::Section,
        visitor::Signed,
    },
};

#[derive(Default, Deserialize)]
pub struct Given {
    username: String,
    role: String,
}

pub async fn page(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    form(&app, &signed, &tenant, &Given::default(), None).await
}

pub async fn add(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted = NewMember { username: given.username.clone(), role: chosen(&given.role)? };
    match parts::refused(manage::add_member(&app, &signed.manager, peer, &tenant, wanted).await)? {
        Ok(added) => {
            let said = format!(
                "{} was added, and enables the account by selecting it and ticking Account enabled.",
                added.name
            );
            Ok(signed.to(&Section::Users.of(&tenant), &said))
        }
        Err(refusal) => form(&app, &signed, &tenant, &given, Some(&refusal)).await,
    }
}

async fn form(app: &App, signed: &Signed, tenant: &str, given: &Given, refusal: Option<&Refusal>) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageLogins).await?;
    let base = Section::Users.of(tenant);
    let body = html! {
        p.weak { "The password stays the one that its owner has; the owner confirms this account at the next sign-in." }
        (parts::trouble(refusal, &["username"]))
        form.stack method="post" action={ (base) "/existing" } {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("username", "User name").value(&given.username).focused().refusal(refusal).render())
            (parts::select("role", "Role on this account", &roles(&access), &given.role))
            (parts::send("Add user", &base))
        }
    };
    let page = parts::sheet(&parts::crumb(&base, Section::Users.title()), "Add an existing login", &body);
    Ok(at(signed, &access, "Add an existing login", refusal, &page))
}
