//! About: version, addresses and folders that support asks for.

pub mod data;
pub mod ui;
