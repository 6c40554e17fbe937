//! Registering, over both transports.

use crate::sip_peer::Peer;
use agent_manager::sip::msg::Contact;
use serde_json::json;
use std::time::Instant;

const CHALLENGE: &str = r#"Digest realm="pbx.test", nonce="n1", algorithm=MD5, qop="auth""#;

#[test]
fn a_challenge_is_answered() {
    for mut peer in [Peer::udp(), Peer::tcp()] {
        let dir = tempfile::tempdir().expect("temporary folder");
        let phone = peer.phone(dir.path(), &[]);
        let first = peer.expect("REGISTER");
        assert!(!first.headers.contains("Authorization"));
        peer.respond(&first, 401, &[("WWW-Authenticate", CHALLENGE)], "");
        let second = peer.expect("REGISTER");
        let authorization = second.headers.get("Authorization").expect("an answer").to_owned();
        assert!(authorization.contains(r#"username="a""#) && !authorization.contains("secret"), "{authorization}");
        let contacts = second.headers.contacts().expect("readable");
        let [Contact::Addr(contact)] = &contacts[..] else { panic!("{contacts:?}") };
        assert!(contact.param("+sip.instance").is_some_and(|i| i.contains("urn:uuid:")), "{contact}");
        peer.accept_register(&second);
        let online = phone.wait(json!({"event": "registration", "state": "online", "name": "a"}));
        assert_eq!(online["expires_s"], 120);
        assert!(phone.find(&json!({"event": "registration", "state": "registering", "name": "a"})).is_some());
        drop(phone);
    }
}

#[test]
fn refusals_are_told_apart() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (code, phrase, state) in [(403, "a is in use by a T46S", "conflict"), (404, "Not Found", "failed")] {
        let mut peer = Peer::udp();
        let phone = peer.phone(dir.path(), &[]);
        let register = peer.expect("REGISTER");
        peer.refuse(&register, code, phrase);
        let event = phone.wait(json!({"event": "registration", "state": ["conflict", "failed"]}));
        assert_eq!((&event["name"], &event["code"]), (&json!("a"), &json!(code)), "{event}");
        assert_eq!(event["state"], state, "{event}");
        assert!(event["reason"].as_str().is_some_and(|r| r.len() > 10), "{event}");
        phone.quit();
    }
}

#[test]
fn a_registrar_that_is_not_there_is_said_so() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let nobody = crate::process::free_port().to_string();
    let proxy = format!("sip:127.0.0.1:{nobody};transport=tcp");
    let args = ["--sip-account", "sip:a@pbx.test", "--outbound-proxy", &proxy, "--transport", "tcp"];
    let args = [&args[..], &["--bind", "127.0.0.1:0", "--audio", "null"]].concat();
    let phone = crate::phone::Phone::start(dir.path(), "phone", &args, "x", None);
    let failed = phone.wait(json!({"event": "registration", "state": "failed"}));
    assert!(failed["reason"].as_str().is_some_and(|r| r.contains(&nobody)), "{failed}");
    assert!(failed["retry_in_s"].is_u64(), "{failed}");
    phone.quit();
}

#[test]
fn quitting_does_not_wait_for_a_peer_that_is_silent() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (phone, _) = Peer::udp().registered(dir.path(), &[]);
    let start = Instant::now();
    phone.quit();
    assert!(start.elapsed().as_secs_f64() < 2.2, "{:?}", start.elapsed());
}

#[test]
fn pings_are_answered_and_nonsense_is_survived() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::tcp();
    let (phone, _) = peer.registered(dir.path(), &[]);
    peer.send(b"\r\n\r\n");
    peer.request("OPTIONS sip:a@pbx.test SIP/2.0\nFrom: <sip:b@pbx.test>;tag=1\nTo: <sip:a@pbx.test>\nCall-ID: 1\nCSeq: 1 OPTIONS", "");
    assert_eq!(peer.expect_final("OPTIONS").code(), 200);
    peer.request(
        "OPTIONS sip:a@pbx.test SIP/2.0\nFrom: <sip:b@pbx.test>;tag=1\nTo: <sip:a@pbx.test>\nCall-ID: 2\nCSeq: 2 OPTIONS\nContact: <sip:",
        "",
    );
    assert_eq!(peer.expect_final("OPTIONS").code(), 400, "an unreadable Contact");
    phone.quit();

    let mut peer = Peer::udp();
    let (phone, _) = peer.registered(dir.path(), &[]);
    let hostile: [&[u8]; 6] = [b"", b"\0\0\0\0", b"\xff\xfe", b"INVITE", b"SIP/2.0 200 OK\r\n\r\n", &[b'x'; 60_000]];
    hostile.iter().for_each(|bytes| peer.send(bytes));
    peer.request(
        "FLY sip:a@pbx.test SIP/2.0\nFrom: <sip:b@pbx.test>;tag=1\nTo: <sip:a@pbx.test>\nCall-ID: 2\nCSeq: 1 FLY",
        "",
    );
    assert!([405, 501].contains(&peer.expect_final("FLY").code()));
    phone.quit();
}

#[test]
fn going_offline_is_settled_whether_it_was_online_or_not() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let (mut phone, _) = peer.registered(dir.path(), &[]);
    phone.send(json!({"cmd": "offline", "id": "first"}));
    let leaving = peer.expect("REGISTER");
    assert_eq!(leaving.headers.get("Expires").or(leaving.headers.get("Contact")).map(|v| v.ends_with('0')), Some(true));
    peer.respond(&leaving, 200, &[], "");
    let offline = phone.wait(json!({"event": "registration", "state": "offline"}));
    assert_eq!((&offline["name"], &offline["id"]), (&json!("a"), &json!("first")), "{offline}");
    phone.send(json!({"cmd": "offline", "id": "second"}));
    phone.wait(json!({"event": "ok", "cmd": "offline", "id": "second"}));
    phone.quit();
}

#[test]
fn the_place_s_own_emergency_numbers_are_dialled_offline() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp();
    let (mut phone, _) = peer.registered(dir.path(), &["--emergency-numbers", "110,119"]);
    phone.send(json!({"cmd": "offline"}));
    let leaving = peer.expect("REGISTER");
    peer.respond(&leaving, 200, &[], "");
    phone.wait(json!({"event": "registration", "state": "offline"}));
    phone.send(json!({"cmd": "dial", "to": "112", "id": "elsewhere"}));
    let error = phone.wait(json!({"event": "error", "cmd": "dial", "id": "elsewhere"}));
    assert!(error["message"].as_str().is_some_and(|why| why.contains("offline")), "{error}");
    phone.send(json!({"cmd": "dial", "to": "119", "id": "here"}));
    let invite = peer.expect("INVITE");
    assert_eq!(invite.uri.to_string(), "sip:119@pbx.test");
    peer.respond(&invite, 486, &[], "");
    peer.expect("ACK");
    phone.quit();
}
