//! Sending a call's party elsewhere: to a number, or to the party of another call; and calls that others ask for.

pub mod data;
pub mod ui;
