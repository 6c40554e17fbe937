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
fn a_server_that_ends_in_a_call_is_left_for_the_next_and_the_call_goes_on() {
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
