//! Symmetric RTP (RFC 4961): send to where packets really come from, without letting a stranger take the call over.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// In-order packets of one source that make an address other than the signalled one believable.
const PROBATION: u8 = 3;
/// A source that was silent for this long may be succeeded by another.
const SILENCE: Duration = Duration::from_secs(2);
/// Addresses of one peer.
const MOST_OTHERS: usize = 16;

/// Where to send, and whom to listen to.
#[derive(Debug)]
pub struct Latch {
    signalled: SocketAddr,
    state: State,
    candidate: Option<Candidate>,
    /// Where the peer is besides, as checks have proved: it may send from any of its addresses (RFC 8445 §12.2).
    others: Vec<SocketAddr>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet: send as signalled.
    Waiting,
    /// Packets come from here.
    Latched { source: SocketAddr, heard: Instant },
    /// Checks have chosen this, and they alone choose another.
    Checked { source: SocketAddr },
}

#[derive(Debug)]
struct Candidate {
    source: SocketAddr,
    ssrc: u32,
    next: u16,
    count: u8,
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Not from the peer, as far as known.
    Drop,
}

impl Latch {
    pub fn new(signalled: SocketAddr) -> Self {
        Self { signalled, state: State::Waiting, candidate: None, others: Vec::new() }
    }

    /// A new offer or answer: an address that changed starts over, an unchanged one changes nothing, and nothing changes what
    /// checks have chosen.
    pub fn signalled(&mut self, address: SocketAddr) {
        if address != self.signalled && !matches!(self.state, State::Checked { .. }) {
            (self.state, self.candidate) = (State::Waiting, None);
        }
        self.signalled = address;
    }

    /// Where to send.
    pub fn target(&self) -> SocketAddr {
        match self.state {
            State::Latched { source, .. } | State::Checked { source } => source,
            State::Waiting => self.signalled,
        }
    }

    /// Somebody at this address has proved to be the peer.
    pub fn proven(&mut self, now: Instant, source: SocketAddr) {
        (self.state, self.candidate) = (State::Latched { source, heard: now }, None);
    }

    /// Checks have shown that the peer is here, and agrees to be sent to: however long it is silent, nobody's packets move that.
    pub fn checked(&mut self, source: SocketAddr) {
        (self.state, self.candidate) = (State::Checked { source }, None);
    }

    /// The peer has proved to be at this address, too.
    pub fn also(&mut self, source: SocketAddr) {
        if self.others.len() < MOST_OTHERS && !self.others.contains(&source) {
            self.others.push(source);
        }
    }

    /// What the checks have shown is no longer so: packets decide again.
    pub fn unchecked(&mut self, now: Instant) {
        self.others.clear();
        if let State::Checked { source } = self.state {
            self.state = State::Latched { source, heard: now };
        }
    }

    /// Judges a well-formed RTP packet of an agreed payload type. The signalled address is believed at once; another one
    /// after three packets in sequence, and only while nobody is latched or the latched source has fallen silent. Until
    /// someone is latched everything is heard, so that a call through a NAT loses no syllable.
    pub fn judge(&mut self, now: Instant, source: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        let vacant = match &mut self.state {
            State::Latched { source: latched, heard } if *latched == source => {
                *heard = now;
                return Verdict::Accept;
            }
            State::Latched { heard, .. } if self.others.contains(&source) => {
                *heard = now;
                return Verdict::Accept;
            }
            State::Checked { source: checked } => {
                let is_peer = *checked == source || self.others.contains(&source);
                return if is_peer { Verdict::Accept } else { Verdict::Drop };
            }
            State::Latched { heard, .. } => now.saturating_duration_since(*heard) > SILENCE,
            State::Waiting => true,
        };
        if source == self.signalled && vacant {
            self.state = State::Latched { source, heard: now };
            self.candidate = None;
            return Verdict::Accept;
        }
        let count = match &self.candidate {
            Some(known) if known.source == source && known.ssrc == ssrc && known.next == sequence => known.count + 1,
            _ => 1,
        };
        if vacant && count >= PROBATION {
            self.state = State::Latched { source, heard: now };
            self.candidate = None;
            return Verdict::Accept;
        }
        self.candidate = Some(Candidate { source, ssrc, next: sequence.wrapping_add(1), count: count.min(PROBATION) });
        if matches!(self.state, State::Waiting) { Verdict::Accept } else { Verdict::Drop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod properties {
        use super::*;
        use proptest::{prelude::*, test_runner::RngSeed};

        fn config() -> ProptestConfig {
            let times = std::env::var("AM_FUZZ_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
            let cases = 500u32.saturating_mul(times);
            ProptestConfig {
                cases,
                rng_seed: RngSeed::Fixed(4961),
                failure_persistence: None,
                ..ProptestConfig::default()
            }
        }

        proptest! {
            #![proptest_config(config())]

            /// Whatever strangers send, in sequence or not, with the peer's source or another, and whenever: while the peer's
            /// packets come, they are all heard, nobody else's is, and ours go to the peer.
            #[test]
            fn a_stranger_s_packets_never_replace_the_peer_s(
                injected in prop::collection::vec((0..400u64, 0..4u8, 0..3u32, any::<u16>(), 1..9u16), 0..60),
                // Also where the peer is not where it was said to be.
                behind_nat: bool,
                // Where checks have shown the way, also while the peer is silent.
                checked: bool,
                silence in 0..400u64,
            ) {
                let start = Instant::now();
                let (signalled, nat) = (address("192.0.2.1:4000"), address("203.0.113.7:31000"));
                let peer = if behind_nat { nat } else { signalled };
                let mut latch = Latch::new(signalled);
                if checked {
                    latch.checked(peer);
                }
                for n in 0..400u64 {
                    let now = start + Duration::from_millis(20 * n);
                    if !checked || n < silence {
                        prop_assert_eq!(latch.judge(now, peer, 7, n as u16), Verdict::Accept);
                    }
                    let is_latched = latch.target() == peer && n > u64::from(PROBATION);
                    for (_, who, ssrc, sequence, run) in injected.iter().filter(|(at, ..)| *at == n && is_latched) {
                        let stranger = SocketAddr::from(([198, 51, 100, *who], 6_666));
                        for step in 0..*run {
                            let verdict = latch.judge(now, stranger, 6 + ssrc, sequence.wrapping_add(step));
                            prop_assert_eq!(verdict, Verdict::Drop);
                            prop_assert_eq!(latch.target(), peer);
                        }
                    }
                }
            }
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_is_heard_from_each_of_its_addresses_and_a_stranger_from_none() {
        let [way, other, stranger] = ["192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.3:5000"].map(address);
        let (now, mut latch) = (Instant::now(), Latch::new(way));
        latch.checked(way);
        latch.also(other);
        for sequence in 0..50 {
            assert_eq!(latch.judge(now, other, 7, sequence), Verdict::Accept);
            assert_eq!(latch.judge(now, stranger, 7, sequence), Verdict::Drop);
        }
        assert_eq!(latch.target(), way, "it is sent to where the checks say");
        (0..100u16).for_each(|port| latch.also(SocketAddr::from(([192, 0, 2, 9], port))));
        assert_eq!(latch.others.len(), MOST_OTHERS);
        // A later description says where the peer was found, which changes nothing.
        latch.signalled(stranger);
        assert_eq!(latch.target(), way);
        latch.unchecked(now);
        assert_eq!((latch.target(), latch.judge(now, other, 7, 50)), (way, Verdict::Drop));
        let later = now + SILENCE + Duration::from_millis(1);
        assert_eq!(latch.judge(later, stranger, 7, 51), Verdict::Accept, "without checks a silent source is succeeded");
    }

    #[test]
    fn the_signalled_address_is_believed_and_kept() {
        let (now, peer, stranger) = (Instant::now(), address("192.0.2.1:4000"), address("198.51.100.9:6666"));
        let mut latch = Latch::new(peer);
        assert_eq!(latch.judge(now, peer, 1, 10), Verdict::Accept);
        for n in 0..100 {
            assert_eq!(latch.judge(now, stranger, 2, n), Verdict::Drop);
            assert_eq!(latch.judge(now, peer, 1, 11 + n), Verdict::Accept);
        }
        assert_eq!(latch.target(), peer);
    }

    #[test]
    fn a_nat_s_address_takes_over_after_probation() {
        let (now, signalled, nat) = (Instant::now(), address("10.0.0.5:4000"), address("203.0.113.7:31000"));
        let mut latch = Latch::new(signalled);
        for (n, target) in [(0, signalled), (1, signalled), (2, nat), (3, nat)] {
            assert_eq!(latch.judge(now, nat, 7, n), Verdict::Accept);
            assert_eq!(latch.target(), target, "after packet {n}");
        }
    }

    #[test]
    fn scattered_packets_of_a_stranger_never_latch() {
        let (now, signalled, stranger) = (Instant::now(), address("10.0.0.5:4000"), address("203.0.113.7:31000"));
        let mut latch = Latch::new(signalled);
        for n in 0..200u16 {
            latch.judge(now, stranger, 7, n.wrapping_mul(7_919));
        }
        assert_eq!(latch.target(), signalled);
    }

    #[test]
    fn a_silent_source_may_be_succeeded() {
        let (now, peer, moved) = (Instant::now(), address("192.0.2.1:4000"), address("192.0.2.1:5000"));
        let mut latch = Latch::new(peer);
        latch.judge(now, peer, 1, 1);
        let later = now + SILENCE + Duration::from_millis(1);
        for n in 0..3 {
            latch.judge(later, moved, 1, 50 + n);
        }
        assert_eq!(latch.target(), moved);
        latch.signalled(address("192.0.2.9:7000"));
        assert_eq!(latch.target(), address("192.0.2.9:7000"));
    }
}
