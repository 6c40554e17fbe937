//! The screens. Each folder has `data.rs`, which turns the snapshot into exactly what is shown, and `ui.rs`, which paints it.

pub mod about;
pub mod account;
pub mod audio;
pub mod calls;
pub mod detail;
pub mod main;
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
    /// What the person asked for, in order.
    pub intents: Vec<Intent>,
    /// Where to go next.
    pub go: Option<Page>,
    /// When what is shown changes by itself: the soonest.
    pub tick: Option<Duration>,
}

impl<'a> Cx<'a> {
    pub fn new(snapshot: &'a Snapshot, now: Instant) -> Self {
        Self { snapshot, now, intents: vec![], go: None, tick: None }
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
    Settings,
    Account,
    Audio,
    Calls,
    Appearance,
    Shortcuts,
    About,
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
