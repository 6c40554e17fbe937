//! API keys: named, shown once, stored hashed, their use logged.

pub mod manage;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    manage::Scope,
    queries::{
        KeyRow, NewKeyRow, Use, create, find, first, forget_uses, log, must_be_usable, of_extension, revoke, usable,
    },
    routes::routes,
};
