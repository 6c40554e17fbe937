//! One call's media: its sockets, and once there is a plan, what runs over them.

use super::{DtmfVia, Impairment, PortPair};
use crate::media::{
    emodel::{self, Conditions},
    impair::Impair,
    plan::{Codec, MediaPlan},
    receiver::Receiver,
    rtcp::{RtcpSession, Sent},
    rtp::{self, Latch, MAX_PACKET, Packet, Verdict},
    sender::{Sender, Start},
    stats::CallStats,
};
use rand::Rng;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Datagrams read from a socket before the others get their turn.
const BURST: usize = 64;
const STATS_EVERY: Duration = Duration::from_secs(1);
/// So long a live peer is never silent: its RTCP alone comes every six seconds (RFC 3550 §6.2, §6.3.1).
pub const SILENCE: Duration = Duration::from_secs(10);
/// How often a peer that stays silent is worth asking after.
const ASK_AGAIN: Duration = Duration::from_secs(30);
/// Seconds between 1900, where NTP counts from, and 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// A session: sockets, and a stream once agreed on.
pub struct Session {
    ports: PortPair,
    muted: bool,
    /// The call is answered: from now on the peer has something to say.
    connected: bool,
    stream: Option<Box<Stream>>,
}

/// What a session has to say.
#[derive(Debug, PartialEq)]
pub enum Report {
    Key(char),
    KeysSent,
    Stats(CallStats),
    /// Nothing was heard for [`SILENCE`], or still nothing after [`ASK_AGAIN`].
    Silent {
        again: bool,
    },
}

struct Stream {
    plan: MediaPlan,
    latch: Latch,
    sender: Sender,
    receiver: Receiver,
    rtcp: RtcpSession,
    impair: Option<Impair>,
    next_stats: Instant,
    /// When the peer's silence is to be told, unless it is heard before; and whether it was told already.
    silent_at: Instant,
    told_silent: bool,
    /// NTP time of `started`, so that one clock serves all.
    ntp_origin: Duration,
    started: Instant,
}

impl Session {
    pub fn new(ports: PortPair) -> Self {
        Self { ports, muted: false, connected: false, stream: None }
    }

    pub fn ports(&mut self) -> &mut PortPair {
        &mut self.ports
    }

    /// Starts or changes the stream.
    pub fn set_plan(&mut self, now: Instant, plan: MediaPlan, impairment: Option<Impairment>) {
        match &mut self.stream {
            Some(stream) => stream.set_plan(plan),
            None => {
                let mut stream = Box::new(Stream::new(now, plan, impairment));
                stream.sender.mute(self.muted);
                self.stream = Some(stream);
            }
        }
    }

    pub fn mute(&mut self, on: bool) {
        self.muted = on;
        if let Some(stream) = &mut self.stream {
            stream.sender.mute(on);
        }
    }

    pub const fn connected(&mut self) {
        self.connected = true;
    }

    pub fn press(&mut self, digits: &str, via: DtmfVia) {
        if let Some(stream) = &mut self.stream {
            stream.sender.press(digits, via);
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
                    if let Some(stream) = &mut self.stream {
                        stream.incoming(now, source, &buffer[..length], control, report);
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

    /// Releases packets held back by an impairment.
    pub fn release(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        while let Some((release, source, datagram)) = stream.impair.as_mut().and_then(|impair| impair.pop(now)) {
            stream.audio(release, source, &datagram, report);
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.stream.as_ref()?.impair.as_ref()?.poll_timeout()
    }

    /// Sends what the microphone heard.
    pub fn speak(&mut self, samples: &[f32], report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        let (target, socket) = (stream.latch.target(), &self.ports.rtp);
        stream.sender.speak(samples, |datagram| {
            // Audio that cannot be sent now is not worth keeping.
            let _ = socket.send_to(datagram, target);
        });
        while stream.sender.keys_finished() {
            report(Report::KeysSent);
        }
    }

    /// Adds 10 ms of what the peer says, played at `at`, to `mix`; `block` is room to work in.
    pub fn listen(&mut self, at: Instant, block: &mut [f32], mix: &mut [f32]) {
        let Some(stream) = &mut self.stream else { return };
        if stream.plan.direction.receives() {
            stream.receiver.play(at, block);
            mix.iter_mut().zip(block).for_each(|(sum, sample)| *sum += *sample);
        }
    }

    /// RTCP, figures and what is missing, when they are due.
    pub fn housekeep(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        if now >= stream.rtcp.poll_timeout() {
            let sent = stream.sent(now);
            if let Some(datagram) = stream.rtcp.poll(now, sent, stream.receiver.reception(), unit()) {
                stream.send_control(&self.ports, &datagram);
            }
        }
        if now >= stream.next_stats {
            stream.next_stats = (stream.next_stats + STATS_EVERY).max(now);
            report(Report::Stats(stream.stats(false)));
        }
        if !self.connected {
            stream.heard(now);
        } else if now >= stream.silent_at {
            report(Report::Silent { again: stream.told_silent });
            (stream.silent_at, stream.told_silent) = (now + ASK_AGAIN, true);
        }
    }

    /// Figures now, or with `whole_call` the last ones; `None` without a plan.
    pub fn stats(&self, whole_call: bool) -> Option<CallStats> {
        self.stream.as_ref().map(|stream| stream.stats(whole_call))
    }

    /// Says goodbye to the peer (RFC 3550 §6.6). Returns the last figures.
    pub fn close(mut self, now: Instant) -> Option<CallStats> {
        let stream = self.stream.as_mut()?;
        let sent = stream.sent(now);
        let datagram = stream.rtcp.bye(now, sent, stream.receiver.reception());
        stream.send_control(&self.ports, &datagram);
        self.stats(true)
    }
}

impl Stream {
    #[expect(clippy::disallowed_methods, reason = "RTCP's sender reports carry the time of day")]
    fn new(now: Instant, plan: MediaPlan, impairment: Option<Impairment>) -> Self {
        let mut random = rand::rng();
        let start = Start { ssrc: random.next_u32(), sequence: random.next_u32() as u16, timestamp: random.next_u32() };
        let cname = format!("{:016x}{:08x}", random.next_u64(), random.next_u32());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            latch: Latch::new(plan.remote_rtp),
            sender: Sender::new(start, &plan),
            receiver: Receiver::new(now, &plan),
            rtcp: RtcpSession::new(now, start.ssrc, cname, unit()),
            impair: impairment.map(Impair::new),
            next_stats: now + STATS_EVERY,
            silent_at: now + SILENCE,
            told_silent: false,
            ntp_origin: since_1970 + Duration::from_secs(NTP_EPOCH),
            started: now,
            plan,
        }
    }

    fn set_plan(&mut self, plan: MediaPlan) {
        self.latch.signalled(plan.remote_rtp);
        self.sender.set_plan(&plan);
        self.receiver.set_plan(&plan);
        if self.plan.direction.receives() && !plan.direction.receives() {
            self.receiver.pause();
        }
        self.plan = plan;
    }

    fn incoming(
        &mut self,
        now: Instant,
        source: SocketAddr,
        datagram: &[u8],
        control: bool,
        report: &mut impl FnMut(Report),
    ) {
        if control || self.plan.rtcp_mux && rtp::is_rtcp(datagram) {
            if rtp::is_rtcp(datagram) {
                self.heard(now);
            }
            let ntp = self.ntp(now);
            self.rtcp.handle(now, ntp, datagram);
            if let Some(loss) = self.rtcp.remote_loss() {
                self.sender.peer_loses(loss);
            }
        } else if let Some(impair) = &mut self.impair {
            impair.push(now, source, datagram);
        } else {
            self.audio(now, source, datagram, report);
        }
    }

    fn audio(&mut self, now: Instant, source: SocketAddr, datagram: &[u8], report: &mut impl FnMut(Report)) {
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

    fn heard(&mut self, now: Instant) {
        (self.silent_at, self.told_silent) = (now + SILENCE, false);
    }

    /// RTCP goes to the signalled address, or beside RTP's when that turned out to come from elsewhere (a NAT).
    fn send_control(&self, ports: &PortPair, datagram: &[u8]) {
        let target = self.latch.target();
        let _ = match (self.plan.rtcp_mux, target == self.plan.remote_rtp) {
            (true, _) => ports.rtp.send_to(datagram, target),
            (false, true) => ports.rtcp.send_to(datagram, self.plan.remote_rtcp),
            (false, false) => {
                ports.rtcp.send_to(datagram, SocketAddr::new(target.ip(), target.port().saturating_add(1)))
            }
        };
    }

    fn sent(&self, now: Instant) -> Sent {
        let stats = self.sender.stats();
        Sent { ntp: self.ntp(now), timestamp: self.sender.timestamp(), packets: stats.packets, bytes: stats.bytes }
    }

    fn ntp(&self, now: Instant) -> u64 {
        let time = self.ntp_origin + now.saturating_duration_since(self.started);
        (time.as_secs() << 32) | ((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000)
    }

    fn stats(&self, whole_call: bool) -> CallStats {
        let rx = self.receiver.stats();
        let rtt_ms = self.rtcp.rtt_ms();
        let mos = self.receiver.playing().map(|codec| {
            let delay_ms =
                rtt_ms.unwrap_or(0.0) / 2.0 + rx.buffer_ms + f64::from(self.sender.packet_ms()) + processing_ms(codec);
            emodel::mos(&Conditions { codec, delay_ms, loss: self.receiver.concealed_share(whole_call) })
        });
        CallStats { rx, tx: self.sender.stats(), rtt_ms, mos, remote_loss: self.rtcp.remote_loss() }
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

fn unit() -> f64 {
    f64::from(rand::rng().next_u32()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::plan::{Direction, OpusParams};
    use std::net::Ipv4Addr;

    fn plan(direction: Direction) -> MediaPlan {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        MediaPlan {
            remote_rtp: nowhere,
            remote_rtcp: nowhere,
            rtcp_mux: true,
            direction,
            send: (0, Codec::Pcmu),
            receive: vec![(0, Codec::Pcmu)],
            telephone_event: None,
            opus: OpusParams::default(),
            ptime_ms: 20,
        }
    }

    #[test]
    fn silence_is_told_and_told_again_also_on_hold() {
        for direction in [Direction::SendRecv, Direction::SendOnly, Direction::Inactive] {
            let start = Instant::now();
            let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
            session.set_plan(start, plan(direction), None);
            let mut told = Vec::new();
            for second in 0..=80 {
                if second == 5 {
                    session.connected();
                }
                session.housekeep(start + Duration::from_secs(second), &mut |report| {
                    if let Report::Silent { again } = report {
                        told.push((second, again));
                    }
                });
            }
            assert_eq!(told, [(14, false), (44, true), (74, true)], "{direction:?}");
        }
    }
}
