//! The real window on a real X server (Xvfb with openbox), read and pressed through its accessibility tree as assistive
//! technology would, and watched for what it does to other programs' keyboard.

#![allow(clippy::disallowed_methods, reason = "a test watches the clock")]

#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod process;

#[path = "../common/pulse.rs"]
#[allow(dead_code, reason = "shared with the tests of the sound server")]
mod pulse;

#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests of other peers")]
mod phone;

#[path = "../agent_story/provider.rs"]
#[allow(dead_code, reason = "shared with the tests of the agent's story")]
mod provider;
#[path = "../agent_story/tms.rs"]
#[allow(dead_code, reason = "shared with the tests of the agent's story")]
mod tms;

mod demo;
mod desk;
mod person;
mod ring;
mod sign_in;
mod signal;
mod story;
