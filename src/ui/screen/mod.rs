//! The screens. Each folder has `data.rs`, which turns the snapshot into exactly what is shown, and `ui.rs`, which paints it.

pub mod about;
pub mod account;
pub mod audio;
pub mod calls;
pub mod detail;
pub mod main;
pub mod people;
pub mod ring;
pub mod settings;
pub mod sign_in;
pub mod transfer;

use super::{
    snapshot::{Intent, Snapshot},
    theme::{Hue, Tokens},
};
use std::time::{Duration, Instant};

/// What a screen is painted from and what it asks for.
pub struct Cx<'a> {
    pub snapshot: &'a Snapshot,
    pub now: Instant,
    /// There is room beside the main column.
    pub wide: bool,
    /// The call whose details stand there.
    pub detailed: Option<u32>,
    /// What the person asked for, in order.
    pub intents: Vec<Intent>,
    /// Where to go next.
    pub go: Option<Page>,
    /// What [`Page::Details`] is to be about.
    pub details: Option<Subject>,
    /// When what is shown changes by itself: the soonest.
    pub tick: Option<Duration>,
}

impl<'a> Cx<'a> {
    pub fn new(snapshot: &'a Snapshot, now: Instant) -> Self {
        Self { snapshot, now, wide: false, detailed: None, intents: vec![], go: None, details: None, tick: None }
    }

    /// Paint again after `wait` at the latest.
    pub fn tick_in(&mut self, wait: Option<Duration>) {
        self.tick = [self.tick, wait].into_iter().flatten().min();
    }

    pub fn ask(&mut self, intent: Intent) {
        self.intents.push(intent);
    }
}

/// Where the person is, once signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    #[default]
    Main,
    /// Of one call.
    Details,
    Settings,
    Account,
    Audio,
    Calls,
    Appearance,
    Shortcuts,
    About,
}

/// What details are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A call that runs, or has just ended.
    Call(u32),
    /// A recent call.
    Past(u64),
}

/// A meaning that becomes a colour in the theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Accent,
    Go,
    Hold,
    Stop,
    Neutral,
}

impl Tone {
    pub fn hue(self, tokens: &Tokens) -> Hue {
        match self {
            Self::Accent => tokens.accent,
            Self::Go => tokens.go,
            Self::Hold => tokens.hold,
            Self::Stop => tokens.stop,
            Self::Neutral => tokens.neutral,
        }
    }
}
