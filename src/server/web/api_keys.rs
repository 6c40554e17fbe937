//! API Manager: API logins, each a name with a key that is shown once; what each was used for.

mod expiry;

use std::sync::Arc;

use axum::{Router, extract::State, response::Response, routing::get};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use maud::{Markup, Render, html};
use serde::Deserialize;

use super::{
    guard::Form,
    icon::Icon,
    parts::{self, Field, Refusal},
    shell::Section,
    visitor::{At, Signed},
};
use crate::server::{
    accounts::manage as accounts,
    api_keys::manage::{self, KeyChange, KeyUse, MadeKey, ManagedKey, NewKey, Rotation, Scope},
    http::{
        App,
        input::{Asked, Peer, Segments},
        page::{Listed, Page},
        problem::{Answer, ApiError},
    },
    sessions::{Access, Right, Role},
};

pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts/{tenant}/api-keys", get(page))
        .route("/accounts/{tenant}/api-keys/new", get(new).post(create))
        .route("/accounts/{tenant}/api-keys/{id}", get(history))
        .route("/accounts/{tenant}/api-keys/{id}/rotate", get(ask_rotate).post(rotate))
        .route("/accounts/{tenant}/api-keys/{id}/expiry", get(expiry::page).post(expiry::alter))
        .route("/accounts/{tenant}/api-keys/{id}/revoke", get(ask_revoke).post(revoke))
}

async fn page(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments(tenant): Segments<String>,
    Asked(asked): Asked<Page>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::SeeKeys).await?;
    let asked = parts::short(asked);
    let listed = manage::list(&app, &signed.manager, &tenant, &asked).await?;
    let body = shown(&tenant, access.role >= Role::Admin, &listed, &asked, app.clock.now());
    Ok(at(&signed, &access, Section::ApiKeys.title(), None, &body))
}

fn at(signed: &Signed, access: &Access, title: &str, refusal: Option<&Refusal>, body: &Markup) -> Response {
    signed.page_at(&At::of(access), Section::ApiKeys, parts::status(refusal), title, None, body)
}

fn shown(tenant: &str, managed: bool, listed: &Listed<ManagedKey>, asked: &Page, now: Timestamp) -> Markup {
    let base = Section::ApiKeys.of(tenant);
    let add = html! {
        @if managed { a.button.main href={ (base) "/new" } data-dialog { (Icon::Add.draw()) "Add API login" } }
    };
    let about = html! { "Agent Manager and integrations sign in with an API key besides a user name." };
    html! {
        (parts::head(Section::ApiKeys.title(), Some(&about), &add))
        div.card {
            header { (parts::search(&base, "Search by name or beginning of the key", asked)) }
            @if listed.rows.is_empty() {
                div.empty {
                    @if parts::searched(asked) {
                        h2 { "Nothing found" }
                        p { "No API login has that in its name or at the beginning of its key." }
                    } @else {
                        h2 { "No API login yet" }
                        p { "Add one, then choose it on each extension that uses Agent Manager." }
                    }
                }
            } @else {
                div.scroll {
                    table.folds {
                        thead { tr {
                            th scope="col" { "Name" } th scope="col" { "Tenant" } th scope="col" { "Key" }
                            th scope="col" { "Last used" } th scope="col" { "State" }
                            th scope="col" { span.hidden-text { "Actions" } }
                        } }
                        tbody { @for key in &listed.rows { (row(tenant, managed, key, now)) } }
                    }
                }
                (parts::pages(&base, asked, listed.next))
            }
        }
    }
}

fn row(tenant: &str, managed: bool, key: &ManagedKey, now: Timestamp) -> Markup {
    let path = format!("{}/{}", Section::ApiKeys.of(tenant), key.id);
    html! {
        tr.opens {
            td { a.opens href=(path) { strong { (key.name) } } }
            td data-label="Tenant" { span.code { (tenant) } }
            td data-label="Key" { span.code { (key.prefix) "…" } }
            td data-label="Last used" {
                @match key.last_used_at { Some(at) => (parts::moment(at)), None => span.weak { "Never" } }
            }
            td data-label="State" { (state(key, now)) }
            td.actions {
                @if managed && key.revoked_at.is_none() {
                    a.button.quiet.slim href={ (path) "/rotate" } data-dialog { "Rotate" span.hidden-text { " " (key.name) } }
                    a.button.quiet.slim href={ (path) "/revoke" } data-dialog { "Revoke" span.hidden-text { " " (key.name) } }
                }
            }
        }
    }
}

fn state(key: &ManagedKey, now: Timestamp) -> Markup {
    html! {
        @if key.revoked_at.is_some() {
            span.mark.stop { "Revoked" }
        } @else if key.expires_at.is_some_and(|end| end <= now) {
            span.mark.stop { "Expired" }
        } @else if key.expires_at.is_some_and(|end| end <= now + EXPIRES_SOON) {
            span.mark.hold { "Expires soon" }
        } @else {
            span.mark.go { "Valid" }
        }
    }
}

/// Long enough before its end to give a new key to everybody who uses it.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(24 * 14);

const SCOPES: [Scope; 3] = [Scope::All, Scope::Agent, Scope::Xml];

fn opens(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "Agent Manager and the XML API",
        Scope::Agent => "Agent Manager",
        Scope::Xml => "The XML API",
    }
}

fn scopes() -> Vec<(String, String)> {
    SCOPES.iter().map(|scope| (scope.written().to_owned(), opens(*scope).to_owned())).collect()
}

fn chosen(scope: &str) -> Answer<Scope> {
    Scope::read(scope).map_err(|_| ApiError::invalid("scope must be one of those that the form offers."))
}

async fn new(State(app): State<Arc<App>>, signed: Signed, Segments(tenant): Segments<String>) -> Answer<Response> {
    form(&app, &signed, &tenant, &Given { scope: "all".into(), ..Given::default() }, None).await
}

#[derive(Default, Deserialize)]
pub struct Given {
    name: String,
    scope: String,
    #[serde(default)]
    expires_at: String,
}

async fn create(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Form(given): Form<Given>,
) -> Answer<Response> {
    let expires_at = match parts::refused(end_of_day(&app, &signed, &tenant, &given.expires_at).await)? {
        Ok(expires_at) => expires_at,
        Err(refusal) => return form(&app, &signed, &tenant, &given, Some(&refusal)).await,
    };
    let wanted = NewKey { name: given.name.clone(), scope: chosen(&given.scope)?, expires_at };
    match parts::refused(manage::create(&app, &signed.manager, peer, &tenant, wanted).await)? {
        Ok(made) => made_page(&app, &signed, &tenant, "API login added", &made).await,
        Err(refusal) => form(&app, &signed, &tenant, &given, Some(&refusal)).await,
    }
}

/// The end of the last day on which the key is to work, in the account's time zone; none was typed: it never expires.
async fn end_of_day(app: &App, signed: &Signed, tenant: &str, day: &str) -> Answer<Option<Timestamp>> {
    if day.trim().is_empty() {
        return Ok(None);
    }
    let account = accounts::read(app, &signed.manager, tenant).await?;
    let zone = TimeZone::get(&account.time_zone).unwrap_or(TimeZone::UTC);
    let end = day.trim().parse::<Date>().and_then(|day| day.tomorrow()).and_then(|next| next.to_zoned(zone));
    let end = end.map_err(|_| ApiError::invalid("expires_at must be a day such as 2030-12-31."))?;
    Ok(Some(end.timestamp()))
}

async fn form(app: &App, signed: &Signed, tenant: &str, given: &Given, refusal: Option<&Refusal>) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageKeys).await?;
    let base = Section::ApiKeys.of(tenant);
    let body = html! {
        (parts::trouble(refusal, &["name", "expires_at"]))
        form.stack method="post" action={ (base) "/new" } {
            (parts::hidden_once(&signed.form_token()))
            (Field::text("name", "Name").value(&given.name).focused().hint("What it is for: Agent Manager, the CRM.").refusal(refusal).render())
            (parts::select("scope", "Opens", &scopes(), &given.scope))
            (Field::date("expires_at", "Last day").value(&given.expires_at).optional().refusal(refusal)
                .hint("After it the key works no more. Left empty, it works until it is revoked.").render())
            (parts::send("Add API login", &base))
        }
    };
    let page = parts::sheet(&parts::crumb(&base, Section::ApiKeys.title()), "Add API login", &body);
    Ok(at(signed, &access, "Add API login", refusal, &page))
}

/// The page that shows a key, this once.
async fn made_page(app: &App, signed: &Signed, tenant: &str, title: &str, made: &MadeKey) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::SeeKeys).await?;
    let base = Section::ApiKeys.of(tenant);
    let body = html! {
        div.said.hold { (Icon::Warning.draw()) p { "The key is shown this once. Copy it to where it is used; if it gets lost, rotate it." } }
        dl.facts { dt { "Name" } dd { (made.name) } dt { "Tenant" } dd.code { (made.tenant) } }
        (parts::once("secret", "API key", &made.key))
        p.small.weak { "To use it with Agent Manager, choose it on the extension: Extension Manager, the extension, API key, Update." }
        (parts::close(&base))
    };
    let page = parts::sheet(&parts::crumb(&base, Section::ApiKeys.title()), title, &body);
    Ok(at(signed, &access, title, None, &page))
}

/// One key: what it was used for.
async fn history(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, id)): Segments<(String, i64)>,
    Asked(asked): Asked<Page>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::SeeKeys).await?;
    let asked = parts::short(asked);
    let key = manage::read(&app, &signed.manager, &tenant, id).await?;
    let uses = manage::uses(&app, &signed.manager, &tenant, id, &asked).await?;
    let state = state(&key, app.clock.now());
    let body = history_page(&tenant, access.role >= Role::Admin, (&key, &state), &uses, &asked);
    Ok(at(&signed, &access, &key.name, None, &body))
}

fn history_page(
    tenant: &str,
    managed: bool,
    (key, state): (&ManagedKey, &Markup),
    uses: &Listed<KeyUse>,
    asked: &Page,
) -> Markup {
    let path = format!("{}/{}", Section::ApiKeys.of(tenant), key.id);
    let actions = html! {
        @if managed && key.revoked_at.is_none() {
            a.button href={ (path) "/expiry" } data-dialog { "Change last day" }
            a.button href={ (path) "/rotate" } data-dialog { "Rotate" }
            a.button href={ (path) "/revoke" } data-dialog { "Revoke" }
        }
    };
    html! {
        div.head {
            div {
                div.crumb { a href=(Section::ApiKeys.of(tenant)) { (Section::ApiKeys.title()) } }
                h1 { (key.name) }
            }
            (actions)
        }
        div.card.pad {
            dl.facts {
                dt { "Tenant" } dd.code { (tenant) }
                dt { "Key begins with" } dd.code { (key.prefix) }
                dt { "Opens" } dd { (opens(key.scope)) }
                dt { "State" } dd { (state) }
                dt { "Added" } dd { (parts::moment(key.created_at)) }
                @if let Some(at) = key.expires_at { dt { "Expires" } dd { (parts::moment(at)) } }
                @if let Some(at) = key.old_until { dt { "The former key works until" } dd { (parts::moment(at)) } }
                @if let Some(at) = key.revoked_at { dt { "Revoked" } dd { (parts::moment(at)) } }
            }
        }
        div.card {
            header { h2 { "History of use" } }
            @if uses.rows.is_empty() {
                div.empty { p { "It was not used in the last 90 days." } }
            } @else {
                div.scroll {
                    table.folds {
                        thead { tr { th scope="col" { "When" } th scope="col" { "What for" } th scope="col" { "From" } } }
                        tbody {
                            @for one in &uses.rows {
                                tr {
                                    td { (parts::moment(one.at)) }
                                    td data-label="What for" { (one.request) }
                                    td data-label="From" { span.number { (one.address) } }
                                }
                            }
                        }
                    }
                }
                (parts::pages(&path, asked, uses.next))
            }
        }
    }
}

/// How long the former key may go on working, in days.
const OVERLAPS: [(i64, &str); 4] =
    [(0, "Not at all: it stops at once"), (1, "One day"), (7, "One week"), (30, "30 days")];

async fn ask_rotate(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<Response> {
    rotate_page(&app, &signed, &tenant, id, None).await
}

async fn rotate_page(app: &App, signed: &Signed, tenant: &str, id: i64, refusal: Option<&Refusal>) -> Answer<Response> {
    let access = signed.manager.account(app, tenant, Right::ManageKeys).await?;
    let key = manage::read(app, &signed.manager, tenant, id).await?;
    let base = Section::ApiKeys.of(tenant);
    let title = format!("Rotate {}?", key.name);
    let overlaps: Vec<_> = OVERLAPS.iter().map(|(days, words)| (days.to_string(), (*words).to_owned())).collect();
    let body = html! {
        (parts::trouble(refusal, &[]))
        p { "A new key takes its place. The extensions on which it is enabled, and Agent Managers that are signed in, stay." }
        form.stack method="post" action={ (base) "/" (id) "/rotate" } {
            (parts::hidden_once(&signed.form_token()))
            input type="hidden" name="prefix" value=(key.prefix);
            (parts::select("days", "The former key goes on working for", &overlaps, "7"))
            (parts::send("Rotate", &base))
        }
    };
    let page = parts::sheet(&parts::crumb(&base, Section::ApiKeys.title()), &title, &body);
    Ok(at(signed, &access, &title, refusal, &page))
}

#[derive(Deserialize)]
struct RotationGiven {
    prefix: String,
    days: i64,
}

async fn rotate(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
    Form(given): Form<RotationGiven>,
) -> Answer<Response> {
    let days = OVERLAPS.iter().map(|(days, _)| *days).find(|days| *days == given.days);
    let days = days.ok_or_else(|| ApiError::invalid("days must be one of those that the form offers."))?;
    let old_until = (days > 0).then(|| app.clock.now() + SignedDuration::from_hours(24 * days));
    let wanted = Rotation { prefix: given.prefix, old_until };
    match parts::refused(manage::rotate(&app, &signed.manager, peer, (&tenant, id), wanted).await)? {
        Ok(made) => made_page(&app, &signed, &tenant, "API login rotated", &made).await,
        Err(refusal) => rotate_page(&app, &signed, &tenant, id, Some(&refusal)).await,
    }
}

async fn ask_revoke(
    State(app): State<Arc<App>>,
    signed: Signed,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<Response> {
    let access = signed.manager.account(&app, &tenant, Right::ManageKeys).await?;
    let key = manage::read(&app, &signed.manager, &tenant, id).await?;
    let base = Section::ApiKeys.of(&tenant);
    let title = format!("Revoke {}?", key.name);
    let body = html! {
        p { "It stops working at once: every Agent Manager that signed in with it is signed out, and it is taken off its \
            extensions. This cannot be undone." }
        (parts::confirm(&format!("{base}/{id}/revoke"), &signed.form_token(), "Revoke", &base))
    };
    let page = parts::sheet(&parts::crumb(&base, Section::ApiKeys.title()), &title, &body);
    Ok(at(&signed, &access, &title, None, &page))
}

async fn revoke(
    State(app): State<Arc<App>>,
    signed: Signed,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<Response> {
    manage::revoke(&app, &signed.manager, peer, &tenant, id).await?;
    Ok(signed.to(&Section::ApiKeys.of(&tenant), "The API key was revoked."))
}
