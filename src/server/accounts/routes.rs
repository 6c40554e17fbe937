//! Routes to create, list and alter accounts.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, AccountChange, ManagedAccount, NewAccount};
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
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(read, update))
}

/// The accounts that you may manage: an operator every one
#[utoipa::path(get, path = "/v1/accounts", tag = "manage", security(("bearer" = [])), params(Page),
    responses((status = 200, body = [ManagedAccount]), (status = 401, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Asked(page): Asked<Page>,
) -> Answer<Listed<ManagedAccount>> {
    manage::list(&app, &manager, &page).await
}

/// Add an account
#[utoipa::path(post, path = "/v1/accounts", tag = "manage", security(("bearer" = [])), request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManagedAccount), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Input(wanted): Input<NewAccount>,
) -> Answer<(StatusCode, Json<ManagedAccount>)> {
    Ok((StatusCode::CREATED, Json(manage::create(&app, &manager, peer, wanted).await?)))
}

/// One account
#[utoipa::path(get, path = "/v1/accounts/{tenant}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = ManagedAccount), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
async fn read(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<ManagedAccount>> {
    Ok(Json(manage::read(&app, &manager, &tenant).await?))
}

/// Alter an account
///
/// Lowering the edition to Express is refused while an extension has an additional registration. Only an operator may
/// change edition and state.
#[utoipa::path(patch, path = "/v1/accounts/{tenant}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)), request_body = AccountChange,
    responses((status = 200, body = ManagedAccount), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn update(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(change): Input<AccountChange>,
) -> Answer<Json<ManagedAccount>> {
    Ok(Json(manage::update(&app, &manager, peer, &tenant, change).await?))
}
