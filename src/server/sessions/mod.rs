//! Sessions: a softphone's (login, API key and installation) and those of people who manage. Both are bearer tokens of which
//! only the hash is stored.

mod access;
mod caller;
mod end;
mod events;
pub mod manage;
mod managing;
pub mod own;
mod queries;
mod routes;
mod sign_in;
#[cfg(test)]
mod tests;

pub use self::{
    access::{Access, Right, Role},
    caller::{Agent, Carrier, Manager, Presence, Proved, bearer, bearer_of},
    end::{Concerns, Ended, purge},
    managing::end_others,
    queries::{Login, Session, State, activate, login, login_of},
    routes::routes,
    sign_in::{authenticate, instance_id, open, overtaken, too_many},
};
