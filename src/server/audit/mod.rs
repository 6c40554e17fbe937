//! Who did what, append-only.

use std::sync::Arc;

use axum::{Json, extract::State};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{Row, SqliteConnection, sqlite::SqliteRow};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    clock,
    http::{
        App,
        input::{Peer, Segments},
        problem::Answer,
    },
    sessions::Manager,
};
use crate::tms::wire::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Entries shown at most, newest first.
const SHOWN: i64 = 200;

#[derive(Serialize, ToSchema)]
pub struct Entry {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    actor: String,
    address: String,
    action: String,
    object: String,
}

/// Who did what on an account, newest first
#[utoipa::path(get, path = "/v1/accounts/{tenant}/audit", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = [Entry]), (status = 401, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<Vec<Entry>>> {
    let account = manager.account(&app, &tenant).await?;
    let rows = sqlx::query(
        "SELECT at, actor, address, action, object FROM audit WHERE account_id = $1 ORDER BY id DESC LIMIT $2",
    )
    .bind(account.id)
    .bind(SHOWN)
    .fetch_all(app.store.pool())
    .await?;
    let read = |row: SqliteRow| {
        Ok::<_, sqlx::Error>(Entry {
            at: clock::from_ms(row.try_get("at")?),
            actor: row.try_get("actor")?,
            address: row.try_get("address")?,
            action: row.try_get("action")?,
            object: row.try_get("object")?,
        })
    };
    Ok(Json(rows.into_iter().map(read).collect::<Result<_, _>>()?))
}

/// An entry in the change's own transaction: both are kept or neither.
pub async fn record_in(
    connection: &mut SqliteConnection,
    app: &App,
    account: Option<i64>,
    actor: &str,
    peer: Peer,
    action: &str,
    object: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO audit (at, account_id, actor, address, action, object) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(app.clock.now_ms())
        .bind(account)
        .bind(actor)
        .bind(peer.ip().to_string())
        .bind(action)
        .bind(object)
        .execute(connection)
        .await?;
    Ok(())
}
