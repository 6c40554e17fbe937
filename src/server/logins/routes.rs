//! Routes to create, list and alter the logins of an account.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, LoginChange, ManagedLogin, NewLoginBody, NewMember};
use crate::{
    server::{
        http::{
            App,
            input::{Asked, Input, Peer, Segments},
            page::{Listed, Page},
            problem::Answer,
        },
        second_factor::{self, PasswordGiven},
        sessions::Manager,
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(update, remove))
        .routes(routes!(add_member))
        .routes(routes!(allow_second_factor))
        .routes(routes!(remove_second_factor))
}

/// The logins of an account
#[utoipa::path(get, path = "/v1/accounts/{tenant}/logins", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), Page),
    responses((status = 200, body = [ManagedLogin]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<ManagedLogin>> {
    manage::list(&app, &manager, &tenant, &page).await
}

/// Add a login to an account
///
/// It is pending until its owner enables the account at the first sign-in.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/logins", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewLoginBody,
    responses((status = 201, body = ManagedLogin), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn create(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewLoginBody>,
) -> Answer<(StatusCode, Json<ManagedLogin>)> {
    Ok((StatusCode::CREATED, Json(manage::create(&app, &manager, peer, &tenant, wanted).await?)))
}

/// Add a login of another account to this one, too
///
/// It is pending until its owner enables it here. Operators add any; others those of the accounts that they administer.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/members", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("Idempotency-Key" = Option<String>, Header)), request_body = NewMember,
    responses((status = 201, body = ManagedLogin), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn add_member(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments(tenant): Segments<String>,
    Input(wanted): Input<NewMember>,
) -> Answer<(StatusCode, Json<ManagedLogin>)> {
    Ok((StatusCode::CREATED, Json(manage::add_member(&app, &manager, peer, &tenant, wanted).await?)))
}

/// Alter a login
#[utoipa::path(patch, path = "/v1/accounts/{tenant}/logins/{username}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("username" = String, Path)), request_body = LoginChange,
    responses((status = 200, body = ManagedLogin), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn update(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Input(change): Input<LoginChange>,
) -> Answer<Json<ManagedLogin>> {
    Ok(Json(manage::update(&app, &manager, peer, &tenant, &username, change).await?))
}

/// Take a login off the account
///
/// Its sessions there end, and its extensions have no owner. One that is on no other account is removed altogether.
#[utoipa::path(delete, path = "/v1/accounts/{tenant}/logins/{username}", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("username" = String, Path)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn remove(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<StatusCode> {
    manage::remove(&app, &manager, peer, &tenant, &username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a login turn its second factor on
///
/// Within a week, where the TMS demands one of whoever manages others.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/logins/{username}/second-factor/allow", tag = "manage",
    security(("bearer" = [])), params(("tenant" = String, Path), ("username" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
async fn allow_second_factor(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<StatusCode> {
    second_factor::allow(&app, &manager, peer, &tenant, &username).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove a login's second factor
///
/// For who has lost the authenticator and the recovery codes; the password alone signs in then.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/logins/{username}/second-factor/off", tag = "manage",
    security(("bearer" = [])), params(("tenant" = String, Path), ("username" = String, Path),
        ("Idempotency-Key" = Option<String>, Header)), request_body = PasswordGiven,
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem)))]
async fn remove_second_factor(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
    Input(given): Input<PasswordGiven>,
) -> Answer<StatusCode> {
    second_factor::remove(&app, &manager, peer, (&tenant, &username), &given.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
