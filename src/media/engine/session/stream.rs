//! What runs over a session's sockets once there is a plan.

use super::{Report, SILENCE, STATS_EVERY, unit};
use crate::media::{
    emodel::{self, Conditions},
    engine::{Impairment, PortPair},
    impair::Impair,
    plan::{Codec, MediaPlan},
    receiver::Receiver,
    rtcp::{RtcpSession, Sent},
    rtp::{self, Latch, Packet, Verdict},
    sender::{Sender, Start},
    srtp::SrtpSession,
    stats::{CallStats, HereStats},
};
use rand::Rng;
use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Seconds between 1900, where NTP counts from, and 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

pub(super) struct Stream {
    pub(super) plan: MediaPlan,
    pub(super) latch: Latch,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) rtcp: RtcpSession,
    /// What is not encrypted is neither sent nor heard while it is there.
    pub(super) srtp: Option<SrtpSession>,
    /// While a call is not protected, for a while: its keys may come again.
    srtp_at_rest: Option<SrtpSession>,
    /// Room for a packet as it was before, or becomes by, encryption.
    pub(super) crypt: Vec<u8>,
    pub(super) impair: Option<Impair>,
    pub(super) here: HereStats,
    pub(super) next_stats: Instant,
    /// When the peer's silence is to be told, unless it is heard before; and whether it was told already.
    pub(super) silent_at: Instant,
    pub(super) told_silent: bool,
    /// NTP time of `started`, so that one clock serves all.
    pub(super) ntp_origin: Duration,
    pub(super) started: Instant,
}

impl Stream {
    #[expect(clippy::disallowed_methods, reason = "RTCP's sender reports carry the time of day")]
    pub(super) fn new(now: Instant, plan: MediaPlan, impairment: Option<Impairment>) -> Self {
        let mut random = rand::rng();
        // Below 2^15, so that a receiver that missed the beginning does not take a wrap for none (RFC 3711 §3.3.1).
        let sequence = random.next_u32() as u16 >> 1;
        let start = Start { ssrc: random.next_u32(), sequence, timestamp: random.next_u32() };
        let cname = format!("{:016x}{:08x}", random.next_u64(), random.next_u32());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            latch: Latch::new(plan.remote_rtp),
            sender: Sender::new(start, &plan),
            receiver: Receiver::new(now, &plan),
            rtcp: RtcpSession::new(now, start.ssrc, cname, unit()),
            srtp: plan.srtp.clone().map(SrtpSession::new),
            srtp_at_rest: None,
            crypt: Vec::new(),
            impair: impairment.map(Impair::new),
            here: HereStats::default(),
            next_stats: now + STATS_EVERY,
            silent_at: now + SILENCE,
            told_silent: false,
            ntp_origin: since_1970 + Duration::from_secs(NTP_EPOCH),
            started: now,
            plan,
        }
    }

    pub(super) fn set_plan(&mut self, plan: MediaPlan) {
        self.latch.signalled(plan.remote_rtp);
        self.sender.set_plan(&plan);
        self.receiver.set_plan(&plan);
        let known = self.srtp.take().or_else(|| self.srtp_at_rest.take());
        match (known, plan.srtp.clone()) {
            (Some(mut srtp), Some(keys)) => {
                srtp.set_keys(keys);
                self.srtp = Some(srtp);
            }
            (known, None) => self.srtp_at_rest = known,
            (None, Some(keys)) => self.srtp = Some(SrtpSession::new(keys)),
        }
        if self.plan.direction.receives() && !plan.direction.receives() {
            self.receiver.pause();
        }
        self.plan = plan;
    }

    pub(super) fn incoming(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &[u8],
        control: bool,
        report: &mut impl FnMut(Report),
    ) {
        if control || self.plan.rtcp_mux && rtp::is_rtcp(datagram) {
            self.control(now, datagram);
        } else if let Some(impair) = &mut self.impair {
            impair.push(now, source, datagram);
        } else {
            self.audio(now, source, datagram, report);
        }
    }

    pub(super) fn control(&mut self, now: Instant, datagram: &[u8]) {
        let ntp = self.ntp(now);
        let Some(datagram) = through(&mut self.srtp, SrtpSession::open_control, datagram, &mut self.crypt) else {
            return;
        };
        self.rtcp.handle(now, ntp, datagram);
        let is_report = rtp::is_rtcp(datagram);
        if let Some(loss) = self.rtcp.remote_loss() {
            self.sender.peer_loses(loss);
        }
        if is_report {
            self.heard(now);
        }
    }

    pub(super) fn audio(&mut self, now: Instant, source: SocketAddr, datagram: &[u8], report: &mut impl FnMut(Report)) {
        let mut opened = std::mem::take(&mut self.crypt);
        if let Some(plain) = through(&mut self.srtp, SrtpSession::open, datagram, &mut opened) {
            self.plain_audio(now, source, plain, report);
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
        if let Some(key) = self.receiver.handle_packet(now, &packet) {
            report(Report::Key(key));
        }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        (self.silent_at, self.told_silent) = (now + SILENCE, false);
    }

    /// RTCP goes to the signalled address, or beside RTP's when that turned out to come from elsewhere (a NAT).
    pub(super) fn send_control(&mut self, ports: &PortPair, datagram: &[u8]) {
        let Some(datagram) = through(&mut self.srtp, SrtpSession::protect_control, datagram, &mut self.crypt) else {
            return;
        };
        let target = self.latch.target();
        let _ = match (self.plan.rtcp_mux, target == self.plan.remote_rtp) {
            (true, _) => ports.rtp.send_to(datagram, target),
            (false, true) => ports.rtcp.send_to(datagram, self.plan.remote_rtcp),
            (false, false) => {
                ports.rtcp.send_to(datagram, SocketAddr::new(target.ip(), target.port().saturating_add(1)))
            }
        };
    }

    pub(super) fn sent(&self, now: Instant) -> Sent {
        let stats = self.sender.stats();
        Sent { ntp: self.ntp(now), timestamp: self.sender.timestamp(), packets: stats.packets, bytes: stats.bytes }
    }

    pub(super) fn ntp(&self, now: Instant) -> u64 {
        let time = self.ntp_origin + now.saturating_duration_since(self.started);
        (time.as_secs() << 32) | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
    }

    pub(super) fn stats(&self, whole_call: bool) -> CallStats {
        let rx = self.receiver.stats();
        let rtt_ms = self.rtcp.rtt_ms();
        let mos = self.receiver.playing().map(|codec| {
            let delay_ms =
                rtt_ms.unwrap_or(0.0) / 2.0 + rx.buffer_ms + f64::from(self.sender.packet_ms()) + processing_ms(codec);
            emodel::mos(&Conditions { codec, delay_ms, loss: self.receiver.concealed_share(whole_call) })
        });
        let (tx, here) = (self.sender.stats(), self.here.clone());
        CallStats { rx, tx, rtt_ms, mos, remote_loss: self.rtcp.remote_loss(), here }
    }
}

/// The datagram encrypted or decrypted in `room`, itself where nothing is encrypted, `None` where it must be dropped.
pub(super) fn through<'a>(
    srtp: &mut Option<SrtpSession>,
    act: impl Fn(&mut SrtpSession, &[u8], &mut Vec<u8>) -> Option<()>,
    datagram: &'a [u8],
    room: &'a mut Vec<u8>,
) -> Option<&'a [u8]> {
    match srtp {
        None => Some(datagram),
        Some(srtp) => act(srtp, datagram, room).map(|()| room.as_slice()),
    }
}

/// Delay within codec, rate conversion and the two sound cards.
fn processing_ms(codec: Codec) -> f64 {
    match codec {
        // The filters of rate conversion; in G.722 those of its bands besides.
        Codec::Pcmu | Codec::Pcma => 4.0 + 30.0,
        Codec::G722 => 5.5 + 30.0,
        // RFC 6716 §2: 6.5 ms of look-ahead.
        Codec::Opus => 6.5 + 30.0,
    }
}
