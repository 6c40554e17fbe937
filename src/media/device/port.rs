//! One direction of a sound card: a stream that is opened, watched, given up and opened again, on the device that was chosen where
//! that is there and on the default one where it is not.

use super::{
    StepClock,
    life::Life,
    names::{DEFAULT, Devices, Instead},
    sound_server::Standard,
    stream::{Link, Opened, Wanted},
};
use crate::media::{
    SAMPLE_RATE,
    dsp::resample::Resampler,
    engine::{Notice, Severity},
};
use std::{
    sync::{atomic::Ordering::Relaxed, mpsc::TryRecvError},
    time::{Duration, Instant},
};

/// A sound server that takes longer to open a stream does not answer.
const OPENING: Duration = Duration::from_secs(5);
/// Between attempts to open a device; after a first failure, which passes as often as not, soon and without a word.
const RETRY: Duration = Duration::from_millis(200);
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// A stream with what is needed to keep it alive.
#[derive(Debug)]
pub struct Port<End> {
    what: &'static str,
    /// As chosen; `shared` is whether it could not be had alone.
    wanted: Wanted,
    shared: bool,
    open: fn(Wanted) -> Link<End>,
    pub state: State<End>,
    /// Since it last ran.
    failures: u32,
    /// Takes the stream's place.
    pub clock: StepClock,
}

/// Where a stream stands.
#[derive(Debug)]
pub enum State<End> {
    Opening { link: Link<End>, since: Instant },
    Open { link: Link<End>, opened: Box<Opened>, resampler: Resampler, life: Life },
    Failed { retry: Instant },
}

/// What is to be said of a card's two sides; of each the same thing once.
#[derive(Debug, Default)]
pub struct Notices {
    /// What cannot be used now, as was told.
    troubled: Vec<&'static str>,
    /// For each side the last that is not told yet.
    pending: Vec<(&'static str, Notice)>,
}

impl<End> Port<End> {
    pub fn new(now: Instant, what: &'static str, wanted: Wanted, open: fn(Wanted) -> Link<End>) -> Self {
        let state = State::Opening { link: open(wanted.clone()), since: now };
        Self { what, wanted, shared: false, open, state, failures: 0, clock: StepClock::new(now) }
    }

    fn open(&self, now: Instant) -> State<End> {
        let wanted = Wanted { name: self.wanted.name.clone(), alone: self.is_alone() };
        State::Opening { link: (self.open)(wanted), since: now }
    }

    const fn is_alone(&self) -> bool {
        self.wanted.alone && !self.shared
    }

    /// Better with others than not at all.
    fn share(&mut self, now: Instant, why: &str, notices: &mut Notices) -> State<End> {
        self.shared = true;
        notices.shared(self.what, self.wanted.name.as_deref(), why);
        self.open(now)
    }

    pub fn in_use(&self) -> Option<String> {
        match &self.state {
            State::Open { opened, .. } => Some(opened.name.clone()),
            State::Opening { .. } | State::Failed { .. } => None,
        }
    }

    /// The same, but of the default device which one that is, where that is known.
    pub fn device(&self) -> Option<&str> {
        match &self.state {
            State::Open { opened, .. } if opened.name == DEFAULT => opened.standard.name().or(Some(DEFAULT)),
            State::Open { opened, .. } => Some(&opened.name),
            State::Opening { .. } | State::Failed { .. } => None,
        }
    }

    /// Moves on: opening to open, dead to failed, failed to opening.
    pub fn maintain(&mut self, now: Instant, notices: &mut Notices) {
        let failed = State::Failed { retry: now + RETRY };
        self.state = match std::mem::replace(&mut self.state, failed) {
            State::Opening { link, since } => match link.opened.try_recv() {
                Ok(Ok(opened)) => {
                    notices.opened(self.what, self.wanted.name.as_deref(), &opened);
                    let resampler = self.resampler(opened.rate);
                    State::Open { link, opened: Box::new(opened), resampler, life: Life::new(now) }
                }
                Ok(Err(why)) if self.is_alone() => self.share(now, &why, notices),
                Ok(Err(why)) => self.fail(now, &why, notices),
                Err(TryRecvError::Empty) if now.saturating_duration_since(since) < OPENING => {
                    State::Opening { link, since }
                }
                Err(_) => self.fail(now, "it does not answer", notices),
            },
            State::Open { link, opened, resampler, mut life } => {
                life.observe(now, link.flow.callbacks.load(Relaxed), link.flow.errors.load(Relaxed));
                if link.flow.failed.load(Relaxed) || life.is_dead(now) {
                    self.fail(now, "it stopped working", notices)
                } else {
                    if life.runs() {
                        self.failures = 0;
                        notices.works(self.what);
                    }
                    State::Open { link, opened, resampler, life }
                }
            }
            State::Failed { retry } if now >= retry => self.open(now),
            state @ State::Failed { .. } => state,
        };
    }

    /// These devices are there. One that was missed is gone back to; that the sound server has moved the stream off one that is
    /// gone is noticed, and where it has moved it to none, another is looked for.
    pub fn devices_seen(&mut self, now: Instant, devices: &Devices, notices: &mut Notices) {
        let State::Open { opened, .. } = &mut self.state else { return };
        let leaves = opened.standard.becomes(&devices.standard) && opened.name == DEFAULT;
        let wanted = self.wanted.name.as_ref().map(|name| (name, devices.names.contains(name)));
        match (&opened.instead, wanted) {
            (Some(Instead::Absent), Some((wanted, true))) => {
                let text = format!("The {} “{wanted}” is back.", self.what);
                notices.say(self.what, Notice { severity: Severity::Info, text });
                self.shared = false;
                self.state = self.open(now);
            }
            _ if leaves => self.state = self.open(now),
            (None, Some((_, false))) if matches!(devices.standard, Standard::Other(_) | Standard::Nothing) => {
                self.state = self.open(now);
            }
            // Without any device there is no sound server, and the stream ends by itself.
            (None, Some((wanted, false))) if !devices.names.is_empty() => {
                (opened.instead, opened.name) = (Some(Instead::Absent), DEFAULT.to_owned());
                notices.opened(self.what, Some(wanted), opened);
            }
            // When it returns it may be free.
            (Some(Instead::Busy), Some((_, false))) => opened.instead = Some(Instead::Absent),
            _ => {}
        }
    }

    /// It has stopped working, and does not yet again.
    pub const fn fails(&self) -> bool {
        self.failures > 0
    }

    /// Another device is used than the one wanted.
    pub fn misses_device(&self) -> bool {
        matches!(&self.state, State::Open { opened, .. } if opened.instead.is_some())
    }

    fn fail(&mut self, now: Instant, why: &str, notices: &mut Notices) -> State<End> {
        self.failures = self.failures.saturating_add(1);
        if self.failures == 1 {
            return State::Failed { retry: now + FIRST_RETRY };
        }
        if self.is_alone() {
            return self.share(now, why, notices);
        }
        notices.trouble(self.what, why);
        State::Failed { retry: now + RETRY }
    }

    fn resampler(&self, rate: u32) -> Resampler {
        if self.what == "microphone" { Resampler::new(rate, SAMPLE_RATE) } else { Resampler::new(SAMPLE_RATE, rate) }
    }
}

impl Notices {
    pub fn take(&mut self) -> Option<Notice> {
        (!self.pending.is_empty()).then(|| self.pending.remove(0).1)
    }

    fn say(&mut self, what: &'static str, notice: Notice) {
        self.pending.retain(|(about, _)| *about != what);
        self.pending.push((what, notice));
    }

    fn trouble(&mut self, what: &'static str, why: &str) {
        if !self.troubled.contains(&what) {
            self.troubled.push(what);
            let why = why.trim_end_matches('.');
            let text =
                format!("The {what} cannot be used ({why}). Plug in a headset or choose another device; trying again.");
            self.say(what, Notice::warning(text));
        }
    }

    fn works(&mut self, what: &'static str) {
        if self.troubled.contains(&what) {
            self.troubled.retain(|about| *about != what);
            self.say(what, Notice { severity: Severity::Info, text: format!("The {what} works again.") });
        }
    }

    /// It was to be used alone.
    fn shared(&mut self, what: &'static str, name: Option<&str>, why: &str) {
        let (name, why) = (name.unwrap_or(DEFAULT), why.trim_end_matches('.'));
        let text = format!(
            "The {what} “{name}” cannot be used alone ({why}), so it is shared with other programs. Close those, or switch off \
             “Use the device alone” in Settings, Audio."
        );
        self.say(what, Notice::warning(text));
    }

    fn opened(&mut self, what: &'static str, wanted: Option<&str>, opened: &Opened) {
        let (Some(wanted), Some(why)) = (wanted, &opened.instead) else { return };
        let default =
            opened.standard.name().map_or_else(|| opened.name.clone(), |name| format!("{} ({name})", opened.name));
        let text = match why {
            Instead::Absent => format!("The {what} “{wanted}” is not there; using {default} instead."),
            Instead::Busy => format!(
                "The {what} “{wanted}” is in use by another program; using {default} instead. Close that program; the next call \
                 has it that begins some seconds after this one."
            ),
        };
        self.say(what, Notice::warning(text));
    }
}

#[cfg(test)]
mod tests;
