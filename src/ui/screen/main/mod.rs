//! The main column: status, calls, the dial field with its keypad, recent calls.

pub mod data;
pub mod ui;
