//! The main column: status, calls, the dial field with its keypad, the lists under it.

pub mod data;
mod dial;
mod header;
pub mod ui;
