//! Registrations: the SIP users of an extension, one primary (P) and up to two additional (S), and the credentials by which
//! devices hold them.

mod manage;
mod mine;
mod queries;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::queries::{RegistrationRow, add, evict_all, evict_extension, names, of_account, set_password};
use super::http::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(mine::list))
        .routes(routes!(mine::sip_credential))
        .routes(routes!(manage::list, manage::create))
        .routes(routes!(manage::update, manage::remove))
        .routes(routes!(manage::sip_password))
}
