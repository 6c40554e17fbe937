//! Routes to create, list and revoke API keys, and to see what they were used for.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Row, sqlite::SqliteRow};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::queries;
use crate::{
    server::{
        audit, clock,
        http::{
            App,
            idempotency::Once,
            input::{self, Input, Peer, Segments},
            problem::{Answer, ApiError},
        },
        secrets,
        sessions::{self, Manager},
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(uses))
}

#[derive(Serialize, ToSchema)]
struct ManagedKey {
    id: i64,
    name: String,
    /// The readable beginning of the key.
    prefix: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
}

#[derive(Deserialize, ToSchema)]
struct NewKey {
    name: String,
}

#[derive(Serialize, ToSchema)]
struct MadeKey {
    id: i64,
    name: String,
    /// Together with the key, what the XML API asks for.
    tenant: String,
    prefix: String,
    /// Shown this once.
    key: String,
}

#[derive(Serialize, ToSchema)]
struct KeyUse {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    address: String,
    /// `sign-in`, `link`, `xml GetExtensions`, …
    request: String,
}

/// The API keys of an account
#[utoipa::path(get, path = "/v1/accounts/{tenant}/api-keys", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = [ManagedKey]), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<Vec<ManagedKey>>> {
    let account = manager.account(&app, &tenant).await?;
    let rows = sqlx::query(
        "SELECT id, name, prefix, created_at, last_used_at, revoked_at FROM api_key WHERE account_id = $1 ORDER BY id",
    )
    .bind(account.id)
    .fetch_all(app.store.pool())
    .await?;
    let read = |row: SqliteRow| {
        Ok::<_, sqlx::Error>(ManagedKey {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            prefix: row.try_get("prefix")?,
            created_at: clock::from_ms(row.try_get("created_at")?),
            last_used_at: row.try_get::<Option<i64>, _>("last_used_at")?.map(clock::from_ms),
            revoked_at: row.try_get::<Option<i64>, _>("revoked_at")?.map(clock::from_ms),
        })
    };
    Ok(Json(rows.into_iter().map(read).collect::<Result<_, _>>()?))
}

/// Add an API key
///
/// The key is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/api-keys", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewKey,
    responses((status = 201, body = MadeKey), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewKey>,
) -> Answer<Once<MadeKey>> {
    let account = manager.account(&app, &tenant).await?;
    let name = input::text("name", &wanted.name)?;
    let key = secrets::ApiKey::generate();
    let mut tx = app.store.begin().await?;
    let id = queries::create(&mut tx, account.id, &name, &key, app.clock.now_ms()).await?;
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "create api key", &key.prefix).await?;
    tx.commit().await?;
    let body = MadeKey { id, name, tenant, prefix: key.prefix, key: key.key };
    Ok(Once { body, secrets: &["key"] })
}

/// Revoke an API key
///
/// It works no more at once; sessions that were opened with it end.
#[utoipa::path(delete, path = "/v1/accounts/{tenant}/api-keys/{id}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("id" = i64, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn revoke(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<StatusCode> {
    let account = manager.account(&app, &tenant).await?;
    let mut tx = app.store.begin().await?;
    if !queries::revoke(&mut tx, account.id, id, app.clock.now_ms()).await? {
        return Err(ApiError::not_found(format_args!("The API key {id}")));
    }
    let object = id.to_string();
    audit::record_in(&mut tx, &app, Some(account.id), &manager.username, peer, "revoke api key", &object).await?;
    tx.commit().await?;
    sessions::enforce(&app, account.id, &account.account.realm).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Uses shown at most, newest first.
const SHOWN: i64 = 200;

/// What an API key was used for, newest first
#[utoipa::path(get, path = "/v1/accounts/{tenant}/api-keys/{id}/uses", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("id" = i64, Path)),
    responses((status = 200, body = [KeyUse]), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn uses(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<Json<Vec<KeyUse>>> {
    let account = manager.account(&app, &tenant).await?;
    let own = sqlx::query("SELECT 1 FROM api_key WHERE id = $1 AND account_id = $2").bind(id).bind(account.id);
    if own.fetch_optional(app.store.pool()).await?.is_none() {
        return Err(ApiError::not_found(format_args!("The API key {id}")));
    }
    let rows = sqlx::query(
        "SELECT at, address, request FROM api_key_use WHERE api_key_id = $1 ORDER BY at DESC, id DESC LIMIT $2",
    )
    .bind(id)
    .bind(SHOWN)
    .fetch_all(app.store.pool())
    .await?;
    let read = |row: SqliteRow| {
        Ok::<_, sqlx::Error>(KeyUse {
            at: clock::from_ms(row.try_get("at")?),
            address: row.try_get("address")?,
            request: row.try_get("request")?,
        })
    };
    Ok(Json(rows.into_iter().map(read).collect::<Result<_, _>>()?))
}
