use super::*;
use crate::headset::descriptor::tests::{SMALL, USUAL};
use proptest::prelude::*;

const IDLE: Calls = Calls { ringing: false, in_hand: false, held: false, muted: false };
const RINGING: Calls = Calls { ringing: true, ..IDLE };
const TALKING: Calls = Calls { in_hand: true, ..IDLE };
const MUTED: Calls = Calls { muted: true, ..TALKING };
const HELD: Calls = Calls { held: true, ..IDLE };
const WAITING: Calls = Calls { ringing: true, ..TALKING };

/// Of [`USUAL`]: hook switch, mute, flash, redial, hold; lamps off-hook, mute, ring, hold, ringer.
const HOOK: u8 = 1;
const MUTE: u8 = 4;
const FLASH: u8 = 8;
const REDIAL: u8 = 16;
const HOLD: u8 = 32;
const OFF_HOOK: u8 = 1;
const MUTE_LAMP: u8 = 2;
const RING_LAMPS: u8 = 4 | 16;
const HOLD_LAMP: u8 = 8;

enum Step {
    Calls(Calls),
    /// The device's first byte, so many milliseconds later.
    Says(u64, u8),
}
use Step::{Calls as Told, Says};

/// Runs a story; after each step what was pressed, and the lamps where they were written.
fn story(descriptor: &[u8], steps: &[(Step, &[Press], Option<u8>)]) {
    let mut headset = Headset::new(descriptor).expect("a headset");
    let mut now = Instant::now();
    for (number, (step, presses, lamps)) in steps.iter().enumerate() {
        match step {
            Told(calls) => headset.handle_calls(now, *calls),
            Says(later, byte) => {
                now += Duration::from_millis(*later);
                let report = if descriptor == USUAL { vec![2, *byte, 0] } else { vec![*byte] };
                headset.handle_report(now, &report);
            }
        }
        let (mut pressed, mut lit) = (vec![], None);
        while let Some(output) = headset.poll_output() {
            match output {
                Output::Press(press) => pressed.push(press),
                Output::Write(report) => lit = Some(report[1]),
            }
        }
        assert_eq!((pressed.as_slice(), lit), (*presses, *lamps), "step {number}");
    }
}

#[test]
fn a_call_is_answered_muted_held_and_ended_by_a_hook_switch_that_stays() {
    story(
        USUAL,
        &[
            (Told(IDLE), &[], Some(0)),
            (Told(RINGING), &[], Some(RING_LAMPS)),
            (Says(900, HOOK), &[Press::Answer], None),
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Says(100, HOOK | MUTE), &[Press::Mute { on: true }], None),
            (Told(MUTED), &[], Some(OFF_HOOK | MUTE_LAMP)),
            (Says(50, HOOK), &[], None),
            (Says(900, HOOK | MUTE), &[Press::Mute { on: false }], None),
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Says(50, HOOK), &[], None),
            (Says(900, HOOK | HOLD), &[Press::Hold], None),
            (Told(HELD), &[], Some(OFF_HOOK | HOLD_LAMP)),
            (Says(50, HOOK), &[], None),
            (Says(900, HOOK | FLASH), &[Press::Swap], None),
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Says(50, HOOK), &[], None),
            (Told(WAITING), &[], Some(OFF_HOOK | RING_LAMPS)),
            (Says(900, HOOK | FLASH), &[Press::Swap], None),
            (Told(Calls { held: true, ..TALKING }), &[], Some(OFF_HOOK)),
            (Says(900, 0), &[Press::HangUp], None),
            (Told(HELD), &[], Some(OFF_HOOK | HOLD_LAMP)),
            // It is on the hook, and we said that it is not: it follows.
            (Told(IDLE), &[], Some(0)),
        ],
    );
}

#[test]
fn what_a_hook_switch_tells_because_of_its_lamp_is_no_press() {
    story(
        USUAL,
        &[
            (Told(IDLE), &[], Some(0)),
            // Dialled and ended in the window.
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Says(30, HOOK), &[], None),
            (Told(IDLE), &[], Some(0)),
            // The next call begins before the device has followed.
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Says(30, 0), &[], None),
            (Says(30, HOOK), &[], None),
            (Says(2_000, 0), &[Press::HangUp], None),
        ],
    );
    // One that does not follow: what comes later is a press.
    story(
        USUAL,
        &[
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Told(IDLE), &[], Some(0)),
            (Told(RINGING), &[], Some(RING_LAMPS)),
            (Says(1_500, HOOK), &[Press::Answer], None),
        ],
    );
}

#[test]
fn toggles_answer_and_end() {
    story(
        SMALL,
        &[
            (Told(RINGING), &[], Some(0)),
            (Says(0, 1), &[Press::Answer], None),
            (Told(TALKING), &[], Some(OFF_HOOK)),
            (Says(5, 0), &[], None),
            (Says(5, 2), &[Press::Mute { on: true }], None),
            (Told(MUTED), &[], Some(OFF_HOOK | MUTE_LAMP)),
            (Says(5, 0), &[], None),
            (Says(5, 1), &[Press::HangUp], None),
            (Told(IDLE), &[], Some(0)),
        ],
    );
}

#[test]
fn without_a_call_buttons_do_nothing_but_dial_again_and_the_lamps_tell_the_truth() {
    story(
        USUAL,
        &[
            (Told(IDLE), &[], Some(0)),
            (Says(0, HOOK), &[], Some(0)),
            (Says(10, 0), &[], None),
            (Says(0, MUTE), &[], Some(0)),
            (Says(0, 0), &[], None),
            (Says(0, FLASH | HOLD), &[], Some(0)),
            (Says(0, REDIAL), &[Press::Redial], None),
        ],
    );
}

#[test]
fn with_one_on_hold_the_hook_switch_takes_the_call_that_rings() {
    const HELD_RINGING: Calls = Calls { ringing: true, ..HELD };
    const BOTH: Calls = Calls { held: true, ..TALKING };
    // One that stays: back on the hook, and it follows its lamp off the hook again.
    story(
        USUAL,
        &[
            (Told(HELD), &[], Some(OFF_HOOK | HOLD_LAMP)),
            (Says(50, HOOK), &[], None),
            (Told(HELD_RINGING), &[], Some(OFF_HOOK | HOLD_LAMP | RING_LAMPS)),
            (Says(2_000, 0), &[Press::Answer], Some(OFF_HOOK | HOLD_LAMP | RING_LAMPS)),
            (Says(50, HOOK), &[], None),
            (Told(BOTH), &[], Some(OFF_HOOK)),
            (Says(2_000, 0), &[Press::HangUp], None),
        ],
    );
    // One that stays and does not follow its lamp.
    story(
        USUAL,
        &[
            (Told(HELD_RINGING), &[], Some(OFF_HOOK | HOLD_LAMP | RING_LAMPS)),
            (Says(2_000, HOOK), &[Press::Answer], None),
        ],
    );
    // One that springs back.
    story(
        SMALL,
        &[
            (Told(HELD_RINGING), &[], Some(OFF_HOOK)),
            (Says(0, 1), &[Press::Answer], None),
            (Says(5, 0), &[], None),
            (Told(BOTH), &[], None),
            (Says(5, 1), &[Press::HangUp], None),
            (Says(5, 0), &[], None),
            (Told(HELD), &[], None),
            (Says(5, 1), &[Press::HangUp], None),
        ],
    );
}

#[test]
fn a_mute_switch_that_is_on_holds_for_the_next_call() {
    let switch = [0x05, 0x0B, 0x75, 0x01, 0x95, 0x01, 0x09, 0x2F, 0x81, 0x22, 0x95, 0x07, 0x81, 0x01];
    story(
        &switch,
        &[
            (Told(IDLE), &[], None),
            (Says(0, 1), &[], None),
            (Told(TALKING), &[Press::Mute { on: true }], None),
            (Told(MUTED), &[], None),
            (Says(0, 0), &[Press::Mute { on: false }], None),
        ],
    );
}

#[test]
fn another_headset_in_mid_call_shows_what_is_so() {
    story(USUAL, &[(Told(MUTED), &[], Some(OFF_HOOK | MUTE_LAMP)), (Says(20, HOOK), &[], None)]);
    assert!(Headset::new(&[0x05, 0x01, 0x09, 0x06]).is_none());
}

mod properties {
    use super::*;
    use crate::properties::config;

    proptest! {
        #![proptest_config(config(256, 1112))]

        #[test]
        fn any_order_of_reports_and_calls_stays_bounded_and_ends_with_the_truth(
            steps in prop::collection::vec((any::<[bool; 5]>(), any::<u8>(), 0u64..1_500), 1..60)
        ) {
            let mut headset = Headset::new(USUAL).expect("a headset");
            let mut now = Instant::now();
            let mut shown = 0;
            for ([told, ringing, in_hand, held, muted], byte, later) in steps {
                now += Duration::from_millis(later);
                match told {
                    true => headset.handle_calls(now, Calls { ringing, in_hand, held, muted }),
                    false => headset.handle_report(now, &[2, byte, 0]),
                }
                while let Some(output) = headset.poll_output() {
                    if let Output::Write(report) = output {
                        shown = report[1];
                    }
                }
                prop_assert!(headset.following.len() <= FOLLOWING);
                let Calls { ringing, in_hand, held, muted } = headset.calls;
                prop_assert_eq!(shown & OFF_HOOK != 0, in_hand || held);
                prop_assert_eq!(shown & MUTE_LAMP != 0, in_hand && muted);
                prop_assert_eq!(shown & RING_LAMPS != 0, ringing);
            }
        }
    }
}
