//! A PBX that disappears in mid-call and comes back. The stories keep time with the wall clock (RFC 3261's Timer F alone takes
//! 32 s), so they run side by side.

use crate::{
    phone::Phone,
    sip_peer::{Peer, sdp},
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

/// Longer than anything here takes when all is well.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_pbx_that_disappears_in_mid_call_and_comes_back() {
    std::thread::scope(|scope| {
        for make in [Peer::udp, Peer::tcp] {
            scope.spawn(move || disappearance(make()));
        }
        scope.spawn(keep_alives_begin_again);
        scope.spawn(crate::troubles::a_tms_that_never_answers_is_tried_again);
    });
}

/// The call ends with a sentence, the registration is tried again, and the next call works.
fn disappearance(mut peer: Peer) {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut phone = registered(&mut peer, dir.path(), 12);
    let call = connected(&mut peer, &mut phone);
    let (transport, address) = (peer.transport(), peer.address());
    phone.forget();
    drop(peer);

    let notice = phone.wait_for(LONG, json!({"event": "notice", "severity": "warning"}));
    assert!(notice["message"].as_str().is_some_and(|m| m.contains("Nothing has come from")), "{notice}");
    let ended = phone.wait_for(LONG, json!({"event": "call", "call": call, "state": "ended"}));
    assert_eq!(ended["ended_by"], "network", "{transport}: {ended}");
    assert!(ended["reason"].as_str().is_some_and(|r| r.ends_with('.')), "{ended}");
    let failed = phone.wait_for(LONG, json!({"event": "registration", "state": "failed"}));
    assert!(failed["reason"].as_str().is_some_and(|r| r.ends_with('.')), "{failed}");
    // RFC 5626 §4.5: within the base time of 30 s at first.
    assert!(failed["retry_in_s"].as_u64().is_some_and(|s| s <= 30), "{failed}");

    let mut peer = Peer::at(transport, address).patient(LONG);
    phone.forget();
    let register = peer.expect("REGISTER");
    peer.grant(&register, 600);
    phone.wait(json!({"event": "registration", "state": "online"}));
    let next = connected(&mut peer, &mut phone);
    assert_ne!(next, call);
    phone.quit();
}

/// A registration that failed stops them, the next one starts them (RFC 5626 §4.4).
fn keep_alives_begin_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut peer = Peer::udp().patient(LONG);
    let mut phone = registered(&mut peer, dir.path(), 2);
    let refresh = peer.expect("REGISTER");
    phone.forget();
    peer.respond(&refresh, 503, &[], "");
    phone.wait(json!({"event": "registration", "state": "failed", "code": 503}));
    let register = peer.expect("REGISTER");
    peer.grant(&register, 600);
    phone.wait(json!({"event": "registration", "state": "online"}));
    peer.expect_ping();
    phone.quit();
}

fn registered(peer: &mut Peer, dir: &Path, seconds: u32) -> Phone {
    let phone = peer.phone(dir, &["--codecs", "pcmu"]);
    let register = peer.expect("REGISTER");
    peer.grant(&register, seconds);
    phone.wait(json!({"event": "registration", "state": "online"}));
    phone
}

/// The number of a new call out that the peer has answered.
fn connected(peer: &mut Peer, phone: &mut Phone) -> Value {
    phone.send(json!({"cmd": "dial", "to": "101"}));
    let invite = peer.expect("INVITE");
    peer.respond(&invite, 200, &[], &sdp("sendrecv"));
    peer.expect("ACK");
    phone.wait(json!({"event": "call", "state": "connected"}))["call"].clone()
}
