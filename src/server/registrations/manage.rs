//! Routes to add, list and alter the registrations of an extension.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queries::{self, RegistrationRow};
use crate::{
    server::{
        accounts::AccountRow,
        audit,
        contacts::Contact,
        extensions::{self, ExtensionRow},
        http::{
            App,
            idempotency::Once,
            input::{self, Input, Peer, Segments},
            problem::{Answer, ApiError, kind},
        },
        registry::Ha1,
        secrets,
        sessions::{self, Manager},
    },
    tms::wire::{Edition, Kind, Problem},
};

#[derive(Serialize, ToSchema)]
pub struct ManagedRegistration {
    /// SIP user name.
    name: String,
    kind: Kind,
    label: String,
    ring_inbound: bool,
    enabled: bool,
    /// A lasting password was made, for a device set up by hand.
    has_sip_password: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<Holder>,
}

/// Who holds it now.
#[derive(Serialize, ToSchema)]
struct Holder {
    device: String,
    address: String,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Deserialize, ToSchema)]
pub struct NewRegistration {
    /// The last part of the SIP user name, `<number>-<tenant>-<username>`: 1 to 20 lower-case letters and digits.
    username: String,
    /// The username where it is left out.
    label: Option<String>,
    #[serde(default)]
    ring_inbound: bool,
}

#[derive(Deserialize, ToSchema)]
pub struct RegistrationChange {
    label: Option<String>,
    /// Rings with the primary; a primary always rings.
    ring_inbound: Option<bool>,
    /// Switching it off removes its device.
    enabled: Option<bool>,
}

#[derive(Serialize, ToSchema)]
pub struct SipPassword {
    username: String,
    realm: String,
    /// Shown this once.
    password: String,
}

/// The registrations of an extension, and who holds each now
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions/{number}/registrations", tag = "manage",
    security(("bearer" = [])), params(("tenant" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = [ManagedRegistration]), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Json<Vec<ManagedRegistration>>> {
    let (account, extension) = find(&app, &manager, &tenant, &number).await?;
    let rows = queries::of_extension(&app.store, extension.id).await?;
    let held = app.contacts.held(&account.account.realm, rows.iter().map(|r| r.name.clone()).collect()).await;
    let show = |row: RegistrationRow| {
        let holder = held.iter().find(|c| c.registration == row.name).map(holder);
        shown(row, holder)
    };
    Ok(Json(rows.into_iter().map(show).collect()))
}

/// Add Registration
///
/// An additional one (S): none on Express, at most two elsewhere.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions/{number}/registrations", tag = "manage",
    security(("bearer" = [])), request_body = NewRegistration,
    params(("tenant" = String, Path), ("number" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManagedRegistration), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Input(wanted): Input<NewRegistration>,
) -> Answer<(StatusCode, Json<ManagedRegistration>)> {
    let (account, extension) = find(&app, &manager, &tenant, &number).await?;
    let username = input::word("username", &wanted.username, 1, 20, "")?;
    let label = input::text("label", wanted.label.as_deref().unwrap_or(&username))?;
    let name = format!("{number}-{tenant}-{username}");
    let mut tx = app.store.begin().await?;
    let id = queries::add(&mut tx, extension.id, &name, &label, wanted.ring_inbound, app.clock.now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, || format!("{name} exists already; choose another username.")))?;
    let id = id.ok_or_else(|| {
        let detail = match account.account.edition {
            Edition::Express => "An Express account has one registration per extension.",
            Edition::Enterprise | Edition::Integrator => {
                "An extension has at most two additional registrations; remove one first."
            }
        };
        ApiError::conflict(kind::EDITION, detail)
    })?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "add registration", &name).await?;
    tx.commit().await?;
    sessions::enforce(&app, account.id, &account.account.realm).await?;
    let row = RegistrationRow {
        id,
        name,
        extension: number,
        kind: Kind::S,
        label,
        ring_inbound: wanted.ring_inbound,
        enabled: true,
        has_password: false,
    };
    Ok((StatusCode::CREATED, Json(shown(row, None))))
}

/// Alter a registration: label, ring inbound, enabled
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/extensions/{number}/registrations/{name}", tag = "manage",
    security(("bearer" = [])), request_body = RegistrationChange,
    params(("tenant" = String, Path), ("number" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = ManagedRegistration), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn update(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
    Input(change): Input<RegistrationChange>,
) -> Answer<Json<ManagedRegistration>> {
    let (account, extension) = find(&app, &manager, &tenant, &number).await?;
    let mut row = named(&app, &extension, &name).await?;
    if row.kind == Kind::P && change.ring_inbound == Some(false) {
        return Err(ApiError::invalid("ring_inbound: the primary registration always rings."));
    }
    if let Some(label) = &change.label {
        row.label = input::text("label", label)?;
    }
    row.ring_inbound = change.ring_inbound.unwrap_or(row.ring_inbound);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    let mut tx = app.store.begin().await?;
    queries::update(&mut tx, &row).await.map_err(|e| ApiError::from_rule(e, String::new))?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "alter registration", &name).await?;
    tx.commit().await?;
    let realm = &account.account.realm;
    sessions::enforce(&app, account.id, realm).await?;
    if !row.enabled {
        app.contacts.remove(realm, &name).await;
    }
    let held = app.contacts.held(realm, vec![name]).await;
    Ok(Json(shown(row, held.first().map(holder))))
}

/// Remove an additional registration
#[utoipa::path(delete, path = "/v1/accounts/{tenant}/extensions/{number}/registrations/{name}", tag = "manage",
    security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path), ("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
) -> Answer<StatusCode> {
    let (account, extension) = find(&app, &manager, &tenant, &number).await?;
    let row = named(&app, &extension, &name).await?;
    if row.kind == Kind::P {
        return Err(ApiError::conflict(kind::CONFLICT, "The primary registration goes only with its extension."));
    }
    let mut tx = app.store.begin().await?;
    queries::remove(&mut tx, row.id).await?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "remove registration", &name).await?;
    tx.commit().await?;
    app.contacts.remove(&account.account.realm, &name).await;
    sessions::enforce(&app, account.id, &account.account.realm).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new lasting SIP password, for a device set up by hand
///
/// Shown in this answer and never again; the former one stops working and its device is removed.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions/{number}/registrations/{name}/sip-password",
    tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path), ("name" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = SipPassword), (status = 404, body = Problem)))]
pub async fn sip_password(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
) -> Answer<Once<SipPassword>> {
    let (account, extension) = find(&app, &manager, &tenant, &number).await?;
    let row = named(&app, &extension, &name).await?;
    let realm = account.account.realm;
    let password = secrets::password();
    let mut tx = app.store.begin().await?;
    queries::set_password(&mut tx, &row.name, &Ha1::of(&row.name, &realm, &password)).await?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "new sip password", &name).await?;
    tx.commit().await?;
    // A softphone that holds it by its session's own credential stays.
    let held = app.contacts.held(&realm, vec![name.clone()]).await;
    if held.iter().any(|c| c.session.is_none()) {
        app.contacts.remove(&realm, &name).await;
    }
    Ok(Once { body: SipPassword { username: row.name, realm, password }, secrets: &["password"] })
}

async fn find(app: &App, manager: &Manager, tenant: &str, number: &str) -> Answer<(AccountRow, ExtensionRow)> {
    let account = manager.account(app, tenant).await?;
    let extension = extensions::by_number(&app.store, account.id, number).await?;
    Ok((account, extension.ok_or_else(|| ApiError::not_found(format_args!("The extension {number}")))?))
}

async fn named(app: &App, extension: &ExtensionRow, name: &str) -> Answer<RegistrationRow> {
    let rows = queries::of_extension(&app.store, extension.id).await?;
    let row = rows.into_iter().find(|r| r.name == name);
    row.ok_or_else(|| ApiError::not_found(format_args!("The registration {name}")))
}

fn holder(contact: &Contact) -> Holder {
    Holder {
        device: contact.device.clone(),
        address: contact.address.to_string(),
        since: contact.since,
        expires_at: contact.expires_at,
    }
}

fn shown(row: RegistrationRow, holder: Option<Holder>) -> ManagedRegistration {
    ManagedRegistration {
        name: row.name,
        kind: row.kind,
        label: row.label,
        ring_inbound: row.ring_inbound,
        enabled: row.enabled,
        has_sip_password: row.has_password,
        holder,
    }
}
