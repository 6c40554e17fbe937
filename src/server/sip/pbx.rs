//! The SIP side as one machine: requests in, authenticated, answered by the registrar or forwarded by the proxy.
//!
//! What the store knows is asked for with [`Output::Ask`] and comes back with [`Pbx::handle_facts`]; nothing is asked of the
//! store for a request without credentials.

use super::{
    calls::Calls,
    failures::Failures,
    flow_token::FlowTokens,
    forward::Incoming,
    location::{Aor, Contact, Location, Saved},
    originate::Originations,
    proxy::{Progress, Proxy},
    reply::{self, reply},
    routing::{Facts, Query},
};
use crate::{
    server::{
        calls::CallRecord,
        contacts::Call,
        refusals::{Note, Why},
    },
    sip::{
        auth::{Asker, Pending, ServerAuth},
        digest::Algorithm,
        endpoint::{self, ClientTransactionId, Endpoint, Event, ServerTransactionId, Timers},
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Message, Method, Request, Response},
        uri::Host,
    },
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A question to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryId(u64);

/// What the machine asks of its shell, in order.
#[derive(Debug)]
pub enum Output {
    Transmit {
        flow: Flow,
        payload: Vec<u8>,
        client: Option<ClientTransactionId>,
    },
    /// To be answered with [`Pbx::handle_facts`].
    Ask {
        id: QueryId,
        query: Query,
    },
    /// This registration changed hands.
    Changed(Aor),
    /// What [`Pbx::saved`] answers has changed, the takeover's hold too where `hold` says so.
    Save {
        aor: Aor,
        hold: bool,
    },
    /// A device was not let in, and its extension's people may want to know.
    Refused(Note),
    /// A call is over.
    Over(CallRecord),
}

/// A request that waits for the store.
#[derive(Debug)]
pub(super) struct Waiting {
    pub incoming: Incoming,
    /// How long the device took to answer the challenge.
    pub round_trip: Option<Duration>,
    pub asker: Asker,
    pub realm: String,
    pub digest: Pending,
}

/// See the module.
pub struct Pbx {
    pub(super) endpoint: Endpoint,
    pub(super) location: Location,
    pub(super) proxy: Proxy,
    pub(super) calls: Calls,
    pub(super) originations: Originations,
    pub(super) tokens: FlowTokens,
    pub(super) auth: ServerAuth,
    pub(super) failures: Failures,
    pub(super) entropy: Entropy,
    /// Where we are, by every transport.
    pub(super) address: SocketAddr,
    /// The port of TLS, where that is served.
    pub(super) tls_port: Option<u16>,
    /// How devices name that place, where they know it by another name than its address.
    pub(super) known_as: Host,
    /// One moment on both clocks.
    epoch: (Instant, Timestamp),
    waiting: BTreeMap<QueryId, Waiting>,
    asked: u64,
    pub(super) outputs: VecDeque<Output>,
}

/// What a nonce is good for.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);
/// Questions to the store at a time; what comes beyond is answered 503.
const MAX_WAITING: usize = 2_000;
/// Of them from one address, so that one cannot take the others' turn. A site behind one address has no more phones than
/// that sign in within the milliseconds that an answer takes.
const MAX_WAITING_PER_SOURCE: usize = 500;

impl Pbx {
    /// `address`: what Via, Record-Route and Contact name, the same port for UDP and TCP. `wall` is `now` on the calendar.
    /// `algorithms`: what digest offers, the preferred first.
    pub fn new(
        now: Instant,
        wall: Timestamp,
        address: SocketAddr,
        algorithms: Vec<Algorithm>,
        mut entropy: Entropy,
    ) -> Self {
        let mut endpoint = Endpoint::for_proxy(Timers::default(), entropy.fork());
        endpoint.set_local(Transport::Udp, address);
        endpoint.set_local(Transport::Tcp, address);
        Self {
            endpoint,
            location: Location::default(),
            proxy: Proxy::default(),
            calls: Calls::default(),
            originations: Originations::default(),
            tokens: FlowTokens::new(&mut entropy),
            auth: ServerAuth::new(now, algorithms, NONCE_LIFETIME, &mut entropy),
            failures: Failures::default(),
            entropy,
            address,
            tls_port: None,
            known_as: Host::Ip(address.ip()),
            epoch: (now, wall),
            waiting: BTreeMap::new(),
            asked: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Devices beyond a router reach us by this name or address rather than by our own.
    pub fn set_known_as(&mut self, host: Host) {
        self.known_as = host;
    }

    /// TLS is served too, at the same address.
    pub fn serve_tls(&mut self, port: u16) {
        self.tls_port = Some(port);
        self.endpoint.set_local(Transport::Tls, (self.address.ip(), port).into());
    }

    /// The key of flow tokens, the same after a restart; without it they are good until then.
    pub fn set_flow_key(&mut self, key: [u8; 32]) {
        self.tokens = FlowTokens::with_key(key);
    }

    /// A message that came by `flow`.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        self.endpoint.handle_message(now, flow, message);
        self.run(now);
    }

    /// The store's answer, or why there is none.
    pub fn handle_facts(&mut self, now: Instant, id: QueryId, facts: Result<Facts, String>) {
        if let Some(waiting) = self.waiting.remove(&id) {
            match facts {
                Ok(facts) => self.decide(now, waiting, facts),
                Err(why) => {
                    let response = reply::overloaded(&waiting.incoming.request, &mut self.entropy, &why);
                    self.endpoint.respond(now, waiting.incoming.transaction, response);
                }
            }
        }
        self.run(now);
    }

    /// The shell could not send this.
    pub fn handle_transport_failed(&mut self, now: Instant, client: ClientTransactionId, why: &str) {
        self.endpoint.transport_failed(now, client, why);
        self.run(now);
    }

    /// A connection was closed.
    pub fn handle_flow_lost(&mut self, now: Instant, flow: Flow) {
        self.location.flow_lost(now, flow);
        self.endpoint.flow_lost(now, flow, "the device's connection is gone");
        self.run(now);
    }

    /// What is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
        self.location.handle_timeout(now);
        self.proxy.handle_timeout(now, &mut self.endpoint);
        self.originations.handle_timeout(now, &mut self.endpoint);
        let (wall, location) = (self.wall(now), &self.location);
        self.calls.handle_timeout(now, wall, |aor| location.holder(now, aor).is_some());
        self.run(now);
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let parts = [
            self.endpoint.poll_timeout(),
            self.location.poll_timeout(),
            self.proxy.poll_timeout(),
            self.originations.poll_timeout(),
            self.calls.poll_timeout(),
        ];
        parts.into_iter().flatten().min()
    }

    /// What the shell is to do next, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// See [`Location::take_over`].
    pub fn take_over(&mut self, now: Instant, aor: &Aor, session: i64, instance: &str) {
        self.location.take_over(now, aor, session, instance);
        self.run(now);
    }

    /// See [`Location::end_session`].
    pub fn end_session(&mut self, now: Instant, session: i64) {
        self.location.end_session(now, session);
        self.run(now);
    }

    /// See [`Location::remove`].
    pub fn remove(&mut self, now: Instant, aor: &Aor) {
        self.location.remove(now, aor);
        self.run(now);
    }

    /// Who holds a registration.
    pub fn holder(&self, now: Instant, aor: &Aor) -> Option<&Contact> {
        self.location.holder(now, aor)
    }

    /// What of a registration outlives the program.
    pub fn saved(&self, aor: &Aor) -> Saved {
        self.location.saved(aor)
    }

    /// See [`Location::restore`].
    pub fn restore(&mut self, now: Instant, aor: &Aor, saved: Saved) {
        self.location.restore(now, aor, saved);
    }

    /// The calls in progress of a realm.
    pub fn calls(&self, realm: &str) -> Vec<Call> {
        let mut calls = self.calls.of(realm);
        calls.extend(self.originations.of(realm));
        calls
    }

    /// An instant on the calendar.
    pub fn wall(&self, at: Instant) -> Timestamp {
        let (instant, wall) = self.epoch;
        let moved = match at.checked_duration_since(instant) {
            Some(later) => wall.checked_add(later),
            None => wall.checked_sub(instant.duration_since(at)),
        };
        moved.unwrap_or(wall)
    }

    /// Carries out what the parts have to say until they are silent.
    pub(super) fn run(&mut self, now: Instant) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                endpoint::Output::Transmit { flow, payload, client } => {
                    self.outputs.push_back(Output::Transmit { flow, payload, client });
                }
                endpoint::Output::Event(event) => self.handle_event(now, event),
            }
        }
        while let Some(aor) = self.location.poll_changed() {
            self.outputs.push_back(Output::Changed(aor));
        }
        while let Some((aor, hold)) = self.location.poll_touched() {
            self.outputs.push_back(Output::Save { aor, hold });
        }
        while let Some(record) = self.calls.poll_over() {
            self.outputs.push_back(Output::Over(record));
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Request { transaction, request, flow } => {
                if let Err(response) = self.admit(now, Incoming { transaction, request, flow }) {
                    // Nobody has shown a password yet.
                    self.endpoint.respond_statelessly(transaction, &response);
                }
            }
            Event::Ack { request, .. } => self.forward_ack(now, request),
            Event::Cancelled { transaction, cancel } => self.handle_cancelled(now, transaction, &cancel),
            Event::Response { transaction, response, flow } => {
                if self.originations.handle_response(now, &mut self.endpoint, transaction, &response) {
                    return;
                }
                let progress = self.proxy.handle_response(now, &mut self.endpoint, transaction, response);
                self.note(now, progress, Some(flow));
            }
            Event::TimedOut { transaction } | Event::TransportFailed { transaction, .. }
                if self.originations.handle_failure(now, &mut self.endpoint, transaction) => {}
            Event::TimedOut { transaction } => {
                let why = "the device called does not answer";
                let progress = self.proxy.handle_failure(now, &mut self.endpoint, transaction, 408, why);
                self.note(now, progress, None);
            }
            Event::TransportFailed { transaction, reason } => {
                let progress = self.proxy.handle_failure(now, &mut self.endpoint, transaction, 503, &reason);
                self.note(now, progress, None);
            }
            // A final response without ACK: the caller is gone, and a 2xx is its callee's to repeat and to end.
            Event::NoAck { .. } => {}
        }
    }

    /// `flow`: whence the response came that made the progress.
    fn note(&mut self, now: Instant, progress: Progress, flow: Option<Flow>) {
        let Progress::Final { method, call_id, in_dialog, code, answer } = progress else { return };
        let at = self.wall(now);
        if let (true, Some(answer)) = (in_dialog, &answer) {
            self.calls.agreed(&call_id, &answer.1);
        } else if let (Some(answer), Some(flow)) = (answer, flow) {
            let callee = self.location.registered_at(flow);
            self.calls.answered((now, at), &call_id, (&answer.0, &answer.1), (flow, callee));
        } else if method == Method::BYE || (method == Method::INVITE && !in_dialog && code >= 300) {
            // A re-INVITE that fails leaves the call as it was (RFC 3261 §14.1).
            self.calls.end(&call_id, at, code);
        }
    }

    fn handle_cancelled(&mut self, now: Instant, transaction: ServerTransactionId, cancel: &Request) {
        if self.proxy.handle_cancel(now, &mut self.endpoint, transaction, cancel) {
            return;
        }
        let waiting = self.waiting.iter().find(|(_, w)| w.incoming.transaction == transaction).map(|(&id, _)| id);
        if let Some(waiting) = waiting.and_then(|id| self.waiting.remove(&id)) {
            self.endpoint.respond(now, transaction, reply(&waiting.incoming.request, 487, "Request Terminated"));
        }
    }

    /// Sends the request on, or asks the store about it, or says what the answer is.
    fn admit(&mut self, now: Instant, mut incoming: Incoming) -> Result<(), Response> {
        self.validate(&incoming.request)?;
        let next_hop = self.pop_own_routes(&mut incoming.request);
        let request = &incoming.request;
        if request.headers.to().is_ok_and(|to| to.tag().is_some()) {
            if let Some(answer) = self.originations.handle_request(now, &mut self.endpoint, request) {
                self.endpoint.respond(now, incoming.transaction, answer);
                return Ok(());
            }
            return self.forward_in_dialog(now, incoming, next_hop);
        }
        // A request is made in the name of To when it registers, of From otherwise; its domain is the account's.
        let (asker, own) = match request.method {
            Method::REGISTER => (Asker::Server, request.headers.to()),
            _ => (Asker::Proxy, request.headers.from()),
        };
        let bad = |why: &str| reply(request, 400, why);
        let own = own.map_err(|e| bad(&e.to_string()))?;
        let realm = own.uri.as_sip().ok_or_else(|| bad("an account's address reads sip:name@realm"))?.host.to_string();
        let dialled = match asker {
            Asker::Server => None,
            Asker::Proxy => Some(self.dialled(request, &realm)?),
        };
        let Some(digest) = self.auth.credentials(request, asker, &realm) else {
            let tag = reply::tag(request);
            return Err(self.auth.challenge(now, request, asker, &realm, false, Some(&tag)));
        };
        let source = incoming.flow.remote.ip();
        if let Some(left) = self.failures.banned(now, source, digest.username()) {
            let why = "too many wrong passwords from your address: correct the password and try again in a minute";
            let mut response = reply(request, 403, why);
            response.headers.push("Retry-After", (left.as_secs() + 1).to_string());
            return Err(response);
        }
        let same_source = || self.waiting.values().filter(|w| w.incoming.flow.remote.ip() == source).count();
        if self.waiting.len() >= MAX_WAITING
            || (self.waiting.len() >= MAX_WAITING_PER_SOURCE && same_source() >= MAX_WAITING_PER_SOURCE)
        {
            let response = reply::overloaded(request, &mut self.entropy, "the server is busy: try again in a moment");
            self.refuse(&incoming, &realm, digest.username(), Why::Limit, String::new());
            return Err(response);
        }
        self.asked += 1;
        let id = QueryId(self.asked);
        let query = Query { realm: realm.clone(), username: digest.username().to_owned(), dialled };
        self.outputs.push_back(Output::Ask { id, query });
        let round_trip = self.auth.round_trip(now, &digest);
        self.waiting.insert(id, Waiting { incoming, round_trip, asker, realm, digest });
        Ok(())
    }
}
