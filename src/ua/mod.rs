//! The user agent, sans-IO: one registration, many calls. It owns the endpoint's transactions and the dialogs; the shell
//! (`driver`) moves bytes and time in and out.
//!
//! - [`api`]: commands in, outputs and events out.
//! - [`agent`]: [`UserAgent`], which owns the machines below and hands each its messages.
//! - `stack`: the endpoint, where to send requests, who hears of their outcome, credentials.
//! - `registration`: keeping one account registered.
//! - `session`: one call, a file for each phase.
//! - `referral`: what a REFER asks for, and telling its sender how it went.
//! - `farewell`: BYE for dialogs whose call is over.
//! - `outside`: requests that belong to no call.
//! - `events`: subscriptions, colleagues, voicemail. `message`: text messages. `publication`: reports to a
//!   collector.
//! - `identity`: who calls and for whom, and how far that is believed. `services`: do not disturb, forwarding, emergency
//!   numbers. `auto_answer`: requests to be answered without ringing.
//! - `target`: from what a person dials to a URI. `reason`: from a status code to a sentence.

pub mod agent;
pub mod api;
mod auto_answer;
mod events;
mod farewell;
mod identity;
mod message;
mod outside;
mod publication;
mod reason;
mod referral;
mod registration;
mod services;
mod session;
mod stack;
mod target;

pub use agent::UserAgent;

#[cfg(test)]
mod tests;

/// What we take (RFC 3261 §20.5).
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY, MESSAGE";
/// What we support in and around calls (RFC 3261 §20.37).
const SUPPORTED: &str = "100rel, timer, from-change, replaces, norefersub, trickle-ice";
