use crate::ui::{
    screen::{Tone, calls::data::way, sign_in::data::with_retry},
    snapshot::{HistoryEntry, HistoryKind, RegistrationRow, Services, SipPassword, Snapshot, Status, Voicemail},
    text::{fill, t},
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
    /// Voicemail that waits, in words, and what to dial to hear it.
    pub voicemail: Option<(String, Option<String>)>,
    /// Why nothing can be dialled, where that is so.
    pub cannot_dial: Option<&'static str>,
    pub recent: Vec<Recent>,
    pub next_change: Option<Duration>,
}

/// One recent call.
#[derive(Debug, PartialEq)]
pub struct Recent {
    pub id: u64,
    pub title: String,
    pub detail: String,
    pub when: String,
    pub kind: HistoryKind,
    pub peer: String,
    /// For screen readers: all of it in one sentence.
    pub name: String,
}

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
        Status::Online { registration, .. } => (t().online, Tone::Go, Some(registration)),
        Status::OnlineElsewhere { registration, .. } => (t().online_elsewhere, Tone::Hold, Some(registration)),
        Status::NotReachable { registration, .. } => (t().not_reachable, Tone::Stop, Some(registration)),
    };
    let row = registration.and_then(|name| snapshot.registrations.iter().find(|row| &row.name == name));
    StatusLine { word, tone, registration: registration.cloned(), kind: row.map(kind) }
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
            Some(Advice { text: retrying(reason, *retry_at), tone: Tone::Stop, help: Help::ChooseAnother })
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
    Main {
        status: status_line(snapshot),
        advice,
        voicemail: voicemail(&snapshot.voicemail),
        cannot_dial: (!matches!(snapshot.status, Status::Online { .. })).then_some(t().dial_offline),
        recent: snapshot.history.iter().map(recent).collect(),
        next_change,
    }
}

fn voicemail(voicemail: &Voicemail) -> Option<(String, Option<String>)> {
    let Voicemail { waiting: true, new, old, account } = voicemail else { return None };
    let text = match (new, old) {
        (0, 0) => t().voicemail.to_owned(),
        (new, old) => fill(t().voicemail_new, &[&new.to_string(), &old.to_string()]),
    };
    Some((text, account.clone()))
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
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    snapshot.emergency_numbers.contains(&digits)
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

pub fn recent(entry: &HistoryEntry) -> Recent {
    let title = entry.peer_name.clone().unwrap_or_else(|| entry.peer.clone());
    let outcome = match (entry.kind, entry.duration_s) {
        (HistoryKind::Missed, _) => t().missed.to_owned(),
        (HistoryKind::AnsweredElsewhere, _) => t().answered_elsewhere.to_owned(),
        (HistoryKind::Failed, _) | (HistoryKind::Outgoing, None) => t().not_connected.to_owned(),
        (HistoryKind::Incoming, None) => t().rejected.to_owned(),
        (_, Some(seconds)) => crate::ui::format::clock(Duration::from_secs(seconds)),
    };
    let number = entry.peer_name.is_some().then(|| entry.peer.clone()).filter(|peer| !peer.is_empty());
    let way = way(entry.called.as_deref(), entry.forwarded_by.as_deref());
    let detail = [number, way, Some(outcome)].into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let name = format!("{}, {}, {}, {}", direction(entry.kind), title, detail, entry.when);
    Recent { id: entry.id, title, detail, when: entry.when.clone(), kind: entry.kind, peer: entry.peer.clone(), name }
}

pub fn direction(kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::Incoming => t().incoming,
        HistoryKind::Outgoing | HistoryKind::Failed => t().outgoing,
        HistoryKind::Missed => t().missed,
        HistoryKind::AnsweredElsewhere => t().answered_elsewhere,
    }
}
