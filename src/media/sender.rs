//! The sending half of a call: from 48 kHz sound to RTP packets. Pure; time passes with the samples.

mod silence;

use super::{
    SAMPLE_RATE,
    codec::{Encoder, LossHint},
    dsp::{noise::NoiseDescription, power},
    dtmf::{KeySender, Sending},
    engine::DtmfVia,
    music::{Music, Player},
    plan::{Codec, ComfortNoise, Direction, MediaPlan, OpusParams, Redundancy},
    rtp::{
        MAX_PACKET, Packet,
        redundancy::{self, Block},
    },
};
use silence::{Hears, Silence};
use std::collections::VecDeque;

/// A copy comes so many packets later: the packet right after a lost one tells of it by Opus' own copy already, and what a burst of
/// losses takes the copy must not be in. Of losses in bursts a third less is concealed than with the next packet; with the one
/// after, copies come too late for the delay there is.
const COPY_DISTANCE: usize = 2;
/// Payloads that go together; more would not fit any network in one piece.
const MOST_WITH_COPY: usize = 1_200;

/// Where a sender's sequence numbers, timestamps and SSRC start; random (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug)]
pub struct Start {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
}

/// Sends one stream.
#[derive(Debug)]
pub struct Sender {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    codec: Codec,
    direction: Direction,
    on_hold: bool,
    packet_ms: u32,
    /// Payload type and clock rate of events, when agreed on.
    events: Option<(u8, u32)>,
    encoder: Encoder,
    /// What the encoder was made for.
    opus: OpusParams,
    /// The next packet is the first after a silence (RFC 3551 §4.1).
    talkspurt: bool,
    keys: KeySender,
    /// Where silence is not sent.
    noise: Option<ComfortNoise>,
    silence: Silence,
    /// For a peer on hold.
    music: Option<Player>,
    losses: Losses,
    /// Samples that fill no packet yet.
    pending: Vec<f32>,
    payload: Vec<u8>,
    /// The last packets, with their timestamps, while copies are agreed on; and room for a packet that carries one.
    copies: VecDeque<(u32, Vec<u8>)>,
    redundant: Vec<u8>,
}

impl Sender {
    pub fn new(start: Start, plan: &MediaPlan) -> Self {
        Self {
            ssrc: start.ssrc,
            sequence: start.sequence,
            timestamp: start.timestamp,
            payload_type: plan.send.0,
            codec: plan.send.1,
            direction: plan.direction,
            on_hold: plan.on_hold,
            packet_ms: packet_ms(plan),
            events: events(plan),
            encoder: Encoder::new(plan.send.1, &plan.opus),
            opus: plan.opus,
            talkspurt: true,
            keys: KeySender::default(),
            noise: noise(plan),
            silence: Silence::default(),
            music: None,
            losses: Losses::default(),
            pending: Vec::new(),
            payload: Vec::new(),
            copies: VecDeque::new(),
            redundant: Vec::new(),
        }
    }

    /// A new agreement; numbering goes on.
    pub fn set_plan(&mut self, plan: &MediaPlan) {
        if plan.send.1 != self.codec || plan.send.1 == Codec::Opus && plan.opus != self.opus {
            (self.encoder, self.opus) = (Encoder::new(plan.send.1, &plan.opus), plan.opus);
            self.copies.clear();
        }
        // How many packets ago one was is read from its length.
        if self.packet_ms != packet_ms(plan) {
            self.copies.clear();
        }
        self.talkspurt |= !self.direction.sends();
        (self.payload_type, self.codec) = plan.send;
        (self.direction, self.on_hold) = (plan.direction, plan.on_hold);
        self.packet_ms = packet_ms(plan);
        self.events = events(plan);
        self.noise = noise(plan);
    }

    /// What a peer on hold hears from now on; nothing without. A piece that is being played already goes on where it is.
    pub fn set_music(&mut self, music: Option<&Music>) {
        let goes_on = self.music.take().filter(|player| music.is_some_and(|music| player.plays(music)));
        self.music = goes_on.or_else(|| music.cloned().map(Player::new));
    }

    /// Digits to send. Where telephone-event was not agreed on they go as tones, so that the far end hears them anyway.
    pub fn press(&mut self, digits: &str, via: DtmfVia) {
        let via = if self.events.is_some() { via } else { DtmfVia::Inband };
        self.keys.press(digits, via);
    }

    /// Whether a [`Sender::press`] is complete; to be asked until `false`.
    pub fn keys_finished(&mut self) -> bool {
        self.keys.finished()
    }

    /// Adapts redundancy to what the peer reports it loses, 0.0–1.0; to be told each report.
    pub fn peer_loses(&mut self, share: f64) {
        let hint = self.losses.report(share);
        self.encoder.hint(hint);
    }

    /// Takes 48 kHz samples of the microphone and hands every packet they complete to `transmit`.
    pub fn speak(&mut self, samples: &[f32], mut transmit: impl FnMut(&[u8])) {
        let mut samples = samples;
        let frame = (self.packet_ms * SAMPLE_RATE / 1000) as usize;
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(frame.saturating_sub(self.pending.len())));
            self.pending.extend_from_slice(now);
            samples = later;
            if self.pending.len() >= frame {
                let mut audio = std::mem::take(&mut self.pending);
                self.packet(&mut audio, &mut transmit);
                audio.clear();
                self.pending = audio;
            }
        }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Timestamp of the next packet.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    pub fn packet_ms(&self) -> u32 {
        self.packet_ms
    }

    fn packet(&mut self, audio: &mut [f32], transmit: &mut impl FnMut(&[u8])) {
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(self.packet_ms * (self.codec.clock_rate() / 1000));
        if !self.direction.sends() {
            self.talkspurt = true;
            return;
        }
        let clock_rate = self.events.map_or(8_000, |(_, rate)| rate);
        // Towards a peer we put on hold, music or silence keeps the stream and its path through NATs alive.
        if self.on_hold {
            match &mut self.music {
                Some(player) => player.fill(audio),
                None => audio.fill(0.0),
            }
        }
        match (self.keys.step(timestamp, self.packet_ms, clock_rate), self.events) {
            (Sending::Event { timestamp, marker, payload }, Some((payload_type, _))) => {
                self.transmit(payload_type, marker, timestamp, &payload.write(), transmit);
                // Audio begins anew after a key.
                self.talkspurt = true;
                // What comes next is not next to the audio before.
                self.copies.clear();
                return;
            }
            (Sending::Tone, _) => self.keys.tone(audio),
            (Sending::Audio | Sending::Event { .. }, _) => {
                if self.is_silent(timestamp, audio, transmit) {
                    return;
                }
            }
        }
        let mut payload = std::mem::take(&mut self.payload);
        self.encoder.encode(audio, &mut payload);
        if payload.is_empty() {
            self.talkspurt = true;
            self.copies.clear();
        } else {
            let marker = std::mem::take(&mut self.talkspurt);
            match self.opus.redundancy.filter(|_| self.codec == Codec::Opus) {
                None => self.transmit(self.payload_type, marker, timestamp, &payload, transmit),
                Some(agreed) => self.with_copy((agreed, marker, timestamp), &payload, transmit),
            }
        }
        self.payload = payload;
    }

    /// Whether there is nothing to say but, now and then, how the room sounds.
    fn is_silent(&mut self, timestamp: u32, audio: &[f32], transmit: &mut impl FnMut(&[u8])) -> bool {
        let Some(agreed) = self.noise else { return false };
        match self.silence.hear(power(audio), self.packet_ms) {
            Hears::Speech => return false,
            Hears::Room(power) => {
                let payload = NoiseDescription::level(power);
                self.transmit(agreed.send_payload_type, false, timestamp, &payload, transmit);
            }
            Hears::Same => {}
        }
        self.talkspurt = true;
        true
    }

    /// While packets get lost each carries a copy of an earlier one.
    fn with_copy(
        &mut self,
        (agreed, marker, timestamp): (Redundancy, bool, u32),
        payload: &[u8],
        transmit: &mut impl FnMut(&[u8]),
    ) {
        if self.losses.is_wary() {
            let payload_type = self.payload_type;
            let mut packet = std::mem::take(&mut self.redundant);
            let earlier = self.copies.front().filter(|(_, copy)| copy.len() + payload.len() <= MOST_WITH_COPY);
            let earlier = earlier.map(|(before, copy)| Block {
                payload_type,
                offset: timestamp.wrapping_sub(*before),
                payload: copy,
            });
            redundancy::write(Block { payload_type, offset: 0, payload }, earlier, &mut packet);
            self.transmit(agreed.send_payload_type, marker, timestamp, &packet, transmit);
            self.redundant = packet;
        } else {
            self.transmit(self.payload_type, marker, timestamp, payload, transmit);
        }
        let recycled = if self.copies.len() >= COPY_DISTANCE { self.copies.pop_front() } else { None };
        let mut copy = recycled.map(|(_, copy)| copy).unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(payload);
        self.copies.push_back((timestamp, copy));
    }

    fn transmit(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
        transmit: &mut impl FnMut(&[u8]),
    ) {
        let packet = Packet { payload_type, marker, sequence: self.sequence, timestamp, ssrc: self.ssrc, payload };
        let mut buffer = [0; MAX_PACKET];
        if let Some(length) = packet.write(&mut buffer) {
            self.sequence = self.sequence.wrapping_add(1);
            transmit(&buffer[..length]);
        }
    }
}

/// What the peer's reports say together: loss comes in spells.
#[derive(Debug, Default)]
struct Losses {
    /// Reports until the network counts as clean again.
    wary: u8,
}

impl Losses {
    /// About 30 s of reports (RFC 3550 §6.2).
    const SPELL: u8 = 6;
    /// Less is chance.
    const SEEN: f64 = 0.005;

    const fn is_wary(&self) -> bool {
        self.wary > 0
    }

    fn report(&mut self, share: f64) -> LossHint {
        self.wary = if share > Self::SEEN { Self::SPELL } else { self.wary.saturating_sub(1) };
        if self.is_wary() { LossHint::Lossy } else { LossHint::Clean }
    }
}

/// What the peer wishes; of Opus the next shorter one of its frames' lengths (RFC 6716 §2.1.4).
fn packet_ms(plan: &MediaPlan) -> u32 {
    match (plan.send.1, plan.ptime_ms) {
        (Codec::Opus, 30) => 20,
        (Codec::Opus, 50) => 40,
        (_, ms @ (10 | 20 | 30 | 40 | 50 | 60)) => ms,
        _ => 20,
    }
}

fn events(plan: &MediaPlan) -> Option<(u8, u32)> {
    plan.telephone_event.map(|event| (event.send_payload_type, event.clock_rate))
}

/// For codecs of its clock; Opus has its own way.
fn noise(plan: &MediaPlan) -> Option<ComfortNoise> {
    plan.comfort_noise.filter(|noise| noise.sends && plan.send.1.clock_rate() == 8_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_as_long_as_the_peer_wishes() {
        use crate::media::rtp::Packet;
        for (codec, ptime_ms, sent_ms) in [
            (Codec::Pcmu, 30, 30),
            (Codec::G722, 50, 50),
            (Codec::Pcma, 10, 10),
            (Codec::Opus, 30, 20),
            (Codec::Opus, 50, 40),
            (Codec::Opus, 60, 60),
        ] {
            let plan = MediaPlan { ptime_ms, ..MediaPlan::of(codec) };
            let mut sender = Sender::new(Start { ssrc: 7, sequence: 0, timestamp: 0 }, &plan);
            let mut durations = Vec::new();
            sender.speak(&[0.1; 48 * 600], |datagram| {
                let packet = Packet::parse(datagram).expect("ours");
                let units = crate::media::codec::duration(codec, packet.payload).expect("ours");
                durations.push(units * 1000 / codec.clock_rate());
            });
            assert_eq!(durations, vec![sent_ms; 600 / sent_ms as usize], "{codec:?}, {ptime_ms}");
        }
    }

    /// RFC 7587 §3.1.3. What is silence libopus learns from a voice 25 dB above it.
    #[test]
    fn opus_pauses_after_a_word_where_that_is_agreed_on() {
        let voice = |n: u32| {
            let phase = n as f32 / SAMPLE_RATE as f32 * std::f32::consts::TAU;
            let harmonics =
                (1..30).map(|k| (-((k * 120 - 600) as f32 / 900.0).powi(2)).exp() * (phase * (k * 120) as f32).sin());
            0.03 * harmonics.sum::<f32>() * (1.0 + (phase * 4.0).sin())
        };
        let mut random = 1_u32;
        let mut room = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random as f32 / u32::MAX as f32 - 0.5) * 2e-3
        };
        for (dtx, pauses) in [(false, 150..=150), (true, 10..=50)] {
            let plan = MediaPlan { opus: OpusParams { dtx, ..OpusParams::default() }, ..MediaPlan::of(Codec::Opus) };
            let mut sender = Sender::new(Start { ssrc: 7, sequence: 0, timestamp: 0 }, &plan);
            let word: Vec<f32> = (0..2 * SAMPLE_RATE).map(|n| voice(n) + room()).collect();
            let pause: Vec<f32> = (0..3 * SAMPLE_RATE).map(|_| room()).collect();
            let mut sent = [0, 0];
            for (count, sound) in sent.iter_mut().zip([word, pause]) {
                sender.speak(&sound, |_| *count += 1);
            }
            assert!(sent[0] == 100 && pauses.contains(&sent[1]), "{dtx}: {sent:?}");
        }
    }

    #[test]
    fn copies_are_sent_from_the_first_loss_to_half_a_minute_after_the_last() {
        let mut losses = Losses::default();
        let shares = [0.0, 0.004, 0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3];
        let lossy = shares.map(|share| losses.report(share) == LossHint::Lossy);
        let expected = [false, false, true, true, true, true, true, true, false, false, true];
        assert_eq!(lossy, expected);
    }
}
