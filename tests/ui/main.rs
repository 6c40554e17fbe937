//! The window without a display: what each screen shows (values), how it looks (images), what it is called and how it is
//! reached (accessibility tree and keyboard).

#![allow(clippy::disallowed_methods, reason = "a test takes its time from the clock and its colours from anywhere")]

#[path = "../common/raster.rs"]
mod raster;

mod behaviour;
mod calls;
mod desk;
mod fake;
mod images;
mod people;
mod side_by_side;
mod sign_in;
mod transfer;
mod values;
