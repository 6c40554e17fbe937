//! *Select account*: the registrations, who holds each, and the way out where one is in use elsewhere.

pub mod data;
pub mod ui;
