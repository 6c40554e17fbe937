//! The engine's cards: the talk card that all sessions share, the ringer, the tones on both, and the meters.

use super::{AudioChoice, DeviceList, EngineEvent, MediaError, Notice, Tone};
use crate::media::{
    BLOCK, SAMPLE_RATE,
    check::{ShiftCheck, Step},
    device::{Card, FileCard, NoWatch, NullCard, ProgramCard, SoundCard, Tape, Watch},
    dsp::{peak, power, tone::ToneSource},
    voice::{Exposure, ExposureMeter, ExposureRecord, Limiter, Processor, VoiceProcessing},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Steps of a card that only runs on, for its recording's sake.
const IDLE_STEP: Duration = Duration::from_millis(200);
/// A sound card stays open this long after its last use: the next call may come at once, and opening takes time.
const GRACE: Duration = Duration::from_secs(3);
/// Where nothing tells that devices come and go, they are looked for so often while one is missed; and a sound server that is gone,
/// so often while a card is open.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Devices come and go with many words.
const SETTLED: Duration = Duration::from_millis(100);
/// 15 a second.
const LEVELS_EVERY: Duration = Duration::from_millis(66);
/// Of sound.
const EXPOSURE_EVERY: Duration = Duration::from_secs(60);

/// Blocks that a tone waits for a device that is being opened; one that does not open is not waited for for ever.
const MOST_WAITED: u32 = 500;
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
    idle_since: Option<Instant>,
    /// What rings or alerts, on the device of that name.
    bell: Option<(Option<String>, SoundCard)>,
    tone: Option<ToneSource>,
    /// Blocks that it has waited for its device.
    waited: u32,
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
    /// While a card is open.
    watch: Option<Watch>,
    /// There is nothing to watch devices with.
    unwatched: bool,
    /// When to look at the devices, and for the server.
    look: Option<Instant>,
    watch_again: Instant,
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
            idle_since: None,
            bell: None,
            tone: None,
            waited: 0,
            meter: None,
            check: None,
            checked: None,
            voice: VoiceProcessing::OFF,
            processor: None,
            lives_ms: 0,
            limiter: Limiter::default(),
            exposure: ExposureMeter::new(now),
            told: Exposure::default(),
            watch: None,
            unwatched: false,
            look: None,
            watch_again: now,
            in_use: Default::default(),
        })
    }

    /// Changes the devices, also in mid-call. An unusable choice changes nothing.
    pub fn choose(&mut self, choice: AudioChoice) -> Result<(), MediaError> {
        if choice != self.choice {
            self.tape = open_tape(&choice)?;
            self.choice = choice;
            self.card = None;
            self.bell = None;
        }
        Ok(())
    }

    pub fn set_tone(&mut self, tone: Option<Tone>) {
        (self.tone, self.waited) = (tone.map(ToneSource::new), 0);
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
        self.prepare(now).connected(now);
    }

    pub fn poll_timeout(&self, now: Instant, demand: Demand) -> Option<Instant> {
        let bell = match &self.bell {
            Some((_, bell)) => Some(bell.poll_timeout()),
            None => self.rings().then_some(now),
        };
        let card = match (&self.card, self.needs_card(demand)) {
            (None, true) => Some(now),
            (Some(card), true) => Some(card.poll_timeout()),
            (Some(card), false) if card.runs_on() => Some(card.poll_timeout() + IDLE_STEP),
            (Some(_), false) if self.has_devices() => Some(self.idle_since.map_or(now, |since| since + GRACE)),
            (_, false) => None,
        };
        card.into_iter().chain(bell).chain(self.look).min()
    }

    /// Appends what the microphone heard. Returns how many blocks are to be given to [`Audio::play`].
    pub fn poll(&mut self, now: Instant, demand: Demand, microphone: &mut Vec<f32>) -> usize {
        self.ring(now);
        let needed = self.needs_card(demand);
        if needed {
            self.idle_since = None;
            let listen = demand > Demand::Nothing || self.meter.is_some() || self.check.is_some();
            let card = self.prepare(now);
            card.listen(now, listen);
            let blocks = card.poll(now, microphone);
            let (speaker, has_devices) = (card.player(), self.has_devices());
            let is_alive = power(microphone) > DEAD;
            self.lives_ms = if is_alive { microphone.len() as u64 * 1000 / u64::from(SAMPLE_RATE) } else { 0 };
            self.process(demand, microphone);
            // A call is more important.
            let ended = self.check.take_if(|_| demand > Demand::Nothing).map(|_| ShiftCheck::interrupted());
            let step = self.check.as_mut().and_then(|check| {
                check.note_players(has_devices, speaker, self.bell.as_ref().and_then(|(_, bell)| bell.player()));
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
            self.mix_tone(self.card.as_ref().is_some_and(|card| card.is_heard()), mix);
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
    pub fn devices_changed(&mut self, now: Instant) {
        self.look.get_or_insert(now + SETTLED);
    }

    /// Whether the devices are to be looked at now; `tell` is called from another thread when some have come or gone.
    pub fn watch_devices(&mut self, now: Instant, tell: impl FnOnce() -> Box<dyn Fn() + Send>) -> bool {
        let is_open = self.card.is_some() || self.bell.is_some();
        if !self.has_devices() || !is_open {
            (self.watch, self.look) = (None, None);
            return false;
        }
        if self.watch.as_ref().is_some_and(Watch::has_ended) {
            (self.watch, self.watch_again) = (None, now + LOOK_AGAIN);
        }
        if self.watch.is_none() && !self.unwatched && now >= self.watch_again {
            self.watch_again = now + LOOK_AGAIN;
            let started = Watch::start(tell());
            self.unwatched = matches!(started, Err(NoWatch::Never));
            self.watch = started.ok();
            // What happened unwatched.
            self.devices_changed(now);
        }
        let misses = |card: &dyn Card| card.misses_device();
        let missed =
            self.card.as_deref().is_some_and(misses) || self.bell.as_ref().is_some_and(|(_, bell)| misses(bell));
        if self.watch.is_none() && missed {
            self.look.get_or_insert(now + LOOK_AGAIN);
        }
        self.look.take_if(|look| *look <= now).is_some()
    }

    /// These devices are there.
    pub fn devices_seen(&mut self, now: Instant, microphones: &[String], speakers: &[String]) {
        let bell = self.bell.as_mut().map(|(_, bell)| bell as &mut dyn Card);
        let card = self.card.as_deref_mut().map(|card| card as &mut dyn Card);
        for card in card.into_iter().chain(bell) {
            card.devices_seen(now, microphones, speakers);
        }
    }

    /// Notices and levels that are due. Returns whether the devices in use changed.
    pub fn report(&mut self, now: Instant, microphone: &[f32], emit: &dyn Fn(EngineEvent)) -> bool {
        let card = self.card.as_mut().and_then(|card| card.poll_notice());
        let bell = self.bell.as_mut().and_then(|(_, bell)| bell.poll_notice());
        card.into_iter().chain(bell).for_each(|notice| emit(EngineEvent::Notice(notice)));
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
        let in_use = [microphone, speaker, self.bell.as_ref().and_then(|(_, bell)| bell.in_use().1)];
        std::mem::replace(&mut self.in_use, in_use) != self.in_use
    }

    /// What the ear got before the program was started.
    pub fn heard_before(&mut self, now: Instant, before: &ExposureRecord, age: Duration) {
        self.exposure.restore(now, before, age);
        self.told = self.exposure.exposure();
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
    pub fn device_list(&self, microphones: Vec<String>, speakers: Vec<String>) -> DeviceList {
        let [microphone, speaker, ringer] = self.in_use.clone();
        DeviceList { microphones, speakers, microphone, speaker, ringer }
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
        let tone = self.tone.is_some() && !self.rings();
        match demand {
            Demand::Running => true,
            Demand::Soon if self.has_devices() => true,
            Demand::Soon | Demand::Nothing => tone || self.meter.is_some() || self.check.is_some(),
        }
    }

    /// Whether the tone has a device of its own.
    fn rings(&self) -> bool {
        // The check wants to know of the ringer also after the tone.
        if self.has_devices() && self.check.as_ref().is_some_and(ShiftCheck::rings) {
            return true;
        }
        let chosen = match &self.choice {
            AudioChoice::Device { alert, .. } => alert.is_some(),
            _ => false,
        };
        match self.tone.as_ref().map(ToneSource::tone) {
            Some(Tone::Ring | Tone::Test { ringer: true }) => true,
            Some(Tone::CallWaiting | Tone::Answered) => chosen,
            Some(Tone::Ringback | Tone::Busy | Tone::Recording | Tone::Test { ringer: false }) | None => false,
        }
    }

    fn prepare(&mut self, now: Instant) -> &mut dyn Card {
        let (choice, tape) = (&self.choice, &mut self.tape);
        self.card
            .get_or_insert_with(|| match (choice, tape.take()) {
                (_, Some(tape)) => Box::new(FileCard::new(now, tape)),
                (AudioChoice::Device { microphone, speaker, .. }, None) => {
                    Box::new(SoundCard::new(now, microphone.clone(), speaker.clone()))
                }
                (AudioChoice::Echo, None) => Box::new(ProgramCard::echo(now)),
                (AudioChoice::Loop { samples }, None) => Box::new(ProgramCard::speaking(now, Arc::clone(samples))),
                (AudioChoice::Null | AudioChoice::File { .. }, None) => Box::new(NullCard::new(now)),
            })
            .as_mut()
    }

    /// Plays the tone that has a device of its own; files and nothing have none.
    fn ring(&mut self, now: Instant) {
        if !self.rings() {
            self.bell = None;
            return;
        }
        let AudioChoice::Device { ringer, alert, .. } = &self.choice else {
            self.tone = None;
            return;
        };
        let is_alert = matches!(self.tone.as_ref().map(ToneSource::tone), Some(Tone::CallWaiting | Tone::Answered));
        let name = if is_alert { alert } else { ringer };
        let open = self.bell.take().filter(|(open, _)| open == name);
        let (name, mut bell) = open.unwrap_or_else(|| (name.clone(), SoundCard::bell(now, name.clone())));
        for _ in 0..bell.poll(now, &mut Vec::new()) {
            let mut block = [0.0; BLOCK];
            self.mix_tone(bell.is_heard(), &mut block);
            bell.play(&block);
        }
        self.bell = Some((name, bell));
    }

    /// Adds the tone. It begins, and goes on, when its device does, or the short ones would be over before they are heard.
    fn mix_tone(&mut self, is_heard: bool, mix: &mut [f32]) {
        self.waited = if is_heard { 0 } else { self.waited.saturating_add(1) };
        if (1..=MOST_WAITED).contains(&self.waited) {
            return;
        }
        if let Some(tone) = &mut self.tone
            && !tone.mix(mix)
        {
            self.tone = None;
        }
    }
}

fn open_tape(choice: &AudioChoice) -> Result<Option<Tape>, MediaError> {
    match choice {
        AudioChoice::File { input, output } => Tape::open(input, output).map(Some),
        AudioChoice::Device { .. } | AudioChoice::Null | AudioChoice::Echo | AudioChoice::Loop { .. } => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_beside_a_call_has_its_own_device_where_one_is_chosen() {
        let waiting = [(Tone::CallWaiting, true), (Tone::Answered, true), (Tone::Ring, true), (Tone::Busy, false)];
        for alert in [None, Some("Desk".to_owned())] {
            for (tone, own) in waiting {
                let (microphone, speaker, ringer) = (None, None, None);
                let choice = AudioChoice::Device { microphone, speaker, ringer, alert: alert.clone() };
                let mut audio = Audio::new(Instant::now(), choice).expect("nothing to open");
                audio.set_tone(Some(tone));
                assert_eq!(audio.rings(), own && (alert.is_some() || tone == Tone::Ring), "{tone:?} on {alert:?}");
            }
        }
    }

    /// Its device opens and begins as late as one of a sound server that sleeps.
    #[test]
    fn a_short_tone_is_heard_whole_however_late_its_device_begins() {
        let start = Instant::now();
        for opens_after in [0, 30, 250] {
            let (microphone, speaker, ringer) = (None, None, None);
            let desk = Some("Desk".to_owned());
            let choice = AudioChoice::Device { microphone, speaker, ringer, alert: desk.clone() };
            let mut audio = Audio::new(start, choice).expect("nothing to open");
            let (card, mut device, flow) = SoundCard::simulated(start);
            audio.bell = Some((desk, card));
            audio.set_tone(Some(Tone::Answered));
            let mut heard = Vec::new();
            for n in 0..400 {
                if n >= opens_after {
                    flow.callbacks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    heard.extend((0..BLOCK).map_while(|_| device.pop().ok()));
                }
                audio.poll(start + Duration::from_millis(10) * n, Demand::Nothing, &mut Vec::new());
            }
            assert!(audio.tone.is_none(), "it is over");
            let sounds = heard.chunks(BLOCK).filter(|block| peak(block) > 0.1).count();
            assert!((29..=32).contains(&sounds), "{opens_after}: twice 150 ms, {sounds} blocks heard");
        }
    }

    #[test]
    fn nobody_waits_for_ever_for_a_device() {
        let start = Instant::now();
        let choice = AudioChoice::Device { microphone: None, speaker: None, ringer: None, alert: None };
        let mut audio = Audio::new(start, choice).expect("nothing to open");
        audio.bell = Some((None, SoundCard::simulated(start).0));
        audio.set_tone(Some(Tone::Test { ringer: true }));
        for n in 0..900 {
            audio.poll(start + Duration::from_millis(10) * n, Demand::Nothing, &mut Vec::new());
        }
        assert!(audio.tone.is_none());
    }

    /// Noise suppression takes a quiet room for nothing; a microphone that gives it works all the same.
    #[test]
    fn a_microphone_in_a_quiet_room_lives() {
        for (level, lives) in [(0, false), (3, true)] {
            let now = Instant::now();
            let samples: Arc<[i16]> = (0..48_000).map(|n| if n % 2 == 0 { level } else { -level }).collect();
            let mut audio = Audio::new(now, AudioChoice::Loop { samples }).expect("nothing to open");
            audio.set_voice(VoiceProcessing { noise: true, ..VoiceProcessing::OFF });
            audio.connected(now);
            let mut lived = 0;
            for n in 0..100 {
                audio.poll(now + Duration::from_millis(20) * n, Demand::Running, &mut Vec::new());
                lived += audio.microphone_lives_ms();
            }
            assert_eq!(lived > 1_000, lives, "{lived} ms at level {level}");
        }
    }

    /// It has nothing that rings, which is neither waited for nor a fault.
    #[test]
    fn a_check_of_no_device_goes_its_way() {
        let mut now = Instant::now();
        let mut audio = Audio::new(now, AudioChoice::Null).expect("nothing to open");
        audio.check();
        let told = std::cell::RefCell::new(Vec::new());
        let end = now + Duration::from_secs(12);
        while now < end && audio.check.is_some() {
            for _ in 0..audio.poll(now, Demand::Nothing, &mut Vec::new()) {
                audio.play(now, &mut [0.0; BLOCK]);
            }
            audio.report(now, &[], &|event| {
                if let EngineEvent::Check(step) = event {
                    told.borrow_mut().push(step);
                }
            });
            if audio.check.is_some() && audio.tone.is_none() {
                let next = audio.poll_timeout(now, Demand::Nothing).expect("it goes on");
                assert!(next > now, "{:?}", told.borrow());
            }
            now += Duration::from_millis(20);
        }
        let told = told.into_inner();
        let [Step::Speak, Step::Headset, Step::Ringer, Step::Done(findings)] = &told[..] else { panic!("{told:?}") };
        let what: Vec<_> = findings.iter().map(|finding| finding.what).collect();
        assert_eq!(what, ["microphone", "room", "echo"]);
    }

    #[test]
    fn a_check_that_a_call_ends_has_an_end() {
        let now = Instant::now();
        let mut audio = Audio::new(now, AudioChoice::Null).expect("nothing to open");
        audio.check();
        let told = std::cell::RefCell::new(Vec::new());
        for (n, demand) in [Demand::Nothing, Demand::Running, Demand::Running].into_iter().enumerate() {
            let (now, mut microphone) = (now + Duration::from_millis(20) * n as u32, Vec::new());
            audio.poll(now, demand, &mut microphone);
            audio.report(now, &microphone, &|event| {
                if let EngineEvent::Check(step) = event {
                    told.borrow_mut().push(step);
                }
            });
        }
        let told = told.into_inner();
        let [Step::Speak, Step::Done(findings)] = &told[..] else { panic!("{told:?}") };
        assert!(findings.iter().any(|finding| !finding.good && finding.words.contains("A call came")), "{findings:?}");
    }
}
