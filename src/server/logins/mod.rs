//! Logins: people, and what they are on an account.

pub mod manage;
pub mod operators;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    manage::{check_email, check_username, may_set_password, not_own},
    queries::{ChosenBy, MemberRow, NewLogin, add_membership, create, member, own, replace_password, set_password},
    routes::routes,
};
