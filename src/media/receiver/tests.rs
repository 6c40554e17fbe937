//! The receiving half over a simulated network, in simulated time.

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
        let payload = [0x80; 160];
        let (sequence, timestamp) = (step as u16, step as u32 * 160);
        let packet = Packet { payload_type: 0, marker: step == 0, sequence, timestamp, ssrc: 5, payload: &payload };
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

#[test]
fn a_standstill_of_the_network_is_caught_up_with() {
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Pcmu));
    let mut block = [0.0; BLOCK];
    for ms in (0..20_000u64).step_by(10) {
        // Everything sent in the fourth second arrives at its end.
        let arrivals = match ms {
            3_000..4_000 => 0..0,
            4_000 => 150..201,
            _ if ms % 20 == 0 => ms / 20..ms / 20 + 1,
            _ => 0..0,
        };
        for n in arrivals {
            let packet = Packet {
                payload_type: 0,
                marker: false,
                sequence: n as u16,
                timestamp: n as u32 * 160,
                ssrc: 5,
                payload: &[0x80; 160],
            };
            receiver.handle_packet(epoch + Duration::from_millis(ms), &packet);
        }
        receiver.play(epoch + Duration::from_millis(ms), &mut block);
    }
    assert!(receiver.stats().buffer_ms < 40.0, "{:?}", receiver.stats());
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
            let mut encoder = Encoder::new(codec, &OpusParams::default());
            let rate = codec.clock_rate();
            let (mut muted_ms, mut payload, mut block) = (0, Vec::new(), [0.0; BLOCK]);
            for ms in (0..10_000u64).step_by(10) {
                let now = epoch + Duration::from_millis(ms);
                let is_resting = (5_000..5_000 + rest_ms).contains(&ms);
                if ms % 20 == 0 && !is_resting {
                    let n = if ms < 5_000 { ms / 20 } else { (ms - rest_ms) / 20 };
                    let samples: Vec<f32> = (n as usize * 960..(n as usize + 1) * 960).map(tone).collect();
                    encoder.encode(&samples, &mut payload);
                    let jump = if ms < 5_000 { 0 } else { jump_s * rate as i32 } as u32;
                    let timestamp = (ms as u32 * (rate / 1000)).wrapping_add(jump);
                    let (sequence, ssrc) = (n as u16, 5);
                    let packet =
                        Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc, payload: &payload };
                    receiver.handle_packet(now + Duration::from_millis(3), &packet);
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

/// Forty seconds of Opus from our own sender over a network that loses packets: `begins`, the share after one that came, `goes_on`
/// after one that was lost. Blocks are played so long after the sender's. Returns the concealed share, the delay, and between which bounds that was from the tenth second on.
fn lossy_call(
    redundancy: Option<Redundancy>,
    signal: fn(usize) -> f32,
    (begins, goes_on): (f64, f64),
    phase: Duration,
) -> (f64, f64, (f64, f64)) {
    let opus = OpusParams { redundancy, ..OpusParams::default() };
    let plan =
        MediaPlan { send: (96, Codec::Opus), receive: vec![(96, Codec::Opus)], opus, ..MediaPlan::of(Codec::Opus) };
    let mut sender = Sender::new(Start { ssrc: 7, sequence: 1_000, timestamp: 5_000 }, &plan);
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &plan);
    let mut random = StdRng::seed_from_u64(11);
    let mut losing = false;
    let (mut least, mut most) = (f64::INFINITY, 0.0f64);
    for frame in 0..2_000u64 {
        if frame % 250 == 0 {
            // RTCP every five seconds.
            sender.peer_loses(0.2);
        }
        let now = epoch + Duration::from_millis(20 * frame);
        let spoken: Vec<f32> = (0..960).map(|n| signal((frame * 960) as usize + n)).collect();
        sender.speak(&spoken, |datagram| {
            losing = random.random::<f64>() < if losing { goes_on } else { begins };
            if !losing {
                let packet = Packet::parse(datagram).expect("ours");
                assert!(receiver.knows(packet.payload_type));
                receiver.handle_packet(now, &packet);
            }
        });
        for _ in 0..2 {
            receiver.play(now + phase, &mut [0.0; BLOCK]);
        }
        if frame > 500 {
            let delay = receiver.stats().buffer_ms;
            (least, most) = (least.min(delay), most.max(delay));
        }
    }
    let stats = receiver.stats();
    let share = stats.lost as f64 / 2_000.0 * (1.0 - goes_on + begins) / begins;
    assert!((0.8..1.2).contains(&share), "copies are no packets: {stats:?}");
    (receiver.concealed_share(true), stats.buffer_ms, (least, most))
}

#[test]
fn copies_of_earlier_packets_fill_what_is_lost() {
    let agreed = Redundancy { send_payload_type: 98, receive_payload_type: 98 };
    let phase = Duration::from_millis(5);
    // Each by itself, and in bursts of 2.5 on average.
    for (network, most, gain) in [((0.2, 0.2), 0.03, 4.0), ((0.1, 0.6), 0.06, 2.4)] {
        let (without, delay, _) = lossy_call(None, voice, network, phase);
        let (with, delay_with, _) = lossy_call(Some(agreed), voice, network, phase);
        println!(
            "concealed of 20 % lost {network:?}: {without:.4} without copies in {delay:.0} ms, {with:.4} with them in \
             {delay_with:.0} ms"
        );
        assert!(with < most && with < without / gain, "{network:?}: {with} {without}");
        assert!(delay_with < 80.0, "{delay_with}");
    }
}

/// Copies make up for nearly all that is lost: they are waited for all the same, and the voice is not stretched to and fro.
#[test]
fn copies_are_waited_for_as_long_as_the_network_loses() {
    let agreed = Redundancy { send_payload_type: 98, receive_payload_type: 98 };
    for share in [0.05, 0.1] {
        let (concealed, _, (least, most)) = lossy_call(Some(agreed), voice, (share, share), Duration::from_millis(5));
        println!("{share}: {concealed:.4} concealed, in {least:.0} to {most:.0} ms");
        assert!(concealed < 0.01 && most - least < 25.0, "{share}: {concealed}, {least} to {most}");
    }
}

/// A copy's distance is read from its length: what was sent before the packets' length changed belongs to no packet any more.
#[test]
fn no_copy_outlives_a_change_of_packet_time() {
    let agreed = Redundancy { send_payload_type: 98, receive_payload_type: 98 };
    let opus = OpusParams { redundancy: Some(agreed), ..OpusParams::default() };
    let at = |ptime_ms| MediaPlan {
        send: (96, Codec::Opus),
        receive: vec![(96, Codec::Opus)],
        opus,
        ptime_ms,
        ..MediaPlan::of(Codec::Opus)
    };
    for (before, after) in [(20, 40), (40, 20), (60, 20), (20, 10)] {
        let mut sender = Sender::new(Start { ssrc: 7, sequence: 1_000, timestamp: 5_000 }, &at(before));
        sender.peer_loses(0.2);
        let mut offsets = Vec::new();
        for ptime_ms in [before, after] {
            sender.set_plan(&at(ptime_ms));
            for packet in 0..6usize {
                let samples = ptime_ms as usize * SAMPLE_RATE as usize / 1_000;
                let spoken: Vec<f32> = (0..samples).map(|n| voice(packet * samples + n)).collect();
                sender.speak(&spoken, |datagram| {
                    let packet = Packet::parse(datagram).expect("ours");
                    let redundant = Redundant::parse(packet.payload).expect("with copies");
                    offsets.push((ptime_ms, redundant.copies().map(|copy| copy.offset / 48).collect::<Vec<_>>()));
                });
            }
        }
        for ptime_ms in [before, after] {
            let carried: Vec<_> =
                offsets.iter().filter(|(at, _)| *at == ptime_ms).map(|(_, found)| &found[..]).collect();
            let (one, two): (&[u32], &[u32]) = (&[ptime_ms], &[2 * ptime_ms]);
            assert_eq!(carried, [&[], one, two, two, two, two], "{before} to {after}");
        }
    }
}

/// Whenever blocks are played, what follows a lost packet is there by then; libopus puts no copy into each, though.
#[test]
fn what_follows_a_lost_packet_is_waited_for() {
    for phase_ms in [0, 4, 8, 12, 16, 19] {
        let (concealed, delay, (least, most)) = lossy_call(None, vowel, (0.05, 0.05), Duration::from_millis(phase_ms));
        println!("blocks {phase_ms} ms later: {concealed:.4} concealed of 5 % lost, in {least:.0} to {most:.0} ms");
        assert!(most - least < 15.0, "the voice is stretched to and fro: {least} to {most}");
        assert!(concealed < 0.025 && delay < 60.0, "{phase_ms}: {concealed} {delay}");
    }
}

/// So many frames of 20 ms, of which `loses` names those whose packet is lost; the payloads are repeated. Returns what was heard, the
/// delay at each frame and the milliseconds concealed.
fn replay(payloads: &[Vec<u8>], frames: usize, mut loses: impl FnMut(usize) -> bool) -> (Vec<f32>, Vec<f64>, u64) {
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Opus));
    let (mut heard, mut delays) = (Vec::new(), Vec::new());
    for (frame, payload) in payloads.iter().cycle().take(frames).enumerate() {
        let now = epoch + Duration::from_millis(20 * frame as u64);
        if !loses(frame) {
            let (sequence, timestamp) = (frame as u16, 960 * frame as u32);
            let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 5, payload };
            receiver.handle_packet(now, &packet);
        }
        for half in 0..2 {
            let mut block = [0.0; BLOCK];
            receiver.play(now + Duration::from_millis(10 * half + 5), &mut block);
            heard.extend(block);
        }
        delays.push(receiver.stats().buffer_ms);
    }
    (heard, delays, receiver.stats().concealed_ms)
}

/// Whether each packet is lost: `begins` is the share after one that came, `goes_on` after one that was lost.
fn bursts(begins: f64, goes_on: f64) -> impl FnMut(usize) -> bool {
    let mut random = StdRng::seed_from_u64(11);
    let mut losing = false;
    move |_| {
        losing = random.random::<f64>() < if losing { goes_on } else { begins };
        losing
    }
}

/// Packets that look back are waited for as long as the network loses, three at most, and not for being there.
#[test]
fn packets_that_look_back_are_waited_for_while_the_network_loses() {
    let deep = codec::deep_packets(vowel, 500);
    let (_, delays, concealed) = replay(&deep, 600, |_| false);
    assert!(concealed <= 20 && delays[100..].iter().all(|ms| *ms <= 31.0), "{concealed} ms, {delays:?}");
    let mut encoder = Encoder::new(Codec::Opus, &OpusParams::default());
    let plain: Vec<Vec<u8>> = (0..500)
        .map(|frame| {
            let mut payload = Vec::new();
            encoder.encode(&(frame * 960..(frame + 1) * 960).map(vowel).collect::<Vec<_>>(), &mut payload);
            payload
        })
        .collect();
    for (begins, goes_on) in [(0.1, 0.6), (0.2, 0.2)] {
        let (_, waited, _) = replay(&deep, 1_500, bursts(begins, goes_on));
        let (_, unwaited, _) = replay(&plain, 1_500, bursts(begins, goes_on));
        let bounds = |delays: &[f64]| {
            delays[500..].iter().fold((f64::INFINITY, 0.0f64), |(least, most), ms| (least.min(*ms), most.max(*ms)))
        };
        let ((least, most), (_, plain_most)) = (bounds(&waited), bounds(&unwaited));
        println!("{begins} {goes_on}: {least:.0} to {most:.0} ms, {plain_most:.0} ms where none looks back");
        assert!(least > 55.0 && most < 110.0, "{least} to {most} ms");
        assert!(plain_most < 70.0, "{plain_most} ms where none looks back");
    }
    // A lossy while, and a good one.
    let mut losing = bursts(0.1, 0.6);
    let (_, delays, _) = replay(&deep, 2_600, |frame| losing(frame) && frame < 600);
    assert!(delays[599] > 55.0 && delays[2_500..].iter().all(|ms| *ms <= 31.0), "{:?}", delays[599]);
}

#[test]
fn what_is_lost_in_bursts_is_heard_from_packets_that_look_back() {
    let syllables =
        |n: usize| vowel(n) * (0.5 + 0.5 * (2.0 * std::f32::consts::PI * 5.0 * n as f32 / SAMPLE_RATE as f32).sin());
    let payloads = codec::deep_packets(syllables, 1_000);
    let bare: Vec<Vec<u8>> = payloads.iter().map(|payload| without_padding(payload)).collect();
    let lost = |frame: usize| frame > 20 && frame % 14 < 3;
    let (wanted, delays, _) = replay(&payloads, 1_000, |_| false);
    // From the tenth second on how loud each 10 ms is, and which of them were lost.
    let envelope = |samples: &[f32]| -> Vec<f32> {
        samples.chunks_exact(480).map(|piece| 10.0 * (power(piece) + 1e-5).log10()).collect()
    };
    let (from, to) = (480_000, 900_000);
    let wanted = envelope(&wanted[from..to]);
    let is_lost = |piece: usize| lost((from + piece * 480 - 48 * delays[500] as usize) / 960);
    // By the delay that makes them most alike.
    let off = |heard: &[f32]| {
        let by = |later: usize| {
            let made = envelope(&heard[from + later..to + later]);
            let errors = made.iter().zip(&wanted).enumerate().filter(|(piece, _)| is_lost(*piece));
            let errors: Vec<f32> = errors.map(|(_, (a, b))| (a - b).abs()).collect();
            errors.iter().sum::<f32>() / errors.len() as f32
        };
        (0..7_200).step_by(120).map(by).fold(f32::INFINITY, f32::min)
    };
    let (heard, _, concealed) = replay(&payloads, 1_000, lost);
    let (deep, plain) = (off(&heard), off(&replay(&bare, 1_000, lost).0));
    println!("{deep:.1} dB off, {plain:.1} dB without looking back; {concealed} ms concealed");
    assert!(deep < 0.5 * plain, "{deep} dB off, {plain} without looking back");
    let missing = (0..1_000).filter(|&frame| lost(frame)).count() as u64 * 20;
    assert!(concealed.abs_diff(missing) < 100, "what is made up counts as concealed: {concealed} of {missing}");
}

/// A packet of one frame without what it is padded with (RFC 6716 §3.2.5).
fn without_padding(payload: &[u8]) -> Vec<u8> {
    let &[toc, count, ref rest @ ..] = payload else { return payload.to_vec() };
    if toc & 3 != 3 || count & 0x7f != 0x41 {
        return payload.to_vec();
    }
    let full = rest.iter().take_while(|&&octet| octet == 255).count();
    let padding = 254 * full + usize::from(rest[full]);
    [&[toc & !3], &rest[full + 1..rest.len() - padding]].concat()
}

mod properties {
    use super::*;
    use crate::properties::config;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Step {
        advance_ms: u8,
        sequence: u16,
        timestamp: u32,
        payload_type: u8,
        ssrc: u32,
        payload: Vec<u8>,
    }

    fn step() -> impl Strategy<Value = Step> {
        let sequence = prop_oneof![3 => 0u16..60, 1 => any::<u16>()];
        let timestamp = prop_oneof![3 => 0u32..60, 1 => any::<u32>()];
        let payload = prop_oneof![Just(vec![0x55; 160]), prop::collection::vec(any::<u8>(), 0..200)];
        (0u8..60, sequence, timestamp, 0u8..4, 0u32..2, payload).prop_map(
            |(advance_ms, sequence, timestamp, payload_type, ssrc, payload)| {
                let timestamp = if timestamp < 60 { timestamp * 160 } else { timestamp };
                Step { advance_ms, sequence, timestamp, payload_type, ssrc, payload }
            },
        )
    }

    const HUM: f32 = 0.4;

    /// What the network does to a packet: how late each of its copies comes; none where it is lost.
    fn fate() -> impl Strategy<Value = Vec<u16>> {
        let late = || prop_oneof![3 => 0u16..8, 1 => 0u16..60, 1 => 0u16..400];
        prop_oneof![6 => Just(vec![2]), 3 => prop::collection::vec(late(), 1..3), 2 => Just(Vec::new())]
    }

    /// Runs of packets that fare alike, and those that fare as they like.
    fn fates() -> impl Strategy<Value = Vec<Vec<u16>>> {
        let run = (fate(), prop_oneof![2 => 1usize..3, 1 => 1usize..30]).prop_map(|(fate, times)| vec![fate; times]);
        prop::collection::vec(run, 1..50).prop_map(|runs| runs.concat())
    }

    /// What is heard of a hum whose packets fare so, after half a second in which all is well.
    fn hum(codec: Codec, hz: f32, fates: &[Vec<u16>]) -> Vec<f32> {
        let at_once = vec![0];
        let fates: Vec<&Vec<u16>> = std::iter::repeat_n(&at_once, 25).chain(fates).collect();
        let mut encoder = Encoder::new(codec, &OpusParams::default());
        let mut flying: Vec<(u64, usize, Vec<u8>)> = Vec::new();
        for (n, fate) in fates.iter().enumerate() {
            let sample = |n: usize| {
                let t = n as f32 / SAMPLE_RATE as f32;
                HUM * (2.0 * std::f32::consts::PI * hz * t).sin() * (t / 0.1).min(1.0)
            };
            let mut payload = Vec::new();
            encoder.encode(&(n * 960..(n + 1) * 960).map(sample).collect::<Vec<_>>(), &mut payload);
            flying.extend(fate.iter().map(|&late| (20 * n as u64 + u64::from(late), n, payload.clone())));
        }
        flying.sort_by_key(|(came, ..)| *came);
        let epoch = Instant::now();
        let mut receiver = Receiver::new(epoch, &MediaPlan::of(codec));
        let (mut flying, mut heard) = (flying.iter().peekable(), Vec::new());
        for ms in (5..20 * fates.len() as u64).step_by(10) {
            while let Some((came, n, payload)) = flying.next_if(|(came, ..)| *came <= ms) {
                let (sequence, timestamp) = (*n as u16, *n as u32 * codec.clock_rate() / 50);
                let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 5, payload };
                receiver.handle_packet(epoch + Duration::from_millis(*came), &packet);
            }
            let mut block = [0.0; BLOCK];
            receiver.play(epoch + Duration::from_millis(ms), &mut block);
            heard.extend(block);
        }
        heard
    }

    proptest! {
        #![proptest_config(config(48, 3551))]

        /// Gaps, what bridges them, both their edges, and changes of the delay.
        #[test]
        fn a_hum_clicks_nowhere_whatever_the_network_does(hz in 100u16..400, fates in fates()) {
            let hz = f32::from(hz);
            let own = HUM * 2.0 * (std::f32::consts::PI * hz / SAMPLE_RATE as f32).sin();
            let heard = hum(Codec::Pcmu, hz, &fates);
            let steps = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs() / own);
            let (at, steepest) = steps.enumerate().fold((0, 0.0), |most, step| if step.1 > most.1 { step } else { most });
            let block = at / BLOCK;
            prop_assert!(steepest < 8.0, "{hz} Hz: {steepest} times its own step in block {block}");
        }
    }

    proptest! {
        #![proptest_config(config(48, 3550))]

        #[test]
        fn any_packets_leave_it_sane(steps in prop::collection::vec(step(), 1..120)) {
            let epoch = Instant::now();
            let receive = vec![(0, Codec::Pcmu), (1, Codec::Opus)];
            let events = TelephoneEvent { send_payload_type: 2, receive_payload_type: 2, clock_rate: 8_000 };
            let plan = MediaPlan { receive, telephone_event: Some(events), ..MediaPlan::of(Codec::Pcmu) };
            let mut receiver = Receiver::new(epoch, &plan);
            let mut now = epoch;
            for step in &steps {
                now += Duration::from_millis(u64::from(step.advance_ms));
                let packet = Packet {
                    payload_type: step.payload_type,
                    marker: false,
                    sequence: step.sequence,
                    timestamp: step.timestamp,
                    ssrc: step.ssrc,
                    payload: &step.payload,
                };
                receiver.handle_packet(now, &packet);
                let mut block = [9.0; BLOCK];
                receiver.play(now, &mut block);
                prop_assert!(block.iter().all(|sample| sample.is_finite() && sample.abs() <= 1.0));
                let stats = receiver.stats();
                prop_assert!(stats.packets <= steps.len() as u64 && stats.late <= stats.packets);
                prop_assert!(stats.buffer_ms >= 0.0 && stats.jitter_ms.is_finite());
                prop_assert!(receiver.playout.held_ms() < 200.0, "{}", receiver.playout.held_ms());
            }
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
