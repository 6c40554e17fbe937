//! The SIP side of the TMS: registrar (RFC 3261 §10) and stateful forking proxy (§16) on [`crate::sip::endpoint`].
//!
//! ```text
//! sockets ── server ── Pbx ┬ Endpoint           transactions
//!                          ├ ServerAuth         digest, 401 and 407
//!                          ├ Failures           wrong passwords, answered from memory
//!                          ├ Registrar ─ Location   one contact a registration, takeover
//!                          ├ decision           may this call be made
//!                          ├ Proxy ─ ResponseContext   forks, Timer C, the best answer
//!                          └ Originations       calls begun for an extension
//! ```
//!
//! Everything but [`server`], [`connections`] and [`keeper`], which writes contacts behind, is sans-IO. What the store
//! knows is asked for as a [`routing::Query`] and comes back as [`routing::Facts`]. Inside a dialog no table is needed:
//! signed flow tokens in Record-Route name both sides.

mod calls;
mod connections;
mod decide;
mod decision;
mod failures;
mod flow_token;
mod forward;
mod keeper;
mod location;
mod originate;
mod pbx;
mod proxy;
mod registrar;
mod reply;
mod response_context;
mod routing;
mod server;
#[cfg(test)]
mod torture;

pub use self::{
    forward::SERVERS_WORD,
    originate::{Originations, Wanted},
    reply::reply,
    server::{SipServer, SipSettings, TlsListener, clock_now},
};

#[cfg(test)]
mod tests;
