//! Senders that begin anew, and numbers and timestamps that tell nonsense.

use super::*;
use crate::properties::config;
use proptest::prelude::*;

/// What comes at which millisecond: sequence number and timestamp.
type Sent = (u64, u16, u32);

/// A sender of 20 ms packets whose sequence number and timestamp advance as `advance` says of each millisecond.
fn sender(ms: std::ops::Range<u64>, mut advance: impl FnMut(u64) -> (u16, u32)) -> Vec<Sent> {
    let (mut sequence, mut timestamp) = (5_000u16, 1_000_000u32);
    ms.step_by(20)
        .map(|ms| {
            let (packets, units) = advance(ms);
            (sequence, timestamp) = (sequence.wrapping_add(packets), timestamp.wrapping_add(units));
            (ms, sequence, timestamp)
        })
        .collect()
}

/// Plays what was sent; `look` sees the receiver after each 10 ms, with the sound that its buffer holds, in milliseconds.
fn play(mut sent: Vec<Sent>, mut look: impl FnMut(u64, &Receiver, f64)) -> Receiver {
    sent.sort_by_key(|(ms, ..)| *ms);
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Pcmu));
    let (mut sent, mut block) = (sent.iter().peekable(), [0.0; BLOCK]);
    for ms in (0..).step_by(10) {
        while let Some(&(came, sequence, timestamp)) = sent.next_if(|(came, ..)| *came <= ms) {
            receiver.handle_packet(epoch + Duration::from_millis(came), &packet(sequence, timestamp, &[0x80; 160]));
        }
        receiver.play(epoch + Duration::from_millis(ms + 5), &mut block);
        let held = receiver.stream.as_ref().map_or(0.0, |stream| f64::from(stream.buffer.sound()) / 8.0);
        look(ms, &receiver, held);
        if sent.peek().is_none() {
            break;
        }
    }
    receiver
}

/// What was being played when it happened, and the few packets by which it was recognised, are all that is missed.
#[test]
fn a_stream_that_begins_anew_a_little_back_is_heard_at_once() {
    for (back, also_time) in [(10u16, true), (75, true), (75, false), (90, true), (101, true), (400, true)] {
        let sent = sender(0..8_000, |ms| match ms {
            3_000 if also_time => (1u16.wrapping_sub(back), 160u32.wrapping_sub(160 * u32::from(back))),
            3_000 => (1u16.wrapping_sub(back), 160),
            _ => (1, 160),
        });
        let (count, mut waited_ms) = (sent.len() as u64, 0);
        let receiver = play(sent, |ms, receiver, _| {
            let waits = receiver.stream.as_ref().is_none_or(|stream| stream.buffer.waiting() > 0);
            waited_ms += if ms > 3_000 && waits { 10 } else { 0 };
        });
        let stats = receiver.stats();
        let case = format!("{back} back, {also_time}: {waited_ms} ms, {stats:?}");
        assert!(waited_ms <= 120 && stats.concealed_ms <= 120, "{case}");
        assert!(stats.lost == 0 && stats.buffer_ms < 40.0, "{case}");
        // Far off, the first of the two that count is not taken in.
        let (late, packets) = if back <= 101 { (3, count) } else { (0, count - 1) };
        assert_eq!((stats.late, stats.packets), (late, packets), "{case}");
    }
}

/// Ten times as fast, backwards, not at all.
#[test]
fn a_clock_that_runs_wrong_holds_no_delay() {
    for step in [1_600, 320, 1_000, 7_000, 0, 0u32.wrapping_sub(160)] {
        let sent = sender(0..10_000, |ms| (1, if (2_000..5_000).contains(&ms) { step } else { 160 }));
        play(sent, |ms, receiver, held| {
            let (_, limit) = receiver.most_delay_ms();
            assert!(held <= limit, "{step}, at {ms} ms: {held} ms are held");
            let delay = receiver.stats().buffer_ms;
            assert!(ms < 8_000 || delay < 60.0, "{step}, at {ms} ms: {delay} ms");
        });
    }
}

proptest! {
    #![proptest_config(config(24, 3552))]

    /// A second of packets with the peer's own source and whatever else leaves nothing behind for longer than some seconds.
    #[test]
    fn lies_are_forgotten(
        lies in prop::collection::vec((3_000..4_000u64, -5..50i32, -16_000..8_000i32), 1..2_000),
    ) {
        let mut sent = sender(0..13_000, |_| (1, 160));
        let honest = sent.clone();
        sent.extend(lies.iter().map(|&(ms, ahead, off)| {
            let (_, sequence, timestamp) = honest[(ms / 20) as usize];
            (ms, sequence.wrapping_add(ahead as u16), timestamp.wrapping_add(off as u32))
        }));
        let mut concealed = 0;
        let receiver = play(sent, |ms, receiver, held| {
            let (_, limit) = receiver.most_delay_ms();
            assert!(held <= limit, "at {ms} ms: {held} ms are held");
            let stats = receiver.stats();
            if ms < 10_000 {
                concealed = stats.concealed_ms;
            } else {
                assert!(stats.buffer_ms < 60.0, "at {ms} ms: {stats:?}");
            }
        });
        prop_assert!(receiver.stats().concealed_ms - concealed < 100, "{concealed} of {:?}", receiver.stats());
    }
}
