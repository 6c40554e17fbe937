//! What both ends know of each other's hearing, and the report of it.

use crate::phone::Phone;
use serde_json::{Value, json};
use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

/// Takes one PUBLISH and says 200.
fn published(collector: &UdpSocket) -> String {
    let mut buffer = [0; 4_096];
    let (length, source) = collector.recv_from(&mut buffer).expect("a report comes");
    let publish = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let copied = |name: &str| publish.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    let fields = ["Via:", "From:", "Call-ID:", "CSeq:", "To:"].map(copied).join("\r\n");
    let answer = format!("SIP/2.0 200 OK\r\n{fields};tag=c\r\nContent-Length: 0\r\n\r\n");
    collector.send_to(answer.as_bytes(), source).expect("the answer goes");
    publish
}

#[test]
fn the_collector_learns_how_a_call_sounded() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let collector = UdpSocket::bind("127.0.0.1:0").expect("a port");
    collector.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let asked = format!("sip:quality@{}", collector.local_addr().expect("an address"));
    let start = |name: &str, more: &[&str]| {
        let account = format!("sip:{name}@127.0.0.1");
        let common = ["--sip-account", &account, "--no-register", "--bind", "127.0.0.1:0", "--audio", "null"];
        let phone = Phone::start(dir.path(), name, &[&common[..], more].concat(), "", None);
        let ready = phone.wait(json!({"event": "ready"}));
        (phone, ready["sip"].as_str().expect("an address").trim_start_matches("udp:").to_owned())
    };
    let ((mut a, _), (b, at)) = (start("a", &["--quality-report", &asked]), start("b", &["--auto-answer", "0"]));
    a.send(json!({"cmd": "dial", "to": format!("sip:b@{at}")}));
    a.wait(json!({"event": "call", "call": 1, "state": "connected"}));
    // RTCP takes some seconds to come.
    let stats = a.stats_until(&json!(1), |stats| stats["remote"]["mos"].is_number());
    assert!(stats["remote"]["mos"].as_f64().is_some_and(|mos| mos > 2.0), "{stats}");
    assert!(stats["delay_out_ms"].as_f64().is_none_or(|ms| ms > 20.0 && ms < 500.0), "{stats}");
    a.send(json!({"cmd": "hangup", "call": 1}));
    a.wait(json!({"event": "call", "call": 1, "state": "ended"}));
    let publish = published(&collector);
    let (head, body) = publish.split_once("\r\n\r\n").expect("a request");
    assert!(head.starts_with("PUBLISH sip:quality@127.0.0.1:") && head.contains("Event: vq-rtcpxr\r\n"), "{head}");
    for line in ["VQSessionReport: CallTerm", "LocalID: sip:a@127.0.0.1", "LocalMetrics:", "RemoteMetrics:"] {
        assert!(body.contains(&format!("{line}\r\n")), "{line}: {body}");
    }
    assert!(body.contains("PD=opus SR=48000 FD=20 ") && body.contains("PacketLoss: NLR="), "{body}");
    b.wait(json!({"event": "call", "call": 1, "state": "ended"}));
    a.quit();
    b.quit();
}

/// Both are silent, and neither wants silence (RFC 7587 §6.1): a packet comes every 400 ms in place of twenty.
#[test]
fn opus_pauses_where_both_want_no_silence() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let start = |name: &str| {
        let account = format!("sip:{name}@127.0.0.1");
        let args = ["--sip-account", &account, "--no-register", "--bind", "127.0.0.1:0", "--audio", "null"];
        let more = ["--codecs", "opus", "--auto-answer", "0", "--silence-suppression", "on"];
        Phone::start(dir.path(), name, &[&args[..], &more].concat(), "", None)
    };
    let (mut a, b) = (start("a"), start("b"));
    let at = b.wait(json!({"event": "ready"}))["sip"].as_str().expect("an address").replace("udp:", "sip:b@");
    a.send(json!({"cmd": "dial", "to": at}));
    a.wait(json!({"event": "call", "call": 1, "state": "connected"}));
    let count = |stats: &Value, way: &str| stats[way]["packets"].as_u64().expect("a count");
    let first = a.stats_until(&json!(1), |stats| count(stats, "tx") >= 15 && count(stats, "rx") >= 15);
    let began = Instant::now();
    let more = |stats: &Value, way: &str| count(stats, way) >= count(&first, way) + 8;
    let later = a.stats_until(&json!(1), |stats| more(stats, "tx") && more(stats, "rx"));
    assert!(began.elapsed() > Duration::from_secs(2), "{first} {later}");
    a.quit();
    b.quit();
}
