//! The transaction layer as one machine: every message in and out passes here; it owns the client and server transactions,
//! matches (RFC 3261 §17.1.3, §17.2.3), retransmits, times out, and hands the transaction user (the user agent, or the
//! proxy) what is new.

use super::{
    entropy::Entropy,
    flow::Flow,
    msg::{Message, Request, Response},
};
use std::time::{Duration, Instant};

/// RFC 3261 §17.1.1.1: T1 500 ms, T2 4 s, T4 5 s.
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    pub t1: Duration,
    pub t2: Duration,
    pub t4: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientTransactionId(pub u64);
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

#[derive(Debug)]
pub enum Event {
    /// A request the transaction user has not seen (never ACK, never CANCEL, never a retransmission; merged requests were
    /// answered 482). It must be answered with [`Endpoint::respond`].
    Request { transaction: ServerTransactionId, request: Request, flow: Flow },
    /// ACK for a 2xx, which is a transaction of its own without a response (RFC 3261 §13.3.1.4, §17.1.1.3); the owner
    /// matches it to its dialog.
    Ack { request: Request, flow: Flow },
    /// A CANCEL matched this INVITE, which is still unanswered; the CANCEL's 200 is sent. The owner answers the INVITE 487.
    Cancelled { transaction: ServerTransactionId, cancel: Request },
    /// A response for this transaction: provisional, final, and every further 2xx to INVITE while it is in Accepted (RFC
    /// 6026). The ACK for a non-2xx is sent here; the ACK for a 2xx is the owner's ([`Endpoint::send_ack`]).
    Response { transaction: ClientTransactionId, response: Response, flow: Flow },
    /// No final response in time (Timer B, Timer F): to be read as 408 (RFC 3261 §8.1.3.1).
    TimedOut { transaction: ClientTransactionId },
    /// The transport could not deliver: to be read as 503 (RFC 3261 §8.1.3.1).
    TransportFailed { transaction: ClientTransactionId, reason: String },
    /// No ACK came for our final response to INVITE: 3xx–6xx Timer H; for 2xx 64*T1 passed without
    /// [`Endpoint::acknowledged`] (RFC 3261 §13.3.1.4: the owner then sends BYE).
    NoAck { transaction: ServerTransactionId },
}

pub struct Endpoint {
    _private: (),
}

impl Endpoint {
    pub fn new(_timers: Timers, _entropy: Entropy) -> Self {
        todo!()
    }
    /// A message from the network, already read by [`crate::sip::wire`]. Adds `received`/`rport` to a request's top Via
    /// (RFC 3261 §18.2.1, RFC 3581).
    pub fn handle_message(&mut self, _now: Instant, _flow: Flow, _message: Message) {
        todo!()
    }
    /// Starts a client transaction; fills in the top Via (with `sent_by` and a new branch) and Content-Length.
    pub fn send_request(&mut self, _now: Instant, _flow: Flow, _request: Request) -> ClientTransactionId {
        todo!()
    }
    /// ACK for a 2xx: straight to the transport, no transaction.
    pub fn send_ack(&mut self, _now: Instant, _flow: Flow, _ack: Request) {
        todo!()
    }
    /// CANCEL of our INVITE; held back until a provisional response has come (RFC 3261 §9.1).
    pub fn cancel(&mut self, _now: Instant, _invite: ClientTransactionId, _reason: Option<&str>) {
        todo!()
    }
    /// A response from the transaction user. A 2xx to INVITE is retransmitted here over unreliable *and* reliable transports
    /// until [`Endpoint::acknowledged`] (RFC 3261 §13.3.1.4). A 100 is sent by itself after 200 ms without an answer.
    pub fn respond(&mut self, _now: Instant, _transaction: ServerTransactionId, _response: Response) {
        todo!()
    }
    /// The owner matched an [`Event::Ack`] to the 2xx of this INVITE: stop retransmitting it.
    pub fn acknowledged(&mut self, _now: Instant, _transaction: ServerTransactionId) {
        todo!()
    }
    /// The shell could not send, or lost the connection of, this transaction.
    pub fn transport_failed(&mut self, _now: Instant, _transaction: ClientTransactionId, _reason: &str) {
        todo!()
    }
    pub fn handle_timeout(&mut self, _now: Instant) {
        todo!()
    }
    pub fn poll_output(&mut self) -> Option<Output> {
        todo!()
    }
    pub fn poll_timeout(&self) -> Option<Instant> {
        todo!()
    }
    /// Live transactions, for the leak tests and the bounds on hostile peers.
    pub fn transaction_count(&self) -> usize {
        todo!()
    }
}
