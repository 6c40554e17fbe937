//! The chosen registration and its SIP credential.

use super::{ApiError, ApiRequest, Asking, Credential, Event, RequestId, Session, State, Unusable, login::renew_after};
use crate::tms::{
    outcome::{Answer, Failure},
    session::SESSION_OVER,
    wire,
};
use jiff::Timestamp;
use std::time::Instant;

#[derive(Debug)]
pub(super) enum Selection {
    None,
    /// The credential was given and is asked for again at `renew_at`. `since`: the question that it answered; `None` while
    /// it is asked for anew.
    Held {
        registration: String,
        since: Option<RequestId>,
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
            Selection::Held { registration, renew_at, .. } if renew_at.is_some_and(|at| at <= now) => {
                *renew_at = None;
                let registration = registration.clone();
                self.ask_credential(registration, false, 0);
            }
            Selection::Waiting { registration, takeover, attempt, at } if *at <= now => {
                let (registration, takeover, attempt) = (registration.clone(), *takeover, *attempt);
                // Until the answer comes it counts as chosen, without a time of its own.
                self.selection = Selection::Held { registration: registration.clone(), since: None, renew_at: None };
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
        let was_given = is_renewal && matches!(self.selection, Selection::Held { since: Some(_), .. });
        match self.read_authorised::<wire::SipCredential>(result) {
            Ok(credential) => {
                let renew_at = Some(now + renew_after(wall, credential.expires_at));
                self.selection =
                    Selection::Held { registration: registration.clone(), since: self.asked.last(), renew_at };
                self.tell(Event::Credential { registration, credential: Credential(credential) });
            }
            Err(Unusable::Unauthorised) => {
                // Signing in again asks anew for what is chosen.
                if self.is_signing_in() && !is_renewal {
                    self.selection = Selection::Held { registration, since: None, renew_at: None };
                } else if !is_renewal {
                    self.tell(Event::Failed { command: "select", message: SESSION_OVER.into() });
                }
            }
            Err(Unusable::Other(ApiError::Problem(p))) => {
                if is_renewal {
                    self.selection = Selection::None;
                }
                self.tell(match p.status {
                    409 if was_given => Event::Displaced { registration, reason: p.detail },
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

    /// The TMS told another device takes the chosen registration long before our next REGISTER would be refused. A list
    /// asked for before the credential came may still show whom we took it from.
    pub(super) fn look_for_displacement(&mut self, asked: RequestId, list: &[wire::Registration]) {
        let Selection::Held { registration, since: Some(since), .. } = &self.selection else { return };
        let row = list.iter().find(|row| row.name == *registration);
        let holder = row.and_then(|row| row.in_use.as_ref()).filter(|holder| asked > *since && !holder.this_device);
        if let Some(holder) = holder {
            let registration = registration.clone();
            let reason = format!("{registration} was taken over by {} ({}).", holder.device, holder.address);
            self.selection = Selection::None;
            self.asked.forget_credential();
            self.tell(Event::Displaced { registration, reason });
        }
    }

    fn is_signing_in(&self) -> bool {
        matches!(self.state, State::SigningIn { .. })
    }
}
