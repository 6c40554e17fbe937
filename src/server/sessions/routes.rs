//! Routes to sign in and out, as a softphone and to manage.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    caller::{Agent, Manager},
    end, events,
    manage::{self, ManageSession, ManageSignIn},
    own::{self, NewPassword, OwnMembership, OwnSession},
    sign_in,
};
use crate::{
    server::http::{
        App,
        idempotency::Once,
        input::{Input, Peer, Segments},
        problem::{Answer, ApiError, kind},
    },
    tms::wire::{Me, Problem, Session, SignIn},
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sign_in))
        .routes(routes!(sign_out))
        .routes(routes!(me))
        .routes(routes!(agent_state))
        .routes(routes!(events::events))
        .routes(routes!(sign_in_to_manage, sign_out_of_managing))
        .routes(routes!(memberships))
        .routes(routes!(enable))
        .routes(routes!(sessions))
        .routes(routes!(end_session))
        .routes(routes!(change_password))
}

/// Sign in as a softphone
///
/// The extensions are those of the login on which the API key is enabled.
#[utoipa::path(post, path = "/v1/sessions", tag = "softphone",
    params(("X-API-Key" = String, Header, description = "API key"), ("Idempotency-Key" = Option<String>, Header)),
    request_body = SignIn,
    responses((status = 201, body = Session), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
async fn sign_in(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    Input(wanted): Input<SignIn>,
) -> Answer<Once<Session>> {
    let body = sign_in::sign_in(&app, peer, text(&headers, "x-api-key"), &wanted).await?;
    Ok(Once { body, secrets: &["token"] })
}

/// Sign out
///
/// The session's SIP credentials stop working and its contact is removed.
#[utoipa::path(delete, path = "/v1/sessions/current", tag = "softphone", security(("bearer" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
async fn sign_out(State(app): State<Arc<App>>, agent: Agent) -> Answer<StatusCode> {
    end::sign_out(&app, &agent).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who is signed in
#[utoipa::path(get, path = "/v1/me", tag = "softphone", security(("bearer" = [])),
    responses((status = 200, body = Me), (status = 401, body = Problem)))]
async fn me(State(app): State<Arc<App>>, agent: Agent) -> Answer<Json<Me>> {
    Ok(Json(agent.me(&app).await?))
}

/// Reserved for agent work
///
/// This TMS has none, so the softphone shows no agent state.
#[utoipa::path(method(get, put), path = "/v1/me/agent-state", tag = "softphone", security(("bearer" = [])),
    responses((status = 401, body = Problem), (status = 404, body = Problem)))]
async fn agent_state(_agent: Agent) -> ApiError {
    ApiError::refused(StatusCode::NOT_FOUND, kind::NOT_FOUND, "No agent states", "This TMS keeps no agent states.")
}

/// Sign in to manage
///
/// For operators and members of accounts, and for a new login to enable its account.
#[utoipa::path(post, path = "/v1/manage/session", tag = "manage", request_body = ManageSignIn,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManageSession), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
async fn sign_in_to_manage(
    State(app): State<Arc<App>>,
    peer: Peer,
    headers: HeaderMap,
    Input(wanted): Input<ManageSignIn>,
) -> Answer<Once<ManageSession>> {
    let body = manage::sign_in(&app, peer, text(&headers, "user-agent"), &wanted).await?;
    Ok(Once { body, secrets: &["token"] })
}

/// Sign out of managing
#[utoipa::path(delete, path = "/v1/manage/session", tag = "manage", security(("bearer" = [])),
    responses((status = 204), (status = 401, body = Problem)))]
async fn sign_out_of_managing(State(app): State<Arc<App>>, manager: Manager) -> Answer<StatusCode> {
    manage::sign_out(&app, &manager).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The accounts of the login that is signed in
#[utoipa::path(get, path = "/v1/manage/memberships", tag = "manage", security(("bearer" = [])),
    responses((status = 200, body = [OwnMembership]), (status = 401, body = Problem)))]
async fn memberships(State(app): State<Arc<App>>, manager: Manager) -> Answer<Json<Vec<OwnMembership>>> {
    Ok(Json(own::memberships(&app, &manager).await?))
}

/// Tick "Account enabled"
///
/// The activation: a new login does it once, for itself, and Agent Manager can use it then.
#[utoipa::path(post, path = "/v1/manage/memberships/{tenant}/enable", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn enable(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
) -> Answer<StatusCode> {
    own::enable(&app, &manager, peer, &tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Your sessions, newest first
#[utoipa::path(get, path = "/v1/manage/sessions", tag = "manage", security(("bearer" = [])),
    responses((status = 200, body = [OwnSession]), (status = 401, body = Problem)))]
async fn sessions(State(app): State<Arc<App>>, manager: Manager) -> Answer<Json<Vec<OwnSession>>> {
    Ok(Json(own::sessions(&app, &manager).await?))
}

/// End one of your sessions
#[utoipa::path(delete, path = "/v1/manage/sessions/{id}", tag = "manage", security(("bearer" = [])),
    params(("id" = String, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 404, body = Problem)))]
async fn end_session(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(id): Segments<String>,
) -> Answer<StatusCode> {
    own::end_session(&app, &manager, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change your password
///
/// Every session of yours ends, this one too; the answer is a new one.
#[utoipa::path(post, path = "/v1/manage/password", tag = "manage", security(("bearer" = [])), request_body = NewPassword,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManageSession), (status = 401, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem)))]
async fn change_password(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Input(wanted): Input<NewPassword>,
) -> Answer<Once<ManageSession>> {
    let body = own::change_password(&app, &manager, peer, &wanted).await?;
    Ok(Once { body, secrets: &["token"] })
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().trim()
}
