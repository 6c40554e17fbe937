//! A bad network, repeatably: incoming packets are dropped and delayed, the same ones for the same seed. RTCP is delayed, too, so that it
//! tells how long the way is; it is never dropped, and its chance is nobody else's.

use super::engine::Impairment;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Packets held at once at most: what comes beyond is lost.
const MOST: usize = 2_000;

/// From where, and whether it is RTCP.
pub type Source = (SocketAddr, bool);

/// Sits between a socket and a call.
#[derive(Debug)]
pub struct Impair {
    settings: Impairment,
    random: StdRng,
    /// By release time and order of arrival.
    held: BTreeMap<(Instant, u64), (Source, Vec<u8>)>,
    count: u64,
    /// The packet before was lost.
    losing: bool,
}

impl Impair {
    pub fn new(settings: Impairment) -> Self {
        Self { random: StdRng::seed_from_u64(settings.seed), settings, held: BTreeMap::new(), count: 0, losing: false }
    }

    pub fn push(&mut self, now: Instant, source: Source, datagram: &[u8]) {
        self.count += 1;
        let ms = f64::from(self.settings.delay_ms);
        let (_, control) = source;
        let late_ms = if control { Some(ms) } else { self.fate().map(|jitter| ms + jitter) };
        if let Some(late_ms) = late_ms.filter(|_| self.held.len() < MOST) {
            let release = now + Duration::from_secs_f64(late_ms / 1000.0);
            self.held.insert((release, self.count), (source, datagram.to_vec()));
        }
    }

    /// By how many milliseconds the next packet of audio is later than the earliest ones; `None`: it is lost.
    fn fate(&mut self) -> Option<f64> {
        // Two draws for each packet, so that changing the loss leaves the delays as they were.
        let (loss, delay) = (self.unit(), self.unit());
        let share = self.settings.loss_percent / 100.0;
        // Gilbert's model: losses begin and go on by chance.
        let (begins, goes_on) =
            self.settings.burst.map_or((share, share), |mean| (share / (mean * (1.0 - share)), 1.0 - 1.0 / mean));
        self.losing = loss < if self.losing { goes_on } else { begins };
        (!self.losing).then(|| delay * f64::from(self.settings.jitter_ms))
    }

    /// A packet whose time has come, with that time.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, Source, Vec<u8>)> {
        let first = self.held.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let ((release, _), (source, datagram)) = first.remove_entry();
        Some((release, source, datagram))
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.held.first_key_value().map(|((release, _), _)| *release)
    }

    fn unit(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(settings: Impairment) -> Vec<(u128, u8)> {
        let (start, source) = (Instant::now(), ("192.0.2.1:4000".parse().unwrap(), false));
        let mut impair = Impair::new(settings);
        let mut out = Vec::new();
        for n in 0..2_000u64 {
            let now = start + Duration::from_millis(n);
            if n < 1_000 {
                impair.push(now, source, &[(n % 256) as u8]);
            }
            while let Some((release, _, datagram)) = impair.pop(now) {
                out.push(((release - start).as_micros(), datagram[0]));
            }
        }
        assert_eq!(impair.poll_timeout(), None);
        out
    }

    #[test]
    fn damages_as_told_and_repeats() {
        let settings = Impairment { loss_percent: 10.0, burst: None, delay_ms: 30, jitter_ms: 20, seed: 7 };
        let packets = through(settings);
        assert_eq!(packets, through(settings));
        assert!((850..950).contains(&packets.len()), "{}", packets.len());
        assert!(packets.windows(2).any(|w| w[1].1 < w[0].1), "nothing was reordered");
        assert_ne!(packets, through(Impairment { seed: 8, ..settings }));
        let nothing = Impairment { loss_percent: 0.0, burst: None, delay_ms: 0, jitter_ms: 0, seed: 1 };
        assert_eq!(through(nothing).len(), 1_000);
    }

    /// Of what is lost of audio, and how late that is, nothing depends on it.
    #[test]
    fn rtcp_is_as_late_as_the_earliest_audio_and_never_lost() {
        let (start, host) = (Instant::now(), "192.0.2.1:4000".parse().unwrap());
        let audio = |with_rtcp| {
            let mut impair =
                Impair::new(Impairment { loss_percent: 50.0, burst: None, delay_ms: 400, jitter_ms: 20, seed: 5 });
            for n in 0..100 {
                impair.push(start, (host, false), &[n]);
                if with_rtcp {
                    impair.push(start, (host, true), &[n]);
                }
            }
            let held = std::iter::from_fn(|| impair.pop(start + Duration::from_millis(420)));
            let (control, audio): (Vec<_>, Vec<_>) = held.partition(|(_, (_, control), _)| *control);
            assert_eq!(control.len(), if with_rtcp { 100 } else { 0 });
            assert!(control.iter().all(|(release, ..)| *release == start + Duration::from_millis(400)));
            audio
        };
        assert_eq!(audio(true), audio(false));
    }

    #[test]
    fn bursts_are_as_long_as_told_and_lose_as_much() {
        let (start, source) = (Instant::now(), ("192.0.2.1:4000".parse().unwrap(), false));
        let mut impair =
            Impair::new(Impairment { loss_percent: 20.0, burst: Some(2.5), delay_ms: 0, jitter_ms: 0, seed: 3 });
        let lost: Vec<bool> = (0..20_000)
            .map(|_| {
                impair.push(start, source, &[1]);
                impair.pop(start).is_none()
            })
            .collect();
        let count = lost.iter().filter(|lost| **lost).count() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        assert!((count / 20_000.0 - 0.2).abs() < 0.01 && (count / bursts - 2.5).abs() < 0.1, "{count} {bursts}");
    }
}
