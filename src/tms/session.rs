//! The session with a TMS, sans-IO: sign-in and its refusals, renewal before expiry, the list of registrations, the SIP
//! credential of the chosen one, the stream of events and its gaps.

use super::{
    login::{BAD_ADDRESS, LoginState, Proof, TmsLogin},
    outcome::{self, Answer, ApiError, Failure},
    url::{TmsUrl, segment},
    wire,
};
use crate::sip::entropy::Entropy;
use jiff::Timestamp;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

mod login;
mod output;
mod request;
mod selection;
mod state;
#[cfg(test)]
mod tests;

pub use output::{Credential, Event, Output, Stream};
pub use request::{ApiRequest, Content, Method, RequestId};
use request::{Asked, Asking, Then};
use selection::Selection;
use state::{Login, Renewal, SignedIn, State, StreamState};

/// See the module's documentation. Time is handed in; `wall` is used for expiry times only.
pub struct Session {
    instance_id: String,
    entropy: Entropy,
    state: State,
    selection: Selection,
    asked: Asked,
    outputs: VecDeque<Output>,
}

impl Session {
    /// `instance_id`: the installation's `+sip.instance`.
    pub fn new(instance_id: String, entropy: Entropy) -> Self {
        Self {
            instance_id,
            entropy,
            state: State::SignedOut,
            selection: Selection::None,
            asked: Asked::default(),
            outputs: VecDeque::new(),
        }
    }

    /// Signs in, forgetting any earlier session and selection; for a link's code only once that has proved good.
    pub fn sign_in(&mut self, typed: TmsLogin) {
        let (base, proof) = (TmsUrl::parse(&typed.url), typed.proof);
        match base {
            Ok(base) if self.is_signed_in() && matches!(proof, Proof::Link { .. }) => {
                self.exchange(Login { base, proof });
            }
            Ok(base) => {
                self.leave();
                self.tell(Event::Login(LoginState::SigningIn));
                self.ask_sign_in(Login { base, proof }, 0);
            }
            Err(reason) => {
                self.leave();
                self.tell(Event::Login(LoginState::Refused { kind: BAD_ADDRESS.into(), reason }));
            }
        }
    }

    /// Ends the session at the TMS, which revokes its SIP credentials.
    pub fn sign_out(&mut self) {
        let was_out = matches!(self.state, State::SignedOut);
        self.leave();
        if !was_out {
            self.tell(Event::Login(LoginState::SignedOut));
        }
    }

    /// The program ends: signs out, but for a session that can only be found again by its token.
    pub fn quit(&mut self) {
        if let State::SignedIn(signed_in) = &self.state
            && matches!(signed_in.login.proof, Proof::Token(_))
        {
            self.state = State::SignedOut;
            self.outputs.push_back(Output::CloseEvents);
        }
        self.sign_out();
    }

    /// Asks for the list of registrations.
    pub fn registrations(&mut self) {
        self.ask_registrations(true);
    }

    /// Asks for the SIP credential of a registration; an earlier choice stays until that is given.
    pub fn select(&mut self, registration: &str, takeover: bool) {
        match self.state {
            State::SignedIn(_) => self.ask_credential(registration.to_owned(), takeover, 0),
            _ => self.tell(Event::Failed { command: "select", message: SIGN_IN_FIRST.into() }),
        }
    }

    /// The chosen registration is no longer wanted.
    pub fn deselect(&mut self) {
        self.selection = Selection::None;
        self.asked.forget_credential();
    }

    pub fn is_signed_in(&self) -> bool {
        matches!(self.state, State::SignedIn(_))
    }

    /// Nothing is under way, so that the shell may stop.
    pub fn is_quiet(&self) -> bool {
        self.asked.is_empty()
    }

    pub fn handle_answer(&mut self, now: Instant, wall: Timestamp, id: RequestId, result: Result<Answer, Failure>) {
        // Answers to questions of a session that is over are no longer expected.
        let Some(asking) = self.asked.take(id) else { return };
        match (asking, std::mem::replace(&mut self.state, State::SignedOut)) {
            (Asking::SignIn, State::SigningIn { login, attempt }) => {
                self.first_session(now, wall, login, attempt, result);
            }
            (Asking::SignIn, State::SignedIn(signed_in)) => self.renewed(now, wall, *signed_in, result),
            (Asking::Exchange(login), state) => {
                self.state = state;
                self.exchanged(now, wall, login, result);
            }
            (Asking::Registrations { asked }, state @ State::SignedIn(_)) => {
                self.state = state;
                self.registrations_came(now, (id, asked), result);
            }
            (asking @ Asking::Credential { .. }, state @ State::SignedIn(_)) => {
                self.state = state;
                self.credential_came(now, wall, asking, result);
            }
            (Asking::SignIn | Asking::Registrations { .. } | Asking::Credential { .. } | Asking::SignOut, state) => {
                self.state = state;
            }
        }
    }

    pub fn handle_stream(&mut self, now: Instant, what: Stream) {
        let delay = self.back_off_for_stream();
        let State::SignedIn(signed_in) = &mut self.state else { return };
        match what {
            Stream::Opened => {
                signed_in.proved = true;
                signed_in.stream = StreamState::Open { since_attempt: 0 };
                // What happened while there was no stream is not told again.
                self.ask_registrations(false);
            }
            Stream::Event(event) => match event.name.as_str() {
                "registrations" => self.ask_registrations(false),
                "media" => self.media_came(&event.data),
                "session" => self.session_ended(ended_reason(&event.data)),
                // The API grows: what is not known yet is for later versions.
                _ => {}
            },
            Stream::Closed(result) => {
                let attempt = match signed_in.stream {
                    StreamState::Open { since_attempt } => since_attempt + 1,
                    StreamState::Waiting { attempt, .. } => attempt,
                };
                signed_in.stream = StreamState::Waiting { at: now + delay, attempt };
                signed_in.policy = None;
                if result.is_ok_and(|answer| answer.status == 401) {
                    self.unauthorised(None);
                }
            }
        }
    }

    /// Also to be called after a sleep.
    pub fn handle_timeout(&mut self, now: Instant, wall: Timestamp) {
        if let State::Waiting { at, .. } = self.state
            && at <= now
            && let State::Waiting { login, attempt, .. } = std::mem::replace(&mut self.state, State::SignedOut)
        {
            self.ask_sign_in(login, attempt);
        }
        if let State::SignedIn(signed_in) = &mut self.state {
            if let StreamState::Waiting { at, attempt } = signed_in.stream
                && at <= now
            {
                signed_in.stream = StreamState::Open { since_attempt: attempt };
                let request = ApiRequest::events(&signed_in.login.base, &signed_in.token);
                self.outputs.push_back(Output::OpenEvents { request });
            }
            if let Renewal::Due { at, attempt } = signed_in.renewal
                && at <= now
            {
                signed_in.renewal = Renewal::Running { attempt };
                let request = signed_in.login.request(&self.instance_id);
                self.ask(Asking::SignIn, request);
            }
            self.selection_timeout(now, wall);
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::SignedOut | State::SigningIn { .. } => None,
            State::Waiting { at, .. } => Some(*at),
            State::SignedIn(signed_in) => {
                let renewal = match signed_in.renewal {
                    Renewal::Due { at, .. } => Some(at),
                    Renewal::Running { .. } | Renewal::Never => None,
                };
                let stream = match signed_in.stream {
                    StreamState::Waiting { at, .. } => Some(at),
                    StreamState::Open { .. } => None,
                };
                [renewal, stream, self.selection.timeout()].into_iter().flatten().min()
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn ask(&mut self, asking: Asking, request: ApiRequest) {
        let id = self.asked.put(asking);
        self.outputs.push_back(Output::Request { id, request });
    }

    /// Leaves whatever session there is, telling the TMS where it knows of one, and nobody else.
    pub fn leave(&mut self) {
        self.forget_questions();
        self.asked.forget_exchange();
        self.selection = Selection::None;
        match std::mem::replace(&mut self.state, State::SignedOut) {
            State::SignedIn(signed_in) => {
                self.outputs.push_back(Output::CloseEvents);
                self.ask(Asking::SignOut, ApiRequest::sign_out(&signed_in.login.base, &signed_in.token));
            }
            State::SignedOut | State::SigningIn { .. } | State::Waiting { .. } => {}
        }
    }

    /// The answers to what was asked in a session that is over count no more; who asked is told.
    fn forget_questions(&mut self) {
        for asking in self.asked.clear() {
            let command = match asking {
                Asking::Registrations { asked: true } => "registrations",
                Asking::Credential { registration, then: Then::Use | Then::Ask { .. }, .. }
                    if self.selection.registration() != Some(&registration) =>
                {
                    "select"
                }
                _ => continue,
            };
            self.tell(Event::Failed { command, message: SESSION_OVER.into() });
        }
    }

    fn ask_sign_in(&mut self, login: Login, attempt: u32) {
        let request = login.request(&self.instance_id);
        self.ask(Asking::SignIn, request);
        self.state = State::SigningIn { login, attempt };
    }

    fn ask_registrations(&mut self, asked: bool) {
        match &self.state {
            State::SignedIn(signed_in) => {
                let request = ApiRequest::registrations(&signed_in.login.base, &signed_in.token);
                self.ask(Asking::Registrations { asked }, request);
            }
            _ if asked => self.tell(Event::Failed { command: "registrations", message: SIGN_IN_FIRST.into() }),
            _ => {}
        }
    }

    fn registrations_came(&mut self, now: Instant, (id, asked): (RequestId, bool), result: Result<Answer, Failure>) {
        match self.read_authorised::<Vec<wire::Registration>>(result) {
            Ok(list) => {
                self.look_at_holder(id, &list);
                if let State::SignedIn(signed_in) = &mut self.state
                    && (asked || signed_in.registrations.as_ref() != Some(&list))
                {
                    signed_in.registrations = Some(list.clone());
                    self.tell(Event::Registrations { list, asked });
                }
            }
            Err(Unusable::Unauthorised) => {
                if asked {
                    self.tell(Event::Failed { command: "registrations", message: SESSION_OVER.into() });
                }
            }
            Err(Unusable::Other(error)) => {
                if asked {
                    self.tell(Event::Failed { command: "registrations", message: error.to_string() });
                } else if let State::SignedIn(signed_in) = &mut self.state {
                    // Opening the stream anew asks for the list anew.
                    signed_in.stream = StreamState::Waiting { at: now + FIRST_RETRY, attempt: 1 };
                }
            }
        }
    }

    /// Reads an answer to a request that carried the token.
    fn read_authorised<T: serde::de::DeserializeOwned>(
        &mut self,
        result: Result<Answer, Failure>,
    ) -> Result<T, Unusable> {
        let State::SignedIn(signed_in) = &mut self.state else { return Err(Unusable::Unauthorised) };
        match outcome::read(signed_in.login.base.as_str(), result) {
            Ok(value) => {
                signed_in.proved = true;
                Ok(value)
            }
            Err(ApiError::Problem(p)) if p.status == 401 => {
                self.unauthorised(Some(p.detail));
                Err(Unusable::Unauthorised)
            }
            Err(error) => Err(Unusable::Other(error)),
        }
    }

    fn back_off_for_stream(&mut self) -> Duration {
        let attempt = match &self.state {
            State::SignedIn(signed_in) => match signed_in.stream {
                StreamState::Open { since_attempt } => since_attempt,
                StreamState::Waiting { attempt, .. } => attempt,
            },
            _ => 0,
        };
        self.back_off(attempt)
    }

    /// 2 s, doubled up to a minute, a quarter more or less so that a thousand softphones do not return together.
    fn back_off(&mut self, attempt: u32) -> Duration {
        let full = FIRST_RETRY.saturating_mul(1 << attempt.min(5)).min(Duration::from_secs(60));
        full.mul_f64(0.75 + 0.5 * self.entropy.unit())
    }
}

enum Unusable {
    /// Dealt with by signing in again.
    Unauthorised,
    Other(ApiError),
}

const FIRST_RETRY: Duration = Duration::from_secs(2);
const SESSION_OVER: &str = "The session at the TMS is over; try again once you are signed in again.";
const SIGN_IN_FIRST: &str = "You are not signed in; sign in to the TMS first.";

fn ended_reason(data: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Ended {
        #[serde(alias = "detail", alias = "why")]
        reason: String,
    }
    match serde_json::from_str::<Ended>(data) {
        Ok(ended) => ended.reason,
        Err(_) => "The TMS ended this session; sign in again.".into(),
    }
}
