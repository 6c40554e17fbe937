//! One call's media: its sockets, and once there is a plan, what runs over them.

mod figures;
#[cfg(test)]
mod properties;
mod stream;

use super::{DtmfVia, Impairment, Notice, PortPair};
use crate::media::{
    BLOCK, SAMPLE_RATE,
    dsp::power,
    ice::Reflexive,
    impair::Impair,
    plan::{Direction, DtlsPlan, KeyExchange, MediaPlan},
    record::{Recorder, Writer},
    rtp::MAX_PACKET,
    security::{DtlsIdentity, Kind},
    stats::CallStats,
    voice::TalkDetector,
};
use rand::Rng;
use std::{
    io::ErrorKind,
    net::SocketAddr,
    time::{Duration, Instant},
};
use stream::Stream;

/// Datagrams read from a socket before the others get their turn.
const BURST: usize = 64;
const STATS_EVERY: Duration = Duration::from_secs(1);
/// So long a live peer is never silent: its RTCP alone comes every six seconds (RFC 3550 §6.2, §6.3.1).
pub const SILENCE: Duration = Duration::from_secs(10);
/// How often a peer that stays silent is worth asking after.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Mean square below which there is silence: 60 dB below full scale.
const SILENT: f32 = 1e-6;

/// What was heard and not yet passed on to a conference; more would be delay.
const MOST_PASSED_ON: usize = SAMPLE_RATE as usize / 10;

/// A session: sockets, and a stream once agreed on.
pub struct Session {
    ports: PortPair,
    muted: bool,
    /// While muted: whether somebody talks all the same.
    talk: TalkDetector,
    /// In a conference: what was heard, for the others.
    heard: Option<Vec<f32>>,
    recorder: Option<Recorder>,
    /// What is said, mixed.
    said: Vec<f32>,
    /// The call is answered: from now on the peer has something to say.
    connected: bool,
    stream: Option<Box<Stream>>,
    /// The last datagram of a handshake that came before the plan, and from where: whoever answers begins at once, while the
    /// answer is on its way.
    early: Option<(SocketAddr, Vec<u8>)>,
    /// How a STUN server sees the RTP port.
    question: Option<Reflexive>,
}

/// What a session has to say.
#[derive(Debug, PartialEq)]
pub enum Report {
    Key(char),
    KeysSent,
    TalksMuted,
    Stats(CallStats),
    /// Nothing was heard for [`SILENCE`], or still nothing after [`ASK_AGAIN`].
    Silent {
        again: bool,
    },
    Notice(Notice),
    /// What became of the handshake for the keys of this plan.
    Secured(DtlsPlan, Result<(), String>),
    /// How a STUN server sees the RTP port, if it said so.
    Seen(Option<SocketAddr>),
}

impl Session {
    pub fn new(ports: PortPair) -> Self {
        Self {
            ports,
            muted: false,
            talk: TalkDetector::default(),
            heard: None,
            recorder: None,
            said: Vec::new(),
            connected: false,
            stream: None,
            early: None,
            question: None,
        }
    }

    pub fn ports(&mut self) -> &mut PortPair {
        &mut self.ports
    }

    /// Starts or changes the stream. `identity`: for its handshakes.
    pub fn set_plan(
        &mut self,
        now: Instant,
        plan: MediaPlan,
        impairment: Option<Impairment>,
        identity: Option<&DtlsIdentity>,
    ) {
        match &mut self.stream {
            Some(stream) => stream.set_plan(now, plan),
            None => {
                let mut stream = Box::new(Stream::new(now, plan, impairment, (identity.cloned(), self.ports.address)));
                if self.connected {
                    stream.shield.answered(now);
                }
                if let Some((source, datagram)) = self.early.take() {
                    stream.shield.handle_datagram(now, source, &datagram);
                }
                self.stream = Some(stream);
            }
        }
    }

    pub fn mute(&mut self, on: bool) {
        (self.muted, self.talk) = (on, TalkDetector::default());
    }

    /// Whether the call is one of a conference.
    pub fn join(&mut self, joined: bool) {
        self.heard = joined.then(Vec::new);
    }

    /// Takes `count` samples of what was heard for the others of the conference; silence where it was less.
    pub fn pass_on(&mut self, count: usize) -> Vec<f32> {
        let heard = self.heard.get_or_insert_default();
        let mut taken: Vec<f32> = heard.drain(..count.min(heard.len())).collect();
        taken.resize(count, 0.0);
        taken
    }

    /// Records from now on, or not any more. Returns who completes the file there was.
    pub fn record(&mut self, recorder: Option<Recorder>) -> Option<Writer> {
        std::mem::replace(&mut self.recorder, recorder).map(Recorder::finish)
    }

    pub fn connected(&mut self, now: Instant) {
        self.connected = true;
        if let Some(stream) = &mut self.stream {
            stream.shield.answered(now);
        }
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
                    let datagram = &buffer[..length];
                    if let Some(question) = self.question.as_mut().filter(|_| Kind::of(datagram) == Kind::Stun)
                        && question.handle_datagram(source, datagram)
                    {
                        continue;
                    }
                    if let Some(stream) = &mut self.stream {
                        stream.incoming(now, source, &buffer[..length], control, report);
                    } else if !control && Kind::of(&buffer[..length]) == Kind::Dtls {
                        self.early = Some((source, buffer[..length].to_vec()));
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

    /// Asks a STUN server how it sees the RTP port: [`Report::Seen`] comes in any case.
    pub fn ask_server(&mut self, now: Instant, server: SocketAddr) {
        let mut transaction = [0; 12];
        rand::rng().fill_bytes(&mut transaction);
        self.question = Some(Reflexive::new(now, server, transaction));
    }

    fn ask(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        let Some(question) = &mut self.question else { return };
        question.handle_timeout(now);
        while let Some((datagram, server)) = question.poll_transmit() {
            let _ = self.ports.rtp.send_to(&datagram, server);
        }
        if let Some(seen) = question.poll_answer() {
            report(Report::Seen(seen));
        }
    }

    /// Releases packets held back by an impairment, and goes on with a handshake.
    pub fn release(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        self.ask(now, report);
        let Some(stream) = &mut self.stream else { return };
        while let Some((release, source, datagram)) = stream.impair.as_mut().and_then(|impair| impair.pop(now)) {
            stream.audio(release, source, &datagram, report);
        }
        let rtp = &self.ports.rtp;
        let send = |datagram: &[u8], target| {
            let _ = rtp.send_to(datagram, target);
        };
        let outcome = stream.go_on(now, send, report);
        if let (Some(outcome), Some(KeyExchange::Dtls(plan))) = (outcome, &stream.plan.srtp) {
            report(Report::Secured(plan.clone(), outcome.map(drop)));
        }
    }

    pub fn poll_timeout(&mut self) -> Option<Instant> {
        let stream = self.stream.as_mut().and_then(|stream| stream.poll_timeout());
        stream.into_iter().chain(self.question.as_ref().and_then(Reflexive::poll_timeout)).min()
    }

    /// Sends what the microphone heard, unless muted, and what the `others` of a conference say.
    pub fn speak(&mut self, microphone: &[f32], others: Option<&[f32]>, report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        self.said.clear();
        self.said.extend_from_slice(microphone);
        stream.here.said_ms += sound_ms(microphone);
        // Muted, silence keeps the stream and its path through NATs alive.
        if self.muted {
            self.said.fill(0.0);
            if self.connected && stream.plan.direction == Direction::SendRecv && self.talk.hear(microphone) {
                report(Report::TalksMuted);
            }
        }
        if let Some(others) = others {
            self.said.iter_mut().zip(others).for_each(|(sum, other)| *sum = (*sum + other).clamp(-1.0, 1.0));
        }
        let (target, socket) = (stream.target(), &self.ports.rtp);
        let (shield, sealed) = (&mut stream.shield, &mut stream.crypt);
        stream.sender.speak(&self.said, |datagram| {
            let (Some(datagram), Some(target)) = (shield.protect(datagram, sealed), target) else { return };
            // Audio that cannot be sent now is not worth keeping.
            let _ = socket.send_to(datagram, target);
        });
        while stream.sender.keys_finished() {
            report(Report::KeysSent);
        }
        if let Some(recorder) = &mut self.recorder {
            if stream.plan.direction != Direction::SendRecv {
                self.said.fill(0.0);
            }
            recorder.said(&self.said);
        }
    }

    /// Adds 10 ms of what the peer says, played at `at`, to `mix`; `block` is room to work in.
    pub fn listen(&mut self, at: Instant, block: &mut [f32], mix: &mut [f32]) {
        let Some(stream) = &mut self.stream else { return };
        if stream.plan.direction.receives() {
            stream.receiver.play(at, block);
            stream.here.heard_ms += sound_ms(block);
            if let Some(recorder) = &mut self.recorder {
                recorder.heard(block);
            }
            if let Some(heard) = &mut self.heard {
                heard.extend_from_slice(block);
                heard.drain(..heard.len().saturating_sub(MOST_PASSED_ON));
            }
            mix.iter_mut().zip(block).for_each(|(sum, sample)| *sum += *sample);
        }
    }

    /// This computer was late for the sound, or had no device for it, for so long.
    pub fn suffered(&mut self, stalled: Duration, absent: Duration) {
        if let Some(stream) = &mut self.stream {
            stream.here.stalled_ms += stalled.as_millis() as u64;
            stream.here.absent_ms += absent.as_millis() as u64;
        }
    }

    /// RTCP, figures and what is missing, when they are due.
    pub fn housekeep(&mut self, now: Instant, report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        if let Some(datagram) = stream.report(now, false) {
            stream.send_control(&self.ports, &datagram);
        }
        if let Some(target) = stream.keep_alive(now) {
            let _ = self.ports.rtp.send_to(&[], target);
        }
        if now >= stream.next_stats {
            stream.next_stats = (stream.next_stats + STATS_EVERY).max(now);
            report(Report::Stats(stream.stats(false)));
        }
        if let Some(notice) = self.recorder.as_mut().and_then(Recorder::poll_notice) {
            report(Report::Notice(notice));
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
        if let Some(datagram) = stream.report(now, true) {
            stream.send_control(&self.ports, &datagram);
        }
        self.stats(true)
    }
}

/// Milliseconds of these samples in which there is something to hear.
fn sound_ms(samples: &[f32]) -> u64 {
    10 * samples.chunks_exact(BLOCK).filter(|block| power(block) > SILENT).count() as u64
}

fn unit() -> f64 {
    f64::from(rand::rng().next_u32()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::plan::{Codec, IceCredentials, IcePlan, OpusParams};
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
            srtp: None,
            ice: None,
            ptime_ms: 20,
            extended_reports: Default::default(),
            comfort_noise: None,
        }
    }

    #[test]
    fn a_nat_is_kept_open_where_nothing_else_does() {
        for (direction, rtcp_mux, expected) in [
            (Direction::Inactive, false, 2),
            (Direction::RecvOnly, false, 2),
            (Direction::Inactive, true, 0),
            (Direction::SendRecv, false, 0),
        ] {
            let peer = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            peer.set_nonblocking(true).expect("it can be");
            let remote_rtp = peer.local_addr().expect("an address");
            let start = Instant::now();
            let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
            session.set_plan(start, MediaPlan { remote_rtp, rtcp_mux, ..plan(direction) }, None, None);
            for second in 0..40 {
                session.housekeep(start + Duration::from_secs(second), &mut |_| {});
            }
            let mut buffer = [0; MAX_PACKET];
            let empty = std::iter::from_fn(|| peer.recv(&mut buffer).ok()).filter(|length| *length == 0).count();
            assert_eq!(empty, expected, "{direction:?} {rtcp_mux}");
        }
    }

    #[test]
    fn checks_that_never_succeed_do_not_mute() {
        let side =
            |name| IceCredentials { ufrag: format!("{name}frag"), password: format!("{name}-password-of-many-octets") };
        let candidates = vec!["candidate:1 1 UDP 2130706431 127.0.0.1 9 typ host".into()];
        let ice = IcePlan { local: side("a"), remote: side("b"), candidates, controlling: true };
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, MediaPlan { ice: Some(Box::new(ice)), ..plan(Direction::SendRecv) }, None, None);
        let mut told = Vec::new();
        for n in 0..120 * 50 {
            session.release(start + Duration::from_millis(20) * n, &mut |report| told.push(report));
        }
        let [Report::Notice(notice)] = &told[..] else { panic!("{told:?}") };
        assert!(notice.text.contains("could not be checked"), "{}", notice.text);
        let target = session.stream.as_ref().and_then(|stream| stream.target());
        assert_eq!(target, Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9))));
    }

    #[test]
    fn silence_is_told_and_told_again_also_on_hold() {
        for direction in [Direction::SendRecv, Direction::SendOnly, Direction::Inactive] {
            let start = Instant::now();
            let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
            session.set_plan(start, plan(direction), None, None);
            let mut told = Vec::new();
            for second in 0..=80 {
                if second == 5 {
                    session.connected(start + Duration::from_secs(second));
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
