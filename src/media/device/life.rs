//! Whether a stream of a sound card lives, judged by its callbacks and errors.

use std::time::{Duration, Instant};

/// Callbacks that come in the first moments fill the card's buffers, whether or not it has begun to play them.
const FILLING: Duration = Duration::from_millis(100);
/// A stream that does nothing for this long is dead; before it runs, a sound server may take two seconds to begin.
const DEAD: Duration = Duration::from_millis(1_500);
const NEVER_BEGAN: Duration = Duration::from_secs(5);
/// Errors that go on for this long without a callback do not pass.
const FAILING: Duration = Duration::from_millis(200);
/// Without a sign of life for this long the clock takes over.
const STALLED: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub struct Life {
    callbacks: u32,
    errors: u32,
    /// When the first callback was seen.
    first: Option<Instant>,
    /// When the last one was seen, or the stream opened.
    last: Instant,
    /// Callbacks go on beyond filling buffers.
    runs: bool,
    /// Since when nothing but errors is seen.
    failing: Option<Instant>,
}

impl Life {
    pub const fn new(opened: Instant) -> Self {
        Self { callbacks: 0, errors: 0, first: None, last: opened, runs: false, failing: None }
    }

    /// How many callbacks and errors there were so far.
    pub fn observe(&mut self, now: Instant, callbacks: u32, errors: u32) {
        let fails = errors != self.errors && callbacks == self.callbacks;
        self.errors = errors;
        self.failing = fails.then(|| self.failing.unwrap_or(now));
        if callbacks != self.callbacks {
            self.callbacks = callbacks;
            self.last = now;
            let first = *self.first.get_or_insert(now);
            self.runs |= now.saturating_duration_since(first) >= FILLING;
        }
    }

    /// Whether it moves sound, or will at any moment.
    pub fn is_moving(&self, now: Instant) -> bool {
        self.first.is_some() && self.rests(now) <= STALLED
    }

    /// How long ago it moved sound, as far as was seen.
    pub fn rests(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.last)
    }

    /// Whether it was seen to work.
    pub const fn runs(&self) -> bool {
        self.runs
    }

    pub fn is_dead(&self, now: Instant) -> bool {
        let limit = if self.runs { DEAD } else { NEVER_BEGAN };
        let fails = self.failing.is_some_and(|since| now.saturating_duration_since(since) > FAILING);
        fails || now.saturating_duration_since(self.last) > limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets the stream call back every 10 ms, from `from` to `to` milliseconds after `start`.
    fn call_back(life: &mut Life, start: Instant, (from, to): (u64, u64)) {
        for at in (from..to).step_by(10) {
            life.observe(start + Duration::from_millis(at), life.callbacks + 1, life.errors);
        }
    }

    #[test]
    fn a_server_that_fills_its_buffers_and_then_takes_two_seconds_is_not_dead() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut life = Life::new(start);
        assert!(!life.is_moving(start), "it has not begun");
        call_back(&mut life, start, (20, 60));
        assert!(life.is_moving(at(60)) && !life.runs(), "buffers fill");
        assert!(!life.is_moving(at(300)) && !life.is_dead(at(2_300)));
        call_back(&mut life, start, (2_300, 2_400));
        assert!(life.is_moving(at(2_400)) && life.runs() && !life.is_dead(at(2_400)));
    }

    #[test]
    fn errors_pass_or_do_not() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut life = Life::new(start);
        for ms in (0..20).step_by(5) {
            life.observe(at(ms), 0, life.errors + 1_000);
        }
        assert!(!life.is_dead(at(20)), "as long as a stream takes to begin");
        life.observe(at(300), 0, life.errors);
        assert!(!life.is_dead(at(300)), "they have passed");
        call_back(&mut life, start, (400, 1_000));
        for ms in (1_000..1_300).step_by(5) {
            life.observe(at(ms), life.callbacks, life.errors + 1_000);
        }
        assert!(life.is_dead(at(1_300)), "the server has died");
    }

    #[test]
    fn what_ran_is_dead_soon_and_what_never_began_later() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut life = Life::new(start);
        call_back(&mut life, start, (10, 1_000));
        assert!(!life.is_dead(at(2_400)) && life.is_dead(at(2_600)));
        let never = Life::new(start);
        assert!(!never.is_dead(at(4_900)) && never.is_dead(at(5_100)));
    }
}
