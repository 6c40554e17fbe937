//! What is heard when nothing comes for long, and when all of it then comes at once.

use super::*;

const SECOND: usize = SAMPLE_RATE as usize;

/// Twelve seconds of `signal`; `arrives` says when each packet of 20 ms comes, in milliseconds, if ever.
fn hear(
    codec: Codec,
    signal: impl Fn(usize) -> f32,
    arrives: impl Fn(u64) -> Option<u64>,
    look: impl FnMut(u64, &Receiver),
) -> (Vec<f32>, Receiver) {
    let sent = encoded(codec, signal).take(600).enumerate();
    let flying = sent.filter_map(|(n, payload)| Some((arrives(n as u64)?, n, payload))).collect();
    listen(codec, flying, 12_000, look)
}

fn chord(n: usize) -> f32 {
    let sine = |hz: f32| (n as f32 * 2.0 * std::f32::consts::PI * hz / SAMPLE_RATE as f32).sin();
    [262.0, 330.0, 392.0].map(sine).iter().sum::<f32>() * 0.1
}

fn steepest(samples: &[f32]) -> f32 {
    samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
}

/// Concealment of a steady sound would last as long as the gap.
#[test]
fn nothing_drones_on_when_nothing_comes_any_more() {
    for codec in [Codec::Opus, Codec::G722, Codec::Pcmu] {
        for signal in [tone, chord] {
            let lost = |n: u64| (!(150..350).contains(&n)).then_some(20 * n);
            let (heard, receiver) = hear(codec, signal, lost, |_, _| {});
            let before = power(&heard[SECOND..3 * SECOND]);
            // What came last was heard within 100 ms.
            let gap = &heard[3 * SECOND + SECOND / 2..7 * SECOND];
            let loudest = gap.chunks_exact(BLOCK).map(power).fold(0.0, f32::max);
            assert!(loudest < 1e-6, "{codec:?}: {loudest} after {before}");
            assert!(gap.chunks_exact(BLOCK).all(|block| power(block) > 1e-9), "{codec:?}: the line sounds dead");
            let (usual, back) = (steepest(&heard[SECOND..3 * SECOND]), steepest(&heard[3 * SECOND..8 * SECOND]));
            assert!(back < 1.5 * usual, "{codec:?}: a step of {back} where {usual} is usual");
            let after = power(&heard[8 * SECOND..10 * SECOND]);
            assert!((0.8..1.25).contains(&(after / before)), "{codec:?}: {after} after {before}");
            assert_eq!(receiver.stats().lost, 200);
        }
    }
}

/// A tenth of a second of tone at the beginning of each second, and a murmuring room.
fn strokes(n: usize) -> f32 {
    let room = ((n as u32).wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 - 0.5;
    if n % SECOND < SECOND / 10 { tone(n) } else { 0.004 * room }
}

/// When strokes began, in milliseconds.
fn begins(heard: &[f32]) -> Vec<usize> {
    let loud: Vec<bool> = heard.chunks_exact(BLOCK).map(|block| power(block) > 0.01).collect();
    (30..loud.len()).filter(|&at| loud[at] && !loud[at - 30..at].contains(&true)).map(|at| 10 * at).collect()
}

/// What was sent from the fourth second on for so long comes at the end of that time, `each_ms` one after the other.
fn held_back(n: u64, stall_ms: u64, each_ms: u64) -> Option<u64> {
    let after = n.saturating_sub(150) * each_ms;
    Some(if n < 150 { 20 * n } else { (20 * n).max(3_000 + stall_ms + after) })
}

/// What is old is left out, rather than that all is late, or rushed through.
#[test]
fn a_long_standstill_is_left_behind() {
    for (codec, stall_ms, each_ms) in [
        (Codec::Pcmu, 1_000, 0),
        (Codec::Opus, 1_000, 0),
        (Codec::Pcmu, 2_000, 0),
        (Codec::G722, 4_000, 0),
        (Codec::Opus, 4_000, 0),
        // More than the buffer has room for.
        (Codec::Pcmu, 6_000, 0),
        // Ten times as fast as it is played.
        (Codec::Pcmu, 2_000, 2),
        (Codec::Opus, 2_000, 2),
    ] {
        let case = format!("{codec:?}, {stall_ms} ms, one each {each_ms} ms");
        let mut longest = 0.0f64;
        let over = 3_000 + stall_ms;
        let caught_up = over + stall_ms / 20 * each_ms + 200;
        let look = |ms, receiver: &Receiver| {
            if ms > caught_up {
                longest = longest.max(receiver.stats().buffer_ms);
            }
        };
        let (heard, receiver) = hear(codec, strokes, |n| held_back(n, stall_ms, each_ms), look);
        assert!(longest < 60.0, "{case}: {longest} ms");
        let begun: Vec<usize> = begins(&heard).into_iter().filter(|ms| *ms as u64 > caught_up).collect();
        let expected: Vec<usize> = (caught_up as usize / 1000 + 1..12).map(|second| 1000 * second).collect();
        assert_eq!(begun.len(), expected.len(), "{case}: {begun:?}");
        assert!(
            begun.iter().zip(&expected).all(|(heard, sent)| (0..100).contains(&(heard - sent))),
            "{case}: {begun:?}"
        );
        let (stats, (_, missing, _)) = (receiver.stats(), receiver.missed());
        assert_eq!((stats.lost, stats.late), (0, missing), "{case}");
        assert!((stall_ms / 20 - 20..=stall_ms / 20 + 1).contains(&missing), "{case}: {missing} dropped");
        assert!(stats.concealed_ms.abs_diff(stall_ms) < 150, "{case}: {stats:?}");
    }
}

#[test]
fn what_is_left_out_is_cut_without_a_click() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        for (stall_ms, each_ms) in [(1_000, 0), (1_990, 2), (2_000, 8)] {
            let (heard, _) = hear(codec, tone, |n| held_back(n, stall_ms, each_ms), |_, _| {});
            let (usual, most) = (steepest(&heard[SECOND..3 * SECOND]), steepest(&heard[3 * SECOND..]));
            assert!(most < 1.5 * usual, "{codec:?}, {stall_ms} {each_ms}: a step of {most} where {usual} is usual");
        }
    }
}

/// The network holds back what was sent, again and again, as a busy Wi-Fi does: all of it is heard.
#[test]
fn short_standstills_cost_nothing_but_delay() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        for stall_ms in [100, 200, 300] {
            let arrives = |n: u64| {
                let ms = 20 * n;
                Some(if ms < 1_000 { ms } else { ms.max(ms / 2_000 * 2_000 + stall_ms) })
            };
            let mut longest = 0.0f64;
            let look = |ms, receiver: &Receiver| {
                if ms % 2_000 > 1_500 {
                    longest = longest.max(receiver.stats().buffer_ms);
                }
            };
            let (_, receiver) = hear(codec, strokes, arrives, look);
            let (stats, (_, missing, _)) = (receiver.stats(), receiver.missed());
            assert_eq!((stats.lost, stats.late, missing), (0, 0, 0), "{codec:?}, {stall_ms} ms: {stats:?}");
            assert!(longest < stall_ms as f64 + 60.0, "{codec:?}, {stall_ms} ms: {longest} ms");
        }
    }
}
