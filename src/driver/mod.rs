//! The softphone's only runtime: SIP sockets, DNS, clock and the TMS's HTTP around the pure cores; one loop over one event
//! enum on one thread.
//!
//! ```text
//! front end ── Command ──▶ ┌ shell ──────────────────────────────────────────┐
//!           ◀── Event ──── │ ua::UserAgent   tms::session::Session   Media   │──▶ media engine (own thread)
//!                          └──── transport ────── tms::client ── resolve ────┘
//! ```
//!
//! [`shell`](self) takes one input at a time, hands it to the core it belongs to, and carries out what the cores ask for until
//! they ask for nothing more. It decides nothing that a protocol decides.

pub mod account;
mod answers;
pub mod api;
mod check;
mod exposure_file;
mod handle;
mod keepalive;
mod local;
mod media;
mod network;
mod orphans;
mod quality_report;
mod reach;
mod resolve;
mod shell;
mod tms;
mod tones;
mod trace;
mod transport;

pub use handle::{Commands, Driver, DriverError, Options};
