//! `POST /v1/sessions` and `GET /v1/me`: a softphone signs in, or is told which of the reasons keeps it out.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use super::{
    caller::Agent,
    end::end,
    queries::{self, Login},
};
use crate::{
    server::{
        api_keys::{self, KeyRow},
        clock,
        http::{
            App,
            idempotency::Once,
            input::{Input, Peer},
            problem::{Answer, ApiError, kind},
        },
        secrets,
    },
    tms::wire::{Account, Me, Problem, Session, SignIn, problem},
};

/// A softphone signs in once and goes on by itself; its session ends by sign-out or by those who manage.
const LIFETIME_MS: i64 = 30 * 24 * 3600 * 1000;

/// Sessions of one installation at a time: one, and its successor while it renews; crashes leave some behind.
const PER_INSTALLATION: i64 = 5;
/// Sessions of one login at a time, on all its devices.
const PER_LOGIN: i64 = 50;

/// Sign in as a softphone
///
/// The extensions are those of the login on which the API key is enabled.
#[utoipa::path(post, path = "/v1/sessions", tag = "softphone",
    params(("X-API-Key" = String, Header, description = "API key"), ("Idempotency-Key" = Option<String>, Header)),
    request_body = SignIn,
    responses((status = 201, body = Session), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 429, body = Problem)))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    Input(wanted): Input<SignIn>,
) -> Answer<Once<Session>> {
    let instance_id = instance_id(&wanted.instance_id)?;
    let login = authenticate(&app, peer, &wanted.username, &wanted.password).await?;
    let key = headers.get("x-api-key").and_then(|v| v.to_str().ok()).unwrap_or_default().trim();
    let key = match api_keys::find(&app.store, key).await? {
        Some(row) => row,
        None => return Err(unknown_key(key)),
    };
    api_keys::log_use(&app, key.id, peer, "sign-in").await?;
    open(&app, peer, &login, &key, instance_id).await
}

/// Checks user name and password; the two are never told apart, and unknown users take the same time.
pub async fn authenticate(app: &App, peer: Peer, username: &str, password: &str) -> Answer<Login> {
    let username = username.trim().to_lowercase();
    let attempt = app.throttle.attempt(peer.ip(), &username, app.clock.now()).map_err(too_many)?;
    let login = queries::login(&app.store, &username).await?;
    let right = app.passwords.verify(password, login.as_ref().map(|l| l.password_hash.as_str())).await?;
    let Some(login) = login.filter(|_| right) else {
        app.throttle.failed(&attempt);
        return Err(ApiError::refused(
            StatusCode::UNAUTHORIZED,
            problem::WRONG_CREDENTIALS,
            "Wrong user name or password",
            "The user name or password is wrong. Check both and try again; whoever manages your TMS can set a new password.",
        ));
    };
    app.throttle.forgive(&attempt);
    Ok(login)
}

/// Opens a session for a login that has proved itself, by an API key that has.
pub async fn open(app: &App, peer: Peer, login: &Login, key: &KeyRow, instance_id: String) -> Answer<Once<Session>> {
    let forbidden = |kind, title, detail: String| ApiError::refused(StatusCode::FORBIDDEN, kind, title, detail);
    let not_enabled = || {
        forbidden(
            problem::API_KEY_NOT_ENABLED,
            "API key not enabled",
            "This API key is not enabled on any extension of yours. In the TMS, open Extension Manager, choose the extension, \
             choose the API key and press Update."
                .into(),
        )
    };
    let membership = queries::membership(&app.store, login.id, key.account_id).await?.ok_or_else(not_enabled)?;
    if !membership.account_enabled {
        let detail = format!("The account {} is disabled. Your provider can enable it again.", membership.account_name);
        return Err(forbidden(problem::ACCOUNT_DISABLED, "Account disabled", detail));
    }
    match membership.state.as_str() {
        "enabled" => {}
        "pending" => {
            return Err(forbidden(
                problem::LOGIN_NOT_ACTIVATED,
                "Login not activated",
                "This login is not activated yet. Sign in to the TMS in a browser, select the account and tick Account enabled."
                    .into(),
            ));
        }
        _ => {
            let detail = "This login is disabled. Whoever manages your TMS can enable it again.".into();
            return Err(forbidden(problem::LOGIN_DISABLED, "Login disabled", detail));
        }
    }
    let extensions = queries::extensions(&app.store, membership.id, key.id).await?;
    if extensions.is_empty() {
        return Err(not_enabled());
    }
    let token = secrets::session_token();
    let now = app.clock.now_ms();
    sqlx::query(
        "INSERT INTO session (token_hash, membership_id, api_key_id, instance_id, address, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(secrets::hash(&token))
    .bind(membership.id)
    .bind(key.id)
    .bind(instance_id)
    .bind(peer.ip().to_string())
    .bind(now)
    .bind(now + LIFETIME_MS)
    .execute(app.store.pool())
    .await?;
    let surplus = queries::surplus(&app.store, membership.id, PER_INSTALLATION, PER_LOGIN).await?;
    end(app, &surplus, "You have signed in many times since. Sign in again.").await?;
    let account: Account = key.account.clone();
    let me = Me { user: crate::tms::wire::User { name: login.name.clone() }, account, extensions };
    let body = Session { token, expires_at: clock::from_ms(now + LIFETIME_MS), me };
    Ok(Once { body, secrets: &["token"] })
}

/// Who is signed in
#[utoipa::path(get, path = "/v1/me", tag = "softphone", security(("bearer" = [])),
    responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub async fn me(State(app): State<Arc<App>>, agent: Agent) -> Answer<Json<Me>> {
    Ok(Json(agent.me(&app).await?))
}

/// Reserved for agent work
///
/// This TMS has none, so the softphone shows no agent state.
#[utoipa::path(method(get, put), path = "/v1/me/agent-state", tag = "softphone", security(("bearer" = [])),
    responses((status = 404, body = Problem)))]
pub async fn agent_state(_agent: Agent) -> ApiError {
    ApiError::refused(StatusCode::NOT_FOUND, kind::NOT_FOUND, "No agent states", "This TMS keeps no agent states.")
}

/// `+sip.instance` of an installation: a URN (RFC 5626 §4.1).
pub fn instance_id(given: &str) -> Answer<String> {
    let good = given.len() <= 100
        && given.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("urn:"))
        && given.chars().all(|c| c.is_ascii_graphic() && !"<>\"\\".contains(c));
    if good {
        Ok(given.to_owned())
    } else {
        Err(ApiError::invalid("instance_id must be the installation's URN, such as urn:uuid:00000000-0000-4000-8000-…"))
    }
}

fn unknown_key(given: &str) -> ApiError {
    let detail = if given.is_empty() {
        "No API key was given. Copy it from whoever manages your TMS; it is made in TMS, API Manager."
    } else if secrets::ApiKey::is_whole(given) {
        "This API key is unknown or was revoked. Ask whoever manages your TMS for a new one, made in TMS, API Manager."
    } else {
        "This API key is incomplete or mistyped. Copy the whole key, from tms_ to its last letter."
    };
    ApiError::refused(StatusCode::FORBIDDEN, problem::API_KEY_UNKNOWN, "API key unknown", detail)
}

pub fn too_many(seconds: u64) -> ApiError {
    let wait = match seconds {
        0..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    };
    ApiError::refused(
        StatusCode::TOO_MANY_REQUESTS,
        problem::TOO_MANY_ATTEMPTS,
        "Too many attempts",
        format!("Too many attempts to sign in failed. Try again in {wait}."),
    )
    .retry_after(seconds)
}
