//! The TMS: HTTP, store, registrar and proxy, one folder per capability.
//!
//! The two halves of the server meet in three small modules and nowhere else:
//!
//! - [`registry`]: what the SIP side asks the store (digest credentials, who rings for a number);
//! - [`contacts`]: what the HTTP side asks of and orders from the SIP side (who holds a registration, takeover, sign-out);
//! - [`notices`]: what changed, for everyone who listens (server-sent events).

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod calls;
pub mod change;
pub mod clock;
pub mod contacts;
pub mod demo_data;
pub mod extensions;
pub mod http;
pub mod kamailio;
pub mod links;
pub mod logins;
pub mod media;
pub mod notebook;
pub mod notices;
pub mod outbox;
pub mod pace;
pub mod passwords;
pub mod refusals;
pub mod registrations;
pub mod registry;
pub mod second_factor;
pub mod secrets;
pub mod serve;
pub mod sessions;
pub mod setup;
pub mod sip;
pub mod store;
pub mod throttle;
#[cfg(test)]
mod upgrade_tests;
pub mod vault;
pub mod web;
pub mod xml;
