//! What holds whatever the network does.

use super::*;
use crate::properties::{config, datagrams, spoilt};
use proptest::{prelude::*, sample::select};

#[derive(Clone, Debug)]
struct Step {
    advance_ms: u8,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
    ssrc: u32,
    payload: Vec<u8>,
}

const EVENTS: u8 = 101;
const COPIES: u8 = 98;
const NOISE: u8 = 13;
const TYPES: [u8; 6] = [0, 96, EVENTS, COPIES, NOISE, 3];

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![0x55; 160]), prop::collection::vec(any::<u8>(), 0..200)]
}

/// Packets with copies (RFC 2198) of whatever kind and of whatever time before, some of them not as long as they say.
fn redundant() -> impl Strategy<Value = Vec<u8>> {
    let near = (select(vec![160, 320, 960]), 0u32..5).prop_map(|(length, n)| length * n);
    let copy = (select(&TYPES[..]), prop_oneof![3 => near, 1 => 0u32..1 << 14], payload());
    let excess = prop_oneof![9 => Just(0), 1 => any::<u32>()];
    let written = (prop::collection::vec((copy, excess), 0..7), select(&TYPES[..]), payload()).prop_map(
        |(copies, payload_type, payload)| {
            let word = |((kind, offset, payload), excess): &((u8, u32, Vec<u8>), u32)| {
                let length = (payload.len() as u32).wrapping_add(*excess) & 0x3ff;
                u32::from(0x80 | kind) << 24 | offset << 10 | length
            };
            let mut octets: Vec<u8> = copies.iter().flat_map(|copy| word(copy).to_be_bytes()).collect();
            octets.push(payload_type);
            copies.iter().for_each(|((.., payload), _)| octets.extend(payload));
            octets.extend(payload);
            octets
        },
    );
    let known = datagrams("rtp-redundant").into_iter().map(|datagram| datagram[12..].to_vec()).collect();
    prop_oneof![3 => written, 1 => spoilt(known)]
}

fn step() -> impl Strategy<Value = Step> {
    let sequence = prop_oneof![3 => 0u16..60, 1 => any::<u16>()];
    let timestamp = prop_oneof![3 => 0u32..60, 1 => any::<u32>()];
    let content = select(&TYPES[..]).prop_flat_map(|payload_type| match payload_type {
        COPIES => (Just(payload_type), redundant().boxed()),
        _ => (Just(payload_type), payload().boxed()),
    });
    (0u8..60, sequence, timestamp, content, 0u32..2).prop_map(
        |(advance_ms, sequence, timestamp, (payload_type, payload), ssrc)| {
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
    let sample = |n: usize| {
        let t = n as f32 / SAMPLE_RATE as f32;
        HUM * (2.0 * std::f32::consts::PI * hz * t).sin() * (t / 0.1).min(1.0)
    };
    let mut flying = Vec::new();
    for ((n, fate), payload) in fates.iter().enumerate().zip(encoded(codec, sample)) {
        flying.extend(fate.iter().map(|&late| (20 * n as u64 + u64::from(late), n, payload.clone())));
    }
    listen(codec, flying, 20 * fates.len() as u64, |_, _| {}).0
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
        let events = TelephoneEvent { send_payload_type: EVENTS, receive_payload_type: EVENTS, clock_rate: 8_000 };
        let redundancy = Some(Redundancy { send_payload_type: COPIES, receive_payload_type: COPIES });
        let plan = MediaPlan {
            receive: vec![(0, Codec::Pcmu), (96, Codec::Opus)],
            telephone_event: Some(events),
            opus: OpusParams { redundancy, ..OpusParams::default() },
            comfort_noise: Some(ComfortNoise { send_payload_type: NOISE, receive_payload_type: NOISE, sends: false }),
            ..MediaPlan::of(Codec::Pcmu)
        };
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
            prop_assert!((0.0..=1.0).contains(&stats.concealed_share));
            prop_assert!(receiver.playout.queued_ms() < 200.0, "{}", receiver.playout.queued_ms());
        }
    }
}

#[test]
fn a_copy_of_another_time_moves_no_delay() {
    for away in [1u32 << 24, 0u32.wrapping_sub(1 << 24)] {
        let epoch = Instant::now();
        let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Pcmu));
        for n in 0..100u16 {
            let now = epoch + Duration::from_millis(20) * u32::from(n);
            for timestamp in [160 * u32::from(n), (160 * u32::from(n)).wrapping_add(away)] {
                receiver.handle_packet(now, &packet(n, timestamp, &[0x55; 160]));
            }
            (0..2).for_each(|_| receiver.play(now + Duration::from_millis(5), &mut [0.0; BLOCK]));
            assert!(receiver.stats().buffer_ms < 60.0, "{n}: {:?}", receiver.stats());
        }
        let stats = receiver.stats();
        assert!(stats.concealed_ms < 60 && stats.late == 0, "{stats:?}");
    }
}
