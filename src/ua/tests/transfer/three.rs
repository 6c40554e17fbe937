//! A transfers B to C, each of them ours.

use super::net::*;
use crate::ua::api::{CallState, Command, EndedBy, Event, TransferState, TransferTo};

/// What becomes of the target.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Target {
    Answers,
    Busy,
    Declines,
    /// Rings until B's phone gives up.
    NoAnswer,
    Vanished,
    /// Rings, and C is gone then.
    BHangsUp,
}

fn blind_target(target: Target) -> Net {
    let mut net = Net::perfect(3);
    let (ours, theirs) = net.talk(A, B);
    if target == Target::Vanished {
        net.parties[C].dead = true;
    }
    net.transfer(A, ours, TransferTo::Address(Net::aor(C)));
    net.run_until(10, |net| net.ringing(C).is_some());
    match (target, net.ringing(C)) {
        (Target::Answers, Some(call)) => net.command(C, Command::Answer { call }),
        (Target::Busy, Some(call)) => net.command(C, Command::Reject { call, code: 486 }),
        (Target::Declines, Some(call)) => net.command(C, Command::Reject { call, code: 603 }),
        (Target::BHangsUp, Some(_)) => {
            let (&new, _) = net.parties[B].calls.iter().find(|(call, _)| **call != theirs).expect("the call to C");
            net.command(B, Command::Hangup { call: new });
        }
        (Target::NoAnswer, Some(_)) | (Target::Vanished, None) => {}
        (target, ringing) => panic!("{target:?} {ringing:?}"),
    }
    net.run_for(330);
    net
}

#[test]
fn a_blind_transfer_joins_the_two() {
    let mut net = blind_target(Target::Answers);
    assert!(net.joined(B, C) && net.parties[A].calls.is_empty());
    let states: Vec<_> = net.parties[A].transfers.iter().map(|(_, state)| state.clone()).collect();
    let trying = |code| TransferState::Trying { code };
    assert_eq!(states, [trying(None), trying(Some(100)), trying(Some(180)), TransferState::Done { code: Some(200) }]);
    assert_eq!(
        net.parties[A].ended[&1],
        CallState::Ended {
            ended_by: EndedBy::Local,
            code: None,
            reason: "The call was transferred to sip:2@192.0.2.3.".into()
        }
    );
    assert!(net.parties[B].events.contains(&Event::Referred { call: 2, by: 1 }));
    net.settle("blind");
}

#[test]
fn when_the_target_cannot_be_had_the_caller_comes_back() {
    for (target, codes, words) in [
        (Target::Busy, &[486][..], "is busy."),
        (Target::Declines, &[603], "declined the call."),
        (Target::NoAnswer, &[408, 480], "did not answer."),
        (Target::Vanished, &[408], "did not answer."),
        (Target::BHangsUp, &[487], "did not answer."),
    ] {
        let mut net = blind_target(target);
        let Some(TransferState::Failed { code: Some(told), reason }) = net.outcome(A) else {
            panic!("{target:?}: {:?}", net.parties[A].transfers)
        };
        assert!(codes.contains(told), "{target:?}: {told}");
        assert!(reason.contains(words) && reason.ends_with("The call is back with you."), "{target:?}: {reason}");
        assert!(net.joined(A, B), "{target:?}: nobody is lost");
        assert!(net.parties[A].calls.len() == 1 && net.parties[B].calls.len() == 1, "{target:?}");
        net.settle(&format!("{target:?}"));
    }
}

#[test]
fn a_call_that_was_on_hold_before_stays_so() {
    let mut net = Net::perfect(3);
    let (call, _) = net.talk(A, B);
    net.command(A, Command::Hold { call });
    net.run_for(1);
    net.parties[C].dead = true;
    net.transfer(A, call, TransferTo::Address(Net::aor(C)));
    net.run_for(60);
    let Some(TransferState::Failed { reason, .. }) = net.outcome(A) else { panic!("it failed") };
    assert!(reason.ends_with("The call is still on hold here."), "{reason}");
    assert_eq!((net.state(A, call), net.state(B, 1)), (CallState::Held, CallState::RemoteHeld));
}

/// A talks to both, B's call on hold; the calls' numbers at A.
fn consulted(a_called_b: bool, a_called_c: bool) -> (Net, u32, u32) {
    let mut net = Net::perfect(3);
    let with_b = if a_called_b { net.talk(A, B).0 } else { net.talk(B, A).1 };
    net.command(A, Command::Hold { call: with_b });
    net.run_for(1);
    let with_c = if a_called_c { net.talk(A, C).0 } else { net.talk(C, A).1 };
    net.run_for(1);
    (net, with_b, with_c)
}

/// E9: an attended transfer never rings the target again and never loses the caller.
#[test]
fn e9_an_attended_transfer_joins_the_two_without_ringing() {
    for (a_called_b, a_called_c) in [(true, true), (true, false), (false, true), (false, false)] {
        let context = format!("A called B: {a_called_b}, A called C: {a_called_c}");
        let (mut net, with_b, with_c) = consulted(a_called_b, a_called_c);
        let rang = net.parties[C].rang;
        net.transfer(A, with_b, TransferTo::Call(with_c));
        net.run_for(5);
        assert_eq!(net.outcome(A), Some(&TransferState::Done { code: Some(200) }), "{context}");
        assert!(net.joined(B, C), "{context}");
        assert_eq!(net.parties[C].rang, rang, "{context}: the target rang again");
        assert!(net.parties[A].calls.is_empty(), "{context}");
        assert_eq!((net.parties[B].calls.len(), net.parties[C].calls.len()), (1, 1), "{context}");
        assert!(net.parties[C].events.contains(&Event::TakesOver { call: 2, old: 1 }), "{context}");
        net.settle(&context);
    }
}

/// E9, the other half.
#[test]
fn e9_an_attended_transfer_that_fails_leaves_both_calls() {
    // C's phone forgets the call, or is gone altogether.
    for vanishes in [false, true] {
        let (mut net, with_b, with_c) = consulted(true, true);
        if vanishes {
            net.parties[C].dead = true;
        } else {
            net.command(C, Command::Hangup { call: 1 });
        }
        net.transfer(A, with_b, TransferTo::Call(with_c));
        net.run_for(90);
        let Some(TransferState::Failed { reason, .. }) = net.outcome(A) else {
            panic!("vanishes {vanishes}: {:?}", net.parties[A].transfers)
        };
        assert!(reason.starts_with("The transfer did not succeed. "), "{reason}");
        assert_eq!((net.state(A, with_b), net.state(B, 1)), (CallState::Held, CallState::RemoteHeld));
        if vanishes {
            assert_eq!(net.state(A, with_c), CallState::Connected, "what A can tell of it");
        }
        net.command(A, Command::Resume { call: with_b });
        net.run_for(1);
        assert!(net.joined(A, B));
        assert_eq!(net.parties[C].rang, 1);
        net.settle("attended, failed");
    }
}

#[test]
fn what_cannot_be_transferred_is_refused_in_words() {
    let mut net = Net::perfect(3);
    let (call, _) = net.talk(A, B);
    net.command(A, Command::Dial { to: Net::aor(C), anonymous: false });
    net.run_until(5, |net| net.ringing(C).is_some());
    for (call, to, words) in [
        (call, TransferTo::Call(call), "itself"),
        (call, TransferTo::Call(9), "There is no call 9"),
        (call, TransferTo::Call(2), "not answered yet"),
        (2, TransferTo::Address("x".into()), "Only an answered call"),
        (9, TransferTo::Address("x".into()), "There is no call 9"),
        (call, TransferTo::Address("two words".into()), "neither"),
        (call, TransferTo::Address(String::new()), "Enter a number"),
    ] {
        net.parties[A].events.clear();
        net.transfer(A, call, to);
        let [Event::Refused { command: "transfer", message, .. }] = &net.parties[A].events[..] else {
            panic!("{words}: {:?}", net.parties[A].events)
        };
        assert!(message.contains(words), "{message}");
    }
    net.transfer(A, call, TransferTo::Address(Net::aor(C)));
    net.parties[A].events.clear();
    net.transfer(A, call, TransferTo::Address(Net::aor(C)));
    assert!(matches!(&net.parties[A].events[..], [Event::Refused { command: "transfer", .. }]));
    net.settle("refused");
}

#[test]
fn refer_against_bye() {
    for (at_b, ends_first) in [(true, 0), (true, 5), (true, 15), (true, 25), (false, 5), (false, 15), (false, 25)] {
        let mut net = Net::perfect(3);
        let (ours, theirs) = net.talk(A, B);
        net.command(A, Command::Hold { call: ours });
        net.run_for(1);
        net.transfer(A, ours, TransferTo::Address(Net::aor(C)));
        let then = net.now + std::time::Duration::from_millis(ends_first);
        net.run_until(1, |net| net.now >= then);
        let (who, call) = if at_b { (B, theirs) } else { (A, ours) };
        net.command(who, Command::Hangup { call });
        net.run_for(2);
        let context = format!("at B {at_b}, after {ends_first} ms");
        assert!(net.outcome(A).is_some(), "{context}: it is told what became of it");
        assert!(net.parties[A].calls.is_empty(), "{context}");
        assert_eq!(
            net.parties[A].transfers.iter().filter(|(_, s)| !matches!(s, TransferState::Trying { .. })).count(),
            1
        );
        net.settle(&context);
    }
}
