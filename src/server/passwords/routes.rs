//! The route behind the line under a new password, which turns green or red while it is typed.

use std::sync::Arc;

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::rules;
use crate::{
    server::http::{App, input::Input},
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(check))
}

#[derive(Deserialize, ToSchema)]
struct Candidate {
    /// Of the login that it is for; a password that is made of it is not taken.
    #[serde(default)]
    username: String,
    password: String,
}

#[derive(Serialize, ToSchema)]
struct Verdict {
    good: bool,
    /// Why it is not taken, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Whether a password would be taken
///
/// For whoever chooses one; nothing is kept. It is judged again where it is set.
#[utoipa::path(post, path = "/v1/passwords/check", tag = "manage", request_body = Candidate,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Verdict), (status = 422, body = Problem)))]
async fn check(Input(candidate): Input<Candidate>) -> Json<Verdict> {
    let detail = rules::weakness(&candidate.password, &candidate.username);
    Json(Verdict { good: detail.is_none(), detail })
}
