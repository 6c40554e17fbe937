//! The server is killed at random moments under load: what it acknowledged is there afterwards, nothing is half done, the audit is
//! whole, and a device that was registered is so again. Three times here; `make soak` does it 50 times.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Server, phone::Phone, process::poll_until, run, url};

const PASSWORD: &str = "an operator's long password";
const CLIENTS: usize = 4;

/// Random enough, and the same in each run (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Adds extensions until the server is gone; the numbers that were acknowledged.
fn add_extensions(server: &Server, bearer: &str, next: &AtomicU64, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed).to_string();
        let body = json!({"number": number, "name": "N"}).to_string();
        match server.try_ask("POST", "/v1/accounts/load/extensions", bearer, &body) {
            Some((201, _)) => acknowledged.push(number),
            Some((status, body)) => panic!("{status}: {body}"),
            None => break,
        }
    }
    acknowledged
}

/// Every extension that is stored; each must have its primary.
fn stored(server: &Server, bearer: &str) -> BTreeSet<String> {
    let mut numbers = BTreeSet::new();
    for offset in (0..).step_by(1000) {
        let path = format!("/v1/accounts/load/extensions?offset={offset}");
        let (status, body) = server.ask("GET", &path, bearer, "");
        assert_eq!(status, 200, "{body}");
        let page: Vec<Value> = serde_json::from_str(&body).expect("a list");
        numbers.extend(page.iter().map(|e| e["number"].as_str().expect("a number").to_owned()));
        if page.len() < 1000 {
            break;
        }
    }
    numbers
}

const REGISTRATIONS: &str = "/v1/accounts/load/extensions/100/registrations";
/// A device whose connection was cut within half a minute waits for the rest of it (RFC 5626 §4.5), and a bit.
const RETURN: Duration = Duration::from_secs(60);

/// An account with a desk phone that is online.
fn desk_phone(folder: &Path, server: &Server, bearer: &str) -> Phone {
    let make = |path: &str, body: Value| {
        let (status, made) = server.ask("POST", path, bearer, &body.to_string());
        assert_eq!(status, 201, "{path}: {made}");
        serde_json::from_str::<Value>(&made).expect("JSON")
    };
    let account = make("/v1/accounts", json!({"name": "Load", "tenant": "load", "edition": "enterprise"}));
    make("/v1/accounts/load/extensions", json!({"number": "100", "name": "Desk"}));
    let password = make(&format!("{REGISTRATIONS}/100-load/sip-password"), json!({}));
    let account = format!("sip:100-load@{}", account["realm"].as_str().expect("a realm"));
    // The server's end is the connection's: the contact goes with it, and only another REGISTER brings it back.
    let proxy = format!("sip:{};transport=tcp;lr", server.ready["sip"].as_str().expect("an address"));
    let args = ["--sip-account", &account, "--outbound-proxy", &proxy, "--bind", "127.0.0.1:0", "--audio", "null"];
    let phone = Phone::start(folder, "desk", &args, password["password"].as_str().expect("a password"), None);
    phone.wait(json!({"event": "registration", "state": "online"}));
    phone
}

/// When the desk phone's registration expires, RFC 3339; `None` while it has none.
fn expiry(server: &Server, bearer: &str) -> Option<String> {
    let (_, list) = server.ask("GET", REGISTRATIONS, bearer, "");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    list[0]["holder"]["expires_at"].as_str().map(str::to_owned)
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let rounds: u64 = std::env::var("TMS_SOAK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let folder = tempfile::tempdir().expect("a folder");
    let database = url(folder.path());
    let environment = [("TMS_DATABASE_URL", database.as_str()), ("TMS_ADMIN_PASSWORD", PASSWORD)];
    assert!(run(&["admin", "create"], &environment).status.success());
    let mut dice = Dice(1);
    let (next, mut acknowledged) = (AtomicU64::new(1000), BTreeSet::new());
    let (mut sip, mut phone, mut known) = ("127.0.0.1:0".to_owned(), None, None);
    for round in 0..rounds {
        let mut server = Server::start_at(&sip, folder.path(), &[]);
        sip = server.ready["sip"].as_str().expect("an address").to_owned();
        let sign_in = json!({"username": "admin", "password": PASSWORD}).to_string();
        let (status, session) = server.ask("POST", "/v1/manage/session", "", &sign_in);
        assert_eq!(status, 201, "{session}");
        let session: Value = serde_json::from_str(&session).expect("JSON");
        let bearer = format!("Authorization: Bearer {}\r\n", session["token"].as_str().expect("a token"));
        phone.get_or_insert_with(|| desk_phone(folder.path(), &server, &bearer));
        // An expiry that has grown is of a REGISTER that this server answered, not of a contact that it has read back.
        let back = poll_until(RETURN, || expiry(&server, &bearer).filter(|now| Some(now) > known.as_ref()));
        assert!(back.is_some(), "round {round}: the desk phone has not registered again after {known:?}");
        known = back;
        let there = stored(&server, &bearer);
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        for number in there.iter().rev().take(2 * CLIENTS) {
            let path = format!("/v1/accounts/load/extensions/{number}/registrations");
            let (status, body) = server.ask("GET", &path, &bearer, "");
            assert!(status == 200 && body.contains(&format!("\"{number}-load\"")), "half done: {number} {body}");
        }
        let stop = AtomicBool::new(false);
        let wait = Duration::from_millis(50 + dice.below(700));
        let pid = server.child.id().to_string();
        let added = thread::scope(|scope| {
            let work = || add_extensions(&server, &bearer, &next, &stop);
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(work)).collect();
            thread::sleep(wait);
            assert!(std::process::Command::new("kill").args(["-KILL", &pid]).status().expect("kill runs").success());
            stop.store(true, Ordering::Relaxed);
            clients.into_iter().flat_map(|client| client.join().expect("no panic")).collect::<Vec<_>>()
        });
        server.child.wait().expect("it is dead");
        acknowledged.extend(added);
        let verified = run(&["audit", "verify"], &environment[..1]);
        let told = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success(), "round {round}: {told} {}", String::from_utf8_lossy(&verified.stderr));
        let entries: usize = told.split(' ').next().and_then(|n| n.parse().ok()).expect("a number");
        assert!(entries > acknowledged.len(), "round {round}: {entries} entries for {} changes", acknowledged.len());
    }
    println!("{rounds} kills, {} acknowledged changes, none lost", acknowledged.len());
    assert!(acknowledged.len() as u64 > rounds * 10, "{} changes are no load", acknowledged.len());
}
