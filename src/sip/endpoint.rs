//! The transaction layer as one machine: every message in and out passes here; it owns the client and server transactions,
//! matches (RFC 3261 §17.1.3, §17.2.3), retransmits, times out, and hands the transaction user (the user agent, or the
//! proxy) what is new.
//!
//! A user agent's request of more than 1300 bytes that was to go by UDP goes by TCP to the same address (RFC 3261 §18.1.1),
//! provided that [`Endpoint::set_local`] has told a TCP address. When the shell reports that transmission failed, or
//! nothing was heard for 4*T1, the request goes by UDP after all, as do the next large ones to that address for some
//! minutes; the transaction user hears nothing of it.

mod client;
mod key;
mod large;
mod server;
#[cfg(test)]
pub(crate) mod tests;

pub use super::transaction::Timers;
use super::{
    entropy::Entropy,
    flow::{Flow, Transport},
    msg::{Message, Request, Response},
};
use client::Client;
use server::Server;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    net::SocketAddr,
    time::Instant,
};

/// Bound on a proxy's live transactions: a flood of requests costs some kilobytes for each of them and no more. Those beyond
/// take the place of one that is answered and only waits for retransmissions; while there is none, they get 503 with
/// Retry-After.
const MAX_TRANSACTIONS: usize = 20_000;
/// The same for a user agent.
const MAX_OF_USER_AGENT: usize = 4_096;

/// Names a request we sent; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTransactionId(pub u64);
/// Names a request we received; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerTransactionId(pub u64);

/// What the endpoint asks of its owner, in order.
#[derive(Debug)]
pub enum Output {
    /// Put these bytes on that flow. `client` names the transaction whose request this is, so that a failed send can be
    /// reported with [`Endpoint::transport_failed`].
    Transmit {
        flow: Flow,
        payload: Vec<u8>,
        client: Option<ClientTransactionId>,
    },
    Event(Event),
}

/// What the transaction user is told.
#[derive(Debug)]
pub enum Event {
    /// A request the transaction user has not seen (never ACK, never CANCEL, never a retransmission; merged requests were
    /// answered 482). It must be answered with [`Endpoint::respond`]: an INVITE waits for its answer without end, another
    /// request until its sender has given up.
    Request { transaction: ServerTransactionId, request: Request, flow: Flow },
    /// ACK for a 2xx, which is a transaction of its own without a response (RFC 3261 §13.3.1.4, §17.1.1.3); the owner
    /// matches it to its dialog.
    Ack { request: Request, flow: Flow },
    /// A CANCEL matched this INVITE, which is still unanswered; the CANCEL's 200 is sent. The owner answers the INVITE 487.
    Cancelled { transaction: ServerTransactionId, cancel: Request },
    /// A response for this transaction: provisional, final, and every further 2xx to INVITE while it is in Accepted (RFC
    /// 6026). The ACK for a non-2xx is sent here; the ACK for a 2xx is the owner's ([`Endpoint::send_ack`]).
    Response { transaction: ClientTransactionId, response: Response, flow: Flow },
    /// No final response in time (Timer B, Timer F, or 64*T1 after the CANCEL): to be read as 408 (RFC 3261 §8.1.3.1).
    TimedOut { transaction: ClientTransactionId },
    /// The transport could not deliver: to be read as 503 (RFC 3261 §8.1.3.1).
    TransportFailed { transaction: ClientTransactionId, reason: String },
    /// No ACK came for our final response to INVITE: 3xx–6xx Timer H; for 2xx 64*T1 passed without
    /// [`Endpoint::acknowledged`] (RFC 3261 §13.3.1.4: the owner then sends BYE).
    NoAck { transaction: ServerTransactionId },
}

/// Whose transactions these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    UserAgent,
    /// Passes each 2xx to INVITE on once, as its branches send them, and lets merged requests, several Vias and large
    /// datagrams through.
    Proxy,
}

/// Names a transaction in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Client(ClientTransactionId),
    Server(ServerTransactionId),
}

/// See the module.
#[derive(Debug)]
pub struct Endpoint {
    timers: Timers,
    entropy: Entropy,
    role: Role,
    max_transactions: usize,
    /// By transport, and whether it is IPv6.
    local: BTreeMap<(Transport, bool), SocketAddr>,
    /// Peers that large requests go to by UDP, and until when.
    without_streams: VecDeque<(SocketAddr, Instant)>,
    /// To tag of the answers that have no transaction, the same for a retransmission (RFC 3261 §8.2.7).
    stateless_tag: String,
    last_id: u64,
    clients: HashMap<ClientTransactionId, Client>,
    client_keys: HashMap<String, ClientTransactionId>,
    servers: HashMap<ServerTransactionId, Server>,
    server_keys: HashMap<String, ServerTransactionId>,
    /// Those of `servers` that only wait for retransmissions, in the order of their arrival.
    settled: BTreeSet<ServerTransactionId>,
    /// By [`key::merged`]: requests outside a dialog, for RFC 3261 §8.2.2.2.
    merge_keys: HashMap<String, ServerTransactionId>,
    /// One entry for each transaction that waits for a time.
    schedule: BTreeSet<(Instant, Id)>,
    outputs: VecDeque<Output>,
}

impl Endpoint {
    /// For a user agent.
    pub fn new(timers: Timers, entropy: Entropy) -> Self {
        Self::with_role(timers, entropy, Role::UserAgent)
    }

    /// For a proxy: a 2xx to INVITE is sent once for each [`Endpoint::respond`] and not retransmitted by itself, and a
    /// request that arrives on two ways is two requests.
    pub fn for_proxy(timers: Timers, entropy: Entropy) -> Self {
        Self::with_role(timers, entropy, Role::Proxy)
    }

    fn with_role(timers: Timers, mut entropy: Entropy, role: Role) -> Self {
        Self {
            timers,
            role,
            max_transactions: if role == Role::UserAgent { MAX_OF_USER_AGENT } else { MAX_TRANSACTIONS },
            local: BTreeMap::new(),
            without_streams: VecDeque::new(),
            stateless_tag: entropy.tag(),
            entropy,
            last_id: 0,
            clients: HashMap::new(),
            client_keys: HashMap::new(),
            servers: HashMap::new(),
            server_keys: HashMap::new(),
            settled: BTreeSet::new(),
            merge_keys: HashMap::new(),
            schedule: BTreeSet::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Our address on that transport, one for IPv4 and one for IPv6, for the sent-by of the Via.
    pub fn set_local(&mut self, transport: Transport, address: SocketAddr) {
        self.local.insert((transport, address.is_ipv6()), address);
    }

    /// A message from the network, already read by [`crate::sip::wire`]. Adds `received`/`rport` to a request's top Via
    /// (RFC 3261 §18.2.1, RFC 3581).
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.handle_request(now, flow, request),
            Message::Response(response) => self.handle_response(now, flow, response),
        }
    }

    /// Time has come to [`Endpoint::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        let mut due = Vec::new();
        while let Some(&(at, id)) = self.schedule.first()
            && at <= now
        {
            self.schedule.pop_first();
            due.push(id);
        }
        for id in due {
            match id {
                Id::Client(id) => self.client_timeout(now, id),
                Id::Server(id) => self.server_timeout(now, id),
            }
        }
    }

    /// Empty until something happens; call it after each input until it is.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`]. Cheap.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.schedule.first().map(|&(at, _)| at)
    }

    /// Live transactions, for the leak tests and the bounds on hostile peers.
    pub fn transaction_count(&self) -> usize {
        self.clients.len() + self.servers.len()
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn transmit(&mut self, flow: Flow, payload: Vec<u8>, client: Option<ClientTransactionId>) {
        self.outputs.push_back(Output::Transmit { flow, payload, client });
    }

    fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Replaces a transaction's entry in the schedule.
    fn reschedule(&mut self, id: Id, from: Option<Instant>, to: Option<Instant>) {
        if let Some(from) = from {
            self.schedule.remove(&(from, id));
        }
        if let Some(to) = to {
            self.schedule.insert((to, id));
        }
    }
}
