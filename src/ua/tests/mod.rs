//! The user agent against a scripted peer, in simulated time.

mod bench;
mod calls;
mod registration;
