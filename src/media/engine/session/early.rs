//! Whether a call that is not answered yet is heard all the same (RFC 3960 §3.2): a description promises audio, packets are it.

use std::time::{Duration, Instant};

/// What does not come so long after it was agreed on is not about to.
const FIRST: Duration = Duration::from_millis(500);
/// Audio that came is over after this; where a network sends no silence, there are 4 s of it between two of its rings.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct EarlyMedia {
    agreed: Instant,
    heard: Option<Instant>,
    told: Option<bool>,
}

impl EarlyMedia {
    pub(super) const fn new(now: Instant) -> Self {
        Self { agreed: now, heard: None, told: None }
    }

    /// Somebody else may be heard from now on.
    pub(super) const fn agreed(&mut self, now: Instant) {
        (self.agreed, self.heard) = (now, None);
    }

    pub(super) const fn heard(&mut self, now: Instant) {
        self.heard = Some(now);
    }

    /// Whether audio comes, each time that this is known and was not told.
    pub(super) fn poll(&mut self, now: Instant) -> Option<bool> {
        let comes = match self.heard {
            Some(last) => now < last + PAUSE,
            None if now < self.agreed + FIRST => return None,
            None => false,
        };
        (self.told.replace(comes) != Some(comes)).then_some(comes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told at which tenth of a second, where packets come in these and another side answers in those.
    fn told(packets: &[std::ops::Range<u32>], agreed: &[u32]) -> Vec<(u32, bool)> {
        let start = Instant::now();
        let mut early = EarlyMedia::new(start);
        let step = |tenth: u32| {
            let now = start + Duration::from_millis(100) * tenth;
            if agreed.contains(&tenth) {
                early.agreed(now);
            }
            if packets.iter().any(|packets| packets.contains(&tenth)) {
                early.heard(now);
            }
            early.poll(now).map(|comes| (tenth, comes))
        };
        (0..300).filter_map(step).collect()
    }

    #[test]
    fn audio_that_comes_and_ends_is_told_once() {
        assert_eq!(told(&[], &[]), [(5, false)], "promised in vain");
        assert_eq!(told(std::slice::from_ref(&(0..300)), &[]), [(0, true)]);
        assert_eq!(told(std::slice::from_ref(&(3..300)), &[]), [(3, true)], "late, but in time");
        assert_eq!(told(std::slice::from_ref(&(20..60)), &[]), [(5, false), (20, true), (109, false)]);
        let rings: Vec<_> = (0..6).map(|n| n * 50..n * 50 + 10).collect();
        assert_eq!(told(&rings, &[]), [(0, true)], "a network's own ringing, without its silence");
        assert_eq!(told(std::slice::from_ref(&(0..100)), &[100]), [(0, true), (105, false)], "another is silent");
        assert_eq!(told(std::slice::from_ref(&(0..300)), &[100]), [(0, true)], "another is heard, too");
    }
}
