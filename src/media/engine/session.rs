//! One call's media: its sockets, and once there is a plan, what runs over them.

mod consent;
mod control;
mod early;
mod figures;
mod member;
#[cfg(test)]
mod properties;
mod reach;
mod recording;
mod report;
mod sound;
mod stream;
#[cfg(test)]
mod tests;

use super::{DtmfVia, Impairment, Notice, PortPair, relay::RelayServer};
use crate::media::{
    ice::{RelayAccess, Way},
    impair::Impair,
    music::Music,
    plan::{Direction, KeyExchange, MediaPlan},
    rtp::MAX_PACKET,
    security::{DtlsIdentity, Kind},
    stats::CallStats,
};
use member::Member;
use mio::{Registry, Token};
use rand::Rng;
use reach::{Heard, Reach};
use recording::Recording;
pub use report::Report;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use stream::Stream;

/// Datagrams read from a socket before the others get their turn.
const BURST: usize = 64;
/// So long a live peer is never silent: its RTCP alone comes every six seconds (RFC 3550 §6.2, §6.3.1).
pub const SILENCE: Duration = Duration::from_secs(10);

/// A session: sockets, and a stream once agreed on.
pub struct Session {
    ports: PortPair,
    muted: bool,
    member: Member,
    recording: Recording,
    /// What is said, mixed.
    said: Vec<f32>,
    /// The call is answered: from now on the peer has something to say.
    connected: bool,
    stream: Option<Box<Stream>>,
    /// The last datagram of a handshake that came before the plan, and from where: whoever answers begins at once, while the
    /// answer is on its way.
    early: Option<(Way, Vec<u8>)>,
    reach: Reach,
}

impl Session {
    pub fn new(ports: PortPair) -> Self {
        Self {
            ports,
            muted: false,
            member: Member::default(),
            recording: Recording::default(),
            said: Vec::new(),
            connected: false,
            stream: None,
            early: None,
            reach: Reach::default(),
        }
    }

    pub fn ports(&mut self) -> &mut PortPair {
        &mut self.ports
    }

    /// Goes on at another address; gives the ports there were. The next plan's checks begin there.
    pub fn move_to(&mut self, ports: PortPair) -> PortPair {
        if let Some(stream) = &mut self.stream {
            stream.local = ports.address;
        }
        std::mem::replace(&mut self.ports, ports)
    }

    /// Starts or changes the stream. `identity`: for its handshakes.
    pub fn set_plan(
        &mut self,
        now: Instant,
        plan: MediaPlan,
        impairment: Option<Impairment>,
        identity: Option<&DtlsIdentity>,
    ) {
        if plan.direction != Direction::SendRecv {
            self.member.hush();
        }
        match &mut self.stream {
            Some(stream) => stream.set_plan(now, plan),
            None => {
                let mut stream = Box::new(Stream::new(now, plan, impairment, (identity.cloned(), self.ports.address)));
                if self.connected {
                    stream.shield.answered(now);
                }
                if let Some((way, datagram)) = self.early.take() {
                    stream.shake_hands(now, way, &datagram);
                }
                self.stream = Some(stream);
            }
        }
        self.settle(now);
        self.introduce(now);
    }

    /// A peer that does no checks is not reached by way of a relay.
    fn settle(&mut self, now: Instant) {
        if self.connected && self.stream.as_ref().is_some_and(|stream| stream.ice.is_none()) {
            self.reach.release(now, &self.ports.rtp);
        }
    }

    /// Has the checks know of the relay, and the relay of the peer.
    fn introduce(&mut self, now: Instant) {
        if let Some(stream) = &mut self.stream {
            let way = stream.way;
            if let Some(ice) = &mut stream.ice {
                self.reach.join(now, ice, way);
            }
        }
    }

    /// Whether the call is heard by way of a relay or not at all.
    fn depends_on_relay(&self) -> bool {
        let without = |stream: &Stream| stream.ice.is_none() || stream.has_direct_way();
        self.connected && self.stream.as_ref().is_some_and(|stream| !without(stream))
    }

    pub fn connected(&mut self, now: Instant) {
        self.connected = true;
        if let Some(stream) = &mut self.stream {
            stream.shield.answered(now);
        }
        self.settle(now);
    }

    pub fn press(&mut self, digits: &str, via: DtmfVia) {
        if let Some(stream) = &mut self.stream {
            stream.sender.press(digits, via);
        }
    }

    /// See [`super::super::sender::Sender::set_music`].
    pub fn set_music(&mut self, music: Option<&Music>) {
        if let Some(stream) = &mut self.stream {
            stream.sender.set_music(music);
        }
    }

    pub fn impair(&mut self, impairment: Option<Impairment>) {
        if let Some(stream) = &mut self.stream {
            stream.impair = impairment.map(Impair::new);
        }
    }

    /// Whether it needs a card.
    pub fn is_running(&self) -> bool {
        self.stream.is_some()
    }

    /// Reads what one of the sockets holds: RTCP's when `control`. Returns `true` when more may be left.
    pub fn read(&mut self, now: Instant, control: bool, report: &mut impl FnMut(Report)) -> bool {
        let mut buffer = [0; MAX_PACKET];
        let socket = if control { &self.ports.rtcp } else { &self.ports.rtp };
        let mut heard = false;
        for _ in 0..BURST {
            match socket.recv_from(&mut buffer) {
                Ok((length, source)) => {
                    heard = true;
                    let datagram = &buffer[..length];
                    let (way, datagram) = match control {
                        true => (Way { peer: source, relayed: false }, datagram),
                        false => match self.reach.handle_datagram(now, source, datagram) {
                            Heard::Media(way, datagram) => (way, datagram),
                            Heard::Ours => continue,
                        },
                    };
                    match &mut self.stream {
                        Some(stream) => stream.incoming(now, way, datagram, control, report),
                        None if !control && Kind::of(datagram) == Kind::Dtls => {
                            self.early = Some((way, datagram.to_vec()));
                        }
                        None => {}
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // A port that was closed at the other end may be reported here; the call decides, not the socket.
                Err(_) => {}
            }
        }
        // A socket that only fails is left alone until it is ready again.
        heard
    }

    /// Reads what the stream to a relay holds. Returns `true` when more may be left.
    pub fn read_relay(&mut self, now: Instant, report: &mut impl FnMut(Report)) -> bool {
        let stream = &mut self.stream;
        self.reach.read(now, |way, datagram| {
            if let Some(stream) = stream {
                stream.incoming(now, way, datagram, false, report);
            }
        })
    }

    /// Asks a STUN server and a relay about the RTP port: [`Report::Seen`] comes in any case.
    pub fn ask(
        &mut self,
        now: Instant,
        servers: (Option<SocketAddr>, Option<RelayServer>),
        way: (Arc<Registry>, Token),
    ) {
        self.reach.ask(now, self.ports.address, servers, way);
    }

    /// For the next address of the relay of this name.
    pub fn exchange_access(&mut self, name: &str, access: &RelayAccess) {
        self.reach.exchange_access(name, access);
    }

    /// Releases packets held back by an impairment, and goes on with a handshake.
    pub fn release(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        let depends = self.depends_on_relay();
        if self.reach.go_on(now, depends, &self.ports.rtp, report) {
            self.introduce(now);
        }
        let lost = self.reach.poll_lost();
        let Some(stream) = &mut self.stream else { return };
        let way = stream.way;
        if let (Some(text), Some(Way { relayed: true, .. })) = (lost, way) {
            report(Report::Notice(Notice::warning(text)));
        }
        while let Some((release, source, datagram)) = stream.impair.as_mut().and_then(|impair| impair.pop(now)) {
            stream.delivered(release, source, &datagram, report);
        }
        let (rtp, reach) = (&self.ports.rtp, &mut self.reach);
        let send = |datagram: &[u8], way| {
            reach.send(rtp, datagram, way);
        };
        let outcome = stream.go_on(now, send, report);
        if let (Some(outcome), Some(KeyExchange::Dtls(plan))) = (outcome, &stream.plan.srtp) {
            report(Report::Secured(plan.clone(), outcome.map(drop)));
        }
        if let Some(chosen) = stream.way.filter(|chosen| way != Some(*chosen)) {
            let by = if chosen.relayed { ", by way of the relay" } else { "" };
            tracing::info!("audio goes to {}, the way that was checked{by}", chosen.peer);
            self.introduce(now);
        }
    }

    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let stream = self.stream.as_mut().and_then(|stream| stream.poll_timeout());
        stream.into_iter().chain(self.reach.poll_timeout(self.depends_on_relay())).min()
    }

    /// RTCP, figures and what is missing, when they are due.
    pub fn housekeep(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        self.recording.tell_trouble(report);
        self.member.tell(report);
        let Some(stream) = &mut self.stream else { return };
        if let Some(datagram) = stream.report(now, false) {
            stream.send_control((&self.ports, &mut self.reach), &datagram);
        }
        if let Some(target) = stream.keep_alive(now) {
            self.reach.send(&self.ports.rtp, &[], target);
        }
        stream.tell(now, self.connected, report);
    }

    /// Figures now, or with `whole_call` the last ones; `None` without a plan.
    pub fn stats(&self, whole_call: bool) -> Option<CallStats> {
        self.stream.as_ref().map(|stream| stream.stats(whole_call))
    }

    /// Says goodbye to the peer (RFC 3550 §6.6), and to the relay. Returns the last figures.
    pub fn close(&mut self, now: Instant) -> Option<CallStats> {
        if let Some(stream) = &mut self.stream
            && let Some(datagram) = stream.report(now, true)
        {
            stream.send_control((&self.ports, &mut self.reach), &datagram);
        }
        self.reach.release(now, &self.ports.rtp);
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.told_silent) {
            stream.receiver.give_up();
        }
        let stats = self.stats(true);
        self.stream = None;
        stats
    }

    /// Whether it is closed but for a relay that has not heard of it yet.
    pub const fn is_parting(&self) -> bool {
        self.reach.is_parting()
    }
}

fn unit() -> f64 {
    f64::from(rand::rng().next_u32()) / f64::from(u32::MAX)
}
