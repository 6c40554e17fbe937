//! The receiving half of a call: from RTP packets to 48 kHz sound. Pure; the time is passed in.

mod bursts;
mod patience;
mod playout;
mod voice;

use super::{
    codec,
    dsp::noise::NoiseDescription,
    dtmf::EventReceiver,
    jitter::{Insert, JitterBuffer, Kind},
    plan::{Codec, MediaPlan},
    rtp::{
        Packet, Reception, Update,
        redundancy::{Block, Redundant},
    },
    stats::{BurstStats, RxStats},
};
use playout::Playout;
use std::time::Instant;

/// Packets in a row from a new source (SSRC) before it replaces the one being played.
const NEW_SOURCE: u8 = 2;

/// A timestamp that runs so far ahead of time since the packet before, or back, belongs to a stream that began anew, although its
/// source (SSRC) stayed: a switch in between has joined us to somebody else.
const JUMP_MS: f64 = 1_000.0;

/// Seconds without a packet from a sender that has not said that it is silent.
const DESERTED_S: u32 = 5;

/// Payload type of comfort noise (RFC 3551 §6).
const COMFORT_NOISE: u8 = 13;

/// Receives one stream.
#[derive(Debug)]
pub struct Receiver {
    payload_types: Vec<(u8, Codec)>,
    event_type: Option<u8>,
    /// Of packets that carry copies of earlier ones (RFC 2198).
    redundant_type: Option<u8>,
    /// Of comfort noise (RFC 3389).
    noise_type: u8,
    epoch: Instant,
    stream: Option<Stream>,
    /// SSRC that may take over, and how many packets it sent in a row.
    rival: (u32, u8),
    events: EventReceiver,
    playout: Playout,
    totals: Totals,
}

/// What belongs to one synchronization source.
#[derive(Debug)]
struct Stream {
    reception: Reception,
    buffer: JitterBuffer,
    clock_rate: u32,
    /// Newest timestamp, extended.
    timestamp: i64,
    /// What copies restored last, newest first.
    restored: [Option<u64>; 8],
    /// The newest packet of audio: sequence number, timestamp and arrival.
    newest: Option<(u64, i64, Instant)>,
    /// Packets in a row that had come before, or were of another time.
    doubled: u64,
}

/// Counts of sources that are gone, and what no source keeps.
#[derive(Debug, Default)]
struct Totals {
    packets: u64,
    lost: u64,
    late: u64,
    unreadable: u64,
}

impl Receiver {
    pub fn new(now: Instant, plan: &MediaPlan) -> Self {
        Self {
            payload_types: plan.receive.clone(),
            event_type: plan.telephone_event.map(|event| event.receive_payload_type),
            redundant_type: plan.opus.redundancy.map(|agreed| agreed.receive_payload_type),
            noise_type: noise_type(plan),
            epoch: now,
            stream: None,
            rival: (0, 0),
            events: EventReceiver::default(),
            playout: Playout::default(),
            totals: Totals::default(),
        }
    }

    /// A new agreement; what is being received goes on.
    pub fn set_plan(&mut self, plan: &MediaPlan) {
        self.payload_types = plan.receive.clone();
        self.event_type = plan.telephone_event.map(|event| event.receive_payload_type);
        self.redundant_type = plan.opus.redundancy.map(|agreed| agreed.receive_payload_type);
        self.noise_type = noise_type(plan);
    }

    /// Whether this payload type was agreed on.
    pub fn knows(&self, payload_type: u8) -> bool {
        let others = [self.event_type, self.redundant_type, Some(self.noise_type)];
        self.codec(payload_type).is_some() || others.contains(&Some(payload_type))
    }

    /// What comes as the peer's audio cannot be authenticated.
    pub const fn cannot_read(&mut self) {
        self.totals.unreadable += 1;
    }

    pub const fn unreadable(&self) -> u64 {
        self.totals.unreadable
    }

    /// Takes in a packet. Returns a key that the peer has just pressed.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) -> Option<char> {
        let redundant = match self.redundant_type == Some(packet.payload_type) {
            true => Some(Redundant::parse(packet.payload)?),
            false => None,
        };
        let inner = redundant.map(|redundant| redundant.primary);
        let packet = &inner.map_or(*packet, |inner| Packet {
            payload_type: inner.payload_type,
            payload: inner.payload,
            ..*packet
        });
        let codec = self.codec(packet.payload_type);
        let (sequence, timestamp) = self.place(now, packet, codec)?;
        let stream = self.stream.as_mut()?;
        let is_event = self.event_type == Some(packet.payload_type);
        let noise = (codec.is_none() && !is_event && packet.payload_type == self.noise_type)
            .then(|| NoiseDescription::parse(packet.payload))
            .flatten();
        let kind = match codec {
            Some(codec) => Kind::Audio(codec),
            None if noise.is_some() => Kind::Silence,
            None => Kind::Other,
        };
        if let Some(noise) = noise {
            self.playout.describe_noise(noise);
        }
        if codec.is_some() {
            stream.reception.arrived(now, packet.timestamp, stream.clock_rate);
            let media_ms = stream.ms_since(0, timestamp);
            let waited_ms = stream.ms_since(0, i64::from(stream.buffer.waiting()));
            let ahead_ms = stream.buffer.position().map_or(0.0, |position| stream.ms_since(position, timestamp));
            self.playout.arrived(ms(self.epoch, now), media_ms, waited_ms, ahead_ms);
        }
        for copy in redundant.iter().flat_map(Redundant::copies) {
            // Of another codec it would have another clock; what came itself is known already.
            let same = codec.filter(|_| copy.payload_type == packet.payload_type);
            if let Some(copied) = same.and_then(|codec| sequence.checked_sub(packets_before(codec, &copy)?)) {
                let before = timestamp - i64::from(copy.offset);
                if stream.buffer.insert_copy(copied, before, kind, copy.payload) == Insert::Held {
                    stream.restored.rotate_right(1);
                    stream.restored[0] = Some(copied);
                    self.playout.copy_restores();
                }
            }
        }
        let insert = stream.buffer.insert(sequence, timestamp, kind, packet.payload);
        stream.doubled = if insert == Insert::Duplicate { stream.doubled + 1 } else { 0 };
        if codec.is_some() {
            self.playout.carries_copies(redundant.is_some());
            self.totals.late += u64::from(insert == Insert::Late);
            // What comes twice is another matter.
            if insert == Insert::Late || insert == Insert::Duplicate && stream.restored.contains(&Some(sequence)) {
                self.playout.came_after_all();
            }
        }
        if is_event { self.events.handle(packet.timestamp, packet.marker, packet.payload) } else { None }
    }

    /// Fills 10 ms of 48 kHz. `now` is when they are asked for, maybe several at once.
    pub fn play(&mut self, now: Instant, block: &mut [f32]) {
        let now_ms = ms(self.epoch, now);
        let buffer = self.stream.as_mut().map(|stream| (&mut stream.buffer, stream.clock_rate));
        self.totals.late += self.playout.play(now_ms, buffer, block);
    }

    /// Nothing is to be heard for a while (hold): what the peer sends meanwhile is neither played nor missed.
    pub fn pause(&mut self) {
        self.end_stream();
    }

    /// The sender may have been silent until now, as was agreed on.
    pub const fn forgive(&mut self) {
        self.playout.forgive();
    }

    /// Nothing will come any more.
    pub const fn give_up(&mut self) {
        self.playout.give_up();
    }

    pub fn stats(&self) -> RxStats {
        let reception = self.stream.as_ref().map(|stream| &stream.reception);
        RxStats {
            packets: self.totals.packets,
            lost: self.totals.lost + reception.map_or(0, Reception::missing),
            late: self.totals.late,
            unreadable: self.totals.unreadable,
            concealed_ms: self.playout.concealed_ms(),
            concealed_share: self.playout.concealed_share(true),
            jitter_ms: reception.map_or(0.0, Reception::jitter_ms),
            buffer_ms: self.playout.delay_ms(),
        }
    }

    /// The account that RTCP reports from.
    pub fn reception(&mut self) -> Option<&mut Reception> {
        self.stream.as_mut().map(|stream| &mut stream.reception)
    }

    /// Share of the sound that had to be concealed, 0.0–1.0: lately, or over the whole call.
    pub fn concealed_share(&self, whole_call: bool) -> f64 {
        self.playout.concealed_share(whole_call)
    }

    /// Nothing has come for so long that there is no saying how it would sound.
    pub fn is_deserted(&self) -> bool {
        let waits =
            |stream: &Stream| stream.buffer.waiting() > DESERTED_S * stream.clock_rate && !stream.buffer.is_silent();
        self.stream.as_ref().is_some_and(waits)
    }

    /// The synchronization source that is played.
    pub fn source(&self) -> Option<u32> {
        self.stream.as_ref().map(|stream| stream.reception.ssrc)
    }

    /// See [`Playout::missed`].
    pub fn missed(&self) -> (u64, u64, BurstStats) {
        self.playout.missed()
    }

    /// See [`Playout::levels`].
    pub const fn levels(&self) -> (Option<f32>, Option<f32>) {
        self.playout.levels()
    }

    /// See [`Playout::most_delay_ms`].
    pub fn most_delay_ms(&self) -> (f64, f64) {
        self.playout.most_delay_ms()
    }

    /// What is received now, once audio came.
    pub fn playing(&self) -> Option<Codec> {
        self.playout.codec()
    }

    fn end_stream(&mut self) {
        if let Some(gone) = self.stream.take() {
            self.totals.lost += gone.reception.missing();
            self.playout.restart();
            self.events.restart();
        }
    }

    fn codec(&self, payload_type: u8) -> Option<Codec> {
        self.payload_types.iter().find(|(known, _)| *known == payload_type).map(|(_, codec)| *codec)
    }

    /// The packet's sequence number and timestamp, extended; `None` while its source, number or time is not believed.
    fn place(&mut self, now: Instant, packet: &Packet<'_>, codec: Option<Codec>) -> Option<(u64, i64)> {
        let is_accepted = self.accept_source(packet, codec);
        let stream = self.stream.as_mut().filter(|_| is_accepted)?;
        let sequence = match stream.reception.update(now, packet.sequence) {
            Update::Valid(sequence) => sequence,
            Update::Suspicious => return None,
            Update::Restarted { sequence, lost, repeated } => {
                self.totals.lost += lost;
                self.totals.late += repeated.min(std::mem::take(&mut stream.doubled));
                stream.begin_anew(&mut self.playout, &mut self.events);
                sequence
            }
        };
        self.totals.packets += 1;
        let timestamp = stream.extend(packet.timestamp);
        if codec.is_some() && stream.strays(sequence, timestamp) {
            stream.doubled += 1;
            return None;
        }
        if codec.is_some() && stream.jumps(now, sequence, timestamp) {
            stream.begin_anew(&mut self.playout, &mut self.events);
        }
        Some((sequence, timestamp))
    }

    /// Makes sure that `stream` is the packet's; `false` while its source is not believed.
    fn accept_source(&mut self, packet: &Packet<'_>, codec: Option<Codec>) -> bool {
        let clock_rate = codec.map(Codec::clock_rate);
        match &self.stream {
            Some(stream) if stream.reception.ssrc == packet.ssrc => {
                self.rival = (0, 0);
                if clock_rate.is_none_or(|rate| rate == stream.clock_rate) {
                    return true;
                }
            }
            Some(_) => {
                let count = if self.rival.0 == packet.ssrc { self.rival.1 + 1 } else { 1 };
                self.rival = (packet.ssrc, count);
                if count < NEW_SOURCE {
                    return false;
                }
            }
            None => {}
        }
        self.end_stream();
        let clock_rate = clock_rate.or_else(|| self.payload_types.first().map(|(_, codec)| codec.clock_rate()));
        let clock_rate = clock_rate.unwrap_or(8_000);
        self.rival = (0, 0);
        self.stream = Some(Stream {
            reception: Reception::new(packet.ssrc, packet.sequence),
            buffer: JitterBuffer::new(clock_rate),
            clock_rate,
            timestamp: i64::from(packet.timestamp),
            restored: [None; 8],
            newest: None,
            doubled: 0,
        });
        true
    }
}

impl Stream {
    /// What comes has nothing to do with what is held.
    fn begin_anew(&mut self, playout: &mut Playout, events: &mut EventReceiver) {
        (self.buffer, self.newest) = (JitterBuffer::new(self.clock_rate), None);
        playout.restart();
        events.restart();
    }

    /// Whether a packet of audio is in sequence and yet of another time. A pause of the sender's lasts as long as it says.
    fn jumps(&mut self, now: Instant, sequence: u64, timestamp: i64) -> bool {
        if self.newest.is_some_and(|(newest, ..)| sequence <= newest) {
            return false;
        }
        let Some((_, before, came)) = self.newest.replace((sequence, timestamp, now)) else { return false };
        let media_ms = self.ms_since(before, timestamp);
        media_ms < -JUMP_MS || media_ms - ms(came, now) > JUMP_MS
    }

    /// Whether a packet of audio is from before the newest one and yet of another time: it tells nothing of delays.
    fn strays(&self, sequence: u64, timestamp: i64) -> bool {
        let is_far = |before| self.ms_since(before, timestamp).abs() > JUMP_MS;
        self.newest.is_some_and(|(newest, before, _)| sequence <= newest && is_far(before))
    }

    fn ms_since(&self, before: i64, timestamp: i64) -> f64 {
        (timestamp - before) as f64 * 1000.0 / f64::from(self.clock_rate)
    }

    fn extend(&mut self, timestamp: u32) -> i64 {
        let ahead = timestamp.wrapping_sub(self.timestamp as u32) as i32;
        let extended = self.timestamp + i64::from(ahead);
        self.timestamp = self.timestamp.max(extended);
        extended
    }
}

/// How many packets before the one that carries it the copy was sent; all are of one length.
fn packets_before(codec: Codec, copy: &Block<'_>) -> Option<u64> {
    let duration = codec::duration(codec, copy.payload)?;
    (copy.offset > 0 && copy.offset.is_multiple_of(duration)).then(|| u64::from(copy.offset / duration))
}

/// Without an agreement the static one: some gateways send it unasked.
fn noise_type(plan: &MediaPlan) -> u8 {
    plan.comfort_noise.map_or(COMFORT_NOISE, |agreed| agreed.receive_payload_type)
}

fn ms(epoch: Instant, now: Instant) -> f64 {
    now.saturating_duration_since(epoch).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests;
