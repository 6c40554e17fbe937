use crate::{
    secret::Secret,
    ui::{
        snapshot::{Intent, SignInForm, SipAccount, Snapshot, Status},
        text::{fill, t},
    },
};
use std::time::{Duration, Instant};

/// What one signs in with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Password,
    /// Tenant and key, for a server that has only the XML API.
    Tenant,
    /// A plain account on any phone system.
    Sip,
}

impl Mode {
    const fn of(form: &SignInForm) -> Self {
        match form {
            SignInForm { plain: true, .. } => Self::Sip,
            SignInForm { xml: true, .. } => Self::Tenant,
            SignInForm { .. } => Self::Password,
        }
    }

    /// What leads there.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => t().use_password,
            Self::Tenant => t().use_tenant,
            Self::Sip => t().use_sip,
        }
    }
}

/// What is typed but not applied yet. It stays in the window.
#[derive(Clone, Default, PartialEq)]
pub struct Draft {
    pub server: String,
    pub username: String,
    pub password: Secret,
    pub api_key: Secret,
    pub remember: bool,
    pub mode: Mode,
    pub tenant: String,
    pub sip_server: String,
    pub sip: SipAccount,
    /// The fields of a plain account that few need are shown.
    pub more: bool,
    /// What the fields were last filled from.
    filled: Option<SignInForm>,
    /// A field that *Apply* found empty.
    missing: Option<&'static str>,
}

impl Draft {
    /// Takes over what is remembered, and each field again when it changes; what is typed gives way to nothing empty.
    pub fn follow(&mut self, form: &SignInForm) {
        if self.filled.as_ref() == Some(form) {
            return;
        }
        self.remember |= self.filled.is_none();
        let old = self.filled.replace(form.clone()).unwrap_or_default();
        let take = |typed: &mut String, old: &str, new: &str| {
            if new != old && !new.is_empty() {
                new.clone_into(typed);
            }
        };
        take(&mut self.server, &old.server, &form.server);
        take(&mut self.username, &old.username, &form.username);
        take(&mut self.password.0, &old.password.0, &form.password.0);
        take(&mut self.api_key.0, &old.api_key.0, &form.api_key.0);
        take(&mut self.tenant, &old.tenant, &form.tenant);
        take(&mut self.sip_server, &old.sip_server, &form.sip_server);
        if form.sip_account != old.sip_account && form.sip_account != SipAccount::default() {
            let turn_password = std::mem::take(&mut self.sip.turn_password);
            self.sip = SipAccount { turn_password, ..form.sip_account.clone() };
            self.more = SipAccount { address: String::new(), ..form.sip_account.clone() } != SipAccount::default();
        }
        if Mode::of(form) != Mode::of(&old) {
            self.mode = Mode::of(form);
        }
    }

    /// Signed in: what is secret has served, and does not wait in the form for whoever comes next.
    pub fn forget_secrets(&mut self) {
        (self.password, self.api_key) = (Secret::default(), Secret::default());
        self.sip.turn_password = Secret::default();
    }

    /// To another kind of sign-in; what is typed stays.
    pub const fn switch(&mut self, mode: Mode) {
        self.mode = mode;
        self.missing = None;
    }

    /// *Apply*: the intent, or nothing and a sentence about the first empty field.
    pub fn apply(&mut self) -> Option<Intent> {
        let remembered = self.remembered();
        let empty = |value: &str, optional: bool| value.trim().is_empty() && !optional;
        self.missing = match self.mode {
            Mode::Sip => empty(&self.sip.address, false).then_some(t().missing_sip_address),
            _ if empty(&self.server, false) => Some(t().missing_server),
            Mode::Tenant if empty(&self.tenant, false) => Some(t().missing_tenant),
            Mode::Tenant if empty(&self.api_key.0, remembered) => Some(t().missing_key),
            Mode::Tenant => None,
            Mode::Password if empty(&self.username, false) => Some(t().missing_username),
            Mode::Password if empty(&self.password.0, remembered) => Some(t().missing_password),
            Mode::Password if empty(&self.api_key.0, remembered) => Some(t().missing_api_key),
            Mode::Password => None,
        };
        let (server, api_key) = (self.server.trim().to_owned(), Secret(self.api_key.0.trim().to_owned()));
        self.missing.is_none().then(|| match self.mode {
            Mode::Sip => Intent::ApplySip {
                account: Box::new(self.sip.clone()),
                password: self.password.clone(),
                remember: self.remember,
            },
            Mode::Tenant => Intent::ApplyXml {
                server,
                tenant: self.tenant.trim().to_owned(),
                key: api_key,
                sip_server: self.sip_server.trim().to_owned(),
                remember: self.remember,
            },
            Mode::Password => Intent::Apply {
                server,
                username: self.username.trim().to_owned(),
                password: self.password.clone(),
                api_key,
                remember: self.remember,
            },
        })
    }

    /// The secrets of this very login are remembered.
    fn remembered(&self) -> bool {
        self.filled.as_ref().is_some_and(|form| {
            let (typed, kept) = match self.mode {
                Mode::Password => ([&self.server, &self.username], [&form.server, &form.username]),
                Mode::Tenant => ([&self.server, &self.tenant], [&form.server, &form.tenant]),
                Mode::Sip => ([&self.sip.address; 2], [&form.sip_account.address; 2]),
            };
            let same = typed.iter().zip(kept).all(|(typed, kept)| typed.trim() == kept.trim());
            form.secrets_remembered && Mode::of(form) == self.mode && same
        })
    }
}

/// The screen as shown.
#[derive(Debug, PartialEq)]
pub struct SignIn {
    pub busy: bool,
    pub apply: &'static str,
    /// In the empty password and key fields, where both are remembered.
    pub secret_hint: &'static str,
    /// The other kinds of sign-in.
    pub others: [Mode; 2],
    pub problem: Option<String>,
    pub next_change: Option<Duration>,
}

pub fn sign_in(snapshot: &Snapshot, draft: &Draft, now: Instant) -> SignIn {
    let busy = snapshot.status == Status::SigningIn;
    let (problem, next_change) = match (&snapshot.status, draft.missing) {
        (Status::SigningIn, _) => (None, None),
        (_, Some(missing)) => (Some(missing.to_owned()), None),
        (Status::Refused { reason }, _) => (Some(reason.clone()), None),
        (Status::TmsUnreachable { reason, retry_at }, _) => {
            let (text, wait) = with_retry(reason, *retry_at, now);
            (Some(text), wait)
        }
        _ => (None, None),
    };
    SignIn {
        busy,
        apply: if busy { t().applying } else { t().apply },
        secret_hint: if draft.remembered() { t().remembered_hint } else { "" },
        others: match draft.mode {
            Mode::Password => [Mode::Tenant, Mode::Sip],
            Mode::Tenant => [Mode::Password, Mode::Sip],
            Mode::Sip => [Mode::Password, Mode::Tenant],
        },
        problem,
        next_change,
    }
}

/// A reason with the time of the next try, and when that text changes.
pub fn with_retry(reason: &str, retry_at: Option<Instant>, now: Instant) -> (String, Option<Duration>) {
    let Some(at) = retry_at else { return (reason.to_owned(), None) };
    let left = at.saturating_duration_since(now);
    if left.is_zero() {
        return (fill(t().retry_now, &[reason]), None);
    }
    let seconds = left.as_secs_f64().ceil() as u64;
    let until_next = left - Duration::from_secs(seconds - 1);
    (fill(t().retry_in, &[reason, &seconds.to_string()]), Some(until_next))
}
