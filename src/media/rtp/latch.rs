//! Symmetric RTP (RFC 4961): send to where packets really come from, without letting a stranger take the call over.
//!
//! In the clear, nothing but its address tells a peer from a stranger. So:
//!
//! - The signalled address is believed at once, whoever else was.
//! - Where one of two addresses is private there is a NAT in between, and nothing but its packets tells where the peer is: the first
//!   that sends three packets in sequence is taken for it, heard and sent to.
//! - A peer that was said to be at a public address is there, as far as known: another public address is heard only once nothing at
//!   all, neither audio nor RTCP, has come from the signalled one for four seconds. A NAT that rewrites ports is saved by that, and a
//!   media server that sends from another address. It is sent to only at the signalled host.
//! - Whoever has once shown himself at the signalled address is succeeded by nobody, however long he is silent, but from another port
//!   of his host by his own source (SSRC), which a stranger does not know: his NAT has made another way.

use crate::media::plan::is_private;
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// In-order packets of one source that make an address other than the signalled one believable.
const PROBATION: u8 = 3;
/// Who has something to send and was not heard for this long may go on from another port of the host.
const SILENCE: Duration = Duration::from_secs(2);
/// Who may be succeeded by somebody else is, when silent for longer than one that lives ever is.
const LONG_SILENCE: Duration = Duration::from_secs(10);
/// When nothing has come for this long, not even the first RTCP (within 3.1 s, RFC 3550 §6.2), the peer is elsewhere.
const ABSENCE: Duration = Duration::from_secs(4);
/// Addresses of one peer.
const MOST_OTHERS: usize = 16;

/// What offer and answer say of the peer.
#[derive(Clone, Copy, Debug)]
pub struct Signalled {
    pub address: SocketAddr,
    /// Where its RTCP comes from.
    pub control: SocketAddr,
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
    /// The peer has shown itself at the signalled address.
    confirmed: bool,
    candidate: Option<Candidate>,
    /// Where the peer is besides, as checks have proved: it may send from any of its addresses (RFC 8445 §12.2).
    others: Vec<SocketAddr>,
}

#[derive(Debug)]
enum State {
    /// Nothing has come yet: send as signalled. It could have since then.
    Waiting { since: Instant },
    /// Packets come from here; `proven`: from the peer, without doubt.
    Latched {
        source: SocketAddr,
        ssrc: Option<u32>,
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
    pub const fn new(now: Instant, signalled: Signalled) -> Self {
        let state = State::Waiting { since: now };
        Self { signalled, state, confirmed: false, candidate: None, others: Vec::new() }
    }

    /// A new offer or answer: an address that changed starts over, an unchanged one changes nothing, and nothing changes what
    /// checks have chosen. Who had nothing to send was not silent.
    pub fn signalled(&mut self, now: Instant, signalled: Signalled) {
        match &mut self.state {
            State::Checked { .. } => {}
            _ if signalled.address != self.signalled.address => {
                (self.state, self.confirmed, self.candidate) = (State::Waiting { since: now }, false, None);
            }
            State::Waiting { since } if !self.signalled.sends => *since = now,
            State::Latched { heard, alive, .. } if !self.signalled.sends => (*heard, *alive) = (now, now),
            State::Latched { .. } | State::Waiting { .. } => {}
        }
        self.signalled = signalled;
    }

    /// Where to send. To another host than the signalled one only where there is a NAT in between, as a private address shows, or
    /// where that host has proved to be the peer; else it is listened to at most.
    pub fn target(&self) -> SocketAddr {
        match self.state {
            State::Checked { source } | State::Latched { source, proven: true, .. } => source,
            State::Latched { source, .. } if self.may_be_at(source.ip()) => source,
            State::Latched { .. } | State::Waiting { .. } => self.signalled.address,
        }
    }

    /// Whether control packets from this host are the peer's, as far as known.
    pub fn knows(&self, host: IpAddr) -> bool {
        let source = match self.state {
            State::Latched { source, .. } | State::Checked { source } => Some(source),
            State::Waiting { .. } => None,
        };
        [self.signalled.address].iter().chain(&source).chain(&self.others).any(|address| address.ip() == host)
    }

    /// The peer's control packets come from this address.
    pub fn alive(&mut self, now: Instant, from: SocketAddr) {
        self.confirmed |= from == self.signalled.control;
        if let State::Latched { source, alive, .. } = &mut self.state
            && source.ip() == from.ip()
        {
            *alive = now;
        }
    }

    /// Somebody at this address has proved to be the peer.
    pub fn proven(&mut self, now: Instant, source: SocketAddr) {
        (self.state, self.candidate) =
            (State::Latched { source, ssrc: None, heard: now, alive: now, proven: true }, None);
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

    /// Judges a well-formed RTP packet of an agreed payload type, by the rules of the module. Another address than the signalled one
    /// is latched after three packets in sequence, and only while the peer has something to send. Until then packets from behind a
    /// NAT are heard, so that such a call loses no syllable.
    pub fn judge(&mut self, now: Instant, source: SocketAddr, ssrc: u32, sequence: u16) -> Verdict {
        let is_signalled = source == self.signalled.address;
        let mut is_proven = false;
        match &mut self.state {
            State::Checked { source: checked } => {
                let is_peer = *checked == source || self.others.contains(&source);
                return if is_peer { Verdict::Accept } else { Verdict::Drop };
            }
            State::Latched { source: latched, ssrc: known, heard, alive, .. }
                if *latched == source || self.others.contains(&source) =>
            {
                (*known, *heard, *alive) = (Some(ssrc), now, now);
                return Verdict::Accept;
            }
            State::Latched { proven, .. } => is_proven = *proven,
            State::Waiting { .. } => {}
        }
        let is_open = self.signalled.sends && self.is_open_to(now, source, ssrc);
        let count = match &self.candidate {
            Some(known) if known.source == source && known.ssrc == ssrc && known.next == sequence => known.count + 1,
            _ => 1,
        };
        if is_signalled && !is_proven || is_open && (is_signalled || count >= PROBATION) {
            let proven = self.signalled.secured;
            self.state = State::Latched { source, ssrc: Some(ssrc), heard: now, alive: now, proven };
            self.confirmed |= is_signalled;
            self.candidate = None;
            return Verdict::Accept;
        }
        self.candidate = Some(Candidate { source, ssrc, next: sequence.wrapping_add(1), count: count.min(PROBATION) });
        let is_first = is_open && matches!(self.state, State::Waiting { .. }) && self.is_anywhere(source.ip());
        if is_first { Verdict::Accept } else { Verdict::Drop }
    }

    /// Whether somebody else than who is latched, if anybody is, may be the peer.
    fn is_open_to(&self, now: Instant, source: SocketAddr, ssrc: u32) -> bool {
        let secured = self.signalled.secured;
        let since = |then: Instant| now.saturating_duration_since(then);
        match self.state {
            State::Checked { .. } => false,
            State::Waiting { since: then } => self.is_anywhere(source.ip()) || !self.confirmed && since(then) > ABSENCE,
            State::Latched { source: latched, ssrc: known, heard, .. }
                if latched.ip() == source.ip() && (secured || known == Some(ssrc)) =>
            {
                since(heard) > SILENCE
            }
            State::Latched { alive, .. } => {
                let may_be_elsewhere = secured || !self.confirmed || source == self.signalled.address;
                may_be_elsewhere && since(alive) > LONG_SILENCE
            }
        }
    }

    /// Whether nothing but packets from this host tells where the peer is: there is a NAT in between, or they are authentic.
    fn is_anywhere(&self, host: IpAddr) -> bool {
        self.signalled.secured || is_private(self.signalled.address.ip()) || is_private(host)
    }

    /// Whether our packets may go to this host because packets come from it: the one signalled, or where one of the two addresses
    /// is of a private network, so that a NAT is in between. Nobody sends from a private address to another network.
    fn may_be_at(&self, host: IpAddr) -> bool {
        let signalled = self.signalled.address.ip();
        signalled == host || is_private(signalled) || is_private(host)
    }
}

#[cfg(test)]
mod tests;
