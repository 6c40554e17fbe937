//! Registrations: the SIP users of an extension, one primary (P) and up to two additional (S), and the credentials by which
//! devices hold them.

pub mod manage;
mod mine;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::queries::{RegistrationRow, add, by_name, names, names_in, of_account, of_extension, set_password};
use super::http::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(mine::list))
        .routes(routes!(mine::sip_credential))
        .routes(routes!(routes::list, routes::create))
        .routes(routes!(routes::update, routes::remove))
        .routes(routes!(routes::sip_password))
}
