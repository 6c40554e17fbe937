//! Logins: people, and what they are on an account.

mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    queries::{NewLogin, add_membership, create, member, set_password},
    routes::{check_password, check_username, routes},
};
