//! Routes to create, list, alter and remove extensions.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, ExtensionChange, ManagedExtension, NewExtension};
use crate::{
    server::{
        http::{
            App,
            input::{Asked, Input, Peer, Segments},
            page::{Listed, Page},
            problem::Answer,
        },
        sessions::Manager,
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, change, remove))
}

/// The extensions of an account; an agent's own ones
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), Page),
    responses((status = 200, body = [ManagedExtension]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<ManagedExtension>> {
    manage::list(&app, &manager, &tenant, &page).await
}

/// Add an extension
///
/// Its primary registration, `<number>-<tenant>`, comes with it.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewExtension,
    responses((status = 201, body = ManagedExtension), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewExtension>,
) -> Answer<(StatusCode, Json<ManagedExtension>)> {
    Ok((StatusCode::CREATED, Json(manage::create(&app, &manager, peer, &tenant, wanted).await?)))
}

/// One extension
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions/{number}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = ManagedExtension), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
async fn read(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Json<ManagedExtension>> {
    Ok(Json(manage::read(&app, &manager, &tenant, &number).await?))
}

/// Alter an extension: its name, its owner, the API key enabled on it
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/extensions/{number}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path)), request_body = ExtensionChange,
    responses((status = 200, body = ManagedExtension), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn change(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Input(change): Input<ExtensionChange>,
) -> Answer<Json<ManagedExtension>> {
    Ok(Json(manage::update(&app, &manager, peer, &tenant, &number, change).await?))
}

/// Remove an extension
///
/// Its registrations, their SIP passwords and links go with it, and whoever holds them is signed out. Its owner's login stays.
#[utoipa::path(delete, path = "/v1/accounts/{tenant}/extensions/{number}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
async fn remove(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<StatusCode> {
    manage::remove(&app, &manager, peer, &tenant, &number).await?;
    Ok(StatusCode::NO_CONTENT)
}
