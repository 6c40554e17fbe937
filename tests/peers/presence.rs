//! Kamailio as presence agent: calls of a colleague, presence and waiting voicemail (RFC 4235, RFC 3856, RFC 3842).

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

/// Publishes documents at a Kamailio, as another server or phone would (RFC 3903).
struct Publisher<'a> {
    socket: UdpSocket,
    kamailio: &'a Kamailio,
    published: u32,
}

impl Publisher<'_> {
    fn publish(&mut self, user: &str, event: &str, kind: &str, body: &str) {
        self.published += 1;
        let (me, n) = (self.socket.local_addr().expect("a bound socket has an address"), self.published);
        let request = format!(
            "PUBLISH sip:{user}@am.test SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKp{n};rport\r\nMax-Forwards: 9\r\n\
             From: <sip:{user}@am.test>;tag=p{n}\r\nTo: <sip:{user}@am.test>\r\nCall-ID: publish-{n}\r\nCSeq: 1 PUBLISH\r\n\
             Event: {event}\r\nExpires: 60\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = poll_until(Duration::from_secs(10), || {
            self.socket.send_to(request.as_bytes(), ("127.0.0.1", self.kamailio.port)).ok()?;
            let mut buffer = [0; 2048];
            let length = self.socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        });
        assert!(answer.as_ref().is_some_and(|text| text.starts_with("SIP/2.0 200")), "{event}: {answer:?}");
    }

    fn presence(&mut self, user: &str, basic: &str) {
        let body = format!(
            "<?xml version=\"1.0\"?><presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:{user}@am.test\">\
             <tuple id=\"t1\"><status><basic>{basic}</basic></status></tuple></presence>"
        );
        self.publish(user, "presence", "application/pidf+xml", &body);
    }

    fn voicemail(&mut self, user: &str, new: u32) {
        let body = format!("Messages-Waiting: yes\r\nVoice-Message: {new}/1 (0/0)\r\n");
        self.publish(user, "message-summary", "application/simple-message-summary", &body);
    }
}

fn colleague(phone: &Phone, uri: &str, state: &str) {
    phone.wait(json!({"event": "colleague", "uri": uri, "state": state}));
}

/// What the colleague's lamp has shown so far, each change once.
fn lamps(phone: &Phone, uri: &str) -> Vec<Value> {
    let told = phone.events().into_iter().filter(|e| e["event"] == "colleague" && e["uri"] == uri);
    let mut states: Vec<Value> = told.map(|mut e| e["state"].take()).collect();
    states.dedup();
    states
}

/// An empty `to` is the account itself.
fn subscribe(phone: &mut Phone, what: &str, to: &str) {
    phone.send(json!({"cmd": "subscribe", "what": what, "to": to}));
    phone.wait(json!({"event": "ok", "cmd": "subscribe"}));
}

#[test]
fn colleagues_calls_presence_and_voicemail() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { presence: true, ..Options::default() });
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout can be set");
    let mut publisher = Publisher { socket, kamailio: &kamailio, published: 0 };
    let mut a = kamailio.phone(dir.path(), "a", "udp", "null", &[]);
    let mut b = kamailio.phone(dir.path(), "b", "tcp", "null", &[]);
    for phone in [&a, &b] {
        phone.wait(json!({"event": "registration", "state": "online"}));
    }
    subscribe(&mut a, "dialog", "b");
    subscribe(&mut b, "dialog", "a");
    // Each sees the other's side of the same call.
    a.send(json!({"cmd": "dial", "to": "b"}));
    colleague(&a, "sip:b@am.test", "ringing");
    let call = b.wait(json!({"event": "call", "state": "ringing"}))["call"].clone();
    colleague(&b, "sip:a@am.test", "busy");
    b.send(json!({"cmd": "answer", "call": call}));
    colleague(&a, "sip:b@am.test", "busy");
    a.forget();
    b.send(json!({"cmd": "hangup", "call": call}));
    colleague(&a, "sip:b@am.test", "free");
    colleague(&b, "sip:a@am.test", "free");
    let (of_b, of_a) = (lamps(&a, "sip:b@am.test"), lamps(&b, "sip:a@am.test"));
    assert!(of_b.ends_with(&["ringing", "busy", "free"].map(Value::from)), "nothing in between: {of_b:?}");
    assert!(of_a.ends_with(&["busy", "free"].map(Value::from)), "{of_a:?}");
    // Presence tells those apart that calls do not.
    subscribe(&mut a, "presence", "b");
    publisher.presence("b", "closed");
    colleague(&a, "sip:b@am.test", "not_registered");
    a.forget();
    publisher.presence("b", "open");
    // Voicemail, over more than one life of a subscription (four seconds).
    subscribe(&mut a, "message-summary", "");
    publisher.voicemail("a", 2);
    let told = |phone: &Phone, new: u32| -> Value { phone.wait(json!({"event": "messages", "new": new})) };
    let lamp = told(&a, 2);
    assert_eq!((&lamp["waiting"], &lamp["old"]), (&json!(true), &json!(1)), "{lamp}");
    let over = Instant::now() + Duration::from_secs(9);
    poll_until(Duration::from_secs(10), || (Instant::now() > over).then_some(()));
    publisher.voicemail("a", 3);
    told(&a, 3);
    let errors: Vec<_> = a.events().into_iter().filter(|e| e["event"] == "error").collect();
    assert!(errors.is_empty(), "{errors:?}");
    a.quit();
    b.quit();
}
