//! Calls: a card each, with its controls, its clock and how it sounds.

pub mod data;
pub mod ui;
