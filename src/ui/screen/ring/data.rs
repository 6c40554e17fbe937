use crate::ui::{
    format::{clock, initials, next_second},
    icon::{self, Icon},
    text::{fill, t},
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// A ringing call, as the main window tells the ringing window: one JSON object a line. Ringing stops when the input ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ringing {
    pub call: u32,
    pub name: String,
    /// Number and dialled queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// Who forwarded it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded: Option<String>,
    /// How long it has rung already.
    #[serde(default)]
    pub rung_ms: u64,
    /// Another call is up: answering puts it on hold.
    #[serde(default)]
    pub hold_other: bool,
    /// Dark or light colours; the system's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dark: Option<bool>,
}

/// What was pressed, on standard output: `"answer"`, `"reject"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pressed {
    Answer,
    Reject,
}

/// The window as shown.
#[derive(Debug, PartialEq)]
pub struct Ring {
    pub name: String,
    pub line: Option<String>,
    pub forwarded: Option<String>,
    pub initials: Option<String>,
    pub waited: String,
    /// Icon and words of the button that answers.
    pub answer: (Icon, &'static str),
    pub next_change: Duration,
}

pub fn ring(ringing: &Ringing, since: Instant, now: Instant) -> Ring {
    let answer = match ringing.hold_other {
        true => (icon::HOLD_AND_ANSWER, t().answer_and_hold),
        false => (icon::ANSWER, t().answer),
    };
    Ring {
        name: ringing.name.clone(),
        line: ringing.line.clone(),
        forwarded: ringing.forwarded.clone(),
        initials: initials(&ringing.name),
        waited: fill(t().ringing_for, &[&clock(now.saturating_duration_since(since))]),
        answer,
        next_change: next_second(since, now),
    }
}
