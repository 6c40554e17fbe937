//! What the sound card's callbacks do: move samples between the card and a ring. They don't lock, allocate, log or read a clock.

use super::Flow;
use cpal::{FromSample, Sample};
use rtrb::{Consumer, Producer};
use std::sync::{Arc, atomic::Ordering::Relaxed};

/// Feeds a card that plays.
#[derive(Debug)]
pub struct Feeder {
    ring: Consumer<f32>,
    flow: Arc<Flow>,
    channels: usize,
    /// There was something to play.
    fed: bool,
}

impl Feeder {
    pub fn new(ring: Consumer<f32>, flow: Arc<Flow>, channels: u16) -> Self {
        Self { ring, flow, channels: usize::from(channels).max(1), fed: false }
    }

    /// Fills frames of all channels with the one there is; silence where that is short.
    pub fn fill<T: Sample + FromSample<f32>>(&mut self, data: &mut [T]) {
        let frames = data.len() / self.channels;
        self.flow.period.fetch_max(frames as u32, Relaxed);
        self.flow.callbacks.fetch_add(1, Relaxed);
        let available = self.ring.slots().min(frames);
        self.fed |= available > 0;
        if self.fed && available < frames {
            self.flow.starved.fetch_add(1, Relaxed);
        }
        for frame in data.chunks_mut(self.channels) {
            frame.fill(T::from_sample(self.ring.pop().unwrap_or(0.0)));
        }
    }
}

/// Inputs among which the microphone is looked for.
const INPUTS: usize = 8;
/// What a frame weighs in an input's mean, of 10 ms, and in its power, of half a second.
const QUICKLY: f32 = 1.0 / 480.0;
const SLOWLY: f32 = 1.0 / 24_000.0;
/// So much more power than the one that is heard has another input that takes its place.
const LOUDER: f32 = 4.0;
/// Steps of a change, 10 ms in all.
const FADE: f32 = 1.0 / 480.0;
/// Power of silence, 80 dB below overload.
const SILENCE: f32 = 1e-8;

/// Takes from a card that records the input that is loudest, so that the microphone has its full level whichever it is on. A mean
/// would weaken it by those that are open, and be silent where two have opposite signs.
#[derive(Debug)]
pub struct Taker {
    ring: Producer<f32>,
    flow: Arc<Flow>,
    channels: usize,
    inputs: [Input; INPUTS],
    /// Which of them is heard.
    heard: usize,
}

#[derive(Clone, Copy, Debug)]
struct Input {
    /// Cheap cards have one other than zero.
    mean: f32,
    power: f32,
    gain: f32,
}

impl Taker {
    pub fn new(ring: Producer<f32>, flow: Arc<Flow>, channels: u16) -> Self {
        let mut inputs = [Input { mean: 0.0, power: SILENCE, gain: 0.0 }; INPUTS];
        inputs[0].gain = 1.0;
        Self { ring, flow, channels: usize::from(channels).max(1), inputs, heard: 0 }
    }

    pub fn take<T: Sample>(&mut self, data: &[T])
    where
        f32: FromSample<T>,
    {
        self.flow.period.fetch_max((data.len() / self.channels) as u32, Relaxed);
        self.flow.callbacks.fetch_add(1, Relaxed);
        for frame in data.chunks(self.channels) {
            self.inputs.iter_mut().zip(frame).for_each(|(input, &sample)| input.follow(level(sample)));
        }
        self.choose();
        for frame in data.chunks(self.channels) {
            let mut sum = 0.0;
            for (n, (input, &sample)) in self.inputs.iter_mut().zip(frame).enumerate() {
                let aim = if n == self.heard { 1.0 } else { 0.0 };
                input.gain += (aim - input.gain).clamp(-FADE, FADE);
                sum += input.gain * level(sample);
            }
            // A full ring means that nobody listens.
            let _ = self.ring.push(sum);
        }
    }

    fn choose(&mut self) {
        let power = |n: usize| self.inputs[n].power;
        let loudest = (0..INPUTS).max_by(|&a, &b| power(a).total_cmp(&power(b)));
        self.heard = loudest.filter(|&n| power(n) > LOUDER * power(self.heard)).unwrap_or(self.heard);
    }
}

impl Input {
    fn follow(&mut self, sample: f32) {
        self.mean += QUICKLY * (sample - self.mean);
        let power = (sample - self.mean).powi(2).min(1.0);
        self.power += SLOWLY * (power + SILENCE - self.power);
    }
}

/// One that is no number would stay in all that follows.
fn level<T: Sample>(sample: T) -> f32
where
    f32: FromSample<T>,
{
    let level = f32::from_sample(sample);
    if level.is_finite() { level } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtrb::RingBuffer;

    #[test]
    fn every_format_and_number_of_channels_carries_the_one_voice() {
        for channels in 1..=8u16 {
            let flow = Arc::new(Flow::default());
            let (mut from, to) = RingBuffer::new(64);
            let (back, mut heard) = RingBuffer::new(64);
            let mut feeder = Feeder::new(to, Arc::clone(&flow), channels);
            let mut taker = Taker::new(back, Arc::clone(&flow), channels);
            for sample in [0.5, -0.25] {
                from.push(sample).expect("there is room");
            }
            let mut frames = vec![7i16; 3 * usize::from(channels)];
            feeder.fill(&mut frames);
            let wanted: Vec<i16> =
                [16_384, -8_192, 0].into_iter().flat_map(|s| std::iter::repeat_n(s, channels.into())).collect();
            assert_eq!(frames, wanted, "{channels}");
            assert_eq!(flow.starved.load(Relaxed), 1);
            taker.take(&frames);
            let said: Vec<f32> = std::iter::from_fn(|| heard.pop().ok()).collect();
            let is_near = |(said, wanted): (&f32, f32)| (said - wanted).abs() < 1e-6;
            assert!(said.len() == 3 && said.iter().zip([0.5, -0.25, 0.0]).all(is_near), "{channels}: {said:?}");
            assert_eq!((flow.period.load(Relaxed), flow.callbacks.load(Relaxed)), (3, 2));
        }
    }

    const SECOND: usize = 48_000;

    fn sine(n: usize) -> f32 {
        (std::f32::consts::TAU * 100.0 * n as f32 / SECOND as f32).sin()
    }

    /// What is taken of frames that `sample` gives by time and input.
    fn taken(channels: usize, frames: usize, sample: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let (back, mut heard) = RingBuffer::new(frames);
        let mut taker = Taker::new(back, Arc::default(), channels as u16);
        let data: Vec<f32> = (0..frames)
            .flat_map(|n| (0..channels).map(move |input| (n, input)))
            .map(|(n, input)| sample(n, input))
            .collect();
        data.chunks(channels * 441).for_each(|period| taker.take(period));
        std::iter::from_fn(|| heard.pop().ok()).collect()
    }

    fn peak(samples: &[f32]) -> f32 {
        samples.iter().fold(0.0, |peak, sample| sample.abs().max(peak))
    }

    #[test]
    fn a_microphone_has_its_full_level_whichever_input_it_is_on() {
        for (channels, on) in [(1, 0), (2, 0), (2, 1), (8, 0), (8, 7)] {
            // The others are open, and this one's mean is not zero.
            let said = taken(channels, SECOND / 2, |n, input| match input == on {
                true => 0.1 * sine(n),
                false => 0.05 + 0.001 * sine(7 * n),
            });
            assert_eq!(said.len(), SECOND / 2);
            let late = peak(&said[SECOND / 10..]);
            assert!((0.099..0.101).contains(&late), "input {on} of {channels}: {late}");
        }
        for sign in [1.0, -1.0] {
            let said = taken(2, SECOND / 10, |n, input| if input == 0 { 0.1 * sine(n) } else { sign * 0.1 * sine(n) });
            assert!((0.099..0.101).contains(&peak(&said)), "two inputs alike, by {sign}: {}", peak(&said));
        }
    }

    #[test]
    fn a_change_of_inputs_is_rare_and_does_not_click() {
        // The voice is on the second input, pauses, and is on the first at last.
        let said = taken(2, 5 * SECOND, |n, input| match (n / SECOND, input) {
            (0 | 2, 1) => 0.5 * sine(n),
            (3.., 0) => 0.5 * sine(n + SECOND / 400),
            _ => 0.01 * sine(3 * n),
        });
        let steps: Vec<f32> = said.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(peak(&said[480..960]) > 0.49 && peak(&said[4 * SECOND..]) > 0.49);
        assert!(peak(&said[2 * SECOND..2 * SECOND + 480]) > 0.49, "heard from its first sound on");
        // The voice's own steps are 0.0065.
        assert!(peak(&steps) < 0.01, "{}", peak(&steps));
    }

    #[test]
    fn what_is_no_number_is_silence_and_forgotten() {
        let said = taken(2, SECOND / 10, |n, input| match (n, input) {
            (0..100, 1) => f32::NAN,
            (100..200, 0) => f32::INFINITY,
            (_, 1) => 0.1 * sine(n),
            _ => 0.0,
        });
        assert!(said.iter().all(|sample| sample.is_finite()));
        assert!((0.099..0.101).contains(&peak(&said[SECOND / 20..])));
    }
}
