//! *Select account*: the registrations, who holds each, and the way out where one is in use elsewhere; or the plain account in
//! use. With what shows that calls arrive.

pub mod data;
mod proof;
pub mod ui;
