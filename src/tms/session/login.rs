//! What becomes of signing in, of renewing the session, and how a session ends.

use super::{
    Asking, Event, Login, LoginState, Output, Proof, Renewal, Selection, Session, SignedIn, State, StreamState,
};
use crate::{
    secret::Secret,
    tms::{
        outcome::{self, Answer, ApiError, Failure},
        session::ApiRequest,
        wire::{self, problem},
    },
};
use jiff::Timestamp;
use std::time::{Duration, Instant};

/// What the TMS said to what opens a session.
pub(super) struct Opened {
    token: Secret,
    me: wire::Me,
    /// Of a session that was found again it is not said.
    expires_at: Option<Timestamp>,
}

impl Login {
    fn opened(&self, result: Result<Answer, Failure>) -> Result<Opened, ApiError> {
        let base = self.base.as_str();
        if let Proof::Token(token) = &self.proof {
            return Ok(Opened { token: token.clone(), me: outcome::read(base, result)?, expires_at: None });
        }
        let session: wire::Session = outcome::read(base, result)?;
        Ok(Opened { token: Secret(session.token), me: session.me, expires_at: Some(session.expires_at) })
    }

    /// A link's session has no password to open the next one with: its end in words, with the way out.
    fn over(&self, reason: String) -> String {
        match self.proof {
            Proof::Token(_) => format!("{reason} {NEW_LINK}"),
            Proof::Password { .. } | Proof::Link { .. } => reason,
        }
    }
}

const NEW_LINK: &str = "Ask for a new link, or sign in with user name, password and API key.";

impl Session {
    pub(super) fn first_session(
        &mut self,
        now: Instant,
        wall: Timestamp,
        login: Login,
        attempt: u32,
        result: Result<Answer, Failure>,
    ) {
        match login.opened(result) {
            Ok(opened) => self.open(now, wall, login, opened),
            Err(ApiError::Problem(p)) => {
                self.selection = Selection::None;
                let reason = login.over(p.detail);
                self.tell(Event::Login(LoginState::Refused { kind: p.kind, reason }));
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
        match old.login.opened(result) {
            Ok(opened) => {
                if opened.me != old.me {
                    self.tell(Event::Login(LoginState::Initialized(opened.me.clone())));
                }
                self.signed_in(now, wall, old.login, opened);
            }
            Err(ApiError::Problem(p)) if p.kind != problem::TOO_MANY_ATTEMPTS => {
                self.state = State::SignedIn(Box::new(old));
                self.refused(p.kind, p.detail);
            }
            Err(_) => {
                let attempt = match old.renewal {
                    Renewal::Due { attempt, .. } | Renewal::Running { attempt } => attempt,
                    Renewal::Never => 0,
                };
                old.renewal = Renewal::Due { at: now + self.back_off(attempt), attempt: attempt + 1 };
                self.state = State::SignedIn(Box::new(old));
            }
        }
    }

    /// A link's code while a session runs: that one goes on until the code has proved good.
    pub(super) fn exchange(&mut self, login: Login) {
        let State::SignedIn(signed_in) = &self.state else { return };
        let (here, there) = (&signed_in.login.base, &login.base);
        if here != there {
            let (here, there) = (here.as_str(), there.as_str());
            let message = format!(
                "This link leads to {there}, and you are signed in at {here}. Sign out first, then open it again."
            );
            return self.tell(Event::Failed { command: "sign_in", message });
        }
        let request = login.request(&self.instance_id);
        self.ask(Asking::Exchange(login), request);
    }

    pub(super) fn exchanged(&mut self, now: Instant, wall: Timestamp, login: Login, result: Result<Answer, Failure>) {
        match (login.opened(result), &self.state) {
            (Ok(opened), _) => {
                self.leave();
                self.tell(Event::Replaced);
                self.open(now, wall, login, opened);
            }
            // The session ended meanwhile: this was the last thing that could open another.
            (Err(ApiError::Problem(p)), State::SignedOut) => {
                self.tell(Event::Login(LoginState::Refused { kind: p.kind, reason: p.detail }));
            }
            (Err(error), _) => self.tell(Event::Failed { command: "sign_in", message: error.to_string() }),
        }
    }

    fn open(&mut self, now: Instant, wall: Timestamp, login: Login, opened: Opened) {
        if matches!(login.proof, Proof::Link { .. }) {
            self.tell(Event::Token(opened.token.clone()));
        }
        self.tell(Event::Login(LoginState::Initialized(opened.me.clone())));
        self.signed_in(now, wall, login, opened);
    }

    fn signed_in(&mut self, now: Instant, wall: Timestamp, mut login: Login, opened: Opened) {
        let Opened { token, me, expires_at } = opened;
        let request = ApiRequest::events(&login.base, &token);
        self.outputs.push_back(Output::OpenEvents { request });
        let renewal = match (&login.proof, expires_at) {
            (Proof::Password { .. }, Some(at)) => Renewal::Due { at: now + renew_after(wall, at), attempt: 0 },
            _ => Renewal::Never,
        };
        if matches!(login.proof, Proof::Link { .. }) {
            login.proof = Proof::Token(token.clone());
        }
        self.state = State::SignedIn(Box::new(SignedIn {
            login,
            token,
            me,
            registrations: None,
            proved: false,
            renewal,
            stream: StreamState::Open { since_attempt: 0 },
            policy: None,
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
        if !signed_in.proved || matches!(signed_in.login.proof, Proof::Token(_)) {
            let reason =
                reason.unwrap_or_else(|| "The TMS does not accept this session any more; sign in again.".into());
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

    fn refused(&mut self, kind: String, mut reason: String) {
        self.forget_questions();
        self.selection = Selection::None;
        if let State::SignedIn(signed_in) = std::mem::replace(&mut self.state, State::SignedOut) {
            reason = signed_in.login.over(reason);
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
