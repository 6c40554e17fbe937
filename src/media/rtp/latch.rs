//! Symmetric RTP (RFC 4961): send to where packets really come from, without letting a stranger take the call over.

use crate::media::plan::is_private;
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// In-order packets of one source that make an address other than the signalled one believable.
const PROBATION: u8 = 3;
/// A source that was silent for this long, although it has something to send, may be succeeded by another port of its host.
const SILENCE: Duration = Duration::from_secs(2);
/// By another host, only when it has been silent for longer than one that lives ever is.
const LONG_SILENCE: Duration = Duration::from_secs(10);
/// Addresses of one peer.
const MOST_OTHERS: usize = 16;

/// What offer and answer say of the peer.
#[derive(Clone, Copy, Debug)]
pub struct Signalled {
    pub address: SocketAddr,
    /// It has something to send: neither of the two has put the call on hold.
    pub sends: bool,
    /// Its packets are authentic (SRTP), so that nobody else's are ever judged.
    pub secured: bool,
}

/// Where to send, and whom to listen to.
#[derive(Debug)]
pub struct Latch {
    signalled: Signalled,
    state: State,
    candidate: Option<Candidate>,
    /// Where the peer is besides, as checks have proved: it may send from any of its addresses (RFC 8445 §12.2).
    others: Vec<SocketAddr>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet: send as signalled.
    Waiting,
    /// Packets come from here; `proven`: from the peer, without doubt.
    Latched {
        source: SocketAddr,
        heard: Instant,
        /// When it, or its host's RTCP, last showed that it is there: muted, it may send no audio.
        alive: Instant,
        proven: bool,
    },
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
    pub const fn new(signalled: Signalled) -> Self {
        Self { signalled, state: State::Waiting, candidate: None, others: Vec::new() }
    }

    /// A new offer or answer: an address that changed starts over, an unchanged one changes nothing, and nothing changes what
    /// checks have chosen. Who had nothing to send was not silent.
    pub fn signalled(&mut self, now: Instant, signalled: Signalled) {
        match &mut self.state {
            State::Checked { .. } => {}
            _ if signalled.address != self.signalled.address => {
                (self.state, self.candidate) = (State::Waiting, None);
            }
            State::Latched { heard, alive, .. } if !self.signalled.sends => (*heard, *alive) = (now, now),
            State::Latched { .. } | State::Waiting => {}
        }
        self.signalled = signalled;
    }

    /// Where to send. To another host than the signalled one only where there is a NAT in between, as a private address shows, or
    /// where that host has proved to be the peer; else it is listened to at most.
    pub fn target(&self) -> SocketAddr {
        match self.state {
            State::Checked { source } | State::Latched { source, proven: true, .. } => source,
            State::Latched { source, .. } if self.may_be_at(source.ip()) => source,
            State::Latched { .. } | State::Waiting => self.signalled.address,
        }
    }

    /// Whether control packets from this host are the peer's, as far as known.
    pub fn knows(&self, host: IpAddr) -> bool {
        let source = match self.state {
            State::Latched { source, .. } | State::Checked { source } => Some(source),
            State::Waiting => None,
        };
        [self.signalled.address].iter().chain(&source).chain(&self.others).any(|address| address.ip() == host)
    }

    /// The peer's control packets come from this host.
    pub fn alive(&mut self, now: Instant, host: IpAddr) {
        if let State::Latched { source, alive, .. } = &mut self.state
            && source.ip() == host
        {
            *alive = now;
        }
    }

    /// Somebody at this address has proved to be the peer.
    pub fn proven(&mut self, now: Instant, source: SocketAddr) {
        (self.state, self.candidate) = (State::Latched { source, heard: now, alive: now, proven: true }, None);
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
            self.proven(now, source);
        }
    }

    /// Judges a well-formed RTP packet of an agreed payload type. The signalled address is believed at once, whoever else was,
    /// but for who has proved to be the peer; another address after three packets in sequence, and only while the peer has
    /// something to send and nobody is latched, or the latched source has fallen silent. Until someone is latched everything is
    /// heard, so that a call through a NAT loses no syllable.
    pub fn judge(&mut self, now: Instant, source: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        let (is_vacant, proven) = match &mut self.state {
            State::Checked { source: checked } => {
                let is_peer = *checked == source || self.others.contains(&source);
                return if is_peer { Verdict::Accept } else { Verdict::Drop };
            }
            State::Latched { source: latched, heard, alive, proven } => {
                if *latched == source || self.others.contains(&source) {
                    (*heard, *alive) = (now, now);
                    return Verdict::Accept;
                }
                let (since, patience) =
                    if latched.ip() == source.ip() { (*heard, SILENCE) } else { (*alive, LONG_SILENCE) };
                (now.saturating_duration_since(since) > patience, *proven)
            }
            State::Waiting => (true, false),
        };
        let is_vacant = is_vacant && self.signalled.sends;
        let is_signalled = source == self.signalled.address;
        let count = match &self.candidate {
            Some(known) if known.source == source && known.ssrc == ssrc && known.next == sequence => known.count + 1,
            _ => 1,
        };
        if is_signalled && !proven || is_vacant && (is_signalled || count >= PROBATION) {
            self.state = State::Latched { source, heard: now, alive: now, proven: self.signalled.secured };
            self.candidate = None;
            return Verdict::Accept;
        }
        self.candidate = Some(Candidate { source, ssrc, next: sequence.wrapping_add(1), count: count.min(PROBATION) });
        if matches!(self.state, State::Waiting) { Verdict::Accept } else { Verdict::Drop }
    }

    /// Whether our packets may go to this host because packets come from it: the one signalled, or where one of the two addresses
    /// is of a private network, so that a NAT is in between. Nobody sends from a private address to another network.
    fn may_be_at(&self, host: IpAddr) -> bool {
        let signalled = self.signalled.address.ip();
        signalled == host || is_private(signalled) || is_private(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        /// When, who, SSRC, first sequence number and length of a run of a stranger's packets.
        fn injected() -> impl Strategy<Value = Vec<(u64, u8, u32, u16, u16)>> {
            prop::collection::vec((0..400u64, 0..4u8, 0..3u32, any::<u16>(), 1..9u16), 0..60)
        }

        proptest! {
            #![proptest_config(config(500, 4961))]

            /// Whatever strangers send, in sequence or not, with the peer's source or another, and whenever: while the peer's
            /// packets come, or its RTCP alone, or it has none to send, they are all heard, nobody else's is, and ours go there.
            #[test]
            fn a_stranger_s_packets_never_replace_the_peer_s(
                injected in injected(),
                // Also where the peer is not where it was said to be.
                behind_nat: bool,
                // Where checks have shown the way, also while the peer is silent.
                checked: bool,
                // Or while only its RTCP comes.
                muted: bool,
                silence in 4..400u64,
            ) {
                let start = Instant::now();
                let (own, nat) = (address("10.0.0.5:4000"), address("203.0.113.7:31000"));
                let peer = if behind_nat { nat } else { own };
                let mut latch = Latch::new(at(own));
                if checked {
                    latch.checked(peer);
                }
                for n in 0..400u64 {
                    let now = start + Duration::from_millis(50 * n);
                    let is_held = !checked && !muted && (silence..silence + 200).contains(&n);
                    latch.signalled(now, Signalled { sends: !is_held, ..at(own) });
                    if muted && n % 100 == 0 {
                        latch.alive(now, peer.ip());
                    }
                    if !is_held && (!checked && !muted || n < silence) {
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

            /// Nor does anybody hear us who sends before the peer or while it is silent: where the peer has a public address of
            /// its own, ours go there whatever comes, and its packets are heard whoever was.
            #[test]
            fn nobody_hears_us_before_the_peer_sends_nor_while_it_is_silent(
                injected in injected(),
                sent in prop::collection::vec(any::<bool>(), 40),
            ) {
                let (start, peer) = (Instant::now(), address("192.0.2.1:4000"));
                let mut latch = Latch::new(at(peer));
                for n in 0..400u64 {
                    let now = start + Duration::from_millis(200 * n);
                    for (_, who, ssrc, sequence, run) in injected.iter().filter(|(at, ..)| *at == n) {
                        let stranger = SocketAddr::from(([198, 51, 100, *who], 6_666));
                        for step in 0..*run {
                            latch.judge(now, stranger, 6 + ssrc, sequence.wrapping_add(step));
                            prop_assert_eq!(latch.target(), peer);
                        }
                    }
                    if sent[n as usize / 10] {
                        prop_assert_eq!(latch.judge(now, peer, 7, n as u16), Verdict::Accept);
                    }
                }
            }
        }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(address: SocketAddr) -> Signalled {
        Signalled { address, sends: true, secured: false }
    }

    /// Lets `source` send so many packets in sequence.
    fn send(latch: &mut Latch, now: Instant, source: SocketAddr, count: u16) -> Vec<Verdict> {
        (0..count).map(|n| latch.judge(now, source, 7, n)).collect()
    }

    #[test]
    fn a_peer_is_heard_from_each_of_its_addresses_and_a_stranger_from_none() {
        let [way, other, stranger] = ["192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.3:5000"].map(address);
        let (now, mut latch) = (Instant::now(), Latch::new(at(way)));
        latch.checked(way);
        latch.also(other);
        for sequence in 0..50 {
            assert_eq!(latch.judge(now, other, 7, sequence), Verdict::Accept);
            assert_eq!(latch.judge(now, stranger, 7, sequence), Verdict::Drop);
        }
        assert_eq!(latch.target(), way, "it is sent to where the checks say");
        assert!(latch.knows(other.ip()) && !latch.knows(stranger.ip()));
        (0..100u16).for_each(|port| latch.also(SocketAddr::from(([192, 0, 2, 9], port))));
        assert_eq!(latch.others.len(), MOST_OTHERS);
        // A later description says where the peer was found, which changes nothing.
        latch.signalled(now, at(stranger));
        assert_eq!(latch.target(), way);
        latch.unchecked(now);
        assert_eq!((latch.target(), latch.judge(now, other, 7, 50)), (way, Verdict::Drop));
        let later = now + LONG_SILENCE + Duration::from_millis(1);
        assert_eq!(latch.judge(later, stranger, 7, 51), Verdict::Accept, "without checks a silent source is succeeded");
    }

    #[test]
    fn the_signalled_address_is_believed_and_kept() {
        let (now, peer, stranger) = (Instant::now(), address("192.0.2.1:4000"), address("198.51.100.9:6666"));
        let mut latch = Latch::new(at(peer));
        assert_eq!(latch.judge(now, peer, 1, 10), Verdict::Accept);
        for n in 0..100 {
            assert_eq!(latch.judge(now, stranger, 2, n), Verdict::Drop);
            assert_eq!(latch.judge(now, peer, 1, 11 + n), Verdict::Accept);
        }
        assert_eq!(latch.target(), peer);
    }

    #[test]
    fn whoever_was_quicker_gives_way_to_the_signalled_address() {
        for peer in ["192.0.2.1:4000", "10.0.0.5:4000"].map(address) {
            let (now, stranger) = (Instant::now(), address("198.51.100.9:6666"));
            let mut latch = Latch::new(at(peer));
            assert_eq!(send(&mut latch, now, stranger, 50), [Verdict::Accept; 50], "it may be the peer");
            assert_eq!(latch.judge(now, peer, 1, 10), Verdict::Accept);
            assert_eq!(latch.target(), peer);
            assert_eq!(send(&mut latch, now, stranger, 50), [Verdict::Drop; 50]);
        }
    }

    #[test]
    fn who_has_nothing_to_send_is_not_succeeded() {
        let (start, stranger) = (Instant::now(), address("198.51.100.9:6666"));
        for peer in ["10.0.0.5:4000", "203.0.113.7:31000"].map(address) {
            let mut latch = Latch::new(at(address("10.0.0.5:4000")));
            send(&mut latch, start, peer, 3);
            latch.signalled(start, Signalled { sends: false, ..latch.signalled });
            let held = start + Duration::from_secs(60);
            assert_eq!(send(&mut latch, held, stranger, 50), [Verdict::Drop; 50]);
            latch.signalled(held, Signalled { sends: true, ..latch.signalled });
            assert_eq!(send(&mut latch, held, stranger, 50), [Verdict::Drop; 50], "it was not silent");
            assert_eq!(latch.target(), peer);
        }
    }

    #[test]
    fn a_nat_s_address_takes_over_after_probation() {
        let (now, signalled, nat) = (Instant::now(), address("10.0.0.5:4000"), address("203.0.113.7:31000"));
        let mut latch = Latch::new(at(signalled));
        for (n, target) in [(0, signalled), (1, signalled), (2, nat), (3, nat)] {
            assert_eq!(latch.judge(now, nat, 7, n), Verdict::Accept);
            assert_eq!(latch.target(), target, "after packet {n}");
        }
        // The NAT has forgotten the way and makes another.
        let moved = address("203.0.113.7:31002");
        assert_eq!(send(&mut latch, now, moved, 50), [Verdict::Drop; 50]);
        send(&mut latch, now + SILENCE + Duration::from_millis(1), moved, 3);
        assert_eq!(latch.target(), moved);
        // Another provider.
        let (later, other) = (now + SILENCE + LONG_SILENCE, address("198.51.100.9:6666"));
        send(&mut latch, later, other, 3);
        assert_eq!(latch.target(), moved);
        send(&mut latch, later + Duration::from_millis(2), other, 3);
        assert_eq!(latch.target(), other);
    }

    #[test]
    fn authentic_packets_show_where_the_peer_is() {
        let (now, signalled, other) = (Instant::now(), address("192.0.2.1:4000"), address("203.0.113.7:31000"));
        for secured in [false, true] {
            let mut latch = Latch::new(Signalled { secured, ..at(signalled) });
            assert_eq!(send(&mut latch, now, other, 5), [Verdict::Accept; 5]);
            assert_eq!(latch.target(), if secured { other } else { signalled });
        }
    }

    /// It has asked a STUN server for an address that its own network, and ours, does not use.
    #[test]
    fn a_neighbour_is_sent_to_within_the_network() {
        let (now, outer, inner) = (Instant::now(), address("203.0.113.7:31000"), address("192.168.1.20:4000"));
        let mut latch = Latch::new(at(outer));
        send(&mut latch, now, inner, 3);
        assert_eq!(latch.target(), inner);
    }

    #[test]
    fn scattered_packets_of_a_stranger_never_latch() {
        let (now, signalled, stranger) = (Instant::now(), address("10.0.0.5:4000"), address("203.0.113.7:31000"));
        let mut latch = Latch::new(at(signalled));
        for n in 0..200u16 {
            latch.judge(now, stranger, 7, n.wrapping_mul(7_919));
        }
        assert_eq!(latch.target(), signalled);
    }

    #[test]
    fn who_is_listened_to_is_known_although_ours_go_elsewhere() {
        let [signalled, other] = ["192.0.2.1:4000", "203.0.113.7:31000"].map(address);
        let mut latch = Latch::new(at(signalled));
        assert!(!latch.knows(other.ip()));
        send(&mut latch, Instant::now(), other, 3);
        assert!(latch.knows(signalled.ip()) && latch.knows(other.ip()) && latch.target() == signalled);
    }

    /// Its host is there, and the call has another port.
    #[test]
    fn rtcp_does_not_keep_another_port_of_its_host_out() {
        let (now, peer, moved) = (Instant::now(), address("192.0.2.1:4000"), address("192.0.2.1:5000"));
        let mut latch = Latch::new(at(peer));
        latch.judge(now, peer, 1, 1);
        let later = now + SILENCE + Duration::from_millis(1);
        latch.alive(later, peer.ip());
        send(&mut latch, later, moved, 3);
        assert_eq!(latch.target(), moved);
    }

    #[test]
    fn a_silent_source_may_be_succeeded() {
        let (now, peer, moved) = (Instant::now(), address("192.0.2.1:4000"), address("192.0.2.1:5000"));
        let mut latch = Latch::new(at(peer));
        latch.judge(now, peer, 1, 1);
        send(&mut latch, now + SILENCE + Duration::from_millis(1), moved, 3);
        assert_eq!(latch.target(), moved);
        latch.signalled(now, at(address("192.0.2.9:7000")));
        assert_eq!(latch.target(), address("192.0.2.9:7000"));
    }
}
