//! A softphone in a network namespace whose address changes in a call.

use crate::support::{
    ip::ip,
    kamailio::{Kamailio, Options},
    phone::Phone,
    tone,
};
use serde_json::{Value, json};
use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// A namespace joined to ours by a veth pair; gone when dropped.
struct Namespace {
    name: String,
    device: String,
    net: String,
}

impl Namespace {
    /// `Err` where the system forbids it, and why.
    fn up() -> Result<Self, String> {
        let id = std::process::id();
        let name = format!("amn{:x}", id % 0xffff);
        let (device, net) = (format!("{name}r"), format!("10.78.{}", id % 250));
        ip(&format!("netns add {name}"))?;
        let this = Self { name, device, net };
        let Self { name, device, net } = &this;
        ip(&format!("link add {device} type veth peer name {name}p"))?;
        ip(&format!("link set {name}p netns {name}"))?;
        ip(&format!("addr add {net}.1/24 dev {device}"))?;
        ip(&format!("link set {device} up"))?;
        ip(&format!("-n {name} addr add {net}.2/24 dev {name}p"))?;
        ip(&format!("-n {name} link set {name}p up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        Ok(this)
    }

    fn address(&self, host: u8, verb: &str) {
        let Self { name, net, .. } = self;
        ip(&format!("-n {name} addr {verb} {net}.{host}/24 dev {name}p")).expect("it was allowed before");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its end of the pair goes with it; what was not made yet is not there.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
        let _ = Command::new("ip").args(["link", "del", &self.device]).stderr(Stdio::null()).status();
    }
}

fn packets(phone: &mut Phone, call: &Value, least: u64) -> u64 {
    let received = |s: &Value| s["rx"]["packets"].as_u64().unwrap_or(0);
    received(&phone.stats_until(call, |s| received(s) >= least))
}

#[test]
fn e3_a_call_moves_to_the_new_address_within_seconds() {
    let namespace = match Namespace::up() {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: this system forbids network namespaces: {why}");
            return;
        }
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = format!("{}.1", namespace.net);
    let kamailio = Kamailio::start(dir.path(), Options { also: Some(&server), ..Options::default() });
    let proxy = format!("sip:{server}:{};lr", kamailio.port);
    let at_server = format!("{server}:0");
    let common = ["--outbound-proxy", &proxy];
    let (a_audio, a_out) = tone::card(dir.path(), "a", 440.0);
    let (b_audio, b_out) = tone::card(dir.path(), "b", 700.0);
    let roaming = [&["--sip-account", "sip:a@am.test", "--audio", &a_audio][..], &common].concat();
    let mut a = Phone::start_within(&namespace.name, dir.path(), "a", &roaming, "pwa");
    let fixed = ["--sip-account", "sip:b@am.test", "--bind", &at_server, "--auto-answer", "0", "--audio", &b_audio];
    let fixed = [&fixed[..], &common].concat();
    let mut b = Phone::start(dir.path(), "b", &fixed, "pwb", None);
    for phone in [&a, &b] {
        phone.wait(json!({"event": "registration", "state": "online"}));
    }
    a.send(json!({"cmd": "dial", "to": "b"}));
    let out = a.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    let into = b.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    let (heard_a, heard_b) = (packets(&mut a, &out, 50), packets(&mut b, &into, 50));
    a.forget();
    let began = Instant::now();
    namespace.address(2, "del");
    namespace.address(7, "add");
    let moved = a.wait(json!({"event": "network", "state": "up"}));
    assert_eq!(moved["address"], format!("{}.7", namespace.net));
    assert!(began.elapsed() < Duration::from_secs(3), "noticed after {:?}", began.elapsed());
    packets(&mut a, &out, heard_a + 150);
    packets(&mut b, &into, heard_b + 150);
    assert!(began.elapsed() < Duration::from_secs(9), "heard again after {:?}", began.elapsed());
    for phone in [&a, &b] {
        assert!(!phone.events().iter().any(|e| e["event"] == "call" && e["state"] == "ended"), "{:?}", phone.events());
    }
    b.send(json!({"cmd": "hangup", "call": into}));
    a.wait(json!({"event": "call", "call": out, "state": "ended", "ended_by": "remote"}));
    // And it is found at its new place.
    b.send(json!({"cmd": "dial", "to": "a"}));
    a.wait(json!({"event": "call", "state": "ringing"}));
    a.quit();
    b.quit();
    // A second before it and three after it were asked for above; concealment and stretching blur the ends.
    let (at_a, at_b) = (tone::seconds(&a_out, 700.0), tone::seconds(&b_out, 440.0));
    assert!(at_a > 3.4 && at_b > 3.4, "seconds of the other's tone: {at_a:.1} and {at_b:.1}");
}
