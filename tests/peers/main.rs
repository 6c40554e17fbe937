//! The softphone's binaries against real peers: Kamailio, baresip, coturn, sipp. Each test starts what it needs on free ports and
//! ends it by its process id.

#![allow(clippy::disallowed_methods, reason = "a test takes its instants from the clock")]

#[path = "../common/speech.rs"]
mod speech;
#[allow(dead_code, reason = "shared with the bench and the headless tests, which use more of it")]
mod support;

mod baresip;
mod dns;
mod flood;
mod kamailio;
mod network;
mod presence;
mod relay;
mod scenarios;
mod sipp;
mod tls;
mod transfer;
