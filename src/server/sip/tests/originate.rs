//! Calls that the TMS begins for an extension, message by message.

use super::bench::{At, Bench};
use crate::{
    server::registry::{Extension, RingGroup},
    sip::{
        dialog::Dialog,
        endpoint::{Event, ServerTransactionId},
        flow::Transport,
        msg::{Method, Request},
    },
};
use std::time::Duration;

type Heard = (ServerTransactionId, Request);

/// 100's desk phone and laptop ring to have 101 called. Where they are, what they heard, and the channel.
fn ringing() -> (Bench, [(At, Heard); 2], String) {
    let mut bench = Bench::new();
    let phones = [bench.desk(), bench.laptop()];
    let channel = originate(&mut bench).expect("they ring");
    let heard = phones.map(|at| {
        let (server, invite) = bench.heard_request(at).expect("it rings");
        bench.answer(at, server, &invite, 180);
        (at, (server, invite))
    });
    (bench, heard, channel)
}

fn originate(bench: &mut Bench) -> Result<String, String> {
    let group = RingGroup {
        extension: Extension { number: "100".into(), name: "Alex Agent".into() },
        registrations: vec!["100-acme".into(), "100-acme-laptop".into()],
    };
    let channel = bench.pbx.originate(bench.now, "acme", &group, "101");
    bench.settle();
    channel
}

/// Nothing is left, once timers have run out.
fn assert_at_rest(bench: &mut Bench) {
    bench.advance(Duration::from_secs(40));
    assert!(bench.pbx.originations.is_empty(), "{:?}", bench.pbx.originations);
    assert_eq!((bench.pbx.endpoint.transaction_count(), bench.pbx.calls("acme")), (0, vec![]));
}

/// It answers the INVITE and hears ACK and REFER, which it takes. Its side of the dialog.
fn answer_and_dial(bench: &mut Bench, (at, (server, invite)): &(At, Heard), code: u16) -> Dialog {
    bench.answer(*at, *server, invite, 200);
    assert!(bench.phones[*at].heard.iter().any(|event| matches!(event, Event::Ack { .. })));
    let (server, refer) = bench.heard_request(*at).expect("a REFER");
    assert_eq!(refer.headers.get("Refer-To"), Some("<sip:101@acme>"));
    let mut dialog = Dialog::uas(invite, &format!("tag-{}", bench.phones[*at].name)).expect("a dialog");
    dialog.handle_request(&refer).expect("in order");
    bench.answer(*at, server, &refer, code);
    dialog
}

fn notify(bench: &mut Bench, at: At, dialog: &mut Dialog, fragment: &str, state: &str) -> u16 {
    let mut notify = dialog.request(Method::NOTIFY);
    notify.headers.push("Event", "refer");
    notify.headers.push("Subscription-State", state);
    notify.headers.push("Content-Type", "message/sipfrag");
    notify.body = fragment.as_bytes().to_vec();
    let client = bench.send(at, notify);
    bench.final_response(at, client).code()
}

fn hear_bye(bench: &mut Bench, at: At) {
    let (server, bye) = bench.heard_request(at).expect("a BYE");
    assert_eq!(bye.method, Method::BYE);
    bench.answer(at, server, &bye, 200);
}

#[test]
fn the_device_that_answers_dials_and_the_others_stop_ringing() {
    let (mut bench, [desk, laptop], channel) = ringing();
    for (_, (_, invite)) in [&desk, &laptop] {
        assert!(invite.headers.get("From").is_some_and(|from| from.starts_with("\"Call to 101\" <sip:101@acme>")));
        assert!(String::from_utf8_lossy(&invite.body).contains("a=inactive"));
    }
    let listed = bench.pbx.calls("acme");
    assert_eq!(listed.iter().map(|c| (&*c.id, &*c.to, c.answered)).collect::<Vec<_>>(), [(&*channel, "101", false)]);
    assert_eq!(bench.pbx.calls("elsewhere"), []);

    let mut dialog = answer_and_dial(&mut bench, &desk, 202);
    let (at, (server, invite)) = &laptop;
    assert!(bench.phones[*at].heard.iter().any(|event| matches!(event, Event::Cancelled { .. })));
    bench.answer(*at, *server, invite, 487);
    assert_eq!(bench.pbx.calls("acme"), [], "what the device dials is listed as its own call");
    assert_eq!(notify(&mut bench, desk.0, &mut dialog, "SIP/2.0 100 Trying", "active;expires=60"), 200);
    assert!(bench.heard_request(desk.0).is_none(), "it is still dialling");
    assert_eq!(notify(&mut bench, desk.0, &mut dialog, "SIP/2.0 200 OK", "terminated;reason=noresource"), 200);
    hear_bye(&mut bench, desk.0);
    assert_at_rest(&mut bench);
}

#[test]
fn each_way_that_it_comes_to_nothing_ends_it() {
    // Nobody is online.
    let mut bench = Bench::new();
    assert!(originate(&mut bench).is_err_and(|why| why.contains("No device of extension 100")));
    // Everybody declines.
    let (mut bench, phones, _) = ringing();
    for (at, (server, invite)) in &phones {
        bench.answer(*at, *server, invite, 603);
    }
    assert_at_rest(&mut bench);
    // Nobody answers.
    let (mut bench, phones, _) = ringing();
    bench.advance(Duration::from_secs(61));
    for (at, (server, invite)) in &phones {
        assert!(bench.phones[*at].heard.iter().any(|event| matches!(event, Event::Cancelled { .. })));
        bench.answer(*at, *server, invite, 487);
    }
    assert_at_rest(&mut bench);
    // Somebody hangs it up while it rings; another realm cannot.
    let (mut bench, phones, channel) = ringing();
    assert!(!bench.pbx.hang_up(bench.now, "elsewhere", &channel));
    assert!(bench.pbx.hang_up(bench.now, "acme", &channel));
    bench.settle();
    assert!(!bench.pbx.hang_up(bench.now, "acme", &channel), "ended twice");
    // One answers all the same: the CANCEL has crossed it.
    let (at, (server, invite)) = &phones[0];
    bench.answer(*at, *server, invite, 200);
    hear_bye(&mut bench, *at);
    let (at, (server, invite)) = &phones[1];
    bench.answer(*at, *server, invite, 487);
    assert_at_rest(&mut bench);
}

#[test]
fn none_outlives_the_server() {
    let (mut bench, phones, _) = ringing();
    bench.pbx.end_begun(bench.now);
    bench.settle();
    for (at, (server, invite)) in &phones {
        assert!(bench.pbx.is_beginning(), "a device has not heard of it");
        assert!(bench.phones[*at].heard.iter().any(|event| matches!(event, Event::Cancelled { .. })));
        bench.answer(*at, *server, invite, 487);
    }
    assert!(!bench.pbx.is_beginning());
    // One has answered and dials.
    let (mut bench, [desk, laptop], _) = ringing();
    answer_and_dial(&mut bench, &desk, 202);
    bench.answer(laptop.0, laptop.1.0, &laptop.1.1, 487);
    bench.pbx.end_begun(bench.now);
    bench.settle();
    hear_bye(&mut bench, desk.0);
    assert!(originate(&mut bench).is_err_and(|why| why.contains("stopping")), "another rings");
    assert_at_rest(&mut bench);
}

#[test]
fn a_device_over_tls_is_told_the_port_that_serves_it() {
    let mut bench = Bench::new();
    bench.pbx.serve_tls(5061);
    let desk = bench.phone("100-acme", "100-acme", Transport::Tls, None);
    assert_eq!(bench.register(desk, 600).code(), 200);
    let laptop = bench.laptop();
    originate(&mut bench).expect("they ring");
    let [desk, laptop] = [(desk, "tls", 5061), (laptop, "tcp", 5060)].map(|(at, transport, port)| {
        let heard = bench.heard_request(at).expect("it rings");
        let contact = format!("<sip:tms@127.0.0.1:{port};transport={transport}>");
        assert_eq!(heard.1.headers.get("Contact"), Some(&*contact));
        let via = format!("SIP/2.0/{} 127.0.0.1:{port};", transport.to_uppercase());
        assert!(heard.1.headers.get("Via").is_some_and(|top| top.starts_with(&via)), "{via}");
        (at, heard)
    });
    bench.answer(laptop.0, laptop.1.0, &laptop.1.1, 486);
    let mut dialog = answer_and_dial(&mut bench, &desk, 202);
    assert_eq!(notify(&mut bench, desk.0, &mut dialog, "SIP/2.0 200 OK", "terminated;reason=noresource"), 200);
    hear_bye(&mut bench, desk.0);
    assert_at_rest(&mut bench);
}

#[test]
fn a_device_that_cannot_dial_is_let_go() {
    // It knows no REFER.
    let (mut bench, [desk, laptop], _) = ringing();
    bench.answer(laptop.0, laptop.1.0, &laptop.1.1, 486);
    answer_and_dial(&mut bench, &desk, 501);
    hear_bye(&mut bench, desk.0);
    assert_at_rest(&mut bench);
    // It hangs up by itself.
    let (mut bench, [desk, laptop], _) = ringing();
    bench.answer(laptop.0, laptop.1.0, &laptop.1.1, 486);
    let mut dialog = answer_and_dial(&mut bench, &desk, 202);
    for (method, code) in [(Method::OPTIONS, 200), (Method::INFO, 405), (Method::UPDATE, 488), (Method::BYE, 200)] {
        let client = bench.send(desk.0, dialog.request(method));
        assert_eq!(bench.final_response(desk.0, client).code(), code);
    }
    let client = bench.send(desk.0, dialog.request(Method::BYE));
    assert_eq!(bench.final_response(desk.0, client).code(), 481, "it is over");
    assert_at_rest(&mut bench);
    // It never says how its call went.
    let (mut bench, [desk, laptop], _) = ringing();
    bench.answer(laptop.0, laptop.1.0, &laptop.1.1, 486);
    answer_and_dial(&mut bench, &desk, 202);
    bench.advance(Duration::from_secs(201));
    hear_bye(&mut bench, desk.0);
    assert_at_rest(&mut bench);
}

#[test]
fn an_account_begins_only_so_many_at_once() {
    let mut bench = Bench::new();
    bench.desk();
    let begun = (0..40).take_while(|_| originate(&mut bench).is_ok()).count();
    assert_eq!(begun, 20);
    assert!(originate(&mut bench).is_err_and(|why| why.contains("Too many calls")));
}
