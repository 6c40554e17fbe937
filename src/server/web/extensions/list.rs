//! The list of an account's extensions with search and live state, and adding one.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{Tab, manage};
use crate::server::{
    extensions::manage::{ManagedExtension, NewExtension},
    http::{
        App,
        input::{Asked, Peer, Segments},
        page::{Listed, Page},
        problem::Answer,
    },
    registrations::manage::{self as registrations, ManagedRegistration},
    sessions::{Right, Role},
    web::{
        guard::Form,
        icon::Icon,
        parts::{self, Field, Refusal},
        shell::Section,
        visitor::{At, Signed},
    },
};

/// One line of the list.
pub struct Line {
    pub extension: ManagedExtension,
    pub registrations: Vec<ManagedRegistration>,
}

pub async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments(tenant): Segments<String>,
    Asked(asked): Asked<Page>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::SeeExtensions).await?;
    let asked = parts::short(asked);
    let listed = manage::list(&app, &signed.manager, &tenant, &asked).await?;
    let numbers: Vec<&str> = listed.rows.iter().map(|e| e.number.as_str()).collect();
    let mut held = registrations::of_extensions(&app, &access.account, &numbers).await?;
    let line = |extension: ManagedExtension| {
        let registrations = held.remove(&extension.number).unwrap_or_default();
        Line { extension, registrations }
    };
    let listed = Listed { rows: listed.rows.into_iter().map(line).collect(), next: listed.next };
    let body = shown(&tenant, access.role >= Role::Manager, &listed, &asked);
    let events = format!("{}/events", Section::Account.of(&tenant));
    let title = Section::Extensions.title();
    Ok(signed.page_at(&At::of(&access), Section::Extensions, parts::status(None), title, Some(&events), &body))
}

pub fn shown(tenant: &str, managed: bool, listed: &Listed<Line>, asked: &Page) -> Markup {
    let base = Section::Extensions.of(tenant);
    let actions = html! {
        @if managed {
            a.button href={ (base) "/new" } data-dialog { (Icon::Add.draw()) "Add extension" }
            a.button.main href={ (Section::Account.of(tenant)) "/set-up" } { (Icon::Wand.draw()) "Set up an agent" }
        }
    };
    html! {
        (parts::head(Section::Extensions.title(), None, &actions))
        div.card {
            header { (parts::search(&base, "Search by number, name or user", asked)) }
            div #extensions data-live {
                @if listed.rows.is_empty() {
                    (nothing(parts::searched(asked), managed))
                } @else {
                    (table(tenant, managed, &listed.rows))
                    (parts::pages(&base, asked, listed.next))
                }
            }
        }
    }
}

fn nothing(searched: bool, managed: bool) -> Markup {
    html! {
        div.empty {
            @if searched {
                h2 { "Nothing found" }
                p { "No extension has that in its number, its name or its user's name." }
            } @else if managed {
                h2 { "No extension yet" }
                p { "Add the first one; its primary registration comes with it." }
            } @else {
                h2 { "No extension is yours yet" }
                p { "Whoever manages your TMS can assign one to you." }
            }
        }
    }
}

fn table(tenant: &str, managed: bool, lines: &[Line]) -> Markup {
    html! {
        div.scroll {
            table.folds {
                thead { tr {
                    th scope="col" { "Extension" }
                    th scope="col" { "State" }
                    th scope="col" { "Registrations" }
                    @if managed {
                        th scope="col" { "TMS account" }
                        th scope="col" { "API key" }
                    }
                } }
                tbody { @for line in lines { (row(tenant, managed, line)) } }
            }
        }
    }
}

fn row(tenant: &str, managed: bool, line: &Line) -> Markup {
    let extension = &line.extension;
    html! {
        tr.opens {
            td {
                a.opens.two-lines href=(Tab::Details.of(tenant, &extension.number)) {
                    strong.number { (extension.number) }
                    span.weak { (extension.name) }
                }
            }
            td data-label="State" { (state(extension.enabled, &line.registrations, false)) }
            td data-label="Registrations" { span.row { @for registration in &line.registrations { (kind(registration)) } } }
            @if managed {
                td.none[extension.login.is_none()] data-label="TMS account" {
                    @match &extension.login { Some(login) => (login), None => span.weak { "None" } }
                }
                td.none[extension.api_key.is_none()] data-label="API key" {
                    @if extension.api_key.is_some() { span.mark.go { "Enabled" } } @else { span.weak { "None" } }
                }
            }
        }
    }
}

/// (P) or (S), in the colour of whether it is held, and in words for who cannot see it.
pub fn kind(registration: &ManagedRegistration) -> Markup {
    let held = registration.holder.is_some();
    let words = format!("{}: {}", registration.name, if held { "in use" } else { "not in use" });
    html! {
        span.kind.on[held] title=(words) { "(" (parts::kind(registration.kind)) ")" span.hidden-text { " " (words) } }
    }
}

/// Whether the extension is reachable, and by what; with the address where there is room for it.
pub fn state(enabled: bool, registrations: &[ManagedRegistration], roomy: bool) -> Markup {
    let held: Vec<_> = registrations.iter().filter_map(|r| r.holder.as_ref()).collect();
    html! {
        @match (enabled, held.as_slice()) {
            (false, _) => span.mark.stop { "Disabled" },
            (true, []) => span.state.weak { span.dot {} "Not registered" },
            (true, [one]) => span.state {
                span.dot.go {}
                span.two-lines {
                    "Registered"
                    span.weak { (parts::device(&one.device)) @if roomy {
                        " · " span.number { (one.address) }
                        @if let Some(took) = one.latency_ms { " · latency " span.number { (took) " ms" } }
                    } }
                }
            },
            (true, several) => span.state { span.dot.go {} span.two-lines { "Registered" span.weak { (several.len()) " devices" } } },
        }
    }
}

/// The form to add one.
pub async fn new(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    add(&app, &signed, &tenant, &NewExtension { number: String::new(), name: String::new() }, None).await
}

#[derive(Deserialize)]
pub struct Given {
    number: String,
    name: String,
}

pub async fn create(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let wanted = || NewExtension { number: given.number.clone(), name: given.name.clone() };
    match parts::refused(manage::create(&app, &signed.manager, peer, &tenant, wanted()).await)? {
        Ok(made) => {
            let said =
                format!("Extension {} was added, with its primary registration {}-{tenant}.", made.number, made.number);
            Ok(signed.to(&Tab::Details.of(&tenant, &made.number), &said))
        }
        Err(refusal) => add(&app, &signed, &tenant, &wanted(), Some(&refusal)).await,
    }
}

async fn add(
    app: &App,
    signed: &Signed,
    tenant: &str,
    given: &NewExtension,
    refusal: Option<&Refusal>,
) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageExtensions).await?;
    let body = html! {
        (parts::trouble(refusal, &["number", "name"]))
        form.stack method="post" action={ (Section::Extensions.of(tenant)) "/new" } {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("number", "Number").value(&given.number).hint("1 to 12 digits, as colleagues dial it.")
                .longest(12).numeric().focused().refusal(refusal).render())
            (Field::text("name", "Name").value(&given.name).hint("Shown to those it calls: a person, a desk, a room.")
                .refusal(refusal).render())
            (parts::send("Add extension", &Section::Extensions.of(tenant)))
        }
    };
    let crumb = parts::crumb(&Section::Extensions.of(tenant), Section::Extensions.title());
    let page = parts::sheet(&crumb, "Add extension", &body);
    Ok(signed.page_at(&At::of(&access), Section::Extensions, parts::status(refusal), "Add extension", None, &page))
}
