//! Accounts: an office's telephone system with its tenant name, realm and edition.

pub mod emergency;
pub mod manage;
pub mod media;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    queries::{AccountRow, Place, create, edition, read},
    routes::routes,
};
