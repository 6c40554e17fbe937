//! Debian's Kamailio between two softphones.

use crate::support::{
    kamailio::{Kamailio, Options},
    phone::Phone,
    process::poll_until,
    tone,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn online(phone: &Phone) {
    phone.wait(json!({"event": "registration", "state": "online"}));
}

/// A call from `a` to `b`, answered by itself; both see it connected. Returns the two call numbers.
fn connect(a: &mut Phone, b: &Phone, to: &str) -> (Value, Value) {
    a.send(json!({"cmd": "dial", "to": to}));
    let out = a.wait(json!({"event": "call", "state": "connected", "direction": "out"}));
    let into = b.wait(json!({"event": "call", "state": "connected", "direction": "in"}));
    (out["call"].clone(), into["call"].clone())
}

/// Waits until the call has played `ms` of received audio, judged by packets.
fn heard(phone: &mut Phone, call: &Value, packets: u64) {
    phone.stats_until(call, |s| s["rx"]["packets"].as_u64().unwrap_or(0) >= packets);
}

fn call_both_ways(transport: &str, codec: &str) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options::default());
    let (a_audio, a_out) = tone::card(dir.path(), "a", 440.0);
    let (b_audio, b_out) = tone::card(dir.path(), "b", 700.0);
    let mut a = kamailio.phone(dir.path(), "a", transport, &a_audio, &["--codecs", codec]);
    let mut b = kamailio.phone(dir.path(), "b", transport, &b_audio, &["--codecs", codec, "--auto-answer", "0"]);
    online(&a);
    online(&b);
    let (out, into) = connect(&mut a, &b, "sip:b@am.test");
    heard(&mut a, &out, 200);
    heard(&mut b, &into, 200);
    a.send(json!({"cmd": "hangup", "call": out}));
    let ended = a.wait(json!({"event": "call", "call": out, "state": "ended"}));
    assert_eq!(ended["ended_by"], "local");
    let ended = b.wait(json!({"event": "call", "call": into, "state": "ended"}));
    assert_eq!(ended["ended_by"], "remote");
    a.quit();
    b.quit();
    let (at_b, at_a) = (tone::share(&b_out, 440.0, 1.0, 2.5), tone::share(&a_out, 700.0, 1.0, 2.5));
    assert!(at_b > 0.5 && at_a > 0.5, "{transport} {codec}: tones heard {at_b:.2} and {at_a:.2}, 0.89 is pure");
}

#[test]
fn calls_both_ways() {
    std::thread::scope(|scope| {
        for (transport, codec) in [("udp", "pcmu"), ("tcp", "opus"), ("udp", "pcma")] {
            scope.spawn(move || call_both_ways(transport, codec));
        }
    });
}

/// At once, since each waits most of its time.
#[test]
fn refreshes_come_in_time_and_unnoticed() {
    std::thread::scope(|scope| {
        scope.spawn(registration_is_refreshed_before_it_expires);
        a_registrar_without_qop_is_no_wrong_password_later();
    });
}

fn registration_is_refreshed_before_it_expires() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { max_expires: 4, ..Options::default() });
    let log = dir.path().join("a.log");
    let traced = ["--log-level", "trace", "--log-file", &log.display().to_string()];
    let mut a = kamailio.phone(dir.path(), "a", "udp", "null", &traced);
    let first = a.wait(json!({"event": "registration", "state": "online"}));
    assert_eq!(first["expires_s"], 4);
    let mut caller = kamailio.phone(dir.path(), "c", "udp", "null", &[]);
    online(&caller);
    // Two intervals on, it still can be called: the contact would be gone without a refresh.
    pass(Duration::from_secs(9));
    caller.send(json!({"cmd": "dial", "to": "sip:a@am.test"}));
    let call = a.wait(json!({"event": "call", "state": "ringing", "direction": "in"}))["call"].clone();
    assert!(a.find(&json!({"event": "registration", "state": ["offline", "failed"]})).is_none());
    // By then what the registrar names it by (RFC 5627) is proved to lead to it: the caller's ACK and BYE go there.
    a.send(json!({"cmd": "answer", "call": call}));
    let called = caller.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    caller.send(json!({"cmd": "hangup", "call": called}));
    let ended = a.wait(json!({"event": "call", "call": call, "state": "ended"}));
    assert_eq!(ended["ended_by"], "remote");
    let log = std::fs::read_to_string(&log).expect("it writes a log");
    assert!(log.contains("Contact: <sip:a@am.test;gr=urn:uuid:"), "the GRUU is its Contact");
}

fn a_registrar_without_qop_is_no_wrong_password_later() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options = Options { max_expires: 4, no_qop: true, ..Options::default() };
    let kamailio = Kamailio::start(dir.path(), options);
    let phone = kamailio.phone(dir.path(), "a", "udp", "null", &["--log-level", "trace"]);
    online(&phone);
    // Every refresh, three seconds apart, finds its nonce expired; the third was the last one once.
    pass(Duration::from_secs(16));
    assert!(phone.find(&json!({"event": "registration", "state": ["offline", "failed"]})).is_none());
    phone.quit();
}

#[test]
fn e6_a_call_muted_while_it_rings_is_muted() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options::default());
    let (a_audio, a_out) = tone::card(dir.path(), "a", 440.0);
    let (b_audio, b_out) = tone::card(dir.path(), "b", 700.0);
    let mut a = kamailio.phone(dir.path(), "a", "udp", &a_audio, &["--codecs", "pcmu"]);
    let mut b = kamailio.phone(dir.path(), "b", "udp", &b_audio, &["--codecs", "pcmu"]);
    online(&a);
    online(&b);
    a.send(json!({"cmd": "dial", "to": "b"}));
    let into = b.wait(json!({"event": "call", "state": "ringing"}))["call"].clone();
    b.send(json!({"cmd": "mute", "call": into, "id": "m"}));
    b.wait(json!({"event": "ok", "cmd": "mute", "id": "m"}));
    b.send(json!({"cmd": "answer", "call": into}));
    let out = a.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    heard(&mut a, &out, 120);
    b.send(json!({"cmd": "unmute", "call": into, "id": "u"}));
    b.wait(json!({"event": "ok", "cmd": "unmute", "id": "u"}));
    heard(&mut a, &out, 300);
    a.quit();
    b.quit();
    let (muted, talking) = (tone::share(&a_out, 700.0, 0.3, 1.7), tone::share(&a_out, 700.0, 3.5, 2.0));
    assert!(muted < 0.1 && talking > 0.5, "muted {muted:.2}, talking {talking:.2}");
    assert_eq!(tone::heard(&b_out, 440.0), [tone::Heard::Tone], "the other way nothing was muted");
}

#[test]
fn wrong_password_is_said_in_words_and_not_tried_again() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options::default());
    let account = "sip:a@am.test";
    let proxy = format!("sip:127.0.0.1:{};lr", kamailio.port);
    let args = ["--sip-account", account, "--outbound-proxy", &proxy, "--bind", "127.0.0.1:0", "--audio", "null"];
    let phone = Phone::start(dir.path(), "wrong", &args, "not-the-password", None);
    let failed = phone.wait(json!({"event": "registration", "state": "failed"}));
    assert_eq!(failed["code"], 401);
    assert!(failed["reason"].as_str().is_some_and(|r| r.contains("password")), "{failed}");
    phone.quit();
}

#[test]
fn cancel_busy_and_not_found_have_their_reasons() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { invite_auth: true, ..Options::default() });
    let mut a = kamailio.phone(dir.path(), "a", "udp", "null", &[]);
    let mut b = kamailio.phone(dir.path(), "b", "udp", "null", &[]);
    online(&a);
    online(&b);

    a.send(json!({"cmd": "dial", "to": "b"}));
    let ringing = b.wait(json!({"event": "call", "state": "ringing"}));
    let early = a.wait(json!({"event": "call", "state": "early"}));
    a.send(json!({"cmd": "hangup", "call": early["call"]}));
    let ended = a.wait(json!({"event": "call", "call": early["call"], "state": "ended"}));
    assert_eq!(ended["ended_by"], "local");
    let ended = b.wait(json!({"event": "call", "call": ringing["call"], "state": "ended"}));
    assert_eq!(ended["ended_by"], "remote", "cancelled by the caller");

    a.send(json!({"cmd": "dial", "to": "b"}));
    let ringing = b.wait(json!({"event": "call", "state": "ringing", "call": 2}));
    b.send(json!({"cmd": "reject", "call": ringing["call"], "code": 486}));
    let ended = a.wait(json!({"event": "call", "state": "ended", "call": 2}));
    assert_eq!(ended["code"], 486);
    assert!(ended["reason"].as_str().is_some_and(|r| r.len() > 3), "{ended}");

    a.send(json!({"cmd": "dial", "to": "nobody"}));
    let ended = a.wait(json!({"event": "call", "state": "ended"}));
    assert_eq!(ended["code"], 404);
    a.quit();
    b.quit();
}

#[test]
fn hold_resume_mute_and_digits() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options::default());
    let (a_audio, a_out) = tone::card(dir.path(), "a", 440.0);
    let (b_audio, b_out) = tone::card(dir.path(), "b", 700.0);
    let mut a = kamailio.phone(dir.path(), "a", "udp", &a_audio, &[]);
    let mut b = kamailio.phone(dir.path(), "b", "udp", &b_audio, &["--auto-answer", "0"]);
    online(&a);
    online(&b);
    let (out, into) = connect(&mut a, &b, "b");
    let talk = |a: &mut Phone, b: &mut Phone| [(a, &out), (b, &into)].map(|(phone, call)| hears_on(phone, call));
    talk(&mut a, &mut b);

    b.forget();
    a.send(json!({"cmd": "hold", "call": out}));
    a.wait(json!({"event": "call", "call": out, "state": "held"}));
    b.wait(json!({"event": "call", "call": into, "state": "remote_held"}));
    pass(ON_HOLD);
    b.forget();
    a.send(json!({"cmd": "resume", "call": out}));
    a.wait(json!({"event": "call", "call": out, "state": "connected"}));
    b.wait(json!({"event": "call", "call": into, "state": "connected"}));
    talk(&mut a, &mut b);

    a.send(json!({"cmd": "mute", "call": out, "id": "m1"}));
    a.wait(json!({"event": "ok", "cmd": "mute", "id": "m1"}));
    for via in ["rfc4733", "info"] {
        b.forget();
        a.send(json!({"cmd": "dtmf", "call": out, "digits": "5#", "via": via}));
        b.wait(json!({"event": "dtmf", "call": into, "digit": "5"}));
        b.wait(json!({"event": "dtmf", "call": into, "digit": "#"}));
    }
    pass(ON_HOLD);
    a.send(json!({"cmd": "unmute", "call": out, "id": "m2"}));
    a.wait(json!({"event": "ok", "cmd": "unmute", "id": "m2"}));
    talk(&mut a, &mut b);
    a.send(json!({"cmd": "hangup", "call": out}));
    a.wait(json!({"event": "call", "call": out, "state": "ended"}));
    a.quit();
    b.quit();
    // Nothing passes while a holds, either way; muted, only its own voice is missing.
    use tone::Heard::{Silence, Tone};
    assert_eq!(tone::heard(&a_out, 700.0), [Tone, Silence, Tone], "what a heard");
    assert_eq!(tone::heard(&b_out, 440.0), [Tone, Silence, Tone, Silence, Tone], "what b heard");
}

/// How long a call is left on hold, or muted.
const ON_HOLD: Duration = Duration::from_millis(1_200);

fn pass(time: Duration) {
    let over = Instant::now() + time;
    poll_until(2 * time, || (Instant::now() > over).then_some(()));
}

/// A second of sound more has come.
fn hears_on(phone: &mut Phone, call: &Value) {
    let received = |stats: &Value| stats["rx"]["packets"].as_u64().unwrap_or(0);
    let before = received(&phone.stats_until(call, |_| true));
    phone.stats_until(call, |stats| received(stats) >= before + 50);
}
