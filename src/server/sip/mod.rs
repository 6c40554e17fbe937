//! The SIP side of the TMS: registrar (RFC 3261 §10) and stateful forking proxy (§16) on [`crate::sip::endpoint`].
//!
//! ```text
//! sockets ── server ── Pbx ┬ Endpoint           transactions
//!                          ├ ServerAuth         digest, 401 and 407
//!                          ├ Registrar ─ Location   one contact a registration, takeover
//!                          └ Proxy ─ ResponseContext   forks, Timer C, the best answer
//! ```
//!
//! Everything but [`server`] is sans-IO. What the store knows is asked for as a [`routing::Query`] and comes back as
//! [`routing::Facts`]. Inside a dialog no table is needed: signed flow tokens in Record-Route name both sides.

mod calls;
mod connections;
mod flow_token;
mod forward;
mod location;
mod pbx;
mod proxy;
mod registrar;
mod reply;
mod response_context;
mod routing;
mod server;
#[cfg(test)]
mod torture;

pub use server::SipServer;

#[cfg(test)]
mod tests;
