//! Sound through a real sound server: cpal, ALSA's pulse plugin, PulseAudio with null sinks.

#![allow(clippy::disallowed_methods, reason = "a test takes its instants from the clock and ends before a queue grows")]

#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod phone;
#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod process;
#[path = "../common/pulse.rs"]
mod pulse;
#[path = "../headless/sip_peer.rs"]
#[allow(dead_code, reason = "shared with the headless tests")]
mod sip_peer;
#[path = "../common/speech.rs"]
mod speech;

mod call;
mod check;
mod engine;
mod nothing;
mod ringback;
mod sound;
