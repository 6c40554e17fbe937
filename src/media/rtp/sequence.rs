//! What a receiver learns from sequence numbers and arrival times (RFC 3550 §6.4.1, §A.1, §A.3, §A.8).

use std::time::{Duration, Instant};

/// Larger jumps forward mean that the source began anew (§A.1).
const MAX_DROPOUT: u16 = 3_000;
/// Packets this far behind are merely late (§A.1).
const MAX_MISORDER: u16 = 100;
/// Unless so many of them follow each other for so long without a new one in between: what is late or doubled comes in a burst, or
/// while newer ones come.
const REPEATED: u16 = 3;
const REPEATED_FOR: Duration = Duration::from_millis(60);

/// Receiver's account of one synchronization source.
#[derive(Clone, Debug)]
pub struct Reception {
    pub ssrc: u32,
    /// Highest sequence number with its cycles.
    highest: u64,
    base: u64,
    received: u64,
    /// Sequence number that would confirm a restart.
    restart: Option<u16>,
    /// Packets behind that follow each other, since the last new one.
    repeated: Option<Run>,
    expected_prior: u64,
    received_prior: u64,
    jitter: f64,
    /// Arrival and timestamp of the packet before, with the clock rate they belong to.
    last: Option<(Instant, u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    first: u16,
    count: u16,
    since: Instant,
}

/// What a packet's sequence number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// In its place, at this extended sequence number; they begin at 65536, so that earlier ones have numbers too.
    Valid(u64),
    /// Far off: dropped, unless the next one follows it.
    Suspicious,
    /// Two in a row were far off, or several behind at a sender's pace: the source started again, is now at this extended number,
    /// and earlier ones mean nothing any more. So many packets had been lost, and so many of the new beginning were taken for
    /// [`Update::Valid`] ones of before.
    Restarted { sequence: u64, lost: u64, repeated: u64 },
}

impl Reception {
    pub fn new(ssrc: u32, first: u16) -> Self {
        // One cycle up, so that packets reordered before the first still have numbers.
        let first = 0x1_0000 + u64::from(first);
        Self {
            ssrc,
            highest: first - 1,
            base: first,
            received: 0,
            restart: None,
            repeated: None,
            expected_prior: 0,
            received_prior: 0,
            jitter: 0.0,
            last: None,
        }
    }

    /// Takes in a sequence number. Duplicates count as received, as in the RFC; telling them apart is the buffer's work.
    pub fn update(&mut self, now: Instant, sequence: u16) -> Update {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
            self.repeated = None;
        } else if ahead <= u16::MAX - MAX_MISORDER {
            if self.restart != Some(sequence) {
                self.restart = Some(sequence.wrapping_add(1));
                return Update::Suspicious;
            }
            return self.begin_anew(sequence, 1);
        } else {
            let run = self.repeated.filter(|run| run.first.wrapping_add(run.count) == sequence);
            let run = run.unwrap_or(Run { first: sequence, count: 0, since: now });
            let run = Run { count: run.count + 1, ..run };
            if run.count >= REPEATED && now.saturating_duration_since(run.since) >= REPEATED_FOR {
                return self.begin_anew(run.first, run.count);
            }
            self.repeated = Some(run);
        }
        self.received += 1;
        let behind = (self.highest as u16).wrapping_sub(sequence);
        let extended = self.highest - u64::from(behind);
        // Reordered before the first one.
        self.base = self.base.min(extended);
        Update::Valid(extended)
    }

    /// The numbering began anew with `first`, of which the packet at hand is the `count`th.
    fn begin_anew(&mut self, first: u16, count: u16) -> Update {
        let (ssrc, jitter, repeated) = (self.ssrc, self.jitter, u64::from(count) - 1);
        self.received -= repeated;
        let lost = self.missing();
        *self = Self { jitter, received: repeated + 1, ..Self::new(ssrc, first) };
        self.highest = self.base + repeated;
        Update::Restarted { sequence: self.highest, lost, repeated }
    }

    /// Interarrival jitter from an audio packet (§A.8). Packets of one frame share a timestamp and are best not given.
    pub fn arrived(&mut self, now: Instant, timestamp: u32, clock_rate: u32) {
        if let Some((then, before, rate)) = self.last
            && rate == clock_rate
        {
            let elapsed = now.saturating_duration_since(then).as_secs_f64() * f64::from(clock_rate);
            let difference = (elapsed - f64::from(timestamp.wrapping_sub(before) as i32)).abs();
            // A jump of the timestamp (silence suppression, a new source behind a mixer) is not jitter.
            if difference < f64::from(clock_rate) {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
        self.last = Some((now, timestamp, clock_rate));
    }

    pub fn expected(&self) -> u64 {
        self.highest + 1 - self.base
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    /// Expected less received; negative when duplicates came (§6.4.1).
    pub fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// The same, as a count.
    pub fn missing(&self) -> u64 {
        self.lost().max(0) as u64
    }

    pub fn highest(&self) -> u32 {
        // The cycles of the RFC count from zero.
        (self.highest - 0x1_0000) as u32
    }

    /// In timestamp units.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    pub fn jitter_ms(&self) -> f64 {
        self.last.map_or(0.0, |(_, _, rate)| self.jitter * 1000.0 / f64::from(rate))
    }

    /// Share of packets lost since the last call, in 1/256 (§A.3).
    pub fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.expected_prior.min(self.expected());
        let received = self.received - self.received_prior.min(self.received);
        self.expected_prior = self.expected();
        self.received_prior = self.received;
        if expected == 0 || received >= expected { 0 } else { ((expected - received) * 256 / expected).min(255) as u8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn counts_loss_reordering_and_wrap() {
        let (now, mut reception) = (Instant::now(), Reception::new(1, 65_533));
        for sequence in [65_533, 65_535, 65_534, 1, 2, 5] {
            assert!(matches!(reception.update(now, sequence), Update::Valid(_)), "{sequence}");
        }
        // 65533 … 5 are nine numbers, six came: 0, 3 and 4 are missing.
        assert_eq!((reception.expected(), reception.lost()), (9, 3));
        assert_eq!(reception.fraction_lost(), 85);
        assert_eq!(reception.highest(), 0x1_0005);
        reception.update(now, 6);
        assert_eq!(reception.fraction_lost(), 0);
    }

    #[test]
    fn one_stray_packet_is_dropped_two_in_a_row_restart() {
        let (now, mut reception) = (Instant::now(), Reception::new(1, 100));
        assert_eq!(reception.update(now, 100), Update::Valid(0x1_0000 + 100));
        assert_eq!(reception.update(now, 30_000), Update::Suspicious);
        assert_eq!(reception.update(now, 101), Update::Valid(0x1_0000 + 101));
        assert_eq!(reception.update(now, 40_000), Update::Suspicious);
        reception.update(now, 105);
        assert_eq!(reception.update(now, 40_000), Update::Suspicious);
        assert_eq!(
            reception.update(now, 40_001),
            Update::Restarted { sequence: 0x1_0000 + 40_001, lost: 3, repeated: 0 }
        );
    }

    /// Milliseconds from one packet to the next, and how far back the fourth and what follows it are.
    fn repeats(pace_ms: u64, back: u16) -> Vec<Update> {
        let (start, mut reception) = (Instant::now(), Reception::new(1, 65_500));
        for n in 0..100 {
            reception.update(start, 65_500u16.wrapping_add(n));
        }
        let sequence = |n: u16| 65_500u16.wrapping_add(100 - back + n);
        (0..6).map(|n| reception.update(start + Duration::from_millis(pace_ms) * u32::from(n), sequence(n))).collect()
    }

    #[test]
    fn packets_behind_at_a_sender_s_pace_are_a_restart() {
        for (pace_ms, back, count) in [(20, 75, 4), (20, 90, 4), (20, 10, 4), (10, 75, 7), (60, 75, 3), (30, 75, 3)] {
            let updates = repeats(pace_ms, back);
            let restart = updates.iter().position(|update| !matches!(update, Update::Valid(_)));
            assert_eq!(restart, (count <= 6).then_some(count - 1), "{pace_ms} ms, {back} back");
            if let Some(at) = restart {
                let first = 0x1_0000 + u64::from(65_500u16.wrapping_add(100 - back));
                let repeated = at as u64;
                assert_eq!(updates[at], Update::Restarted { sequence: first + repeated, lost: 0, repeated });
                assert_eq!(updates[5], Update::Valid(first + 5));
            }
        }
        // A burst of what is late or doubled, however many.
        assert!(repeats(3, 75).iter().all(|update| matches!(update, Update::Valid(_))));
    }

    /// A second way, 200 ms longer, on which all comes once more.
    #[test]
    fn copies_between_newer_packets_are_no_restart() {
        let (start, mut reception) = (Instant::now(), Reception::new(1, 0));
        for n in 0..200u16 {
            let now = start + Duration::from_millis(20) * u32::from(n);
            assert!(matches!(reception.update(now, n), Update::Valid(_)));
            if n >= 10 {
                assert_eq!(reception.update(now, n - 10), Update::Valid(0x1_0000 + u64::from(n - 10)));
            }
        }
    }

    #[test]
    fn jitter_follows_the_rfc() {
        let start = Instant::now();
        let mut reception = Reception::new(1, 0);
        // Every packet 20 ms of audio; arrivals alternate by ±5 ms: |D| is 10 ms, and J tends to it.
        for n in 0..500u32 {
            let arrival = start + Duration::from_millis(u64::from(n) * 20 + if n % 2 == 0 { 10 } else { 0 });
            reception.arrived(arrival, n * 160, 8_000);
        }
        assert!((reception.jitter_ms() - 10.0).abs() < 0.1, "{}", reception.jitter_ms());
    }
}
