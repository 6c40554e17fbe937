//! Sign-in: server, user name, password, API key, *Apply*, or tenant and key, or a plain SIP account; refusals as sentences.

pub mod data;
mod sip;
pub mod ui;
