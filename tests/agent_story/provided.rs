//! The same story at a provider: PostgreSQL, Kamailio and rtpengine in place of SQLite and our own SIP side.

use crate::{
    phone::Phone,
    process::poll_until,
    story,
    tms::{Tms, select, until_free},
};
use agent_manager::server::registry::Ha1;
use serde_json::{Value, json};
use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

/// Kamailio has nothing to complain of once the story is told.
fn tell(quiet: bool, story: impl FnOnce(&Tms)) {
    let tms = Tms::start_provider(quiet);
    story(&tms);
    assert_eq!(tms.provider().kamailio.complaints(), Vec::<String>::new());
}

#[test]
fn a_held_primary_is_a_conflict() {
    tell(false, story::held_primary);
}

#[test]
fn a_takeover_holds() {
    tell(false, |tms| {
        story::takeover_holds(tms);
        a_contact_hides_nothing(tms);
    });
}

/// Whatever makes a REGISTER look as if the device left, while Kamailio would store a contact.
fn a_contact_hides_nothing(tms: &Tms) {
    const LAPTOP: &str = "100-acme-laptop";
    let password = tms.sip_password(LAPTOP);
    let mut agent = tms.agent("holder");
    select(&mut agent, LAPTOP, true, "online");
    let register = |contact: &str| Device::of(tms, LAPTOP, &password).register(contact, 1);
    for contact in [
        "<sip:it@192.0.2.9>",
        "<sip:it@192.0.2.9;expires=0>",
        "<sip:it@192.0.2.8>;expires=0, <sip:it@192.0.2.9>",
        "<sip:it@192.0.2.8>;expires=0\r\nm: <sip:it@192.0.2.9>",
        "<sip:it@192.0.2.8>;expires=0;a=\"\\\",<sip:it@192.0.2.9>;b=\\\"\"",
        "<sip:it@192.0.2.9>;expires=0000000000001",
    ] {
        let answer = register(contact);
        assert!(answer.starts_with("SIP/2.0 403 ") && answer.contains("was taken over"), "{contact}: {answer}");
    }
    let left = register("<sip:it@192.0.2.9>;expires=0");
    assert!(left.starts_with("SIP/2.0 200 "), "who leaves is not told of others: {left}");
    agent.quit();
}

/// A device set up by hand that is only a socket.
struct Device<'a> {
    socket: UdpSocket,
    server: &'a str,
    user: &'a str,
    password: &'a str,
}

impl<'a> Device<'a> {
    fn of(tms: &'a Tms, user: &'a str, password: &'a str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
        Self { socket, server: tms.ready["sip"].as_str().expect("an address"), user, password }
    }

    /// A REGISTER with this Contact, answered twice: the challenge, and what came of the right digest.
    fn register(&self, contact: &str, sequence: u32) -> String {
        let challenge = self.ask(contact, sequence, "");
        let nonce = challenge.split_once("nonce=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a challenge").0;
        // RFC 7616 §3.4.1: each of the three is the MD5 of what stands between colons.
        let hash = |a: &str, b: &str, c: &str| Ha1::of(a, b, c).md5;
        let said = format!("{nonce}:00000001:cnonce:auth");
        let response = hash(&hash(self.user, "acme", self.password), &said, &hash("REGISTER", "sip", "acme"));
        let credentials = format!(
            "Authorization: Digest username=\"{}\", realm=\"acme\", nonce=\"{nonce}\", uri=\"sip:acme\", qop=auth, \
             nc=00000001, cnonce=\"cnonce\", response=\"{response}\"\r\n",
            self.user
        );
        self.ask(contact, sequence + 1, &credentials)
    }

    fn ask(&self, contact: &str, sequence: u32, more: &str) -> String {
        let (me, user) = (self.socket.local_addr().expect("a bound socket has an address"), self.user);
        let request = format!(
            "REGISTER sip:acme SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{sequence};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{user}@acme>;tag=1\r\nTo: <sip:{user}@acme>\r\nCall-ID: {me}\r\nCSeq: {sequence} REGISTER\r\n\
             Contact: {contact}\r\nExpires: 3600\r\n{more}Content-Length: 0\r\n\r\n"
        );
        self.socket.send_to(request.as_bytes(), self.server).expect("sends");
        self.hears("SIP/2.0 ")
    }

    /// The next message that begins so; what else comes meanwhile is of no interest.
    fn hears(&self, begins: &str) -> String {
        let next = || {
            let mut message = [0; 4096];
            let length = self.socket.recv(&mut message).unwrap_or_else(|e| panic!("{begins}: {e}"));
            String::from_utf8_lossy(&message[..length]).into_owned()
        };
        std::iter::repeat_with(next).find(|message| message.starts_with(begins)).expect("it goes on")
    }
}

/// Who names its own machine, or no address at all, is reached where its REGISTER came from.
fn is_reached_where_it_registered_from(tms: &Tms, colleague: &mut Phone) {
    let password = tms.sip_password("100-acme");
    let device = Device::of(tms, "100-acme", &password);
    for (sequence, uri) in [(1, "sip:it@127.0.0.1:9"), (3, "sip:it@device.invalid")] {
        let answer = device.register(&format!("<{uri}>"), sequence);
        assert!(answer.starts_with("SIP/2.0 200 "), "{uri}: {answer}");
        colleague.send(json!({"cmd": "dial", "to": "100"}));
        device.hears(&format!("INVITE {uri} "));
        let call = colleague.wait(json!({"event": "call", "state": ["early", "ringing"]}))["call"].clone();
        colleague.send(json!({"cmd": "hangup", "call": call}));
        colleague.wait(json!({"event": "call", "state": "ended"}));
    }
    let left = device.register("<sip:it@device.invalid>;expires=0", 5);
    assert!(left.starts_with("SIP/2.0 200 "), "{left}");
}

#[test]
fn ring_inbound_decides_who_rings() {
    tell(true, story::ring_inbound);
}

#[test]
fn the_last_registration_comes_by_itself() {
    tell(true, story::comes_back);
}

#[test]
fn a_call_is_begun_for_an_extension() {
    tell(true, story::begun_by_the_tms);
}

#[test]
fn a_password_is_good_for_its_own_registration_and_the_relay_carries_the_call() {
    tell(true, |tms| {
        let wrong = tms.plain_phone("wrong", "600-acme@acme", "udp");
        let failed = wrong.wait(json!({"event": "registration", "state": "failed"}));
        assert_eq!(failed["code"], 403, "{failed}");
        assert!(failed["reason"].as_str().is_some_and(|r| r.contains("register 101-acme")), "{failed}");
        wrong.quit();
        a_password_is_no_good_elsewhere(tms);
        nobody_else_begins_calls(tms);

        let mut agent = tms.agent("agent");
        select(&mut agent, "100-acme-laptop", false, "online");
        let mut colleague = tms.colleague("udp");
        let second = tms.plain_phone("second", "101-acme@acme", "tcp");
        let conflict = second.wait(json!({"event": "registration", "state": ["conflict", "failed"]}));
        assert!(conflict["reason"].as_str().is_some_and(|r| r.contains("in use by")), "{conflict}");
        second.quit();

        colleague.send(json!({"cmd": "dial", "to": "100"}));
        let ringing = agent.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
        agent.send(json!({"cmd": "answer", "call": ringing["call"]}));
        let call = colleague.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        colleague.stats_until(&call, |stats| stats["rx"]["packets"].as_u64().unwrap_or(0) >= 50);
        assert!(tms.provider().rtpengine.relayed() >= 50, "the relay saw no media");
        colleague.send(json!({"cmd": "hangup", "call": call}));
        agent.wait(json!({"event": "call", "state": "ended", "ended_by": "remote"}));

        // Kamailio has noted the call, and one is ended from here.
        let records = |count: usize| {
            let noted = || tms.ask("GET", "/v1/accounts/acme/call-records", &Value::Null);
            poll_until(Duration::from_secs(5), || {
                Some(noted()).filter(|list| list.as_array().map(Vec::len) == Some(count))
            })
            .expect("it is noted")
        };
        let first = &records(1)[0];
        assert_eq!((&first["from"], &first["ended_by"]), (&json!("101-acme"), &json!("caller")), "{first}");
        colleague.send(json!({"cmd": "dial", "to": "100"}));
        let ringing = agent.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
        agent.send(json!({"cmd": "answer", "call": ringing["call"]}));
        colleague.wait(json!({"event": "call", "state": "connected"}));
        let live = tms.ask("GET", "/v1/accounts/acme/calls", &Value::Null);
        assert!(tms.hang_up(live[0]["id"].as_str().expect("a call")), "{live}");
        for phone in [&mut agent, &mut colleague] {
            phone.wait(json!({"event": "call", "state": "ended", "ended_by": "remote"}));
        }
        assert_eq!(records(2)[0]["ended_by"], "tms");
        is_reached_where_it_registered_from(tms, &mut colleague);

        // Signed out, its contact is gone.
        agent.quit();
        let mut other = tms.agent("other");
        until_free(&mut other, "100-acme-laptop");
        other.quit();
        colleague.quit();
    });
}

/// In another account's realm, and in one that is nobody's; whoever looks after the extension reads why.
fn a_password_is_no_good_elsewhere(tms: &Tms) {
    tms.ask("POST", "/v1/accounts", &json!({"name": "Beta", "tenant": "beta", "edition": "enterprise"}));
    for realm in ["beta", "nowhere"] {
        let phone = tms.plain_phone(realm, &format!("101-acme@{realm}"), "udp");
        phone.wait(json!({"event": "registration", "state": "failed"}));
        phone.quit();
        let words = format!("in the SIP domain {realm}, which is not this account's");
        let refusals = || tms.ask("GET", "/v1/accounts/acme/extensions/101/refusals", &Value::Null);
        let is_it = |refusal: &Value| refusal["sentence"].as_str().is_some_and(|sentence| sentence.contains(&words));
        let noted = || refusals().as_array()?.iter().any(is_it).then_some(());
        assert!(poll_until(Duration::from_secs(5), noted).is_some(), "{words}: {}", refusals());
    }
}

/// At the socket where Kamailio rings devices for the TMS: neither from another address, nor what was sent on to there.
fn nobody_else_begins_calls(tms: &Tms) {
    let url = tms.provider().kamailio.rpc_url();
    let rpc = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/rpc")).expect("it reads so");
    let rpc: SocketAddr = rpc.parse().expect("an address");
    for (from, sent_on) in [("127.0.0.9:0", ""), ("127.0.0.1:0", "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfar\r\n")] {
        let socket = UdpSocket::bind(from).expect("loopback has free ports");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout can be set");
        let me = socket.local_addr().expect("a bound socket has an address");
        let invite = format!(
            "INVITE sip:101-acme@acme SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKnear;rport\r\n{sent_on}Max-Forwards: 70\r\n\
             From: <sip:1@acme>;tag=1\r\nTo: <sip:101@acme>\r\nCall-ID: {me}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:1@{me}>\r\nContent-Length: 0\r\n\r\n"
        );
        socket.send_to(invite.as_bytes(), rpc).expect("sends");
        let mut answer = [0; 2048];
        let length = socket.recv(&mut answer).expect("an answer");
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("SIP/2.0 403 "), "{answer}");
    }
}
