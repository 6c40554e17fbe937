//! Routes to add, list and alter the registrations of an extension.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::manage::{self, ManagedRegistration, NewRegistration, RegistrationChange, SipPassword};
use crate::{
    server::{
        http::{
            App,
            idempotency::Once,
            input::{Input, Peer, Segments},
            problem::Answer,
        },
        sessions::Manager,
    },
    tms::wire::Problem,
};

/// The registrations of an extension, and who holds each now
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions/{number}/registrations", tag = "manage",
    security(("bearer" = [])), params(("tenant" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = [ManagedRegistration]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Json<Vec<ManagedRegistration>>> {
    Ok(Json(manage::list(&app, &manager, &tenant, &number).await?))
}

/// Add Registration
///
/// An additional one (S): none on Express, at most two elsewhere.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions/{number}/registrations", tag = "manage",
    security(("bearer" = [])), request_body = NewRegistration,
    params(("tenant" = String, Path), ("number" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ManagedRegistration), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Input(wanted): Input<NewRegistration>,
) -> Answer<(StatusCode, Json<ManagedRegistration>)> {
    Ok((StatusCode::CREATED, Json(manage::create(&app, &manager, peer, &tenant, &number, wanted).await?)))
}

/// Alter a registration: label, ring inbound, enabled
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/extensions/{number}/registrations/{name}", tag = "manage",
    security(("bearer" = [])), request_body = RegistrationChange,
    params(("tenant" = String, Path), ("number" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = ManagedRegistration), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn update(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
    Input(change): Input<RegistrationChange>,
) -> Answer<Json<ManagedRegistration>> {
    Ok(Json(manage::update(&app, &manager, peer, (&tenant, &number, &name), change).await?))
}

/// Remove an additional registration
#[utoipa::path(delete, path = "/v1/accounts/{tenant}/extensions/{number}/registrations/{name}", tag = "manage",
    security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path), ("name" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
) -> Answer<StatusCode> {
    manage::remove(&app, &manager, peer, (&tenant, &number, &name)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A new lasting SIP password, for a device set up by hand
///
/// Shown in this answer and never again; the former one stops working and its device is removed.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions/{number}/registrations/{name}/sip-password",
    tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path), ("name" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = SipPassword), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn sip_password(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number, name)): Segments<(String, String, String)>,
) -> Answer<Once<SipPassword>> {
    let body = manage::sip_password(&app, &manager, peer, (&tenant, &number, &name)).await?;
    Ok(Once { body, secrets: &["password"] })
}
