//! Sessions: a softphone's (login, API key and installation) and those of people who manage. Both are bearer tokens of which
//! only the hash is stored.

mod caller;
mod end;
mod events;
mod manage;
mod queries;
mod sign_in;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::{
    caller::{Agent, Manager},
    end::{end, enforce, purge},
    manage::{Opened, OwnMembership, enable_own, end_to_manage, open_to_manage, own_memberships},
    queries::{Login, Session, edition, login},
    sign_in::{authenticate, instance_id, open, too_many},
};
use super::http::App;

pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(end::sign_out))
        .routes(routes!(sign_in::me))
        .routes(routes!(sign_in::agent_state))
        .routes(routes!(events::events))
        .routes(routes!(manage::sign_in, manage::sign_out))
        .routes(routes!(manage::memberships))
        .routes(routes!(manage::enable))
}
