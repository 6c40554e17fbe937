//! Transfers: three of ours over a link, and one of ours against a scripted peer.

mod asked;
mod lossy;
pub(super) mod net;
mod replaced;
mod scripted;
mod three;
