//! The portal: the TMS in a browser, for those who set it up and for those who use it. Pages are HTML made here, forms are
//! posted and answered with a redirect, and a little script makes it livelier; without script everything works too.
//!
//! A page is a pure function of what it shows. Its handler asks the capability's own functions, which authorise and check, so
//! every rule exists once; what they refuse is said where the person looks ([`parts::Refusal`]). [`guard`] stands before every
//! form, [`problem`] turns what goes wrong into a page.

mod accounts;
mod api_keys;
mod assets;
mod audit;
mod calls;
mod cookie;
mod downloads;
mod extensions;
mod guard;
mod icon;
mod invitation;
mod live;
mod parts;
mod problem;
mod profile;
mod set_up;
mod shell;
mod sign_in;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod users;
mod visitor;

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};

pub use self::problem::in_words;
use super::http::App;

/// Every page.
pub fn routes(app: &Arc<App>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(sign_in::start))
        .route("/sign-in", get(sign_in::page).post(sign_in::sign_in))
        .route("/sign-out", post(sign_in::sign_out))
        .merge(accounts::routes())
        .merge(extensions::routes())
        .merge(api_keys::routes())
        .merge(users::routes())
        .merge(set_up::routes())
        .merge(profile::routes())
        .merge(invitation::routes())
        .route("/sign-in/code", get(sign_in::code).post(sign_in::send_code))
        .route("/accounts/{tenant}/audit", get(audit::page))
        .route("/accounts/{tenant}/calls", get(calls::page))
        .route("/audit", get(audit::of_all))
        .route("/accounts/{tenant}/downloads", get(downloads::page))
        .route("/accounts/{tenant}/events", get(live::events))
        .route("/downloads/{name}", get(downloads::download))
        .layer(middleware::from_fn_with_state(Arc::clone(app), guard::guard))
        .route("/assets/{version}/{name}", get(assets::serve))
}
