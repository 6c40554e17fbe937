//! The user agent, sans-IO: one registration, many calls. It owns the endpoint's transactions and the dialogs; the shell
//! (`driver`) moves bytes and time in and out.

pub mod api;
