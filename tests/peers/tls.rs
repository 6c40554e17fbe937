//! SIP over TLS with Debian's Kamailio and its own certificate.

use crate::support::{
    kamailio::{Kamailio, Options},
    phone::Phone,
    tone,
};
use serde_json::{Value, json};

fn online(phone: &Phone) {
    phone.wait(json!({"event": "registration", "state": "online"}));
}

/// A second and a half of the other's voice.
fn hears(phone: &mut Phone, call: &Value) {
    phone.stats_until(call, |s| s["rx"]["packets"].as_u64() >= Some(75));
}

#[test]
fn calls_over_tls_by_name_and_address_and_never_without() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { tls: true, invite_auth: true, ..Options::default() });
    let ca = kamailio.ca.display().to_string();
    let (a_audio, a_out) = tone::card(dir.path(), "a", 440.0);
    let (b_audio, b_out) = tone::card(dir.path(), "b", 700.0);
    let mut a = kamailio.phone(dir.path(), "a", "tls", &a_audio, &[]);
    let mut b = kamailio.phone(dir.path(), "b", "tls", &b_audio, &["--auto-answer", "0"]);
    online(&a);
    online(&b);
    a.send(json!({"cmd": "dial", "to": "b"}));
    let out = a.wait(json!({"event": "call", "state": "connected", "direction": "out"}))["call"].clone();
    let answered = b.wait(json!({"event": "call", "state": "connected", "direction": "in"}));
    assert_eq!(answered["srtp"], "sdes", "keys go where nobody else reads: {answered}");
    let into = answered["call"].clone();
    hears(&mut a, &out);
    hears(&mut b, &into);
    // A request within the dialog goes by Record-Route, which names the address.
    a.send(json!({"cmd": "hold", "call": out}));
    a.wait(json!({"event": "call", "call": out, "state": "held"}));
    b.wait(json!({"event": "call", "call": into, "state": "remote_held"}));
    a.send(json!({"cmd": "hangup", "call": out}));
    b.wait(json!({"event": "call", "call": into, "state": "ended"}));

    // What would leave TLS is not sent.
    let udp = format!("sip:b@127.0.0.1:{};transport=udp", kamailio.port);
    let proxy = format!("sip:127.0.0.1:{};transport=tls;lr", kamailio.tls_port);
    let account = ["--sip-account", "sip:c@am.test", "--bind", "127.0.0.1:0", "--audio", "null"];
    let secure = [&account[..], &["--outbound-proxy", &proxy]].concat();
    let untrusting = Phone::start(dir.path(), "c", &secure, "pwc", None);
    let failed = untrusting.wait(json!({"event": "registration", "state": "failed"}));
    assert!(failed["reason"].as_str().is_some_and(|why| why.contains("--ca-file")), "{failed}");
    untrusting.quit();
    let direct = [&account[..], &["--no-register", "--transport", "tls", "--ca-file", &ca]].concat();
    let mut direct = Phone::start(dir.path(), "d", &direct, "pwc", None);
    online(&direct);
    direct.send(json!({"cmd": "dial", "to": udp}));
    let ended = direct.wait(json!({"event": "call", "state": "ended"}));
    assert!(ended["reason"].as_str().is_some_and(|why| why.contains("unprotected")), "{ended}");
    direct.quit();
    a.quit();
    b.quit();
    let heard = (tone::seconds(&a_out, 700.0), tone::seconds(&b_out, 440.0));
    assert!(heard.0 > 1.0 && heard.1 > 1.0, "seconds of the other's voice: {heard:?}");
}
