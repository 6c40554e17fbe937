//! Requests too large for a datagram (RFC 3261 §18.1.1): by TCP, and by UDP after all where TCP does not get through.

use super::{
    ClientTransactionId, Endpoint, Role,
    client::{Client, Machine},
};
use crate::sip::{
    flow::{Flow, Transport},
    transaction::ClientInput as Input,
    wire,
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The largest request for UDP while the path's MTU is unknown, in bytes.
const MAX_DATAGRAM_REQUEST: usize = 1300;

/// How long a peer that TCP did not reach gets large requests by UDP at once: where a firewall swallows the attempt, every
/// call would otherwise begin with waiting for it.
const WITHOUT_STREAMS_FOR: Duration = Duration::from_secs(600);

/// Peers remembered so; the oldest is forgotten first.
const MAX_WITHOUT_STREAMS: usize = 64;

/// What remains to be tried with a request that went by TCP for its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// By UDP on `flow`, when the connection fails, or nothing was heard until `at`.
    Ready {
        flow: Flow,
        at: Instant,
    },
    /// It went by UDP before the connection was known to fail; that failure is not the request's any more.
    Taken,
    None,
}

impl Endpoint {
    /// Which way a request of `size` bytes takes that was to go to `flow`. A proxy's stays on it: a phone behind a NAT can
    /// be reached by the way it registered and by no other.
    pub(super) fn choose_transport(&self, now: Instant, flow: Flow, size: usize) -> (Flow, Fallback) {
        if flow.transport != Transport::Udp
            || size <= MAX_DATAGRAM_REQUEST
            || self.role == Role::Proxy
            || !self.local.contains_key(&(Transport::Tcp, flow.remote.is_ipv6()))
            || self.without_streams.iter().any(|&(known, until)| known == flow.remote && until > now)
        {
            return (flow, Fallback::None);
        }
        // A peer that takes TCP has answered an INVITE within 200 ms and four round trips.
        let at = now + self.timers.t1 * 4;
        (Flow { transport: Transport::Tcp, ..flow }, Fallback::Ready { flow, at })
    }

    /// The shell reports a failure: whether it is dealt with.
    pub(super) fn connection_failed(&mut self, now: Instant, id: ClientTransactionId) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        match client.fallback {
            Fallback::Ready { flow, .. } => self.fall_back(now, id, flow, Fallback::None),
            Fallback::Taken => {
                client.fallback = Fallback::None;
                true
            }
            Fallback::None => false,
        }
    }

    /// A timer fired: whether it was the one that ends the waiting for a connection.
    pub(super) fn connection_takes_long(&mut self, now: Instant, id: ClientTransactionId) -> bool {
        match self.clients.get(&id).map(|client| client.fallback) {
            Some(Fallback::Ready { flow, at }) if at <= now => self.fall_back(now, id, flow, Fallback::Taken),
            Some(Fallback::Ready { .. } | Fallback::Taken | Fallback::None) | None => false,
        }
    }

    /// With the same branch and sent-by: should the peer have seen the request after all, it takes this for the same one.
    fn fall_back(&mut self, now: Instant, id: ClientTransactionId, flow: Flow, next: Fallback) -> bool {
        let Some(client) = self.clients.get(&id) else { return false };
        let Some(cancel) = client.machine.unanswered() else { return false };
        let via = self.via(flow, &client.branch);
        self.remember_without_streams(now, flow.remote);
        let timers = self.timers;
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let Client { machine, request, payload, .. } = client;
        request.headers.pop_via();
        request.headers.push_front("Via", via);
        *payload = wire::write_request(request);
        *machine = Machine::new(now, timers, flow, &request.method);
        if cancel {
            machine.step(now, Input::Cancel);
        }
        let payload = payload.clone();
        (client.flow, client.fallback) = (flow, next);
        self.transmit(flow, payload, Some(id));
        self.settle_client(id);
        true
    }

    fn remember_without_streams(&mut self, now: Instant, remote: SocketAddr) {
        self.without_streams.retain(|&(known, until)| known != remote && until > now);
        if self.without_streams.len() >= MAX_WITHOUT_STREAMS {
            self.without_streams.pop_front();
        }
        self.without_streams.push_back((remote, now + WITHOUT_STREAMS_FOR));
    }

    /// RFC 3261 §8.1.1.7, §18.1.1; `rport` asks for the answer on the way the request took (RFC 3581).
    pub(super) fn via(&self, flow: Flow, branch: &str) -> String {
        let name = flow.transport.via_name();
        let local = |is_ipv6| self.local.get(&(flow.transport, is_ipv6));
        match local(flow.remote.is_ipv6()).or_else(|| local(!flow.remote.is_ipv6())) {
            Some(local) => format!("SIP/2.0/{name} {local};branch={branch};rport"),
            // Nobody has told our address; rport and received carry the answer back all the same.
            None => format!("SIP/2.0/{name} 0.0.0.0;branch={branch};rport"),
        }
    }
}
