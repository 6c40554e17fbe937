//! Removing an extension, after a page that says what ends with it.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use super::{Open, Tab, manage};
use crate::server::{
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    sessions::Right,
    web::{parts, shell::Section, visitor::Signed},
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    signed.manager.account(&app, &tenant, Right::ManageExtensions).await?;
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    let body = html! {
        (ends(&open))
        (parts::confirm(&format!("{}/remove", open.path(Tab::Details)), &signed.form_token(), "Remove extension", &open.path(Tab::Details)))
    };
    let title = format!("Remove extension {} {}?", number, open.extension.name);
    Ok(open.sheet(&signed, &title, None, &body))
}

fn ends(open: &Open) -> Markup {
    html! {
        p { "Nobody can call " (open.extension.number) " any more. This cannot be undone; with the extension end:" }
        ul {
            @for registration in &open.registrations {
                li {
                    span.code { (registration.name) }
                    @match &registration.holder {
                        Some(holder) => { ": " (parts::device(&holder.device)) " is signed out" }
                        None if registration.has_sip_password => ": its SIP password stops working",
                        None => "",
                    }
                }
            }
            @if let Some(login) = &open.extension.login {
                li { (login) " is signed out of Agent Manager on it. The TMS account itself stays." }
            }
        }
    }
}

pub async fn remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    manage::remove(&app, &signed.manager, peer, &tenant, &number).await?;
    Ok(signed.to(&Section::Extensions.of(&tenant), &format!("Extension {number} was removed.")))
}
