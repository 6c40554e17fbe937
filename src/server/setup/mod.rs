//! Setting an agent up in three steps: pick the extension, send the one-time link, done. The agent opens the link, sets a
//! password (which activates the login), and Agent Manager opens signed in. The same link without an extension lets
//! somebody set a new password.

mod finish;
mod manage;
mod queries;
mod routes;
#[cfg(test)]
mod tests;

pub use self::{
    finish::{Finished, Invited, finish, look},
    manage::{Invitation, NewAgent, begin, invite},
    routes::routes,
};

/// An invitation is good for so long, and once.
pub const LIFETIME_MS: i64 = 30 * 60 * 1000;
