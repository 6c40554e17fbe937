//! What users of other softphones complain about, where no other file has a test of it; docs/complaints.md lists them all.

use super::{bench::*, registration::registering, transfer::net::*};
use crate::{
    sip::{
        endpoint::tests::sim::Faults,
        msg::{Message, Method, Request, Response},
    },
    ua::api::{CallState, Command, Event, RegistrationState},
};
use std::time::Duration;

/// E12: nothing is left of a day's calls.
#[test]
fn e12_after_a_day_of_calls_there_is_no_more_than_after_ten() {
    let faults = Faults { loss: 0.05, duplicate: 0.05, delay: Duration::from_millis(20), ..Faults::default() };
    let mut net = Net::new(12, faults, 2);
    let mut after_ten = None;
    for n in 1..=1_000 {
        let (from, to) = if n % 2 == 0 { (A, B) } else { (B, A) };
        let (call, _) = net.talk(from, to);
        net.command(from, Command::Hold { call });
        net.wait(2_000);
        net.command(from, Command::Resume { call });
        net.wait(10_000);
        net.command(from, Command::Hangup { call });
        net.wait(10_000);
        if n == 10 || n == 1_000 {
            net.run_for(60);
            let left = [A, B].map(|who| {
                let party = &net.parties[who];
                (party.agent.pending(), party.agent.poll_timeout().is_some(), party.open_media, party.calls.len())
            });
            assert_eq!(*after_ten.get_or_insert(left), left, "after {n} calls");
        }
    }
    assert_eq!(after_ten, Some([(0, false, 0, 0); 2]));
    let answered = [A, B].map(|who| net.parties[who].ended.len());
    assert_eq!(answered, [1_000, 1_000]);
}

/// A sentence and not a number.
#[track_caller]
fn is_said(reason: &str, code: u16) {
    let words = reason.split(' ').count();
    assert!(words >= 4 && reason.ends_with(['.', ')']) && !reason.contains(&code.to_string()), "{code}: {reason}");
}

/// The peer's answer with everything that some refusals need to be understood.
fn refusal(request: &Request, code: u16) -> Response {
    let mut response = Response::to(request, code, Some("peer"));
    for (name, value) in [("Unsupported", "100rel"), ("Min-SE", "1800"), ("Min-Expires", "60")] {
        response.headers.push(name, value);
    }
    response
}

/// E14, calls: whatever the answer, and however often it is tried with less.
#[test]
fn e14_every_refusal_of_a_call_is_a_sentence() {
    for code in 300..=699 {
        let mut bench = Bench::ready(settings());
        bench.dial("101");
        let mut rounds = 0;
        let reason = loop {
            let requests: Vec<_> = bench.sent.drain(..).collect();
            for (_, message) in requests {
                match message {
                    Message::Request(request) if request.method == Method::INVITE => {
                        bench.reply(refusal(&request, code));
                    }
                    Message::Request(_) | Message::Response(_) => {}
                }
            }
            let end = bench.events.drain(..).find_map(|event| match event {
                Event::Call(info) => match info.state {
                    CallState::Ended { reason, .. } => Some(reason),
                    _ => None,
                },
                _ => None,
            });
            if let Some(reason) = end {
                break reason;
            }
            rounds += 1;
            assert!(rounds < 60, "{code}: no end");
            bench.advance(Duration::from_secs(1));
        };
        is_said(&reason, code);
        bench.settle();
    }
}

/// E14, registrations: a sentence, and whether and when it will be tried again.
#[test]
fn e14_every_refusal_of_a_registration_is_a_sentence() {
    for code in 300..=699 {
        let (mut bench, register) = registering();
        bench.reply(refusal(&register, code));
        let mut rounds = 0;
        let state = loop {
            let found = bench.events.drain(..).find_map(|event| match event {
                Event::Registration { state: RegistrationState::Registering, .. } => None,
                Event::Registration { state, .. } => Some(state),
                _ => None,
            });
            if let Some(state) = found {
                break state;
            }
            rounds += 1;
            assert!(rounds < 60, "{code}: no end");
            let requests: Vec<_> = bench.sent.drain(..).collect();
            for (_, message) in requests {
                if let Message::Request(request) = message {
                    bench.reply(refusal(&request, code));
                }
            }
            bench.advance(Duration::from_secs(1));
        };
        match state {
            RegistrationState::Failed { reason, .. } | RegistrationState::Conflict { reason, .. } => {
                is_said(&reason, code);
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}
