//! Calls through NATs: what a STUN server says reaches the session description, and two of ours find each other by ICE.

use crate::{phone::Phone, sip_peer::Peer};
use serde_json::json;
use std::{
    net::{SocketAddr, UdpSocket},
    sync::mpsc,
};

/// A STUN server that sees everybody at `seen`, or where they are; and whom it has seen. It ends with the test.
fn stun(seen: Option<SocketAddr>) -> (String, mpsc::Receiver<SocketAddr>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address").to_string();
    let (told, asked) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, source)) = socket.recv_from(&mut buffer) {
            assert_eq!((length, &buffer[..4]), (20, &[0, 1, 0, 0][..]), "a binding request");
            let SocketAddr::V4(mapped) = seen.unwrap_or(source) else { unreachable!("only IPv4 here") };
            let (port, ip) = (mapped.port() ^ 0x2112, u32::from(*mapped.ip()) ^ 0x2112_a442);
            let mut answer = [&[1, 1, 0, 12], &buffer[4..20], &[0, 0x20, 0, 8, 0, 1]].concat();
            answer.extend(port.to_be_bytes());
            answer.extend(ip.to_be_bytes());
            if told.send(source).is_err() || socket.send_to(&answer, source).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

#[test]
fn the_description_has_the_address_that_is_seen_from_outside() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (server, asked) = stun(Some("203.0.113.7:31000".parse().expect("an address")));
    let mut peer = Peer::udp();
    let (mut phone, _) = peer.registered(dir.path(), &["--codecs", "pcmu", "--srtp", "off", "--stun", &server]);
    phone.send(json!({"cmd": "dial", "to": "101"}));
    let offer = String::from_utf8_lossy(&peer.expect("INVITE").body).into_owned();
    let port = asked.recv().expect("the server was asked").port();
    for line in [
        "c=IN IP4 203.0.113.7".to_owned(),
        format!("a=candidate:1 1 UDP 2130706431 127.0.0.1 {port} typ host"),
        format!("a=candidate:2 1 UDP 1694498815 203.0.113.7 31000 typ srflx raddr 127.0.0.1 rport {port}"),
    ] {
        assert!(offer.contains(&format!("{line}\r\n")), "{line}: {offer}");
    }
    assert!(offer.contains("m=audio 31000 "), "{offer}");
}

#[test]
fn a_server_that_does_not_answer_is_done_without() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let dead = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let server = dead.local_addr().expect("an address").to_string();
    let mut peer = Peer::udp();
    let (mut phone, _) = peer.registered(dir.path(), &["--stun", &server]);
    phone.send(json!({"cmd": "dial", "to": "101"}));
    let offer = String::from_utf8_lossy(&peer.expect("INVITE").body).into_owned();
    assert!(offer.contains("c=IN IP4 127.0.0.1\r\n") && offer.contains("typ host\r\n"), "{offer}");
    assert!(!offer.contains("srflx"), "{offer}");
}

/// With a handshake besides, which goes the way that the checks have chosen.
#[test]
fn two_of_ours_hear_each_other_the_way_that_was_checked() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let (server, asked) = stun(None);
    let start = |name: &str, more: &[&str]| {
        let account = format!("sip:{name}@127.0.0.1");
        let common = ["--sip-account", &account, "--no-register", "--bind", "127.0.0.1:0", "--audio", "null"];
        let args = [&common[..], &["--srtp", "dtls", "--stun", &server], more].concat();
        let phone = Phone::start(dir.path(), name, &args, "", None);
        let ready = phone.wait(json!({"event": "ready"}));
        (phone, ready["sip"].as_str().expect("an address").trim_start_matches("udp:").to_owned())
    };
    let ((mut a, _), (mut b, at)) = (start("a", &[]), start("b", &["--auto-answer", "0"]));
    a.send(json!({"cmd": "dial", "to": format!("sip:b@{at}")}));
    for phone in [&mut a, &mut b] {
        phone.wait(json!({"event": "call", "call": 1, "state": "connected", "srtp": "dtls"}));
        phone.stats_until(&json!(1), |s| s["rx"]["packets"].as_u64() >= Some(20));
    }
    let ports = [asked.recv(), asked.recv()].map(|port| port.expect("both have asked"));
    assert_ne!(ports[0], ports[1]);
    a.send(json!({"cmd": "hangup", "call": 1}));
    b.wait(json!({"event": "call", "call": 1, "state": "ended"}));
}
