//! The chosen registration and its SIP credential.

use super::{
    ApiError, ApiRequest, Asking, Credential, Event, RequestId, Session, State, Unusable, login::renew_after,
    request::Then,
};
use crate::tms::{
    outcome::{Answer, Failure},
    session::SESSION_OVER,
    wire,
};
use jiff::Timestamp;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) enum Selection {
    None,
    /// The credential was given and is asked for again at `renew_at`. `since`: the question that it answered; `None` while
    /// it is asked for anew. `seen`: the TMS has shown us as the holder since. `soonest`: of the next renewal for a relay's sake.
    Held {
        registration: String,
        since: Option<RequestId>,
        renew_at: Option<Due>,
        seen: bool,
        soonest: Duration,
    },
    /// The TMS could not be reached.
    Waiting {
        registration: String,
        takeover: bool,
        attempt: u32,
        at: Instant,
    },
}

/// A time by both clocks: the first may stand still while the computer sleeps, and the other may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due(Instant, Timestamp);

impl Due {
    fn after(now: Instant, wall: Timestamp, time: Duration) -> Self {
        // One that no calendar has never comes.
        Self(now + time, wall.checked_add(time).unwrap_or(Timestamp::MAX))
    }

    fn is_over(self, now: Instant, wall: Timestamp) -> bool {
        self.0 <= now || self.1 <= wall
    }
}

/// A relay's password that ends too soon for us, or by a calendar that goes wrong, is no reason to ask without end: so soon at first,
/// and each time half as often.
const SOONEST_FOR_TURN: Duration = Duration::from_secs(300);
const LATEST_SOONEST: Duration = Duration::from_secs(4 * 3600);

/// When to ask for another credential: before it ends, or the relay's password that came with it; and the next `soonest`.
fn renewal(wall: Timestamp, credential: &wire::SipCredential, soonest: Duration) -> (Duration, Duration) {
    let own = renew_after(wall, credential.expires_at);
    let turn = credential.media.as_ref().and_then(|media| media.turn.as_ref());
    match turn.map(|turn| renew_after(wall, turn.expires_at)) {
        Some(turn) if turn < soonest => (soonest.min(own), (2 * soonest).min(LATEST_SOONEST)),
        turn => (turn.map_or(own, |turn| turn.min(own)), SOONEST_FOR_TURN),
    }
}

impl Selection {
    /// Chosen, and asked for.
    pub(super) const fn asked_for(registration: String) -> Self {
        Self::Held { registration, since: None, renew_at: None, seen: false, soonest: SOONEST_FOR_TURN }
    }

    pub(super) fn registration(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Held { registration, .. } | Self::Waiting { registration, .. } => Some(registration),
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::Held { renew_at, .. } => renew_at.map(|due| due.0),
            Self::Waiting { at, .. } => Some(*at),
        }
    }
}

impl Session {
    pub(super) fn ask_credential(&mut self, registration: String, takeover: bool, attempt: u32) {
        self.asked.forget_credential();
        if self.asked.is_asking_credential(&registration, takeover) {
            return;
        }
        if let State::SignedIn(signed_in) = &self.state {
            let (base, token) = (&signed_in.login.base, &signed_in.token);
            let request = ApiRequest::credential(base, token, &registration, &self.instance_id, takeover);
            self.ask(Asking::Credential { registration, takeover, attempt, then: Then::Use }, request);
        }
    }

    pub(super) fn selection_timeout(&mut self, now: Instant, wall: Timestamp) {
        match &mut self.selection {
            Selection::Held { registration, renew_at, .. } if renew_at.is_some_and(|due| due.is_over(now, wall)) => {
                *renew_at = None;
                let registration = registration.clone();
                self.ask_credential(registration, false, 0);
            }
            Selection::Waiting { registration, takeover, attempt, at } if *at <= now => {
                let (registration, takeover, attempt) = (registration.clone(), *takeover, *attempt);
                // Until the answer comes it counts as chosen, without a time of its own.
                self.selection = Selection::asked_for(registration.clone());
                self.ask_credential(registration, takeover, attempt);
            }
            Selection::None | Selection::Held { .. } | Selection::Waiting { .. } => {}
        }
    }

    pub(super) fn credential_came(
        &mut self,
        now: Instant,
        wall: Timestamp,
        asking: Asking,
        result: Result<Answer, Failure>,
    ) {
        let (registration, takeover, attempt) = match asking {
            Asking::Credential { registration, takeover, attempt, then: Then::Use } => {
                (registration, takeover, attempt)
            }
            Asking::Credential { registration, then: Then::Ask { takeover }, .. } => {
                return self.ask_credential(registration, takeover, 0);
            }
            _ => return,
        };
        let is_renewal = self.selection.registration() == Some(&registration);
        let was_given = is_renewal && matches!(self.selection, Selection::Held { since: Some(_), .. });
        match self.read_authorised::<wire::SipCredential>(result) {
            Ok(mut credential) => {
                self.keep_to_stream(&mut credential);
                let soonest = match self.selection {
                    Selection::Held { soonest, .. } if is_renewal => soonest,
                    _ => SOONEST_FOR_TURN,
                };
                let (after, soonest) = renewal(wall, &credential, soonest);
                let (renew_at, since) = (Some(Due::after(now, wall, after)), self.asked.last());
                let seen = false;
                self.selection = Selection::Held { registration: registration.clone(), since, renew_at, seen, soonest };
                self.tell(Event::Credential { registration, credential: Credential(credential) });
            }
            Err(Unusable::Unauthorised) => {
                // Signing in again asks anew for what is chosen.
                if self.is_signing_in() && !is_renewal {
                    self.selection = Selection::asked_for(registration);
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
                    _ if was_given => Event::Withdrawn { reason: p.detail },
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

    /// What the account says of calls, as it changes.
    pub(super) fn media_came(&mut self, data: &str) {
        let State::SignedIn(signed_in) = &mut self.state else { return };
        if let Ok(policy) = serde_json::from_str(data) {
            signed_in.policy = Some(policy);
            self.tell(Event::Policy(policy));
        }
    }

    /// An answer that was on its way may be older than what the stream has told. One without a word of calls leaves them to the
    /// softphone, which is another thing than that there is no account.
    fn keep_to_stream(&self, credential: &mut wire::SipCredential) {
        let media = credential.media.get_or_insert_default();
        if let State::SignedIn(signed_in) = &self.state {
            media.policy = signed_in.policy.unwrap_or(media.policy);
        }
    }

    /// What the list says of the chosen registration, long before our next REGISTER would be refused: taken over by another
    /// device; or held by nobody any more, be it that the TMS was started anew or that there is no such registration now. A
    /// list asked for before the credential came may still show who had it before.
    pub(super) fn look_at_holder(&mut self, asked: RequestId, list: &[wire::Registration]) {
        let Selection::Held { registration, since: Some(since), seen, .. } = &mut self.selection else { return };
        if asked <= *since {
            return;
        }
        let row = list.iter().find(|row| row.name == *registration);
        match row.and_then(|row| row.in_use.as_ref()) {
            Some(holder) if holder.this_device => *seen = true,
            Some(holder) => {
                let registration = registration.clone();
                let reason = format!("{registration} was taken over by {} ({}).", holder.device, holder.address);
                self.selection = Selection::None;
                self.asked.forget_credential();
                self.tell(Event::Displaced { registration, reason });
            }
            // A new credential registers anew, or says why not.
            None if std::mem::take(seen) => {
                let registration = registration.clone();
                self.ask_credential(registration, false, 0);
            }
            // Our REGISTER may still be on its way.
            None => {}
        }
    }

    fn is_signing_in(&self) -> bool {
        matches!(self.state, State::SigningIn { .. })
    }
}
