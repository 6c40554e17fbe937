//! Calls both ways, each way they end.

use crate::{
    phone::Phone,
    sip_peer::{Peer, sdp},
};
use agent_manager::sip::msg::{Contact, Request};
use serde_json::{Value, json};

/// Where requests inside the dialog go.
fn target(request: &Request) -> String {
    match &request.headers.contacts().expect("readable")[..] {
        [Contact::Addr(contact)] => contact.uri.to_string(),
        other => panic!("one contact is expected: {other:?}"),
    }
}

/// A connected call that the phone made, and its INVITE.
fn dialled(peer: &mut Peer, phone: &mut Phone) -> Request {
    phone.send(json!({"cmd": "dial", "to": "101", "id": "d"}));
    let invite = peer.expect("INVITE");
    assert_eq!(invite.uri.to_string(), "sip:101@pbx.test");
    peer.respond(&invite, 180, &[], "");
    let dialing = phone.wait(json!({"event": "call", "state": "dialing"}));
    let call = json!({"call": 1, "direction": "out", "id": "d"});
    assert!(call.as_object().expect("an object").iter().all(|(k, v)| dialing[k] == *v), "{dialing}");
    phone.wait(json!({"event": "call", "call": 1, "state": "early"}));
    peer.respond(&invite, 200, &[], &sdp("sendrecv"));
    peer.expect("ACK");
    let connected = phone.wait(json!({"event": "call", "call": 1, "state": "connected"}));
    assert_eq!((&connected["codec"], &connected["srtp"]), (&json!("PCMU/8000"), &json!("off")));
    assert!(connected.get("id").is_none(), "the mark is carried once: {connected}");
    invite
}

#[test]
fn a_call_out_with_everything_in_it() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let (mut phone, _) = peer.registered(dir.path(), &["--codecs", "pcmu"]);
    let invite = dialled(&mut peer, &mut phone);

    for (cmd, state, direction) in [("hold", "held", "recvonly"), ("resume", "connected", "sendrecv")] {
        phone.send(json!({"cmd": cmd, "call": 1, "id": cmd}));
        let again = peer.expect("INVITE");
        let offered = String::from_utf8_lossy(&again.body).into_owned();
        let wanted = if cmd == "hold" { "a=sendonly" } else { "a=sendrecv" };
        assert!(offered.contains(wanted), "{offered}");
        peer.respond(&again, 200, &[], &sdp(direction));
        peer.expect("ACK");
        assert_eq!(phone.wait(json!({"event": "call", "call": 1, "state": state}))["id"], cmd);
    }

    for cmd in ["mute", "unmute"] {
        phone.send(json!({"cmd": cmd, "call": 1, "id": "m"}));
        phone.wait(json!({"event": "ok", "cmd": cmd, "id": "m"}));
    }
    phone.send(json!({"cmd": "dtmf", "call": 1, "digits": "1#", "id": "r"}));
    phone.wait(json!({"event": "ok", "cmd": "dtmf", "id": "r"}));
    phone.send(json!({"cmd": "dtmf", "call": 1, "digits": "5", "via": "info", "id": "i"}));
    let info = peer.expect("INFO");
    assert!(String::from_utf8_lossy(&info.body).contains("Signal=5"));
    peer.respond(&info, 200, &[], "");
    phone.wait(json!({"event": "ok", "cmd": "dtmf", "id": "i"}));
    phone.send(json!({"cmd": "stats", "call": 1, "id": "s"}));
    let stats = phone.wait(json!({"event": "stats", "call": 1, "id": "s"}));
    assert!(stats["tx"]["packets"].as_u64().is_some_and(|p| p > 0), "{stats}");

    let (from, to) = (invite.headers.from().expect("readable"), invite.headers.call_id().expect("readable"));
    let bye = format!(
        "BYE {} SIP/2.0\nFrom: <sip:101@pbx.test>;tag=peer\nTo: {from}\nCall-ID: {to}\nCSeq: 9 BYE",
        target(&invite)
    );
    peer.request(&bye, "");
    assert_eq!(peer.expect_final("BYE").code(), 200);
    let ended = phone.wait(json!({"event": "call", "call": 1, "state": "ended"}));
    assert_eq!(ended["ended_by"], "remote");
    phone.quit();
}

#[test]
fn two_calls_are_joined_and_one_is_recorded() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let (mut phone, _) = peer.registered(dir.path(), &["--codecs", "pcmu"]);
    dialled(&mut peer, &mut phone);
    phone.send(json!({"cmd": "hold", "call": 1}));
    let hold = peer.expect("INVITE");
    peer.respond(&hold, 200, &[], &sdp("recvonly"));
    peer.expect("ACK");
    phone.send(json!({"cmd": "dial", "to": "102"}));
    let second = peer.expect("INVITE");

    phone.send(json!({"cmd": "conference", "calls": [1, 2], "id": "early"}));
    let early = phone.wait(json!({"event": "error", "cmd": "conference", "id": "early"}));
    assert!(early["message"].as_str().is_some_and(|m| m.contains("not answered yet")), "{early}");
    peer.respond(&second, 200, &[], &sdp("sendrecv"));
    peer.expect("ACK");
    phone.wait(json!({"event": "call", "call": 2, "state": "connected"}));

    // The one on hold is taken off hold; only then they are joined.
    phone.send(json!({"cmd": "conference", "calls": [1, 2], "id": "c"}));
    let resume = peer.expect("INVITE");
    assert!(phone.find(&json!({"event": "ok", "cmd": "conference"})).is_none());
    peer.respond(&resume, 200, &[], &sdp("sendrecv"));
    peer.expect("ACK");
    phone.wait(json!({"event": "ok", "cmd": "conference", "id": "c"}));

    let file = dir.path().join("call.opus");
    phone.send(json!({"cmd": "record", "call": 1, "file": file, "tone": true, "id": "r"}));
    phone.wait(json!({"event": "recording", "call": 1, "state": "begun", "file": file, "tone": true}));
    phone.wait(json!({"event": "ok", "cmd": "record", "id": "r"}));
    phone.send(json!({"cmd": "record", "call": 2, "file": file, "id": "again"}));
    let refused = phone.wait(json!({"event": "error", "cmd": "record", "id": "again"}));
    assert!(refused["message"].as_str().is_some_and(|m| m.contains("exists already")), "{refused}");
    phone.send(json!({"cmd": "record", "call": 1, "stop": true, "id": "s"}));
    phone.wait(json!({"event": "recording", "call": 1, "state": "over", "file": file}));
    // Its end mark stands by then.
    let recorded = std::fs::read(&file).expect("it is there");
    phone.wait(json!({"event": "ok", "cmd": "record", "id": "s"}));
    assert!(recorded.starts_with(b"OggS"));
    assert!(String::from_utf8_lossy(&recorded).contains("Both heard a recording tone every 15 seconds."));
    let last = recorded.windows(4).rposition(|page| page == b"OggS").expect("a page");
    assert_eq!(recorded[last + 5] & 4, 4, "the last page ends the stream (RFC 3533 §6)");

    // The next one need not wait for the file of the one before, and each command has its own answer.
    let (first, second) = (dir.path().join("first.opus"), dir.path().join("second.opus"));
    phone.send(json!({"cmd": "record", "call": 1, "file": first}));
    phone.wait(json!({"event": "recording", "call": 1, "state": "begun", "file": first, "tone": false}));
    let lines = [
        json!({"cmd": "record", "call": 1, "stop": true, "id": "s1"}),
        json!({"cmd": "record", "call": 1, "stop": true, "id": "s2"}),
        json!({"cmd": "record", "call": 1, "file": second, "id": "b"}),
        json!({"cmd": "record", "call": 1, "file": second, "id": "b2"}),
    ];
    phone.send_line(&lines.map(|line| line.to_string()).join("\n"));
    phone.wait(json!({"event": "ok", "cmd": "record", "id": "b"}));
    for (id, words) in [("s2", "not being recorded"), ("b2", "recorded already")] {
        let refused = phone.wait(json!({"event": "error", "cmd": "record", "id": id}));
        assert!(refused["message"].as_str().is_some_and(|m| m.contains(words)), "{refused}");
    }
    phone.wait(json!({"event": "ok", "cmd": "record", "id": "s1"}));
    assert!(phone.find(&json!({"event": "recording", "state": "over", "file": first})).is_some());
    assert!(phone.find(&json!({"event": "recording", "state": "over", "file": second})).is_none());
    phone.send(json!({"cmd": "record", "call": 1, "stop": true, "id": "s3"}));
    phone.wait(json!({"event": "recording", "call": 1, "state": "over", "file": second}));
    phone.wait(json!({"event": "ok", "cmd": "record", "id": "s3"}));

    // One that runs to the end of the program is told too.
    let late = dir.path().join("late.wav");
    phone.send(json!({"cmd": "record", "call": 2, "file": late}));
    phone.wait(json!({"event": "recording", "call": 2, "state": "begun"}));
    phone.send(json!({"cmd": "quit"}));
    phone.wait(json!({"event": "recording", "call": 2, "state": "over", "file": late}));
}

#[test]
fn each_way_a_call_out_can_end() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::tcp();
    let (mut phone, _) = peer.registered(dir.path(), &[]);
    for (number, code) in [486, 603, 404, 503].into_iter().enumerate() {
        phone.send(json!({"cmd": "dial", "to": "sip:102@pbx.test"}));
        let invite = peer.expect("INVITE");
        peer.respond(&invite, code, &[], "");
        peer.expect("ACK");
        let ended = phone.wait(json!({"event": "call", "state": "ended"}));
        assert_eq!((&ended["code"], &ended["call"]), (&json!(code), &json!(number + 1)), "{ended}");
        assert!(ended["reason"].as_str().is_some_and(|r| !r.is_empty()), "{ended}");
    }
    phone.send(json!({"cmd": "dial", "to": "102"}));
    let invite = peer.expect("INVITE");
    peer.respond(&invite, 180, &[], "");
    let early = phone.wait(json!({"event": "call", "state": "early"}));
    phone.send(json!({"cmd": "hangup", "call": early["call"], "id": "h"}));
    let cancel = peer.expect("CANCEL");
    peer.respond(&cancel, 200, &[], "");
    peer.respond(&invite, 487, &[], "");
    peer.expect("ACK");
    let ended = phone.wait(json!({"event": "call", "state": "ended"}));
    assert_eq!((&ended["ended_by"], &ended["id"]), (&json!("local"), &json!("h")), "{ended}");
    phone.quit();
}

/// The peer calls; what is said of it.
fn call_in(peer: &mut Peer, phone: &mut Phone, number: u32, contact: &str) -> Value {
    let from = peer.contact();
    let head = format!(
        "INVITE {contact} SIP/2.0\nFrom: \"Ann\" <sip:101@pbx.test>;tag=t{number}\nTo: <sip:a@pbx.test>\nCall-ID: in{number}\nCSeq: 1 INVITE\nContact: {from}"
    );
    peer.request(&head, &sdp("sendrecv"));
    phone.wait(json!({"event": "call", "direction": "in", "call": number, "state": ["ringing", "connected"]}))
}

#[test]
fn a_call_in_is_answered_or_rejected() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let (mut phone, register) = peer.registered(dir.path(), &[]);
    let contact = target(&register);

    let ringing = call_in(&mut peer, &mut phone, 1, &contact);
    assert_eq!((&ringing["state"], &ringing["peer_name"]), (&json!("ringing"), &json!("Ann")), "{ringing}");
    assert!(ringing["peer"].as_str().is_some_and(|p| p.contains("101@pbx.test")), "{ringing}");
    phone.send(json!({"cmd": "answer", "call": 1, "id": "a"}));
    let answer = peer.expect_final("INVITE");
    assert_eq!(answer.code(), 200);
    let to = answer.headers.get("To").expect("there").to_owned();
    peer.request(
        &format!("ACK {contact} SIP/2.0\nFrom: <sip:101@pbx.test>;tag=t1\nTo: {to}\nCall-ID: in1\nCSeq: 1 ACK"),
        "",
    );
    assert_eq!(phone.wait(json!({"event": "call", "call": 1, "state": "connected"}))["id"], "a");
    phone.send(json!({"cmd": "hangup", "call": 1}));
    let bye = peer.expect("BYE");
    assert!(peer.is_own(&bye.uri), "{}", bye.uri);
    peer.respond(&bye, 200, &[], "");
    assert_eq!(phone.wait(json!({"event": "call", "call": 1, "state": "ended"}))["ended_by"], "local");

    for (number, code) in [(2, Some(603)), (3, None)] {
        call_in(&mut peer, &mut phone, number, &contact);
        let reject = json!({"cmd": "reject", "call": number, "id": number});
        let with = code.map(|code| json!({"cmd": "reject", "call": number, "id": number, "code": code}));
        phone.send(with.unwrap_or(reject));
        assert_eq!(peer.expect_final("INVITE").code(), code.unwrap_or(486));
        assert_eq!(phone.wait(json!({"event": "call", "call": number, "state": "ended"}))["id"], number);
    }
    phone.quit();
}

/// What the peer sends is damaged on its way in, by as much as was asked for.
#[test]
fn calls_ring_before_they_are_answered_by_themselves_and_a_bad_network_is_played() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let impaired = ["--auto-answer", "300", "--impair", "loss=50,seed=7", "--codecs", "pcmu"];
    let (mut phone, register) = peer.registered(dir.path(), &impaired);
    let began = std::time::Instant::now();
    assert_eq!(call_in(&mut peer, &mut phone, 1, &target(&register))["state"], "ringing");
    let answer = peer.expect_final("INVITE");
    assert!(answer.code() == 200 && began.elapsed().as_millis() >= 300, "{:?}", began.elapsed());
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let port = body.lines().find_map(|l| l.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
    let audio: std::net::SocketAddr = ([127, 0, 0, 1], port.expect("a port")).into();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    for n in 0..200u16 {
        let mut packet = vec![0x80, 0];
        packet.extend(n.to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend([0, 0, 0, 7]);
        packet.extend([0xff; 160]);
        socket.send_to(&packet, audio).expect("sent");
    }
    let figure = |stats: &Value, name: &str| stats["rx"][name].as_u64().unwrap_or(0);
    let stats = phone.stats_until(&json!(1), |s| figure(s, "packets") + figure(s, "lost") >= 180);
    assert!((60..140).contains(&figure(&stats, "lost")), "{stats}");
    phone.quit();
}

#[test]
fn calls_are_answered_by_themselves_and_counted() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let (mut phone, register) = peer.registered(dir.path(), &["--auto-answer", "0", "--max-calls", "1"]);
    let contact = target(&register);
    call_in(&mut peer, &mut phone, 1, &contact);
    assert_eq!(peer.expect_final("INVITE").code(), 200);
    let from = peer.contact();
    let second = format!(
        "INVITE {contact} SIP/2.0\nFrom: <sip:102@pbx.test>;tag=x\nTo: <sip:a@pbx.test>\nCall-ID: more\nCSeq: 1 INVITE\nContact: {from}"
    );
    peer.request(&second, &sdp("sendrecv"));
    loop {
        let answer = peer.expect_final("INVITE");
        if answer.headers.call_id() == Ok("more") {
            assert_eq!(answer.code(), 486);
            break;
        }
    }
    phone.quit();
}
