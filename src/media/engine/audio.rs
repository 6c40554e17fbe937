//! The engine's cards: the talk card that all sessions share, the ringer, the tones on both, and the meters.

mod bell;
mod lookout;

use super::{AudioChoice, DeviceList, EngineEvent, MediaError, Notice, Tone};
use crate::media::{
    SAMPLE_RATE,
    check::{ShiftCheck, Step},
    device::{Card, Change, Devices, FileCard, NullCard, ProgramCard, SoundCard, Tape},
    dsp::{peak, power},
    voice::{Exposure, ExposureMeter, ExposureRecord, Limiter, Processor, VoiceProcessing},
};
use bell::Bell;
use lookout::Lookout;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Steps of a card that only runs on, for its recording's sake.
const IDLE_STEP: Duration = Duration::from_millis(200);
/// A sound card stays open this long after its last use: the next call may come at once, and opening takes time.
const GRACE: Duration = Duration::from_secs(3);
/// 15 a second.
const LEVELS_EVERY: Duration = Duration::from_millis(66);
/// Of sound.
const EXPOSURE_EVERY: Duration = Duration::from_secs(60);

/// Mean square that a microphone exceeds which works: the last of 16 bits.
const DEAD: f32 = 1e-9;

/// What the sessions need of the talk card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    Nothing,
    /// A session will start soon: sound cards are opened ahead.
    Soon,
    Running,
}

/// Owns the devices.
pub struct Audio {
    choice: AudioChoice,
    /// Opened files wait here for the first session.
    tape: Option<Tape>,
    card: Option<Box<dyn Card>>,
    /// The card is, or is to be, used past the sound server.
    alone: bool,
    idle_since: Option<Instant>,
    bell: Bell,
    meter: Option<Meter>,
    /// The check before the shift, and what it has to say.
    check: Option<ShiftCheck>,
    checked: Option<Step>,
    voice: VoiceProcessing,
    /// While a session runs and something is to be done.
    processor: Option<Box<Processor>>,
    /// Milliseconds of sound that the microphone has just given, before anything was done to it: without its noise a room is silent.
    lives_ms: u64,
    limiter: Limiter,
    exposure: ExposureMeter,
    /// As it was told last.
    told: Exposure,
    lookout: Lookout,
    /// Microphone, speaker and ringer open now.
    in_use: [Option<String>; 3],
}

/// Peaks since the last report, and when the next is due.
struct Meter {
    microphone: f32,
    speaker: f32,
    due: Instant,
}

impl Audio {
    pub fn new(now: Instant, choice: AudioChoice) -> Result<Self, MediaError> {
        let tape = open_tape(&choice)?;
        Ok(Self {
            choice,
            tape,
            card: None,
            alone: false,
            idle_since: None,
            bell: Bell::default(),
            meter: None,
            check: None,
            checked: None,
            voice: VoiceProcessing::OFF,
            processor: None,
            lives_ms: 0,
            limiter: Limiter::default(),
            exposure: ExposureMeter::new(now),
            told: Exposure::default(),
            lookout: Lookout::new(now),
            in_use: Default::default(),
        })
    }

    /// Changes the devices, also in mid-call. An unusable choice changes nothing.
    pub fn choose(&mut self, choice: AudioChoice) -> Result<(), MediaError> {
        if choice != self.choice {
            self.tape = open_tape(&choice)?;
            self.choice = choice;
            self.card = None;
            self.bell.close();
        }
        Ok(())
    }

    pub fn set_tone(&mut self, tone: Option<Tone>) {
        self.bell.set(tone);
    }

    pub fn set_voice(&mut self, voice: VoiceProcessing) {
        self.voice = voice;
        match &mut self.processor {
            Some(processor) if !voice.is_off() => processor.set(voice),
            _ => self.processor = None,
        }
    }

    pub fn check(&mut self) {
        self.check = Some(ShiftCheck::default());
    }

    pub fn set_meter(&mut self, now: Instant, on: bool) {
        self.meter = on.then_some(Meter { microphone: 0.0, speaker: 0.0, due: now + LEVELS_EVERY });
    }

    pub fn connected(&mut self, now: Instant) {
        self.prepare(now, self.may_be_alone()).connected(now);
    }

    pub fn poll_timeout(&self, now: Instant, demand: Demand) -> Option<Instant> {
        let bell = match self.bell.card() {
            Some(bell) => Some(bell.poll_timeout()),
            None => self.rings().then_some(now),
        };
        let card = match (&self.card, self.needs_card(demand)) {
            (None, true) => Some(now),
            (Some(card), true) => Some(card.poll_timeout()),
            (Some(card), false) if card.runs_on() => Some(card.poll_timeout() + IDLE_STEP),
            (Some(_), false) if self.has_devices() => Some(self.idle_since.map_or(now, |since| since + GRACE)),
            (_, false) => None,
        };
        card.into_iter().chain(bell).chain(self.lookout.poll_timeout()).min()
    }

    /// Appends what the microphone heard. Returns how many blocks are to be given to [`Audio::play`].
    pub fn poll(&mut self, now: Instant, demand: Demand, microphone: &mut Vec<f32>) -> usize {
        if self.alone && demand < Demand::Running && self.bell.rings(&self.choice, false) {
            // What rings may want the very card.
            self.card = None;
        }
        let rings = self.rings();
        let exposure = &mut self.exposure;
        let speaker = self.card.as_ref().and_then(|card| card.speaker());
        self.bell.ring(now, rings.then_some(&self.choice), speaker, |block| exposure.hear_beside(now, block));
        let needed = self.needs_card(demand);
        if needed {
            self.idle_since = None;
            let listen = demand > Demand::Nothing || self.meter.is_some() || self.check.is_some();
            let alone = self.may_be_alone() && demand > Demand::Nothing && !(demand == Demand::Soon && rings);
            let card = self.prepare(now, alone);
            card.listen(now, listen);
            let blocks = card.poll(now, microphone);
            // Where there is none, nobody is to be told that it is silent.
            let is_alive = !card.has_microphone() || power(microphone) > DEAD;
            self.lives_ms = if is_alive { microphone.len() as u64 * 1000 / u64::from(SAMPLE_RATE) } else { 0 };
            self.process(demand, microphone);
            // A call is more important.
            let ended = self.check.take_if(|_| demand > Demand::Nothing).map(|_| ShiftCheck::interrupted());
            let has_devices = self.has_devices();
            let step = self.check.as_mut().and_then(|check| {
                let (card, bell) = (self.card.as_deref(), self.bell.card());
                let heard = card.and_then(|card| card.in_use().0);
                check.note_devices(has_devices, heard, card.and_then(Card::player), bell.and_then(Card::player));
                check.hear(microphone)
            });
            self.checked = ended.or(step).or(self.checked.take());
            return blocks;
        }
        self.processor = None;
        let runs_on = self.card.as_ref().is_some_and(|card| card.runs_on());
        if self.card.is_some() && self.has_devices() {
            let since = *self.idle_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= GRACE {
                self.card = None;
                self.idle_since = None;
            }
        }
        match &mut self.card {
            Some(card) if runs_on => card.poll(now, microphone),
            _ => 0,
        }
    }

    /// Adds the tone and plays a block, at `at`.
    pub fn play(&mut self, at: Instant, mix: &mut [f32]) {
        if !self.rings() {
            self.bell.mix(self.card.as_ref().is_some_and(|card| card.is_heard()), mix);
        }
        if let Some(check) = &mut self.check {
            check.play(mix);
        }
        self.limiter.process(mix);
        if self.has_devices() {
            self.exposure.hear(at, mix);
        }
        if let Some(processor) = &mut self.processor {
            processor.played(mix);
        }
        if let Some(card) = &mut self.card {
            card.play(mix);
        }
        if let Some(meter) = &mut self.meter {
            meter.speaker = meter.speaker.max(peak(mix));
        }
    }

    /// Milliseconds of sound that the microphone gave in the last step, be it the room's.
    pub const fn microphone_lives_ms(&self) -> u64 {
        self.lives_ms
    }

    /// Whether the microphone or the speaker is missing.
    pub fn is_incomplete(&self) -> bool {
        self.card.as_ref().is_some_and(|card| card.is_incomplete())
    }

    /// Devices have come or gone.
    pub fn devices_changed(&mut self, now: Instant, change: Change) {
        if let (Change::Moved, Some(card)) = (change, &mut self.card) {
            card.doubt_microphone();
        }
        self.lookout.changed(now);
    }

    /// Whether the devices are to be looked at now; `tell` is called from another thread when some have come or gone.
    pub fn watch_devices(&mut self, now: Instant, tell: impl FnOnce() -> Box<dyn Fn(Change) + Send>) -> bool {
        let cards = || self.card.as_deref().map(|card| card as &dyn Card).into_iter().chain(self.bell.card());
        let is_open = self.has_devices() && cards().next().is_some();
        let misses = cards().any(Card::misses_device);
        self.lookout.watch(now, (is_open, misses), tell)
    }

    /// These devices are there.
    pub fn devices_seen(&mut self, now: Instant, microphones: &Devices, speakers: &Devices) {
        let bell = self.bell.card_mut();
        let card = self.card.as_deref_mut().map(|card| card as &mut dyn Card);
        for card in card.into_iter().chain(bell) {
            card.devices_seen(now, microphones, speakers);
        }
    }

    /// Notices and levels that are due. Returns whether the devices in use changed.
    pub fn report(&mut self, now: Instant, microphone: &[f32], emit: &dyn Fn(EngineEvent)) -> bool {
        let card = self.card.as_mut().and_then(|card| card.poll_notice());
        let bell = self.bell.card_mut().and_then(Card::poll_notice);
        let lookout = self.lookout.poll_notice();
        card.into_iter().chain(bell).chain(lookout).for_each(|notice| emit(EngineEvent::Notice(notice)));
        if let Some(step) = self.checked.take() {
            match step {
                Step::Ringer => self.set_tone(Some(Tone::Test { ringer: true })),
                Step::Done(_) => self.check = None,
                Step::Speak | Step::Headset | Step::Network => {}
            }
            emit(EngineEvent::Check(step));
        }
        if let Some(meter) = &mut self.meter {
            meter.microphone = meter.microphone.max(peak(microphone));
            if now >= meter.due {
                emit(EngineEvent::Levels { microphone: meter.microphone, speaker: meter.speaker });
                *meter = Meter { microphone: 0.0, speaker: 0.0, due: now + LEVELS_EVERY };
            }
        }
        if self.exposure.exposure().heard.abs_diff(self.told.heard) >= EXPOSURE_EVERY {
            self.tell_exposure(emit);
        }
        let (microphone, speaker) = self.card.as_ref().map_or((None, None), |card| card.in_use());
        let in_use = [microphone, speaker, self.bell.card().and_then(|bell| bell.in_use().1)];
        std::mem::replace(&mut self.in_use, in_use) != self.in_use
    }

    /// What the ear got before the program was started.
    pub fn heard_before(&mut self, now: Instant, before: &ExposureRecord, age: Duration) {
        self.exposure.restore(now, before, age);
        self.told = self.exposure.exposure();
    }

    pub fn exposure(&self) -> Exposure {
        self.exposure.exposure()
    }

    /// What the ear got, where that has changed; and a word of warning when it has become too much.
    pub fn tell_exposure(&mut self, emit: &dyn Fn(EngineEvent)) {
        let before = std::mem::replace(&mut self.told, self.exposure.exposure());
        if self.told == before {
            return;
        }
        emit(EngineEvent::Exposure(self.told, self.exposure.record()));
        if let Some(text) = self.told.warning(&before) {
            emit(EngineEvent::Notice(Notice::warning(text)));
        }
    }

    /// The list for the window: what exists, and what is in use.
    pub fn device_list(&self, microphones: Devices, speakers: Devices) -> DeviceList {
        let [microphone, speaker, ringer] = self.in_use.clone();
        DeviceList { microphones: microphones.names, speakers: speakers.names, microphone, speaker, ringer }
    }

    /// Whether there are devices to choose from.
    pub fn has_devices(&self) -> bool {
        matches!(self.choice, AudioChoice::Device { .. })
    }

    /// What the microphone heard, as the calls are to have it.
    fn process(&mut self, demand: Demand, microphone: &mut Vec<f32>) {
        if demand < Demand::Running || self.voice.is_off() {
            self.processor = None;
        } else {
            let voice = self.voice;
            self.processor.get_or_insert_with(|| Box::new(Processor::new(voice))).heard(microphone);
        }
    }

    fn needs_card(&self, demand: Demand) -> bool {
        let tone = self.bell.tone().is_some() && !self.rings();
        match demand {
            Demand::Running => true,
            // Opened ahead, but for a card that may be the one to ring.
            Demand::Soon if self.has_devices() && !(self.may_be_alone() && self.rings()) => true,
            Demand::Soon | Demand::Nothing => tone || self.meter.is_some() || self.check.is_some(),
        }
    }

    /// Whether the tone has a device of its own.
    fn rings(&self) -> bool {
        // The check wants to know of the ringer also after the tone.
        let checks = self.has_devices() && self.check.as_ref().is_some_and(ShiftCheck::rings);
        checks || self.bell.rings(&self.choice, self.alone && self.card.is_some())
    }

    /// Whether calls are to have the card for themselves.
    const fn may_be_alone(&self) -> bool {
        matches!(self.choice, AudioChoice::Device { alone: true, .. })
    }

    fn prepare(&mut self, now: Instant, alone: bool) -> &mut dyn Card {
        if std::mem::replace(&mut self.alone, alone) != alone {
            self.card = None;
        }
        let (choice, tape) = (&self.choice, &mut self.tape);
        self.card
            .get_or_insert_with(|| match (choice, tape.take()) {
                (_, Some(tape)) => Box::new(FileCard::new(now, tape)),
                (AudioChoice::Device { microphone, speaker, .. }, None) => {
                    Box::new(SoundCard::new(now, microphone.clone(), speaker.clone(), alone))
                }
                (AudioChoice::Echo, None) => Box::new(ProgramCard::echo(now)),
                (AudioChoice::Loop { samples }, None) => Box::new(ProgramCard::speaking(now, Arc::clone(samples))),
                (AudioChoice::Null | AudioChoice::File { .. }, None) => Box::new(NullCard::new(now)),
            })
            .as_mut()
    }
}

fn open_tape(choice: &AudioChoice) -> Result<Option<Tape>, MediaError> {
    match choice {
        AudioChoice::File { input, output } => Tape::open(input, output).map(Some),
        AudioChoice::Device { .. } | AudioChoice::Null | AudioChoice::Echo | AudioChoice::Loop { .. } => Ok(None),
    }
}

#[cfg(test)]
mod tests;
