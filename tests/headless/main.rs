//! The headless contract, from outside: the real binary on real loopback sockets, against a scripted SIP peer and a scripted
//! TMS.

#![allow(clippy::disallowed_methods, reason = "a test takes its instants from the clock")]

#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod phone;
#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod process;

mod calls;
mod lines;
mod outage;
mod quality;
mod reach;
mod registering;
mod sip_peer;
mod tms;
mod troubles;
