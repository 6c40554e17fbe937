//! Who did what, append-only.

use std::sync::Arc;

use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    clock,
    http::{
        App,
        input::{Asked, Peer, Segments},
        page::{Listed, Page},
        problem::Answer,
    },
    sessions::{Manager, Right},
};
use crate::server::store::{Row, Tx, query};
use crate::tms::wire::Problem;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entry {
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    pub actor: String,
    pub address: String,
    pub action: String,
    pub object: String,
}

/// Who did what on an account, newest first
#[utoipa::path(get, path = "/v1/accounts/{tenant}/audit", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), Page),
    responses((status = 200, body = [Entry]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<Entry>> {
    entries(&app, &manager, &tenant, &page).await
}

/// Who did what on an account, newest first.
pub async fn entries(app: &App, manager: &Manager, tenant: &str, page: &Page) -> Answer<Listed<Entry>> {
    let access = manager.account(app, tenant, Right::SeeAudit).await?;
    let rows = query(
        "SELECT at, actor, address, action, object FROM audit
         WHERE account_id = $1 AND (actor LIKE lower($2) ESCAPE '!' OR action LIKE lower($2) ESCAPE '!'
             OR lower(object) LIKE lower($2) ESCAPE '!')
         ORDER BY id DESC LIMIT $3 OFFSET $4",
    )
    .bind(access.account.id)
    .bind(page.pattern()?)
    .bind(page.rows())
    .bind(page.offset())
    .fetch_all(&app.store)
    .await?;
    let read = |row: &Row| {
        Ok::<_, sqlx::Error>(Entry {
            at: clock::from_ms(row.try_get("at")?),
            actor: row.try_get("actor")?,
            address: row.try_get("address")?,
            action: row.try_get("action")?,
            object: row.try_get("object")?,
        })
    };
    let found = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(page.of(found, |entry| entry))
}

/// An entry in the change's own transaction: both are kept or neither.
pub async fn record_in(
    connection: &mut Tx,
    app: &App,
    account: Option<i64>,
    actor: &str,
    peer: Peer,
    action: &str,
    object: &str,
) -> Result<(), sqlx::Error> {
    query("INSERT INTO audit (at, account_id, actor, address, action, object) VALUES ($1, $2, $3, $4, $5, $6)")
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
