use crate::ui::{
    format::{clock, initials},
    screen::{
        Tone,
        calls::data::{Card, Controls, Sound, cards},
        main::data::{direction, recent},
    },
    snapshot::Snapshot,
    text::t,
};
use std::time::{Duration, Instant};

/// What the right side is about.
#[derive(Debug, PartialEq)]
pub struct Detail {
    pub name: String,
    pub initials: Option<String>,
    pub state: String,
    pub tone: Tone,
    pub clock: Option<String>,
    /// Label and value.
    pub facts: Vec<(&'static str, String)>,
    pub sound: Option<Sound>,
    /// What to dial to call this party, when no call is in hand.
    pub call_back: Option<String>,
}

/// The call in hand, else the chosen recent call, else nothing.
pub fn detail(snapshot: &Snapshot, chosen: Option<u64>, now: Instant) -> Option<Detail> {
    let (cards, _) = cards(snapshot, now);
    let live = cards.into_iter().filter(|card| card.controls != Controls::Ended).min_by_key(|card| card.small);
    live.map(|card| of_call(card, snapshot)).or_else(|| of_history(snapshot, chosen?))
}

fn of_call(card: Card, snapshot: &Snapshot) -> Detail {
    let call = snapshot.calls.iter().find(|call| call.id == card.call);
    let called = call.and_then(|call| call.called.clone());
    let facts = [(t().number, Some(card.peer).filter(|peer| !peer.is_empty())), (t().called, called)];
    Detail {
        name: card.name,
        initials: card.initials,
        state: card.state,
        tone: card.tone,
        clock: card.clock,
        facts: facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect(),
        sound: card.sound,
        call_back: None,
    }
}

fn of_history(snapshot: &Snapshot, chosen: u64) -> Option<Detail> {
    let entry = snapshot.history.iter().find(|entry| entry.id == chosen)?;
    let shown = recent(entry);
    let duration = entry.duration_s.map(|seconds| clock(Duration::from_secs(seconds)));
    let facts = [
        (t().number, Some(entry.peer.clone())),
        (t().kind, Some(direction(entry.kind).to_owned())),
        (t().time, Some(entry.when.clone())),
        (t().duration, duration),
    ];
    Some(Detail {
        initials: initials(&shown.title),
        name: shown.title,
        state: direction(entry.kind).to_owned(),
        tone: Tone::Neutral,
        clock: None,
        facts: facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect(),
        sound: None,
        call_back: Some(entry.peer.clone()),
    })
}
