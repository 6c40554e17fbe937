//! Routes to set an agent up and to send a link for a new password.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Invitation, NewAgent};
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

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(set_up)).routes(routes!(invite))
}

/// Set an agent up on an extension
///
/// Login, owner, API key and a registration of its own for Agent Manager (the primary on Express), all of it or nothing. The
/// agent opens the one-time link, sets a password, which activates the login, and Agent Manager opens signed in.
#[utoipa::path(post, path = "/v1/accounts/{tenant}/extensions/{number}/set-up", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), ("number" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    request_body = NewAgent,
    responses((status = 201, body = Invitation), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
async fn set_up(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, number)): Segments<(String, String)>,
    Input(wanted): Input<NewAgent>,
) -> Answer<Once<Invitation>> {
    let body = super::begin(&app, &manager, peer, (&tenant, &number), wanted).await?;
    Ok(Once { body, secrets: &["url"] })
}

/// Make a one-time link with which somebody sets a new password
#[utoipa::path(post, path = "/v1/accounts/{tenant}/logins/{username}/invitations", tag = "manage",
    security(("bearer" = [])),
    params(("tenant" = String, Path), ("username" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Invitation), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
async fn invite(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Segments((tenant, username)): Segments<(String, String)>,
) -> Answer<Once<Invitation>> {
    let body = super::invite(&app, &manager, peer, &tenant, &username).await?;
    Ok(Once { body, secrets: &["url"] })
}
