//! PostgreSQL is stopped and started again under two processes that share it: said in words meanwhile, nothing half done, and found
//! again without anybody's help, with what one process tells the other.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{Server, process::poll_until, provider::Postgres, run};

const PASSWORD: &str = "an operator's long password";
const EXTENSIONS: &str = "/v1/accounts/acme/extensions";
/// A request waits ten seconds for the database.
const PATIENCE: Duration = Duration::from_secs(15);
const RETURN: Duration = Duration::from_secs(30);

/// A stream of server-sent events.
struct Events(BufReader<TcpStream>);

impl Events {
    fn open(server: &Server, bearer: &str) -> Self {
        let mut stream = server.connect();
        write!(stream, "GET /v1/me/events HTTP/1.1\r\nHost: tms\r\n{bearer}\r\n").expect("writes");
        let mut events = Self(BufReader::new(stream));
        assert!(events.hears("event: registrations"), "the first comes at once");
        events
    }

    /// Whether a line has these words, before the stream or the patience ends.
    fn hears(&mut self, words: &str) -> bool {
        let (end, mut line) = (Instant::now() + RETURN, String::new());
        while Instant::now() < end && self.0.read_line(&mut line).expect("reads") > 0 {
            if line.contains(words) {
                return true;
            }
            line.clear();
        }
        false
    }

    /// Whether the server ends it in time.
    fn ends(mut self) -> bool {
        let started = Instant::now();
        !self.hears("no such words") && started.elapsed() < RETURN
    }
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[test]
fn a_postgres_that_is_restarted_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut postgres = Postgres::start(folder.path());
    let database = postgres.url("tms");
    let environment = [("TMS_DATABASE_URL", database.as_str()), ("TMS_ADMIN_PASSWORD", PASSWORD)];
    assert!(run(&["admin", "create"], &environment).status.success());
    let first = Server::on(&database, &["--sip", "127.0.0.1:0", "--demo-data=quiet"]);
    let second = Server::on(&database, &["--no-sip"]);
    let agent = bearer(&first.sign_in());
    let sign_in = json!({"username": "admin", "password": PASSWORD}).to_string();
    let (status, session) = first.ask("POST", "/v1/manage/session", "", &sign_in);
    assert_eq!(status, 201, "{session}");
    let session: Value = serde_json::from_str(&session).expect("JSON");
    let operator = bearer(session["token"].as_str().expect("a token"));
    let before = Events::open(&second, &agent);

    postgres.stop();
    let extension = json!({"number": "700", "name": "New"}).to_string();
    let asked = [
        (&first, "POST", EXTENSIONS, operator.as_str(), extension.as_str()),
        (&second, "GET", EXTENSIONS, &operator, ""),
        (&second, "GET", "/v1/me/registrations", &agent, ""),
        (&first, "POST", "/v1/manage/session", "", &sign_in),
    ];
    thread::scope(|scope| {
        for (server, method, path, bearer, body) in asked {
            scope.spawn(move || {
                let started = Instant::now();
                let (status, answer) = server.ask(method, path, bearer, body);
                assert!(status == 503 && answer.contains("database does not answer"), "{method} {path}: {answer}");
                assert!(started.elapsed() < PATIENCE, "{method} {path} took {:?}", started.elapsed());
            });
        }
    });

    postgres.start_again(folder.path());
    let add = || Some(first.ask("POST", EXTENSIONS, &operator, &extension)).filter(|(status, _)| *status != 503);
    let (status, added) = poll_until(RETURN, add).expect("the database is found");
    assert_eq!(status, 201, "what failed was half done: {added}");
    let (_, registrations) = second.ask("GET", &format!("{EXTENSIONS}/700/registrations"), &operator, "");
    assert_eq!(registrations.matches("\"700-acme\"").count(), 1, "{registrations}");

    // What was missed meanwhile nobody knows, so who listened comes anew, and hears what the other process tells.
    assert!(before.ends(), "the second process does not listen any more");
    let mut after = Events::open(&second, &agent);
    let laptop = format!("{EXTENSIONS}/100/registrations/100-acme-laptop");
    let (status, answer) = first.ask("PATCH", &laptop, &operator, &json!({"ring_inbound": false}).to_string());
    assert_eq!(status, 200, "{answer}");
    assert!(after.hears("event: registrations"), "one process does not hear the other");
    drop(after);

    let verified = run(&["audit", "verify"], &environment[..1]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    for server in [first, second] {
        assert!(server.stop() < Duration::from_secs(10));
    }
}
