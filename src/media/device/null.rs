//! A card that hears silence and plays to nobody, at the pace of the clock.

use super::{Card, STEP_BLOCKS, STEP_SAMPLES, StepClock};
use std::time::Instant;

#[derive(Debug)]
pub struct NullCard {
    clock: StepClock,
}

impl NullCard {
    pub fn new(now: Instant) -> Self {
        Self { clock: StepClock::new(now) }
    }
}

impl Card for NullCard {
    fn poll(&mut self, now: Instant, microphone: &mut Vec<f32>) -> usize {
        let steps = self.clock.take_due(now);
        microphone.resize(microphone.len() + steps * STEP_SAMPLES, 0.0);
        steps * STEP_BLOCKS
    }

    fn play(&mut self, _block: &[f32]) {}

    fn has_microphone(&self) -> bool {
        false
    }

    fn poll_timeout(&self) -> Instant {
        self.clock.next()
    }
}
