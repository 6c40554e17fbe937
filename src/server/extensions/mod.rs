//! Extensions: a number that can be dialled, the login that owns it and the API key that is enabled on it.

pub mod manage;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    queries::{ExtensionRow, all, by_number, create, enable_key, update},
    routes::routes,
};
