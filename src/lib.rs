//! Agent Manager: a softphone for call-centre agents, and TMS, the server it logs in to.
//!
//! Modules and the direction their dependencies point (a test reads the `use crate::` edges):
//!
//! ```text
//! sip  <- ua <- driver <- app -> ui          sip, tms::wire <- server <- bin/tms -> demo
//!   sip::sdp, ua -> media::plan              ua, media      <- demo
//!         driver -> media, tms               ui -> ui::snapshot only
//! sip <- stream <- driver, server           headset     <- app
//! stun <- media, config, driver, server
//! ```
//!
//! `sip`, `ua`, `media::{rtp,rtcp,jitter,dsp}` and `tms::session` are sans-IO: they take time, randomness and bytes as
//! arguments and return what to do. Sockets, clocks, files and threads live in `driver`, `media::{device,engine}`,
//! `stream`, `server` and `app`.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "a test takes its first instant from the clock"))]

pub mod app;
pub mod config;
pub mod demo;
pub mod driver;
pub mod headless;
pub mod headset;
pub mod media;
pub mod number;
#[cfg(test)]
mod properties;
pub mod secret;
pub mod server;
pub mod sip;
pub mod stream;
pub mod stun;
pub mod tms;
pub mod ua;
pub mod ui;
