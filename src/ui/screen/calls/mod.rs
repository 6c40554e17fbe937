//! Calls: a card each, with its controls, its clock and how it sounds; joined ones as one.

pub mod data;
mod head;
pub mod sound;
mod tools;
pub mod ui;
