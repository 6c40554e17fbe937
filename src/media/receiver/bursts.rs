//! Whether what is missing is missing in bursts (RFC 3611 §4.7.2). A burst begins and ends with a missing packet and has no
//! [`GMIN`] packets in a row that came; a packet missing by itself belongs to the gap around it.

use crate::media::{rtcp::GMIN, stats::BurstStats};

/// Counts of packets in the order of their playing.
#[derive(Clone, Debug, Default)]
pub struct Bursts {
    /// Of what is decided: packets, and those missing among them.
    burst: (u64, u64),
    gap: (u64, u64),
    bursts: u64,
    /// From the last missing packet that may begin a burst: packets, missing ones, and how many came since the last one.
    open: Option<(u64, u64, u64)>,
}

impl Bursts {
    pub const fn came(&mut self) {
        match &mut self.open {
            None => self.gap.0 += 1,
            Some((packets, missing, since)) => {
                (*packets, *since) = (*packets + 1, *since + 1);
                if *since >= GMIN as u64 {
                    let (packets, missing, since) = (*packets - *since, *missing, *since);
                    self.settle(packets, missing);
                    self.gap.0 += since;
                    self.open = None;
                }
            }
        }
    }

    pub fn missing(&mut self) {
        let (packets, missing, _) = self.open.unwrap_or_default();
        self.open = Some((packets + 1, missing + 1, 0));
    }

    /// All packets, and those missing.
    pub fn counts(&self) -> (u64, u64) {
        let (packets, missing, _) = self.open.unwrap_or_default();
        (self.burst.0 + self.gap.0 + packets, self.burst.1 + self.gap.1 + missing)
    }

    /// For packets of `packet_ms`.
    pub fn stats(&self, packet_ms: f64) -> BurstStats {
        let mut all = self.clone();
        if let Some((packets, missing, since)) = all.open.take() {
            all.settle(packets - since, missing);
            all.gap.0 += since;
        }
        let share = |(packets, missing): (u64, u64)| missing as f64 / packets.max(1) as f64;
        let mean = |(packets, _): (u64, u64), count: u64| (packets as f64 * packet_ms / count.max(1) as f64) as u16;
        BurstStats {
            burst_density: share(all.burst),
            gap_density: share(all.gap),
            burst_ms: mean(all.burst, all.bursts),
            gap_ms: mean(all.gap, all.bursts + 1),
        }
    }

    const fn settle(&mut self, packets: u64, missing: u64) {
        if missing > 1 {
            (self.burst.0, self.burst.1, self.bursts) =
                (self.burst.0 + packets, self.burst.1 + missing, self.bursts + 1);
        } else {
            (self.gap.0, self.gap.1) = (self.gap.0 + packets, self.gap.1 + missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Bursts {
        let mut bursts = Bursts::default();
        for packet in pattern.chars() {
            if packet == 'x' { bursts.missing() } else { bursts.came() }
        }
        bursts
    }

    #[test]
    fn lone_losses_are_of_the_gap_and_near_ones_of_a_burst() {
        let quiet = ".".repeat(16);
        for (pattern, burst, gap) in [
            (String::new(), (0.0, 0), (0.0, 0)),
            (quiet.repeat(10), (0.0, 0), (0.0, 3_200)),
            (format!("{quiet}x{quiet}"), (0.0, 0), (1.0 / 33.0, 660)),
            (format!("{quiet}xx{quiet}"), (1.0, 40), (0.0, 320)),
            (format!("{quiet}x..x{quiet}x"), (0.5, 80), (1.0 / 33.0, 330)),
            (format!("{quiet}x...............x"), (2.0 / 17.0, 340), (0.0, 160)),
        ] {
            let stats = of(&pattern).stats(20.0);
            assert_eq!(
                ((stats.burst_density, stats.burst_ms), (stats.gap_density, stats.gap_ms)),
                (burst, gap),
                "{pattern}"
            );
        }
        assert_eq!(of("..x.xx...").counts(), (9, 3));
    }
}
