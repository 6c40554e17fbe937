//! Transfers over a bad link: either the two are joined, or everybody has the call that he had.

use super::net::*;
use crate::{
    sip::{endpoint::tests::sim::Faults, entropy::Entropy},
    ua::api::{Command, TransferState, TransferTo},
};
use std::time::Duration;

#[test]
fn nobody_is_lost_over_a_bad_link() {
    let faults =
        Faults { loss: 0.15, duplicate: 0.1, delay: Duration::from_millis(15), jitter: Duration::from_millis(80) };
    let (mut done, mut failed) = (0, 0);
    for seed in 0..60 {
        let mut random = Entropy::from_seed(seed);
        let mut choose = |n: u32| random.u32() % n;
        let mut net = Net::new(seed, faults, 3);
        let (attended, refuses) = (choose(2) == 0, choose(3) == 0);
        let (with_b, _) = net.talk(A, B);
        let context = format!("seed {seed}, attended {attended}, refuses {refuses}");
        if attended {
            net.command(A, Command::Hold { call: with_b });
            net.run_for(5);
            let (with_c, theirs) = net.talk(A, C);
            if refuses {
                net.command(C, Command::Hangup { call: theirs });
            }
            net.transfer(A, with_b, TransferTo::Call(with_c));
        } else {
            net.transfer(A, with_b, TransferTo::Address(Net::aor(C)));
            net.run_until(60, |net| net.ringing(C).is_some() || net.outcome(A).is_some());
            if let Some(call) = net.ringing(C) {
                net.command(C, if refuses { Command::Reject { call, code: 603 } } else { Command::Answer { call } });
            }
        }
        net.run_for(120);
        // Nobody's call is lost: a link like that delays what is said and keeps nothing from being said in the end.
        match net.outcome(A) {
            Some(TransferState::Done { .. }) => {
                done += 1;
                assert!(net.joined(B, C) && net.parties[A].calls.is_empty(), "{context}");
            }
            Some(TransferState::Failed { .. }) => {
                failed += 1;
                assert_eq!(
                    (net.parties[A].calls.contains_key(&with_b), net.parties[B].calls.len()),
                    (true, 1),
                    "{context}"
                );
            }
            other => panic!("{context}: {other:?}, {:?}", net.parties[A].transfers),
        }
        net.settle(&context);
    }
    assert!(done > 20 && failed > 5, "{done} done, {failed} failed");
}
