use super::sound::{Sound, sound};
use crate::ui::{
    format::{clock, initials, next_second},
    screen::{Tone, transfer},
    snapshot::{Call, CallState, Encryption, Intent, Recorded, Recording, Snapshot, Transfer},
    text::{fill, t},
};
use std::time::{Duration, Instant};

/// One call as shown.
#[derive(Debug, PartialEq)]
pub struct Card {
    pub call: u32,
    pub name: String,
    /// Number and dialled queue, where the name does not say them already.
    pub line: Option<String>,
    /// Who forwarded it here, in words.
    pub forwarded: Option<String>,
    pub initials: Option<String>,
    pub state: String,
    pub tone: Tone,
    pub clock: Option<String>,
    pub controls: Controls,
    /// It is being transferred.
    pub transferring: bool,
    /// Said in place of the state, when the microphone is off.
    pub muted: Option<String>,
    pub sound: Option<Sound>,
    /// A lock, and what it means.
    pub lock: Option<Lock>,
    pub recording: Option<Mark>,
    /// Shown as one row: on hold while another call is in hand, or one of a conference.
    pub small: bool,
    pub in_conference: bool,
    /// Resuming it puts the call in hand on hold: what a press does, in words.
    pub swap: Option<String>,
    pub tools: Tools,
    /// What to dial to call this party again.
    pub peer: String,
}

/// Which controls a call has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controls {
    /// Answer, reject; with `hold_other`, another call goes on hold for it.
    Ringing { hold_other: bool },
    /// Mute, end.
    Outgoing,
    /// Mute, hold or resume, keypad, end.
    Talking { held: bool },
    /// Nothing but calling again.
    Ended,
}

/// What else can be done with a call, under its usual controls.
#[derive(Debug, Default, PartialEq)]
pub struct Tools {
    /// `None`: neither is the agent's to say.
    pub record: Option<Record>,
    /// The calls that could be joined, two or more.
    pub join: Vec<u32>,
}

/// What a press on *Record* or *Stop recording* does.
#[derive(Debug, PartialEq)]
pub struct Record {
    /// Begins, else ends.
    pub on: bool,
    /// Only those that are not so already.
    pub calls: Vec<u32>,
}

impl Record {
    pub fn intents(&self) -> impl Iterator<Item = Intent> {
        self.calls.iter().map(|call| Intent::Record { call: *call, on: self.on })
    }
}

/// Calls in which everybody hears everybody.
#[derive(Debug, PartialEq)]
pub struct Conference {
    pub calls: Vec<u32>,
    /// "Maria Dlamini, Johan Botha".
    pub names: String,
    pub state: &'static str,
    pub tone: Tone,
    pub clock: String,
    pub muted: bool,
    /// We have left it; the others wait.
    pub held: bool,
    /// Of any of it.
    pub recording: Option<Mark>,
    pub tools: Tools,
}

/// The sound is encrypted both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its accessible name.
    pub name: &'static str,
    pub tip: &'static str,
    /// The keys were not to be seen either.
    pub is_safe: bool,
}

/// It is being recorded.
#[derive(Debug, PartialEq)]
pub struct Mark {
    /// For how long.
    pub clock: String,
    pub tip: String,
}

/// The cards, in the order the calls came, and when a clock changes next.
pub fn cards(snapshot: &Snapshot, now: Instant) -> (Vec<Card>, Option<Duration>) {
    let live = |call: &&Call| !matches!(call.state, CallState::Ended { .. } | CallState::Held);
    let someone_in_hand = snapshot.calls.iter().any(|call| live(&call));
    let cards: Vec<Card> = snapshot.calls.iter().map(|call| card(call, snapshot, someone_in_hand, now)).collect();
    let tick = snapshot
        .calls
        .iter()
        .filter(|call| !matches!(call.state, CallState::Ended { .. }))
        .map(|call| next_second(call.since, now))
        .min();
    (cards, tick)
}

fn card(call: &Call, snapshot: &Snapshot, someone_in_hand: bool, now: Instant) -> Card {
    let (mut state, mut tone) = state(&call.state);
    if call.answered_by_itself && call.state == CallState::Connected {
        (state, tone) = (t().answered_by_itself.to_owned(), Tone::Hold);
    }
    let sound = sound((call.quality.as_ref(), call.codec.as_deref(), call.verdict.as_ref()), snapshot.locale);
    if in_conference(call) {
        (state, tone) = member(call, sound.as_ref(), tone);
    }
    let progress = transfer::data::progress(call.transfer.as_ref()).filter(|_| is_live(&call.state));
    if let Some(progress) = progress {
        progress.clone_into(&mut state);
    }
    let others = snapshot.calls.iter().any(|other| other.id != call.id && is_talking(&other.state));
    let controls = match call.state {
        CallState::Ringing => Controls::Ringing { hold_other: others },
        CallState::Dialing | CallState::Early => Controls::Outgoing,
        CallState::Connected | CallState::RemoteHeld => Controls::Talking { held: false },
        CallState::Held => Controls::Talking { held: true },
        CallState::Ended { .. } => Controls::Ended,
    };
    let (name, line) = who(call);
    let muted = (call.muted && can_be_muted(&call.state)).then(|| match call.state {
        CallState::Connected => t().muted.to_owned(),
        _ => format!("{state} · {}", t().muted_short),
    });
    Card {
        call: call.id,
        initials: initials(&name),
        name: name.clone(),
        line,
        forwarded: forwarded(call),
        state,
        tone,
        clock: (controls != Controls::Ended).then(|| clock(now.saturating_duration_since(call.since))),
        controls,
        transferring: progress.is_some(),
        muted,
        sound,
        lock: lock(call.encryption),
        recording: mark(call.recorded.iter(), now),
        small: (matches!(controls, Controls::Talking { held: true }) && someone_in_hand) || in_conference(call),
        in_conference: in_conference(call),
        swap: (call.state == CallState::Held && others).then(|| fill(t().swap_tip, &[&name])),
        tools: tools(call, snapshot),
        peer: call.peer.clone(),
    }
}

/// Who speaks stands out from who does not; who sounds bad, from everybody.
fn member(call: &Call, sound: Option<&Sound>, tone: Tone) -> (String, Tone) {
    let is_connected = call.state == CallState::Connected;
    let speaks = (is_connected && call.speaks).then_some(t().speaks);
    match (sound.filter(|sound| sound.trouble().is_some()), speaks) {
        (Some(bad), None) => (t().sounds_bad.to_owned(), bad.verdict_tone()),
        (Some(bad), Some(speaks)) => (format!("{speaks} · {}", t().sounds_bad), bad.verdict_tone()),
        (None, Some(speaks)) => (speaks.to_owned(), tone),
        (None, None) => (t().in_conference.to_owned(), if is_connected { Tone::Neutral } else { tone }),
    }
}

/// One of those that hear each other.
fn in_conference(call: &Call) -> bool {
    call.in_conference && is_live(&call.state)
}

fn tools(call: &Call, snapshot: &Snapshot) -> Tools {
    if !is_live(&call.state) {
        return Tools::default();
    }
    Tools { record: record(snapshot, &[call]), join: to_join(&snapshot.calls) }
}

/// Of the first of them, and with a tone where each has one.
fn mark<'a>(mut recorded: impl Iterator<Item = &'a Recorded> + Clone, now: Instant) -> Option<Mark> {
    let since = recorded.clone().map(|one| one.since).min()?;
    let beeps = recorded.all(|one| one.has_tone);
    let tip =
        if beeps { format!("{} {}", t().say_recording, t().recording_beeps) } else { t().say_recording.to_owned() };
    Some(Mark { clock: clock(now.saturating_duration_since(since)), tip })
}

/// Of these calls together: recording that runs in any of them is ended, else it begins in each.
pub fn record(snapshot: &Snapshot, calls: &[&Call]) -> Option<Record> {
    let runs = calls.iter().any(|call| call.recorded.is_some());
    let may = match snapshot.recording.rule {
        Recording::Allowed => snapshot.settings.may_record || runs,
        // It was begun before.
        Recording::Forbidden => runs,
        Recording::Required => false,
    };
    let calls = calls.iter().filter(|call| call.recorded.is_some() == runs).map(|call| call.id).collect();
    may.then_some(Record { on: !runs, calls })
}

/// The calls that could be joined, where that would change anything.
pub fn to_join(calls: &[Call]) -> Vec<u32> {
    let live: Vec<&Call> = calls.iter().filter(|call| is_live(&call.state)).collect();
    if live.len() < 2 || live.iter().all(|call| call.in_conference) {
        return vec![];
    }
    live.iter().map(|call| call.id).collect()
}

pub fn conference(snapshot: &Snapshot, now: Instant) -> Option<Conference> {
    let members: Vec<&Call> = snapshot.calls.iter().filter(|call| in_conference(call)).collect();
    let since = members.iter().map(|call| call.since).min().filter(|_| members.len() > 1)?;
    let held = members.iter().all(|call| call.state == CallState::Held);
    let names: Vec<String> = members.iter().map(|call| who(call).0).collect();
    let (state, tone) = if held { (t().conference_held, Tone::Hold) } else { (t().connected, Tone::Go) };
    let record = record(snapshot, &members);
    Some(Conference {
        calls: members.iter().map(|call| call.id).collect(),
        names: names.join(", "),
        state,
        tone,
        clock: clock(now.saturating_duration_since(since)),
        muted: members.iter().all(|call| call.muted),
        held,
        recording: mark(members.iter().filter_map(|call| call.recorded.as_ref()), now),
        tools: Tools { record, join: to_join(&snapshot.calls) },
    })
}

/// First and second line about the other party: name, then number and what was dialled.
pub fn who(call: &Call) -> (String, Option<String>) {
    let (name, number) = match (&call.peer_name, call.peer.as_str()) {
        (Some(name), "") => (name.clone(), None),
        (Some(name), number) if name != number => (name.clone(), Some(number.to_owned())),
        (_, "") => (t().unknown_caller.to_owned(), None),
        (_, number) => (number.to_owned(), None),
    };
    let called = call.called.as_deref().map(|called| fill(t().called_for, &[called]));
    let line: Vec<String> = [number, called].into_iter().flatten().collect();
    (name, (!line.is_empty()).then(|| line.join(" · ")))
}

/// "Forwarded by Anna".
pub fn forwarded(call: &Call) -> Option<String> {
    call.forwarded_by.as_deref().map(|by| format!("{} {by}", t().forwarded_by_label))
}

/// "for Sales, forwarded by Anna".
pub fn way(called: Option<&str>, forwarded_by: Option<&str>) -> Option<String> {
    let called = called.map(|called| fill(t().called_for, &[called]));
    let forwarded = forwarded_by.map(|by| fill(t().forwarded_by, &[by]));
    let way: Vec<String> = [called, forwarded].into_iter().flatten().collect();
    (!way.is_empty()).then(|| way.join(", "))
}

fn state(state: &CallState) -> (String, Tone) {
    let (text, tone) = match state {
        CallState::Dialing => (t().dialing, Tone::Accent),
        CallState::Early => (t().early, Tone::Accent),
        CallState::Ringing => (t().ringing, Tone::Accent),
        CallState::Connected => (t().connected, Tone::Go),
        CallState::Held => (t().held, Tone::Hold),
        CallState::RemoteHeld => (t().remote_held, Tone::Hold),
        CallState::Ended { reason, failed } => {
            let none = if *failed { t().failed } else { t().ended };
            let text = if reason.is_empty() { none } else { reason };
            return (text.to_owned(), if *failed { Tone::Stop } else { Tone::Neutral });
        }
    };
    (text.to_owned(), tone)
}

fn lock(encryption: Encryption) -> Option<Lock> {
    match encryption {
        Encryption::None => None,
        Encryption::KeysInTheOpen => {
            Some(Lock { name: t().encrypted_openly, tip: t().encrypted_openly_tip, is_safe: false })
        }
        Encryption::HandshakeInTheOpen => {
            Some(Lock { name: t().encrypted_unproven, tip: t().encrypted_unproven_tip, is_safe: false })
        }
        Encryption::KeysHidden => Some(Lock { name: t().encrypted, tip: t().encrypted_tip, is_safe: true }),
    }
}

fn is_talking(state: &CallState) -> bool {
    matches!(state, CallState::Connected | CallState::RemoteHeld)
}

fn is_live(state: &CallState) -> bool {
    is_talking(state) || *state == CallState::Held
}

/// From dialling to its end; what rings here has no sound yet.
fn can_be_muted(state: &CallState) -> bool {
    is_live(state) || matches!(state, CallState::Dialing | CallState::Early)
}

/// The call a shortcut is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InHand {
    /// Rings and can be answered.
    Ringing,
    /// Can be held or resumed, takes digits: the one talked to, else the one on hold.
    Talking,
    /// Can be ended or muted: the one talked to, else one being dialled, else the one on hold.
    Ending,
}

pub fn in_hand(calls: &[Call], what: InHand) -> Option<&Call> {
    let find = |wanted: &dyn Fn(&CallState) -> bool| calls.iter().find(|call| wanted(&call.state));
    let held = |state: &CallState| *state == CallState::Held;
    let outgoing = |state: &CallState| matches!(state, CallState::Dialing | CallState::Early);
    match what {
        InHand::Ringing => find(&|state| *state == CallState::Ringing),
        InHand::Talking => find(&is_talking).or_else(|| find(&held)),
        InHand::Ending => find(&is_talking).or_else(|| find(&outgoing)).or_else(|| find(&held)),
    }
}

/// What a screen reader says about the calls between two snapshots.
pub fn announcement(before: &[Call], after: &[Call]) -> Option<String> {
    let mut said: Vec<String> =
        after.iter().filter_map(|call| change(before.iter().find(|old| old.id == call.id), call)).collect();
    // Both sides of a conference are joined at once.
    said.dedup();
    (!said.is_empty()).then(|| said.join(" "))
}

fn change(old: Option<&Call>, call: &Call) -> Option<String> {
    let name = who(call).0;
    if old.is_some_and(|old| old.muted != call.muted) && can_be_muted(&call.state) {
        return Some(if call.muted { t().say_muted } else { t().say_unmuted }.to_owned());
    }
    if let Some(old) = old.filter(|old| old.transfer != call.transfer) {
        match &call.transfer {
            Some(Transfer::Failed { reason }) => return Some(reason.clone()),
            Some(Transfer::Trying { .. }) if !matches!(old.transfer, Some(Transfer::Trying { .. })) => {
                return Some(fill(t().say_transferring, &[&name]));
            }
            Some(Transfer::Trying { .. }) | None => {}
        }
    }
    // That it is over with the call goes without saying.
    let recorded = |call: &Call| call.recorded.is_some();
    if let Some(old) = old.filter(|old| recorded(old) != recorded(call) && is_live(&call.state)) {
        return Some(if old.recorded.is_none() { t().say_recording } else { t().say_recording_over }.to_owned());
    }
    if old.is_some_and(|old| !old.in_conference) && in_conference(call) {
        return Some(t().say_joined.to_owned());
    }
    if old.is_some_and(|old| old.state == call.state) {
        return None;
    }
    match &call.state {
        CallState::Connected if call.answered_by_itself && old.is_none_or(|old| !is_live(&old.state)) => {
            Some(fill(t().say_answered_by_itself, &[&name]))
        }
        CallState::Ringing => Some(fill(t().say_ringing, &[&name])),
        CallState::Connected => Some(fill(t().say_connected, &[&name])),
        CallState::Held => Some(fill(t().say_held, &[&name])),
        CallState::Ended { reason, .. } => Some(fill(t().say_ended, &[&name, reason])),
        CallState::Dialing | CallState::Early | CallState::RemoteHeld => None,
    }
}
