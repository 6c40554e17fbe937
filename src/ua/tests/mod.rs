//! The user agent against a scripted peer, in simulated time.

pub(in crate::ua) mod bench;
mod calls;
mod complaints;
mod events;
mod flood;
mod gruu;
mod hostile;
mod incoming;
mod measure;
mod messages;
mod modify;
mod network;
mod outgoing;
mod outside;
mod publications;
mod races;
mod registration;
mod reliable;
mod retry;
mod secured;
mod servers;
mod services;
mod simulation;
mod strangers;
mod timers;
mod transfer;
mod trickle;

use super::api::{CallState, EndedBy};

fn ended(by: EndedBy, code: Option<u16>, reason: &str) -> CallState {
    CallState::Ended { ended_by: by, code, reason: reason.into() }
}
