//! What becomes of signing in, of renewing the session, and how a session ends.

use super::{Event, Login, LoginState, Output, Renewal, Selection, Session, SignedIn, State, StreamState};
use crate::{
    tms::{
        outcome::{self, Answer, ApiError, Failure},
        session::ApiRequest,
        wire::{self, problem},
    },
    ua::api::Secret,
};
use jiff::Timestamp;
use std::time::{Duration, Instant};

impl Session {
    pub(super) fn first_session(
        &mut self,
        now: Instant,
        wall: Timestamp,
        login: Login,
        attempt: u32,
        result: Result<Answer, Failure>,
    ) {
        match outcome::read::<wire::Session>(login.base.as_str(), result) {
            Ok(session) => {
                self.tell(Event::Login(LoginState::Initialized(session.me.clone())));
                self.signed_in(now, wall, login, session);
            }
            Err(ApiError::Problem(p)) => {
                self.selection = Selection::None;
                self.tell(Event::Login(LoginState::Refused { kind: p.kind, reason: p.detail }));
            }
            Err(ApiError::Unreachable(reason)) => {
                let delay = self.back_off(attempt);
                self.state = State::Waiting { login, attempt: attempt + 1, at: now + delay };
                let retry_in_s = Some(delay.as_secs().max(1));
                self.tell(Event::Login(LoginState::Unreachable { reason, retry_in_s }));
            }
        }
    }

    pub(super) fn renewed(
        &mut self,
        now: Instant,
        wall: Timestamp,
        mut old: SignedIn,
        result: Result<Answer, Failure>,
    ) {
        match outcome::read::<wire::Session>(old.login.base.as_str(), result) {
            Ok(session) => {
                if session.me != old.me {
                    self.tell(Event::Login(LoginState::Initialized(session.me.clone())));
                }
                self.signed_in(now, wall, old.login, session);
            }
            Err(ApiError::Problem(p)) if p.kind != problem::TOO_MANY_ATTEMPTS => {
                self.state = State::SignedIn(Box::new(old));
                self.refused(p.kind, p.detail);
            }
            Err(_) => {
                let attempt = match old.renewal {
                    Renewal::Due { attempt, .. } | Renewal::Running { attempt } => attempt,
                };
                old.renewal = Renewal::Due { at: now + self.back_off(attempt), attempt: attempt + 1 };
                self.state = State::SignedIn(Box::new(old));
            }
        }
    }

    fn signed_in(&mut self, now: Instant, wall: Timestamp, login: Login, session: wire::Session) {
        let token = Secret(session.token);
        let request = ApiRequest::events(&login.base, &token);
        self.outputs.push_back(Output::OpenEvents { request });
        self.state = State::SignedIn(Box::new(SignedIn {
            login,
            token,
            me: session.me,
            registrations: None,
            proved: false,
            renewal: Renewal::Due { at: now + renew_after(wall, session.expires_at), attempt: 0 },
            stream: StreamState::Open { since_attempt: 0 },
        }));
        // The old session's credential ends with it.
        if let Some(registration) = self.selection.registration() {
            self.ask_credential(registration.to_owned(), false, 0);
        }
    }

    /// The token is no longer good: expired while this computer slept, or the login was disabled. Signing in again tells
    /// the two apart, in the TMS's words.
    pub(super) fn unauthorised(&mut self, reason: Option<String>) {
        let State::SignedIn(signed_in) = &self.state else { return };
        if !signed_in.proved {
            let reason =
                reason.unwrap_or_else(|| "The TMS does not accept the session it just gave; sign in again.".into());
            return self.session_ended(reason);
        }
        let login = signed_in.login.clone();
        self.forget_questions();
        self.outputs.push_back(Output::CloseEvents);
        self.ask_sign_in(login, 0);
    }

    pub(super) fn session_ended(&mut self, reason: String) {
        self.refused(problem::SESSION_ENDED.to_owned(), reason);
    }

    fn refused(&mut self, kind: String, reason: String) {
        self.forget_questions();
        self.selection = Selection::None;
        if let State::SignedIn(_) = std::mem::replace(&mut self.state, State::SignedOut) {
            self.outputs.push_back(Output::CloseEvents);
        }
        self.tell(Event::Login(LoginState::Refused { kind, reason }));
    }
}

/// Four fifths of what is left, at least ten seconds.
pub(super) fn renew_after(wall: Timestamp, expires_at: Timestamp) -> Duration {
    let left = Duration::try_from(expires_at.duration_since(wall)).unwrap_or(Duration::ZERO);
    (left * 4 / 5).clamp(Duration::from_secs(10), Duration::from_secs(7 * 24 * 3600))
}
