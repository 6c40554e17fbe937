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
        percent::escape,
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
    let lacking = || {
        ApiError::conflict(
            kind::CONFLICT,
            "The extension needs an owner and an API key before a link can be made for it.",
        )
    };
    let owner = extension.membership.filter(|_| extension.api_key.is_some()).ok_or_else(lacking)?;
    let now = app.clock.now_ms();
    let mut tx = app.store.begin().await?;
    let url = issue(&mut tx, &app, (extension.id, owner), None).await?.ok_or_else(lacking)?;
    audit::record_in(&mut tx, &app, Some(access.account.id), &manager.username, peer, "make link", &number).await?;
    tx.commit().await?;
    Ok(Once { body: Link { url, expires_at: clock::from_ms(now + LIFETIME_MS) }, secrets: &["url"] })
}

/// A link for this membership, which owns the extension; with a registration, Agent Manager takes that one at once. `None`: it
/// owns it no more.
pub async fn issue(
    tx: &mut Tx,
    app: &App,
    (extension, owner): (i64, i64),
    registration: Option<&str>,
) -> Result<Option<String>, sqlx::Error> {
    let code = secrets::password();
    let now = app.clock.now_ms();
    let issued = query(
        "INSERT INTO link (code_hash, extension_id, membership_id, created_at, expires_at)
         SELECT $1, id, membership_id, $4, $5 FROM extension WHERE id = $2 AND membership_id = $3",
    )
    .bind(secrets::hash(&code))
    .bind(extension)
    .bind(owner)
    .bind(now)
    .bind(now + LIFETIME_MS)
    .execute(tx)
    .await?;
    let registration = registration.map(|name| format!("&registration={}", escape(name))).unwrap_or_default();
    let url = format!("agent-manager://link?tms={}&code={code}{registration}", escape(&app.reach.url));
    Ok((issued == 1).then_some(url))
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
    // A refusal (not activated yet, say) rolls this back: the link is still good once that is done.
    let mut tx = app.store.begin().await?;
    let row = query(
        "UPDATE link SET used_at = $1
         WHERE code_hash = $2 AND used_at IS NULL AND expires_at > $1
             AND membership_id = (SELECT e.membership_id FROM extension e WHERE e.id = link.extension_id)
         RETURNING extension_id, membership_id",
    )
    .bind(app.clock.now_ms())
    .bind(secrets::hash(wanted.code.trim()))
    .fetch_optional(&mut tx)
    .await?;
    let Some(row) = row else {
        app.throttle.failure(peer.ip(), "link", app.clock.now()).map_err(sessions::too_many)?;
        return Err(used());
    };
    let login = sessions::login_of(&mut tx, row.try_get("membership_id")?).await?;
    let key = api_keys::of_extension(&mut tx, row.try_get("extension_id")?).await?.ok_or_else(used)?;
    app.notebook.used(key.id, peer, "link");
    let body = sessions::open(&app, tx, peer, &login, &key, instance_id).await?;
    Ok(Once { body, secrets: &["token"] })
}
