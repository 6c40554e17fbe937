//! The route to read refusals.

use std::sync::Arc;

use axum::{Json, extract::State};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, ShownRefusal};
use crate::{
    server::{
        http::{App, input::Segments, problem::Answer},
        sessions::Manager,
    },
    tms::wire::Problem,
};

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Why won't it register?
///
/// The devices that were not let in lately, in words; the newest first.
#[utoipa::path(get, path = "/v1/accounts/{tenant}/extensions/{number}/refusals", tag = "manage",
    security(("bearer" = [])), params(("tenant" = String, Path), ("number" = String, Path)),
    responses((status = 200, body = [ShownRefusal]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments((tenant, number)): Segments<(String, String)>,
) -> Answer<Json<Vec<ShownRefusal>>> {
    Ok(Json(manage::of_extension(&app, &manager, &tenant, &number).await?))
}
