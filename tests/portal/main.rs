//! The portal in a real browser, step by step as the document for IT staff has it, with the real window beside it.

#![allow(clippy::disallowed_methods, reason = "a test watches the clock")]

#[path = "../common/chromium.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod chromium;
#[path = "../window/desk.rs"]
#[allow(dead_code, reason = "shared with the tests of the window")]
mod desk;
#[path = "../window/person.rs"]
#[allow(dead_code, reason = "shared with the tests of the window")]
mod person;
#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod phone;
#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod process;
#[path = "../common/pulse.rs"]
#[allow(dead_code, reason = "shared with the tests of the sound server")]
mod pulse;

mod browser;
mod looks;
mod server;
mod staff;
mod three_steps;
mod tour;
mod walk;
