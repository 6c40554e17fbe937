//! The wide window's right side: the thing in hand.

pub mod data;
pub mod ui;
