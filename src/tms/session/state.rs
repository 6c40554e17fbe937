//! Where a session stands.

use super::{Proof, TmsUrl, wire};
use crate::secret::Secret;
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) base: TmsUrl,
    pub(super) proof: Proof,
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
    /// As the stream told last.
    pub(super) policy: Option<wire::MediaPolicy>,
}

#[derive(Debug)]
pub(super) enum Renewal {
    Due {
        at: Instant,
        attempt: u32,
    },
    Running {
        attempt: u32,
    },
    /// A link's session: what opened it is used up, and the API has no other way to prolong it.
    Never,
}

#[derive(Debug)]
pub(super) enum StreamState {
    Open { since_attempt: u32 },
    Waiting { at: Instant, attempt: u32 },
}
