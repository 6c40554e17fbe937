//! One call's media: its sockets, and once there is a plan, what runs over them.

mod early;
mod figures;
#[cfg(test)]
mod properties;
mod reach;
mod stream;
#[cfg(test)]
mod tests;

use super::{DtmfVia, Impairment, Notice, PortPair, Tone, passage::Passage, relay::RelayServer};
use crate::media::{
    dsp::{power, tone::ToneSource},
    ice::{RelayAccess, Way},
    impair::Impair,
    music::Music,
    plan::{Direction, DtlsPlan, KeyExchange, MediaPlan},
    record::{Ended, Recorder, Trouble, Writer},
    rtp::MAX_PACKET,
    security::{DtlsIdentity, Kind},
    stats::CallStats,
    voice::SpeechActivity,
};
use mio::{Registry, Token};
use rand::Rng;
use reach::{Heard, Reach};
use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::Arc,
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
/// Share of 10 ms in what is told of the loudness.
const SMOOTHED: f32 = 0.03;

/// A session: sockets, and a stream once agreed on.
pub struct Session {
    ports: PortPair,
    muted: bool,
    /// In a conference: what was heard, for the others; and whether it is speech.
    heard: Option<Box<(Passage, SpeechActivity)>>,
    /// They have begun to speak, or are quiet: to be told.
    speaks: Option<bool>,
    recorder: Option<Recorder>,
    /// While it records with a tone: what of it the other side hears, and what we do.
    tones: Option<Box<[ToneSource; 2]>>,
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

/// What a session has to say.
#[derive(Debug, PartialEq)]
pub enum Report {
    Key(char),
    KeysSent,
    /// In a conference.
    Speaks(bool),
    /// Before the answer: whether audio comes.
    Early(bool),
    Stats(CallStats),
    /// Nothing was heard for [`SILENCE`], or still nothing after [`ASK_AGAIN`].
    Silent {
        again: bool,
    },
    Notice(Notice),
    /// The recording is over before it was to be.
    Recorded(Ended),
    /// What became of the handshake for the keys of this plan.
    Secured(DtlsPlan, Result<(), String>),
    /// How a STUN server sees the RTP port, and a relay's address for it, as far as they said so.
    Seen {
        reflexive: Option<SocketAddr>,
        relayed: Option<SocketAddr>,
    },
    /// The same in the midst of a call: a relay lends another address in the place of one that was lost.
    SeenAnew {
        reflexive: Option<SocketAddr>,
        relayed: Option<SocketAddr>,
    },
}

impl Session {
    pub fn new(ports: PortPair) -> Self {
        Self {
            ports,
            muted: false,
            heard: None,
            speaks: None,
            recorder: None,
            tones: None,
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
            self.hush();
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

    pub fn mute(&mut self, on: bool) {
        self.muted = on;
    }

    /// Muted, it takes nothing of what somebody says to the other side.
    pub fn is_talked_to_muted(&self) -> bool {
        let hears_us = |stream: &Stream| stream.plan.hears_us();
        self.muted && self.connected && self.stream.as_deref().is_some_and(hears_us)
    }

    /// Whether the call is one of a conference.
    pub fn join(&mut self, joined: bool) {
        if joined != self.heard.is_some() {
            self.hush();
            self.heard = joined.then(Default::default);
        }
    }

    /// Nobody is heard from now on: whoever spoke in a conference has ended.
    fn hush(&mut self) {
        if self.heard.as_mut().is_some_and(|heard| heard.1.end()) {
            self.speaks = Some(false);
        }
    }

    /// Takes `count` samples of what was heard for the others of the conference; silence where it was less.
    pub fn pass_on(&mut self, count: usize) -> Vec<f32> {
        self.heard.get_or_insert_default().0.take(count)
    }

    /// Records from now on, or not any more. Returns who completes the file there was.
    pub fn record(&mut self, recorder: Option<Recorder>) -> Option<Writer> {
        let has_tone = recorder.as_ref().is_some_and(Recorder::has_tone);
        self.tones = has_tone.then(|| Box::new([(); 2].map(|()| ToneSource::new(Tone::Recording))));
        std::mem::replace(&mut self.recorder, recorder).map(Recorder::finish)
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
            stream.audio(release, source, &datagram, report);
        }
        let (rtp, reach) = (&self.ports.rtp, &mut self.reach);
        let send = |datagram: &[u8], way| reach.send(rtp, datagram, way);
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

    /// Sends what the microphone heard, unless muted, and what the `others` of a conference say.
    pub fn speak(&mut self, microphone: &[f32], others: Option<&[f32]>, report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        self.said.clear();
        self.said.extend_from_slice(microphone);
        // Muted, silence keeps the stream and its path through NATs alive.
        if self.muted {
            self.said.fill(0.0);
        }
        if let Some(others) = others {
            self.said.iter_mut().zip(others).for_each(|(sum, other)| *sum = (*sum + other).clamp(-1.0, 1.0));
        }
        if let Some(tones) = &mut self.tones {
            tones[0].mix(&mut self.said);
            self.said.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
        }
        let (target, rtp, reach) = (stream.target(), &self.ports.rtp, &mut self.reach);
        let (shield, sealed) = (&mut stream.shield, &mut stream.crypt);
        stream.sender.speak(&self.said, |datagram| {
            let (Some(datagram), Some(target)) = (shield.protect(datagram, sealed), target) else { return };
            reach.send(rtp, datagram, target);
        });
        while stream.sender.keys_finished() {
            report(Report::KeysSent);
        }
        if let Some(recorder) = &mut self.recorder {
            if !stream.plan.hears_us() {
                self.said.fill(0.0);
            }
            recorder.said(&self.said);
        }
    }

    /// Adds 10 ms of what the peer says to `mix`, asked for at `now`; `block` is room to work in.
    pub fn listen(&mut self, now: Instant, block: &mut [f32], mix: &mut [f32]) {
        let Some(stream) = &mut self.stream else { return };
        if stream.plan.direction.receives() {
            stream.receiver.play(now, block);
            let power = power(block);
            stream.here.heard_ms += 10 * u64::from(power > SILENT);
            stream.here.loudness += SMOOTHED * (power - stream.here.loudness);
            if let Some(recorder) = &mut self.recorder {
                recorder.heard(block);
            }
            // What is played to us on hold is for nobody else.
            let talks = stream.plan.direction == Direction::SendRecv;
            let mut joined = self.heard.as_deref_mut().filter(|_| talks);
            if let Some((_, activity)) = &mut joined {
                self.speaks = activity.hear(block).or(self.speaks);
            }
            if let Some(tones) = &mut self.tones {
                tones[1].mix(block);
            }
            if let Some((passage, _)) = joined {
                passage.push(block);
            }
            mix.iter_mut().zip(block).for_each(|(sum, sample)| *sum += *sample);
        }
    }

    /// The microphone gave sound of so many milliseconds.
    pub fn microphone_lives(&mut self, ms: u64) {
        if let Some(stream) = &mut self.stream {
            stream.here.said_ms += ms;
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
            stream.send_control((&self.ports, &mut self.reach), &datagram);
        }
        if let Some(target) = stream.keep_alive(now) {
            self.reach.send(&self.ports.rtp, &[], target);
        }
        if now >= stream.next_stats {
            stream.next_stats = (stream.next_stats + STATS_EVERY).max(now);
            report(Report::Stats(stream.stats(false)));
        }
        if let Some(recorder) = &mut self.recorder
            && let Some(trouble) = recorder.poll_trouble()
        {
            match trouble {
                Trouble::Gaps(notice) => report(Report::Notice(notice)),
                Trouble::Over(ended) => {
                    (self.recorder, self.tones) = (None, None);
                    report(Report::Recorded(ended));
                }
            }
        }
        if let Some(on) = self.speaks.take() {
            report(Report::Speaks(on));
        }
        if !self.connected {
            stream.heard(now);
            if let Some(comes) = stream.early_media.poll(now) {
                report(Report::Early(comes));
            }
        } else if now >= stream.silent_at {
            report(Report::Silent { again: stream.told_silent });
            (stream.silent_at, stream.told_silent) = (now + ASK_AGAIN, true);
        }
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
