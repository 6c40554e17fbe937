//! Calls that end without a BYE, and what is known of how a device is reached.

use super::bench::{At, Bench};
use crate::{
    server::calls::EndedBy,
    sip::{
        dialog::Dialog,
        msg::{Method, Request},
    },
};
use std::time::Duration;

/// 101 talks with 100's desk phone. Both, and the caller's side of the dialog.
fn talking() -> (Bench, [At; 2], Dialog) {
    let mut bench = Bench::new();
    let (desk, colleague) = (bench.desk(), bench.colleague());
    let (client, invite) = bench.call(colleague, "sip:100@acme");
    let (server, request) = bench.heard_request(desk).expect("it rings");
    bench.answer(desk, server, &request, 200);
    let ok = bench.final_response(colleague, client);
    let dialog = Dialog::uac(&invite, &ok).expect("a dialog");
    bench.send_ack(colleague, dialog.ack(&invite).expect("an ACK"));
    (bench, [desk, colleague], dialog)
}

fn passes(bench: &mut Bench, [desk, colleague]: [At; 2], request: Request) {
    let client = bench.send(colleague, request);
    let (server, request) = bench.heard_request(desk).expect("it arrives");
    bench.answer(desk, server, &request, 200);
    assert_eq!(bench.final_response(colleague, client).code(), 200);
}

/// How long the records of calls say that was talked, and who ended it.
fn over(bench: &Bench) -> Vec<(i64, Option<EndedBy>)> {
    bench.over.iter().map(|call| (call.duration(), call.ended_by)).collect()
}

#[test]
fn a_call_whose_devices_are_both_gone_is_over_when_it_was_last_heard_of() {
    let (mut bench, phones, mut dialog) = talking();
    bench.advance(Duration::from_secs(30));
    passes(&mut bench, phones, dialog.request(Method::INFO));
    // Registered for 600 s; the desk phone longer than the other.
    bench.advance(Duration::from_secs(500));
    assert_eq!(bench.register(phones[0], 600).code(), 200);
    bench.advance(Duration::from_secs(400));
    assert_eq!((bench.pbx.calls("acme").len(), over(&bench)), (1, vec![]), "one of them is still there");
    bench.advance(Duration::from_secs(300));
    assert_eq!((bench.pbx.calls("acme"), over(&bench)), (vec![], vec![(30, Some(EndedBy::Nobody))]));
    bench.advance(Duration::from_secs(100));
    assert_eq!(bench.pbx.poll_timeout(), None, "nothing is left to look after");
}

#[test]
fn a_session_timer_that_runs_out_ends_the_call() {
    let (mut bench, phones, mut dialog) = talking();
    let mut refresh = dialog.request(Method::UPDATE);
    refresh.headers.push("Session-Expires", "90;refresher=uac");
    passes(&mut bench, phones, refresh.clone());
    bench.advance(Duration::from_secs(45));
    dialog.renew(&mut refresh);
    passes(&mut bench, phones, refresh);
    bench.advance(Duration::from_secs(100));
    assert_eq!(bench.pbx.calls("acme").len(), 1, "it was refreshed");
    bench.advance(Duration::from_secs(90));
    assert_eq!((bench.pbx.calls("acme"), over(&bench)), (vec![], vec![(45, Some(EndedBy::Nobody))]));
}

#[test]
fn a_session_whose_timer_was_given_up_goes_on() {
    let (mut bench, phones, mut dialog) = talking();
    let mut refresh = dialog.request(Method::UPDATE);
    refresh.headers.push("Session-Expires", "90;refresher=uac");
    passes(&mut bench, phones, refresh);
    passes(&mut bench, phones, dialog.request(Method::UPDATE));
    bench.advance(Duration::from_secs(300));
    assert_eq!((bench.pbx.calls("acme").len(), over(&bench)), (1, vec![]));
}

#[test]
fn a_call_of_half_a_day_in_silence_is_over() {
    let (mut bench, phones, _) = talking();
    for _ in 0..(12 * 60 + 2) / 5 {
        bench.advance(Duration::from_secs(300));
        for at in phones {
            bench.register(at, 600);
        }
    }
    bench.advance(Duration::from_secs(180));
    assert_eq!((bench.pbx.calls("acme"), over(&bench)), (vec![], vec![(0, Some(EndedBy::Nobody))]));
}

#[test]
fn who_hangs_up_is_noted() {
    let (mut bench, phones, mut dialog) = talking();
    bench.advance(Duration::from_secs(10));
    passes(&mut bench, phones, dialog.request(Method::BYE));
    assert_eq!(over(&bench), [(10, Some(EndedBy::Caller))]);
}

#[test]
fn what_a_device_takes_to_answer_is_measured_and_kept() {
    let mut bench = Bench::new();
    let desk = bench.desk();
    let latency = |bench: &Bench| {
        let holder = bench.pbx.holder(bench.now, &Bench::aor("100-acme")).expect("registered");
        holder.binding.latency
    };
    assert_eq!(latency(&bench), Some(Duration::ZERO), "nothing takes time here");
    // The same nonce again measures nothing, and what is known stays.
    bench.advance(Duration::from_secs(3));
    assert_eq!(bench.register(desk, 600).code(), 200);
    assert_eq!(latency(&bench), Some(Duration::ZERO));
}
