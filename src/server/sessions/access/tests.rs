//! What each role may do, on its own account and on another's.

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    super::{Carrier, Manager, Presence},
    Role,
};
use crate::server::{
    http::{
        input::Peer,
        problem::ApiError,
        testing::{GOOD, Harness},
    },
    setup::{self, NewAgent},
};

/// What is asked, and who may: administrator, manager, agent. Everybody else gets 403.
fn table() -> Vec<(Method, &'static str, Value, [bool; 3])> {
    let ext = "/v1/accounts/acme/extensions";
    let own = "/v1/accounts/acme/extensions/100/registrations/100-acme-laptop";
    let (all, managers, admins) = ([true, true, true], [true, true, false], [true, false, false]);
    let login = |name: &str, role: &str| json!({"username": name, "name": "N", "password": GOOD, "role": role});
    vec![
        (Method::GET, "/v1/accounts/acme", Value::Null, all),
        (Method::PATCH, "/v1/accounts/acme", json!({"name": "Acme"}), admins),
        (Method::PATCH, "/v1/accounts/acme", json!({"edition": "integrator"}), [false; 3]),
        (Method::POST, "/v1/accounts", json!({"name": "X", "tenant": "gamma", "edition": "express"}), [false; 3]),
        (Method::GET, ext, Value::Null, all),
        (Method::POST, ext, json!({"number": "300", "name": "N"}), managers),
        (Method::PATCH, "/v1/accounts/acme/extensions/100", json!({"name": "N"}), managers),
        (Method::GET, "/v1/accounts/acme/extensions/100/registrations", Value::Null, all),
        (Method::POST, "/v1/accounts/acme/extensions/100/registrations", json!({"username": "mobile"}), managers),
        (Method::PATCH, own, json!({"ring_inbound": false}), all),
        (Method::PATCH, own, json!({"label": "L"}), managers),
        (Method::POST, "/v1/accounts/acme/extensions/100/registrations/100-acme/sip-password", Value::Null, all),
        (Method::POST, "/v1/accounts/acme/extensions/100/links", Value::Null, managers),
        (Method::GET, "/v1/accounts/acme/logins", Value::Null, managers),
        (Method::POST, "/v1/accounts/acme/logins", login("one@acme.example", "extension"), managers),
        (Method::POST, "/v1/accounts/acme/logins", login("two@acme.example", "manager"), admins),
        (Method::PATCH, "/v1/accounts/acme/logins/ada@acme.example", json!({"password": GOOD}), admins),
        (Method::DELETE, "/v1/accounts/acme/logins/ada@acme.example", Value::Null, admins),
        (Method::GET, "/v1/accounts/acme/call-records", Value::Null, managers),
        (Method::PATCH, "/v1/accounts/acme/api-keys/1", json!({"expires_at": null}), admins),
        (
            Method::POST,
            "/v1/accounts/acme/logins/agent@acme.example/second-factor/off",
            json!({"password": GOOD}),
            managers,
        ),
        (Method::GET, "/v1/accounts/acme/api-keys", Value::Null, managers),
        (Method::GET, "/v1/accounts/acme/api-keys/1/uses", Value::Null, managers),
        (Method::POST, "/v1/accounts/acme/api-keys", json!({"name": "K"}), admins),
        (Method::DELETE, "/v1/accounts/acme/api-keys/1", Value::Null, admins),
        (Method::GET, "/v1/accounts/acme/audit", Value::Null, admins),
        (Method::GET, "/v1/audit", Value::Null, [false; 3]),
    ]
}

#[tokio::test]
async fn each_role_may_what_the_table_says() {
    for (who, role) in ["admin", "manager", "extension"].into_iter().enumerate() {
        for (method, path, body, may) in table() {
            let h = Harness::new().await;
            let token = h.member("acme", "admin@acme.example", "admin").await;
            let token = match role {
                "admin" => token,
                "manager" => h.member("acme", "manager@acme.example", role).await,
                _ => h.manager(&h.demo.username, &h.demo.password).await,
            };
            let call = h.call(method.clone(), path).token(&token);
            let reply = if body.is_null() { call.send().await } else { call.json(body.clone()).send().await };
            let status = reply.status.as_u16();
            assert_eq!(status < 300, may[who], "{role}: {method} {path} {body}: {}", reply.text);
            assert!(status < 300 || status == 403, "{role}: {method} {path} {body}: {}", reply.text);
        }
    }
}

/// Who has the link can set the password and sign in, so it is for those below alone, also where the caller has given them the
/// extension himself.
#[tokio::test]
async fn a_link_lets_nobody_rise() {
    let (admin, manager, agent) = (Role::Admin, Role::Manager, Role::Extension);
    for (caller, owner, may) in [
        (admin, admin, true),
        (admin, manager, true),
        (manager, admin, false),
        (manager, manager, false),
        (manager, agent, true),
        (agent, agent, false),
    ] {
        let h = Harness::new().await;
        h.member("acme", "owner@acme.example", owner.written()).await;
        let token = h.member("acme", "caller@acme.example", caller.written()).await;
        let given = json!({"login": "owner@acme.example"});
        let given = h.patch("/v1/accounts/acme/extensions/101", given).token(&token).send().await;
        assert_eq!(given.status == 200, caller > agent, "{}", given.text);
        let asks = Manager::of_token(&h.app, &token, Carrier::Token, Presence::There).await.expect("signed in");
        let peer = Peer(([127, 0, 0, 1], 1).into());
        let made = setup::begin(&h.app, &asks, peer, ("acme", "101"), NewAgent::default()).await;
        let sent = setup::invite(&h.app, &asks, peer, "acme", "owner@acme.example").await;
        for link in [made, sent] {
            assert_eq!(link.is_ok(), may, "{caller:?} to {owner:?}");
            let forbidden = |e: &ApiError| matches!(e, ApiError::Refused(problem) if problem.status == 403);
            assert!(link.as_ref().err().is_none_or(forbidden), "{:?}", link.err());
        }
    }
}

#[tokio::test]
async fn an_agent_sees_and_alters_its_own_extensions_only() {
    let h = Harness::new().await;
    let own = h.manager(&h.demo.username, &h.demo.password).await;
    let list = h.get("/v1/accounts/acme/extensions").token(&own).send().await;
    let numbers: Vec<_> = list.json.as_array().expect("a list").iter().map(|e| e["number"].clone()).collect();
    assert_eq!(numbers, ["100"]);
    for (method, path) in
        [(Method::GET, ""), (Method::GET, "/registrations"), (Method::POST, "/registrations/101-acme/sip-password")]
    {
        let path = format!("/v1/accounts/acme/extensions/101{path}");
        let reply = h.call(method, &path).token(&own).send().await;
        assert_eq!(reply.status.as_u16(), 404, "{path}: {}", reply.text);
    }
}

#[tokio::test]
async fn nobody_shuts_himself_out() {
    let h = Harness::new().await;
    let token = h.member("acme", "admin@acme.example", "admin").await;
    for body in [json!({"enabled": false}), json!({"role": "extension"})] {
        let reply = h.patch("/v1/accounts/acme/logins/admin@acme.example", body).token(&token).send().await;
        assert_eq!(reply.status.as_u16(), 409, "{}", reply.text);
    }
}

#[tokio::test]
async fn who_is_disabled_is_told_so_and_does_nothing() {
    let h = Harness::new().await;
    let operator = h.operator().await;
    let token = h.member("acme", "admin@acme.example", "admin").await;
    let login = "/v1/accounts/acme/logins/admin@acme.example";
    h.patch(login, json!({"enabled": false})).token(&operator).send().await;
    assert_eq!(h.get("/v1/manage/memberships").token(&token).send().await.status.as_u16(), 401, "its session goes on");
    let token = h.manager("admin@acme.example", GOOD).await;
    let reply = h.get("/v1/accounts/acme/extensions").token(&token).send().await;
    assert_eq!(reply.status.as_u16(), 403);
    assert!(reply.string("detail").contains("disabled"), "{}", reply.text);
    h.patch(login, json!({"enabled": true})).token(&operator).send().await;
    h.patch("/v1/accounts/acme", json!({"enabled": false})).token(&operator).send().await;
    let reply = h.get("/v1/accounts/acme/extensions").token(&token).send().await;
    assert_eq!((reply.status.as_u16(), reply.kind()), (403, crate::tms::wire::problem::ACCOUNT_DISABLED));
}

#[tokio::test]
async fn lists_are_searched_and_cut_into_pages() {
    let h = Harness::new().await;
    let token = h.operator().await;
    let get = |query: &str| h.get(&format!("/v1/accounts/acme/extensions?{query}")).token(&token).send();
    for (query, expected, next) in [
        ("search=CHRIS", vec!["101"], None),
        ("search=60", vec!["600", "601"], None),
        ("search=agent%40acme", vec!["100"], None),
        ("search=%25", vec![], None),
        ("search=_", vec![], None),
        ("limit=2", vec!["100", "101"], Some("2")),
        ("limit=2&offset=2", vec!["600", "601"], None),
        ("offset=9", vec![], None),
    ] {
        let reply = get(query).await;
        let numbers: Vec<_> = reply.json.as_array().expect("a list").iter().map(|e| e["number"].clone()).collect();
        assert_eq!(numbers, expected, "{query}");
        assert_eq!(reply.headers.get("next-offset").map(|v| v.to_str().expect("ASCII")), next, "{query}");
    }
    for query in [
        "limit=x",
        "limit=0",
        "limit=1001",
        "offset=1000001",
        "offset=-1",
        "search=%00",
        &format!("search={}", "x".repeat(101)),
    ] {
        let reply = get(query).await;
        assert_eq!(reply.status.as_u16(), 422, "{query}: {}", reply.text);
    }
}
