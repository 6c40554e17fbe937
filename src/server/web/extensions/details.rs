//! Tab *Details*: name, enabled, and a SIP password for a device that is set up by hand.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{Open, Tab, manage, ready};
use crate::server::{
    extensions::manage::ExtensionChange,
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    logins::manage as logins,
    registrations::manage::{self as registrations, SipPassword},
    web::{
        guard::{Form, ticked},
        icon::Icon,
        parts::{self, Field, Refusal},
        visitor::Signed,
    },
};

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    shown(&app, &signed, &open, None).await
}

#[derive(Deserialize)]
pub struct Given {
    name: String,
    enabled: Option<String>,
}

pub async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let enabled = ticked(given.enabled.as_ref());
    let change =
        ExtensionChange { name: Some(given.name.clone()), enabled: Some(enabled), ..ExtensionChange::default() };
    match parts::refused(manage::update(&app, &signed.manager, peer, &tenant, &number, change).await)? {
        Ok(_) => Ok(signed.to(&Tab::Details.of(&tenant, &number), "The extension was updated.")),
        Err(refusal) => {
            let mut open = Open::read(&app, &signed, &tenant, &number).await?;
            (open.extension.name, open.extension.enabled) = (given.name, enabled);
            shown(&app, &signed, &open, Some(&refusal)).await
        }
    }
}

async fn shown(app: &App, signed: &Signed, open: &Open, refusal: Option<&Refusal>) -> Answer<Response> {
    let owner = match &open.extension.login {
        Some(username) if open.managed() => logins::read(app, &signed.manager, open.tenant(), username).await?,
        _ => None,
    };
    let body = html! {
        @if open.managed() { (ready::card(open, owner.as_ref())) }
        (body(app, open, &signed.form_token(), refusal))
    };
    Ok(open.page(signed, Tab::Details, refusal, &body))
}

fn body(app: &App, open: &Open, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    let extension = &open.extension;
    html! {
        div.card.pad {
            h2 { "Extension" }
            @if open.managed() {
                (parts::trouble(refusal, &["name"]))
                form.stack method="post" action=(open.path(Tab::Details)) {
                    (parts::hidden(form_token))
                    (Field::text("name", "Name").value(&extension.name).refusal(refusal).render())
                    (parts::tick("enabled", "Enabled: its devices may register, call and be called", extension.enabled))
                    div.row {
                        button.main type="submit" { "Update" }
                        div.spring {}
                        a.button.stop href={ (open.path(Tab::Details)) "/remove" } data-dialog { "Remove extension" }
                    }
                }
            } @else {
                dl.facts { dt { "Name" } dd { (extension.name) } dt { "Number" } dd { (extension.number) } }
            }
        }
        div.card.pad {
            div {
                h2 { "A device that is set up by hand" }
                p.weak { "A desk phone or another softphone registers with these. Agent Manager needs none of it." }
            }
            dl.facts {
                dt { "SIP domain and realm" } dd.code { (open.access.account.realm()) }
                dt { "Registrar and proxy" } dd.code {
                    @match &app.reach.sip { Some(sip) => (sip.outbound_proxy), None => "This TMS runs without its SIP side." }
                }
                @if let Some(sip) = &app.reach.sip {
                    dt { "Transports" } dd { (sip.transports.join(", ").to_uppercase()) }
                }
            }
            form.stack method="post" action={ (open.path(Tab::Details)) "/sip-password" } {
                (parts::hidden_once(form_token))
                (parts::select("registration", "SIP user name", &names(open), ""))
                p.small.weak { "A new password takes the place of the former one; the device that has that is signed out." }
                div.row { button type="submit" { "Make a new SIP password" } }
            }
        }
    }
}

fn names(open: &Open) -> Vec<(String, String)> {
    let words = |r: &registrations::ManagedRegistration| {
        let has = if r.has_sip_password { "has a password" } else { "no password yet" };
        (r.name.clone(), format!("{} ({}), {has}", r.name, parts::kind(r.kind)))
    };
    open.registrations.iter().map(words).collect()
}

#[derive(Deserialize)]
pub struct Wanted {
    registration: String,
}

pub async fn sip_password(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(wanted): Form<Wanted>,
) -> Answer<Response> {
    let made =
        registrations::sip_password(&app, &signed.manager, peer, (&tenant, &number, &wanted.registration)).await?;
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    Ok(open.sheet(&signed, "SIP password", None, &shown_once(&open, &made)))
}

fn shown_once(open: &Open, made: &SipPassword) -> Markup {
    html! {
        div.said.hold { (Icon::Warning.draw()) p { "The password is shown this once. Type it into the device now; if it gets lost, make a new one." } }
        dl.facts {
            dt { "SIP user name" } dd.code { (made.username) }
            dt { "SIP domain and realm" } dd.code { (made.realm) }
        }
        (parts::once("secret", "SIP password", &made.password))
        (parts::close(&open.path(Tab::Details)))
    }
}
