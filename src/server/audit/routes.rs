//! The route to read the audit.

use std::sync::Arc;

use axum::extract::State;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::manage::{self, Entry};
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
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(list_all))
}

/// Who did what on an account, newest first
#[utoipa::path(get, path = "/v1/accounts/{tenant}/audit", tag = "manage", security(("bearer" = [])),
    params(("tenant" = String, Path), Page),
    responses((status = 200, body = [Entry]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
async fn list(
    State(app): State<Arc<App>>,
    manager: Manager,
    Segments(tenant): Segments<String>,
    Asked(page): Asked<Page>,
) -> Answer<Listed<Entry>> {
    manage::list(&app, &manager, &tenant, &page).await
}

/// Who did what, on every account and on none, newest first
///
/// For operators: also what is of no one account, such as their own sign-ins.
#[utoipa::path(get, path = "/v1/audit", tag = "manage", security(("bearer" = [])), params(Page),
    responses((status = 200, body = [Entry]), (status = 401, body = Problem), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
async fn list_all(State(app): State<Arc<App>>, manager: Manager, Asked(page): Asked<Page>) -> Answer<Listed<Entry>> {
    manage::list_all(&app, &manager, &page).await
}
