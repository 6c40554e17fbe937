use crate::ui::{
    format::{clock, figure, initials},
    screen::{
        Subject, Tone,
        calls::{
            data::{Card, Controls, cards},
            sound::{Sound, band, sound},
        },
        people::data::{direction, recent},
    },
    snapshot::{Heard, HistoryEntry, HistoryKind, Locale, MOST_STRETCHES, Snapshot, Stretch, Trace},
    text::{fill, t},
};
use std::time::{Duration, Instant};

/// Of the height, for what is known: nothing at all is a gap.
const LEAST: f32 = 0.05;

/// What the right side, or the page, is about.
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
    pub course: Option<Course>,
    /// Why it ended as it did, in a sentence.
    pub outcome: Option<String>,
    /// What to dial to call this party, when no call is in hand.
    pub call_back: Option<String>,
    /// Whose messages may be kept.
    pub call: Option<u32>,
}

/// How a call has sounded so far.
#[derive(Debug, PartialEq)]
pub struct Course {
    /// Width and height, as shares, and meaning of each piece.
    pub pieces: Vec<(f32, f32, Tone)>,
    /// The clock at the right end, which a call that goes on has not reached yet.
    pub end: String,
    /// When it was worst, where it was not excellent throughout.
    pub words: Option<String>,
}

/// One message between this phone and the server.
#[derive(Debug, PartialEq)]
pub struct Rung {
    pub time: String,
    pub sent: bool,
    /// Its first line, without what stands in every one.
    pub label: String,
    pub text: String,
    /// For screen readers: all of it in one sentence.
    pub said: String,
}

/// The call in hand (of a conference the `opened` one), else the chosen recent call, else the last one since the program's start,
/// else nothing.
pub fn detail(snapshot: &Snapshot, chosen: Option<u64>, opened: Option<Subject>, now: Instant) -> Option<Detail> {
    let (ended, live): (Vec<_>, Vec<_>) =
        cards(snapshot, now).0.into_iter().partition(|card| card.controls == Controls::Ended);
    let live = live
        .into_iter()
        .min_by_key(|card| (card.small, opened != Some(Subject::Call(card.call))))
        .map(|card| of_call(card, snapshot));
    let last = || {
        let entry = snapshot.history.first().filter(|entry| entry.call.is_some());
        entry.map(|entry| of_history(entry, snapshot.locale))
    };
    let just_ended = || ended.into_iter().next().map(|card| of_call(card, snapshot));
    live.or_else(|| of(snapshot, Subject::Past(chosen?), now)).or_else(last).or_else(just_ended)
}

/// This very one. A call that is over goes on among the recent ones.
pub fn of(snapshot: &Snapshot, subject: Subject, now: Instant) -> Option<Detail> {
    let entry = |fits: &dyn Fn(&HistoryEntry) -> bool| {
        snapshot.history.iter().find(|entry| fits(entry)).map(|entry| of_history(entry, snapshot.locale))
    };
    match subject {
        Subject::Past(id) => entry(&|entry| entry.id == id),
        Subject::Call(call) => {
            let card = cards(snapshot, now).0.into_iter().find(|card| card.call == call);
            card.map(|card| of_call(card, snapshot)).or_else(|| entry(&|entry| entry.call == Some(call)))
        }
    }
}

fn of_call(card: Card, snapshot: &Snapshot) -> Detail {
    let call = snapshot.calls.iter().find(|call| call.id == card.call);
    let called = call.and_then(|call| call.called.clone());
    let forwarded = call.and_then(|call| call.forwarded_by.clone());
    let is_over = card.controls == Controls::Ended;
    let facts = [
        (t().number, Some(card.peer.clone()).filter(|peer| !peer.is_empty())),
        (t().called, called),
        (t().forwarded_by_label, forwarded),
    ];
    Detail {
        name: card.name,
        initials: card.initials,
        state: if is_over { t().ended.to_owned() } else { card.state.clone() },
        tone: card.tone,
        clock: card.clock,
        facts: present(facts),
        sound: card.sound,
        course: call.and_then(|call| course(&call.course, !is_over, snapshot.locale)),
        outcome: is_over.then_some(card.state),
        call_back: Some(card.peer).filter(|peer| is_over && !peer.is_empty()),
        call: Some(card.call),
    }
}

fn of_history(entry: &HistoryEntry, locale: Locale) -> Detail {
    let shown = recent(entry);
    let duration = entry.duration_s.map(|seconds| clock(Duration::from_secs(seconds)));
    let number = Some(entry.peer.clone()).filter(|peer| !peer.is_empty());
    let heard = entry.heard.as_deref();
    let facts = [
        (t().number, number.clone()),
        (t().called, entry.called.clone()),
        (t().forwarded_by_label, entry.forwarded_by.clone()),
        (t().kind, Some(direction(entry.kind).to_owned())),
        (t().time, Some(entry.when.clone())),
        (t().duration, duration),
    ];
    Detail {
        initials: initials(&shown.title),
        name: shown.title,
        state: direction(entry.kind).to_owned(),
        tone: if matches!(entry.kind, HistoryKind::Failed) { Tone::Stop } else { Tone::Neutral },
        clock: None,
        facts: present(facts),
        sound: heard.and_then(|Heard { quality, codec, verdict, .. }| {
            sound((quality.as_ref(), codec.as_deref(), verdict.as_ref()), locale)
        }),
        course: heard.and_then(|heard| course(&heard.course, false, locale)),
        outcome: entry.reason.clone(),
        call_back: number,
        call: entry.call,
    }
}

fn present<const N: usize>(facts: [(&'static str, Option<String>); N]) -> Vec<(&'static str, String)> {
    facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

/// While a call goes on there is room left, so that nothing moves every second.
fn course(course: &[Stretch], goes_on: bool, locale: Locale) -> Option<Course> {
    let seconds = |pieces: &[Stretch]| pieces.iter().map(|piece| piece.seconds).sum::<u32>();
    let room = if goes_on { course.first()?.seconds * MOST_STRETCHES as u32 } else { seconds(course).max(1) };
    let known = course.iter().enumerate().filter_map(|(at, piece)| Some((at, piece.mos?)));
    let (at, worst) = known.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let clock = |seconds| clock(Duration::from_secs(u64::from(seconds)));
    let piece = |piece: &Stretch| {
        let width = piece.seconds as f32 / room as f32;
        piece
            .mos
            .map_or((width, 0.0, Tone::Neutral), |mos| (width, (((mos - 1.0) / 3.5) as f32).max(LEAST), band(mos).2))
    };
    let was_worse = band(worst).1 != t().quality_excellent;
    let words = was_worse.then(|| fill(t().at_worst, &[&clock(seconds(&course[..at])), &figure(worst, 1, locale)]));
    Some(Course { pieces: course.iter().map(piece).collect(), end: clock(room), words })
}

/// The messages of this call, in their order.
pub fn rungs(trace: Option<&Trace>, call: u32) -> Vec<Rung> {
    let messages = trace.filter(|trace| trace.call == call).map(|trace| trace.messages.as_slice()).unwrap_or_default();
    messages
        .iter()
        .map(|message| {
            let first = message.text.lines().next().unwrap_or_default().trim();
            let label = first.strip_prefix("SIP/2.0 ").or_else(|| first.strip_suffix(" SIP/2.0")).unwrap_or(first);
            let way = if message.sent { t().sent } else { t().received };
            Rung {
                time: message.time.clone(),
                sent: message.sent,
                label: label.to_owned(),
                text: message.text.trim_end().replace('\r', ""),
                said: format!("{}, {way}, {label}", message.time),
            }
        })
        .collect()
}

/// Whom this phone has talked to, where there is one only.
pub fn server(trace: Option<&Trace>) -> Option<&str> {
    let messages = &trace?.messages;
    let first = messages.first()?.flow.as_str();
    messages.iter().all(|message| message.flow == first).then_some(first)
}

/// All messages as text, for whoever helps.
pub fn as_text(trace: &Trace) -> String {
    let one = |message: &crate::ui::snapshot::SipMessage| {
        let way = if message.sent { t().sent_to } else { t().received_from };
        let head = fill(way, &[&message.time, &message.flow]);
        format!("{head}\n{}\n", message.text.trim_end().replace('\r', ""))
    };
    trace.messages.iter().map(one).collect::<Vec<_>>().join("\n")
}
