//! The doubling retransmission timers: A, E, G and the one of RFC 3261 §13.3.1.4.

use std::time::{Duration, Instant};

/// A timer whose interval doubles each time it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    at: Instant,
    interval: Duration,
}

impl Backoff {
    /// Fires first after `interval`.
    pub fn start(now: Instant, interval: Duration) -> Self {
        Self { at: now + interval, interval }
    }

    /// When it fires next.
    pub fn at(self) -> Instant {
        self.at
    }

    /// Whether it is time.
    pub fn is_due(self, now: Instant) -> bool {
        self.at <= now
    }

    /// Fired at `now`: the next interval is twice this one, at most `cap`. Counted from `now`, so that a machine that was
    /// asleep sends one message when it wakes, not all that it missed.
    pub fn next(self, now: Instant, cap: Option<Duration>) -> Self {
        let doubled = self.interval * 2;
        Self::start(now, cap.map_or(doubled, |cap| doubled.min(cap)))
    }
}
