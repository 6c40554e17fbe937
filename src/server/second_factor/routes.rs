//! Routes to turn one's own second factor on and off, and to renew the recovery codes.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Enrolment, Standing};
use crate::{
    server::{
        http::{
            App,
            idempotency::Once,
            input::{Input, Peer},
            problem::Answer,
        },
        sessions::Manager,
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(standing, enrol))
        .routes(routes!(confirm))
        .routes(routes!(renew_codes))
        .routes(routes!(turn_off))
}

#[derive(Serialize, ToSchema)]
struct SecondFactor {
    on: bool,
    recovery_codes_left: i64,
}

#[derive(Deserialize, ToSchema)]
struct CodeGiven {
    /// What the authenticator shows now.
    code: String,
}

/// Proof that it is not a session left open.
#[derive(Deserialize, ToSchema)]
pub struct PasswordGiven {
    /// The caller's own password once more.
    pub password: String,
}

#[derive(Serialize, ToSchema)]
struct RecoveryCodes {
    /// Each good once in place of a code. Shown this once.
    #[schema(required = false)]
    recovery_codes: Vec<String>,
}

/// Whether one's own second factor is on
#[utoipa::path(get, path = "/v1/manage/second-factor", tag = "manage", security(("bearer" = [])),
    responses((status = 200, body = SecondFactor), (status = 401, body = Problem)))]
async fn standing(State(app): State<Arc<App>>, manager: Manager) -> Answer<Json<SecondFactor>> {
    Ok(Json(match super::standing(&app, manager.login).await? {
        Standing::Off => SecondFactor { on: false, recovery_codes_left: 0 },
        Standing::On { recovery_codes_left } => SecondFactor { on: true, recovery_codes_left },
    }))
}

/// Begin to turn the second factor on
///
/// The secret counts once a code of it was confirmed.
#[utoipa::path(post, path = "/v1/manage/second-factor", tag = "manage", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = Enrolment), (status = 401, body = Problem), (status = 409, body = Problem)))]
async fn enrol(State(app): State<Arc<App>>, manager: Manager) -> Answer<Once<Enrolment>> {
    Ok(Once { body: super::enrol(&app, &manager).await?, secrets: &["secret", "url"] })
}

/// Turn the second factor on, with the first code of the authenticator
#[utoipa::path(post, path = "/v1/manage/second-factor/confirm", tag = "manage", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = CodeGiven,
    responses((status = 201, body = RecoveryCodes), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
async fn confirm(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Input(given): Input<CodeGiven>,
) -> Answer<Once<RecoveryCodes>> {
    let recovery_codes = super::confirm(&app, &manager, peer, &given.code).await?;
    Ok(Once { body: RecoveryCodes { recovery_codes }, secrets: &["recovery_codes"] })
}

/// New recovery codes in place of those that are left
#[utoipa::path(post, path = "/v1/manage/second-factor/recovery-codes", tag = "manage", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = PasswordGiven,
    responses((status = 201, body = RecoveryCodes), (status = 401, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem), (status = 429, body = Problem)))]
async fn renew_codes(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Input(given): Input<PasswordGiven>,
) -> Answer<Once<RecoveryCodes>> {
    let recovery_codes = super::renew_codes(&app, &manager, peer, &given.password).await?;
    Ok(Once { body: RecoveryCodes { recovery_codes }, secrets: &["recovery_codes"] })
}

/// Turn the second factor off
#[utoipa::path(post, path = "/v1/manage/second-factor/off", tag = "manage", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header)), request_body = PasswordGiven,
    responses((status = 204), (status = 401, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem)))]
async fn turn_off(
    State(app): State<Arc<App>>,
    manager: Manager,
    peer: Peer,
    Input(given): Input<PasswordGiven>,
) -> Answer<StatusCode> {
    super::turn_off(&app, &manager, peer, &given.password).await?;
    Ok(StatusCode::NO_CONTENT)
}
