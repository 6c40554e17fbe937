//! The softphone without its window speaks in lines: JSON commands in, JSON events out. The public interface is documented in
//! `docs/headless.md`.
//!
//! [`command`] reads a line, [`event`] writes one, both pure; `app::headless` joins them to the softphone.

pub mod command;
pub mod event;
