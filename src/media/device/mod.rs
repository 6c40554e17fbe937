//! Where sound comes from and goes to: sound cards, files, or nothing, behind one trait.

pub mod callback;
pub(super) mod file;
mod life;
mod names;
mod null;
mod port;
mod program;
mod sound_card;
mod sound_server;
mod stream;
mod watch;

pub use file::{FileCard, Tape};
pub use names::Devices;
pub use null::NullCard;
pub use program::ProgramCard;
pub use sound_card::{SoundCard, list_devices};
pub use sound_server::is_there as has_sound_server;
pub use stream::Flow;
pub use watch::{Change, NoWatch, Watch};

use super::{SAMPLE_RATE, check::Player, engine::Notice};
use std::time::{Duration, Instant};

/// A card at 48 kHz, one channel. It is polled by the engine's thread; nothing here blocks.
pub trait Card: Send {
    /// Appends what the microphone heard since the last poll. Returns how many blocks the speaker wants now; each is to be
    /// handed to [`Card::play`] before the next poll.
    fn poll(&mut self, now: Instant, microphone: &mut Vec<f32>) -> usize;

    /// Plays one block of [`super::BLOCK`] samples.
    fn play(&mut self, block: &[f32]);

    /// When the next poll has something to do.
    fn poll_timeout(&self) -> Instant;

    /// Whether the microphone is wanted; it need not be open otherwise.
    fn listen(&mut self, _now: Instant, _on: bool) {}

    /// Whether there is one at all, so that its silence says something of it.
    fn has_microphone(&self) -> bool {
        true
    }

    /// Names of the microphone and the speaker that are open.
    fn in_use(&self) -> (Option<String>, Option<String>) {
        (None, None)
    }

    /// What plays.
    fn player(&self) -> Option<Player> {
        None
    }

    /// What plays, and of the default device which one that is, where that is known.
    fn speaker(&self) -> Option<&str> {
        None
    }

    /// What the microphone gives may have become what is played: until the devices are seen, nobody hears it.
    fn doubt_microphone(&mut self) {}

    /// These devices are there now.
    fn devices_seen(&mut self, _now: Instant, _microphones: &Devices, _speakers: &Devices) {}

    /// Whether a device that was chosen is missing, so that another one is used.
    fn misses_device(&self) -> bool {
        false
    }

    /// Whether what is played now comes out: a device takes a while to open and to begin.
    fn is_heard(&self) -> bool {
        true
    }

    /// Whether the microphone or the speaker is missing now.
    fn is_incomplete(&self) -> bool {
        false
    }

    /// A call is connected.
    fn connected(&mut self, _now: Instant) {}

    /// Whether it must be polled although no call needs it.
    fn runs_on(&self) -> bool {
        false
    }

    /// Something a person should know, once.
    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }
}

/// 20 ms: what cards without a clock of their own take and give at a time, so that a packet leaves at every step.
const STEP: Duration = Duration::from_millis(20);
const STEP_SAMPLES: usize = SAMPLE_RATE as usize / 50;
const STEP_BLOCKS: usize = 2;

/// After a longer standstill (a suspended machine) time begins anew instead of being made up for.
const MOST_STEPS: usize = 25;

/// The clock of a card that has none: counts steps since its start, so that lateness never adds up.
#[derive(Debug)]
struct StepClock {
    started: Instant,
    done: u32,
}

impl StepClock {
    fn new(now: Instant) -> Self {
        Self { started: now, done: 0 }
    }

    /// Steps that became due, unless too many did; counts them as done.
    fn take_due(&mut self, now: Instant) -> usize {
        match self.take_all(now) {
            steps if steps > MOST_STEPS => 1,
            steps => steps,
        }
    }

    /// The same, however many.
    fn take_all(&mut self, now: Instant) -> usize {
        let due = (now.saturating_duration_since(self.started).as_millis() / STEP.as_millis()) as u32;
        let steps = due.saturating_sub(self.done);
        self.done += steps;
        steps as usize
    }

    fn next(&self) -> Instant {
        self.started + STEP * (self.done + 1)
    }
}
