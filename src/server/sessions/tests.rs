//! Signing in with each refusal, the session's life, events.

use axum::http::{Method, StatusCode};
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::{
    server::{
        api_keys,
        http::{
            input::Peer,
            testing::{GOOD, Harness, INSTANCE, OTHER_INSTANCE},
        },
        notices::Notice,
        secrets,
        store::query,
        throttle,
    },
    tms::wire::problem,
};

async fn sql(h: &Harness, statement: &'static str) {
    query(statement).execute(&h.app.store).await.expect(statement);
}

#[tokio::test]
async fn a_softphone_signs_in_and_out() {
    let h = Harness::new().await;
    let reply = h.try_sign_in(" Agent@Acme.Example ", &h.demo.password, &h.demo.api_key).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    let account = json!({"name": "Acme", "tenant": "acme", "realm": "acme", "edition": "enterprise",
        "emergency_numbers": ["112", "911", "999", "10111", "10177"]});
    assert_eq!(reply.json["account"], account);
    assert_eq!(reply.json["extensions"], json!([{"number":"100","name":"Alex Agent"}]));
    let token = reply.string("token");
    let me = h.get("/v1/me").token(&token).send().await;
    assert_eq!((me.status, &me.json["user"]["name"]), (StatusCode::OK, &json!("Alex Agent")));

    assert_eq!(h.delete("/v1/sessions/current").token(&token).send().await.status, StatusCode::NO_CONTENT);
    let ended = h.get("/v1/me").token(&token).send().await;
    assert_eq!((ended.status, ended.kind()), (StatusCode::UNAUTHORIZED, problem::SESSION_ENDED));
}

#[tokio::test]
async fn each_refusal_has_its_type_and_its_sentence() {
    let h = Harness::new().await;
    let unknown = secrets::ApiKey::generate().key;
    let cut = &h.demo.api_key[..20];
    let (user, password, key) = (h.demo.username.as_str(), h.demo.password.as_str(), h.demo.api_key.as_str());
    let other_key = {
        let token = h.operator().await;
        let made = h.post("/v1/accounts/acme/api-keys", json!({"name": "Other"})).token(&token).send().await;
        made.string("key")
    };
    // What is done first, who signs in, and what is said.
    let cases: [(&'static str, &str, &str, &str, u16, &str, &str); 10] = [
        ("SELECT 1", user, "wrong", key, 401, problem::WRONG_CREDENTIALS, "user name or password"),
        ("SELECT 1", "nobody@nowhere.example", password, key, 401, problem::WRONG_CREDENTIALS, "user name or password"),
        ("SELECT 1", user, "wrong", "wrong", 401, problem::WRONG_CREDENTIALS, "user name or password"),
        ("SELECT 1", user, password, "", 403, problem::API_KEY_UNKNOWN, "No API key"),
        ("SELECT 1", user, password, cut, 403, problem::API_KEY_UNKNOWN, "incomplete"),
        ("SELECT 1", user, password, &unknown, 403, problem::API_KEY_UNKNOWN, "unknown or was revoked"),
        ("SELECT 1", user, password, &other_key, 403, problem::API_KEY_NOT_ENABLED, "press Update"),
        (
            "UPDATE membership SET state = 'pending'",
            user,
            password,
            key,
            403,
            problem::LOGIN_NOT_ACTIVATED,
            "Account enabled",
        ),
        ("UPDATE membership SET state = 'disabled'", user, password, key, 403, problem::LOGIN_DISABLED, "disabled"),
        ("UPDATE account SET enabled = FALSE", user, password, key, 403, problem::ACCOUNT_DISABLED, "provider"),
    ];
    for (before, user, password, key, status, kind, word) in cases {
        sql(&h, before).await;
        let reply = h.try_sign_in(user, password, key).await;
        assert_eq!((reply.status.as_u16(), reply.kind()), (status, kind), "{word}: {}", reply.text);
        assert!(reply.string("detail").contains(word), "{}", reply.text);
    }
    // Those that are to be mended at the extension stand there too, for whoever looks after it.
    let token = h.operator().await;
    let noted = h.get("/v1/accounts/acme/extensions/100/refusals").token(&token).send().await;
    let sentences: Vec<_> = noted.json.as_array().expect("a list").iter().map(|r| r["sentence"].to_string()).collect();
    for word in ["press Update", "at Account enabled", "under Users", "The account, the extension or this registration"]
    {
        assert_eq!(sentences.iter().filter(|s| s.contains(word)).count(), 1, "{word}: {sentences:?}");
    }
    assert!(sentences.iter().any(|s| s.contains("given a password that is not")), "{sentences:?}");
    assert_eq!((sentences.len(), &noted.json[0]["device"]), (5, &json!("Agent Manager")));
}

#[tokio::test]
async fn wrong_user_and_wrong_password_are_not_told_apart() {
    let h = Harness::new().await;
    let wrong_password = h.try_sign_in(&h.demo.username, "wrong", &h.demo.api_key).await;
    let wrong_user = h.try_sign_in("nobody@nowhere.example", &h.demo.password, &h.demo.api_key).await;
    assert_eq!(wrong_password.text, wrong_user.text);
}

#[tokio::test]
async fn too_many_attempts_are_told_when_to_return() {
    let h = Harness::new().await;
    for _ in 0..throttle::PER_LOGIN {
        let reply = h.try_sign_in(&h.demo.username, "wrong", &h.demo.api_key).await;
        assert_eq!(reply.kind(), problem::WRONG_CREDENTIALS);
    }
    let blocked = h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await;
    assert_eq!((blocked.status.as_u16(), blocked.kind()), (429, problem::TOO_MANY_ATTEMPTS));
    assert_eq!((&blocked.json["retry_after"], &blocked.headers["retry-after"]), (&json!(300), &"300".parse().unwrap()));
    assert!(blocked.string("detail").contains("5 minutes"), "{}", blocked.text);
    let body = json!({"username": h.demo.username, "password": h.demo.password, "instance_id": INSTANCE});
    let elsewhere = h.post("/v1/sessions", body).header("x-api-key", &h.demo.api_key).from([10, 0, 0, 9]).send().await;
    assert_eq!(elsewhere.status.as_u16(), 201, "the owner elsewhere is locked out: {}", elsewhere.text);
    // Only what the proxy on this machine itself appended tells clients apart.
    let sign_in = |forwarded: &str, peer| {
        let body = json!({"username": h.demo.username, "password": h.demo.password, "instance_id": INSTANCE});
        let call = h.post("/v1/sessions", body).header("x-api-key", &h.demo.api_key);
        call.header("x-forwarded-for", forwarded).from(peer).send()
    };
    for (forwarded, peer, status) in [
        ("10.1.1.1", [127, 0, 0, 1], 201),
        ("10.1.1.1, 127.0.0.1", [127, 0, 0, 1], 429),
        ("nonsense", [127, 0, 0, 1], 429),
        ("127.0.0.1", [10, 0, 0, 9], 201),
    ] {
        let reply = sign_in(forwarded, peer).await;
        assert_eq!(reply.status.as_u16(), status, "{forwarded} from {peer:?}: {}", reply.text);
    }
    h.pass(301);
    assert_eq!(h.try_sign_in(&h.demo.username, &h.demo.password, &h.demo.api_key).await.status.as_u16(), 201);
}

#[tokio::test]
async fn an_instance_must_be_a_urn() {
    let h = Harness::new().await;
    for instance in ["", "phone", "urn:uuid:<x>", "urn:a b", "urn:x|urn:y", &format!("urn:{}", "x".repeat(200))] {
        let body = json!({"username": "a", "password": "b", "instance_id": instance});
        let reply = h.post("/v1/sessions", body).send().await;
        assert_eq!(reply.status.as_u16(), 422, "{instance}: {}", reply.text);
    }
}

#[tokio::test]
async fn only_a_session_token_opens_the_softphones_routes() {
    let h = Harness::new().await;
    let manager = h.operator().await;
    for path in ["/v1/me", "/v1/me/registrations", "/v1/me/events", "/v1/me/agent-state"] {
        assert_eq!(h.get(path).send().await.status.as_u16(), 401, "{path}");
        for authorization in ["Bearer", "Bearer x", "Basic abc", &format!("Bearer {manager}")] {
            let reply = h.get(path).header("authorization", authorization).send().await;
            assert_eq!(reply.status.as_u16(), 401, "{path} {authorization}");
            assert_eq!(reply.headers["www-authenticate"], "Bearer");
        }
    }
    let agent = h.agent().await;
    for method in [Method::GET, Method::PUT] {
        assert_eq!(h.call(method, "/v1/me/agent-state").token(&agent).send().await.status.as_u16(), 404);
    }
}

#[tokio::test]
async fn a_session_ends_with_time_and_its_token_is_stored_hashed() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let stored: String = query("SELECT token_hash FROM session").scalar(&h.app.store).await.expect("one");
    assert_eq!(stored, secrets::hash(&token));
    h.pass(30 * 24 * 3600 + 1);
    assert_eq!(h.get("/v1/me").token(&token).send().await.status.as_u16(), 401);
    super::purge(&h.app).await.expect("purges");
    let left: i64 = query("SELECT count(*) FROM session").scalar(&h.app.store).await.expect("one");
    assert_eq!((left, h.sip.ordered()), (0, vec!["end session 1".to_owned()]));
}

#[tokio::test]
async fn a_new_login_enables_its_account_once() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let body =
        json!({"username": "new@acme.example", "name": "New", "password": "a long enough one", "role": "extension"});
    h.post("/v1/accounts/acme/logins", body).token(&operator).send().await;
    let key = json!({"login": "new@acme.example"});
    assert_eq!(h.patch("/v1/accounts/acme/extensions/100", key).token(&operator).send().await.status.as_u16(), 200);
    let sign_in = || h.try_sign_in("new@acme.example", "a long enough one", &h.demo.api_key);
    assert_eq!(sign_in().await.kind(), problem::LOGIN_NOT_ACTIVATED);

    let own = h.manager("new@acme.example", "a long enough one").await;
    let list = h.get("/v1/manage/memberships").token(&own).send().await;
    assert_eq!(list.json, json!([{"tenant":"acme","account":"Acme","role":"extension","state":"pending"}]));
    let enable = |tenant: &str| h.call(Method::POST, &format!("/v1/manage/memberships/{tenant}/enable")).token(&own);
    assert_eq!(enable("elsewhere").send().await.status.as_u16(), 404);
    assert_eq!(enable("acme").send().await.status.as_u16(), 204);
    assert_eq!(enable("acme").send().await.status.as_u16(), 204, "again is no harm");
    assert_eq!(sign_in().await.status.as_u16(), 201);

    let rename = h.patch("/v1/accounts/acme", json!({"name": "Mine"})).token(&own).send().await;
    assert_eq!(rename.status.as_u16(), 403, "an agent manages nothing: {}", rename.text);
    assert_eq!(h.delete("/v1/manage/session").token(&own).send().await.status.as_u16(), 204);
    assert_eq!(h.get("/v1/manage/memberships").token(&own).send().await.status.as_u16(), 401);
}

/// The next event of a stream: its name and data.
async fn event(
    stream: &mut (impl futures_util::Stream<Item = Result<axum::body::Bytes, axum::Error>> + Unpin),
) -> Option<(String, Value)> {
    let chunk = stream.next().await?.expect("a chunk");
    let text = String::from_utf8(chunk.to_vec()).expect("UTF-8");
    let field = |name: &str| text.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim().to_owned();
    Some((field("event:"), serde_json::from_str(&field("data:")).expect("JSON")))
}

#[tokio::test]
async fn events_tell_of_changes_and_of_the_end() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let response = h.get("/v1/me/events").token(&token).stream().await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    let registrations = Some(("registrations".to_owned(), json!({})));
    assert_eq!(event(&mut stream).await, registrations, "the first comes at once");
    let media = |srtp, recording| {
        Some(("media".to_owned(), json!({"srtp": srtp, "recording": recording, "recording_tone": false})))
    };
    assert_eq!(event(&mut stream).await, media("optional", "allowed"));

    // Others' changes are not told: the next event is the one that concerns this agent.
    h.app.notices.publish(Notice::Holder { realm: "acme".into(), registration: "101-acme".into() });
    h.app.notices.publish(Notice::Holder { realm: "other".into(), registration: "100-acme".into() });
    h.app.notices.publish(Notice::Media { realm: "other".into() });
    h.app.notices.publish(Notice::SessionEnded { session: 99, reason: "another's".into() });
    h.app.notices.publish(Notice::Holder { realm: "acme".into(), registration: "100-acme".into() });
    assert_eq!(event(&mut stream).await, registrations);

    let operator = h.operator().await;
    let alter = |body| h.patch("/v1/accounts/acme", body).token(&operator).send();
    for body in [json!({"srtp": "optional"}), json!({"time_zone": "Europe/Berlin"}), json!({"srtp": "dtls"})] {
        assert_eq!(alter(body).await.status.as_u16(), 200);
    }
    assert_eq!(event(&mut stream).await, media("dtls", "allowed"), "what is as before is not told");
    assert_eq!(alter(json!({"recording": "forbidden"})).await.status.as_u16(), 200);
    assert_eq!(event(&mut stream).await, media("dtls", "forbidden"));

    // A listener that falls behind is told to read everything again.
    for _ in 0..1000 {
        h.app.notices.publish(Notice::Holder { realm: "other".into(), registration: "x".into() });
    }
    assert_eq!(event(&mut stream).await, registrations);
    assert_eq!(event(&mut stream).await, media("dtls", "forbidden"));

    let body = json!({"enabled": false});
    let path = format!("/v1/accounts/acme/logins/{}", h.demo.username);
    assert_eq!(h.patch(&path, body).token(&operator).send().await.status.as_u16(), 200);
    let data = loop {
        let (name, data) = event(&mut stream).await.expect("the session's end");
        if name == "session" {
            break data;
        }
    };
    assert!(data["reason"].as_str().expect("a reason").contains("disabled"), "{data}");
    assert!(event(&mut stream).await.is_none(), "the end is the last event");
    assert_eq!(h.get("/v1/me").token(&token).send().await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_stop_ends_the_events() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let mut stream = h.get("/v1/me/events").token(&token).stream().await.into_body().into_data_stream();
    assert!(event(&mut stream).await.is_some() && event(&mut stream).await.is_some());
    h.stop.send(true).expect("listened to");
    assert!(event(&mut stream).await.is_none());
}

/// The database was gone, say: what other processes told meanwhile nobody knows.
#[tokio::test]
async fn who_may_have_missed_something_comes_anew() {
    let h = Harness::new().await;
    let token = h.agent().await;
    let mut stream = h.get("/v1/me/events").token(&token).stream().await.into_body().into_data_stream();
    assert!(event(&mut stream).await.is_some() && event(&mut stream).await.is_some());
    h.app.notices.publish(Notice::Missed);
    assert_eq!(event(&mut stream).await, None, "even its session may have ended");
}

#[tokio::test]
async fn an_installation_that_signs_in_over_and_over_leaves_few_sessions() {
    let h = Harness::new().await;
    let mut tokens = Vec::new();
    for _ in 0..7 {
        tokens.push(h.agent().await);
    }
    for (i, token) in tokens.iter().enumerate() {
        let expected = if i < 2 { 401 } else { 200 };
        assert_eq!(h.get("/v1/me").token(token).send().await.status.as_u16(), expected, "session {i}");
    }
}

#[tokio::test]
async fn many_sign_in_at_once_and_one_does_not_end_the_other() {
    let h = Harness::new().await;
    let sign_in = |instance: &'static str| {
        let body = json!({"username": h.demo.username, "password": h.demo.password, "instance_id": instance});
        h.post("/v1/sessions", body).header("x-api-key", &h.demo.api_key).send()
    };
    let (a, b) = tokio::join!(sign_in(INSTANCE), sign_in(OTHER_INSTANCE));
    for reply in [a, b] {
        assert_eq!(h.get("/v1/me").token(&reply.string("token")).send().await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn a_login_sees_and_ends_its_sessions() {
    let h = Harness::new().await;
    let softphone = h.agent().await;
    let other = h.manager(&h.demo.username, &h.demo.password).await;
    let own = h.manager(&h.demo.username, &h.demo.password).await;
    let list = h.get("/v1/manage/sessions").token(&own).send().await;
    let sessions = list.json.as_array().expect("a list");
    assert_eq!(sessions.len(), 3, "{}", list.text);
    assert_eq!(sessions.iter().filter(|s| s["current"] == true).count(), 1);
    let id = |wanted: &str, current: bool| {
        let fits = |s: &&Value| s["id"].as_str().is_some_and(|id| id.starts_with(wanted)) && s["current"] == current;
        sessions.iter().find(fits).expect("one")["id"].as_str().expect("an id").to_owned()
    };
    let end = |id: String, token: &str| h.delete(&format!("/v1/manage/sessions/{id}")).token(token).send();
    let operator = h.operator().await;
    for id in [id("softphone-", false), id("token-", false)] {
        assert_eq!(end(id.clone(), &operator).await.status.as_u16(), 404, "somebody else's");
        assert_eq!(end(id.clone(), &own).await.status.as_u16(), 204);
        assert_eq!(end(id, &own).await.status.as_u16(), 404, "it has ended");
    }
    for id in ["x", "token-x", "softphone-", "-1"] {
        assert_eq!(end(id.to_owned(), &own).await.status.as_u16(), 404, "{id}");
    }
    assert_eq!(h.get("/v1/me").token(&softphone).send().await.status.as_u16(), 401);
    assert_eq!(h.get("/v1/manage/sessions").token(&other).send().await.status.as_u16(), 401);
    assert_eq!(end(id("token-", true), &own).await.status.as_u16(), 204);
    assert_eq!(h.get("/v1/manage/sessions").token(&own).send().await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_changed_password_ends_every_session_and_opens_a_new_one() {
    let h = Harness::new().await;
    let (softphone, own) = (h.agent().await, h.manager(&h.demo.username, &h.demo.password).await);
    let change = |current: &str, password: &str, token: &str| {
        h.post("/v1/manage/password", json!({"current": current, "password": password})).token(token).send()
    };
    assert_eq!(change("wrong", GOOD, &own).await.status.as_u16(), 401);
    assert_eq!(change(&h.demo.password, "password1234", &own).await.status.as_u16(), 422);
    let changed = change(&h.demo.password, GOOD, &own).await;
    assert_eq!(changed.status.as_u16(), 201, "{}", changed.text);
    assert_eq!(h.get("/v1/me").token(&softphone).send().await.status.as_u16(), 401);
    assert_eq!(h.get("/v1/manage/sessions").token(&own).send().await.status.as_u16(), 401);
    assert_eq!(h.get("/v1/manage/sessions").token(&changed.string("token")).send().await.status.as_u16(), 200);
    h.manager(&h.demo.username, GOOD).await;
}

#[tokio::test]
async fn a_disabled_login_has_no_session_left() {
    let h = Harness::new().await;
    let (operator, own) = (h.operator().await, h.manager(&h.demo.username, &h.demo.password).await);
    let path = format!("/v1/accounts/acme/logins/{}", h.demo.username);
    h.patch(&path, json!({"enabled": false})).token(&operator).send().await;
    assert_eq!(h.get("/v1/manage/memberships").token(&own).send().await.status.as_u16(), 401);
}

#[tokio::test]
async fn a_managing_session_ends_with_idleness_and_with_time() {
    let h = Harness::new().await;
    let (busy, idle) = (h.operator().await, h.operator().await);
    let status = async |token: &str| h.get("/v1/accounts").token(token).send().await.status.as_u16();
    for hour in 1..=11 {
        h.pass(3600);
        assert_eq!(status(&busy).await, 200, "after {hour} hours");
    }
    assert_eq!(status(&idle).await, 401);
    h.pass(3600);
    assert_eq!(status(&busy).await, 401, "it goes on for ever");
}

/// The password is right; before the session is stored, the login is changed. What the change ends must not begin after it.
#[tokio::test]
async fn a_sign_in_that_was_overtaken_opens_nothing() {
    let peer = Peer(([127, 0, 0, 1], 1).into());
    for change in [json!({"password": GOOD}), json!({"enabled": false})] {
        let h = Harness::new().await;
        let operator = h.operator().await;
        let login = super::authenticate(&h.app, peer, &h.demo.username, &h.demo.password).await.expect("right");
        let key =
            api_keys::find(&h.app.store, &h.demo.api_key, h.app.clock.now_ms()).await.expect("asks").expect("known");
        let path = format!("/v1/accounts/acme/logins/{}", h.demo.username);
        assert_eq!(h.patch(&path, change.clone()).token(&operator).send().await.status.as_u16(), 200);
        let tx = h.app.store.begin().await.expect("begins");
        assert!(super::open(&h.app, tx, peer, &login, &key, INSTANCE.into()).await.is_err(), "{change}");
        if change["password"].is_string() {
            let managing =
                super::manage::open(&h.app, peer, (&login, super::Proved::Password), super::Carrier::Token, "").await;
            assert!(managing.is_err(), "{change}");
        }
        let left: i64 = query("SELECT count(*) FROM session").scalar(&h.app.store).await.expect("one");
        assert_eq!(left, 0, "{change}");
    }
}

#[tokio::test]
async fn of_two_who_change_one_password_at_once_one_is_told() {
    let h = Harness::new().await;
    let (one, two) =
        (h.manager(&h.demo.username, &h.demo.password).await, h.manager(&h.demo.username, &h.demo.password).await);
    let change = |password: &str, token: &str| {
        let body = json!({"current": h.demo.password, "password": password});
        h.post("/v1/manage/password", body).token(token).send()
    };
    let (a, b) = tokio::join!(change(GOOD, &one), change("another long enough", &two));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 401], "{} {}", a.text, b.text);
}

/// Each softphone that is told reads its list again, so nobody is told for nothing.
#[tokio::test]
async fn a_change_is_told_to_those_whose_list_looks_different() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let member: i64 =
        query("SELECT membership_id FROM extension WHERE number = '100'").scalar(&h.app.store).await.expect("one");
    let (nothing, nobody, agent, all) = (None, Some(Some(vec![])), Some(Some(vec![member])), Some(None));
    let key = h.get("/v1/accounts/acme/api-keys").token(&operator).send().await.json[0].clone();
    let login = format!("/v1/accounts/acme/logins/{}", h.demo.username);
    let ext = "/v1/accounts/acme/extensions";
    for (method, path, body, told) in [
        (Method::PATCH, login.as_str(), json!({"name": "Al"}), &nothing),
        (Method::PATCH, "/v1/accounts/acme", json!({"name": "New"}), &nothing),
        (Method::POST, "/v1/accounts/acme/api-keys", json!({"name": "New"}), &nothing),
        (
            Method::POST,
            &format!("/v1/accounts/acme/api-keys/{}/rotate", key["id"]),
            json!({"prefix": key["prefix"]}),
            &nothing,
        ),
        (Method::PATCH, &format!("{ext}/100"), json!({}), &nothing),
        (Method::PATCH, &format!("{ext}/101"), json!({"name": "New"}), &nobody),
        (Method::PATCH, &format!("{ext}/100"), json!({"name": "New"}), &agent),
        (Method::PATCH, &format!("{ext}/101"), json!({"login": h.demo.username}), &agent),
        (Method::PATCH, &format!("{ext}/101"), json!({"login": null}), &agent),
        (Method::POST, &format!("{ext}/100/registrations"), json!({"username": "mobile"}), &agent),
        (Method::PATCH, &format!("{ext}/100/registrations/100-acme-laptop"), json!({"label": "New"}), &agent),
        (Method::DELETE, &format!("{ext}/100/registrations/100-acme-mobile"), json!({}), &agent),
        (Method::PATCH, "/v1/accounts/acme", json!({"enabled": false}), &all),
    ] {
        let mut notices = h.app.notices.subscribe();
        let reply = h.call(method.clone(), path).json(body.clone()).token(&operator).send().await;
        assert!(reply.status.is_success(), "{path}: {}", reply.text);
        let heard = match notices.try_recv() {
            Ok(Notice::Registrations { members, .. }) => Some(members),
            Ok(other) => panic!("{other:?}"),
            Err(_) => None,
        };
        assert_eq!(heard, *told, "{method} {path} {body}");
        assert!(notices.try_recv().is_err(), "told twice: {method} {path} {body}");
    }
}
