//! Kamailio as the provider's SIP side, in place of [`super::sip`].
//!
//! ```text
//! phones ── Kamailio ── kamailio_credentials (view: who may register and call, and as whom)
//!              │    └── kamailio_location (who holds what; its changes are notices), kamailio_refuse, kamailio_route,
//!              │        kamailio_called
//!              └── JSON-RPC on loopback ── tms (takeover, removal, calls; by UDP there it begins some)
//! ```
//!
//! [`Configuration`] writes its configuration from `template/`; [`KamailioRegistrar`] carries the HTTP side's orders out.
//! What Kamailio asks the database and tells it stands in migrations/postgres: the table in 0004, the view in 0013, each function
//! where it was written last.

mod caller;
mod config;
mod registrar;
mod rpc;
#[cfg(test)]
mod triggers;

pub use config::{ConfigError, Configuration, Tls};
pub use registrar::KamailioRegistrar;
pub use rpc::Rpc;
