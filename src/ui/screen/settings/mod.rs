//! The settings wheel's list, and the small pages behind it: calls, appearance, shortcuts.

pub mod data;
mod services;
pub mod ui;
