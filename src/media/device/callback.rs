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

/// Takes from a card that records.
#[derive(Debug)]
pub struct Taker {
    ring: Producer<f32>,
    flow: Arc<Flow>,
    channels: usize,
}

impl Taker {
    pub fn new(ring: Producer<f32>, flow: Arc<Flow>, channels: u16) -> Self {
        Self { ring, flow, channels: usize::from(channels).max(1) }
    }

    /// Takes the mean of each frame, whichever of its channels the microphone is on.
    pub fn take<T: Sample>(&mut self, data: &[T])
    where
        f32: FromSample<T>,
    {
        self.flow.period.fetch_max((data.len() / self.channels) as u32, Relaxed);
        self.flow.callbacks.fetch_add(1, Relaxed);
        let share = 1.0 / self.channels as f32;
        for frame in data.chunks(self.channels) {
            let sum: f32 = frame.iter().map(|&sample| f32::from_sample(sample)).sum();
            // A full ring means that nobody listens.
            let _ = self.ring.push(sum * share);
        }
    }
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

    #[test]
    fn a_microphone_is_heard_whichever_input_it_is_on() {
        for input in 0..2 {
            let (back, mut heard) = RingBuffer::new(1);
            let mut frame = [0i16; 2];
            frame[input] = 16_384;
            Taker::new(back, Arc::default(), 2).take(&frame);
            assert_eq!(heard.pop(), Ok(0.25), "input {input}");
        }
    }
}
