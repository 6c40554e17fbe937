//! Tab *Registrations*: the primary and the additional ones, who holds each, *ring inbound*, *Add Registration*.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{Open, Tab};
use crate::{
    server::{
        http::{
            App,
            input::{Peer, Segments},
            problem::{Answer, ApiError},
        },
        registrations::manage::{self, Holder, ManagedRegistration, NewRegistration, RegistrationChange},
        web::{
            guard::{Form, ticked},
            icon::Icon,
            parts::{self, Field, Refusal},
            visitor::Signed,
        },
    },
    tms::wire::{Edition, Kind},
};

/// Additional registrations of an extension at most; the database's rule.
const ADDITIONAL: usize = 2;

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    Ok(open.page(&signed, Tab::Registrations, None, &body(&open, &signed.form_token(), None)))
}

fn body(open: &Open, form_token: &str, refusal: Option<&Refusal>) -> Markup {
    html! {
        (parts::trouble(refusal, &[]))
        div.card {
            header {
                div {
                    h2 { "Registrations" }
                    p.weak.small { (about(open)) }
                }
                @if open.managed() && why_no_more(open).is_none() {
                    a.button.main href={ (open.path(Tab::Registrations)) "/new" } data-dialog { (Icon::Add.draw()) "Add Registration" }
                }
            }
            div.scroll #registrations data-live {
                table.folds {
                    thead { tr {
                        th scope="col" { "Registration" }
                        th scope="col" { "In use by" }
                        th scope="col" { "Ring inbound" }
                        th scope="col" { span.hidden-text { "Actions" } }
                    } }
                    tbody { @for registration in &open.registrations { (row(open, registration, form_token)) } }
                }
            }
        }
    }
}

/// What additional registrations are for, or why there can be no (more) of them.
fn about(open: &Open) -> &'static str {
    why_no_more(open).unwrap_or(
        "An additional registration (S) is for a second device. It can dial out, cannot be dialled, and rings with the \
         primary (P) while ring inbound is ticked.",
    )
}

fn why_no_more(open: &Open) -> Option<&'static str> {
    let additional = open.registrations.iter().filter(|r| r.kind == Kind::S).count();
    match open.access.account.account.edition {
        Edition::Express => Some(
            "An Express account has one registration per extension. Enterprise and Integrator accounts can add two more.",
        ),
        Edition::Enterprise | Edition::Integrator => (additional >= ADDITIONAL)
            .then_some("This extension has both of its additional registrations; remove one to add another."),
    }
}

fn row(open: &Open, registration: &ManagedRegistration, form_token: &str) -> Markup {
    let path = format!("{}/{}", open.path(Tab::Registrations), registration.name);
    let primary = registration.kind == Kind::P;
    html! {
        tr {
            td {
                div.row {
                    (super::list::kind(registration))
                    div.two-lines {
                        strong.code { (registration.name) }
                        span.weak { (registration.label) }
                    }
                    @if !registration.enabled { span.mark.stop { "Disabled" } }
                }
            }
            td data-label="In use by" { (holder(registration.holder.as_ref())) }
            td data-label="Ring inbound" {
                @if primary {
                    span.weak { "Always" }
                } @else {
                    form.row method="post" action=(path) {
                        (parts::hidden(form_token))
                        label.tick {
                            input type="checkbox" name="ring_inbound" value="yes" checked[registration.ring_inbound] data-sends
                                aria-label={ "Ring inbound: " (registration.name) };
                            span { "Ring inbound" }
                        }
                        noscript { button.slim type="submit" { "Save" } }
                    }
                }
            }
            td.actions {
                @if open.managed() {
                    a.button.quiet.slim href={ (path) "/label" } data-dialog { "Label" span.hidden-text { " of " (registration.name) } }
                    (switch_form(&path, registration, form_token))
                }
                @if !primary && open.managed() {
                    a.button.quiet.slim href={ (path) "/remove" } data-dialog { "Remove" span.hidden-text { " " (registration.name) } }
                }
            }
        }
    }
}

fn switch_form(path: &str, registration: &ManagedRegistration, form_token: &str) -> Markup {
    let (words, value) = if registration.enabled { ("Disable", "no") } else { ("Enable", "yes") };
    html! {
        form method="post" action={ (path) "/state" } {
            (parts::hidden(form_token))
            input type="hidden" name="enabled" value=(value);
            button.quiet.slim type="submit" { (words) span.hidden-text { " " (registration.name) } }
        }
    }
}

fn holder(holder: Option<&Holder>) -> Markup {
    html! {
        @match holder {
            None => span.state.weak { span.dot {} "Not in use" },
            Some(holder) => span.state {
                span.dot.go {}
                span.two-lines {
                    (parts::device(&holder.device))
                    span.weak { span.number { (holder.address) } " · since " (parts::moment(holder.since))
                        @if let Some(took) = holder.latency_ms {
                            " · " span title="What the device last took to answer: there and back, and its own time" { "latency " span.number { (took) " ms" } }
                        }
                    }
                }
            },
        }
    }
}

pub async fn new(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Response> {
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    let given = Given { ring_inbound: Some("yes".into()), ..Given::default() };
    Ok(add(&open, &signed, &given, None))
}

#[derive(Default, Deserialize)]
pub struct Given {
    username: String,
    label: Option<String>,
    ring_inbound: Option<String>,
}

pub async fn create(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted = NewRegistration {
        username: given.username.trim().to_lowercase(),
        label: given.label.clone().filter(|label| !label.trim().is_empty()),
        ring_inbound: ticked(given.ring_inbound.as_ref()),
    };
    match parts::refused(manage::create(&app, &signed.manager, peer, &tenant, &number, wanted).await)? {
        Ok(made) => {
            let said = format!("Registration {} was added.", made.name);
            Ok(signed.to(&Tab::Registrations.of(&tenant, &number), &said))
        }
        Err(refusal) => {
            let open = Open::read(&app, &signed, &tenant, &number).await?;
            Ok(add(&open, &signed, &given, Some(&refusal)))
        }
    }
}

fn add(open: &Open, signed: &Signed, given: &Given, refusal: Option<&Refusal>) -> Response {
    let path = open.path(Tab::Registrations);
    let prefix = format!("{}-{}-", open.extension.number, open.tenant());
    let body = html! {
        (parts::trouble(refusal, &["username", "label"]))
        @match why_no_more(open).filter(|_| refusal.is_none()) {
            Some(why) => { p { (why) } (parts::close(&path)) }
            None => form.stack method="post" action={ (path) "/new" } {
                (parts::hidden_once(&signed.form_token()))
                (Field::text("username", "User name").value(&given.username).affix(&prefix).longest(20).focused()
                    .hint("One word for the device: laptop, mobile. Lower-case letters and digits.").refusal(refusal).render())
                (Field::text("label", "Label").value(given.label.as_deref().unwrap_or_default()).optional()
                    .hint("How it is called in Agent Manager.").refusal(refusal).render())
                (parts::tick("ring_inbound", "Ring inbound: rings when the extension is called", given.ring_inbound.is_some()))
                (parts::send("Add Registration", &path))
            }
        }
    };
    open.sheet(signed, "Add Registration", refusal, &body)
}

#[derive(Deserialize)]
pub struct Ring {
    ring_inbound: Option<String>,
}

pub async fn update(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(at): Segments<(String, String, String)>,
    Form(given): Form<Ring>,
) -> Answer<Response> {
    let on = ticked(given.ring_inbound.as_ref());
    let change = RegistrationChange { ring_inbound: Some(on), ..RegistrationChange::default() };
    alter(&app, &signed, peer, &at, change, if on { "rings with the primary now" } else { "does not ring any more" })
        .await
}

#[derive(Deserialize)]
pub struct StateGiven {
    enabled: String,
}

pub async fn switch(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(at): Segments<(String, String, String)>,
    Form(given): Form<StateGiven>,
) -> Answer<Response> {
    let on = given.enabled == "yes";
    let change = RegistrationChange { enabled: Some(on), ..RegistrationChange::default() };
    alter(&app, &signed, peer, &at, change, if on { "was enabled" } else { "was disabled; no device can hold it" })
        .await
}

async fn alter(
    app: &App,
    signed: &Signed,
    peer: Peer,
    (tenant, number, name): &(String, String, String),
    change: RegistrationChange,
    done: &str,
) -> Answer<Response> {
    match parts::refused(manage::update(app, &signed.manager, peer, (tenant, number, name), change).await)? {
        Ok(_) => Ok(signed.to(&Tab::Registrations.of(tenant, number), &format!("{name} {done}."))),
        Err(refusal) => {
            let open = Open::read(app, signed, tenant, number).await?;
            let body = body(&open, &signed.form_token(), Some(&refusal));
            Ok(open.page(signed, Tab::Registrations, Some(&refusal), &body))
        }
    }
}

pub async fn ask_remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
) -> Answer<Response> {
    let open = Open::read(&app, &signed, &tenant, &number).await?;
    let registration = open.registrations.iter().find(|r| r.name == name);
    let registration = registration.ok_or_else(|| ApiError::not_found(format_args!("The registration {name}")))?;
    let body = html! {
        p { "Its SIP password stops working"
            @if let Some(holder) = &registration.holder { ", and the device that uses it now (" (parts::device(&holder.device)) ") is signed out" }
            ". Another registration can be added in its place." }
        (parts::confirm(&format!("{}/{name}/remove", open.path(Tab::Registrations)), &signed.form_token(), "Remove", &open.path(Tab::Registrations)))
    };
    Ok(open.sheet(&signed, &format!("Remove {name}?"), None, &body))
}

pub async fn remove(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
) -> Answer<Response> {
    manage::remove(&app, &signed.manager, peer, (&tenant, &number, &name)).await?;
    Ok(signed.to(&Tab::Registrations.of(&tenant, &number), &format!("Registration {name} was removed.")))
}
