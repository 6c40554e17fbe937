//! Kamailios that only pretend, and on PostgreSQL the table that they write.

use super::*;
use crate::server::{
    contacts::{Contacts, Unanswered},
    notices::Bridge,
    registry::{Extension, RingGroup},
    store::{Store, testing},
};
use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A Kamailio that has every contact of the table: `ul.rm` takes the one that is named out of it, others look it up.
async fn kamailio(State(database): State<PgPool>, Json(asked): Json<Value>) -> Json<Value> {
    let (name, realm) = asked["params"][1].as_str().and_then(|aor| aor.split_once('@')).expect("an address of record");
    let statement = match asked["method"].as_str() {
        Some("ul.rm") => "DELETE FROM kamailio_location WHERE username = $1 AND domain = $2",
        _ => "SELECT 1 FROM kamailio_location WHERE username = $1 AND domain = $2",
    };
    let had = sqlx::query(statement).bind(name).bind(realm).execute(&database).await.expect("asks").rows_affected();
    Json(if had > 0 { json!({"result": {}}) } else { json!({"error": {"message": "AOR not found"}}) })
}

#[test]
fn the_address_that_kamailio_saw_tells_how_long_its_device_took() {
    for (received, at, ms) in [
        ("sip:10.0.0.12:5070;transport=tcp;took=23", "10.0.0.12:5070", Some(23)),
        ("sip:[2001:db8::1]:40000;took=0", "[2001:db8::1]:40000", Some(0)),
        ("sip:10.0.0.12", "10.0.0.12:5060", None),
        ("sip:10.0.0.12;took=-1", "10.0.0.12:5060", None),
        ("sip:phone.example", "0.0.0.0:0", None),
    ] {
        let Ok(Uri::Sip(uri)) = received.parse() else { panic!("{received}") };
        assert_eq!(address(&uri).to_string(), at, "{received}");
        assert_eq!(took(&uri), ms.map(Duration::from_millis), "{received}");
    }
}

/// `/twice` has one call two times, `/other` that one and another, and nothing else answers.
async fn list(path: axum::extract::Path<String>, Json(_): Json<Value>) -> Json<Value> {
    let dialog = |id: &str| {
        json!({"h_entry": 1, "h_id": 2, "call-id": id, "from_uri": "sip:100-acme@acme", "to_uri": "sip:101@acme",
               "state": 4, "start_ts": 1, "init_ts": 1, "caller": {"cseq": "1"}})
    };
    let dialogs = if path.0 == "twice" { [dialog("a"), dialog("a")] } else { [dialog("a"), dialog("b")] };
    Json(json!({ "result": dialogs }))
}

#[tokio::test]
async fn a_call_is_listed_once_and_a_kamailio_that_is_down_hides_no_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address");
    let mut running = JoinSet::new();
    let router = Router::new().route("/{list}", post(list));
    running.spawn(async { axum::serve(listener, router).await.expect("serves") });
    let nobody = || sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://127.0.0.1:1/none").expect("a URL");
    let listed = async |urls: &[String]| {
        let nodes = urls.iter().map(|url| Rpc::new(url).expect("on loopback")).collect();
        let registrar = KamailioRegistrar::new(nobody(), Clock::system(), Notices::new(), nodes);
        let calls = registrar.calls("acme").await.ok()?;
        Some(calls.into_iter().map(|call| call.id).collect::<Vec<_>>())
    };
    let [twice, other, down] =
        [format!("http://{at}/twice"), format!("http://{at}/other"), "http://127.0.0.1:1/rpc".to_owned()];
    assert_eq!(listed(&[twice.clone(), other.clone()]).await, Some(vec!["a".into(), "b".into()]));
    assert_eq!(listed(&[down.clone(), other]).await, Some(vec!["a".into(), "b".into()]));
    assert_eq!(listed(std::slice::from_ref(&down)).await, None, "unknown is not none");
    let (contacts, orders) = Contacts::new();
    let nodes = vec![Rpc::new(&down).expect("on loopback")];
    running.spawn(KamailioRegistrar::new(nobody(), Clock::system(), Notices::new(), nodes).run(orders));
    assert_eq!(contacts.calls("acme").await, Err(Unanswered::Silent));
    assert_eq!(contacts.hang_up("acme", "a").await, Err(Unanswered::Silent));
}

/// Where the tests run on PostgreSQL: a process whose machine has no Kamailio, and one whose machine has the holder's.
#[tokio::test]
async fn a_removal_reaches_the_kamailio_of_another_machine() {
    let store = Store::open(&testing::database().await).await.expect("opens");
    let Some(database) = store.postgres().cloned() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/rpc", listener.local_addr().expect("an address"));
    let router = Router::new().route("/rpc", post(kamailio)).with_state(database.clone());
    let mut running = JoinSet::new();
    running.spawn(async { axum::serve(listener, router).await.expect("serves") });
    let mut start = |nodes: Vec<Rpc>| {
        let (notices, bridge) = Bridge::new(database.clone());
        let heard = notices.subscribe();
        running.spawn(bridge.run());
        let (contacts, orders) = Contacts::new();
        running.spawn(KamailioRegistrar::new(database.clone(), Clock::system(), notices, nodes).run(orders));
        (contacts, heard)
    };
    let (here, _) = start(Vec::new());
    let (elsewhere, mut heard) = start(vec![Rpc::new(&url).expect("on loopback")]);
    assert_eq!(heard.recv().await.expect("open"), Notice::Missed, "once it listens");
    let held = "INSERT INTO kamailio_location (ruid, username, domain, contact, expires)
         VALUES ('r', '100-acme', 'acme', 'sip:100-acme@10.0.0.12:5060', 4000000000)";
    sqlx::query(held).execute(&database).await.expect("inserts");
    assert_eq!(here.held("acme", vec!["100-acme".into()]).await.len(), 1);
    let group = RingGroup {
        extension: Extension { number: "100".into(), name: "Alex".into() },
        registrations: vec!["100-acme".into()],
    };
    let refused = here.originate("acme", group.clone(), "101").await.expect("it answers").expect_err("not here");
    assert!(refused.contains("another machine"), "{refused}");
    let (down, _) = start(vec![Rpc::new("http://127.0.0.1:1/rpc").expect("on loopback")]);
    assert_eq!(down.originate("acme", group.clone(), "101").await, Err(Unanswered::Silent));
    elsewhere.originate("acme", group, "101").await.expect("it answers").expect("it is asked to ring");
    here.remove("acme", "100-acme").await.expect("carried out");
    assert_eq!(here.held("acme", vec!["100-acme".into()]).await, [], "at once when the order is carried out");
}
