//! The PBX, a store of a few lines, and phones with endpoints of their own, in simulated time.

use crate::{
    server::{
        calls::CallRecord,
        refusals::Note,
        registry::{Credentials, Extension, Ha1, Registration, RingGroup, SessionBinding},
        sip::{
            location::Aor,
            pbx::{Output, Pbx},
            routing::{Facts, Query, Target},
        },
    },
    sip::{
        auth::{self, ClientAuth},
        digest::Algorithm,
        endpoint::{self, ClientTransactionId, Endpoint, Event, ServerTransactionId, Timers},
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Headers, Message, Method, Request, Response},
        uri::Uri,
        wire,
    },
    tms::wire::{Edition, Kind},
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

pub const PBX: &str = "127.0.0.1:5060";
pub const REALM: &str = "acme";
pub const PASSWORD: &str = "correct horse";

/// A device: where it is, who it says it is.
pub struct Phone {
    /// Its registration: `100-acme`.
    pub name: &'static str,
    pub address: SocketAddr,
    pub transport: Transport,
    pub instance: Option<&'static str>,
    pub user_agent: &'static str,
    /// It has crashed: nothing it says arrives.
    pub silent: bool,
    endpoint: Endpoint,
    auth: ClientAuth,
    entropy: Entropy,
    call_id: String,
    cseq: u32,
    /// What it has heard and not been asked about.
    pub heard: VecDeque<Event>,
}

/// Index of a phone.
pub type At = usize;

pub struct Bench {
    pub now: Instant,
    pub pbx: Pbx,
    pub phones: Vec<Phone>,
    /// Digest users, their passwords being [`PASSWORD`].
    pub users: Vec<Credentials>,
    /// Of the account.
    pub edition: Edition,
    /// Names of registrations that ring for 100 beside the primary.
    pub ring_inbound: Vec<&'static str>,
    /// Registrations that changed hands.
    pub changed: Vec<String>,
    /// Registrations to be written down.
    pub saved: Vec<String>,
    /// Who was not let in.
    pub refused: Vec<Note>,
    /// Calls that are over.
    pub over: Vec<CallRecord>,
    entropy: Entropy,
}

impl Bench {
    /// Nobody registered. Users: 100-acme, its session `100-acme-laptop~k3f9` (session 7, instance `urn:uuid:laptop`), the
    /// lasting 100-acme-tablet, and 101-acme.
    pub fn new() -> Self {
        let now = Instant::now();
        let wall = "2026-01-05T08:02:00Z".parse().expect("a valid timestamp");
        let mut entropy = Entropy::from_seed(1);
        let algorithms = vec![Algorithm::SHA_256, Algorithm::MD5];
        let pbx = Pbx::new(now, wall, PBX.parse().expect("an address"), algorithms, entropy.fork());
        let session = Some(SessionBinding { session: 7, instance_id: "urn:uuid:laptop".into() });
        let users = vec![
            user("100-acme", "100-acme", None),
            user("100-acme-laptop~k3f9", "100-acme-laptop", session),
            user("100-acme-tablet", "100-acme-tablet", None),
            user("101-acme", "101-acme", None),
        ];
        let ring_inbound = vec!["100-acme-laptop"];
        let edition = Edition::Enterprise;
        Self {
            now,
            pbx,
            phones: Vec::new(),
            users,
            edition,
            ring_inbound,
            changed: Vec::new(),
            saved: Vec::new(),
            refused: Vec::new(),
            over: Vec::new(),
            entropy,
        }
    }

    /// A device whose registration has `name` and that authenticates as `username`.
    pub fn phone(
        &mut self,
        name: &'static str,
        username: &str,
        transport: Transport,
        instance: Option<&'static str>,
    ) -> At {
        let at = self.phones.len();
        let address = SocketAddr::from(([10, 0, 0, 12], 5070 + at as u16));
        let mut entropy = self.entropy.fork();
        let mut endpoint = Endpoint::new(Timers::default(), entropy.fork());
        endpoint.set_local(transport, address);
        let credentials = auth::Credentials { username: username.into(), password: PASSWORD.into() };
        self.phones.push(Phone {
            name,
            address,
            transport,
            instance,
            user_agent: "Yealink T46S",
            silent: false,
            endpoint,
            auth: ClientAuth::new(credentials),
            call_id: entropy.call_id(),
            entropy,
            cseq: 0,
            heard: VecDeque::new(),
        });
        at
    }

    /// The desk phone of 100, registered.
    pub fn desk(&mut self) -> At {
        self.registered("100-acme", "100-acme", Transport::Udp, None)
    }

    /// Agent Manager on 100's additional registration, registered over TCP with its session's credential.
    pub fn laptop(&mut self) -> At {
        self.registered("100-acme-laptop", "100-acme-laptop~k3f9", Transport::Tcp, Some("urn:uuid:laptop"))
    }

    /// The colleague of 101, registered.
    pub fn colleague(&mut self) -> At {
        self.registered("101-acme", "101-acme", Transport::Udp, Some("urn:uuid:colleague"))
    }

    fn registered(
        &mut self,
        name: &'static str,
        username: &str,
        transport: Transport,
        instance: Option<&'static str>,
    ) -> At {
        let at = self.phone(name, username, transport, instance);
        let response = self.register(at, 600);
        assert_eq!(response.code(), 200, "{name}: {}", response.reason);
        at
    }

    /// REGISTER of this phone's contact for so many seconds, with credentials when asked.
    pub fn register(&mut self, at: At, expires: u32) -> Response {
        let request = self.register_request(at, expires);
        self.ask(at, request)
    }

    pub fn register_request(&mut self, at: At, expires: u32) -> Request {
        let phone = &mut self.phones[at];
        let call_id = phone.call_id.clone();
        let mut request = phone.request(Method::REGISTER, "sip:acme", &format!("sip:{}@acme", phone.name), &call_id);
        request.headers.push("Expires", expires.to_string());
        request
    }

    /// A request outside of any dialog, with credentials when asked; its final response.
    pub fn ask(&mut self, at: At, request: Request) -> Response {
        let mut asked = request.clone();
        self.phones[at].auth.authorize(&mut asked);
        let client = self.send(at, asked.clone());
        let response = self.final_response(at, client);
        if !matches!(response.code(), 401 | 407) {
            return response;
        }
        let phone = &mut self.phones[at];
        if phone.auth.handle_challenge(&asked, &response, &mut phone.entropy).is_err() {
            return response;
        }
        let client = self.send_authorized(at, request);
        self.final_response(at, client)
    }

    /// An INVITE with credentials, after the 407 that asks for them. Its transaction, unanswered.
    pub fn call(&mut self, at: At, to: &str) -> (ClientTransactionId, Request) {
        let invite = self.invite(at, to);
        let client = self.send(at, invite.clone());
        let challenge = self.final_response(at, client);
        assert_eq!(challenge.code(), 407, "{}", challenge.reason);
        let phone = &mut self.phones[at];
        phone.auth.handle_challenge(&invite, &challenge, &mut phone.entropy).expect("a challenge that can be answered");
        let client = self.send_authorized(at, invite.clone());
        (client, invite)
    }

    pub fn invite(&mut self, at: At, to: &str) -> Request {
        let call_id = self.phones[at].entropy.call_id();
        self.phones[at].request(Method::INVITE, to, to, &call_id)
    }

    /// With the next CSeq, credentials, and to the PBX.
    pub fn send_authorized(&mut self, at: At, mut request: Request) -> ClientTransactionId {
        let phone = &mut self.phones[at];
        phone.cseq += 1;
        request.headers.set("CSeq", format!("{} {}", phone.cseq, request.method.as_str()));
        phone.auth.authorize(&mut request);
        self.send(at, request)
    }

    pub fn send(&mut self, at: At, request: Request) -> ClientTransactionId {
        let phone = &mut self.phones[at];
        let flow = Flow { transport: phone.transport, remote: PBX.parse().expect("an address") };
        let client = phone.endpoint.send_request(self.now, flow, request);
        self.settle();
        client
    }

    pub fn send_ack(&mut self, at: At, ack: Request) {
        let phone = &mut self.phones[at];
        let flow = Flow { transport: phone.transport, remote: PBX.parse().expect("an address") };
        phone.endpoint.send_ack(self.now, flow, ack);
        self.settle();
    }

    pub fn cancel(&mut self, at: At, client: ClientTransactionId) {
        self.phones[at].endpoint.cancel(self.now, client, None);
        self.settle();
    }

    /// The phone answers a request it heard, and takes the session timer that is offered.
    pub fn answer(&mut self, at: At, server: ServerTransactionId, request: &Request, code: u16) -> Response {
        let phone = &mut self.phones[at];
        let tag = format!("tag-{}", phone.name);
        let mut response = Response::to(request, code, Some(&tag));
        for route in request.headers.get_all("Record-Route") {
            response.headers.push("Record-Route", route);
        }
        response.headers.push("Contact", phone.contact());
        if let Some(timer) = request.headers.get("Session-Expires").filter(|_| code == 200) {
            response.headers.push("Session-Expires", timer);
        }
        phone.endpoint.respond(self.now, server, response.clone());
        self.settle();
        response
    }

    /// The request that this phone heard next.
    pub fn heard_request(&mut self, at: At) -> Option<(ServerTransactionId, Request)> {
        let heard = &mut self.phones[at].heard;
        let found = heard.iter().position(|event| matches!(event, Event::Request { .. }))?;
        match heard.remove(found) {
            Some(Event::Request { transaction, request, .. }) => Some((transaction, request)),
            _ => None,
        }
    }

    /// All responses this phone has heard to a request of its own.
    pub fn responses(&mut self, at: At, client: ClientTransactionId) -> Vec<Response> {
        let mut found = Vec::new();
        self.phones[at].heard.retain(|event| match event {
            Event::Response { transaction, response, .. } if *transaction == client => {
                found.push(response.clone());
                false
            }
            _ => true,
        });
        found
    }

    /// The final response; there must be one.
    pub fn final_response(&mut self, at: At, client: ClientTransactionId) -> Response {
        let responses = self.responses(at, client);
        responses.into_iter().find(|r| !r.is_provisional()).expect("a final response")
    }

    /// Lets time pass, with all its timers.
    pub fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        loop {
            let phones = self.phones.iter().filter_map(|phone| phone.endpoint.poll_timeout());
            let Some(next) = phones.chain(self.pbx.poll_timeout()).min().filter(|at| *at <= until) else { break };
            self.now = self.now.max(next);
            self.pbx.handle_timeout(self.now);
            for phone in &mut self.phones {
                phone.endpoint.handle_timeout(self.now);
            }
            self.settle();
        }
        self.now = until;
    }

    pub fn aor(name: &str) -> Aor {
        Aor { realm: REALM.into(), name: name.into() }
    }

    /// Who holds a registration, by User-Agent.
    pub fn holder(&self, name: &str) -> Option<String> {
        self.pbx.holder(self.now, &Self::aor(name)).map(|contact| contact.binding.device.clone())
    }

    /// Carries everything until all are silent.
    pub fn settle(&mut self) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.pbx.poll_output() {
                quiet = false;
                match output {
                    Output::Transmit { flow, payload, client } => self.deliver(flow, &payload, client),
                    Output::Ask { id, query } => {
                        let facts = self.facts(&query);
                        self.pbx.handle_facts(self.now, id, Ok(facts));
                    }
                    Output::Changed(aor) => self.changed.push(aor.name),
                    Output::Save { aor, .. } => self.saved.push(aor.name),
                    Output::Refused(note) => self.refused.push(note),
                    Output::Over(record) => self.over.push(record),
                }
            }
            for at in 0..self.phones.len() {
                while let Some(output) = self.phones[at].endpoint.poll_output() {
                    quiet = false;
                    match output {
                        endpoint::Output::Transmit { .. } if self.phones[at].silent => {}
                        endpoint::Output::Transmit { payload, .. } => {
                            let phone = &self.phones[at];
                            let flow = Flow { transport: phone.transport, remote: phone.address };
                            let message = wire::read(&payload).expect("what an endpoint writes can be read");
                            self.pbx.handle_message(self.now, flow, message);
                        }
                        endpoint::Output::Event(event) => self.phones[at].heard.push_back(event),
                    }
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn deliver(&mut self, flow: Flow, payload: &[u8], client: Option<ClientTransactionId>) {
        let message = wire::read(payload).expect("what the PBX writes can be read");
        let phone = self.phones.iter_mut().find(|p| p.address == flow.remote && p.transport == flow.transport);
        match (phone, client) {
            (Some(phone), _) => {
                let flow = Flow { transport: phone.transport, remote: PBX.parse().expect("an address") };
                phone.endpoint.handle_message(self.now, flow, message);
            }
            (None, Some(client)) => self.pbx.handle_transport_failed(self.now, client, "nobody is there"),
            (None, None) => {}
        }
    }

    fn facts(&self, query: &Query) -> Facts {
        let serves = query.realm == REALM;
        let credentials = self.users.iter().find(|user| query.username == user_name(user)).filter(|_| serves).cloned();
        let caller = credentials.as_ref().map(|user| registration(&user.registration, self.edition));
        let target = match query.dialled.as_deref() {
            Some("100" | "100-acme") => {
                let names = std::iter::once("100-acme").chain(self.ring_inbound.iter().copied());
                Target::Extension(RingGroup {
                    extension: extension("100"),
                    registrations: names.map(str::to_owned).collect(),
                })
            }
            Some("101" | "101-acme") => {
                Target::Extension(RingGroup { extension: extension("101"), registrations: vec!["101-acme".into()] })
            }
            Some(name @ ("100-acme-laptop" | "100-acme-tablet")) => {
                Target::Additional(registration(name, self.edition))
            }
            Some(_) | None => Target::Unknown,
        };
        let emergency = query.dialled.as_deref() == Some("112");
        Facts { serves, credentials, caller, target, emergency }
    }
}

impl Phone {
    fn request(&mut self, method: Method, uri: &str, to: &str, call_id: &str) -> Request {
        self.cseq += 1;
        let mut headers = Headers::new();
        headers.push("From", format!("<sip:{}@{REALM}>;tag={}", self.name, self.entropy.tag()));
        headers.push("To", format!("<{to}>"));
        headers.push("Call-ID", call_id);
        headers.push("CSeq", format!("{} {}", self.cseq, method.as_str()));
        headers.push("Contact", self.contact());
        headers.push("User-Agent", self.user_agent);
        Request { method, uri: uri.parse::<Uri>().expect("a URI"), headers, body: Vec::new() }
    }

    fn contact(&self) -> String {
        let instance = self.instance.map(|id| format!(";+sip.instance=\"<{id}>\"")).unwrap_or_default();
        format!("<sip:{}@{};transport={}>{instance}", self.name, self.address, self.transport.uri_name())
    }

    /// Transactions that are not over.
    pub fn transactions(&self) -> usize {
        self.endpoint.transaction_count()
    }
}

fn user(username: &str, registration: &str, session: Option<SessionBinding>) -> Credentials {
    let ha1 = Ha1::of(username, REALM, PASSWORD);
    Credentials { realm: REALM.into(), ha1, registration: registration.into(), session, refused: None }
}

/// The digest user that [`user`] made these for.
fn user_name(user: &Credentials) -> String {
    let suffix = if user.session.is_some() { "~k3f9" } else { "" };
    format!("{}{suffix}", user.registration)
}

/// `100-acme`, `100-acme-laptop`.
fn registration(name: &str, edition: Edition) -> Registration {
    let kind = if name.matches('-').count() == 1 { Kind::P } else { Kind::S };
    Registration { name: name.into(), realm: REALM.into(), extension: extension(&name[..3]), kind, edition }
}

fn extension(number: &str) -> Extension {
    let name = if number == "100" { "Alex Agent" } else { "Chris Colleague" };
    Extension { number: number.into(), name: name.into() }
}

/// Reads a message as it would come off the network.
pub fn read(text: &str) -> Message {
    wire::read(text.replace('\n', "\r\n").as_bytes()).expect("a message")
}
