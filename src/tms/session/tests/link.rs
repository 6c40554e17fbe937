//! Sessions that a link's code opens.

use super::*;

#[test]
fn a_link_opens_a_session_that_outlives_the_program_and_is_found_again_by_its_token() {
    let mut bench = Bench::new();
    bench.session.sign_in(Bench::link("http://127.0.0.1:1"));
    let seen = bench.seen();
    let (id, request) = &seen.requests[0];
    let body: Value = serde_json::from_str(&request.body.as_ref().expect("a body").0).expect("JSON");
    assert_eq!((request.url.as_str(), &request.api_key), ("http://127.0.0.1:1/v1/link", &None));
    assert_eq!(body, json!({"code": "c0de", "instance_id": "urn:uuid:x"}));
    assert!(!format!("{seen:?} {:?}", bench.session.state).contains("c0de"));
    bench.session.handle_answer(bench.now, bench.wall, *id, session("t1"));
    let seen = bench.seen();
    let [Event::Token(token), Event::Login(LoginState::Initialized(_))] = &seen.events[..] else { panic!("{seen:?}") };
    assert_eq!((token.0.as_str(), bench.session.poll_timeout()), ("t1", None), "nothing could renew it");
    bench.session.quit();
    let seen = bench.seen();
    assert!(seen.requests.is_empty() && seen.streams_closed == 1, "it goes on at the TMS: {seen:?}");

    let mut bench = Bench::new();
    bench.session.sign_in(Bench::token());
    let seen = bench.seen();
    let (id, request) = &seen.requests[0];
    assert_eq!((request.method, request.url.as_str()), (Method::Get, "http://127.0.0.1:1/v1/me"));
    assert_eq!(request.token, Some(Secret("t1".into())));
    bench.session.handle_answer(bench.now, bench.wall, *id, session("of no matter here"));
    let seen = bench.seen();
    assert!(matches!(&seen.events[..], [Event::Login(LoginState::Initialized(_))]), "{seen:?}");
    bench.session.sign_out();
    let seen = bench.seen();
    assert!(matches!(&seen.requests[..], [(_, request)] if request.method == Method::Delete), "by order it ends");
}

#[test]
fn the_end_of_a_link_s_session_says_how_to_come_back() {
    let wanted = |seen: &Seen| {
        let [Event::Login(LoginState::Refused { reason, .. })] = &seen.events[..] else { panic!("{seen:?}") };
        assert!(reason.starts_with("Over.") && reason.contains("Ask for a new link"), "{reason}");
    };
    let over = || no(401, problem::SESSION_ENDED, "Over.");
    let mut bench = Bench::new();
    bench.session.sign_in(Bench::token());
    wanted(&bench.answer("/v1/me", over()));

    let mut bench = Bench::new();
    bench.session.sign_in(Bench::token());
    bench.answer("/v1/me", session("of no matter here"));
    bench.session.registrations();
    let seen = bench.answer("/registrations", over());
    wanted(&Seen { events: seen.events.into_iter().filter(|e| !matches!(e, Event::Failed { .. })).collect(), ..seen });
    assert_eq!(bench.session.poll_timeout(), None, "nothing is tried again by itself");

    let mut bench = Bench::new();
    bench.session.sign_in(Bench::token());
    bench.answer("/v1/me", session("of no matter here"));
    let ended = ServerEvent { name: "session".into(), data: r#"{"reason":"Over."}"#.into() };
    bench.session.handle_stream(bench.now, Stream::Event(ended));
    wanted(&bench.seen());
}

#[test]
fn a_link_that_is_used_up_costs_nobody_the_session_that_runs() {
    let mut bench = Bench::selected();
    bench.session.sign_in(Bench::link("https://elsewhere.example"));
    let seen = bench.seen();
    assert!(seen.requests.is_empty(), "the code is not given to anybody");
    assert!(
        matches!(&seen.events[..], [Event::Failed { command: "sign_in", message }] if message.contains("Sign out first"))
    );

    for failure in [no(403, "x", "Used already."), UNREACHABLE] {
        bench.session.sign_in(Bench::link("http://127.0.0.1:1"));
        let seen = bench.answer("/v1/link", failure);
        assert!(matches!(&seen.events[..], [Event::Failed { command: "sign_in", .. }]), "{seen:?}");
        assert_eq!((bench.session.selection.registration(), seen.requests.len()), (Some("100-acme"), 0));
    }

    bench.session.sign_in(Bench::link("http://127.0.0.1:1"));
    let seen = bench.answer("/v1/link", session("t2"));
    let [Event::Replaced, Event::Token(_), Event::Login(LoginState::Initialized(_))] = &seen.events[..] else {
        panic!("{seen:?}")
    };
    let [(_, request)] = &seen.requests[..] else { panic!("{seen:?}") };
    assert_eq!((request.method, &request.token), (Method::Delete, &Some(Secret("t1".into()))), "the old one ends");
    assert_eq!((seen.streams_closed, seen.streams_opened), (1, 1));
    assert_eq!(bench.session.selection.registration(), None);
}

#[test]
fn a_session_that_ends_while_a_code_is_exchanged_does_not_lose_the_code_s() {
    let ended = || ServerEvent { name: "session".into(), data: r#"{"reason":"Over."}"#.into() };
    for (result, signed_in) in [(session("t2"), true), (no(403, "x", "Used already."), false)] {
        let mut bench = Bench::selected();
        bench.session.sign_in(Bench::link("http://127.0.0.1:1"));
        let id = bench.seen().requests[0].0;
        bench.session.handle_stream(bench.now, Stream::Event(ended()));
        bench.seen();
        bench.session.handle_answer(bench.now, bench.wall, id, result);
        assert_eq!(bench.session.is_signed_in(), signed_in, "{:?}", bench.seen());
    }
    let mut bench = Bench::selected();
    bench.session.sign_in(Bench::link("http://127.0.0.1:1"));
    let id = bench.seen().requests[0].0;
    bench.session.sign_out();
    bench.session.handle_answer(bench.now, bench.wall, id, session("t2"));
    assert!(!bench.session.is_signed_in(), "whoever signs out stays out");
}
