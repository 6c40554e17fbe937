//! Routes to create, list and alter accounts.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::queries::{self, AccountRow};
use crate::{
    server::{
        audit,
        http::{
            App,
            input::{self, Input, Peer, Segments},
            problem::{Answer, ApiError},
        },
        registrations,
        sessions::{self, Manager},
    },
    tms::wire::{Account, Edition, Problem},
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update))
}

#[derive(Serialize, ToSchema)]
struct ManagedAccount {
    #[serde(flatten)]
    account: Account,
    enabled: bool,
}

#[derive(Deserialize, ToSchema)]
struct NewAccount {
    name: String,
    /// One unique word of 2 to 30 lower-case letters and digits; the last part of every SIP user name.
    tenant: String,
    /// SIP domain and digest realm; the tenant where it is left out. Never changed later.
    realm: Option<String>,
    edition: Edition,
}

#[derive(Deserialize, ToSchema)]
struct AccountChange {
    name: Option<String>,
    edition: Option<Edition>,
    /// Switching it off ends its sessions and removes its devices.
    enabled: Option<bool>,
}

/// Every account, for operators
#[utoipa::path(get, path = "/v1/accounts", tag = "manage", security(("bearer" = [])),
    responses((status = 200, body = [ManagedAccount]), (status = 401, body = Problem), (status = 403, body = Problem)))]
async fn list(State(app): State<Arc<App>>, manager: Manager) -> Answer<Json<Vec<ManagedAccount>>> {
    manager.must_be_operator()?;
    Ok(Json(queries::all(&app.store).await?.into_iter().map(shown).collect()))
}

/// Add an account
#[utoipa::path(post, path = "/v1/accounts", tag = "manage", security(("bearer" = [])), request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManagedAccount), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Input(wanted): Input<NewAccount>,
) -> Answer<(StatusCode, Json<ManagedAccount>)> {
    manager.must_be_operator()?;
    let tenant = input::word("tenant", &wanted.tenant, 2, 30, "")?;
    let realm = match &wanted.realm {
        Some(realm) => input::word("realm", realm, 1, 100, ".-")?,
        None => tenant.clone(),
    };
    let account = Account { name: input::text("name", &wanted.name)?, tenant, realm, edition: wanted.edition };
    let mut tx = app.store.begin().await?;
    let id = queries::create(&mut tx, &account, app.clock.now_ms()).await.map_err(|e| {
        ApiError::from_rule(e, || {
            format!("The tenant {} or the realm {} exists already; choose another.", account.tenant, account.realm)
        })
    })?;
    audit::record_in(&mut tx, &app, Some(id), &manager.username, peer, "create account", &account.tenant).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(ManagedAccount { account, enabled: true })))
}

/// One account
#[utoipa::path(get, path = "/v1/accounts/{tenant}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = ManagedAccount), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn read(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<ManagedAccount>> {
    Ok(Json(shown(manager.account(&app, &tenant).await?)))
}

/// Alter an account
///
/// Lowering the edition to Express is refused while an extension has an additional registration. Only an operator may
/// change edition and state.
#[utoipa::path(patch, path = "/v1/accounts/{tenant}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)), request_body = AccountChange,
    responses((status = 200, body = ManagedAccount), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn update(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(change): Input<AccountChange>,
) -> Answer<Json<ManagedAccount>> {
    let mut row = manager.account(&app, &tenant).await?;
    if change.edition.is_some() || change.enabled.is_some() {
        manager.must_be_operator()?;
    }
    if let Some(name) = &change.name {
        row.account.name = input::text("name", name)?;
    }
    row.account.edition = change.edition.unwrap_or(row.account.edition);
    row.enabled = change.enabled.unwrap_or(row.enabled);
    let mut tx = app.store.begin().await?;
    queries::update(&mut tx, &row).await.map_err(|e| ApiError::from_rule(e, String::new))?;
    audit::record_in(&mut tx, &app, Some(row.id), &manager.username, peer, "alter account", &tenant).await?;
    tx.commit().await?;
    sessions::enforce(&app, row.id, &row.account.realm).await?;
    if change.enabled == Some(false) {
        registrations::evict_all(&app, row.id, &row.account.realm).await?;
    }
    Ok(Json(shown(row)))
}

fn shown(row: AccountRow) -> ManagedAccount {
    ManagedAccount { account: row.account, enabled: row.enabled }
}
