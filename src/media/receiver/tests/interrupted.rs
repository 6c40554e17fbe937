//! Gaps: of the network, of the sender, and those that nothing follows.

use super::*;

/// Twenty seconds of which something becomes after three.
fn interrupted(arrivals: impl Fn(u64) -> std::ops::Range<u64>, timestamp: impl Fn(u64) -> u32) -> (Receiver, f64) {
    let epoch = Instant::now();
    let mut receiver = Receiver::new(epoch, &MediaPlan::of(Codec::Pcmu));
    let (mut block, mut lately) = ([0.0; BLOCK], 0.0f64);
    for ms in (0..20_000u64).step_by(10) {
        for n in arrivals(ms) {
            let packet = packet(n as u16, timestamp(n), &[0x80; 160]);
            receiver.handle_packet(epoch + Duration::from_millis(ms), &packet);
        }
        receiver.play(epoch + Duration::from_millis(ms), &mut block);
        lately = lately.max(receiver.concealed_share(false));
    }
    (receiver, lately)
}

/// The packets that come in a block of 10 ms.
fn punctual(ms: u64) -> std::ops::Range<u64> {
    if ms.is_multiple_of(20) { ms / 20..ms / 20 + 1 } else { 0..0 }
}

#[test]
fn a_standstill_of_the_network_is_caught_up_with_and_counted() {
    // Everything sent in the fourth second arrives at its end.
    let arrivals = |ms| match ms {
        3_000..4_000 => 0..0,
        4_000 => 150..201,
        _ => punctual(ms),
    };
    let (receiver, lately) = interrupted(arrivals, |n| n as u32 * 160);
    let stats = receiver.stats();
    assert!(stats.buffer_ms < 40.0 && (950..1_100).contains(&stats.concealed_ms) && stats.lost == 0, "{stats:?}");
    assert!(lately > 0.1, "{lately}");
}

#[test]
fn an_outage_counts_for_what_it_is() {
    for seconds in [1, 3, 6] {
        let back = 3_000 + 1_000 * seconds;
        let arrivals = |ms| if (3_000..back).contains(&ms) { 0..0 } else { punctual(ms) };
        let (receiver, lately) = interrupted(arrivals, |n| n as u32 * 160);
        let (stats, (_, missing, _)) = (receiver.stats(), receiver.missed());
        assert_eq!((stats.lost, missing), (50 * seconds, 50 * seconds), "{seconds} s");
        let concealed = 1_000 * seconds;
        assert!((concealed - 50..concealed + 100).contains(&stats.concealed_ms), "{seconds} s: {stats:?}");
        assert!(lately > 0.1 * seconds as f64 && lately <= 1.0, "{seconds} s: {lately}");
    }
}

/// Nobody pauses for so long without a word, as far as that was agreed on.
#[test]
fn what_does_not_come_back_counts_once_it_is_given_up() {
    let dies = |ms| if ms < 10_000 { punctual(ms) } else { 0..0 };
    let concealed = |end: fn(&mut Receiver)| {
        let mut receiver = interrupted(dies, |n| n as u32 * 160).0;
        end(&mut receiver);
        receiver.stats().concealed_ms
    };
    assert_eq!(concealed(|_| {}), 0, "a pause, for all that is known");
    assert!((9_900..10_100).contains(&concealed(Receiver::give_up)));
    assert_eq!(
        concealed(|receiver| {
            receiver.forgive();
            receiver.give_up();
        }),
        0,
        "it was on hold"
    );
    // Away for so long that its numbers say nothing any more.
    let away = |ms| match ms {
        10_000..18_000 => 0..0,
        18_000.. => punctual(ms).start + 40_000..punctual(ms).end + 40_000,
        _ => punctual(ms),
    };
    let stats = interrupted(away, |n| n as u32 * 160).0.stats();
    assert!((7_900..8_200).contains(&stats.concealed_ms), "{stats:?}");
}

/// Without a word of it (RFC 3389), as some telephones do it.
#[test]
fn a_sender_that_pauses_loses_nothing() {
    for seconds in [1, 3, 10] {
        let gap = 50 * seconds;
        let arrivals = |ms| match ms / 20 {
            n if n < 150 => punctual(ms),
            n if n < 150 + gap => 0..0,
            n => punctual(20 * (n - gap) + ms % 20),
        };
        // Its clock goes on meanwhile, or, where it was away for long, may have stood still.
        let clocks = if seconds == 10 { &[true, false][..] } else { &[true] };
        for &goes_on in clocks {
            let paused = if goes_on { gap } else { 0 };
            let timestamp = |n: u64| 160 * (n + if n < 150 { 0 } else { paused }) as u32;
            let (receiver, _) = interrupted(arrivals, timestamp);
            let stats = receiver.stats();
            assert!(stats.lost == 0 && stats.concealed_ms <= 40, "{seconds} s, {goes_on}: {stats:?}");
        }
    }
}

/// What was lost stays so when the numbering begins anew.
#[test]
fn losses_outlive_the_numbering() {
    let (receiver, _) = interrupted(
        |ms| match ms / 20 {
            n if n % 10 == 9 => 0..0,
            n if n < 500 => punctual(ms),
            n => {
                let from = n + 30_000;
                if ms.is_multiple_of(20) { from..from + 1 } else { 0..0 }
            }
        },
        |n| n as u32 * 160,
    );
    assert!(receiver.stats().lost >= 95, "{:?}", receiver.stats());
}
