//! One-time codes: an `agent-manager://` link opens Agent Manager signed in, in place of password and API key.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    api_keys, audit, clock,
    http::{
        App,
        idempotency::Once,
        input::{Input, Peer, Segments},
        problem::{Answer, ApiError, kind},
    },
    secrets,
    sessions::{self, Manager, Right},
    store::{Tx, query},
};
use crate::tms::wire::{Problem, Session};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(create)).routes(routes!(exchange))
}

const LIFETIME_MS: i64 = 30 * 60 * 1000;

#[derive(Serialize, ToSchema)]
struct Link {
    /// Opens Agent Manager; carries the code. Shown this once.
    #[schema(required = false)]
    url: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

#[derive(Deserialize, ToSchema)]
struct Exchange {
    code: String,
    instance_id: String,
}

/// Make a one-time link for an extension's owner
///
/// Good once and for 30 minutes. The extension must have an owner and an API key enabled on it.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions/{number}/links", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Link), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Once<Link>> {
    let (access, extension) = manager.extension(&app, &tenant, &number, Right::ManageExtensions).await?;
    if extension.login.is_none() || extension.api_key.is_none() {
        return Err(ApiError::conflict(
            kind::CONFLICT,
            "The extension needs an owner and an API key before a link can be made for it.",
        ));
    }
    let now = app.clock.now_ms();
    let mut tx = app.store.begin().await?;
    let url = issue(&mut tx, &app, extension.id, None).await?;
    audit::record_in(&mut tx, &app, Some(access.account.id), &manager.username, peer, "make link", &number).await?;
    tx.commit().await?;
    Ok(Once { body: Link { url, expires_at: clock::from_ms(now + LIFETIME_MS) }, secrets: &["url"] })
}

/// A link for the owner of this extension; with a registration, Agent Manager takes that one at once.
pub async fn issue(tx: &mut Tx, app: &App, extension: i64, registration: Option<&str>) -> Result<String, sqlx::Error> {
    let code = secrets::password();
    let now = app.clock.now_ms();
    query("INSERT INTO link (code_hash, extension_id, created_at, expires_at) VALUES ($1, $2, $3, $4)")
        .bind(secrets::hash(&code))
        .bind(extension)
        .bind(now)
        .bind(now + LIFETIME_MS)
        .execute(tx)
        .await?;
    let registration = registration.map(|name| format!("&registration={}", escape(name))).unwrap_or_default();
    Ok(format!("agent-manager://link?tms={}&code={code}{registration}", escape(&app.reach.url)))
}

/// Exchange a link's code for a session
#[utoipa::path(post, path = "/v1/link", tag = "softphone", request_body = Exchange,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Session), (status = 403, body = Problem), (status = 429, body = Problem)))]
async fn exchange(State(app): State<Arc<App>>, peer: Peer, Input(wanted): Input<Exchange>) -> Answer<Once<Session>> {
    let instance_id = sessions::instance_id(&wanted.instance_id)?;
    let used = || {
        ApiError::forbidden(
            "This link is unknown, was used already or is older than 30 minutes. Ask whoever sent it for a new one.",
        )
    };
    let code_hash = secrets::hash(wanted.code.trim());
    let row = query(
        "UPDATE link SET used_at = $1 WHERE code_hash = $2 AND used_at IS NULL AND expires_at > $1
         RETURNING extension_id, (SELECT l.username FROM extension e
             JOIN membership m ON m.id = e.membership_id JOIN login l ON l.id = m.login_id
             WHERE e.id = extension_id) AS username",
    )
    .bind(app.clock.now_ms())
    .bind(&code_hash)
    .fetch_optional(&app.store)
    .await?;
    let Some(row) = row else {
        app.throttle.failure(peer.ip(), "link", app.clock.now()).map_err(sessions::too_many)?;
        return Err(used());
    };
    let username: Option<String> = row.try_get("username")?;
    let login = sessions::login(&app.store, &username.ok_or_else(used)?).await?.ok_or_else(used)?;
    let key = api_keys::of_extension(&app.store, row.try_get("extension_id")?).await?.ok_or_else(used)?;
    api_keys::log_use(&app, key.id, peer, "link").await?;
    let session = sessions::open(&app, peer, &login, &key, instance_id).await;
    if session.is_err() {
        // Not activated yet, say: the link is still good once that is done.
        let unused = query("UPDATE link SET used_at = NULL WHERE code_hash = $1").bind(&code_hash);
        unused.execute(&app.store).await?;
    }
    Ok(Once { body: session?, secrets: &["token"] })
}

/// Percent-encoding for a query's value (RFC 3986 §2.1).
fn escape(value: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    value.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
