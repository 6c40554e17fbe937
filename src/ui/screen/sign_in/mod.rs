//! Sign-in: server, user name, password, API key, *Apply*; refusals as sentences beside the button.

pub mod data;
pub mod ui;
