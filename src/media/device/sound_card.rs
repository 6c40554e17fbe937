//! The sound card: a microphone and a speaker that come, fail and come back, each by itself. While one is absent the clock
//! takes its place, so that a call goes on in silence and is heard again once there is sound.

#[cfg(test)]
use super::sound_server::Standard;
use super::{
    Card, Devices, STEP_BLOCKS, STEP_SAMPLES, StepClock,
    port::{Notices, Port, State},
    stream::{self, Wanted},
};
use crate::media::{BLOCK, SAMPLE_RATE, check::Player, engine::Notice};
use rtrb::{Consumer, Producer};
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

/// Between polls: short, because what is heard waits for the next one, and whoever hears it waits for the latest of those waits.
const POLL: Duration = Duration::from_millis(2);
/// Sound of the microphone that is worth sending; what gathered beyond is dropped.
const MOST_HEARD: usize = SAMPLE_RATE as usize / 10;
/// Sound kept ready for the speaker, were it to take it evenly, beyond what it has at each time: grows when it was too little.
const RESERVE_MS: std::ops::RangeInclusive<f64> = 7.0..=60.0;
const RESERVE_STEP_MS: f64 = 5.0;
/// Given back at each poll, 1 ms in ten seconds.
const RESERVE_DECAY_MS: f64 = 0.0002;

/// A card through cpal.
#[derive(Debug)]
pub struct SoundCard {
    /// `None`: play only.
    microphone: Option<Port<Consumer<f32>>>,
    microphone_wanted: Wanted,
    speaker: Port<Producer<f32>>,
    /// What it takes at once is ready at once, so that nothing breaks off where others keep the computer busy.
    may_be_late: bool,
    reserve_ms: f64,
    starved: u32,
    /// The speaker is absent: what is played is thrown away.
    no_speaker: bool,
    polled: Instant,
    /// The clock took the microphone's place.
    substituted: bool,
    /// Whether the microphone is still one is not known: it has not been seen since the sound server moved streams.
    doubted: bool,
    scratch: Vec<f32>,
    notices: Notices,
}

impl SoundCard {
    /// Names as in the list of devices, `None` for the default; those that are named are used `alone`, past the sound server.
    pub fn new(now: Instant, microphone: Option<String>, speaker: Option<String>, alone: bool) -> Self {
        let [microphone, speaker] = [microphone, speaker].map(|name| Wanted { alone: alone && name.is_some(), name });
        Self::playing(now, microphone, Port::new(now, "speaker", speaker, stream::speaker))
    }

    /// Plays only, and may be late with it.
    pub fn bell(now: Instant, name: Option<String>) -> Self {
        let wanted = Wanted { name, alone: false };
        let ringer = Port::new(now, "ringer", wanted, stream::bell);
        Self { may_be_late: true, ..Self::playing(now, Wanted::default(), ringer) }
    }

    fn playing(now: Instant, microphone_wanted: Wanted, speaker: Port<Producer<f32>>) -> Self {
        Self {
            microphone: None,
            microphone_wanted,
            speaker,
            may_be_late: false,
            reserve_ms: *RESERVE_MS.start(),
            starved: 0,
            no_speaker: false,
            polled: now,
            substituted: false,
            doubted: false,
            scratch: Vec::new(),
            notices: Notices::default(),
        }
    }

    fn hear(&mut self, now: Instant, into: &mut Vec<f32>) {
        let Some(port) = &mut self.microphone else { return };
        port.maintain(now, &mut self.notices);
        let State::Open { link, resampler, life, .. } = &mut port.state else {
            self.substituted = true;
            into.resize(into.len() + port.clock.take_due(now) * STEP_SAMPLES, 0.0);
            return;
        };
        while self.doubted && link.ring.pop().is_ok() {}
        let available = link.ring.slots();
        if available == 0 {
            let steps = port.clock.take_due(now);
            if self.doubted || !life.is_moving(now) {
                self.substituted = true;
                into.resize(into.len() + steps * STEP_SAMPLES, 0.0);
            }
            return;
        }
        port.clock = StepClock::new(now);
        self.scratch.clear();
        self.scratch.extend((0..available).map_while(|_| link.ring.pop().ok()));
        let start = into.len();
        resampler.process(&self.scratch, into);
        // What gathered while the clock took the microphone's place was already sent as silence.
        let most = if std::mem::take(&mut self.substituted) { BLOCK } else { MOST_HEARD };
        let heard = into.len() - start;
        into.drain(start..start + heard.saturating_sub(most));
    }

    /// Blocks that keep the speaker supplied.
    fn wanted(&mut self, now: Instant) -> usize {
        let port = &mut self.speaker;
        port.maintain(now, &mut self.notices);
        self.no_speaker = true;
        let (link, opened, life) = match &port.state {
            State::Open { link, opened, life, .. } if life.is_moving(now) => (link, opened, life),
            State::Open { .. } | State::Opening { .. } | State::Failed { .. } => {
                return port.clock.take_due(now) * STEP_BLOCKS;
            }
        };
        self.no_speaker = false;
        port.clock = StepClock::new(now);
        let starved = link.flow.starved.load(Relaxed);
        let step = if starved != self.starved { RESERVE_STEP_MS } else { -RESERVE_DECAY_MS };
        self.starved = starved;
        self.reserve_ms = (self.reserve_ms + step).clamp(*RESERVE_MS.start(), *RESERVE_MS.end());
        let block = opened.rate as usize / 100;
        let frames = |seconds: f64| (seconds * f64::from(opened.rate)) as usize;
        let period = link.flow.period.load(Relaxed) as usize;
        // What it took last it plays meanwhile; what is made later is newer.
        let played = if self.may_be_late { period } else { frames(life.rests(now).as_secs_f64()).min(period) };
        let ready = link.ring.buffer().capacity() - link.ring.slots();
        (frames(self.reserve_ms / 1000.0) + played).saturating_sub(ready).div_ceil(block)
    }
}

impl Card for SoundCard {
    fn poll(&mut self, now: Instant, microphone: &mut Vec<f32>) -> usize {
        self.polled = now;
        self.hear(now, microphone);
        self.wanted(now)
    }

    fn play(&mut self, block: &[f32]) {
        let State::Open { link, resampler, .. } = &mut self.speaker.state else { return };
        if self.no_speaker {
            return;
        }
        self.scratch.clear();
        resampler.process(block, &mut self.scratch);
        let (_, _unheard) = link.ring.push_partial_slice(&self.scratch);
    }

    fn poll_timeout(&self) -> Instant {
        self.polled + POLL
    }

    fn listen(&mut self, now: Instant, on: bool) {
        if on != self.microphone.is_some() {
            let wanted = self.microphone_wanted.clone();
            self.microphone = on.then(|| Port::new(now, "microphone", wanted, stream::microphone));
        }
    }

    fn in_use(&self) -> (Option<String>, Option<String>) {
        (self.microphone.as_ref().and_then(Port::in_use), self.speaker.in_use())
    }

    fn player(&self) -> Option<Player> {
        Some(Player { name: self.speaker.in_use()?, instead: self.speaker.misses_device() })
    }

    fn speaker(&self) -> Option<&str> {
        self.speaker.device()
    }

    fn doubt_microphone(&mut self) {
        self.doubted = true;
    }

    fn devices_seen(&mut self, now: Instant, microphones: &Devices, speakers: &Devices) {
        self.doubted = false;
        if let Some(microphone) = &mut self.microphone {
            microphone.devices_seen(now, microphones, &mut self.notices);
        }
        self.speaker.devices_seen(now, speakers, &mut self.notices);
    }

    fn misses_device(&self) -> bool {
        self.microphone.as_ref().is_some_and(Port::misses_device) || self.speaker.misses_device()
    }

    fn is_heard(&self) -> bool {
        !self.no_speaker
    }

    fn is_incomplete(&self) -> bool {
        self.speaker.fails() || self.microphone.as_ref().is_some_and(Port::fails)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.take()
    }
}

/// One whose speaker the test plays: it takes what is asked for from the ring, and counts the flow's callbacks.
#[cfg(test)]
impl SoundCard {
    pub fn simulated(now: Instant, name: &str) -> (Self, Consumer<f32>, std::sync::Arc<stream::Flow>) {
        let opened =
            Ok(stream::Opened { name: name.to_owned(), standard: Standard::Unknown, instead: None, rate: SAMPLE_RATE });
        let nothing = |_| stream::simulated(rtrb::RingBuffer::new(1).0, Err(String::new()));
        let mut card = Self::playing(now, Wanted::default(), Port::new(now, "speaker", Wanted::default(), nothing));
        let (ring, played) = rtrb::RingBuffer::new(SAMPLE_RATE as usize);
        let link = stream::simulated(ring, opened);
        let flow = link.flow.clone();
        card.speaker.state = State::Opening { link, since: now };
        (card, played, flow)
    }
}

/// All microphones and speakers, asked for on a thread of its own because it may take long.
pub fn list_devices(tell: impl FnOnce(Devices, Devices) + Send + 'static) {
    use super::names::{Way, list};
    let body = move || tell(list(Way::In), list(Way::Out));
    let _ = std::thread::Builder::new().name("audio devices".into()).spawn(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As between two calls, or after a suspension.
    #[test]
    fn a_standstill_without_devices_is_not_made_up_for() {
        let start = Instant::now();
        let speaker = Port::new(start, "speaker", Wanted::default(), |_| {
            stream::simulated(rtrb::RingBuffer::new(1).0, Err(String::new()))
        });
        let mut card = SoundCard::playing(start, Wanted::default(), speaker);
        card.microphone = Some(Port::new(start, "microphone", Wanted::default(), |_| {
            stream::simulated(rtrb::RingBuffer::new(1).1, Err(String::new()))
        }));
        for (ms, steps) in [(100, 5), (120, 1), (3_000, 1), (3_040, 2)] {
            let mut heard = Vec::new();
            let blocks = card.poll(start + Duration::from_millis(ms), &mut heard);
            assert_eq!((heard.len(), blocks), (steps * STEP_SAMPLES, steps * STEP_BLOCKS), "after {ms} ms");
        }
    }

    /// A sound server takes periods of 320 samples, now one and now two, in steps of 10 ms.
    #[test]
    fn a_speaker_has_its_sound_in_time_and_hardly_earlier() {
        const PERIOD: usize = 320;
        let start = Instant::now();
        let (mut card, mut device, flow) = SoundCard::simulated(start, "Desk");
        flow.period.store(PERIOD as u32, Relaxed);
        let mut held = Vec::new();
        for ms in (0..1_000).step_by(2) {
            if ms % 10 == 0 {
                let wanted = PERIOD * (1 + ms / 10 % 2);
                flow.callbacks.fetch_add(1, Relaxed);
                let taken = (0..wanted).map_while(|_| device.pop().ok()).count();
                assert!(ms < 50 || taken == wanted, "{taken} after {ms} ms");
            }
            let blocks = card.poll(start + Duration::from_millis(ms as u64), &mut Vec::new());
            (0..blocks).for_each(|_| card.play(&[0.1; BLOCK]));
            held.push(device.slots());
        }
        let mean = held.iter().sum::<usize>() / held.len();
        assert!(mean < BLOCK + PERIOD, "{mean}");
    }

    /// The sound server moves its stream to what is played before anybody can ask where it is.
    #[test]
    fn a_microphone_in_doubt_is_silent_until_the_devices_are_seen() {
        let mut now = Instant::now();
        let (mut card, ..) = SoundCard::simulated(now, "Desk");
        let nothing = |_| stream::simulated(rtrb::RingBuffer::new(1).1, Err(String::new()));
        let mut port = Port::new(now, "microphone", Wanted::default(), nothing);
        let (mut device, ring) = rtrb::RingBuffer::new(SAMPLE_RATE as usize);
        let opened =
            stream::Opened { name: "Desk".into(), standard: Standard::Unknown, instead: None, rate: SAMPLE_RATE };
        port.state = State::Opening { link: stream::simulated(ring, Ok(opened)), since: now };
        card.microphone = Some(port);
        let mut hear = |card: &mut SoundCard| {
            let mut heard = Vec::new();
            for _ in 0..50 {
                now += Duration::from_millis(10);
                (0..BLOCK).for_each(|_| device.push(0.5).expect("there is room"));
                card.poll(now, &mut heard);
            }
            (heard.len().div_ceil(BLOCK), heard.iter().any(|sample| *sample > 0.1))
        };
        assert_eq!(hear(&mut card), (50, true));
        card.doubt_microphone();
        assert_eq!(hear(&mut card), (50, false), "silence in its place");
        card.devices_seen(Instant::now(), &Devices::default(), &Devices::default());
        assert_eq!(hear(&mut card), (50, true));
    }
}
