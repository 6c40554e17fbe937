//! The chosen registration and its SIP credential.

use super::{ApiError, ApiRequest, Asking, Credential, Event, Session, State, Unusable, login::renew_after};
use crate::tms::{
    outcome::{Answer, Failure},
    wire,
};
use jiff::Timestamp;
use std::time::Instant;

#[derive(Debug)]
pub(super) enum Selection {
    None,
    /// The credential was given and is asked for again at `renew_at`.
    Held {
        registration: String,
        renew_at: Option<Instant>,
    },
    /// The TMS could not be reached.
    Waiting {
        registration: String,
        takeover: bool,
        attempt: u32,
        at: Instant,
    },
}

impl Selection {
    pub(super) fn registration(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Held { registration, .. } | Self::Waiting { registration, .. } => Some(registration),
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::Held { renew_at, .. } => *renew_at,
            Self::Waiting { at, .. } => Some(*at),
        }
    }
}

impl Session {
    pub(super) fn ask_credential(&mut self, registration: String, takeover: bool, attempt: u32) {
        self.asked.forget_credential();
        if let State::SignedIn(signed_in) = &self.state {
            let (base, token) = (&signed_in.login.base, &signed_in.token);
            let request = ApiRequest::credential(base, token, &registration, &self.instance_id, takeover);
            self.ask(Asking::Credential { registration, takeover, attempt }, request);
        }
    }

    pub(super) fn selection_timeout(&mut self, now: Instant) {
        match &mut self.selection {
            Selection::Held { registration, renew_at } if renew_at.is_some_and(|at| at <= now) => {
                *renew_at = None;
                let registration = registration.clone();
                self.ask_credential(registration, false, 0);
            }
            Selection::Waiting { registration, takeover, attempt, at } if *at <= now => {
                let (registration, takeover, attempt) = (registration.clone(), *takeover, *attempt);
                // Until the answer comes it counts as chosen, without a time of its own.
                self.selection = Selection::Held { registration: registration.clone(), renew_at: None };
                self.ask_credential(registration, takeover, attempt);
            }
            Selection::None | Selection::Held { .. } | Selection::Waiting { .. } => {}
        }
    }

    pub(super) fn credential_came(
        &mut self,
        now: Instant,
        wall: Timestamp,
        registration: String,
        takeover: bool,
        attempt: u32,
        result: Result<Answer, Failure>,
    ) {
        let is_renewal = self.selection.registration() == Some(&registration);
        match self.read_authorised::<wire::SipCredential>(result) {
            Ok(credential) => {
                let renew_at = Some(now + renew_after(wall, credential.expires_at));
                self.selection = Selection::Held { registration: registration.clone(), renew_at };
                self.tell(Event::Credential { registration, credential: Credential(credential) });
            }
            Err(Unusable::Unauthorised) => {
                // Signing in again asks anew for what is chosen.
                if self.is_signing_in() && !is_renewal {
                    self.selection = Selection::Held { registration, renew_at: None };
                }
            }
            Err(Unusable::Other(ApiError::Problem(p))) => {
                if is_renewal {
                    self.selection = Selection::None;
                }
                self.tell(match p.status {
                    409 => Event::Conflict { registration, reason: p.detail },
                    _ => Event::Failed { command: "select", message: p.detail },
                });
            }
            Err(Unusable::Other(ApiError::Unreachable(reason))) => {
                let retry_in = self.back_off(attempt);
                let (at, attempt) = (now + retry_in, attempt + 1);
                self.selection = Selection::Waiting { registration: registration.clone(), takeover, attempt, at };
                // While the old credential still serves, trying again is nobody's concern.
                if !is_renewal || takeover {
                    self.tell(Event::SelectDelayed { registration, reason, retry_in });
                }
            }
        }
    }

    fn is_signing_in(&self) -> bool {
        matches!(self.state, State::SigningIn { .. })
    }
}
