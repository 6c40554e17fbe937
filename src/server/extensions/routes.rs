//! Routes to create, list and alter extensions.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::queries::{self, Changes, ExtensionRow};
use crate::{
    server::{
        api_keys, audit,
        http::{
            App,
            input::{self, Input, Peer, Segments},
            problem::{Answer, ApiError},
        },
        logins, registrations,
        sessions::{self, Manager},
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change))
}

#[derive(Serialize, ToSchema)]
struct ManagedExtension {
    number: String,
    name: String,
    enabled: bool,
    /// User name of the login that owns it.
    login: Option<String>,
    /// The API key that is enabled on it.
    api_key: Option<i64>,
}

#[derive(Deserialize, ToSchema)]
struct NewExtension {
    /// 1 to 12 digits.
    number: String,
    name: String,
}

#[derive(Deserialize, ToSchema)]
struct ExtensionChange {
    name: Option<String>,
    enabled: Option<bool>,
    /// User name of a login of the account; null takes the extension from its owner.
    #[serde(default, deserialize_with = "input::nullable")]
    #[schema(value_type = Option<String>)]
    login: Option<Option<String>>,
    /// An API key of the account; null disables the key on this extension.
    #[serde(default, deserialize_with = "input::nullable")]
    #[schema(value_type = Option<i64>)]
    api_key: Option<Option<i64>>,
}

/// The extensions of an account
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = [ManagedExtension]), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<Vec<ManagedExtension>>> {
    let account = manager.account(&app, &tenant).await?;
    Ok(Json(queries::all(&app.store, account.id).await?.into_iter().map(shown).collect()))
}

/// Add an extension
///
/// Its primary registration, `<number>-<tenant>`, comes with it.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewExtension,
    responses((status = 201, body = ManagedExtension), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewExtension>,
) -> Answer<(StatusCode, Json<ManagedExtension>)> {
    let account = manager.account(&app, &tenant).await?;
    let number = number(&wanted.number)?;
    let name = input::text("name", &wanted.name)?;
    let mut tx = app.store.begin().await?;
    let taken = || format!("The extension {number} exists already; choose another number.");
    queries::create(&mut tx, &account, &number, &name, app.clock.now_ms())
        .await
        .map_err(|e| ApiError::from_rule(e, taken))?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "create extension", &number).await?;
    tx.commit().await?;
    sessions::enforce(&app, account.id, &account.account.realm).await?;
    Ok((StatusCode::CREATED, Json(ManagedExtension { number, name, enabled: true, login: None, api_key: None })))
}

/// One extension
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions/{number}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = ManagedExtension), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn read(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Json<ManagedExtension>> {
    let account = manager.account(&app, &tenant).await?;
    let row = queries::by_number(&app.store, account.id, &number).await?;
    row.map(|row| Json(shown(row))).ok_or_else(|| ApiError::not_found(format_args!("The extension {number}")))
}

/// Alter an extension: its name, its owner, the API key enabled on it
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/extensions/{number}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path)), request_body = ExtensionChange,
    responses((status = 200, body = ManagedExtension), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
async fn change(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Input(change): Input<ExtensionChange>,
) -> Answer<Json<ManagedExtension>> {
    let account = manager.account(&app, &tenant).await?;
    let unknown = || ApiError::not_found(format_args!("The extension {number}"));
    let mut row = queries::by_number(&app.store, account.id, &number).await?.ok_or_else(unknown)?;
    if let Some(name) = &change.name {
        row.name = input::text("name", name)?;
    }
    row.enabled = change.enabled.unwrap_or(row.enabled);
    if let Some(login) = change.login {
        row.login = match login {
            None => None,
            Some(login) => Some(member(&app, account.id, &login).await?),
        };
    }
    if let Some(api_key) = change.api_key {
        if let Some(key) = api_key {
            api_keys::usable(&app.store, account.id, key).await?;
        }
        row.api_key = api_key;
    }
    let mut tx = app.store.begin().await?;
    let changes = Changes { name: &row.name, enabled: row.enabled, login: row.login.as_deref(), api_key: row.api_key };
    queries::update(&mut tx, row.id, &changes).await.map_err(|e| ApiError::from_rule(e, String::new))?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "alter extension", &number).await?;
    tx.commit().await?;
    let realm = &account.account.realm;
    sessions::enforce(&app, account.id, realm).await?;
    if !row.enabled {
        registrations::evict_extension(&app, row.id, realm).await?;
    }
    Ok(Json(shown(row)))
}

/// The user name of a login of this account, as it is stored.
async fn member(app: &App, account: i64, username: &str) -> Answer<String> {
    logins::member(&app.store, account, username).await?.map(|m| m.username).ok_or_else(|| {
        ApiError::invalid(format!("login: {username} is no login of this account; add it first, under logins."))
    })
}

fn number(given: &str) -> Answer<String> {
    if !(1..=12).contains(&given.len()) || !given.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ApiError::invalid("number must have 1 to 12 digits."));
    }
    Ok(given.to_owned())
}

fn shown(row: ExtensionRow) -> ManagedExtension {
    let ExtensionRow { number, name, enabled, login, api_key, .. } = row;
    ManagedExtension { number, name, enabled, login, api_key }
}
