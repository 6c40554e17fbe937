//! Why won't it register? The last refusals of each registration, in words.
//!
//! Our own SIP side hands each one to the [`super::notebook`], so that a flood costs neither answers nor the database; Kamailio writes its own by `kamailio_refuse` (migrations/postgres/0004). A
//! refused sign-in of Agent Manager is noted beside them.

mod manage;
mod queries;
mod routes;
mod sign_in;
#[cfg(test)]
mod tests;
mod why;

use std::net::IpAddr;

pub use manage::{ShownRefusal, of_extension};
pub use queries::write;
pub use routes::routes;
pub use sign_in::{RefusedSignIn, note_sign_in};
pub use why::Why;

/// One refusal, as the SIP side saw it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    pub realm: String,
    /// Name of the registration that was wanted; it need not exist.
    pub registration: String,
    /// Digest user.
    pub username: String,
    pub why: Why,
    /// What the sentence needs besides; the digest user where it is empty.
    pub detail: String,
    pub address: IpAddr,
    /// User-Agent, or what else is known of it.
    pub device: String,
}
