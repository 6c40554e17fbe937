//! Audio: the check before the shift, devices for talking and for ringing, level meters, a test tone.

mod check;
pub mod data;
pub mod ui;
