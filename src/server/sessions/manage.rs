//! Sessions of people who manage, and what a login may do with its own memberships.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use utoipa::ToSchema;

use super::{caller::Manager, queries::Login, sign_in::authenticate};
use crate::{
    server::{
        audit, clock,
        http::{
            App,
            idempotency::Once,
            input::{Input, Peer, Segments},
            problem::{Answer, ApiError},
        },
        secrets,
    },
    tms::wire::Problem,
};

const LIFETIME_MS: i64 = 12 * 3600 * 1000;
/// Sessions of one login at a time; the oldest go.
const PER_LOGIN: i64 = 20;

#[derive(Deserialize, ToSchema)]
pub struct ManageSignIn {
    username: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
pub struct ManageSession {
    token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// May create accounts and manage every one of them.
    operator: bool,
}

/// Sign in to manage
///
/// For operators and accounts' administrators, and for a new login to enable its account.
#[utoipa::path(post, path = "/v1/manage/session", tag = "manage", request_body = ManageSignIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManageSession), (status = 401, body = Problem), (status = 429, body = Problem)))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    peer: Peer,
    Input(wanted): Input<ManageSignIn>,
) -> Answer<Once<ManageSession>> {
    let login = authenticate(&app, peer, &wanted.username, &wanted.password).await?;
    let Opened { token, expires_at } = open_to_manage(&app, peer, &login).await?;
    Ok(Once { body: ManageSession { token, expires_at, operator: login.operator }, secrets: &["token"] })
}

/// A session that was just opened.
pub struct Opened {
    /// Shown this once.
    pub token: String,
    pub expires_at: Timestamp,
}

/// Opens a session to manage for a login that has proved itself.
pub async fn open_to_manage(app: &App, peer: Peer, login: &Login) -> Answer<Opened> {
    let token = secrets::manage_token();
    let now = app.clock.now_ms();
    let mut tx = app.store.begin().await?;
    let surplus = "DELETE FROM manage_session WHERE login_id = $1 AND id NOT IN (
         SELECT id FROM manage_session WHERE login_id = $1 ORDER BY id DESC LIMIT $2)";
    sqlx::query(surplus).bind(login.id).bind(PER_LOGIN - 1).execute(&mut *tx).await?;
    sqlx::query("INSERT INTO manage_session (token_hash, login_id, created_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(secrets::hash(&token))
        .bind(login.id)
        .bind(now)
        .bind(now + LIFETIME_MS)
        .execute(&mut *tx)
        .await?;
    audit::record_in(&mut tx, app, None, &login.username, peer, "sign in to manage", &login.username).await?;
    tx.commit().await?;
    Ok(Opened { token, expires_at: clock::from_ms(now + LIFETIME_MS) })
}

/// Sign out of managing
#[utoipa::path(delete, path = "/v1/manage/session", tag = "manage", security(("bearer" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
pub async fn sign_out(State(app): State<Arc<App>>, manager: Manager) -> Answer<StatusCode> {
    end_to_manage(&app, &manager).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the session that the caller manages with.
pub async fn end_to_manage(app: &App, manager: &Manager) -> Answer<()> {
    sqlx::query("DELETE FROM manage_session WHERE id = $1").bind(manager.session).execute(app.store.pool()).await?;
    Ok(())
}

#[derive(Serialize, ToSchema)]
pub struct OwnMembership {
    pub tenant: String,
    pub account: String,
    /// `admin`, `manager` or `extension`.
    pub role: String,
    /// `pending`, `enabled` or `disabled`.
    pub state: String,
}

/// The accounts of the login that is signed in
#[utoipa::path(get, path = "/v1/manage/memberships", tag = "manage", security(("bearer" = [])),
    responses((status = 200, body = [OwnMembership]), (status = 401, body = Problem)))]
pub async fn memberships(State(app): State<Arc<App>>, manager: Manager) -> Answer<Json<Vec<OwnMembership>>> {
    Ok(Json(own_memberships(&app, &manager).await?))
}

/// The accounts of whoever is signed in.
pub async fn own_memberships(app: &App, manager: &Manager) -> Answer<Vec<OwnMembership>> {
    let rows = sqlx::query(
        "SELECT a.tenant, a.name, m.role, m.state FROM membership m JOIN account a ON a.id = m.account_id
         WHERE m.login_id = $1 ORDER BY a.tenant",
    )
    .bind(manager.login)
    .fetch_all(app.store.pool())
    .await?;
    let read = |row: sqlx::sqlite::SqliteRow| {
        Ok::<_, sqlx::Error>(OwnMembership {
            tenant: row.try_get("tenant")?,
            account: row.try_get("name")?,
            role: row.try_get("role")?,
            state: row.try_get("state")?,
        })
    };
    Ok(rows.into_iter().map(read).collect::<Result<_, _>>()?)
}

/// Tick "Account enabled"
///
/// The activation: a new login does it once, for itself, and Agent Manager can use it then.
#[utoipa::path(post, path = "/v1/manage/memberships/{tenant}/enable", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn enable(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
) -> Answer<StatusCode> {
    enable_own(&app, &manager, peer, &tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enables the caller's own membership of this account, unless it was disabled.
pub async fn enable_own(app: &App, manager: &Manager, peer: Peer, tenant: &str) -> Answer<()> {
    let mut tx = app.store.begin().await?;
    let row = sqlx::query(
        "SELECT m.id, m.state, m.account_id FROM membership m JOIN account a ON a.id = m.account_id
         WHERE m.login_id = $1 AND a.tenant = $2",
    )
    .bind(manager.login)
    .bind(tenant)
    .fetch_optional(&mut *tx)
    .await?;
    let row = row.ok_or_else(|| ApiError::not_found(format_args!("The account {tenant}")))?;
    match row.try_get::<String, _>("state")?.as_str() {
        "enabled" => return Ok(()),
        "disabled" => {
            return Err(ApiError::forbidden("This login is disabled. Whoever manages your TMS can enable it again."));
        }
        _ => {}
    }
    sqlx::query("UPDATE membership SET state = 'enabled', activated_at = $2 WHERE id = $1")
        .bind(row.try_get::<i64, _>("id")?)
        .bind(app.clock.now_ms())
        .execute(&mut *tx)
        .await?;
    let account: i64 = row.try_get("account_id")?;
    audit::record_in(&mut tx, app, Some(account), &manager.username, peer, "enable", &manager.username).await?;
    tx.commit().await?;
    Ok(())
}
