//! Accounts: an office's telephone system with its tenant name, realm and edition.

mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    queries::{AccountRow, by_tenant, create},
    routes::routes,
};
