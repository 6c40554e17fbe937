//! The session with a TMS that has only the XML API, sans-IO. There is nothing to open: each request proves itself by tenant
//! and key. The list of registrations is asked for anew from time to time, for nobody tells of changes; a SIP password is the
//! lasting one of a registration, typed by a person. docs/tms-xml.md has the documents.

use super::{
    login::{BAD_ADDRESS, LoginState, XmlLogin},
    outcome::{Answer, ApiError, Failure},
    session::{ApiRequest, Credential, Event, Output, RequestId},
    url::TmsUrl,
    wire,
};
use crate::{secret::Secret, sip::entropy::Entropy};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

mod document;
#[cfg(test)]
mod tests;

use document::Tenant;

/// Answers may be half a minute old, so that asking more often brings nothing.
const POLL: Duration = Duration::from_secs(30);
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// An error is a sentence without a code. So many in a row, seconds apart, are no passing trouble: the key is good no more.
const REFUSALS: u32 = 3;
/// More unanswered requests than that, and the oldest is forgotten.
const MOST: usize = 64;
/// Told from the other kind of session's.
const FIRST_ID: u64 = 1 << 32;

/// See the module's documentation.
pub struct XmlSession {
    instance_id: String,
    entropy: Entropy,
    state: State,
    /// The chosen registration.
    chosen: Option<Choice>,
    last: u64,
    asked: BTreeMap<RequestId, Asking>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
enum State {
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

#[derive(Debug)]
struct Login {
    base: TmsUrl,
    typed: XmlLogin,
}

#[derive(Debug)]
struct SignedIn {
    login: Login,
    sip: document::Sip,
    /// As last told.
    list: Vec<wire::Registration>,
    poll_at: Instant,
    /// Errors in a row.
    refusals: u32,
}

#[derive(Debug)]
struct Choice {
    registration: String,
    /// The TMS could not be reached; when it is asked again.
    again: Option<(Instant, u32)>,
}

/// What an unanswered request was for.
#[derive(Debug)]
enum Asking {
    SignIn,
    /// `asked`: by a person or program, rather than by ourselves.
    List {
        asked: bool,
    },
    /// Who holds the registration, before it is chosen.
    Choice {
        registration: String,
        attempt: u32,
    },
}

impl XmlSession {
    /// `instance_id`: the installation's `+sip.instance`.
    pub fn new(instance_id: String, entropy: Entropy) -> Self {
        Self {
            instance_id,
            entropy,
            state: State::SignedOut,
            chosen: None,
            last: FIRST_ID,
            asked: BTreeMap::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Signs in, forgetting any earlier session.
    pub fn sign_in(&mut self, typed: XmlLogin) {
        self.leave();
        match TmsUrl::parse(document::without_path(&typed.url)) {
            Ok(base) => {
                self.tell(Event::Login(LoginState::SigningIn));
                self.ask_sign_in(Login { base, typed }, 0);
            }
            Err(reason) => self.tell(Event::Login(LoginState::Refused { kind: BAD_ADDRESS.into(), reason })),
        }
    }

    pub fn sign_out(&mut self) {
        if !matches!(self.state, State::SignedOut) {
            self.leave();
            self.tell(Event::Login(LoginState::SignedOut));
        }
    }

    /// Nothing of a session is left; nobody is told.
    pub fn leave(&mut self) {
        self.state = State::SignedOut;
        self.chosen = None;
        for asking in std::mem::take(&mut self.asked).into_values() {
            let command = match asking {
                Asking::List { asked: true } => "registrations",
                Asking::Choice { .. } => "select",
                Asking::SignIn | Asking::List { asked: false } => continue,
            };
            self.fail(command, "You were signed out meanwhile; try again once you are signed in again.");
        }
    }

    /// Somebody is signed in here, or on the way.
    pub fn is_active(&self) -> bool {
        !matches!(self.state, State::SignedOut)
    }

    pub fn is_signed_in(&self) -> bool {
        matches!(self.state, State::SignedIn(_))
    }

    pub fn is_quiet(&self) -> bool {
        self.asked.is_empty()
    }

    /// Asks for the list of registrations.
    pub fn registrations(&mut self) {
        self.ask_list(true);
    }

    /// Goes on to [`Event::Credential`] where nobody else holds the registration and its password is known.
    pub fn select(&mut self, registration: &str) {
        self.ask_choice(registration.to_owned(), 0);
    }

    pub fn deselect(&mut self) {
        self.chosen = None;
        self.asked.retain(|_, asking| !matches!(asking, Asking::Choice { .. }));
    }

    /// The answer to [`Event::PasswordWanted`], or a better one than before: chooses the registration.
    pub fn sip_password(&mut self, registration: &str, password: Secret) {
        if let State::SignedIn(signed_in) = &mut self.state {
            signed_in.login.typed.passwords.of.insert(registration.to_owned(), password);
        }
        self.select(registration);
    }

    /// The request is one of this session's.
    pub fn is_asking(&self, id: RequestId) -> bool {
        self.asked.contains_key(&id)
    }

    pub fn handle_answer(&mut self, now: Instant, id: RequestId, result: Result<Answer, Failure>) {
        let Some(asking) = self.asked.remove(&id) else { return };
        match std::mem::replace(&mut self.state, State::SignedOut) {
            State::SigningIn { login, attempt } => self.first_list(now, login, attempt, result),
            State::SignedIn(mut signed_in) => {
                let read = document::tenant(&signed_in.login.base, result);
                if let Ok(tenant) = &read {
                    (signed_in.refusals, signed_in.sip) = (0, tenant.sip.clone());
                    signed_in.poll_at = now + POLL;
                }
                self.state = State::SignedIn(signed_in);
                match asking {
                    Asking::SignIn => {}
                    Asking::List { asked } => self.list_came(now, asked, read),
                    Asking::Choice { registration, attempt } => self.choice_came(now, registration, attempt, read),
                }
            }
            state @ (State::SignedOut | State::Waiting { .. }) => self.state = state,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Waiting { at, .. } = self.state
            && at <= now
            && let State::Waiting { login, attempt, .. } = std::mem::replace(&mut self.state, State::SignedOut)
        {
            self.ask_sign_in(login, attempt);
        }
        if let State::SignedIn(signed_in) = &mut self.state
            && signed_in.poll_at <= now
        {
            signed_in.poll_at = now + POLL;
            self.ask_list(false);
        }
        if let Some(Choice { registration, again }) = &mut self.chosen
            && let Some((_, attempt)) = again.take_if(|(at, _)| *at <= now)
        {
            let registration = registration.clone();
            self.ask_choice(registration, attempt);
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let state = match &self.state {
            State::SignedOut | State::SigningIn { .. } => return None,
            State::Waiting { at, .. } => *at,
            State::SignedIn(signed_in) => signed_in.poll_at,
        };
        let again = self.chosen.as_ref().and_then(|choice| choice.again).map(|(at, _)| at);
        again.into_iter().chain([state]).min()
    }

    fn first_list(&mut self, now: Instant, login: Login, attempt: u32, result: Result<Answer, Failure>) {
        match document::tenant(&login.base, result) {
            Ok(tenant) => {
                let list = self.list(&tenant);
                let me = document::me(&login.base, &login.typed, &tenant);
                self.tell(Event::Login(LoginState::Initialized(me)));
                self.tell(Event::Registrations { list: list.clone(), asked: false });
                let poll_at = now + POLL;
                self.state = State::SignedIn(Box::new(SignedIn { login, sip: tenant.sip, list, poll_at, refusals: 0 }));
            }
            Err(ApiError::Problem(p)) => {
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

    fn list_came(&mut self, now: Instant, asked: bool, read: Result<Tenant, ApiError>) {
        match read {
            Ok(tenant) => self.show(&tenant, asked),
            Err(error) => {
                if asked {
                    self.fail("registrations", &error.to_string());
                }
                self.trouble(now, error);
            }
        }
    }

    fn choice_came(&mut self, now: Instant, registration: String, attempt: u32, read: Result<Tenant, ApiError>) {
        let tenant = match read {
            Ok(tenant) => tenant,
            Err(ApiError::Unreachable(reason)) => {
                let retry_in = self.back_off(attempt);
                let again = Some((now + retry_in, attempt + 1));
                self.chosen = Some(Choice { registration: registration.clone(), again });
                return self.tell(Event::SelectDelayed { registration, reason, retry_in });
            }
            Err(error) => {
                self.fail("select", &error.to_string());
                return self.trouble(now, error);
            }
        };
        self.show(&tenant, false);
        let row = self.list(&tenant).into_iter().find(|row| row.name == registration);
        let enabled = tenant.rows.iter().any(|row| row.registration.name == registration && row.enabled);
        let State::SignedIn(signed_in) = &self.state else { return };
        match row {
            None => self.fail("select", &format!("There is no registration {registration} in this tenant.")),
            Some(_) if !enabled => {
                let why = format!("{registration} is disabled. Whoever manages your TMS can enable it again.");
                self.fail("select", &why);
            }
            Some(row) => match row.in_use.filter(|holder| !holder.this_device) {
                Some(holder) => {
                    let reason = format!(
                        "{registration} is in use by {} at {}. This kind of TMS cannot move it here: switch that device \
                         off, or choose another registration.",
                        holder.device, holder.address
                    );
                    self.tell(Event::Conflict { registration, reason });
                }
                None => match signed_in.credential(&registration) {
                    Some(credential) => {
                        self.chosen = Some(Choice { registration: registration.clone(), again: None });
                        self.tell(Event::Credential { registration, credential });
                    }
                    None => self.tell(Event::PasswordWanted { registration }),
                },
            },
        }
    }

    /// Tells the list where it has changed or was asked for.
    fn show(&mut self, tenant: &Tenant, asked: bool) {
        let list = self.list(tenant);
        if let State::SignedIn(signed_in) = &mut self.state
            && (asked || signed_in.list != list)
        {
            signed_in.list.clone_from(&list);
            self.tell(Event::Registrations { list, asked });
        }
    }

    /// The registrations, with who holds each. A TMS that does not name the holder's installation leaves open whether what we
    /// chose is held by us: it is taken to be.
    fn list(&self, tenant: &Tenant) -> Vec<wire::Registration> {
        let chosen = self.chosen.as_ref().map(|choice| choice.registration.as_str());
        let row = |row: &document::Row| {
            let mut shown = row.registration.clone();
            if let Some(holder) = &mut shown.in_use {
                holder.this_device = match &row.instance {
                    Some(instance) => instance.eq_ignore_ascii_case(&self.instance_id),
                    None => chosen == Some(shown.name.as_str()),
                };
            }
            shown
        };
        tenant.rows.iter().map(row).collect()
    }

    /// The TMS did not answer what it should: asks again soon, and ends the session where it goes on saying no.
    fn trouble(&mut self, now: Instant, error: ApiError) {
        let State::SignedIn(signed_in) = &mut self.state else { return };
        signed_in.refusals += u32::from(matches!(error, ApiError::Problem(_)));
        let refusals = signed_in.refusals;
        if let ApiError::Problem(p) = error
            && refusals >= REFUSALS
        {
            self.leave();
            return self.tell(Event::Login(LoginState::Refused { kind: p.kind, reason: p.detail }));
        }
        let soon = if refusals == 0 { POLL } else { self.back_off(refusals - 1) };
        if let State::SignedIn(signed_in) = &mut self.state {
            signed_in.poll_at = now + soon;
        }
    }

    fn ask_sign_in(&mut self, login: Login, attempt: u32) {
        let request = login.get_extensions();
        self.ask(Asking::SignIn, request);
        self.state = State::SigningIn { login, attempt };
    }

    fn ask_list(&mut self, asked: bool) {
        match &self.state {
            State::SignedIn(signed_in) => {
                let request = signed_in.login.get_extensions();
                self.ask(Asking::List { asked }, request);
            }
            _ => self.fail("registrations", SIGN_IN_FIRST),
        }
    }

    fn ask_choice(&mut self, registration: String, attempt: u32) {
        self.asked.retain(|_, asking| !matches!(asking, Asking::Choice { .. }));
        match &self.state {
            State::SignedIn(signed_in) => {
                let request = signed_in.login.get_extensions();
                self.ask(Asking::Choice { registration, attempt }, request);
            }
            _ => self.fail("select", SIGN_IN_FIRST),
        }
    }

    fn ask(&mut self, asking: Asking, request: ApiRequest) {
        self.last += 1;
        let id = RequestId(self.last);
        if self.asked.len() >= MOST {
            self.asked.pop_first();
        }
        self.asked.insert(id, asking);
        self.outputs.push_back(Output::Request { id, request });
    }

    fn fail(&mut self, command: &'static str, message: &str) {
        self.tell(Event::Failed { command, message: message.to_owned() });
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// 2 s, doubled up to a minute, a quarter more or less.
    fn back_off(&mut self, attempt: u32) -> Duration {
        let full = FIRST_RETRY.saturating_mul(1 << attempt.min(5)).min(Duration::from_secs(60));
        full.mul_f64(0.75 + 0.5 * self.entropy.unit())
    }
}

impl Login {
    fn get_extensions(&self) -> ApiRequest {
        document::request(&self.base, &self.typed.tenant, &self.typed.key, "GetExtensions")
    }
}

impl SignedIn {
    /// The lasting credential of a registration whose password is known.
    fn credential(&self, registration: &str) -> Option<Credential> {
        let password = self.login.typed.passwords.get(registration)?;
        let (sip, host) = (&self.sip, self.login.base.host());
        let outbound_proxy = self.login.typed.sip_server.as_deref().or(sip.server.as_deref()).unwrap_or(host);
        let scheme = if outbound_proxy.starts_with("sip:") { "" } else { "sip:" };
        Some(Credential(wire::SipCredential {
            aor: format!("sip:{registration}@{}", sip.domain.as_deref().unwrap_or(host)),
            username: registration.to_owned(),
            password: password.0.clone(),
            // Nobody tells.
            realm: String::new(),
            outbound_proxy: format!("{scheme}{outbound_proxy}"),
            outbound_proxy_tls: None,
            transports: sip.transports.clone(),
            // It lasts until someone changes it.
            expires_at: Timestamp::MAX,
            media: None,
        }))
    }
}

const SIGN_IN_FIRST: &str = "You are not signed in; sign in to the TMS first.";
