//! A network in simulated time, for tests: packets between addresses, lost, delayed, doubled and overtaken as a seed says.
//!
//! Used by unit tests (`#[path]`) and integration tests alike, so it names nothing of the crate.

use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// What happens to datagrams. Streams are delayed and never lose, double or reorder anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Probability that it arrives twice.
    pub duplicate: f64,
    /// How long it travels at least.
    pub delay: Duration,
    /// Up to this much longer, evenly spread; packets closer together than this overtake each other.
    pub jitter: Duration,
}

/// A datagram, or a message on the stream between two addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub stream: bool,
    pub payload: Vec<u8>,
}

/// The packets in flight.
#[derive(Debug)]
pub struct Link {
    random: StdRng,
    faults: Faults,
    in_flight: BTreeMap<(Instant, u64), Packet>,
    sent: u64,
    /// Arrival of the last packet of each stream direction.
    streams: HashMap<(SocketAddr, SocketAddr), Instant>,
}

impl Link {
    /// The same seed gives the same fate to the same packets.
    pub fn new(seed: u64, faults: Faults) -> Self {
        let random = StdRng::seed_from_u64(seed);
        Self { random, faults, in_flight: BTreeMap::new(), sent: 0, streams: HashMap::new() }
    }

    /// A packet leaves at `now`.
    pub fn send(&mut self, now: Instant, packet: Packet) {
        if packet.stream {
            let mut at = now + self.travel();
            let last = self.streams.entry((packet.from, packet.to)).or_insert(at);
            at = at.max(*last);
            *last = at;
            self.enqueue(at, packet);
            return;
        }
        let copies = if self.chance(self.faults.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            if !self.chance(self.faults.loss) {
                let at = now + self.travel();
                self.enqueue(at, packet.clone());
            }
        }
    }

    /// When the next packet arrives.
    pub fn next(&self) -> Option<Instant> {
        self.in_flight.keys().next().map(|&(at, _)| at)
    }

    /// The next packet that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<Packet> {
        let entry = self.in_flight.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    fn enqueue(&mut self, at: Instant, packet: Packet) {
        self.sent += 1;
        self.in_flight.insert((at, self.sent), packet);
    }

    fn travel(&mut self) -> Duration {
        let unit = self.unit();
        self.faults.delay + self.faults.jitter.mul_f64(unit)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Uniform in `0.0..1.0`.
    fn unit(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}
