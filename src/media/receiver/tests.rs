//! The receiving half over a simulated network, in simulated time.

mod copies;
mod deep;
mod interrupted;
mod lies;
mod properties;
mod standstill;

use super::*;
use crate::media::{
    BLOCK, SAMPLE_RATE,
    codec::Encoder,
    dsp::{power, steady_tone_share},
    plan::{ComfortNoise, OpusParams, Redundancy, TelephoneEvent},
    rtp::MAX_PACKET,
    sender::{Sender, Start},
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use std::time::Duration;

/// A network and the clocks at both ends.
#[derive(Clone, Copy, Debug)]
struct Network {
    codec: Codec,
    loss: f64,
    jitter_ms: f64,
    /// How much faster than ours the sender's clock runs.
    drift: f64,
    /// Blocks of 10 ms played at once, and when the first is.
    blocks: u32,
    phase_ms: f64,
    seed: u64,
}

const CLEAN: Network =
    Network { codec: Codec::Pcmu, loss: 0.0, jitter_ms: 0.3, drift: 0.0, blocks: 2, phase_ms: 7.0, seed: 1 };

struct Outcome {
    heard: Vec<f32>,
    stats: RxStats,
    /// Delay in the buffer at each second.
    delays: Vec<f64>,
    concealed_from: Vec<u64>,
    lost: u64,
}

fn tone(n: usize) -> f32 {
    0.4 * (n as f32 * 2.0 * std::f32::consts::PI * 440.0 / SAMPLE_RATE as f32).sin()
}

/// Sounds like a voice to a codec: harmonics, syllables, pauses.
fn voice(n: usize) -> f32 {
    let t = n as f32 / SAMPLE_RATE as f32;
    vowel(n) * (2.0 * std::f32::consts::PI * 2.1 * t).sin().max(0.0)
}

/// A voice without pauses.
fn vowel(n: usize) -> f32 {
    let t = n as f32 / SAMPLE_RATE as f32;
    let phase = 2.0 * std::f32::consts::PI * (140.0 * t - 6.0 * (5.0 * t).cos());
    (1..10).map(|k| (k as f32 * phase).sin() / k as f32).sum::<f32>() * 0.2
}

fn packet(sequence: u16, timestamp: u32, payload: &[u8]) -> Packet<'_> {
    Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 5, payload }
}

/// The payloads of 20 ms each that a signal becomes.
fn encoded(codec: Codec, signal: impl Fn(usize) -> f32) -> impl Iterator<Item = Vec<u8>> {
    let mut encoder = Encoder::new(codec, &OpusParams::default());
    (0..).map(move |n: usize| {
        let samples: Vec<f32> = (n * 960..(n + 1) * 960).map(&signal).collect();
        let mut payload = Vec::new();
        encoder.encode(&samples, &mut payload);
        payload
    })
}

/// What is heard in so many milliseconds of packets of 20 ms: when each comes, in milliseconds, its number and payload. `look` gets
/// to see the receiver after each block.
fn listen(
    codec: Codec,
    mut flying: Vec<(u64, usize, Vec<u8>)>,
    duration_ms: u64,
    mut look: impl FnMut(u64, &Receiver),
) -> (Vec<f32>, Receiver) {
    flying.sort_by_key(|(came, n, _)| (*came, *n));
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(codec));
    let (mut flying, mut heard) = (flying.iter().peekable(), Vec::new());
    for ms in (5..duration_ms).step_by(10) {
        while let Some((came, n, payload)) = flying.next_if(|(came, ..)| *came <= ms) {
            let packet = packet(*n as u16, *n as u32 * codec.clock_rate() / 50, payload);
            receiver.handle_packet(epoch + Duration::from_millis(*came), &packet);
        }
        let mut block = [0.0; BLOCK];
        receiver.play(epoch + Duration::from_millis(ms), &mut block);
        heard.extend(block);
        look(ms, &receiver);
    }
    (heard, receiver)
}

fn run(network: Network, seconds: u64, signal: fn(usize) -> f32) -> Outcome {
    let epoch = Instant::now();
    let at = |ms: f64| epoch + Duration::from_secs_f64(ms / 1000.0);
    let mut random = StdRng::seed_from_u64(network.seed);
    let mut unit = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut encoder = Encoder::new(network.codec, &OpusParams::default());
    if network.loss > 0.0 {
        encoder.hint(crate::media::codec::LossHint::Lossy);
    }
    let mut flying: Vec<(f64, Vec<u8>)> = Vec::new();
    let mut lost = 0;
    for n in 0..seconds * 50 {
        let samples: Vec<f32> = (n as usize * 960..(n as usize + 1) * 960).map(signal).collect();
        let mut payload = Vec::new();
        encoder.encode(&samples, &mut payload);
        let timestamp = n as u32 * network.codec.clock_rate() / 50;
        let packet =
            Packet { payload_type: 0, marker: n == 0, sequence: n as u16, timestamp, ssrc: 5, payload: &payload };
        let mut buffer = [0; MAX_PACKET];
        let length = packet.write(&mut buffer).unwrap();
        let sent_ms = n as f64 * 20.0 / (1.0 + network.drift) + 100.0;
        let (drop, delay) = (unit(), unit());
        if drop < network.loss {
            lost += 1;
        } else {
            flying.push((sent_ms + delay * network.jitter_ms, buffer[..length].to_vec()));
        }
    }
    flying.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(network.codec));
    let (mut heard, mut delays, mut concealed_from) = (Vec::new(), Vec::new(), Vec::new());
    let (mut next, mut now_ms) = (0, network.phase_ms);
    while now_ms < seconds as f64 * 1000.0 {
        while next < flying.len() && flying[next].0 <= now_ms {
            let packet = Packet::parse(&flying[next].1).unwrap();
            receiver.handle_packet(at(flying[next].0), &packet);
            next += 1;
        }
        for _ in 0..network.blocks {
            let mut samples = [0.0; BLOCK];
            receiver.play(at(now_ms), &mut samples);
            heard.extend(samples);
        }
        now_ms += f64::from(network.blocks) * 10.0;
        if delays.len() < (now_ms / 1000.0) as usize {
            delays.push(receiver.stats().buffer_ms);
            concealed_from.push(receiver.stats().concealed_ms);
        }
    }
    Outcome { heard, stats: receiver.stats(), delays, concealed_from, lost }
}

#[test]
fn a_clean_network_needs_no_concealment_and_little_delay() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        for blocks in [1, 2] {
            // Encoding Opus takes most of the time.
            let phases: &[f64] =
                if codec == Codec::Opus { &[0.0, 7.0] } else { &[0.0, 2.0, 4.5, 7.0, 10.0, 13.0, 19.0] };
            for &phase_ms in phases {
                let network = Network { codec, blocks, phase_ms, ..CLEAN };
                let outcome = run(network, 6, tone);
                assert!(outcome.stats.concealed_ms <= 20, "{network:?}: {:?}", outcome.stats);
                assert!(outcome.delays[3..].iter().all(|ms| *ms <= 31.0), "{network:?}: {:?}", outcome.delays);
                let share = steady_tone_share(&outcome.heard[SAMPLE_RATE as usize * 2..], 440.0, SAMPLE_RATE);
                assert!(share > 0.97, "{network:?}: {share}");
            }
        }
    }
}

#[test]
fn clocks_that_drift_apart_are_followed() {
    for drift in [-500e-6, 500e-6] {
        let network = Network { drift, jitter_ms: 2.0, ..CLEAN };
        let outcome = run(network, 60, tone);
        // Without an answer 500 ppm make 30 ms of difference in a minute.
        assert!(outcome.delays[5..].iter().all(|ms| (0.0..=38.0).contains(ms)), "{drift}: {:?}", outcome.delays);
        assert!(outcome.stats.concealed_ms <= 150, "{drift}: {:?}", outcome.stats);
    }
}

#[test]
fn jitter_is_absorbed_and_the_delay_stays_near_it() {
    for (codec, jitter_ms) in
        [(Codec::Pcmu, 10.0), (Codec::Pcmu, 40.0), (Codec::Pcmu, 100.0), (Codec::Pcmu, 150.0), (Codec::Opus, 50.0)]
    {
        let network = Network { codec, jitter_ms, seed: 3, ..CLEAN };
        let outcome = run(network, 30, voice);
        let settled = outcome.stats.concealed_ms - outcome.concealed_from[9];
        assert!(settled <= 600, "{network:?}: {settled} ms of 20 s, {:?}", outcome.stats);
        let most = jitter_ms + 40.0;
        assert!(outcome.delays[10..].iter().all(|ms| *ms < most), "{network:?}: {:?}", outcome.delays);
    }
}

#[test]
fn loss_is_counted_and_concealed() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let outcome = run(Network { codec, loss: 0.1, jitter_ms: 5.0, seed: 9, ..CLEAN }, 20, voice);
        // The last packets may be lost without anybody noticing.
        assert!(outcome.lost - outcome.stats.lost < 3, "{:?} of {}", outcome.stats, outcome.lost);
        let concealed = outcome.stats.concealed_ms as f64 / (outcome.lost as f64 * 20.0);
        match codec {
            Codec::Opus => assert!(concealed < 0.65, "copies should restore much: {concealed}"),
            Codec::G722 | Codec::Pcmu | Codec::Pcma => assert!((0.8..1.3).contains(&concealed), "{concealed}"),
        }
        let loudness = power(&outcome.heard) / power(&run(CLEAN, 20, voice).heard);
        // The bands of G.722 take some packets to know again how loud a voice is.
        let least = if codec == Codec::G722 { 0.7 } else { 0.84 };
        assert!((least..1.1).contains(&loudness), "{codec:?}: {loudness}");
    }
}

/// On a busy machine the engine is woken late at times: the network has nothing to do with it.
#[test]
fn who_wakes_late_stretches_nothing() {
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Pcmu));
    let mut random = StdRng::seed_from_u64(5);
    let (mut least, mut most) = (f64::INFINITY, 0.0f64);
    for step in 0..1_000u64 {
        let packet = packet(step as u16, step as u32 * 160, &[0x80; 160]);
        receiver.handle_packet(epoch + Duration::from_millis(20 * step), &packet);
        let late = if random.random::<f64>() < 0.3 { random.random_range(0..15) } else { 0 };
        for _ in 0..2 {
            receiver.play(epoch + Duration::from_millis(20 * step + 3 + late), &mut [0.0; BLOCK]);
        }
        if step > 200 {
            let delay = receiver.stats().buffer_ms;
            (least, most) = (least.min(delay), most.max(delay));
        }
    }
    assert!(most - least < 4.0, "{least} to {most}");
}

/// Whoever takes over counts sequence numbers and time from where they like.
#[test]
fn keys_are_heard_of_whoever_takes_over() {
    let events = TelephoneEvent { send_payload_type: 101, receive_payload_type: 101, clock_rate: 8_000 };
    let plan = MediaPlan { telephone_event: Some(events), ..MediaPlan::of(Codec::Pcmu) };
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &plan);
    let mut heard = String::new();
    let streams = [(5, 100u16, 3_000_000_000u32), (6, 100, 2_000_000_000), (6, 40_000, 1_000_000_000), (6, 40_020, 9)];
    for (turn, (ssrc, first, start)) in (0u64..).zip(streams) {
        let mut sender = Sender::new(Start { ssrc, sequence: first, timestamp: start }, &plan);
        sender.press("7", crate::media::engine::DtmfVia::Rfc4733);
        for n in 0..20u64 {
            let now = epoch + Duration::from_millis(turn * 400 + n * 20);
            // Two packets of audio make a new source believed.
            sender.speak(&[0.1; 2 * BLOCK], |datagram| {
                let packet = Packet::parse(datagram).expect("ours");
                heard.extend(receiver.handle_packet(now, &packet));
            });
        }
    }
    assert_eq!(heard, "7777");
}

/// A switch joins us to somebody else, at once or after a while, and keeps SSRC and sequence numbers.
#[test]
fn a_jump_of_the_timestamp_mutes_nobody() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        for (jump_s, rest_ms) in [(2, 0), (30, 0), (59, 0), (30, 700), (30, 2_500), (300, 0), (-3, 0), (-30, 1_000)] {
            let epoch = Instant::now();
            let mut receiver = Receiver::new(epoch, &MediaPlan::of(codec));
            let mut payloads = (0..).zip(encoded(codec, tone));
            let rate = codec.clock_rate();
            let (mut muted_ms, mut block) = (0, [0.0; BLOCK]);
            for ms in (0..10_000u64).step_by(10) {
                let now = epoch + Duration::from_millis(ms);
                let is_resting = (5_000..5_000 + rest_ms).contains(&ms);
                if ms % 20 == 0 && !is_resting {
                    let (sequence, payload) = payloads.next().expect("there is always more");
                    let jump = if ms < 5_000 { 0 } else { jump_s * rate as i32 } as u32;
                    let timestamp = (ms as u32 * (rate / 1000)).wrapping_add(jump);
                    receiver.handle_packet(now + Duration::from_millis(3), &packet(sequence, timestamp, &payload));
                }
                receiver.play(now + Duration::from_millis(7), &mut block);
                let is_silent = power(&block) < 0.01;
                muted_ms += if ms > 5_000 + rest_ms && is_silent { 10 } else { 0 };
            }
            assert!(muted_ms <= 100, "{codec:?}, {jump_s} s after {rest_ms} ms: {muted_ms} ms without sound");
            let stats = receiver.stats();
            assert!(stats.buffer_ms < 40.0 && stats.lost == 0 && stats.late <= 3, "{codec:?} {jump_s}: {stats:?}");
        }
    }
}

/// Speech, a pause told by comfort noise packets alone, speech again.
#[test]
fn a_pause_sounds_as_its_sender_describes_it_and_nothing_clicks() {
    let noise = ComfortNoise { send_payload_type: 13, receive_payload_type: 13, sends: true };
    let plan = MediaPlan { comfort_noise: Some(noise), ..MediaPlan::of(Codec::Pcmu) };
    let start = Start { ssrc: 9, sequence: 65_530, timestamp: 4_294_000_000 };
    let mut sender = Sender::new(start, &plan);
    let mut random = StdRng::seed_from_u64(5);
    let mut room = |_| 0.003 * (random.random::<f32>() * 2.0 - 1.0);
    let mut signal: Vec<f32> = (0..10 * SAMPLE_RATE as usize).map(&mut room).collect();
    for (n, sample) in signal.iter_mut().enumerate() {
        if !(4..8).contains(&(n / SAMPLE_RATE as usize)) {
            *sample += tone(n) * 0.5;
        }
    }
    let (epoch, mut packets) = (Instant::now(), Vec::new());
    let mut receiver = Receiver::new(epoch, &plan);
    let mut heard = Vec::new();
    for (n, block) in signal.chunks_exact(2 * BLOCK).enumerate() {
        let now = epoch + Duration::from_millis(20) * n as u32;
        let before = packets.len();
        sender.speak(block, |packet| packets.push(packet.to_vec()));
        for packet in &packets[before..] {
            receiver.handle_packet(now + Duration::from_millis(5), &Packet::parse(packet).unwrap());
        }
        for half in 0..2 {
            let mut samples = [0.0; BLOCK];
            receiver.play(now + Duration::from_millis(10 * half + 6), &mut samples);
            heard.extend(samples);
        }
    }
    let second = SAMPLE_RATE as usize;
    assert!(packets.len() < 340, "four seconds of silence are not sent: {}", packets.len());
    let pause = &heard[5 * second..7 * second + second / 2];
    let db = 10.0 * (power(pause) / power(&signal[5 * second..6 * second])).log10();
    // The room is heard up to 4 kHz of 24.
    assert!((-4.0..4.0).contains(&db), "the room sounds as it is: {db} dB");
    assert!(pause.chunks_exact(BLOCK).all(|block| power(block) > 0.0), "it never goes silent");
    let steepest = |samples: &[f32]| samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    let usual = steepest(&heard[second..3 * second]);
    assert!(steepest(&heard[3 * second..9 * second]) < 2.0 * usual, "no click: {usual}");
    let stats = receiver.stats();
    assert_eq!((stats.lost, stats.late, stats.concealed_ms), (0, 0, 0));
    let (_, missing, _) = receiver.missed();
    assert_eq!(missing, 0);
}
