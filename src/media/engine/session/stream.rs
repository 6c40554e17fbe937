//! What runs over a session's sockets once there is a plan.

use super::{Report, SILENCE, consent::Consent, control, early::EarlyMedia, unit};
use crate::media::{
    dsp::power,
    engine::{Impairment, Notice},
    ice::{Ice, IceEvent, Way},
    impair::Impair,
    plan::MediaPlan,
    receiver::Receiver,
    rtcp::RtcpSession,
    rtp::{self, Latch, Packet, Signalled, Verdict},
    security::{DtlsIdentity, Kind, Outcome, Shield},
    sender::{Sender, Start},
    stats::{HereStats, TxStats},
};
use rand::Rng;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

const STATS_EVERY: Duration = Duration::from_secs(1);
/// How often a peer that stays silent is worth asking after.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Mean square below which there is silence: 60 dB below full scale.
const SILENT: f32 = 1e-6;
/// Share of 10 ms in what is told of the loudness.
const SMOOTHED: f32 = 0.03;
/// How long a NAT may be left without a packet of ours (RFC 6263 §4.2).
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// No check has come through.
const NO_WAY: &str = "The way to the other side could not be checked; the call goes on without. If you do not hear each other, \
    hang up and call again, and tell your IT staff if that does not help.";

pub(super) struct Stream {
    pub(super) plan: MediaPlan,
    pub(super) latch: Latch,
    pub(super) sender: Sender,
    pub(super) tx: TxStats,
    pub(super) receiver: Receiver,
    pub(super) rtcp: RtcpSession,
    pub(super) shield: Shield,
    pub(super) ice: Option<Ice>,
    /// The way that the checks have shown.
    pub(super) way: Option<Way>,
    /// The way that the handshake came by.
    handshake: Option<Way>,
    /// When it is to be told that there is none, unless one is found before: the peer's own checks may come late.
    no_way_at: Option<Instant>,
    pub(super) consent: Consent,
    /// Our address, as bound.
    pub(super) local: SocketAddr,
    keep_alive_at: Instant,
    /// Room for a packet as it was before, or becomes by, encryption.
    pub(super) crypt: Vec<u8>,
    pub(super) impair: Option<Impair>,
    pub(super) here: HereStats,
    next_stats: Instant,
    /// When the peer's silence is to be told, unless it is heard before; and whether it was told already.
    pub(super) silent_at: Instant,
    pub(super) told_silent: bool,
    /// What had come unreadable when the peer was heard last.
    unreadable: u64,
    pub(super) early_media: EarlyMedia,
    /// NTP time of `started`, so that one clock serves all.
    pub(super) ntp_origin: Duration,
    pub(super) started: Instant,
}

impl Stream {
    pub(super) fn new(
        now: Instant,
        plan: MediaPlan,
        impairment: Option<Impairment>,
        (identity, local): (Option<DtlsIdentity>, SocketAddr),
    ) -> Self {
        let mut random = rand::rng();
        // Below 2^15, so that a receiver that missed the beginning does not take a wrap for none (RFC 3711 §3.3.1).
        let sequence = random.next_u32() as u16 >> 1;
        let start = Start { ssrc: random.next_u32(), sequence, timestamp: random.next_u32() };
        let cname = format!("{:016x}{:08x}", random.next_u64(), random.next_u32());
        let mut shield = Shield::new(identity);
        shield.set_plan(now, plan.srtp.as_ref(), plan.remote_rtp);
        let mut rtcp = RtcpSession::new(now, start.ssrc, cname, unit());
        rtcp.set_extended(plan.extended_reports);
        Self {
            latch: Latch::new(now, signalled(&plan)),
            sender: Sender::new(start, &plan),
            tx: TxStats::default(),
            receiver: Receiver::new(now, &plan),
            rtcp,
            shield,
            ice: plan.ice.clone().map(|plan| Ice::new(now, local, *plan)),
            way: None,
            handshake: None,
            no_way_at: None,
            consent: Consent::default(),
            local,
            keep_alive_at: now + KEEP_ALIVE,
            crypt: Vec::new(),
            impair: impairment.map(Impair::new),
            here: HereStats::default(),
            next_stats: now + STATS_EVERY,
            silent_at: now + SILENCE,
            told_silent: false,
            unreadable: 0,
            early_media: EarlyMedia::new(now),
            ntp_origin: control::time_of_day(),
            started: now,
            plan,
        }
    }

    pub(super) fn set_plan(&mut self, now: Instant, plan: MediaPlan) {
        self.sender.set_plan(&plan);
        self.receiver.set_plan(&plan);
        self.rtcp.set_extended(plan.extended_reports);
        let goes_on = self.ice.as_mut().zip(plan.ice.as_ref()).is_some_and(|(ice, plan)| ice.set_plan(plan));
        if !goes_on {
            self.ice = plan.ice.clone().map(|plan| Ice::new(now, self.local, *plan));
            (self.way, self.no_way_at) = (None, None);
            self.consent.begin_anew(self.ice.is_some());
            self.latch.unchecked(now);
        }
        self.latch.signalled(now, signalled(&plan));
        self.shield.set_plan(now, plan.srtp.as_ref(), self.way.map_or(plan.remote_rtp, |way| way.peer));
        if self.plan.direction.receives() && !plan.direction.receives() {
            self.receiver.pause();
        }
        if self.plan.direction != plan.direction {
            self.receiver.forgive();
        }
        self.early_media.agreed(now);
        self.plan = plan;
    }

    pub(super) fn incoming(
        &mut self,
        now: Instant,
        way: Way,
        datagram: &[u8],
        control: bool,
        report: &mut impl FnMut(Report),
    ) {
        if !control && Kind::of(datagram) == Kind::Dtls {
            self.shake_hands(now, way, datagram);
        } else if !control && Kind::of(datagram) == Kind::Stun {
            if let Some(ice) = &mut self.ice {
                ice.handle_datagram(now, way, datagram);
            }
        } else {
            let control = control || self.plan.rtcp_mux && rtp::is_rtcp(datagram);
            match &mut self.impair {
                Some(impair) => impair.push(now, (way.peer, control), datagram),
                None => self.delivered(now, (way.peer, control), datagram, report),
            }
        }
    }

    /// RTP or, when `control`, RTCP that has come through the network and what impairs it.
    pub(super) fn delivered(
        &mut self,
        now: Instant,
        (source, control): (SocketAddr, bool),
        datagram: &[u8],
        report: &mut impl FnMut(Report),
    ) {
        match control {
            true => self.control(now, source, datagram),
            false => self.audio(now, source, datagram, report),
        }
    }

    /// Answers go back by the way that the other side's part came.
    pub(super) fn shake_hands(&mut self, now: Instant, way: Way, datagram: &[u8]) {
        if self.shield.handle_datagram(now, way.peer, datagram) {
            self.handshake = Some(way);
        }
    }

    pub(super) fn audio(&mut self, now: Instant, source: SocketAddr, datagram: &[u8], report: &mut impl FnMut(Report)) {
        let mut opened = std::mem::take(&mut self.crypt);
        match self.shield.open(datagram, &mut opened) {
            Some(plain) => self.plain_audio(now, source, plain, report),
            None => {
                let is_audio = Packet::parse(datagram).is_some_and(|packet| self.receiver.knows(packet.payload_type));
                if is_audio && self.shield.is_foreign(datagram) {
                    self.receiver.cannot_read();
                }
            }
        }
        self.crypt = opened;
    }

    pub(super) fn plain_audio(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &[u8],
        report: &mut impl FnMut(Report),
    ) {
        let Some(packet) = Packet::parse(datagram) else { return };
        if !self.receiver.knows(packet.payload_type)
            || self.latch.judge(now, source, packet.ssrc, packet.sequence) == Verdict::Drop
        {
            return;
        }
        self.heard(now);
        if !self.plan.direction.receives() {
            return;
        }
        self.early_media.heard(now);
        if let Some(key) = self.receiver.handle_packet(now, &packet) {
            report(Report::Key(key));
        }
    }

    /// Sends what is said here; `send` sends by a way, and tells whether that was possible.
    pub(super) fn say(&mut self, samples: &[f32], mut send: impl FnMut(&[u8], Way) -> bool) {
        let target = self.target();
        let (shield, sealed, tx) = (&mut self.shield, &mut self.crypt, &mut self.tx);
        self.sender.speak(samples, |datagram| {
            if let (Some(sealed), Some(target)) = (shield.protect(datagram, sealed), target)
                && send(sealed, target)
            {
                tx.packets += 1;
                tx.bytes += datagram.len().saturating_sub(rtp::HEADER) as u64;
            }
        });
    }

    /// Fills 10 ms with what the peer says, asked for at `now`.
    pub(super) fn play(&mut self, now: Instant, block: &mut [f32]) {
        self.receiver.play(now, block);
        let power = power(block);
        self.here.heard_ms += 10 * u64::from(power > SILENT);
        self.here.loudness += SMOOTHED * (power - self.here.loudness);
    }

    /// Tells figures when they are due; and whether the peer is heard, before the answer or after.
    pub(super) fn tell(&mut self, now: Instant, connected: bool, report: &mut impl FnMut(Report)) {
        if now >= self.next_stats {
            self.next_stats = (self.next_stats + STATS_EVERY).max(now);
            if self.consent.is_unanswered() && self.plan.direction.sends() {
                self.here.unanswered_ms += STATS_EVERY.as_millis() as u64;
            }
            report(Report::Stats(self.stats(false)));
        }
        self.consent.tell(now, connected, report);
        if !connected {
            self.heard(now);
            if let Some(comes) = self.early_media.poll(now) {
                report(Report::Early(comes));
            }
        } else if now >= self.silent_at {
            // What comes once a second at the least is no chance.
            let unreadable = self.receiver.unreadable() - self.unreadable >= SILENCE.as_secs();
            report(Report::Silent { again: self.told_silent, unreadable });
            (self.silent_at, self.told_silent) = (now + ASK_AGAIN, true);
        }
    }

    /// Goes on with checks and handshake; `send` sends by a way.
    pub(super) fn go_on(
        &mut self,
        now: Instant,
        mut send: impl FnMut(&[u8], Way),
        report: &mut impl FnMut(Report),
    ) -> Option<Outcome> {
        if let Some(ice) = &mut self.ice {
            ice.handle_timeout(now);
            while let Some((datagram, target)) = ice.poll_transmit() {
                send(&datagram, target);
            }
            while let Some(event) = ice.poll_event() {
                match event {
                    IceEvent::Way(way) => {
                        self.way = Some(way);
                        self.consent.give();
                        self.latch.checked(way.peer);
                        self.shield.moved(way.peer);
                    }
                    IceEvent::Peer(source) => self.latch.also(source),
                    IceEvent::Lost if self.way.is_some() => self.consent.lose(),
                    // It never agreed by checks, perhaps because something between rewrites or drops them: audio goes where
                    // its audio comes from, as without checks.
                    IceEvent::Lost => {
                        self.consent.give();
                        self.no_way_at.get_or_insert(now + SILENCE);
                    }
                }
            }
            if self.no_way_at.take_if(|at| *at <= now).is_some() && self.way.is_none() {
                report(Report::Notice(Notice::warning(NO_WAY.to_owned())));
            }
        }
        self.shield.handle_timeout(now);
        while let Some((datagram, target)) = self.shield.poll_transmit() {
            let way = [self.way, self.handshake].into_iter().flatten().find(|way| way.peer == target);
            send(&datagram, way.unwrap_or(Way { peer: target, relayed: false }));
        }
        let outcome = self.shield.poll_outcome();
        if let (Some(Ok(peer)), None) = (&outcome, self.way) {
            self.latch.proven(now, *peer);
        }
        outcome
    }

    pub(super) fn poll_timeout(&mut self) -> Option<Instant> {
        let impaired = self.impair.as_ref().and_then(Impair::poll_timeout);
        let checks = self.ice.as_mut().and_then(Ice::poll_timeout);
        impaired.into_iter().chain(self.shield.poll_timeout()).chain(checks).min()
    }

    /// Where an empty datagram is to go, so that NATs keep the way of a call on hold open (RFC 6263 §4.1): where neither our
    /// audio, nor RTCP on the same port, nor checks do that.
    pub(super) fn keep_alive(&mut self, now: Instant) -> Option<Way> {
        if now < self.keep_alive_at {
            return None;
        }
        self.keep_alive_at = now + KEEP_ALIVE;
        let is_quiet = !self.plan.direction.sends() && !self.plan.rtcp_mux && self.ice.is_none();
        self.target().filter(|_| is_quiet)
    }

    /// Where audio goes: the way that the checks have shown, and no other. Nowhere while the peer does not agree to it.
    pub(super) fn target(&self) -> Option<Way> {
        (!self.consent.lost).then(|| self.way.unwrap_or(Way { peer: self.latch.target(), relayed: false }))
    }

    /// Whether the peer is reached, and agrees to it, by the way that was checked, without a relay of ours.
    pub(super) fn has_direct_way(&self) -> bool {
        !self.consent.lost && self.way.is_some_and(|way| !way.relayed)
    }

    pub(super) fn heard(&mut self, now: Instant) {
        (self.silent_at, self.told_silent) = (now + SILENCE, false);
        self.unreadable = self.receiver.unreadable();
    }
}

const fn signalled(plan: &MediaPlan) -> Signalled {
    Signalled {
        address: plan.remote_rtp,
        control: plan.remote_rtcp,
        sends: plan.direction.receives(),
        secured: plan.srtp.is_some(),
    }
}
