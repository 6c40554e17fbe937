//! Events of the driver folded into the snapshot that the window paints. Pure: time comes in as an argument.

mod calls;
mod course;
mod details;
mod people;
mod sound;
mod transfers;

use super::{history::Finished, locale::when, services};
use crate::{
    driver::api::{Event, LoginState},
    media::engine::Severity,
    tms::wire,
    ua::api::{Package, Reachable, RegistrationState},
    ui::{
        snapshot::{Heard, Identity, InUse, Notice, NoticeKind, RegistrationRow, SipPassword, Snapshot, Status},
        text::t,
    },
};
use calls::short_address;
use jiff::Zoned;
use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// How long an ended call is shown with its reason.
const ENDED_SHOWN: Duration = Duration::from_secs(6);

/// Both clocks at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    pub now: Instant,
    pub wall: Zoned,
}

/// What folding an event brings besides the new snapshot.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    pub notices: Vec<Notice>,
    /// For the history.
    pub finished: Option<Finished>,
    /// For one of its entries: how that call sounded.
    pub heard: Option<(u32, Arc<Heard>)>,
    /// The list of registrations has aged: ask for it.
    pub refresh: bool,
    /// Only figures of a call changed: they can wait for its clock to tick.
    pub can_wait: bool,
}

/// The snapshot and what folding needs to remember.
#[derive(Debug, Default)]
pub struct Fold {
    pub snapshot: Snapshot,
    /// What was so when a registration was chosen of which nothing is heard yet.
    before_choice: Option<Status>,
    /// Addresses in this domain are shown without it.
    domain: Option<String>,
    /// Emergency numbers of accounts that name none, while another's are shown.
    own_emergency_numbers: Option<Vec<String>>,
    rows: Vec<wire::Registration>,
    /// Calls that were connected, since when; calls that ended, and when they go.
    connected: Vec<(u32, Instant)>,
    leaving: Vec<(u32, Instant)>,
    meters: bool,
    /// What of which listed colleague the phone system refuses to tell, and why.
    refusals: Vec<(Package, String, String)>,
}

impl Fold {
    pub fn handle_event(&mut self, at: &Moment, event: Event) -> Outcome {
        let mut outcome = Outcome::default();
        let notices = &mut outcome.notices;
        match event {
            Event::Ready { sip } => self.snapshot.about.sip_address = sip,
            Event::Login(state) => self.login(at.now, state, &mut outcome),
            Event::Registrations(rows) => {
                self.rows = rows;
                self.show_rows(at);
            }
            Event::Registration { name, state } => self.registration(at, name, state, &mut outcome),
            Event::SipPasswordWanted { registration } => {
                self.take_choice_back(at);
                self.snapshot.sip_password = Some(SipPassword { registration, problem: None });
            }
            Event::Reachable { name, proof } => self.reachable(at.now, &name, proof),
            Event::Network { address, patience } => notices.extend(self.network(at.now, address, patience)),
            Event::Services(services) => self.snapshot.services = Some(services::shown(&services)),
            Event::Messages(messages) => self.voicemail(messages),
            Event::Message { from, from_name, text } => notices.push(self.message(&from, from_name, &text)),
            Event::Colleague { uri, state } => self.colleague(&uri, state),
            Event::Subscription { package, to, refusal } => self.watched(package, &to, refusal),
            Event::Call(info) => outcome.finished = self.call(at, &info),
            event @ (Event::Transfer { .. } | Event::DialAsked { .. } | Event::DialAskedOver { .. }) => {
                self.transfers(event);
            }
            Event::Trace { call, messages } => self.trace(at, call, messages),
            Event::Quality { call, verdict, last, .. } => outcome.heard = self.judged(call, verdict, last),
            Event::Stats { call, ref stats, .. } => {
                self.goes_on(at.now, call, stats);
                self.sound(event);
                outcome.can_wait = true;
            }
            Event::Speaks { call, on } => self.with_call(call, |shown| shown.speaks = on),
            Event::Recording { call, file, state } => notices.extend(self.recording(at.now, call, file, state)),
            Event::RecordingRule(rule) => self.snapshot.recording = details::recording_rule(rule),
            Event::TalksMuted { .. } => notices.push(notice(NoticeKind::Warning, t().talks_muted.to_owned())),
            Event::Notice(told) => notices.push(notice(severity(told.severity), told.text)),
            Event::Error { command, message, .. } => {
                self.failed(at, command);
                notices.push(notice(NoticeKind::Error, message));
            }
            Event::Muted { .. }
            | Event::Levels { .. }
            | Event::Devices(_)
            | Event::Check(_)
            | Event::Exposure { .. } => self.sound(event),
            Event::Stopped { .. } => self.drop_check(),
            Event::Token(_)
            | Event::Referred { .. }
            | Event::TakesOver { .. }
            | Event::Dtmf { .. }
            | Event::Done { .. } => {}
        }
        outcome
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.leaving.iter().map(|(_, at)| *at).min()
    }

    /// Removes calls whose end has been shown long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = |at: &Instant| *at <= now;
        let leaving = &self.leaving;
        self.snapshot.calls.retain(|call| !leaving.iter().any(|(id, at)| *id == call.id && due(at)));
        self.leaving.retain(|(_, at)| !due(at));
    }

    /// A registration is chosen: connecting, from now on.
    pub fn choose(&mut self, at: &Moment, registration: String) {
        let before = std::mem::replace(&mut self.snapshot.status, Status::Connecting { registration });
        self.before_choice.get_or_insert(before);
        self.snapshot.sip_password = None;
        self.show_rows(at);
    }

    /// The choice has come to nothing, or is taken back: what was so before it is so still.
    pub fn take_choice_back(&mut self, at: &Moment) {
        if let Some(before) = self.before_choice.take() {
            self.snapshot.status = before;
            self.show_rows(at);
        }
    }

    /// Another day has begun: "08:02" was yesterday.
    pub fn handle_new_day(&mut self, at: &Moment) {
        self.show_rows(at);
    }

    /// The window shows meters, or no longer does.
    pub fn set_meters(&mut self, on: bool) {
        self.meters = on;
        if !on {
            (self.snapshot.audio.microphone_level, self.snapshot.audio.speaker_level) = (0.0, 0.0);
        }
    }

    fn login(&mut self, now: Instant, state: LoginState, outcome: &mut Outcome) {
        let registered = self.registration_shown().is_some();
        match state {
            // A plain account needs no login.
            LoginState::SignedOut if self.snapshot.sip_account.is_some() => {}
            LoginState::SignedOut => self.forget_login(Status::SignedOut),
            LoginState::SigningIn if self.snapshot.identity.is_none() => self.snapshot.status = Status::SigningIn,
            LoginState::SigningIn => {}
            LoginState::Initialized(me) => {
                self.domain = Some(me.account.realm);
                let before = std::mem::replace(&mut self.snapshot.emergency_numbers, me.account.emergency_numbers);
                self.own_emergency_numbers.get_or_insert(before);
                let (account, tenant) = (me.account.name, me.account.tenant);
                self.snapshot.identity = Some(Identity { user: me.user.name, account, tenant });
                if !registered {
                    self.snapshot.status = Status::Initialized;
                }
                outcome.refresh = true;
            }
            LoginState::Refused { reason, .. } => self.forget_login(Status::Refused { reason }),
            LoginState::Unreachable { reason, retry_in_s } => {
                // Calls go on without the TMS: a registration that works stays what is shown.
                if !registered {
                    let retry_at = retry_in_s.map(|seconds| now + Duration::from_secs(seconds));
                    self.snapshot.status = Status::TmsUnreachable { reason, retry_at };
                }
            }
        }
    }

    fn forget_login(&mut self, status: Status) {
        self.before_choice = None;
        self.snapshot.network_lost = None;
        self.set_status(status);
        self.snapshot.identity = None;
        self.snapshot.sip_password = None;
        self.snapshot.registrations.clear();
        self.rows.clear();
        self.domain = None;
        if let Some(own) = self.own_emergency_numbers.take() {
            self.snapshot.emergency_numbers = own;
        }
    }

    /// The registration chosen here.
    fn registration_shown(&self) -> Option<&str> {
        match &self.snapshot.status {
            Status::Connecting { registration }
            | Status::Online { registration, .. }
            | Status::OnlineElsewhere { registration, .. }
            | Status::NotReachable { registration, .. } => Some(registration),
            Status::SignedOut
            | Status::SigningIn
            | Status::Refused { .. }
            | Status::TmsUnreachable { .. }
            | Status::Initialized => None,
        }
    }

    /// The registration that is ours, or that we are bringing online: what is said of another one does not change that.
    fn registration_held(&self) -> Option<&str> {
        match &self.snapshot.status {
            Status::Connecting { registration } | Status::Online { registration, .. } => Some(registration),
            _ => None,
        }
    }

    fn registration(&mut self, at: &Moment, name: String, state: RegistrationState, outcome: &mut Outcome) {
        match self.before_choice.take() {
            // Of the one that we had: it is ours still if the choice comes to nothing.
            Some(before) if self.registration_shown() != Some(&name) => {
                let chosen = std::mem::replace(&mut self.snapshot.status, before);
                self.registration_state(at, name, state, outcome);
                self.before_choice = Some(std::mem::replace(&mut self.snapshot.status, chosen));
                self.show_rows(at);
            }
            // Not for us, and what we had goes on.
            Some(before @ Status::Online { .. })
                if matches!(state, RegistrationState::Conflict { .. } | RegistrationState::Failed { .. }) =>
            {
                self.snapshot.status = before;
                self.registration_state(at, name, state, outcome);
                self.show_rows(at);
            }
            _ => self.registration_state(at, name, state, outcome),
        }
    }

    fn registration_state(
        &mut self,
        at: &Moment,
        registration: String,
        state: RegistrationState,
        outcome: &mut Outcome,
    ) {
        let now = at.now;
        if let RegistrationState::Conflict { reason, .. } | RegistrationState::Failed { reason, .. } = &state
            && self.registration_held().is_some_and(|held| held != registration)
        {
            let text = format!("{registration}: {reason}");
            outcome.notices.push(Notice { kind: NoticeKind::Warning, text });
            // Who holds what is shown beside it.
            outcome.refresh = self.snapshot.identity.is_some();
            return;
        }
        self.snapshot.sip_password = self.sip_password(&registration, &state);
        let status = match state {
            // The old one is reported offline after the new one was chosen: that changes nothing.
            RegistrationState::Offline if self.registration_shown() != Some(&registration) => return,
            RegistrationState::Offline if self.snapshot.identity.is_some() => Status::Initialized,
            RegistrationState::Offline => Status::SignedOut,
            RegistrationState::Registering => Status::Connecting { registration },
            RegistrationState::Online { .. } => {
                let since = match &self.snapshot.status {
                    Status::Online { registration: old, since, .. } if *old == registration => *since,
                    _ => now,
                };
                Status::Online { registration, since, confirmed: now }
            }
            RegistrationState::Conflict { reason, .. } => Status::OnlineElsewhere { registration, reason },
            RegistrationState::Failed { reason, retry_in, .. } => {
                Status::NotReachable { registration, reason, retry_at: retry_in.map(|wait| now + wait) }
            }
        };
        // A refresh of what is online already shows nothing new, and costs no question.
        outcome.refresh = self.snapshot.identity.is_some()
            && std::mem::discriminant(&status) != std::mem::discriminant(&self.snapshot.status)
            && !matches!(status, Status::Connecting { .. });
        self.set_status(status);
        self.show_rows(at);
    }

    /// What was known of a server holds as long as we are online there.
    fn set_status(&mut self, status: Status) {
        if !matches!(status, Status::Online { .. }) {
            self.snapshot.proof = None;
            self.forget_presence();
        }
        self.snapshot.status = status;
    }

    /// A lasting SIP password that the registrar does not take is to be typed again.
    fn sip_password(&self, registration: &str, state: &RegistrationState) -> Option<SipPassword> {
        match state {
            RegistrationState::Failed { code: Some(401 | 403 | 407), reason, retry_in: None }
                if self.snapshot.sign_in.xml =>
            {
                Some(SipPassword { registration: registration.to_owned(), problem: Some(reason.clone()) })
            }
            RegistrationState::Offline => self.snapshot.sip_password.clone(),
            _ => None,
        }
    }

    fn show_rows(&mut self, at: &Moment) {
        let selected = self.registration_shown().map(str::to_owned);
        let locale = self.snapshot.locale;
        let row = |row: &wire::Registration| RegistrationRow {
            name: row.name.clone(),
            extension: row.extension.clone(),
            primary: row.kind == wire::Kind::P,
            label: row.label.clone(),
            ring_inbound: row.ring_inbound,
            in_use: row.in_use.as_ref().map(|holder| InUse {
                device: holder.device.clone(),
                address: holder.address.clone(),
                since: when(holder.since, &at.wall, locale),
                this_device: holder.this_device,
            }),
            selected: selected.as_deref() == Some(&row.name),
        };
        self.snapshot.registrations = self.rows.iter().map(row).collect();
    }

    fn reachable(&mut self, now: Instant, name: &str, proof: Reachable) {
        if let Status::Online { registration, confirmed, .. } = &mut self.snapshot.status
            && registration == name
        {
            *confirmed = now;
            self.snapshot.proof = Some(details::proof(proof));
        }
    }

    fn network(&mut self, now: Instant, address: Option<IpAddr>, patience: Duration) -> Option<Notice> {
        self.snapshot.network_lost = address.is_none().then(|| now + patience);
        let text = format!("The network has changed; calls go on from {}.", address?);
        Some(notice(NoticeKind::Info, text))
    }

    /// What a command that has failed leaves to be taken back.
    fn failed(&mut self, at: &Moment, command: &str) {
        match command {
            "select" | "sip_password" => self.take_choice_back(at),
            _ => {}
        }
    }
}

const fn notice(kind: NoticeKind, text: String) -> Notice {
    Notice { kind, text }
}

const fn severity(severity: Severity) -> NoticeKind {
    match severity {
        Severity::Info => NoticeKind::Info,
        Severity::Warning => NoticeKind::Warning,
    }
}

#[cfg(test)]
mod tests;
