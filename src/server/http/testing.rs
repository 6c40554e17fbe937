//! The router in process, over the demonstration tenant, with a clock that stands still and a SIP side that only remembers.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode},
    response::Response,
};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{sync::watch, task::JoinSet};
use tower::ServiceExt;

use super::{App, Reach, SipReach, input::Peer, router};
use crate::{
    secret::Secret,
    server::{
        clock::Clock,
        contacts::{Contact, Contacts, Order},
        demo_data::{self, Demo},
        logins::{self, ChosenBy, NewLogin},
        media::{MediaServers, Relay},
        notebook::Notebook,
        notices::Notices,
        outbox::Outbox,
        pace::Pace,
        passwords::Passwords,
        registry::Registry,
        store::{self, Store, query},
        throttle::Throttle,
        vault::Vault,
    },
};

pub const INSTANCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000001";
pub const OTHER_INSTANCE: &str = "urn:uuid:00000000-0000-4000-8000-000000000002";
/// The only call that there is.
pub const CALL: &str = "call-1";
/// A password that is accepted.
pub const GOOD: &str = "a long enough one";
pub const OPERATOR_PASSWORD: &str = "an operator's long password";

pub struct Harness {
    pub app: Arc<App>,
    pub demo: Demo,
    pub sip: FakeSip,
    pub stop: watch::Sender<bool>,
    router: Router,
    hand: Arc<AtomicI64>,
    _downloads: tempfile::TempDir,
    _others: JoinSet<()>,
}

/// Holds the contacts it was given and what it was ordered.
#[derive(Clone, Default)]
pub struct FakeSip {
    pub contacts: Arc<Mutex<Vec<Contact>>>,
    pub orders: Arc<Mutex<Vec<String>>>,
    /// It carries no order out, as a Kamailio that is just restarting.
    pub down: Arc<AtomicBool>,
    /// Where there is a place for them, orders wait until they are released.
    pub parked: Arc<Mutex<Option<Vec<Order>>>>,
}

/// A request under construction.
pub struct Call<'a> {
    harness: &'a Harness,
    request: axum::http::request::Builder,
    body: Vec<u8>,
    peer: SocketAddr,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// Null where the body is no JSON.
    pub json: Value,
}

impl Harness {
    pub async fn new() -> Self {
        Self::on(&store::testing::database().await).await
    }

    /// With several connections to its database, and the folder that this is in.
    pub async fn for_many() -> (Self, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match store::testing::database().await {
            url if url == "sqlite::memory:" => format!("sqlite://{}", folder.path().join("tms.db").display()),
            url => url,
        };
        (Self::on(&url).await, folder)
    }

    pub async fn on(database_url: &str) -> Self {
        Self::with(database_url, Vault::for_now(), false).await
    }

    /// On PostgreSQL, without `--secrets-key`.
    pub async fn without_key() -> Self {
        Self::with(&store::testing::database().await, Vault::default(), false).await
    }

    /// With `--demand-second-factor`.
    pub async fn demanding() -> Self {
        Self::with(&store::testing::database().await, Vault::for_now(), true).await
    }

    async fn with(database_url: &str, vault: Vault, second_factor_demanded: bool) -> Self {
        let start = Timestamp::from_second(1_800_000_000).expect("in range");
        let (clock, hand) = Clock::manual(start);
        let store = Store::open(database_url).await.expect("the database opens");
        let passwords = Passwords::new();
        let demo = demo_data::seed(&store, &clock, &passwords).await.expect("the tenant is made");
        let hash = passwords.hash(OPERATOR_PASSWORD).await.expect("hashes");
        let operator = NewLogin {
            username: "operator",
            name: "Operator",
            email: None,
            password_hash: &hash,
            password_by: ChosenBy::Owner,
            operator: true,
        };
        let mut tx = store.begin().await.expect("begins");
        logins::create(&mut tx, &operator, clock.now_ms()).await.expect("the operator is made");
        tx.commit().await.expect("commits");
        let sip = FakeSip::default();
        let contacts = sip.start();
        let notices = Notices::new();
        let (outbox, courier) = Outbox::new(store.clone(), clock.clone(), contacts.clone(), notices.clone());
        let (notebook, writer) = Notebook::new(store.clone(), clock.clone());
        let mut others = JoinSet::new();
        others.spawn(courier.run());
        others.spawn(writer.run());
        let (stop, stopping) = watch::channel(false);
        let reach = Reach {
            url: "https://tms.example".into(),
            sip: Some(SipReach {
                outbound_proxy: "sip:127.0.0.1:5060;lr".into(),
                outbound_proxy_tls: None,
                transports: vec!["udp".into()],
            }),
            behind_proxy: true,
        };
        let turn = Relay { uri: "turn:relay.example".parse().expect("a URI"), secret: Secret("north".into()) };
        let media = MediaServers { turn: Some(turn), ..MediaServers::default() };
        let downloads = tempfile::tempdir().expect("a folder");
        let app = Arc::new(App {
            store,
            clock,
            passwords,
            throttle: Throttle::default(),
            pace: Pace::default(),
            contacts,
            notices,
            outbox,
            notebook,
            vault,
            reach,
            media,
            second_factor_demanded,
            downloads: Some(downloads.path().to_owned()),
            stopping,
        });
        Self { _downloads: downloads, _others: others, router: router(Arc::clone(&app)), app, demo, sip, stop, hand }
    }

    pub fn call(&self, method: Method, path: &str) -> Call<'_> {
        let request = Request::builder().method(method).uri(path);
        Call { harness: self, request, body: Vec::new(), peer: ([127, 0, 0, 1], 4000).into() }
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call(Method::GET, path)
    }

    pub fn post(&self, path: &str, body: Value) -> Call<'_> {
        self.call(Method::POST, path).json(body)
    }

    pub fn patch(&self, path: &str, body: Value) -> Call<'_> {
        self.call(Method::PATCH, path).json(body)
    }

    pub fn delete(&self, path: &str) -> Call<'_> {
        self.call(Method::DELETE, path)
    }

    /// Moves the clock.
    pub fn pass(&self, seconds: i64) {
        self.hand.fetch_add(seconds * 1000, Ordering::Relaxed);
    }

    pub fn registry(&self) -> Registry {
        Registry::new(self.app.store.clone(), self.app.clock.clone())
    }

    /// Signs the demonstration's agent in; the answer as it came.
    pub async fn try_sign_in(&self, username: &str, password: &str, key: &str) -> Reply {
        let body = serde_json::json!({ "username": username, "password": password, "instance_id": INSTANCE });
        self.post("/v1/sessions", body).header("x-api-key", key).send().await
    }

    /// The bearer token of the demonstration's agent.
    pub async fn agent(&self) -> String {
        let reply = self.try_sign_in(&self.demo.username, &self.demo.password, &self.demo.api_key).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.string("token")
    }

    /// Signs someone who manages in; the answer as it came.
    pub async fn try_manager(&self, username: &str, password: &str) -> Reply {
        let body = serde_json::json!({ "username": username, "password": password });
        self.post("/v1/manage/session", body).send().await
    }

    /// The bearer token of someone who manages.
    pub async fn manager(&self, username: &str, password: &str) -> String {
        let reply = self.try_manager(username, password).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.string("token")
    }

    /// A new login on an account, enabled; its bearer token.
    pub async fn member(&self, tenant: &str, username: &str, role: &str) -> String {
        let operator = self.operator().await;
        let login = serde_json::json!({"username": username, "name": "N", "password": GOOD, "role": role});
        let made = self.post(&format!("/v1/accounts/{tenant}/logins"), login).token(&operator).send().await;
        assert_eq!(made.status, 201, "{}", made.text);
        // As if its owner had chosen it.
        let own = query("UPDATE login SET password_given = FALSE WHERE username = $1").bind(username);
        own.execute(&self.app.store).await.expect("writes");
        let token = self.manager(username, GOOD).await;
        let enabled = self.call(Method::POST, &format!("/v1/manage/memberships/{tenant}/enable")).token(&token).send();
        assert_eq!(enabled.await.status, 204);
        token
    }

    pub async fn operator(&self) -> String {
        self.manager("operator", OPERATOR_PASSWORD).await
    }
}

impl Call<'_> {
    pub fn json(mut self, body: Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.header("content-type", "application/json")
    }

    pub fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn from(mut self, address: [u8; 4]) -> Self {
        self.peer = (address, 4000).into();
        self
    }

    pub async fn send(self) -> Reply {
        let response = self.stream().await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 10 << 20).await.expect("the body is read");
        let text = String::from_utf8(bytes.to_vec()).expect("UTF-8");
        let json = serde_json::from_str(&text).unwrap_or_default();
        let reply = Reply { status: parts.status, headers: parts.headers, text, json };
        if reply.status.is_client_error() || reply.status.is_server_error() {
            assert_eq!(reply.headers["content-type"], "application/problem+json", "{}", reply.text);
            assert_eq!(reply.json["status"], reply.status.as_u16());
            assert!(reply.string("detail").len() >= 20, "{}", reply.text);
        }
        assert!(reply.headers.contains_key("content-security-policy"));
        reply
    }

    /// For a task of its own: only the status.
    pub fn request(mut self) -> impl Future<Output = StatusCode> + Send + 'static {
        self.request = self.request.extension(Peer(self.peer));
        let request = self.request.body(Body::from(self.body)).expect("a request");
        let router = self.harness.router.clone();
        async move { router.oneshot(request).await.expect("infallible").status() }
    }

    /// The answer with its body still to come.
    pub async fn stream(mut self) -> Response {
        self.request = self.request.extension(Peer(self.peer));
        let request = self.request.body(Body::from(self.body)).expect("a request");
        self.harness.router.clone().oneshot(request).await.expect("infallible")
    }
}

impl Reply {
    pub fn string(&self, field: &str) -> String {
        self.json[field].as_str().unwrap_or_else(|| panic!("{field} in {}", self.text)).to_owned()
    }

    pub fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default()
    }
}

impl FakeSip {
    fn start(&self) -> Contacts {
        let (contacts, mut orders) = Contacts::new();
        let side = self.clone();
        tokio::spawn(async move {
            while let Some(order) = orders.recv().await {
                side.carry_out(order);
            }
        });
        contacts
    }

    fn carry_out(&self, order: Order) {
        let asks = matches!(order, Order::Held { .. } | Order::Calls { .. });
        if !asks && self.down.load(Ordering::Relaxed) {
            return;
        }
        if let (false, Some(parked)) = (asks, self.parked.lock().expect("unpoisoned").as_mut()) {
            parked.push(order);
            return;
        }
        let mut contacts = self.contacts.lock().expect("unpoisoned");
        let mut log = self.orders.lock().expect("unpoisoned");
        match order {
            Order::Held { realm, registrations, reply } => {
                let of = |c: &&Contact| c.realm == realm && registrations.contains(&c.registration);
                let _ = reply.send(contacts.iter().filter(of).cloned().collect());
            }
            Order::TakeOver { registration, instance_id, reply, .. } => {
                contacts.retain(|c| c.registration != registration || c.instance_id.as_ref() == Some(&instance_id));
                log.push(format!("take over {registration}"));
                let _ = reply.send(());
            }
            Order::EndSession { session, reply } => {
                contacts.retain(|c| c.session != Some(session));
                log.push(format!("end session {session}"));
                let _ = reply.send(());
            }
            Order::Remove { registration, reply, .. } => {
                contacts.retain(|c| c.registration != registration);
                log.push(format!("remove {registration}"));
                let _ = reply.send(());
            }
            Order::HangUp { call, reply, .. } => {
                log.push(format!("hang up {call}"));
                let _ = reply.send(call == CALL);
            }
            Order::Originate { destination, reply, .. } => {
                log.push(format!("originate to {destination}"));
                let _ = reply.send(Ok(CALL.to_owned()));
            }
            Order::Calls { .. } | Order::Close { .. } => {}
        }
    }

    pub fn release(&self) {
        let parked = self.parked.lock().expect("unpoisoned").take();
        parked.into_iter().flatten().for_each(|order| self.carry_out(order));
    }

    /// A device that holds a registration.
    pub fn hold(&self, registration: &str, instance: Option<&str>, session: Option<i64>) {
        let since = Timestamp::from_second(1_799_999_000).expect("in range");
        self.contacts.lock().expect("unpoisoned").push(Contact {
            realm: "acme".into(),
            registration: registration.into(),
            device: "Desk <phone> & \u{1}co".into(),
            address: ([10, 0, 0, 12], 5060).into(),
            since,
            expires_at: since + jiff::SignedDuration::from_secs(3600),
            instance_id: instance.map(str::to_owned),
            session,
            latency: Some(std::time::Duration::from_millis(23)),
        });
    }

    pub fn ordered(&self) -> Vec<String> {
        self.orders.lock().expect("unpoisoned").clone()
    }
}
