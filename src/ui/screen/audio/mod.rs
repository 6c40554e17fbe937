//! Audio: devices for talking and for ringing, level meters, a test tone.

pub mod data;
pub mod ui;
