//! The window's wiring to the driver.
//!
//! ```text
//!   window thread                    session thread                       driver thread
//!   ui::window::Window  --Intent-->  intents -> Commands, memory  ----->  driver
//!          ^                         history, ring (child process)           |
//!          +--- latest Snapshot ---  fold  <------------------ Event --------+
//! ```
//!
//! The window thread never waits for disk, keyring, devices or network: those are the session thread's. The latest snapshot
//! wins; notices are queued and none is lost.

mod fold;
mod handover;
mod history;
mod intents;
mod keeper;
mod locale;
mod ring;
mod run;
mod services;
mod session;
mod shared;
mod talks;

pub use run::run;
