//! The routes to see an account's calls.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, LiveCall, PastCall};
use crate::{
    server::{
        http::{
            App,
            input::{Asked, Segments},
            page::{Listed, Page},
            problem::Answer,
        },
        sessions::Manager,
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(past))
}

/// The calls in progress, oldest first
///
/// One whose devices have vanished without a word leaves the list within a minute, or when its session timer has run out.
#[utoipa::path(get, path = "/v1/accounts/{tenant}/calls", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path)),
    responses((status = 200, body = [LiveCall]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 503, body = Problem)))]
async fn live(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
) -> Answer<Json<Vec<LiveCall>>> {
    manage::live(&app, &manager, &tenant).await.map(Json)
}

/// The calls that are over, newest first; kept for 90 days
#[utoipa::path(get, path = "/v1/accounts/{tenant}/call-records", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), Page),
    responses((status = 200, body = [PastCall]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn past(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<PastCall>> {
    manage::past(&app, &manager, &tenant, &page).await
}
