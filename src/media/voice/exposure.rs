//! How much sound the ear got: an estimate of the daily noise exposure (directive 2003/10/EC: 87 dB(A) over eight hours and 140 dB(C)
//! at most, action from 80 and 85 dB(A) on), as ITU-T P.360 asks for telephones.
//!
//! The program does not know headset and volume. It assumes that speech at its usual level (ITU-T G.100.1: 26 dB below
//! overload) reaches the ear with 75 dB(A), which people find comfortable; that assumption is shown wherever the figure is.

use crate::media::SAMPLE_RATE;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// What the figures assume, for people.
pub const ASSUMPTION: &str = "assuming that usual speech reaches your ear with 75 dB(A)";

/// Pressure level of a mean square of one: 26 dB above speech.
const OVERLOAD_DB: f64 = 75.0 + 26.0;
/// Seconds that exposure is told for.
const DAY_OF_WORK: f64 = 8.0 * 3_600.0;
/// The day that counts, in parts of an hour.
const HOURS: usize = 24;
/// Softer adds nothing: 30 dB(A) in eight hours.
const NOTHING: f32 = 3e-4;
/// What is heard beside something else less than this ago is heard at once with it: both come in blocks.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Corners of the weightings, Hz (IEC 61672-1 Annex E).
const LOW: f64 = 20.599;
const HIGH: f64 = 12_194.0;
const A_LOW: [f64; 2] = [107.653, 737.862];

/// The last 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exposure {
    /// L<sub>EX,8h</sub> in dB(A); 0 for silence.
    pub level_db: f64,
    /// The highest peak, in dB(C); 0 for silence.
    pub peak_db: f64,
    /// Sound that was played.
    pub heard: Duration,
}

impl Exposure {
    /// Directive 2003/10/EC art. 3: the exposure limit and the upper action value, of the day and of each moment. Under the
    /// assumption nothing that is played reaches those of a moment: overload is less.
    pub const LIMIT_DB: f64 = 87.0;
    pub const ACTION_DB: f64 = 85.0;
    const PEAK_LIMIT_DB: f64 = 140.0;
    const PEAK_ACTION_DB: f64 = 137.0;

    /// Share of the sound that the limit allows in a day, 1.0 for all of it.
    pub fn share(&self) -> f64 {
        10f64.powf((self.level_db - Self::LIMIT_DB) / 10.0)
    }

    /// What to say when an action value or the limit has been passed since `before`.
    pub fn warning(&self, before: &Self) -> Option<String> {
        let [limit, action] = ["the limit", "the upper action value"];
        let day = (self.level_db, before.level_db, "dB(A) over the last day");
        let peak = (self.peak_db, before.peak_db, "dB(C) at the loudest");
        let values = [
            (day, Self::LIMIT_DB, limit),
            (day, Self::ACTION_DB, action),
            (peak, Self::PEAK_LIMIT_DB, limit),
            (peak, Self::PEAK_ACTION_DB, action),
        ];
        let passed = values.into_iter().find(|((now, before, _), db, _)| now >= db && before < db);
        let ((now, _, what), db, law) = passed?;
        Some(format!(
            "Your ears have had about {now:.0} {what}, {law} of directive 2003/10/EC is {db:.0} ({ASSUMPTION}). Turn the headset \
             down and rest your ears."
        ))
    }
}

/// What a meter holds, to be kept while the program does not run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExposureRecord {
    hours: Vec<HourRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct HourRecord {
    hours_ago: u64,
    energy: f64,
    peak: f32,
    samples: u64,
}

/// Takes in what is played.
#[derive(Debug)]
pub struct ExposureMeter {
    started: Instant,
    hours: [Hour; HOURS],
    now: usize,
    /// Of what is heard, and of what is heard beside it.
    weightings: [Weighting; 2],
    /// When something was heard last.
    heard: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hour {
    /// Which hour, where a day has passed before the start; the place is used again a day later.
    number: u64,
    /// A-weighted mean square times seconds.
    energy: f64,
    /// C-weighted.
    peak: f32,
    samples: u64,
}

impl ExposureMeter {
    pub fn new(now: Instant) -> Self {
        let weightings = [Weighting::new(), Weighting::new()];
        Self { started: now, hours: [Hour::default(); HOURS], now: 0, weightings, heard: None }
    }

    /// A block that is played at `now`.
    pub fn hear(&mut self, now: Instant, block: &[f32]) {
        if self.take(now, 0, block) {
            self.heard = Some(now);
            self.hours[self.now].samples += block.len() as u64;
        }
    }

    /// One that comes to the same ear by a stream of its own, maybe at once: more sound then, in the same time.
    pub fn hear_beside(&mut self, now: Instant, block: &[f32]) {
        let is_at_once = self.heard.is_some_and(|heard| now.saturating_duration_since(heard) < AT_ONCE);
        if self.take(now, 1, block) && !is_at_once {
            self.hours[self.now].samples += block.len() as u64;
        }
    }

    /// Whether it holds any sound.
    fn take(&mut self, now: Instant, stream: usize, block: &[f32]) -> bool {
        self.now = self.place(now, 0);
        let hour = &mut self.hours[self.now];
        if block.iter().all(|sample| sample.abs() < NOTHING) {
            return false;
        }
        let mut sum = 0.0;
        for &sample in block {
            let (a, c) = self.weightings[stream].next(sample);
            sum += a * a;
            hour.peak = hour.peak.max(c.abs());
        }
        hour.energy += f64::from(sum) / f64::from(SAMPLE_RATE);
        true
    }

    /// What the ear got before the program was started; the record was made `age` ago.
    pub fn restore(&mut self, now: Instant, record: &ExposureRecord, age: Duration) {
        self.now = self.place(now, 0);
        for kept in record.hours.iter().take(HOURS).filter(|kept| kept.energy.is_finite() && kept.peak.is_finite()) {
            let ago = kept.hours_ago.saturating_add(age.as_secs() / 3_600);
            if ago < HOURS as u64 {
                let place = self.place(now, ago);
                let hour = &mut self.hours[place];
                hour.energy += kept.energy.max(0.0);
                hour.peak = hour.peak.max(kept.peak);
                hour.samples = hour.samples.saturating_add(kept.samples);
            }
        }
    }

    pub fn record(&self) -> ExposureRecord {
        let newest = self.hours[self.now].number;
        let heard = self.counted().filter(|hour| hour.samples > 0);
        let kept = |hour: &Hour| HourRecord {
            hours_ago: newest - hour.number,
            energy: hour.energy,
            peak: hour.peak,
            samples: hour.samples,
        };
        ExposureRecord { hours: heard.map(kept).collect() }
    }

    /// Where the hour of `ago` hours before `now` is counted; emptied of one of another day.
    fn place(&mut self, now: Instant, ago: u64) -> usize {
        let number = (HOURS as u64 + now.saturating_duration_since(self.started).as_secs() / 3_600).saturating_sub(ago);
        let place = (number % HOURS as u64) as usize;
        if self.hours[place].number != number {
            self.hours[place] = Hour { number, ..Hour::default() };
        }
        place
    }

    /// The hours of the last day.
    fn counted(&self) -> impl Iterator<Item = &Hour> {
        let newest = self.hours[self.now].number;
        self.hours.iter().filter(move |hour| newest - hour.number.min(newest) < HOURS as u64)
    }

    pub fn exposure(&self) -> Exposure {
        let hours = || self.counted();
        let db = |mean: f64| if mean > 1e-12 { (OVERLOAD_DB + 10.0 * mean.log10()).max(0.0) } else { 0.0 };
        let peak = hours().map(|hour| hour.peak).fold(0.0, f32::max);
        let samples = hours().fold(0u64, |sum, hour| sum.saturating_add(hour.samples));
        Exposure {
            level_db: db(hours().map(|hour| hour.energy).sum::<f64>() / DAY_OF_WORK),
            peak_db: db(f64::from(peak * peak)),
            heard: Duration::from_secs(samples / u64::from(SAMPLE_RATE)),
        }
    }
}

/// C-weighting, and from it A-weighting: first-order sections one after the other, by the bilinear transform.
#[derive(Debug)]
struct Weighting {
    sections: [Section; 6],
    c_gain: f32,
    a_gain: f32,
}

impl Weighting {
    fn new() -> Self {
        let [low, high] = [Section::high_pass(LOW), Section::low_pass(HIGH)];
        let sections = [low, low, high, high, Section::high_pass(A_LOW[0]), Section::high_pass(A_LOW[1])];
        let at = |sections: &[Section]| sections.iter().map(|section| section.response(1_000.0)).product::<f64>();
        // Both weightings leave 1 kHz alone.
        Self { sections, c_gain: (1.0 / at(&sections[..4])) as f32, a_gain: (1.0 / at(&sections)) as f32 }
    }

    /// A- and C-weighted.
    fn next(&mut self, sample: f32) -> (f32, f32) {
        let (c, a) = self.sections.split_at_mut(4);
        let c = c.iter_mut().fold(sample, |sample, section| section.next(sample));
        let a = a.iter_mut().fold(c, |sample, section| section.next(sample));
        (a * self.a_gain, c * self.c_gain)
    }
}

/// `y = b0 x + b1 x' - a y'`.
#[derive(Clone, Copy, Debug)]
struct Section {
    b0: f32,
    b1: f32,
    a: f32,
    before: f32,
    made: f32,
}

impl Section {
    fn low_pass(hz: f64) -> Self {
        let k = (std::f64::consts::PI * hz / f64::from(SAMPLE_RATE)).tan();
        let b = (k / (1.0 + k)) as f32;
        Self { b0: b, b1: b, a: ((k - 1.0) / (k + 1.0)) as f32, before: 0.0, made: 0.0 }
    }

    fn high_pass(hz: f64) -> Self {
        let k = (std::f64::consts::PI * hz / f64::from(SAMPLE_RATE)).tan();
        let b = (1.0 / (1.0 + k)) as f32;
        Self { b0: b, b1: -b, a: ((k - 1.0) / (k + 1.0)) as f32, before: 0.0, made: 0.0 }
    }

    fn next(&mut self, sample: f32) -> f32 {
        self.made = self.b0 * sample + self.b1 * self.before - self.a * self.made;
        self.before = sample;
        self.made
    }

    /// Magnitude at `hz`.
    fn response(&self, hz: f64) -> f64 {
        let (sin, cos) = (std::f64::consts::TAU * hz / f64::from(SAMPLE_RATE)).sin_cos();
        let magnitude = |c0: f64, c1: f64| (c0 + c1 * cos).hypot(c1 * sin);
        magnitude(f64::from(self.b0), f64::from(self.b1)) / magnitude(1.0, f64::from(self.a))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::BLOCK;

    const BLOCKS_A_SECOND: u32 = 100;

    fn sine(hz: f64, level: f64) -> Vec<f32> {
        (0..SAMPLE_RATE)
            .map(|n| (level * (std::f64::consts::TAU * hz * f64::from(n) / f64::from(SAMPLE_RATE)).sin()) as f32)
            .collect()
    }

    /// Plays the second over and over.
    fn play(meter: &mut ExposureMeter, from: Instant, seconds: u32, second: &[f32]) {
        for n in 0..seconds * BLOCKS_A_SECOND {
            let at = (n % BLOCKS_A_SECOND) as usize * BLOCK;
            meter.hear(from + Duration::from_millis(10) * n, &second[at..at + BLOCK]);
        }
    }

    #[test]
    fn weights_as_the_standard_does() {
        // IEC 61672-1 table 3: A and C at nominal frequencies, dB.
        for (hz, a, c) in [
            (63.0, -26.2, -0.8),
            (125.0, -16.1, -0.2),
            (250.0, -8.6, 0.0),
            (500.0, -3.2, 0.0),
            (1_000.0, 0.0, 0.0),
            (2_000.0, 1.2, -0.2),
            (4_000.0, 1.0, -0.8),
        ] {
            let mut weighting = Weighting::new();
            let (mut sums, tone) = ([0.0f64; 2], sine(hz, 1.0));
            for (n, &sample) in tone.iter().enumerate() {
                let (a, c) = weighting.next(sample);
                if n >= tone.len() / 2 {
                    sums[0] += f64::from(a * a);
                    sums[1] += f64::from(c * c);
                }
            }
            let db = sums.map(|sum| 10.0 * (sum / (tone.len() as f64 / 4.0)).log10());
            assert!((db[0] - a).abs() < 0.6 && (db[1] - c).abs() < 0.6, "{hz} Hz: {db:?}");
        }
    }

    #[test]
    fn what_is_too_much_is_told_once() {
        let of = |level_db| Exposure { level_db, ..Exposure::default() };
        let peak = |peak_db| Exposure { level_db: 60.0, peak_db, ..Exposure::default() };
        for (before, now, said) in [
            (100.0, 136.9, None),
            (
                100.0,
                137.2,
                Some("about 137 dB(C) at the loudest, the upper action value of directive 2003/10/EC is 137 "),
            ),
            (137.2, 138.0, None),
            (138.0, 141.0, Some("about 141 dB(C) at the loudest, the limit of directive 2003/10/EC is 140 ")),
            (141.0, 100.0, None),
        ] {
            let warning = peak(now).warning(&peak(before));
            assert_eq!(warning.is_some(), said.is_some(), "{before} {now}: {warning:?}");
            assert!(warning.is_none_or(|text| text.contains(said.unwrap_or_default()) && text.contains(ASSUMPTION)));
        }
        for (before, now, said) in [
            (70.0, 84.9, None),
            (84.9, 85.1, Some("the upper action value")),
            (85.1, 86.9, None),
            (86.9, 87.0, Some("the limit")),
            (80.0, 90.0, Some("the limit")),
            (88.0, 86.0, None),
        ] {
            let warning = of(now).warning(&of(before));
            assert_eq!(warning.is_some(), said.is_some(), "{before} {now}: {warning:?}");
            assert!(warning.is_none_or(|text| text.contains(said.unwrap_or_default()) && text.contains(ASSUMPTION)));
        }
    }

    #[test]
    fn a_minute_of_a_known_level_gives_the_known_exposure() {
        let start = Instant::now();
        let mut meter = ExposureMeter::new(start);
        assert_eq!(meter.exposure(), Exposure::default());
        // 26 dB below overload, where a sine's mean square is half its level's: 75 dB(A), so 48.2 in a minute of eight hours.
        let speech = sine(1_000.0, f64::sqrt(2.0) * 10f64.powf(-26.0 / 20.0));
        play(&mut meter, start, 60, &speech);
        let exposure = meter.exposure();
        assert!((exposure.level_db - 48.19).abs() < 0.1, "{exposure:?}");
        assert!((exposure.peak_db - 78.0).abs() < 0.5, "{exposure:?}");
        assert_eq!(exposure.heard, Duration::from_secs(60));
        assert!((exposure.share() - 0.000_13).abs() < 0.000_005, "{}", exposure.share());
        // A day later that minute does not count any more.
        let later = start + Duration::from_secs(25 * 3_600);
        meter.hear(later, &speech[..BLOCK]);
        assert!(meter.exposure().level_db < 35.0, "{:?}", meter.exposure());
    }

    #[test]
    fn what_rings_in_a_call_is_more_sound_in_the_same_time() {
        let start = Instant::now();
        let tone = sine(1_000.0, 0.1);
        let [mut call, mut both] = [(); 2].map(|()| ExposureMeter::new(start));
        play(&mut call, start, 20, &tone);
        // Ten seconds of a call, ten with something beside it, and ten of that alone.
        for n in 0..3_000 {
            let at = (n % BLOCKS_A_SECOND) as usize * BLOCK;
            let (now, block) = (start + Duration::from_millis(10) * n, &tone[at..at + BLOCK]);
            if n >= 1_000 {
                both.hear_beside(now, block);
            }
            if n < 2_000 {
                both.hear(now, block);
            }
        }
        let (call, both) = (call.exposure(), both.exposure());
        assert!((both.level_db - call.level_db - 3.01).abs() < 0.05, "{both:?} {call:?}");
        assert_eq!((call.heard.as_secs(), both.heard.as_secs()), (20, 29), "less what passes between two blocks");
    }

    #[test]
    fn a_restart_forgets_nothing_of_the_last_day() {
        let start = Instant::now();
        let mut first = ExposureMeter::new(start);
        let speech = sine(1_000.0, 0.1);
        play(&mut first, start, 60, &speech);
        play(&mut first, start + Duration::from_secs(5 * 3_600), 60, &speech);
        let json = serde_json::to_vec(&first.record()).unwrap();
        let record: ExposureRecord = serde_json::from_slice(&json).unwrap();
        for (age_hours, minutes) in [(0, 2), (18, 2), (19, 1), (24, 0), (u64::MAX / 3_600, 0)] {
            let mut second = ExposureMeter::new(start);
            second.restore(start, &record, Duration::from_secs(age_hours * 3_600));
            assert_eq!(second.exposure().heard, Duration::from_secs(60 * minutes), "{age_hours}");
            // The next start finds the same.
            let mut third = ExposureMeter::new(start);
            third.restore(start, &second.record(), Duration::ZERO);
            assert_eq!(third.exposure(), second.exposure());
        }
        let mut second = ExposureMeter::new(start);
        second.restore(start, &record, Duration::ZERO);
        assert_eq!(second.exposure(), first.exposure());
        play(&mut second, start + Duration::from_secs(20 * 3_600), 60, &speech);
        assert_eq!(second.exposure().heard, Duration::from_secs(120), "one minute is a day old by now");
    }
}
