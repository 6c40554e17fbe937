//! Five thousand requests a second from one source against a softphone in a call.

use crate::support::{
    kamailio::{Kamailio, Options},
    phone::Phone,
    process::poll_until,
};
use serde_json::{Value, json};
use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

const A_SECOND: u32 = 5_000;
const SECONDS: u32 = 4;

/// Requests of one method, or challenges that nobody asked for, each with its own Call-ID, at an even pace.
fn flood(target: &str, user: &str, first_line: &str, method: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    let me = socket.local_addr().expect("a bound socket has an address");
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let body = if method == "INVITE" { sdp } else { "" };
    let start = Instant::now();
    for n in 0..A_SECOND * SECONDS {
        let message = format!(
            "{first_line}\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{method}{n}\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@am.test>;tag=f{n}\r\nTo: <sip:{user}@am.test>\r\nCall-ID: {method}-{n}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:f@{me}>\r\nWWW-Authenticate: Digest realm=\"am.test\", nonce=\"{n}\"\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        // What does not fit into the socket's buffer is lost on the way, as on any network.
        let _ = socket.send_to(message.as_bytes(), target);
        let due = Duration::from_secs(1) / A_SECOND * n;
        poll_until(Duration::from_secs(5), || (start.elapsed() >= due).then_some(()));
    }
}

fn heard(phone: &mut Phone, call: &Value) -> u64 {
    phone.send(json!({"cmd": "stats", "call": call}));
    phone.wait(json!({"event": "stats", "call": call}))["rx"]["packets"].as_u64().unwrap_or(0)
}

#[test]
fn a_flood_neither_stops_a_call_nor_grows_memory() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options::default());
    let mut a = kamailio.phone(dir.path(), "a", "udp", "null", &["--codecs", "pcmu"]);
    let b = kamailio.phone(dir.path(), "b", "udp", "null", &["--codecs", "pcmu", "--auto-answer", "0"]);
    for phone in [&a, &b] {
        phone.wait(json!({"event": "registration", "state": "online"}));
    }
    let target =
        a.wait(json!({"event": "ready"}))["sip"].as_str().and_then(|sip| sip.strip_prefix("udp:")).map(str::to_owned);
    let target = target.expect("it says where it listens");
    a.send(json!({"cmd": "dial", "to": "b"}));
    let call = a.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    let at_b = b.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    let requests = format!("sip:a@{target} SIP/2.0");
    let resident = a.resident_mib();
    for (first_line, method) in
        [(format!("INVITE {requests}"), "INVITE"), ("SIP/2.0 401 Unauthorized".to_owned(), "REGISTER")]
    {
        let (before, began) = (heard(&mut a, &call), Instant::now());
        flood(&target, "a", &first_line, method);
        let (after, took) = (heard(&mut a, &call), began.elapsed().as_secs_f64());
        let share = (after - before) as f64 / (took * 50.0);
        assert!(share > 0.9, "{method}: only {share:.2} of the other side's packets were played");
    }
    // Tables that are full, with some 4 KiB each entry; without bounds it would be 160 MiB.
    let after = a.resident_mib();
    assert!(after < resident + 32.0, "memory went from {resident:.1} to {after:.1} MiB");
    a.send(json!({"cmd": "hold", "call": call}));
    b.wait(json!({"event": "call", "call": at_b, "state": "remote_held"}));
    a.send(json!({"cmd": "hangup", "call": call}));
    b.wait(json!({"event": "call", "call": at_b, "state": "ended"}));
    a.quit();
    b.quit();
}
