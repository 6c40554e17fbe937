//! SIP, sans-IO (RFC 3261 and its updates): messages, digest, SDP, transactions, dialogs, the endpoint that ties them.
//!
//! Nothing here opens a socket or reads a clock: every machine takes `now: Instant` and returns what to do.

pub mod auth;
pub mod body;
pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod entropy;
pub mod flow;
pub(crate) mod lex;
pub mod locate;
pub mod msg;
pub mod sdp;
pub mod target;
pub mod transaction;
pub mod uri;
pub mod wire;
