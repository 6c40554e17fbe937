//! API keys: named, shown once, stored hashed, their use logged.

mod log;
pub mod manage;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    log::{KeyLog, LogWriter},
    manage::Scope,
    queries::{KeyRow, NewKeyRow, create, find, first, forget_uses, must_be_usable, of_extension, revoke, usable},
    routes::routes,
};
