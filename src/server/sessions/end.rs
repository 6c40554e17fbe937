//! How sessions end: by sign-out, by those who manage, by time. Their SIP credentials go with them, and so do the contacts
//! that were registered with those.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use sqlx::Row;

use super::caller::Agent;
use crate::{
    server::{
        http::{
            App, idempotency,
            problem::{Answer, ApiError},
        },
        notices::Notice,
    },
    tms::wire::Problem,
};

/// Sign out
///
/// The session's SIP credentials stop working and its contact is removed.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "softphone", security(("bearer" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
pub async fn sign_out(State(app): State<Arc<App>>, agent: Agent) -> Answer<StatusCode> {
    end(&app, &[agent.0.id], "You signed out.").await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends these sessions; `reason` is shown to those who are signed in.
pub async fn end(app: &App, sessions: &[i64], reason: &str) -> Result<(), sqlx::Error> {
    for session in sessions {
        sqlx::query("DELETE FROM session WHERE id = $1").bind(session).execute(app.store.pool()).await?;
        app.notices.publish(Notice::SessionEnded { session: *session, reason: reason.to_owned() });
        app.contacts.end_session(*session).await;
    }
    Ok(())
}

/// After a change to an account: ends the sessions and withdraws the SIP credentials that its rules no longer allow, and
/// tells those who watch its registrations.
pub async fn enforce(app: &App, account: i64, realm: &str) -> Result<(), ApiError> {
    let rows = sqlx::query(
        "SELECT s.id, m.state, a.enabled, k.revoked_at IS NULL AS key_good
         FROM session s
         JOIN membership m ON m.id = s.membership_id
         JOIN account a ON a.id = m.account_id
         JOIN api_key k ON k.id = s.api_key_id
         WHERE a.id = $1 AND (m.state <> 'enabled' OR NOT a.enabled OR k.revoked_at IS NOT NULL OR NOT EXISTS (
             SELECT 1 FROM extension e
             WHERE e.membership_id = s.membership_id AND e.api_key_id = s.api_key_id AND e.enabled))",
    )
    .bind(account)
    .fetch_all(app.store.pool())
    .await?;
    for row in rows {
        let reason = if !row.try_get("enabled")? {
            "This account was disabled. Your provider can enable it again."
        } else if row.try_get::<String, _>("state")? != "enabled" {
            "This login was disabled. Whoever manages your TMS can enable it again."
        } else if !row.try_get("key_good")? {
            "The API key was revoked. Ask whoever manages your TMS for a new one."
        } else {
            "The API key is no longer enabled on any extension of yours."
        };
        end(app, &[row.try_get("id")?], reason).await?;
    }
    withdraw(app, account, realm).await?;
    app.notices.publish(Notice::Registrations { realm: realm.to_owned() });
    Ok(())
}

/// Credentials for registrations that are switched off or belong to someone else now.
async fn withdraw(app: &App, account: i64, realm: &str) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(
        "DELETE FROM sip_credential WHERE id IN (
             SELECT c.id FROM sip_credential c
             JOIN session s ON s.id = c.session_id
             JOIN registration r ON r.id = c.registration_id
             JOIN extension e ON e.id = r.extension_id
             WHERE e.account_id = $1 AND (NOT r.enabled OR NOT e.enabled
                 OR e.membership_id IS DISTINCT FROM s.membership_id OR e.api_key_id IS DISTINCT FROM s.api_key_id))
         RETURNING session_id, (SELECT name FROM registration WHERE id = registration_id) AS name",
    )
    .bind(account)
    .fetch_all(app.store.pool())
    .await?;
    for row in rows {
        let (session, name): (i64, String) = (row.try_get("session_id")?, row.try_get("name")?);
        if app.contacts.held(realm, vec![name.clone()]).await.iter().any(|c| c.session == Some(session)) {
            app.contacts.remove(realm, &name).await;
        }
    }
    Ok(())
}

/// Removes what time has ended: sessions, one-time codes, remembered answers, the API keys' log.
pub async fn purge(app: &App) -> Result<(), sqlx::Error> {
    let now = app.clock.now_ms();
    let expired = sqlx::query("SELECT id FROM session WHERE expires_at <= $1").bind(now).fetch_all(app.store.pool());
    let expired: Vec<i64> = expired.await?.iter().map(|row| row.try_get("id")).collect::<Result<_, _>>()?;
    end(app, &expired, "Your session has expired. Sign in again.").await?;
    const LOG_KEPT_MS: i64 = 90 * 24 * 3600 * 1000;
    const LOG_ENTRIES: i64 = 1_000_000;
    for (statement, bound) in [
        ("DELETE FROM manage_session WHERE expires_at <= $1", now),
        ("DELETE FROM link WHERE expires_at <= $1", now),
        ("DELETE FROM idempotency WHERE created_at <= $1", now - idempotency::KEPT_MS),
        ("DELETE FROM api_key_use WHERE at <= $1", now - LOG_KEPT_MS),
        // An integration that asks every second writes millions of entries.
        ("DELETE FROM api_key_use WHERE id <= (SELECT max(id) FROM api_key_use) - $1", LOG_ENTRIES),
    ] {
        sqlx::query(statement).bind(bound).execute(app.store.pool()).await?;
    }
    Ok(())
}
