//! sipp, both roles, in numbers; what each message leads to see [`crate::scenarios`].

use crate::support::{
    phone::Phone,
    process::{free_port, poll_until},
    sipp::Sipp,
};
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    path::Path,
    time::{Duration, Instant},
};

/// A softphone without a registrar; returns its port too.
fn plain_phone(dir: &Path, more: &[&str]) -> (Phone, u16) {
    let port = free_port();
    let bind = format!("127.0.0.1:{port}");
    let mut args = vec!["--sip-account", "sip:agent@127.0.0.1", "--no-register", "--bind", &bind, "--audio", "null"];
    args.extend(more);
    let phone = Phone::start(dir, "phone", &args, "", None);
    phone.wait(json!({"event": "ready"}));
    (phone, port)
}

/// Dials `port` and returns the number of the call.
fn dial(phone: &mut Phone, port: u16) -> Value {
    phone.send(json!({"cmd": "dial", "to": format!("sip:service@127.0.0.1:{port}")}));
    phone.wait(json!({"event": "call", "direction": "out", "state": "dialing"}))["call"].clone()
}

/// The peer is done a moment before our last event is written.
fn wait_for_ends(phone: &Phone, calls: u32) {
    for call in 1..=calls {
        phone.wait(json!({"event": "call", "call": call, "state": "ended"}));
    }
}

/// At once, since each waits most of its time.
#[test]
fn e12_calls_by_the_hundred_leave_memory_where_it_was() {
    std::thread::scope(|scope| {
        scope.spawn(five_hundred_calls_in_at_twenty_a_second);
        scope.spawn(five_hundred_calls_out_at_twenty_a_second);
        a_thousand_calls_out();
    });
}

/// RFC 3261 keeps what is over for 64*T1, 32 s, to answer retransmissions; what comes after must fit into the same room.
fn until_all_is_over() {
    let over = Instant::now() + Duration::from_secs(33);
    poll_until(Duration::from_secs(40), || (Instant::now() > over).then_some(()));
}

fn five_hundred_calls_in_at_twenty_a_second() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (phone, port) = plain_phone(dir.path(), &["--auto-answer", "0", "--codecs", "pcmu"]);
    Sipp::calls(dir.path(), "uac", port, 500, 60, &["-d", "200"]).finish();
    wait_for_ends(&phone, 500);
    let before = phone.resident_mib();
    until_all_is_over();
    let figures = Sipp::calls(dir.path(), "uac", port, 500, 20, &["-d", "200"]).finish();
    assert_eq!(figures.successful, 500);
    wait_for_ends(&phone, 1_000);
    let after = phone.resident_mib();
    assert!(after < before + 1.0, "memory went from {before:.1} to {after:.1} MiB over the second 500 calls in");
    let ended = phone.events().iter().filter(|e| e["event"] == "call" && e["state"] == "ended").count();
    assert_eq!(ended, 1_000, "each call ends once");
    phone.quit();
}

/// Each is up until eight more have been dialled.
fn five_hundred_calls_out_at_twenty_a_second() {
    const APART: Duration = Duration::from_millis(50);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut phone, _) = plain_phone(dir.path(), &["--codecs", "pcmu"]);
    let sipp = Sipp::called(dir.path(), "uas", 500, &[]);
    let mut up = VecDeque::new();
    let began = Instant::now();
    for n in 1..=500 {
        up.push_back(dial(&mut phone, sipp.port));
        if up.len() > 8 {
            phone.send(json!({"cmd": "hangup", "call": up.pop_front()}));
        }
        // The pace, not a wait for anything.
        std::thread::sleep((began + APART * n).saturating_duration_since(Instant::now()));
    }
    up.into_iter().for_each(|call| phone.send(json!({"cmd": "hangup", "call": call})));
    assert_eq!(sipp.finish().successful, 500);
    let is_end = |e: &Value| e["event"] == "call" && e["state"] == "ended";
    let ends = || phone.events().into_iter().filter(is_end).collect::<Vec<_>>();
    let all = poll_until(Duration::from_secs(10), || (ends().len() >= 500).then_some(()));
    assert!(all.is_some(), "{} of 500 calls have ended", ends().len());
    let ended = ends();
    assert_eq!(ended.len(), 500, "each call ends once");
    assert!(ended.iter().all(|e| e["ended_by"] == "local"), "{ended:?}");
    phone.quit();
}

/// 500 calls one after the other; the pace is the answers' own, well above twenty a second.
fn call_out_500_times(phone: &mut Phone, dir: &Path) {
    let sipp = Sipp::called(dir, "uas", 500, &[]);
    for _ in 0..500 {
        let call = dial(phone, sipp.port);
        phone.wait(json!({"event": "call", "call": call, "state": "connected"}));
        phone.send(json!({"cmd": "hangup", "call": call}));
        let ended = phone.wait(json!({"event": "call", "call": call, "state": "ended"}));
        assert_eq!(ended["ended_by"], "local");
    }
    assert_eq!(sipp.finish().successful, 500);
}

fn a_thousand_calls_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut phone, _) = plain_phone(dir.path(), &["--codecs", "pcmu"]);
    call_out_500_times(&mut phone, dir.path());
    let before = phone.resident_mib();
    until_all_is_over();
    call_out_500_times(&mut phone, dir.path());
    let after = phone.resident_mib();
    assert!(after < before + 1.0, "memory went from {before:.1} to {after:.1} MiB over the second 500 calls");
    phone.quit();
}
