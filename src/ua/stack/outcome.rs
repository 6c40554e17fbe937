//! What the endpoint says about our requests: to whom it goes, what is tried next, what is confirmed here and now.

use super::{Confirmed, Incoming, MAX_FORKS, Owner, Pending, Reply, RequestId, Stack, Way};
use crate::{
    sip::{
        endpoint::{self, ClientTransactionId},
        flow::Flow,
        msg::{Method, Response},
    },
    ua::api::Output,
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

impl Stack {
    /// The next thing to handle.
    pub fn poll_incoming(&mut self, now: Instant) -> Option<Incoming> {
        loop {
            if let Some(incoming) = self.incoming.pop_front() {
                return Some(incoming);
            }
            match self.endpoint.poll_output()? {
                endpoint::Output::Transmit { flow, payload, client } => {
                    self.emit(Output::Transmit { flow, payload, token: client.map(|c| c.0) });
                }
                endpoint::Output::Event(event) => {
                    if let Some(incoming) = self.handle_event(now, event) {
                        return Some(incoming);
                    }
                }
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: endpoint::Event) -> Option<Incoming> {
        use endpoint::Event;
        match event {
            Event::Request { transaction, request, flow } => Some(Incoming::Request { transaction, request, flow }),
            Event::Ack { request, flow } => Some(Incoming::Ack { request, flow }),
            Event::Cancelled { transaction, cancel } => Some(Incoming::Cancelled { transaction, cancel }),
            Event::NoAck { transaction } => Some(Incoming::NoAck { transaction }),
            Event::Response { transaction, response, flow } => self.handle_response(now, transaction, response, flow),
            Event::TimedOut { transaction } => self.handle_failure(now, transaction, Reply::TimedOut),
            Event::TransportFailed { transaction, reason } => {
                self.handle_failure(now, transaction, Reply::Unreachable(reason))
            }
        }
    }

    fn handle_response(
        &mut self,
        now: Instant,
        transaction: ClientTransactionId,
        mut response: Response,
        flow: Flow,
    ) -> Option<Incoming> {
        let id = *self.transactions.get(&transaction)?;
        if let Err(why) = self.inspect_challenge(id, &mut response, flow) {
            self.finish(id, Reply::Unreachable(why));
            return None;
        }
        if let Some(Pending { way: Way::Sent { flow: server, .. }, request, .. }) = self.requests.get(&id) {
            if response.code() != 503 {
                self.dead.is_alive(*server);
            } else {
                // To an OPTIONS it may be the word of whoever was asked by way of the server.
                if request.method != Method::OPTIONS {
                    let after = response.headers.number("Retry-After").map(|s| Duration::from_secs(s.into()));
                    self.dead.mark(now, *server, after);
                }
                // RFC 3263 §4.3: a reason to try the next place.
                if self.try_next(now, id) {
                    return None;
                }
            }
        }
        let give_up = self.timers.give_up();
        let pending = self.requests.get_mut(&id)?;
        if let Way::Accepted { .. } = &pending.way {
            return self.accepted_again(now, id, response, flow);
        }
        if response.is_provisional() {
            if let Way::Sent { others, impatient_at, .. } = &mut pending.way {
                *impatient_at = None;
                // It is being worked on here: what fails from now on must not ring elsewhere too.
                if response.code() > 100 {
                    others.clear();
                }
            }
            let (owner, request) = (pending.owner, pending.request.clone());
            return Some(Incoming::Reply { owner, id, request, reply: Reply::Response(response, flow) });
        }
        if response.is_success() && pending.request.method == Method::INVITE {
            let fork = Confirmed { remote_tag: remote_tag(&response), came: flow, ack: None };
            pending.way = Way::Accepted { transaction, confirmed: vec![fork], until: now + give_up };
            let (owner, request, account) = (pending.owner, pending.request.clone(), pending.account.clone());
            return Some(match owner {
                Owner::Abandoned => Incoming::Stray { id, account, invite: request, response },
                Owner::Registration
                | Owner::Call(_)
                | Owner::Subscription
                | Owner::Message
                | Owner::Publication
                | Owner::Farewell
                | Owner::Referrer => Incoming::Reply { owner, id, request, reply: Reply::Response(response, flow) },
            });
        }
        self.finish(id, Reply::Response(response, flow));
        None
    }

    /// Another 2xx to an INVITE that has had one: the same fork's once more, or another fork's.
    fn accepted_again(&mut self, now: Instant, id: RequestId, response: Response, flow: Flow) -> Option<Incoming> {
        let pending = self.requests.get_mut(&id)?;
        let Way::Accepted { confirmed, .. } = &mut pending.way else { return None };
        let remote_tag = remote_tag(&response);
        match confirmed.iter().find(|c| c.remote_tag == remote_tag) {
            Some(Confirmed { ack: Some((ack, way)), .. }) => {
                self.endpoint.send_ack(now, *way, ack.clone());
                // It comes again: perhaps the Contact or the route leads past the peer, and it would hang up after 32 s.
                if *way != flow {
                    self.endpoint.send_ack(now, flow, ack.clone());
                }
                None
            }
            None if confirmed.len() < MAX_FORKS => {
                confirmed.push(Confirmed { remote_tag, came: flow, ack: None });
                let (account, invite) = (pending.account.clone(), pending.request.clone());
                Some(Incoming::Stray { id, account, invite, response })
            }
            Some(Confirmed { ack: None, .. }) | None => None,
        }
    }

    fn handle_failure(&mut self, now: Instant, transaction: ClientTransactionId, reply: Reply) -> Option<Incoming> {
        let id = *self.transactions.get(&transaction)?;
        match self.requests.get(&id) {
            Some(Pending { way: Way::Accepted { .. }, .. }) => return None,
            // Some servers answer no OPTIONS and everything else.
            Some(Pending { request, .. }) if request.method == Method::OPTIONS => {}
            Some(Pending { way: Way::Sent { flow, .. }, .. }) => self.dead.mark(now, *flow, None),
            Some(Pending { way: Way::Resolving, .. }) | None => {}
        }
        if !self.try_next(now, id) {
            self.finish(id, reply);
        }
        None
    }

    /// Takes the request off the list and tells its owner.
    pub(super) fn finish(&mut self, id: RequestId, reply: Reply) {
        let Some(pending) = self.requests.remove(&id) else { return };
        if let Way::Sent { transaction, .. } = pending.way {
            self.transactions.remove(&transaction);
        }
        let Pending { owner, request, .. } = pending;
        self.incoming.push_back(Incoming::Reply { owner, id, request, reply });
    }

    /// Servers that have not said a word, where there are others.
    pub(super) fn grow_impatient(&mut self, now: Instant) {
        let due = |p: &Pending| matches!(p.way, Way::Sent { impatient_at: Some(at), .. } if at <= now);
        let due: Vec<_> = self.requests.iter().filter(|(_, p)| due(p)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(Pending { way: Way::Sent { transaction, flow, impatient_at, .. }, .. }) =
                self.requests.get_mut(&id)
            else {
                continue;
            };
            *impatient_at = None;
            let (transaction, flow) = (*transaction, *flow);
            self.dead.mark(now, flow, None);
            if self.try_next(now, id) {
                self.forsake(now, id, (transaction, flow));
            }
        }
    }

    /// An INVITE that another server has got meanwhile: should this one answer it after all, the call there is ended.
    fn forsake(&mut self, now: Instant, id: RequestId, (transaction, flow): (ClientTransactionId, Flow)) {
        let Some(pending) = self.requests.get(&id).filter(|p| p.request.method == Method::INVITE) else { return };
        let way = Way::Sent { transaction, flow, others: VecDeque::new(), impatient_at: None };
        let (account, request) = (pending.account.clone(), pending.request.clone());
        let forsaken = Pending { owner: Owner::Abandoned, account, request, contact: None, way };
        let id = self.next_id();
        self.requests.insert(id, forsaken);
        self.transactions.insert(transaction, id);
        self.endpoint.cancel(now, transaction, None);
    }

    fn try_next(&mut self, now: Instant, id: RequestId) -> bool {
        let Some(Pending { way: Way::Sent { transaction, others, .. }, owner, .. }) = self.requests.get_mut(&id) else {
            return false;
        };
        if others.is_empty() || *owner == Owner::Abandoned {
            return false;
        }
        let others = std::mem::take(others);
        let old = *transaction;
        self.transactions.remove(&old);
        self.transmit(now, id, others);
        true
    }
}

fn remote_tag(response: &Response) -> String {
    response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default()
}
