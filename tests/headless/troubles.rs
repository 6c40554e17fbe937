//! What is wrong with the machine or the TMS, each with its sentence while the rest goes on.

use crate::{
    phone::Phone,
    sip_peer::{Peer, sdp},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::Duration,
};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

#[test]
fn a_settings_file_that_was_cut_short_is_said_once_it_is_ready() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let folder = dir.path().join("phone");
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join("settings.json"), r#"{"server":"https://tms.exa"#).expect("written");
    let phone = Peer::udp().phone(dir.path(), &["--no-register"]);
    let notice = phone.wait(json!({"event": "notice", "severity": "warning"}));
    assert!(notice["message"].as_str().is_some_and(|m| m.contains("settings.json.bad")), "{notice}");
    assert_eq!(phone.events()[0]["event"], "ready");
    phone.quit();
}

#[test]
fn without_any_sound_card_calls_are_made_and_it_is_said_once() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let nothing = dir.path().join("asound.conf");
    std::fs::write(&nothing, "").expect("written");
    let mut peer = Peer::udp();
    let proxy = format!("sip:{};transport=udp;lr", peer.address());
    let args = ["--sip-account", "sip:a@pbx.test", "--outbound-proxy", &proxy, "--transport", "udp", "--no-register"];
    let args = [&args[..], &["--bind", "127.0.0.1:0", "--audio", "device"]].concat();
    let environment = [("ALSA_CONFIG_PATH", nothing.display().to_string())];
    let mut phone = Phone::start_in(&environment, dir.path(), "phone", &args, "secret", None);
    phone.wait(json!({"event": "registration", "state": "online"}));
    phone.send(json!({"cmd": "dial", "to": "101"}));
    let invite = peer.expect("INVITE");
    peer.respond(&invite, 200, &[], &sdp("sendrecv"));
    peer.expect("ACK");
    phone.wait(json!({"event": "call", "call": 1, "state": "connected"}));
    let notice = phone.wait_for(Duration::from_secs(20), json!({"event": "notice", "severity": "warning"}));
    let said = notice["message"].as_str().expect("a sentence");
    assert!(said.contains("cannot be used") && said.ends_with("trying again."), "{said}");
    // It sends silence meanwhile, and is there to be talked to.
    phone.stats_until(&json!(1), |stats| stats["tx"]["packets"].as_u64().is_some_and(|sent| sent > 50));
    let said = phone.events().into_iter().filter(|e| e["event"] == "notice").count();
    assert_eq!(said, 2, "of the microphone and of the speaker, once each: {:?}", phone.events());
    assert!(!phone.events().iter().any(|e| e["state"] == "ended"));
    phone.send(json!({"cmd": "hangup", "call": 1}));
    let bye = peer.expect("BYE");
    peer.respond(&bye, 200, &[], "");
    phone.wait(json!({"event": "call", "call": 1, "state": "ended"}));
    phone.quit();
}

/// A server that takes connections and hands each, in words, to `serve`.
fn server(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || listener.incoming().map_while(Result::ok).for_each(serve));
    address.to_string()
}

fn unreachable(dir: &Path, url: &str) -> String {
    let ca = format!("{FIXTURES}/ca.pem");
    let args = ["--tms", url, "--username", "ann@acme", "--ca-file", &ca, "--bind", "127.0.0.1:0", "--audio", "null"];
    let phone = Phone::start(dir, "phone", &args, "correct horse", Some("ak_1"));
    let event = phone.wait_for(Duration::from_secs(30), json!({"event": "login", "state": "unreachable"}));
    assert!(event["retry_in_s"].as_u64().is_some_and(|s| s <= 60), "{event}");
    phone.quit();
    event["reason"].as_str().expect("a sentence").to_owned()
}

#[test]
fn a_tms_whose_certificate_has_expired_gets_no_password() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let chain = CertificateDer::from_pem_file(format!("{FIXTURES}/expired.pem")).expect("a fixture");
    let key = PrivateKeyDer::from_pem_file(format!("{FIXTURES}/server.key")).expect("a fixture");
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key);
    let config = Arc::new(config.expect("a pair"));
    let (tell, told) = std::sync::mpsc::channel();
    let address = server(move |stream| {
        let tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("a configuration");
        let mut stream = rustls::StreamOwned::new(tls, stream);
        // The test may have heard enough.
        let _ = tell.send(stream.read(&mut [0; 512]).is_ok());
        let _ = stream.flush();
    });
    let dir = tempfile::tempdir().expect("temporary folder");
    let said = unreachable(dir.path(), &format!("https://{address}"));
    assert!(said.contains("its certificate has expired. Ask your IT staff"), "{said}");
    let said_something = told.recv().expect("it called");
    assert!(!said_something, "the client hangs up before it says anything");
}

/// It takes fifteen seconds, so it is told beside stories that take longer.
pub fn a_tms_that_never_answers_is_tried_again() {
    let (keep, kept) = std::sync::mpsc::channel();
    let address = server(move |stream| drop(keep.send(stream)));
    let dir = tempfile::tempdir().expect("temporary folder");
    let said = unreachable(dir.path(), &format!("http://{address}"));
    assert!(said.contains("takes too long to answer"), "{said}");
    drop(kept);
}
