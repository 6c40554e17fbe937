//! What is heard while a call of ours rings.

use crate::{
    phone::Phone,
    pulse::Pulse,
    sip_peer::{Peer, sdp},
};
use serde_json::json;
use std::{
    net::{SocketAddr, UdpSocket},
    sync::mpsc::RecvTimeoutError,
    time::Duration,
};

const PACKET: Duration = Duration::from_millis(20);
/// From one ring to the next, and a little more.
const RINGS_AGAIN: Duration = Duration::from_millis(5_500);

/// A description promises audio; what is heard is audio that comes (RFC 3960 §3.2).
#[test]
fn ringback_sounds_until_early_media_comes() {
    let server = Pulse::start();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut peer, audio) = (Peer::udp(), UdpSocket::bind("127.0.0.1:0").expect("a port"));
    let speaker = server.onsets("speaker.monitor");
    let args = ["--sip-account", "sip:a@127.0.0.1", "--no-register", "--bind", "127.0.0.1:0", "--audio", "device"];
    let args = [&args[..], &["--codecs", "pcmu"]].concat();
    let mut phone = Phone::start_in(&server.environment(), dir.path(), "a", &args, "", None);
    phone.wait(json!({"event": "registration", "state": "online"}));
    phone.send(json!({"cmd": "dial", "to": format!("sip:peer@{}", peer.address())}));
    let invite = peer.expect("INVITE");
    let port = audio.local_addr().expect("an address").port();
    peer.respond(&invite, 183, &[], &sdp("sendrecv").replace("audio 9 ", &format!("audio {port} ")));
    phone.wait(json!({"event": "call", "state": "early"}));
    speaker.onsets.recv_timeout(Duration::from_secs(10)).expect("nothing comes, so ringback is heard");

    let offer = String::from_utf8(invite.body).expect("text");
    let port =
        offer.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()).and_then(|port| port.parse().ok());
    let phone_s = SocketAddr::from(([127, 0, 0, 1], port.expect("an audio line")));
    for n in 0..RINGS_AGAIN.as_millis() / PACKET.as_millis() {
        // 20 ms of silence as PCMU (RFC 3550 §5.1, RFC 3551 §4.5.14).
        let (sequence, timestamp) = ((n as u16).to_be_bytes(), (n as u32 * 160).to_be_bytes());
        let packet = [&[0x80, 0][..], &sequence, &timestamp, &[0, 0, 0, 7], &[0xff; 160]].concat();
        audio.send_to(&packet, phone_s).expect("sent");
        assert_eq!(speaker.onsets.recv_timeout(PACKET), Err(RecvTimeoutError::Timeout), "it rings into what comes");
    }
    phone.quit();
}
