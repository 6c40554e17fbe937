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

    /// Takes the first channel of each frame.
    pub fn take<T: Sample>(&mut self, data: &[T])
    where
        f32: FromSample<T>,
    {
        self.flow.period.fetch_max((data.len() / self.channels) as u32, Relaxed);
        self.flow.callbacks.fetch_add(1, Relaxed);
        for frame in data.chunks(self.channels) {
            // A full ring means that nobody listens.
            let _ = self.ring.push(f32::from_sample(frame[0]));
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
            assert_eq!(said, [0.5, -0.25, 0.0], "{channels}");
            assert_eq!((flow.period.load(Relaxed), flow.callbacks.load(Relaxed)), (3, 2));
        }
    }
}
