//! The real `tms` program: its ready line, its refusals, a stop under load, the commands around it.

#![allow(clippy::disallowed_methods, reason = "a test of the real program reads the clock")]

mod database;
mod https;
mod kill;
#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod phone;
#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod process;
#[path = "../agent_story/provider.rs"]
#[allow(dead_code, reason = "shared with the agent's story at a provider")]
mod provider;
mod schemathesis;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

const TMS: &str = env!("CARGO_BIN_EXE_tms");

struct Server {
    child: Child,
    ready: Value,
}

impl Server {
    fn start(folder: &Path, more: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", folder, more)
    }

    /// With SIP there.
    fn start_at(sip: &str, folder: &Path, more: &[&str]) -> Self {
        Self::on(&url(folder), &[&["--sip", sip], more].concat())
    }

    /// On this database.
    fn on(database: &str, more: &[&str]) -> Self {
        let mut child = Command::new(TMS)
            .args(["serve", "--http", "127.0.0.1:0", "--database-url", database])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .expect("tms starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(&line).expect("the ready line is JSON");
        assert_eq!(ready["ready"], true);
        Self { child, ready }
    }

    fn connect(&self) -> TcpStream {
        self.try_connect().expect("connects")
    }

    fn try_connect(&self) -> Option<TcpStream> {
        let address = self.ready["http"].as_str().and_then(|u| u.strip_prefix("http://")).expect("an address");
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
        Some(stream)
    }

    /// Status and body of one request.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        self.try_ask(method, path, headers, body).expect("an answer")
    }

    /// `None` where the server was gone before it had answered in full.
    fn try_ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = self.try_connect()?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: tms\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    fn sign_in(&self) -> String {
        let demo = &self.ready["demo"];
        let body = json!({"username": demo["username"], "password": demo["password"], "instance_id": "urn:uuid:1"});
        let key = format!("X-API-Key: {}\r\n", demo["api_key"].as_str().expect("a key"));
        let (status, body) = self.ask("POST", "/v1/sessions", &key, &body.to_string());
        assert_eq!(status, 201, "{body}");
        let session: Value = serde_json::from_str(&body).expect("JSON");
        session["token"].as_str().expect("a token").to_owned()
    }

    fn stop(mut self) -> Duration {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "{status}");
        started.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn url(folder: &Path) -> String {
    format!("sqlite://{}/tms.db", folder.display())
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(TMS);
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    command.output().expect("tms runs")
}

#[test]
fn it_serves_stops_cleanly_and_keeps_what_it_was_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--demo-data=quiet"]);
    for (object, field) in [("demo", "username"), ("demo", "password"), ("demo", "api_key")] {
        assert!(server.ready[object][field].is_string(), "{}", server.ready);
    }
    assert_eq!(server.ready["demo"]["sip"]["username"], "101-acme");
    assert!(server.ready["sip"].as_str().is_some_and(|sip| sip.starts_with("127.0.0.1:")));
    let token = server.sign_in();
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let (status, body) = server.ask("GET", "/v1/me/registrations", &bearer, "");
    assert!(status == 200 && body.contains("100-acme-laptop"), "{body}");

    // A stop with a stream open and a request half sent.
    let mut events = server.connect();
    write!(events, "GET /v1/me/events HTTP/1.1\r\nHost: tms\r\n{bearer}\r\n").expect("writes");
    let mut first = [0; 2000];
    assert!(events.read(&mut first).expect("reads") > 0);
    let mut half = server.connect();
    half.write_all(b"POST /v1/sessions HTTP/1.1\r\nHost: tms\r\nContent-Le").expect("writes");
    let took = server.stop();
    assert!(took < Duration::from_secs(5), "stopping took {took:?}");

    let server = Server::start(folder.path(), &[]);
    assert!(server.ready["demo"].is_null());
    let (status, _) = server.ask("GET", "/v1/me", &bearer, "");
    assert_eq!(status, 200, "the session did not survive a restart");
    server.stop();
}

#[test]
fn what_is_no_http_harms_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--demo-data=quiet"]);
    let junk: [&[u8]; 5] = [
        b"\x00\x01\x02\x03\r\n\r\n",
        b"INVITE sip:100@acme SIP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        &[b'A'; 300_000],
    ];
    for bytes in junk {
        let mut stream = server.connect();
        // The server may close before all is written.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2") || bytes.starts_with(b"GET"), "accepted junk");
    }
    let (status, body) = server.ask("POST", "/v1/sessions", "", &"x".repeat(200_000));
    assert!(status == 413 || status == 400, "{status} {body}");
    server.sign_in();
    server.stop();
}

#[test]
fn an_option_that_cannot_be_kept_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = url(folder.path());
    let serve = ["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0"];
    let cases: [(&[&str], &str); 13] = [
        (&["--tls-cert", "a.pem", "--tls-key", "a.key"], "--tls-cert a.pem cannot be read"),
        (&["--tls-cert", "a.pem"], "--tls-key"),
        (&["--sip-tls", "127.0.0.1:5061"], "--tls-cert"),
        (&["--database-url", "postgres://tms@127.0.0.1:1/tms"], "check that PostgreSQL runs there"),
        (&["--no-sip", "--kamailio", "http://127.0.0.1:1/rpc", "--sip-proxy", "127.0.0.1:1"], "needs PostgreSQL"),
        (&["--kamailio", "http://127.0.0.1:1/rpc"], "--no-sip"),
        (&["--database-url", "postgres://tms:secret@localhost/tms"], "must not contain a password"),
        (&["--database-url", "nonsense"], "must read sqlite:///"),
        (&["--database-url", "sqlite:///no/such/folder/tms.db"], "cannot be opened"),
        (&["--public-url", "ftp://x"], "--public-url"),
        (&["--demo-data=loud"], "invalid value"),
        (&["--nonsense"], "unexpected argument"),
        (&["--http", "nowhere"], "invalid value"),
    ];
    for (more, word) in cases {
        let mut arguments = serve.to_vec();
        if !more.contains(&"--database-url") {
            arguments.extend(["--database-url", &database]);
        }
        if more.contains(&"--http") {
            arguments.drain(1..3);
        }
        arguments.extend(more);
        let output = run(&arguments, &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(word), "{more:?}: {told}");
        assert!(output.stdout.is_empty() && !told.contains("secret"), "{more:?}: {told}");
    }
    for (http, sip) in [("0.0.0.0:0", "127.0.0.1:0"), ("127.0.0.1:0", "0.0.0.0:0")] {
        let arguments = ["serve", "--http", http, "--sip", sip, "--database-url", &database, "--demo-data"];
        let output = run(&arguments, &[]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("loopback"), "{told}");
    }
    let kamailio = run(&["kamailio-config", "--rpc", "10.0.0.5:5066"], &[]);
    assert!(!kamailio.status.success() && String::from_utf8_lossy(&kamailio.stderr).contains("loopback"));
    let kamailio = run(&["kamailio-config"], &[]);
    assert!(kamailio.status.success() && kamailio.stdout.starts_with(b"#!KAMAILIO"));
}

#[test]
fn operators_are_made_and_the_database_is_copied() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = url(folder.path());
    let environment = [("TMS_DATABASE_URL", database.as_str())];
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(run(&["migrate"], &environment).status.success());
    let made = run(&["admin", "create"], &environment);
    let made: Value = serde_json::from_str(&said(&made)).expect("JSON");
    let password = made["password"].as_str().expect("a password");
    let with = [environment[0], ("TMS_ADMIN_PASSWORD", "a password of mine")];
    let given = run(&["admin", "create", "--username", "second"], &with);
    assert!(given.status.success() && !said(&given).contains("mine"));
    let again = run(&["admin", "create", "--username", "second"], &with);
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    let weak = [environment[0], ("TMS_ADMIN_PASSWORD", "short")];
    assert!(String::from_utf8_lossy(&run(&["admin", "create", "--username", "third"], &weak).stderr).contains("short"));

    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().expect("UTF-8");
    assert!(run(&["backup", copy], &environment).status.success());
    let moved = format!("sqlite://{}/moved.db", folder.path().display());
    assert!(run(&["restore", copy], &[("TMS_DATABASE_URL", &moved)]).status.success());
    assert!(!run(&["restore", copy], &[("TMS_DATABASE_URL", &moved)]).status.success(), "overwrote a database");

    let server = Server::start(folder.path(), &["--no-sip"]);
    assert!(server.ready["sip"].is_null());
    let body = json!({"username": "admin", "password": password}).to_string();
    let (status, answer) = server.ask("POST", "/v1/manage/session", "", &body);
    assert!(status == 201 && answer.contains("\"operator\":true"), "{answer}");
    server.stop();
}
