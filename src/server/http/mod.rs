//! The HTTP side: the router with everything around each request, and the listener.
//!
//! From the outside in: security headers, time limit, problems in words for browsers, idempotency, then the routes of the
//! capabilities and the portal's pages. Every refusal is
//! [`problem::ApiError`]; what comes in is checked by [`input`].

mod document;
pub mod idempotency;
pub mod input;
pub mod listener;
pub mod page;
pub mod percent;
pub mod problem;
mod shield;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tls;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::{Method, StatusCode, Uri},
    middleware,
    routing::{any, get},
};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;

use self::problem::{ApiError, kind};
use super::{
    accounts, api_keys, audit, calls,
    clock::Clock,
    contacts::Contacts,
    extensions, links, logins,
    media::MediaServers,
    notebook::Notebook,
    notices::Notices,
    outbox::Outbox,
    pace::Pace,
    passwords::{self, Passwords},
    refusals, registrations, second_factor, sessions, setup,
    store::Store,
    throttle::Throttle,
    vault::Vault,
    web, xml,
};

/// What the handlers share.
#[derive(Debug)]
pub struct App {
    pub store: Store,
    pub clock: Clock,
    pub passwords: Passwords,
    pub throttle: Throttle,
    pub pace: Pace,
    pub contacts: Contacts,
    pub notices: Notices,
    pub outbox: Outbox,
    pub notebook: Notebook,
    pub vault: Vault,
    pub reach: Reach,
    pub media: MediaServers,
    /// Nobody manages others without two-step sign-in.
    pub second_factor_demanded: bool,
    /// Where the programs lie that are offered for download.
    pub downloads: Option<PathBuf>,
    /// Turns true when the server is to stop; streams end then.
    pub stopping: watch::Receiver<bool>,
}

/// Where others reach this server.
#[derive(Clone, Debug)]
pub struct Reach {
    /// `https://tms.example`, without a slash at the end.
    pub url: String,
    pub sip: Option<SipReach>,
    /// A reverse proxy on this machine appends the client's address to `X-Forwarded-For`.
    pub behind_proxy: bool,
}

/// The SIP side's address as phones are told it.
#[derive(Clone, Debug)]
pub struct SipReach {
    /// `sip:127.0.0.1:5060;lr`.
    pub outbound_proxy: String,
    /// `sip:tms.example:5061;transport=tls;lr`, where TLS is served.
    pub outbound_proxy_tls: Option<String>,
    /// Best first: `tls`, `udp`, `tcp`.
    pub transports: Vec<String>,
}

/// Every route of the server.
pub fn router(app: Arc<App>) -> Router {
    let (routes, mut document) = OpenApiRouter::with_openapi(document::start())
        .merge(sessions::routes())
        .merge(registrations::routes())
        .merge(accounts::routes())
        .merge(logins::routes())
        .merge(extensions::routes())
        .merge(api_keys::routes())
        .merge(refusals::routes())
        .merge(calls::routes())
        .merge(links::routes())
        .merge(audit::routes())
        .merge(passwords::routes())
        .merge(second_factor::routes())
        .merge(setup::routes())
        .split_for_parts();
    document::complete(&mut document);
    let document = Arc::new(document);
    routes
        .route("/v1/openapi.json", get(move || async move { Json(document.as_ref().clone()) }))
        .route("/Euphoria.Api.aspx", any(xml::answer))
        .merge(web::routes(&app))
        .fallback(nowhere)
        .method_not_allowed_fallback(not_this_way)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), idempotency::idempotent))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), web::in_words))
        .layer(DefaultBodyLimit::max(input::LARGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), shield::client))
        .layer(middleware::from_fn(shield::in_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), shield::headers))
        .with_state(app)
}

async fn nowhere(uri: Uri) -> ApiError {
    ApiError::not_found(uri.path().chars().take(100).collect::<String>())
}

async fn not_this_way(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(100).collect();
    ApiError::refused(
        StatusCode::METHOD_NOT_ALLOWED,
        kind::METHOD_NOT_ALLOWED,
        "Method not allowed",
        format!("{path} does not take {method}; the Allow header lists what it takes."),
    )
}
