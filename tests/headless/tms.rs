//! Signing in to a scripted TMS.

use crate::{phone::Phone, sip_peer::Peer};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
};

type Answers = HashMap<&'static str, (u16, &'static str, String)>;

/// Answers each `METHOD /path` with what stands there, 404 where nothing does, and counts what it was asked.
#[derive(Clone)]
struct Tms {
    address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<String>>>,
    /// The last body that came.
    said: Arc<Mutex<String>>,
}

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

impl Tms {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let tms = Self { address, answers: Arc::default(), asked: Arc::default(), said: Arc::default() };
        let serving = tms.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let tms = serving.clone();
                std::thread::spawn(move || tms.serve(stream));
            }
        });
        tms
    }

    fn answer(&self, request: &'static str, code: u16, kind: &'static str, body: &Value) {
        self.answers.lock().expect("no holder panics").insert(request, (code, kind, body.to_string()));
    }

    /// With a session and two registrations.
    fn signed_in() -> Self {
        let tms = Self::start();
        let session = json!({
            "token": "t1", "expires_at": "2099-01-01T00:00:00Z", "user": {"name": "Ann"},
            "account": {"name": "Acme", "tenant": "acme", "realm": "acme", "edition": "enterprise"},
            "extensions": [{"number": "100", "name": "Ann"}]});
        for request in ["POST /v1/sessions", "POST /v1/link", "GET /v1/me"] {
            tms.answer(request, 200, JSON, &session);
        }
        tms.answer("GET /v1/me/registrations", 200, JSON, &json!([
            {"name": "100-acme", "extension": "100", "kind": "P", "label": "Desk", "ring_inbound": true,
             "in_use": {"device": "T46S", "address": "10.0.0.12:5060", "since": "2026-01-01T08:00:00Z", "this_device": false}},
            {"name": "100-acme-laptop", "extension": "100", "kind": "S", "label": "Laptop", "ring_inbound": true}]));
        tms.answer("DELETE /v1/sessions/current", 204, JSON, &Value::Null);
        tms
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length) = stream.read(&mut buffer) {
            if length == 0 {
                return;
            }
            bytes.extend_from_slice(&buffer[..length]);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length =
                head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
            if body.len() < length.and_then(|l| l.parse().ok()).unwrap_or(0) {
                continue;
            }
            let asked = head.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let found = self.answers.lock().expect("no holder panics").get(asked.as_str()).cloned();
            let (code, kind, answer) = found.unwrap_or((404, "text/html", "<html>".into()));
            self.asked.lock().expect("no holder panics").push(asked);
            if !body.is_empty() {
                body.clone_into(&mut self.said.lock().expect("no holder panics"));
            }
            let answer = if code == 204 { "" } else { &answer };
            let answer = format!(
                "HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
                answer.len()
            );
            let _ = stream.write_all(answer.as_bytes());
            return;
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder panics").clone()
    }

    fn phone(&self, dir: &Path, more: &[&str]) -> Phone {
        let url = format!("http://{}", self.address);
        let mut args = vec!["--tms", &url, "--username", "ann@acme", "--bind", "127.0.0.1:0", "--audio", "null"];
        args.extend(more);
        Phone::start(dir, "phone", &args, "correct horse", Some("ak_1"))
    }
}

#[test]
fn a_refused_login_ends_with_3_in_the_tms_s_words() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let tms = Tms::start();
    let problem = json!({"type": "urn:x", "title": "No", "status": 403, "detail": "Tick Account enabled in the TMS."});
    tms.answer("POST /v1/sessions", 403, PROBLEM, &problem);
    let mut phone = tms.phone(dir.path(), &[]);
    let refused = phone.wait(json!({"event": "login", "state": "refused"}));
    assert_eq!(refused["reason"], "Tick Account enabled in the TMS.");
    assert_eq!(phone.exit_code(), Some(3));
}

#[test]
fn a_tms_that_is_no_tms_is_tried_again() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let phone = Tms::start().phone(dir.path(), &[]);
    let event = phone.wait(json!({"event": "login", "state": "unreachable"}));
    assert!(event["reason"].as_str().is_some_and(|r| r.contains("web page")), "{event}");
    assert!(event["retry_in_s"].is_u64());
    phone.quit();
}

#[test]
fn choosing_a_registration_and_the_last_one_at_the_next_start() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let tms = Tms::signed_in();
    let mut peer = Peer::udp();
    let mut phone = tms.phone(dir.path(), &[]);
    phone.wait(json!({"event": "login", "state": "initialized"}));
    phone.send(json!({"cmd": "registrations", "id": "r"}));
    let list = phone.wait(json!({"event": "registrations", "id": "r"}))["list"].clone();
    assert_eq!((&list[0]["kind"], &list[0]["in_use"]["device"]), (&json!("P"), &json!("T46S")), "{list}");

    let held = json!({"type": "urn:x", "title": "Held", "status": 409, "detail": "A T46S holds 100-acme; use 100-acme-laptop or take it over."});
    tms.answer("POST /v1/me/registrations/100-acme/sip-credential", 409, PROBLEM, &held);
    phone.send(json!({"cmd": "select", "registration": "100-acme", "id": "p"}));
    let conflict = phone.wait(json!({"event": "registration", "state": "conflict", "id": "p"}));
    assert_eq!((&conflict["code"], &conflict["reason"]), (&json!(409), &held["detail"]));

    let proxy = peer.contact().trim_matches(['<', '>']).to_owned();
    tms.answer(
        "POST /v1/me/registrations/100-acme-laptop/sip-credential",
        200,
        JSON,
        &json!({
        "aor": "100-acme-laptop", "username": "100-acme-laptop~k3", "password": "p", "realm": "acme",
        "outbound_proxy": proxy, "transports": ["udp", "tls"], "expires_at": "2099-01-01T00:00:00Z"}),
    );
    phone.send(json!({"cmd": "select", "registration": "100-acme-laptop", "id": "s"}));
    let register = peer.expect("REGISTER");
    assert!(register.headers.to().expect("readable").uri.to_string().starts_with("sip:100-acme-laptop@acme"));
    peer.accept_register(&register);
    phone.wait(json!({"event": "registration", "state": "online", "name": "100-acme-laptop", "id": "s"}));
    phone.send(json!({"cmd": "select", "registration": "100-acme-laptop", "id": "again"}));
    let renewed = peer.expect("REGISTER");
    assert_ne!(renewed.headers.number("Expires"), Some(0), "it stays online");
    peer.accept_register(&renewed);
    phone.wait(json!({"event": "registration", "state": "online", "name": "100-acme-laptop", "id": "again"}));
    another_is_chosen_and_the_first_again(&tms, &mut phone, &mut peer);
    phone.quit();
    assert!(tms.asked().contains(&"DELETE /v1/sessions/current".to_owned()));

    let mut peer_again = peer;
    let phone = tms.phone(dir.path(), &[]);
    loop {
        let register = peer_again.expect("REGISTER");
        peer_again.accept_register(&register);
        if phone.find(&json!({"event": "registration", "state": "online", "name": "100-acme-laptop"})).is_some() {
            break;
        }
        if register.headers.number("Expires") != Some(0) {
            phone.wait(json!({"event": "registration", "state": "online", "name": "100-acme-laptop"}));
            break;
        }
    }
    phone.quit();
}

/// Each time the old one is reported offline before anything is said of the new one.
fn another_is_chosen_and_the_first_again(tms: &Tms, phone: &mut Phone, peer: &mut Peer) {
    let proxy = peer.contact().trim_matches(['<', '>']).to_owned();
    let credential = json!({"aor": "100-acme", "username": "100-acme~k4", "password": "p", "realm": "acme",
        "outbound_proxy": proxy, "transports": ["udp"], "expires_at": "2099-01-01T00:00:00Z"});
    tms.answer("POST /v1/me/registrations/100-acme/sip-credential", 200, JSON, &credential);
    for (old, new) in [("100-acme-laptop", "100-acme"), ("100-acme", "100-acme-laptop")] {
        let seen = phone.events().len();
        phone.send(json!({"cmd": "select", "registration": new, "id": new}));
        loop {
            let register = peer.expect("REGISTER");
            peer.accept_register(&register);
            let to = register.headers.to().expect("readable").uri.to_string();
            if to.starts_with(&format!("sip:{new}@")) {
                break;
            }
        }
        phone.wait(json!({"event": "registration", "state": "online", "name": new, "id": new}));
        let said = phone.events_after(seen);
        let first = said.iter().find(|e| e["event"] == "registration").expect("something");
        assert_eq!((&first["name"], &first["state"]), (&json!(old), &json!("offline")), "{said:?}");
    }
}

#[test]
fn secrets_may_come_in_the_first_line_of_standard_input() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let tms = Tms::signed_in();
    let url = format!("http://{}", tms.address);
    let mut phone = linked(dir.path(), &["--tms", &url, "--username", "ann@acme", "--secrets-stdin"]);
    phone.send_line(r#"{"password":"battery staple","api_key":"ak_2"}"#);
    phone.wait(json!({"event": "login", "state": "initialized"}));
    let said: Value = serde_json::from_str(&tms.said.lock().expect("no holder panics")).expect("JSON");
    assert_eq!(said["password"], "battery staple");
    phone.quit();
}

#[test]
fn secrets_appear_nowhere() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let tms = Tms::signed_in();
    let log = dir.path().join("log");
    let phone = tms.phone(dir.path(), &["--log-level", "trace", "--log-file", log.to_str().expect("text")]);
    phone.wait(json!({"event": "login", "state": "initialized"}));
    let said = format!("{:?}", phone.events());
    phone.quit();
    let mut everything = vec![("standard output".to_owned(), said)];
    for file in std::fs::read_dir(dir.path().join("phone"))
        .expect("readable")
        .chain(std::fs::read_dir(dir.path()).expect("readable"))
    {
        let path = file.expect("readable").path();
        if path.is_file() {
            everything.push((
                path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).into_owned(),
            ));
        }
    }
    for (place, text) in everything {
        assert!(!text.contains("correct horse") && !text.contains("ak_1"), "{place}: {text}");
    }
}

/// A softphone that knows no password.
fn linked(dir: &Path, args: &[&str]) -> Phone {
    let args = [args, &["--bind", "127.0.0.1:0", "--audio", "null"]].concat();
    Phone::start(dir, "phone", &args, "", None)
}

#[test]
fn a_link_signs_in_once_and_its_session_goes_on_at_the_next_start() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let tms = Tms::signed_in();
    let url = format!("http://{}", tms.address);
    let link = format!("agent-manager://link?tms={}&code=c0de", url.replace(':', "%3A").replace('/', "%2F"));
    let phone = linked(dir.path(), &["--link", &link]);
    phone.wait(json!({"event": "login", "state": "initialized"}));
    assert!(!format!("{:?}", phone.events()).contains("t1"), "the token is nobody's to read");
    phone.quit();
    assert!(!tms.asked().contains(&"DELETE /v1/sessions/current".to_owned()), "{:?}", tms.asked());

    let phone = linked(dir.path(), &["--tms", &url]);
    phone.wait(json!({"event": "login", "state": "initialized"}));
    assert!(tms.asked().contains(&"GET /v1/me".to_owned()), "{:?}", tms.asked());
    phone.quit();

    let over = json!({"type": "urn:x", "title": "Over", "status": 401, "detail": "This session has ended."});
    tms.answer("GET /v1/me", 401, PROBLEM, &over);
    let mut phone = linked(dir.path(), &["--tms", &url]);
    let refused = phone.wait(json!({"event": "login", "state": "refused"}));
    assert_eq!(
        refused["reason"],
        "This session has ended. Ask for a new link, or sign in with user name, password and API key."
    );
    assert_eq!(phone.exit_code(), Some(3));
}

#[test]
fn a_link_that_cannot_be_used_is_refused_in_a_sentence() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut phone = linked(dir.path(), &["--link", "agent-manager://link?tms=http://tms.example&code=c0de"]);
    let error = phone.wait(json!({"event": "error"}));
    let said = error["message"].as_str().expect("a sentence");
    assert!(said.starts_with("--link: This link leads to http://tms.example, which is not safe"), "{said}");
    assert_eq!(phone.exit_code(), Some(2));
    let mut phone = linked(dir.path(), &["--tms", "http://127.0.0.1:1"]);
    let error = phone.wait(json!({"event": "error"}));
    assert!(error["message"].as_str().is_some_and(|m| m.contains("no link has signed in")), "{error}");
    assert_eq!(phone.exit_code(), Some(2));

    let tms = Tms::start();
    let used = json!({"type": "urn:x", "title": "No", "status": 403, "detail": "This link was used already."});
    tms.answer("POST /v1/link", 403, PROBLEM, &used);
    let link = format!("agent-manager://link?tms=http://{}&code=c0de", tms.address);
    let mut phone = linked(dir.path(), &["--link", &link]);
    let refused = phone.wait(json!({"event": "login", "state": "refused"}));
    assert_eq!(refused["reason"], used["detail"]);
    assert_eq!(phone.exit_code(), Some(3));
}
