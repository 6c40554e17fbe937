use super::proof::{Check, checks};
use crate::ui::{
    screen::{
        Tone,
        main::data::{free_secondary, kind, status_line},
    },
    snapshot::{AudioEncryption, RegistrationRow, SipAccount, SipTransport, Snapshot, Status},
    text::{fill, t},
};
use std::time::{Duration, Instant};

/// *Select account* as shown.
#[derive(Debug, PartialEq)]
pub struct Account {
    /// "Maria · acme".
    pub signed_in_as: Option<String>,
    pub groups: Vec<Group>,
    /// In place of registrations.
    pub plain: Option<Plain>,
    /// There are so many that one looks for them by name.
    pub searchable: bool,
    pub can_go_offline: bool,
    pub next_change: Option<Duration>,
}

/// A plain account in use.
#[derive(Debug, PartialEq)]
pub struct Plain {
    pub address: String,
    pub state: &'static str,
    pub tone: Tone,
    pub proof: Vec<Check>,
    /// Label and value of what was typed.
    pub facts: Vec<(&'static str, String)>,
}

/// The registrations of one extension.
#[derive(Debug, PartialEq)]
pub struct Group {
    pub title: String,
    pub rows: Vec<Row>,
}

#[derive(Debug, PartialEq)]
pub struct Row {
    pub registration: String,
    pub kind: (&'static str, &'static str),
    pub label: String,
    pub holder: String,
    pub tone: Tone,
    /// What shows that calls arrive, and what does not.
    pub proof: Vec<Check>,
    pub rings: bool,
    pub selected: bool,
    /// Held by another device: choosing it asks first.
    pub conflict: Option<Conflict>,
}

/// What is said, and offered, before a registration in use elsewhere is chosen.
#[derive(Debug, PartialEq)]
pub struct Conflict {
    pub title: String,
    pub body: &'static str,
    /// The secondary to use instead, and what that does.
    pub secondary: Option<(String, String)>,
    /// Not where the server cannot move registrations.
    pub take_over: Option<String>,
}

/// More extensions than that are searched rather than read.
const FEW: usize = 6;

/// `search`: what is looked for, in numbers, names and labels.
pub fn account(snapshot: &Snapshot, search: &str, now: Instant) -> Account {
    let mut groups: Vec<Group> = vec![];
    let search = search.trim().to_lowercase();
    let found = |row: &&RegistrationRow| {
        [&row.extension, &row.name, &row.label].iter().any(|text| text.to_lowercase().contains(&search))
    };
    for shown in snapshot.registrations.iter().filter(found) {
        let title = fill(t().extension, &[&shown.extension]);
        let row = row(shown, snapshot, now);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { title, rows: vec![row] }),
        }
    }
    let signed_in_as = snapshot.identity.as_ref().map(|who| fill(t().signed_in_at, &[&who.user, &who.account]));
    let next_change = match &snapshot.status {
        Status::Online { confirmed, .. } => Some(until_older(now.saturating_duration_since(*confirmed))),
        _ => None,
    };
    let can_go_offline = snapshot.registrations.iter().any(|row| row.selected);
    let rows = &snapshot.registrations;
    let extensions = rows.chunk_by(|a, b| a.extension == b.extension).count();
    let plain = snapshot.sip_account.as_ref().map(|account| plain(account, snapshot, now));
    Account { signed_in_as, plain, groups, searchable: extensions > FEW, can_go_offline, next_change }
}

fn row(shown: &RegistrationRow, snapshot: &Snapshot, now: Instant) -> Row {
    let online_here = matches!(&snapshot.status, Status::Online { registration, .. } if *registration == shown.name);
    let elsewhere = shown.in_use.as_ref().filter(|in_use| !in_use.this_device);
    let (holder, tone) = match (online_here, elsewhere) {
        (true, _) => (t().this_device.to_owned(), Tone::Go),
        (false, Some(other)) => (fill(t().in_use_by, &[&other.device, &other.address, &other.since]), Tone::Hold),
        (false, None) if shown.selected => (t().selected_not_online.to_owned(), Tone::Accent),
        (false, None) if shown.in_use.is_some() => (t().this_device.to_owned(), Tone::Go),
        (false, None) => (t().free.to_owned(), Tone::Neutral),
    };
    let conflict = elsewhere.filter(|_| !online_here).map(|other| {
        let secondary = free_secondary(snapshot, &shown.name);
        Conflict {
            title: fill(t().conflict_title, &[&shown.name, &other.device]),
            secondary: secondary.map(|row| (row.name.clone(), fill(t().use_secondary_about, &[&named(row)]))),
            body: if snapshot.sign_in.xml { t().conflict_stays } else { t().conflict_body },
            take_over: (!snapshot.sign_in.xml).then(|| fill(t().take_over_about, &[&shown.name])),
        }
    });
    Row {
        registration: shown.name.clone(),
        kind: kind(shown),
        label: shown.label.clone(),
        holder,
        tone,
        proof: checks(snapshot, &shown.name, now),
        rings: shown.ring_inbound,
        selected: shown.selected,
        conflict,
    }
}

fn plain(account: &SipAccount, snapshot: &Snapshot, now: Instant) -> Plain {
    let status = status_line(snapshot);
    let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let facts = [
        (t().auth_user, filled(&account.username)),
        (t().outbound_proxy, filled(&account.outbound_proxy)),
        (t().transport, Some(transport_name(account.transport).to_owned())),
        (t().ca_file, filled(&account.ca_file)),
        (t().dns_server, filled(&account.dns_server)),
        (t().stun_server, filled(&account.stun_server)),
        (t().turn_server, filled(&account.turn_server)),
        (t().quality_collector, filled(&account.quality_collector)),
        (t().audio_encryption, Some(encryption_name(account.encryption).to_owned())),
    ];
    Plain {
        address: account.address.clone(),
        state: status.word,
        tone: status.tone,
        proof: checks(snapshot, status.registration.as_deref().unwrap_or_default(), now),
        facts: facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect(),
    }
}

pub const fn transport_name(transport: SipTransport) -> &'static str {
    match transport {
        SipTransport::Automatic => t().transport_automatic,
        SipTransport::Udp => t().transport_udp,
        SipTransport::Tcp => t().transport_tcp,
        SipTransport::Tls => t().transport_tls,
    }
}

pub const fn encryption_name(encryption: AudioEncryption) -> &'static str {
    match encryption {
        AudioEncryption::Optional => t().encryption_optional,
        AudioEncryption::Required => t().encryption_required,
        AudioEncryption::Handshake => t().encryption_handshake,
        AudioEncryption::Off => t().encryption_off,
    }
}

fn named(row: &RegistrationRow) -> String {
    format!("{} {}", row.name, kind(row).0)
}

/// When an age that reads `elapsed` reads differently.
fn until_older(elapsed: Duration) -> Duration {
    let unit = match elapsed.as_secs() {
        0..60 => 1,
        60..3600 => 60,
        _ => 3600,
    };
    let past = elapsed.as_nanos() % (u128::from(unit as u32) * 1_000_000_000);
    Duration::from_secs(unit) - Duration::from_nanos(past as u64)
}
