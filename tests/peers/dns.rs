//! Servers found by NAPTR and SRV records, which a dnsmasq serves, with one of two Kamailios ended while it is in use.

use crate::support::{
    kamailio::{Kamailio, Options},
    phone::Phone,
    process::{Process, bounded, free_port, poll_until},
};
use serde_json::{Value, json};
use std::{net::UdpSocket, path::Path, process::Stdio, time::Duration};

/// `am.test` prefers UDP and the first port.
fn dnsmasq(first: u16, second: u16) -> (Process, String) {
    let port = free_port();
    let mut command = bounded("dnsmasq");
    command.args([
        "-k",
        "-C",
        "/dev/null",
        "-R",
        "-h",
        "--no-poll",
        "-u",
        "root",
        "-g",
        "root",
        "--pid-file=",
        "--log-facility=-",
    ]);
    command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--local=/test/", "--cache-size=0"]);
    command.arg(format!("--port={port}"));
    command.args(["--naptr-record=am.test,10,10,S,SIP+D2U,,_sip._udp.am.test", "--host-record=one.am.test,127.0.0.1"]);
    command.arg(format!("--srv-host=_sip._udp.am.test,one.am.test,{first},10,1"));
    command.arg(format!("--srv-host=_sip._udp.am.test,one.am.test,{second},20,1"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let process = Process(child.expect("dnsmasq is installed (make test installs it)"));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
    // A question for one.am.test, type A.
    let question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03one\x02am\x04test\x00\x00\x01\x00\x01";
    poll_until(Duration::from_secs(10), || {
        socket.send_to(question, ("127.0.0.1", port)).ok()?;
        socket.recv(&mut [0; 512]).ok()
    })
    .expect("dnsmasq answers");
    (process, format!("127.0.0.1:{port}"))
}

fn phone(dir: &Path, name: &str, dns: &str, more: &[&str]) -> Phone {
    let account = format!("sip:{name}@am.test");
    let mut args = vec!["--sip-account", &account, "--dns-server", dns, "--bind", "127.0.0.1:0", "--audio", "null"];
    args.extend(more);
    Phone::start(dir, name, &args, &format!("pw{name}"), None)
}

#[test]
fn e3_a_server_that_ends_in_a_call_is_left_for_the_next_and_the_call_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let folders = ["one", "two"].map(|name| dir.path().join(name));
    let [one, two] = folders.each_ref().map(|folder| {
        std::fs::create_dir_all(folder).expect("the test's folder can be written");
        Kamailio::start(folder, Options { max_expires: 6, ..Options::default() })
    });
    let (_dns, dns) = dnsmasq(one.port, two.port);
    let mut a = phone(dir.path(), "a", &dns, &[]);
    let mut b = phone(dir.path(), "b", &dns, &["--auto-answer", "0"]);
    for phone in [&a, &b] {
        phone.wait(json!({"event": "registration", "state": "online"}));
    }
    a.send(json!({"cmd": "dial", "to": "b"}));
    let out = a.wait(json!({"event": "call", "state": "connected", "direction": "out"}))["call"].clone();
    let into = b.wait(json!({"event": "call", "state": "connected", "direction": "in"}))["call"].clone();
    let packets = |phone: &mut Phone, call: &Value, least: u64| {
        phone.stats_until(call, |s| s["rx"]["packets"].as_u64().unwrap_or(0) >= least);
    };
    packets(&mut a, &out, 50);
    drop(one);
    // A third one finds the way in all the same, and the first two are found where they have gone.
    let mut c = phone(dir.path(), "c", &dns, &[]);
    c.wait(json!({"event": "registration", "state": "online"}));
    let reached = poll_until(Duration::from_secs(30), || {
        c.send(json!({"cmd": "dial", "to": "a"}));
        let told = c.wait(json!({"event": "call", "state": ["early", "ended"]}));
        (told["state"] == "early").then_some(told)
    });
    assert!(reached.is_some(), "a has registered with the second server");
    a.wait(json!({"event": "call", "state": "ringing"}));
    for (phone, call) in [(&mut a, &out), (&mut b, &into)] {
        packets(phone, call, 300);
        let ended = phone.events().iter().any(|e| e["event"] == "call" && e["state"] == "ended" && e["call"] == *call);
        assert!(!ended, "the call has not noticed");
    }
    for phone in [a, b, c] {
        phone.quit();
    }
}

/// A server that answers each question as `answer` makes it of the question (RFC 1035 §4.1), or not at all.
fn odd_server(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    let address = socket.local_addr().expect("a bound socket has an address").to_string();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = answer(&buffer[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    address
}

/// The question again with these flags and numbers, and the answers behind it.
fn reply(question: &[u8], flags: u16, answers: &[&[u8]]) -> Option<Vec<u8>> {
    let name = question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let end = 12 + name + 5;
    let [high, low] = flags.to_be_bytes();
    let mut reply = question.get(..end)?.to_vec();
    reply[2..12].copy_from_slice(&[high, low, 0, 1, 0, answers.len() as u8, 0, 0, 0, 0]);
    answers.iter().for_each(|answer| reply.extend_from_slice(answer));
    Some(reply)
}

#[test]
fn dns_that_fails_loops_or_is_slow_is_said_in_a_sentence() {
    // The name that was asked for, as an alias of itself for a minute.
    const ITSELF: &[u8] = &[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, 12];
    let servers = [
        ("fails", odd_server(|question| reply(question, 0x8182, &[]))),
        ("knows no such name", odd_server(|question| reply(question, 0x8183, &[]))),
        ("refuses", odd_server(|question| reply(question, 0x8185, &[]))),
        ("loops", odd_server(|question| reply(question, 0x8180, &[ITSELF]))),
        ("is silent", odd_server(|_| None)),
        ("answers nonsense", odd_server(|question| Some(question.iter().map(|byte| byte ^ 0x55).collect()))),
    ];
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut phones: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(n, (what, dns))| {
            let (account, name) = (format!("sip:{n}@pbx.am.test"), format!("phone-{n}"));
            let args = ["--sip-account", &account, "--dns-server", dns, "--bind", "127.0.0.1:0", "--audio", "null"];
            (what, Phone::start(dir.path(), &name, &args, "secret", None))
        })
        .collect();
    for (what, phone) in &phones {
        let failed = phone.wait_for(Duration::from_secs(20), json!({"event": "registration", "state": "failed"}));
        let said = failed["reason"].as_str().unwrap_or_default();
        assert!(said.contains("pbx.am.test") && said.contains(' '), "DNS {what}: {failed}");
        assert!(failed["retry_in_s"].as_u64() > Some(0), "DNS {what}: {failed}");
    }
    // A call says the same.
    phones.iter_mut().for_each(|(_, phone)| phone.send(json!({"cmd": "dial", "to": "101"})));
    for (what, phone) in phones {
        let ended = phone.wait_for(Duration::from_secs(20), json!({"event": "call", "state": "ended"}));
        let said = ended["reason"].as_str().unwrap_or_default();
        assert!(said.contains("pbx.am.test"), "DNS {what}: {ended}");
        phone.quit();
    }
}
