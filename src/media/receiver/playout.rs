//! Turns what the jitter buffer holds into an unbroken sound, at the delay that the network calls for.

use super::{
    bursts::Bursts,
    patience::{LONGEST_WAIT_MS, Patience},
    voice::Voice,
};
use crate::media::{
    SAMPLE_RATE,
    codec::{self, Ahead},
    dsp::{
        comfort::Comfort,
        noise::{Noise, NoiseDescription},
        stretch::{Change, needed, stretch},
    },
    jitter::{DelayEstimator, JitterBuffer, Next},
    plan::Codec,
    stats::BurstStats,
};

/// Difference from the target that is left alone.
const SLACK_MS: f64 = 5.0;
/// Delay over the target that is shed without regard to how it sounds, and by leaving out what is oldest: to rush through it would
/// take as long as it is, and nobody can follow that.
const HURRY_MS: f64 = 60.0;
const TOO_MUCH_MS: f64 = 300.0;
/// Blocks between two changes of length, so that they don't gather to a flutter.
const REST_BLOCKS: u32 = 4;
/// Length of a block; a device's clock may be slower than ours by so much in it; and what is later is no delay but a standstill.
const BLOCK_MS: f64 = 10.0;
const CATCHING_UP_MS: f64 = 0.02;
const STANDSTILL_MS: f64 = 60.0;
/// Longer silence of the sender means that the next packet begins a new talk spurt.
const SPURT_MS: f64 = 500.0;
/// From here on the room is heard, as concealment fades out: that of ITU-T G.711 Appendix I has done so by then.
const LONG_GAP_MS: f64 = 60.0;
/// Whoever says that he is silent pauses for longer; others hardly.
const LONGEST_PAUSE_US: u64 = 5_000_000;
/// Share of a new block in the figures "lately": about 8 s.
const LATELY: f64 = 1.0 / 800.0;

/// Decodes, conceals and stretches.
#[derive(Debug, Default)]
pub struct Playout {
    phase: Phase,
    voice: Option<Voice>,
    estimator: DelayEstimator,
    comfort: Comfort,
    /// What the sender says of its room while it is silent.
    noise: Noise,
    /// Delay of what is played, smoothed.
    delay_ms: f64,
    /// When the block before was due.
    due_ms: f64,
    /// Blocks until the length may be changed again.
    rest: u32,
    patience: Patience,
    concealed_lately: f64,
    /// At the codec's rate, in microseconds.
    played_us: u64,
    concealed_us: u64,
    /// The margin was already raised for the wait that is going on.
    blamed: bool,
    /// Bridged without knowing yet whether packets were missing.
    undecided_us: u64,
    bursts: Bursts,
    /// Length of the packet played last.
    packet_ms: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Phase {
    /// Waits until the first packet has been held for the target.
    #[default]
    Starting,
    Playing,
}

impl Playout {
    /// A packet of audio came, after `waited_ms` in which there was nothing to play; `ahead_ms` is missing before it.
    pub fn arrived(&mut self, arrival_ms: f64, media_ms: f64, waited_ms: f64, ahead_ms: f64) {
        if waited_ms > SPURT_MS {
            self.estimator.new_spurt();
        }
        self.estimator.observe(arrival_ms, media_ms);
        // What follows a longer gap than is waited for need not have been here.
        let was_due = self.undecided_us > 0 && ahead_ms <= self.patience.waits() as f64 * self.packet_ms;
        if was_due && !std::mem::replace(&mut self.blamed, true) {
            self.estimator.missed();
        }
    }

    /// How the sender's room sounds, for when it is silent.
    pub fn describe_noise(&mut self, description: NoiseDescription) {
        self.noise.describe(description);
    }

    /// A copy of an earlier packet came, which has not come itself.
    pub fn copy_restores(&mut self) {
        self.count(1.0);
    }

    /// Whether the packet that came is of those that carry copies.
    pub const fn carries_copies(&mut self, carries: bool) {
        self.patience.carries_copies(carries);
    }

    /// A packet came that had been taken for lost: to wait for what follows it would be of no use.
    pub fn came_after_all(&mut self) {
        self.patience.came_after_all();
    }

    /// What has not come so far was not to come: the sender was to be silent.
    pub const fn forgive(&mut self) {
        self.undecided_us = 0;
    }

    /// What was waited for longer than anybody pauses does not come any more.
    pub const fn give_up(&mut self) {
        if self.undecided_us > LONGEST_PAUSE_US {
            self.concealed_us += self.undecided_us;
        }
        self.undecided_us = 0;
    }

    /// The stream begins anew, or ends.
    pub fn restart(&mut self) {
        self.give_up();
        self.phase = Phase::Starting;
        self.estimator = DelayEstimator::default();
        self.patience.restart();
        if let Some(voice) = &mut self.voice {
            voice.samples.clear();
        }
    }

    /// Fills a block. Returns how many packets were left out to shed delay.
    pub fn play(&mut self, now_ms: f64, buffer: Option<(&mut JitterBuffer, u32)>, block: &mut [f32]) -> u64 {
        block.fill(0.0);
        let now_ms = self.in_step(now_ms);
        let Some((buffer, clock_rate)) = buffer else { return 0 };
        let Some(delay) = self.delay_now(now_ms, buffer, clock_rate) else { return 0 };
        if self.phase == Phase::Starting {
            if delay < self.target_ms() {
                return 0;
            }
            self.phase = Phase::Playing;
            self.delay_ms = delay;
        }
        self.shed(now_ms, buffer, clock_rate);
        let discarded = buffer.take_discarded();
        (0..discarded).for_each(|_| self.bursts.missing());
        let block_us = 1_000_000 * block.len() as u64 / u64::from(SAMPLE_RATE);
        let concealed_before = self.concealed_us;
        self.fill(buffer, clock_rate);
        if let Some(delay) = self.delay_now(now_ms, buffer, clock_rate) {
            self.delay_ms += (delay - self.delay_ms) * 0.2;
        }
        self.adapt(buffer, clock_rate);
        self.played_us += block_us;
        let concealed = (self.concealed_us - concealed_before) as f64 / block_us as f64;
        self.concealed_lately += (concealed - self.concealed_lately) * LATELY;
        if let Some(voice) = &mut self.voice {
            voice.take(block);
        }
        let waited_ms = f64::from(buffer.waiting()) * 1000.0 / f64::from(clock_rate);
        self.comfort.process(block, waited_ms > LONG_GAP_MS && !buffer.is_silent());
        discarded
    }

    /// Sound decoded and not yet played.
    pub fn queued_ms(&self) -> f64 {
        self.voice.as_ref().map_or(0.0, Voice::queued_ms)
    }

    pub fn concealed_ms(&self) -> u64 {
        self.concealed_us / 1000
    }

    /// Never negative; zero before the first packet.
    pub fn delay_ms(&self) -> f64 {
        self.delay_ms.max(0.0)
    }

    pub fn concealed_share(&self, whole_call: bool) -> f64 {
        let share =
            if whole_call { self.concealed_us as f64 / self.played_us.max(1) as f64 } else { self.concealed_lately };
        share.clamp(0.0, 1.0)
    }

    /// Packets played or to be played, those missing among them after recovery, and how those gather.
    pub fn missed(&self) -> (u64, u64, BurstStats) {
        let (packets, missing) = self.bursts.counts();
        (packets, missing, self.bursts.stats(self.packet_ms))
    }

    /// Mean squares of speech and of the silence between it, once heard.
    pub const fn levels(&self) -> (Option<f32>, Option<f32>) {
        self.comfort.levels()
    }

    /// The most delay that would be held now, and ever, in milliseconds.
    pub fn most_delay_ms(&self) -> (f64, f64) {
        (self.target_ms() + TOO_MUCH_MS, DelayEstimator::LONGEST_MS + LONGEST_WAIT_MS + TOO_MUCH_MS)
    }

    pub fn codec(&self) -> Option<Codec> {
        self.voice.as_ref().map(|voice| voice.codec)
    }

    /// The estimator's, and some packets more while the following packets are of use.
    fn target_ms(&self) -> f64 {
        self.estimator.target_ms() + (self.patience.waits() as f64 * self.packet_ms).min(LONGEST_WAIT_MS)
    }

    /// A packet came (0) or was lost (1).
    fn count(&mut self, lost: f64) {
        self.patience.count(lost, self.codec(), self.packet_ms);
    }

    /// When a block would be due that is asked for at `now_ms`, had the ones before been asked for punctually: sound leaves a device
    /// evenly, however late somebody was woken to make it. Where several are asked for at once, that is when the last one is due.
    fn in_step(&mut self, now_ms: f64) -> f64 {
        let due = self.due_ms + BLOCK_MS + CATCHING_UP_MS;
        self.due_ms = if (0.0..STANDSTILL_MS).contains(&(now_ms - due)) { due } else { now_ms };
        self.due_ms
    }

    fn queued(&self) -> usize {
        self.voice.as_ref().map_or(0, |voice| voice.samples.len())
    }

    /// How much later than with the fastest packet the next sample is played.
    fn delay_now(&self, now_ms: f64, buffer: &JitterBuffer, clock_rate: u32) -> Option<f64> {
        let position = buffer.position()? as f64 * 1000.0 / f64::from(clock_rate);
        let waited = f64::from(buffer.waiting()) * 1000.0 / f64::from(clock_rate);
        // What was bridged lies in the queue too but moved no position; a sender's pause adds no delay, a wait does.
        Some(now_ms - self.estimator.base() - (position + waited - self.queued_ms()))
    }

    /// Where far more is held than is called for, as after a standstill, goes on with what is to be heard now. What is here counts, not
    /// what timestamps make of it.
    fn shed(&mut self, now_ms: f64, buffer: &mut JitterBuffer, clock_rate: u32) {
        let units = |ms: f64| (ms * f64::from(clock_rate) / 1000.0) as u32;
        // A packet is held from its end on, and played from its beginning.
        let wanted = self.target_ms() + self.packet_ms;
        if buffer.sound() > units(wanted + TOO_MUCH_MS) {
            buffer.shed(units(wanted - self.queued_ms()));
            self.voice.iter_mut().for_each(Voice::cut);
            self.delay_ms = self.delay_now(now_ms, buffer, clock_rate).unwrap_or(self.delay_ms);
        }
    }

    /// Makes sure that a block can be taken.
    fn fill(&mut self, buffer: &mut JitterBuffer, clock_rate: u32) {
        while self.voice.as_ref().is_none_or(|voice| voice.samples.len() < voice.per_ms() * 10) {
            if !self.step(buffer, clock_rate) {
                return;
            }
        }
    }

    /// Appends the next piece of sound; `false` before there is any.
    fn step(&mut self, buffer: &mut JitterBuffer, clock_rate: u32) -> bool {
        let before = self.queued();
        let goes_on = self.piece(buffer, clock_rate);
        if let Some(voice) = &mut self.voice {
            let (from, rate) = (before.min(voice.samples.len()), voice.decoder.sample_rate());
            self.noise.add(&mut voice.samples[from..], rate, buffer.is_silent());
        }
        goes_on
    }

    fn piece(&mut self, buffer: &mut JitterBuffer, clock_rate: u32) -> bool {
        let us = |duration: u32| u64::from(duration) * 1_000_000 / u64::from(clock_rate);
        for _ in 0..buffer.take_bridged_losses() {
            self.count(1.0);
            self.bursts.missing();
        }
        // No waiting for more helps against an outage, so it does not count among the losses that are waited for.
        (0..buffer.take_skipped()).for_each(|_| self.bursts.missing());
        match buffer.take() {
            Next::Packet { codec, payload, duration, paused } => {
                self.blamed = false;
                self.settle_wait(us(paused));
                self.count(0.0);
                self.bursts.came();
                self.packet_ms = us(duration) as f64 / 1000.0;
                self.patience.looks_back(codec::looks_back(codec, payload));
                let voice = Voice::ready(&mut self.voice, codec);
                if voice.decode(payload) == 0 {
                    voice.conceal(voice.scaled(duration, clock_rate), None);
                    self.concealed_us += us(duration);
                }
            }
            Next::Lost { duration, missing, following } => {
                self.blamed = false;
                self.settle_wait(0);
                self.count(1.0);
                let Some(voice) = &mut self.voice else { return true };
                let count = voice.scaled(duration, clock_rate);
                let following = following.filter(|(codec, _)| *codec == voice.codec).map(|(_, payload)| payload);
                // A copy restores a whole packet, not its end.
                let whole =
                    |payload: &&[u8]| duration == missing && codec::duration(voice.codec, payload) == Some(duration);
                let recovered = following.filter(whole).is_some_and(|following| voice.recover(following, count));
                if recovered {
                    self.bursts.came();
                } else {
                    self.bursts.missing();
                    let missing = voice.scaled(missing, clock_rate);
                    let ahead = following.map(|payload| Ahead { missing, payload });
                    voice.conceal(count, ahead);
                    self.concealed_us += us(duration);
                }
            }
            Next::Pause { duration, paused } => {
                self.settle_wait(us(paused));
                let Some(voice) = &mut self.voice else { return true };
                voice.conceal(voice.scaled(duration, clock_rate), None);
            }
            Next::Empty => {
                let is_short = self.delay_ms < self.target_ms() - SLACK_MS;
                let Some(voice) = &mut self.voice else { return false };
                let duration = clock_rate / 100;
                voice.conceal(voice.scaled(duration, clock_rate), None);
                if is_short && !buffer.is_silent() {
                    // What is missing may still be had from what follows: all is played that much later from now on.
                    self.delay_ms += us(duration) as f64 / 1000.0;
                    self.concealed_us += us(duration);
                    return true;
                }
                buffer.bridged(duration);
                if !buffer.is_silent() {
                    self.undecided_us += us(duration);
                }
            }
        }
        true
    }

    /// A packet came after an emptiness of which `paused_us` were a pause of the sender's, and the rest was not.
    const fn settle_wait(&mut self, paused_us: u64) {
        self.concealed_us += std::mem::replace(&mut self.undecided_us, 0).saturating_sub(paused_us);
    }

    /// Shortens or lengthens what is queued when the delay is not what it should be.
    fn adapt(&mut self, buffer: &mut JitterBuffer, clock_rate: u32) {
        self.rest = self.rest.saturating_sub(1);
        let excess = self.delay_ms - self.target_ms();
        let change = match excess {
            _ if excess > HURRY_MS => Change::ShorterAtOnce,
            _ if self.rest > 0 => return,
            _ if excess > SLACK_MS => Change::Shorter,
            _ if excess < -SLACK_MS => Change::Longer,
            _ => return,
        };
        let enough = |voice: &Option<Voice>| {
            voice.as_ref().is_some_and(|voice| voice.samples.len() >= needed(voice.decoder.sample_rate()))
        };
        while !enough(&self.voice) && buffer.ready() {
            self.step(buffer, clock_rate);
        }
        let Some(voice) = &mut self.voice else { return };
        let rate = voice.decoder.sample_rate();
        let by = stretch(&mut voice.samples, rate, change);
        if by > 0 {
            let by_ms = by as f64 * 1000.0 / f64::from(rate);
            self.delay_ms += if change == Change::Longer { by_ms } else { -by_ms };
            self.rest = REST_BLOCKS;
        }
    }
}
