//! What crosses on the way, some dozens of times each, by seed and to the millisecond: each side's call ends once, both agree
//! whether there is one, nobody stays behind.

use super::transfer::net::*;
use crate::{
    sip::{endpoint::tests::sim::Faults, entropy::Entropy},
    ua::api::{CallId, CallState, Command, Event, TransferState, TransferTo},
};
use std::time::Duration;

const SEEDS: u64 = 60;

/// A link for each seed: without a fault, jittery, or losing and doubling; 10 to 50 ms long.
fn link(seed: u64) -> Faults {
    let delay = Duration::from_millis(10 + seed % 5 * 10);
    match seed % 3 {
        0 => Faults { delay, ..Faults::default() },
        1 => Faults { delay, jitter: Duration::from_millis(40), ..Faults::default() },
        _ => Faults { delay, jitter: Duration::from_millis(40), loss: 0.1, duplicate: 0.1 },
    }
}

/// Two parties or three over the link of that seed, and the seed's further choices.
fn net(seed: u64, parties: usize) -> (Net, Entropy) {
    (Net::new(seed, link(seed), parties), Entropy::from_seed(seed))
}

/// Both commands within `within` of each other, either first.
fn crossing(net: &mut Net, random: &mut Entropy, within: u32, mut acts: [(usize, Command); 2]) {
    if random.u32().is_multiple_of(2) {
        acts.reverse();
    }
    let [(first, one), (second, other)] = acts;
    net.command(first, one);
    net.wait(u64::from(random.u32() % within));
    net.command(second, other);
}

/// Neither has the call any more, and each was told so once ([`Net`] asserts that).
#[track_caller]
fn over(net: &Net, calls: [(usize, CallId); 2], context: &str) {
    for (who, call) in calls {
        let state = net.state(who, call);
        assert!(matches!(state, CallState::Ended { .. }), "{context}: at {who} the call is {state:?}");
    }
}

#[test]
fn cancel_against_200() {
    let mut answered = 0;
    for seed in 0..SEEDS {
        let (mut net, mut random) = net(seed, 2);
        net.command(A, Command::Dial { to: Net::aor(B), anonymous: false });
        net.run_until(60, |net| net.ringing(B).is_some());
        let theirs = net.ringing(B).expect("it rings");
        net.wait(200);
        let acts = [(A, Command::Hangup { call: 1 }), (B, Command::Answer { call: theirs })];
        crossing(&mut net, &mut random, 120, acts);
        net.run_for(70);
        let context = format!("seed {seed}");
        over(&net, [(A, 1), (B, theirs)], &context);
        let talked = |event: &Event| matches!(event, Event::Call(info) if info.state == CallState::Connected);
        answered += usize::from(net.parties[B].events.iter().any(talked));
        net.settle(&context);
    }
    assert!((5..SEEDS as usize - 5).contains(&answered), "both outcomes were seen: {answered} answered");
}

#[test]
fn bye_against_reinvite() {
    for seed in 0..SEEDS {
        let (mut net, mut random) = net(seed, 2);
        let (ours, theirs) = net.talk(A, B);
        net.run_for(2);
        let hangup =
            if seed % 2 == 0 { (A, Command::Hangup { call: ours }) } else { (B, Command::Hangup { call: theirs }) };
        crossing(&mut net, &mut random, 120, [(A, Command::Hold { call: ours }), hangup]);
        net.run_for(70);
        let context = format!("seed {seed}");
        over(&net, [(A, ours), (B, theirs)], &context);
        net.settle(&context);
    }
}

#[test]
fn refer_against_bye() {
    for seed in 0..SEEDS {
        let (mut net, mut random) = net(seed, 3);
        let (ours, theirs) = net.talk(A, B);
        net.run_for(2);
        let hangup =
            if seed % 2 == 0 { (A, Command::Hangup { call: ours }) } else { (B, Command::Hangup { call: theirs }) };
        let transfer = Command::Transfer { call: ours, to: TransferTo::Address(Net::aor(C)) };
        // The transfer holds first; the REFER goes out a round trip later.
        crossing(&mut net, &mut random, 300, [(A, transfer), hangup]);
        net.run_for(70);
        let context = format!("seed {seed}");
        over(&net, [(A, ours), (B, theirs)], &context);
        let outcomes =
            net.parties[A].transfers.iter().filter(|(_, state)| !matches!(state, TransferState::Trying { .. })).count();
        assert!(outcomes <= 1, "{context}: {:?}", net.parties[A].transfers);
        // Where it went on all the same, the two have a call that works; else nobody rings.
        if let Some(call) = net.ringing(C) {
            net.command(C, Command::Answer { call });
            net.run_for(5);
            assert!(net.joined(B, C), "{context}: B called C and is not in a conversation");
        }
        net.settle(&context);
    }
}

#[test]
fn session_timer_against_hold() {
    for seed in 0..SEEDS {
        let (mut net, mut random) = net(seed, 2);
        let (ours, theirs) = net.talk(A, B);
        // The refresh is due after half of 1,800 s; a hold of either side comes around that moment.
        let (by_a, context) = (seed % 2 == 0, format!("seed {seed}"));
        net.run_for(899);
        net.wait(u64::from(random.u32() % 2_000));
        let (who, call, other, its) = if by_a { (A, ours, B, theirs) } else { (B, theirs, A, ours) };
        net.command(who, Command::Hold { call });
        net.run_for(60);
        let seen = |net: &Net| (net.state(who, call), net.state(other, its));
        assert_eq!(seen(&net), (CallState::Held, CallState::RemoteHeld), "{context}");
        // Refreshes keep the hold, hour after hour.
        net.run_for(7_200);
        assert_eq!(seen(&net), (CallState::Held, CallState::RemoteHeld), "{context}, two hours later");
        net.command(who, Command::Resume { call });
        net.run_for(60);
        assert!(net.joined(A, B), "{context}: {:?}", seen(&net));
        net.settle(&context);
    }
}

#[test]
fn holds_from_both_sides_and_both_hang_up() {
    for seed in 0..SEEDS {
        let (mut net, mut random) = net(seed, 2);
        let (ours, theirs) = net.talk(A, B);
        net.run_for(2);
        let hold = [(A, Command::Hold { call: ours }), (B, Command::Hold { call: theirs })];
        crossing(&mut net, &mut random, 60, hold);
        net.run_for(60);
        let context = format!("seed {seed}");
        assert_eq!((net.state(A, ours), net.state(B, theirs)), (CallState::Held, CallState::Held), "{context}");
        let hangup = [(A, Command::Hangup { call: ours }), (B, Command::Hangup { call: theirs })];
        crossing(&mut net, &mut random, 60, hangup);
        net.run_for(70);
        over(&net, [(A, ours), (B, theirs)], &context);
        net.settle(&context);
    }
}

/// E4: neither at thirty seconds nor at the session timer, however many packets are lost.
#[test]
fn e4_a_call_lasts_as_long_as_both_want() {
    for seed in 0..12 {
        let faults = Faults { loss: 0.15, duplicate: 0.05, ..link(seed) };
        let mut net = Net::new(seed, faults, 2);
        let (ours, theirs) = net.talk(A, B);
        for seconds in [33, 1_767, 3_600, 7_200] {
            net.run_for(seconds);
            assert!(net.joined(A, B), "seed {seed}: {:?} {:?}", net.state(A, ours), net.state(B, theirs));
        }
        net.settle(&format!("seed {seed}"));
    }
}
