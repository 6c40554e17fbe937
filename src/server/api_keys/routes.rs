//! Routes to create, list and revoke API keys, and to see what they were used for.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, KeyChange, KeyUse, MadeKey, ManagedKey, NewKey, Rotation};
use crate::{
    server::{
        http::{
            App,
            idempotency::Once,
            input::{Asked, Input, Peer, Segments},
            page::{Listed, Page},
            problem::Answer,
        },
        sessions::Manager,
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke, alter))
        .routes(routes!(rotate))
        .routes(routes!(uses))
}

/// The API keys of an account
#[utoipa::path(get, path = "/v1/accounts/{tenant}/api-keys", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), Page),
    responses((status = 200, body = [ManagedKey]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<ManagedKey>> {
    manage::list(&app, &manager, &tenant, &page).await
}

/// Add an API key
///
/// The key is shown in this answer and never again.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/api-keys", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewKey,
    responses((status = 201, body = MadeKey), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewKey>,
) -> Answer<Once<MadeKey>> {
    let body = manage::create(&app, &manager, peer, &tenant, wanted).await?;
    Ok(Once { body, secrets: &["key"] })
}

/// Revoke an API key
///
/// It works no more at once; sessions that were opened with it end.
#[utoipa::path(delete, path = "/v1/accounts/{tenant}/api-keys/{id}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("id" = i64, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn revoke(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
) -> Answer<StatusCode> {
    manage::revoke(&app, &manager, peer, &tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an API key another end, or none
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/api-keys/{id}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("id" = i64, Path)), request_body = KeyChange,
    responses((status = 200, body = ManagedKey), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn alter(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
    Input(change): Input<KeyChange>,
) -> Answer<Json<ManagedKey>> {
    manage::alter(&app, &manager, peer, (&tenant, id), change).await.map(Json)
}

/// Rotate an API key: give it a new secret
///
/// The secret is shown in this answer and never again. The old one may go on working for a while, so that everybody who uses
/// it can be given the new one; extensions and sessions stay.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/api-keys/{id}/rotate", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("id" = i64, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = Rotation,
    responses((status = 201, body = MadeKey), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn rotate(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, id)): Segments<(String, i64)>,
    Input(wanted): Input<Rotation>,
) -> Answer<Once<MadeKey>> {
    let body = manage::rotate(&app, &manager, peer, (&tenant, id), wanted).await?;
    Ok(Once { body, secrets: &["key"] })
}

/// What an API key was used for, newest first
#[utoipa::path(get, path = "/v1/accounts/{tenant}/api-keys/{id}/uses", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("id" = i64, Path), Page),
    responses((status = 200, body = [KeyUse]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn uses(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, id)): Segments<(String, i64)>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<KeyUse>> {
    manage::uses(&app, &manager, &tenant, id, &page).await
}
