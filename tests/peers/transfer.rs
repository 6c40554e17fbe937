//! Transfers through Kamailio: three softphones of ours, and baresip in the roles that it knows.

use crate::support::{
    baresip::{Baresip, BaresipOptions, Veth},
    kamailio::{Kamailio, Options},
    phone::Phone,
    process::poll_until,
    tone,
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// A phone at `bind` that answers by itself, with a tone to speak; what it hears goes to the path.
fn phone(dir: &Path, name: &str, kamailio: &Kamailio, (bind, hz): (&str, f64)) -> (Phone, std::path::PathBuf) {
    let (audio, output) = tone::card(dir, name, hz);
    let account = format!("sip:{name}@am.test");
    let proxy = format!("sip:{bind}:{};lr", kamailio.port);
    let bind = format!("{bind}:0");
    let args = ["--sip-account", &account, "--outbound-proxy", &proxy, "--bind", &bind, "--audio", &audio];
    let args: Vec<&str> = args.into_iter().chain(["--codecs", "pcmu", "--auto-answer", "0"]).collect();
    let phone = Phone::start(dir, name, &args, &format!("pw{name}"), None);
    (phone, output)
}

fn online(phone: &Phone) {
    phone.wait(json!({"event": "registration", "state": "online"}));
}

/// A call by `phone` that is answered; its number.
fn dial(phone: &mut Phone, to: &str) -> Value {
    phone.send(json!({"cmd": "dial", "to": to}));
    phone.wait(json!({"event": "call", "state": "connected", "direction": "out"}))["call"].clone()
}

fn hold(phone: &mut Phone, call: &Value) {
    phone.send(json!({"cmd": "hold", "call": call}));
    phone.wait(json!({"event": "call", "call": call, "state": "held"}));
}

fn hears(phone: &mut Phone, call: &Value) {
    phone.stats_until(call, |s| s["rx"]["packets"].as_u64().unwrap_or(0) >= 150);
}

/// The share of a tone in the last two seconds of a recording.
fn last_heard(path: &Path, hz: f64) -> f64 {
    let (samples, rate) = tone::read(path);
    tone::share(path, hz, samples.len() as f64 / f64::from(rate) - 2.0, 2.0)
}

/// E9: an attended transfer rings nobody again and loses nobody; a blind one brings the caller back where it fails.
#[test]
fn e9_three_of_ours() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { invite_auth: true, ..Options::default() });
    let here = "127.0.0.1";
    let (mut a, _) = phone(dir.path(), "a", &kamailio, (here, 300.0));
    let (mut b, b_heard) = phone(dir.path(), "b", &kamailio, (here, 440.0));
    let (mut c, c_heard) = phone(dir.path(), "c", &kamailio, (here, 700.0));
    [&a, &b, &c].into_iter().for_each(online);
    // Blind, to nobody.
    let one = dial(&mut a, "sip:b@am.test");
    a.send(json!({"cmd": "transfer", "call": one, "to": "nobody", "id": "blind"}));
    let failed = a.wait(json!({"event": "transfer", "call": one, "state": "failed"}));
    assert_eq!((&failed["code"], &failed["id"]), (&json!(404), &json!("blind")), "{failed}");
    a.wait(json!({"event": "call", "call": one, "state": "connected"}));
    // And to somebody.
    c.forget();
    a.send(json!({"cmd": "transfer", "call": one, "to": "c"}));
    a.wait(json!({"event": "transfer", "call": one, "state": "done", "code": 200}));
    a.wait(json!({"event": "call", "call": one, "state": "ended"}));
    let at_c = c.wait(json!({"event": "call", "state": "connected", "direction": "in"}));
    assert_eq!(at_c["peer"], "sip:b@am.test");
    hears(&mut c, &at_c["call"]);
    c.send(json!({"cmd": "hangup", "call": at_c["call"]}));
    c.wait(json!({"event": "call", "call": at_c["call"], "state": "ended"}));
    // Attended.
    let one = dial(&mut a, "sip:b@am.test");
    hold(&mut a, &one);
    let two = dial(&mut a, "sip:c@am.test");
    b.forget();
    c.forget();
    a.send(json!({"cmd": "transfer", "call": one, "with": two}));
    a.wait(json!({"event": "transfer", "call": one, "state": "done", "code": 200}));
    for call in [&one, &two] {
        a.wait(json!({"event": "call", "call": call, "state": "ended"}));
    }
    let at_b = b.wait(json!({"event": "call", "state": "connected", "direction": "out"}));
    let at_c = c.wait(json!({"event": "call", "state": "connected", "direction": "in"}));
    assert_eq!((&at_b["peer"], &at_c["peer"]), (&json!("sip:c@am.test"), &json!("sip:b@am.test")));
    assert!(c.find(&json!({"event": "call", "state": "ringing"})).is_none(), "the target rang again");
    hears(&mut b, &at_b["call"]);
    hears(&mut c, &at_c["call"]);
    [a, b, c].into_iter().for_each(Phone::quit);
    let shares = (last_heard(&b_heard, 700.0), last_heard(&c_heard, 440.0));
    assert!(shares.0 > 0.5 && shares.1 > 0.5, "each hears the other: {shares:?}");
}

#[test]
fn baresip_transfers_is_transferred_and_is_the_target() {
    let veth = match Veth::up() {
        Ok(veth) => veth,
        Err(why) => {
            println!("skipped: baresip's media refuses loopback, and this system forbids a veth pair: {why}");
            return;
        }
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { also: Some(&veth.address), ..Options::default() });
    let registrar = format!("{}:{}", veth.address, kamailio.port);
    let options = BaresipOptions { registrar: Some(&registrar), ..BaresipOptions::new("pcmu", 700.0) };
    let mut baresip = Baresip::configure(dir.path(), &veth, options).spawn().ready();
    let (mut a, _) = phone(dir.path(), "a", &kamailio, (&veth.address, 300.0));
    let (mut b, b_heard) = phone(dir.path(), "b", &kamailio, (&veth.address, 440.0));
    [&a, &b].into_iter().for_each(online);
    // Transferred, once it has registered: it calls b, and tells a.
    let answered = poll_until(Duration::from_secs(10), || {
        a.send(json!({"cmd": "dial", "to": "sip:bs@am.test"}));
        let call = a.wait(json!({"event": "call", "state": ["connected", "ended"], "direction": "out"}));
        (call["state"] == "connected").then(|| call["call"].clone())
    });
    let one = answered.expect("baresip registers and answers");
    b.forget();
    a.send(json!({"cmd": "transfer", "call": one, "to": "b"}));
    a.wait(json!({"event": "transfer", "call": one, "state": "done"}));
    a.wait(json!({"event": "call", "call": one, "state": "ended"}));
    let at_b = b.wait(json!({"event": "call", "state": "connected", "direction": "in"}));
    assert_eq!(at_b["peer"], "sip:bs@am.test");
    b.send(json!({"cmd": "hangup", "call": at_b["call"]}));
    b.wait(json!({"event": "call", "call": at_b["call"], "state": "ended"}));
    // Transferred to a call that is up already: it knows no Replaces and calls as if there were none, yet nobody is lost.
    let one = dial(&mut a, "sip:bs@am.test");
    hold(&mut a, &one);
    let two = dial(&mut a, "sip:b@am.test");
    b.forget();
    a.send(json!({"cmd": "transfer", "call": one, "with": two}));
    a.wait(json!({"event": "transfer", "call": one, "state": "done"}));
    let at_b = b.wait(json!({"event": "call", "state": "connected", "peer": "sip:bs@am.test"}));
    b.send(json!({"cmd": "hangup", "call": at_b["call"]}));
    b.wait(json!({"event": "call", "call": at_b["call"], "state": "ended"}));
    // The transferor.
    let one = dial(&mut a, "sip:bs@am.test");
    b.forget();
    baresip.command("transfer", "sip:b@am.test");
    a.wait(json!({"event": "referred", "by": one}));
    let at_b = b.wait(json!({"event": "call", "state": "connected", "peer": "sip:a@am.test"}));
    a.wait(json!({"event": "call", "call": one, "state": "ended"}));
    b.send(json!({"cmd": "hangup", "call": at_b["call"]}));
    b.wait(json!({"event": "call", "call": at_b["call"], "state": "ended"}));
    // As target it is asked for Replaces: rather than ring again, everybody keeps what he has.
    let one = dial(&mut a, "sip:b@am.test");
    hold(&mut a, &one);
    let two = dial(&mut a, "sip:bs@am.test");
    b.forget();
    a.send(json!({"cmd": "transfer", "call": one, "with": two}));
    let failed = a.wait(json!({"event": "transfer", "call": one, "state": "failed"}));
    assert_eq!(failed["code"], 420, "{failed}");
    assert!(a.find(&json!({"event": "call", "state": "ended"})).is_none(), "both calls are still there");
    a.send(json!({"cmd": "hangup", "call": two}));
    a.wait(json!({"event": "call", "call": two, "state": "ended"}));
    // The target of a blind transfer.
    a.send(json!({"cmd": "transfer", "call": one, "to": "bs"}));
    a.wait(json!({"event": "transfer", "call": one, "state": "done", "code": 200}));
    let at_b = b.wait(json!({"event": "call", "state": "connected", "direction": "out"}));
    hears(&mut b, &at_b["call"]);
    [a, b].into_iter().for_each(Phone::quit);
    // Its recording is complete once it has ended.
    let there = baresip.heard();
    drop(baresip);
    let shares = (last_heard(&b_heard, 700.0), last_heard(&there, 440.0));
    assert!(shares.0 > 0.5 && shares.1 > 0.5, "b and baresip hear each other: {shares:?}");
}
