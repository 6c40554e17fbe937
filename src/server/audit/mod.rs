//! Who did what, append-only: each entry carries the hash of the one before, so that none can be altered, removed or slipped
//! in later without the whole of what follows telling.

mod chain;
pub mod manage;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    queries::{AuditError, record, record_in, record_own, verify},
    routes::routes,
};
