//! Where a session stands.

use super::{TmsLogin, TmsUrl, wire};
use crate::ua::api::Secret;
use std::time::Instant;

#[derive(Debug)]
pub(super) enum State {
    SignedOut,
    /// `attempt` counts those that could not reach the TMS.
    SigningIn {
        login: Login,
        attempt: u32,
    },
    Waiting {
        login: Login,
        attempt: u32,
        at: Instant,
    },
    SignedIn(Box<SignedIn>),
}

#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) base: TmsUrl,
    pub(super) typed: TmsLogin,
}

#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) login: Login,
    pub(super) token: Secret,
    pub(super) me: wire::Me,
    /// As last told.
    pub(super) registrations: Option<Vec<wire::Registration>>,
    /// The TMS accepted the token at least once; a 401 before that is not cured by signing in again.
    pub(super) proved: bool,
    pub(super) renewal: Renewal,
    pub(super) stream: StreamState,
}

#[derive(Debug)]
pub(super) enum Renewal {
    Due { at: Instant, attempt: u32 },
    Running { attempt: u32 },
}

#[derive(Debug)]
pub(super) enum StreamState {
    Open { since_attempt: u32 },
    Waiting { at: Instant, attempt: u32 },
}
