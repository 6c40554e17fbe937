use crate::{
    number,
    ui::{
        format::age,
        screen::{Tone, sign_in::data::with_retry},
        snapshot::{CallState, RegistrationRow, Services, SipPassword, Snapshot, Status, Voicemail},
        text::{fill, t},
    },
};
use std::time::{Duration, Instant};

/// The line at the top: where we stand.
#[derive(Debug, PartialEq)]
pub struct StatusLine {
    pub word: &'static str,
    pub tone: Tone,
    pub registration: Option<String>,
    /// (P) or (S), and the same in a word.
    pub kind: Option<(&'static str, &'static str)>,
}

/// What is wrong, or what to do next, with its buttons.
#[derive(Debug, PartialEq)]
pub struct Advice {
    pub text: String,
    pub tone: Tone,
    pub help: Help,
}

#[derive(Debug, PartialEq)]
pub enum Help {
    /// Go to *Select account*.
    SelectAccount,
    ChooseAnother,
    /// Go to the plain account in use.
    ChangeAccount,
    /// The registration is on another device: choose this secondary, or take over.
    Elsewhere {
        secondary: Option<String>,
        /// Not where the server cannot move registrations.
        take_over: Option<String>,
    },
    /// Type the SIP password of this registration.
    Password {
        registration: String,
    },
    /// Let calls ring again.
    EndDoNotDisturb,
    /// Go to where calls are forwarded.
    Forwarding,
    None,
}

pub struct Main {
    pub status: StatusLine,
    pub advice: Option<Advice>,
    /// There is no network, and how long calls wait for it.
    pub network: Option<String>,
    /// Beside the registration, where it is no good news.
    pub unproved: Option<String>,
    pub voicemail: Option<Lamp>,
    /// Why nothing can be dialled, where that is so.
    pub cannot_dial: Option<&'static str>,
    pub next_change: Option<Duration>,
}

/// The lamp for voicemail, as soon as the phone system has said anything about it.
#[derive(Debug, PartialEq)]
pub struct Lamp {
    /// In words.
    pub name: String,
    /// How many are new.
    pub badge: Option<String>,
    pub lit: bool,
    /// What to dial to listen.
    pub dial: Option<String>,
}

/// A proof that is older than a registrar usually leaves us alone is no good news.
const STALE: Duration = Duration::from_secs(900);

pub fn status_line(snapshot: &Snapshot) -> StatusLine {
    let (word, tone, registration) = match &snapshot.status {
        Status::SignedOut => (t().signed_out, Tone::Neutral, None),
        Status::SigningIn => (t().signing_in, Tone::Accent, None),
        Status::Refused { .. } => (t().refused, Tone::Stop, None),
        Status::TmsUnreachable { .. } => (t().tms_unreachable, Tone::Hold, None),
        Status::Initialized => (t().initialized, Tone::Accent, None),
        Status::Connecting { registration } => (t().connecting, Tone::Accent, Some(registration)),
        Status::Online { registration, .. } if snapshot.services.as_ref().is_some_and(|s| s.do_not_disturb) => {
            (t().do_not_disturb, Tone::Hold, Some(registration))
        }
        Status::Online { registration, .. } if is_forwarded(snapshot) => {
            (t().forwarded, Tone::Hold, Some(registration))
        }
        Status::Online { registration, .. } => (t().online, Tone::Go, Some(registration)),
        Status::OnlineElsewhere { registration, .. } => (t().online_elsewhere, Tone::Hold, Some(registration)),
        Status::NotReachable { registration, .. } => (t().not_reachable, Tone::Stop, Some(registration)),
    };
    let row = registration.and_then(|name| snapshot.registrations.iter().find(|row| &row.name == name));
    StatusLine { word, tone, registration: registration.cloned(), kind: row.map(kind) }
}

fn is_forwarded(snapshot: &Snapshot) -> bool {
    snapshot.services.as_ref().is_some_and(|services| !services.forward_always.is_empty())
}

/// (P) or (S), and what a screen reader says for it.
pub fn kind(row: &RegistrationRow) -> (&'static str, &'static str) {
    if row.primary { (t().primary, t().primary_long) } else { (t().secondary, t().secondary_long) }
}

pub fn main(snapshot: &Snapshot, now: Instant) -> Main {
    let mut next_change = None;
    let mut retrying = |reason: &str, retry_at| {
        let (text, wait) = with_retry(reason, retry_at, now);
        next_change = wait;
        text
    };
    let advice = match &snapshot.status {
        _ if snapshot.sip_password.is_some() => snapshot.sip_password.as_ref().map(password),
        Status::Initialized => {
            Some(Advice { text: t().initialized_hint.to_owned(), tone: Tone::Accent, help: Help::SelectAccount })
        }
        Status::Refused { reason } => Some(Advice { text: reason.clone(), tone: Tone::Stop, help: Help::None }),
        Status::TmsUnreachable { reason, retry_at } => {
            Some(Advice { text: retrying(reason, *retry_at), tone: Tone::Hold, help: Help::None })
        }
        Status::NotReachable { reason, retry_at, .. } => {
            let help = if snapshot.sip_account.is_some() { Help::ChangeAccount } else { Help::ChooseAnother };
            Some(Advice { text: retrying(reason, *retry_at), tone: Tone::Stop, help })
        }
        Status::OnlineElsewhere { registration, reason } => {
            let secondary = free_secondary(snapshot, registration).map(|row| row.name.clone());
            let take_over = (!snapshot.sign_in.xml).then(|| registration.clone());
            let help = Help::Elsewhere { secondary, take_over };
            Some(Advice { text: reason.clone(), tone: Tone::Hold, help })
        }
        Status::Online { .. } => snapshot.services.as_ref().and_then(away),
        Status::SignedOut | Status::SigningIn | Status::Connecting { .. } => None,
    };
    let (network, waits) = network(snapshot, now);
    let (unproved, ages) = unproved(snapshot, now);
    Main {
        status: status_line(snapshot),
        advice,
        network,
        unproved,
        voicemail: voicemail(&snapshot.voicemail),
        cannot_dial: (!matches!(snapshot.status, Status::Online { .. })).then_some(t().dial_offline),
        next_change: [next_change, waits, ages].into_iter().flatten().min(),
    }
}

/// That there is no network, and when those words change: a countdown while a call waits.
fn network(snapshot: &Snapshot, now: Instant) -> (Option<String>, Option<Duration>) {
    let Some(until) = snapshot.network_lost else { return (None, None) };
    if !snapshot.calls.iter().any(|call| !matches!(call.state, CallState::Ended { .. })) {
        return (Some(t().network_lost.to_owned()), None);
    }
    let left = until.saturating_duration_since(now);
    if left.is_zero() {
        return (Some(t().network_calls_end.to_owned()), None);
    }
    let seconds = left.as_secs_f64().ceil() as u64;
    let text = fill(t().network_calls_wait, &[&seconds.to_string()]);
    (Some(text), Some(left - Duration::from_secs(seconds - 1)))
}

/// How long nothing has shown that calls can arrive, where that is long; and when that changes.
fn unproved(snapshot: &Snapshot, now: Instant) -> (Option<String>, Option<Duration>) {
    let Status::Online { confirmed, .. } = &snapshot.status else { return (None, None) };
    // Nobody proves what is not registered.
    if snapshot.sip_account.as_ref().is_some_and(|account| !account.register) {
        return (None, None);
    }
    let old = now.saturating_duration_since(*confirmed);
    if old < STALE {
        return (None, Some(STALE - old));
    }
    (Some(fill(t().unproved, &[&age(old)])), Some(Duration::from_secs(60)))
}

fn voicemail(voicemail: &Voicemail) -> Option<Lamp> {
    let Voicemail { waiting, new, old, account } = voicemail;
    if *voicemail == Voicemail::default() {
        return None;
    }
    let words = match (waiting, new, old) {
        (false, 0, 0) => t().voicemail_none.to_owned(),
        (true, 0, 0) => t().voicemail.to_owned(),
        (_, new, old) => fill(t().voicemail_new, &[&new.to_string(), &old.to_string()]),
    };
    let name = if account.is_some() { fill(t().listen, &[&words]) } else { words };
    let badge = (*new > 0).then(|| if *new > 99 { "99+".to_owned() } else { new.to_string() });
    Some(Lamp { name, badge, lit: *waiting || *new > 0, dial: account.clone() })
}

/// Why no call rings here, where that is so.
fn away(services: &Services) -> Option<Advice> {
    let (text, help) = match services {
        Services { forward_always, .. } if !forward_always.is_empty() => {
            (fill(t().forwarding_on, &[forward_always]), Help::Forwarding)
        }
        Services { do_not_disturb: false, .. } => return None,
        Services { do_not_disturb_as_unreachable: true, .. } => {
            (t().do_not_disturb_unreachable.to_owned(), Help::EndDoNotDisturb)
        }
        _ => (t().do_not_disturb_on.to_owned(), Help::EndDoNotDisturb),
    };
    Some(Advice { text, tone: Tone::Hold, help })
}

/// Whether this can be dialled in whatever state.
pub fn is_emergency(snapshot: &Snapshot, typed: &str) -> bool {
    number::dialled(typed).is_some_and(|number| snapshot.emergency_numbers.contains(&number))
}

fn password(wanted: &SipPassword) -> Advice {
    let registration = &wanted.registration;
    let (text, tone) = match &wanted.problem {
        Some(problem) => (fill(t().sip_password_again, &[problem, registration]), Tone::Stop),
        None => (fill(t().sip_password_wanted, &[registration]), Tone::Accent),
    };
    Advice { text, tone, help: Help::Password { registration: registration.clone() } }
}

/// A secondary of the same extension that nobody else holds: what to offer instead of `registration`.
pub fn free_secondary<'a>(snapshot: &'a Snapshot, registration: &str) -> Option<&'a RegistrationRow> {
    let rows = &snapshot.registrations;
    let extension = &rows.iter().find(|row| row.name == registration)?.extension;
    rows.iter().find(|row| {
        let free = row.in_use.as_ref().is_none_or(|in_use| in_use.this_device);
        row.name != registration && !row.primary && &row.extension == extension && free
    })
}
