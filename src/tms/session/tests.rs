use super::*;
use crate::{
    secret::Secret,
    tms::{sse::ServerEvent, wire::problem},
};
use serde_json::{Value, json};

mod link;
mod media;
mod renewal;

struct Bench {
    session: Session,
    now: Instant,
    wall: Timestamp,
}

/// What the session asked of its shell since the last look.
#[derive(Debug, Default)]
struct Seen {
    requests: Vec<(RequestId, ApiRequest)>,
    events: Vec<Event>,
    streams_opened: usize,
    streams_closed: usize,
}

const UNREACHABLE: Result<Answer, Failure> = Err(Failure::Refused);

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let session = Session::new("urn:uuid:x".into(), Entropy::from_seed(1));
        Self { session, now, wall: "2026-01-01T00:00:00Z".parse().expect("a time") }
    }

    fn login() -> TmsLogin {
        let (password, api_key) = (Secret("hunter2".into()), Secret("ak_1".into()));
        let proof = Proof::Password { username: "a@b".into(), password, api_key };
        TmsLogin { url: "http://127.0.0.1:1".into(), proof }
    }

    fn link(url: &str) -> TmsLogin {
        TmsLogin { url: url.into(), proof: Proof::Link { code: Secret("c0de".into()), registration: None } }
    }

    fn token() -> TmsLogin {
        TmsLogin { url: "http://127.0.0.1:1".into(), proof: Proof::Token(Secret("t1".into())) }
    }

    fn seen(&mut self) -> Seen {
        let mut seen = Seen::default();
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Request { id, request } => seen.requests.push((id, request)),
                Output::OpenEvents { .. } => seen.streams_opened += 1,
                Output::CloseEvents => seen.streams_closed += 1,
                Output::Event(event) => seen.events.push(event),
            }
        }
        seen
    }

    /// The one request made, answered so; what comes of it.
    fn answer(&mut self, path: &str, result: Result<Answer, Failure>) -> Seen {
        let seen = self.seen();
        let found = seen.requests.iter().find(|(_, r)| r.url.ends_with(path));
        let (id, _) = found.unwrap_or_else(|| panic!("no request for {path}: {seen:?}"));
        self.session.handle_answer(self.now, self.wall, *id, result);
        self.seen()
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.wall += jiff::SignedDuration::try_from(time).expect("short");
        self.session.handle_timeout(self.now, self.wall);
    }

    fn signed_in() -> Self {
        let mut bench = Self::new();
        bench.session.sign_in(Self::login());
        let seen = bench.answer("/v1/sessions", session("t1"));
        assert!(matches!(&seen.events[..], [Event::Login(LoginState::Initialized(_))]), "{seen:?}");
        assert_eq!(seen.streams_opened, 1);
        bench.session.handle_stream(bench.now, Stream::Opened);
        bench.answer("/registrations", ok(&json!([])));
        bench
    }

    fn selected() -> Self {
        let mut bench = Self::signed_in();
        bench.session.select("100-acme", false);
        let seen = bench.answer("/sip-credential", credential("100-acme~1"));
        assert!(matches!(&seen.events[..], [Event::Credential { registration, .. }] if registration == "100-acme"));
        bench
    }
}

fn ok(body: &Value) -> Result<Answer, Failure> {
    Ok(Answer { status: 200, content_type: "application/json".into(), body: body.to_string().into() })
}

fn no(status: u16, kind: &str, detail: &str) -> Result<Answer, Failure> {
    let body = json!({"type": kind, "title": "No", "status": status, "detail": detail}).to_string();
    Ok(Answer { status, content_type: "application/problem+json".into(), body: body.into() })
}

/// Good for an hour.
fn session(token: &str) -> Result<Answer, Failure> {
    ok(&json!({
        "token": token, "expires_at": "2026-01-01T01:00:00Z", "user": {"name": "Ann"},
        "account": {"name": "Acme", "tenant": "acme", "realm": "acme", "edition": "enterprise"},
        "extensions": [{"number": "100", "name": "Ann"}], "from_the_future": true
    }))
}

fn credential(username: &str) -> Result<Answer, Failure> {
    ok(&json!({
        "aor": "100-acme", "username": username, "password": "p", "realm": "acme", "outbound_proxy": "sip:127.0.0.1:5060",
        "transports": ["udp"], "expires_at": "2026-01-01T00:30:00Z"
    }))
}

#[test]
fn signing_in_sends_the_secrets_only_where_they_belong() {
    let mut bench = Bench::new();
    bench.session.sign_in(Bench::login());
    let seen = bench.seen();
    let (_, request) = &seen.requests[0];
    assert_eq!((request.method, request.url.as_str()), (Method::Post, "http://127.0.0.1:1/v1/sessions"));
    assert_eq!(request.api_key, Some(Secret("ak_1".into())));
    let body: Value = serde_json::from_str(&request.body.as_ref().expect("a body").0).expect("JSON");
    assert_eq!(body, json!({"username": "a@b", "password": "hunter2", "instance_id": "urn:uuid:x"}));
    assert!(!format!("{seen:?} {:?}", bench.session.state).contains("hunter2"));
}

#[test]
fn refusals_are_the_tms_s_own_words() {
    for kind in [problem::WRONG_CREDENTIALS, problem::LOGIN_NOT_ACTIVATED, problem::TOO_MANY_ATTEMPTS] {
        let mut bench = Bench::new();
        bench.session.sign_in(Bench::login());
        let seen = bench.answer("/v1/sessions", no(403, kind, "In words."));
        let refused = LoginState::Refused { kind: kind.into(), reason: "In words.".into() };
        assert_eq!(seen.events, [Event::Login(refused)]);
        assert_eq!(bench.session.poll_timeout(), None, "nothing is tried again by itself");
    }
    let mut bench = Bench::new();
    bench.session.sign_in(TmsLogin { url: "http://tms.example".into(), ..Bench::login() });
    assert!(
        matches!(&bench.seen().events[..], [Event::Login(LoginState::Refused { kind, .. })] if kind == BAD_ADDRESS)
    );
}

/// Whatever keeps the TMS from answering, and what is said of it.
#[test]
fn a_tms_that_is_down_is_tried_again_more_and_more_slowly() {
    let page = |status| {
        Ok(Answer { status, content_type: "text/html".into(), body: "<html>Sign in to the network</html>".into() })
    };
    for (result, said) in [
        (UNREACHABLE, "Nothing answers"),
        (Err(Failure::TimedOut), "takes too long to answer"),
        (Err(Failure::NoAddress), "cannot be found"),
        (
            Err(Failure::Certificate("its certificate has expired".into())),
            "its certificate has expired. Ask your IT staff",
        ),
        (Err(Failure::TooLarge), "answers with more than a TMS would"),
        (Err(Failure::Other("reset".into())), "failed (reset)"),
        (page(200), "answers with a web page"),
        (page(502), "is in trouble (HTTP 502)"),
        (no(503, "urn:x", "We are moving house until noon."), "until noon"),
    ] {
        let mut bench = Bench::new();
        bench.session.sign_in(Bench::login());
        let mut delays = Vec::new();
        for _ in 0..8 {
            let seen = bench.answer("/v1/sessions", result.clone());
            let [Event::Login(LoginState::Unreachable { reason, retry_in_s: Some(_) })] = &seen.events[..] else {
                panic!("{said}: {seen:?}")
            };
            assert!(reason.contains(said) && reason.ends_with('.'), "{reason}");
            let delay = bench.session.poll_timeout().expect("tried again") - bench.now;
            delays.push(delay.as_secs_f64());
            bench.pass(delay);
        }
        let full = [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0];
        assert!(delays.iter().zip(full).all(|(d, full)| (d / full - 1.0).abs() <= 0.25), "{said}: {delays:?}");
        bench.answer("/v1/sessions", session("t1"));
        assert!(bench.session.is_signed_in(), "{said}");
    }
}

#[test]
fn a_registration_in_use_elsewhere_changes_nothing() {
    let mut bench = Bench::selected();
    bench.session.select("100-acme-laptop", false);
    let seen =
        bench.answer("/100-acme-laptop/sip-credential", no(409, problem::REGISTRATION_IN_USE, "Held by a T46S."));
    let conflict = Event::Conflict { registration: "100-acme-laptop".into(), reason: "Held by a T46S.".into() };
    assert_eq!(seen.events, [conflict]);
    assert_eq!(bench.session.selection.registration(), Some("100-acme"));
    bench.session.select("nowhere", false);
    let seen = bench.answer("/nowhere/sip-credential", no(404, "x", "There is no such registration."));
    assert!(matches!(&seen.events[..], [Event::Failed { command: "select", .. }]));
}

#[test]
fn one_credential_is_asked_for_at_a_time() {
    let mut bench = Bench::signed_in();
    bench.session.select("100-acme", false);
    bench.session.select("100-acme", false);
    assert!(matches!(&bench.answer("/sip-credential", credential("1")).events[..], [Event::Credential { .. }]));
    bench.session.select("100-acme", false);
    bench.session.deselect();
    bench.session.select("100-acme", true);
    let seen = bench.answer("/sip-credential", credential("2"));
    let [(id, request)] = &seen.requests[..] else { panic!("the takeover comes after: {seen:?}") };
    assert!(seen.events.is_empty() && request.body.as_ref().is_some_and(|body| body.0.contains("\"takeover\":true")));
    bench.session.deselect();
    bench.session.handle_answer(bench.now, bench.wall, *id, credential("3"));
    assert!(bench.seen().events.is_empty(), "nobody wants it any more");
}

#[test]
fn a_registration_taken_over_elsewhere_is_given_up_at_once() {
    let row = |this_device: bool| {
        let holder = json!({"device": "T46S", "address": "10.0.0.12:5060", "since": "2026-01-01T08:00:00Z",
            "this_device": this_device});
        ok(&json!([{"name": "100-acme", "extension": "100", "kind": "P", "label": "Desk", "ring_inbound": true,
            "in_use": holder}]))
    };
    let displaced = |seen: &Seen| seen.events.iter().any(|e| matches!(e, Event::Displaced { .. }));
    let mut bench = Bench::signed_in();
    bench.session.registrations();
    let early = bench.seen().requests[0].0;
    bench.session.select("100-acme", true);
    bench.answer("/sip-credential", credential("100-acme~1"));
    // Asked for before the takeover: it shows whom we took it from.
    bench.session.handle_answer(bench.now, bench.wall, early, row(false));
    assert!(!displaced(&bench.seen()));
    bench.session.registrations();
    assert!(!displaced(&bench.answer("/registrations", row(true))));
    bench.session.registrations();
    let seen = bench.answer("/registrations", row(false));
    let [Event::Displaced { registration, reason }, Event::Registrations { .. }] = &seen.events[..] else {
        panic!("{seen:?}")
    };
    assert_eq!((registration.as_str(), reason.contains("T46S")), ("100-acme", true));
    assert_eq!(bench.session.selection.registration(), None);
    // The same, told by the answer to the next credential's question.
    let mut bench = Bench::selected();
    let due = bench.session.poll_timeout().expect("a renewal") - bench.now;
    bench.pass(due);
    let seen = bench.answer("/sip-credential", no(409, problem::REGISTRATION_IN_USE, "Held by a T46S."));
    assert!(displaced(&seen), "{seen:?}");
}

#[test]
fn a_registration_that_the_tms_has_forgotten_is_registered_anew_once() {
    let row = |holder: Value| {
        ok(&json!([{"name": "100-acme", "extension": "100", "kind": "P", "label": "Desk", "ring_inbound": true,
            "in_use": holder}]))
    };
    let ours =
        || json!({"device": "We", "address": "10.0.0.1:1", "since": "2026-01-01T08:00:00Z", "this_device": true});
    let look = |bench: &mut Bench, result| {
        bench.session.registrations();
        bench.answer("/registrations", result)
    };
    let mut bench = Bench::selected();
    assert!(look(&mut bench, row(Value::Null)).requests.is_empty(), "our REGISTER is on its way");
    look(&mut bench, row(ours()));
    let seen = look(&mut bench, row(Value::Null));
    let [(id, request)] = &seen.requests[..] else { panic!("{seen:?}") };
    assert!(request.url.ends_with("/100-acme/sip-credential"));
    bench.session.handle_answer(bench.now, bench.wall, *id, credential("100-acme~2"));
    assert!(matches!(&bench.seen().events[..], [Event::Credential { .. }]));
    assert!(look(&mut bench, row(Value::Null)).requests.is_empty(), "no circle");

    look(&mut bench, row(ours()));
    let seen = look(&mut bench, ok(&json!([])));
    let id = seen.requests[0].0;
    bench.session.handle_answer(bench.now, bench.wall, id, no(404, "x", "There is no such registration."));
    let withdrawn = Event::Withdrawn { reason: "There is no such registration.".into() };
    assert_eq!(bench.seen().events, [withdrawn]);
    assert_eq!(bench.session.selection.registration(), None);
}

#[test]
fn the_session_is_renewed_before_it_expires_and_the_credential_with_it() {
    let mut bench = Bench::signed_in();
    bench.pass(Duration::from_secs(48 * 60));
    let seen = bench.answer("/v1/sessions", UNREACHABLE);
    assert_eq!(seen.events, []);
    let due = bench.session.poll_timeout().expect("tried again") - bench.now;
    bench.session.selection = Selection::asked_for("100-acme".into());
    bench.pass(due);
    let seen = bench.answer("/v1/sessions", session("t2"));
    assert_eq!((seen.events.len(), seen.streams_opened), (0, 1), "the same person, a new stream");
    assert_eq!(seen.requests[0].1.token, Some(Secret("t2".into())));
    assert!(seen.requests[0].1.url.ends_with("/100-acme/sip-credential"));
}

#[test]
fn a_token_no_longer_good_is_replaced_once() {
    let mut bench = Bench::selected();
    bench.session.registrations();
    let seen = bench.answer("/registrations", no(401, problem::SESSION_ENDED, "The session has expired."));
    assert!(matches!(&seen.events[..], [Event::Failed { command: "registrations", .. }]), "{seen:?}");
    assert_eq!((seen.streams_closed, seen.requests.len()), (1, 1));
    let id = seen.requests[0].0;
    bench.session.handle_answer(bench.now, bench.wall, id, session("t2"));
    let seen = bench.seen();
    assert!(seen.requests[0].1.url.ends_with("/100-acme/sip-credential"), "the choice survives");
    let id = seen.requests[0].0;
    bench.session.handle_answer(bench.now, bench.wall, id, no(401, problem::SESSION_ENDED, "Again."));
    let refused = LoginState::Refused { kind: problem::SESSION_ENDED.into(), reason: "Again.".into() };
    assert_eq!(bench.seen().events, [Event::Login(refused)], "no endless circle");
}

#[test]
fn a_disabled_login_is_signed_out_in_the_tms_s_words() {
    let mut bench = Bench::selected();
    bench.session.handle_stream(bench.now, Stream::Closed(no(401, "x", "Out.")));
    let seen = bench.answer("/v1/sessions", no(403, problem::LOGIN_DISABLED, "This login was disabled."));
    assert!(
        matches!(&seen.events[..], [Event::Login(LoginState::Refused { reason, .. })] if reason == "This login was disabled.")
    );
    assert!(!bench.session.is_signed_in());

    let mut bench = Bench::selected();
    let ended = ServerEvent { name: "session".into(), data: r#"{"reason":"Your login was disabled."}"#.into() };
    bench.session.handle_stream(bench.now, Stream::Event(ended));
    let seen = bench.seen();
    assert!(
        matches!(&seen.events[..], [Event::Login(LoginState::Refused { reason, .. })] if reason == "Your login was disabled.")
    );
    assert_eq!((seen.streams_closed, bench.session.poll_timeout()), (1, None));
}

#[test]
fn the_stream_of_events_is_opened_again_and_what_was_missed_is_asked_for() {
    let mut bench = Bench::signed_in();
    for _ in 0..3 {
        bench.session.handle_stream(bench.now, Stream::Closed(UNREACHABLE));
        let due = bench.session.poll_timeout().expect("tried again") - bench.now;
        assert!(due <= Duration::from_secs(20));
        bench.pass(due);
        assert_eq!(bench.seen().streams_opened, 1);
    }
    bench.session.handle_stream(bench.now, Stream::Opened);
    let row = json!([{"name": "100-acme", "extension": "100", "kind": "P", "label": "Desk", "ring_inbound": true}]);
    let seen = bench.answer("/registrations", ok(&row));
    assert!(matches!(&seen.events[..], [Event::Registrations { list, asked: false }] if list.len() == 1));
    let unknown = ServerEvent { name: "queue".into(), data: "{}".into() };
    bench.session.handle_stream(bench.now, Stream::Event(unknown));
    let seen = bench.seen();
    assert!(seen.requests.is_empty() && seen.events.is_empty(), "unknown events are for later versions");
}

#[test]
fn signing_out_ends_the_session_at_the_tms() {
    let mut bench = Bench::selected();
    bench.session.sign_out();
    assert!(!bench.session.is_quiet());
    let seen = bench.seen();
    assert_eq!(seen.events, [Event::Login(LoginState::SignedOut)]);
    let [(id, request)] = &seen.requests[..] else { panic!("{seen:?}") };
    assert_eq!((request.method, request.url.as_str()), (Method::Delete, "http://127.0.0.1:1/v1/sessions/current"));
    bench.session.handle_answer(bench.now, bench.wall, *id, UNREACHABLE);
    assert!(bench.session.is_quiet() && bench.session.poll_timeout().is_none());
    bench.session.registrations();
    bench.session.select("100-acme", true);
    let said: Vec<_> = bench.seen().events;
    assert!(
        said.iter().all(|e| matches!(e, Event::Failed { message, .. } if message == SIGN_IN_FIRST)) && said.len() == 2
    );
}

#[test]
fn a_choice_that_cannot_be_asked_for_is_asked_again() {
    let mut bench = Bench::signed_in();
    bench.session.select("100-acme", true);
    let seen = bench.answer("/sip-credential", UNREACHABLE);
    assert!(matches!(&seen.events[..], [Event::SelectDelayed { .. }]));
    let due = bench.session.poll_timeout().expect("tried again") - bench.now;
    bench.pass(due);
    let seen = bench.seen();
    let body: Value = serde_json::from_str(&seen.requests[0].1.body.as_ref().expect("a body").0).expect("JSON");
    assert_eq!(body["takeover"], true);
}
