//! The agent's story over real sockets: `tms serve` with demonstration data, and the softphone without its window.

#![allow(clippy::disallowed_methods, reason = "a test of the real programs reads the clock")]

mod away;
mod demo;
mod link;
mod live;
mod media;
mod nodes;
#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests of other peers")]
mod phone;
#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests of other peers")]
mod process;
mod provided;
#[allow(dead_code, reason = "shared with the bench of registrars")]
mod provider;
mod refusals;
mod story;
#[allow(dead_code, reason = "shared with the tests of the window")]
mod tms;
mod xml;
