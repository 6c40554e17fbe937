//! Audio: devices for talking and for ringing, level meters, a test tone, the check before the shift.

mod check;
pub mod data;
pub mod ui;
