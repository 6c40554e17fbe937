//! What is lost of Opus, and restored from in-band copies or RFC 2198's.

use super::*;

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
