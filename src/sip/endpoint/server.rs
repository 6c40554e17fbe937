//! Server transactions in the endpoint: RFC 3261 §17.2 around the machines, CANCEL (§9.2), merged requests (§8.2.2.2), and
//! where responses go (§18.2.2, RFC 3581).

use super::{Endpoint, Event, Id, Role, ServerTransactionId, key::Identity};
use crate::sip::{
    flow::{Flow, Transport},
    msg::{Method, Request, Response, Via},
    transaction::{
        ServerAction as Action, ServerInput as Input,
        server_invite::{self, ServerInvite},
        server_non_invite::{self, ServerNonInvite},
    },
    wire,
};
use std::{net::SocketAddr, time::Instant};

/// What a flooded endpoint asks its peers to wait, in seconds: T1's 64 rounds, after which transactions have ended.
const RETRY_AFTER: &str = "32";

#[derive(Clone, Copy, Debug)]
enum Machine {
    Invite(ServerInvite),
    NonInvite(ServerNonInvite),
}

impl Machine {
    fn step(&mut self, now: Instant, input: Input) -> Option<Action> {
        match self {
            Self::Invite(machine) => machine.step(now, input),
            Self::NonInvite(machine) => machine.step(now, input),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Invite(machine) => machine.deadline(),
            Self::NonInvite(machine) => machine.deadline(),
        }
    }

    /// Answered and, where that matters, acknowledged: all that is left to do is to answer repetitions.
    fn is_settled(&self) -> bool {
        use server_invite::State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        match self {
            Self::Invite(machine) => match machine.state() {
                Completed { .. } | Confirmed { .. } | Accepted { resend: None, .. } | Terminated => true,
                Proceeding { .. } | Accepted { resend: Some(_), .. } => false,
            },
            Self::NonInvite(machine) => matches!(machine.state(), server_non_invite::State::Completed { .. }),
        }
    }

    fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.state() == server_invite::State::Terminated,
            Self::NonInvite(machine) => machine.state() == server_non_invite::State::Terminated,
        }
    }
}

#[derive(Debug)]
pub(super) struct Server {
    machine: Machine,
    /// Where the responses go.
    flow: Flow,
    /// The 100 to send if the transaction user takes its time.
    trying: Option<Response>,
    /// The last response, for retransmission; empty while there is none.
    last: Vec<u8>,
    /// To tag of the last response that had one, for the CANCEL's (RFC 3261 §9.2).
    to_tag: Option<String>,
    key: String,
    merge_key: Option<String>,
    deadline: Option<Instant>,
}

/// What a step may need beside its input.
enum Material {
    None,
    Ack(Request, Flow),
    Cancel(Request),
    Response(Response),
}

impl Endpoint {
    /// A response from the transaction user. A user agent's 2xx to INVITE is retransmitted here over unreliable *and*
    /// reliable transports until [`Endpoint::acknowledged`] (RFC 3261 §13.3.1.4). A 100 is sent by itself: to INVITE after
    /// 200 ms without an answer, to another request when its sender's retransmissions have slowed down (RFC 4320), which
    /// also keeps every other provisional response, and 408, from being sent to it. What comes after a final response is
    /// dropped.
    pub fn respond(&mut self, now: Instant, transaction: ServerTransactionId, response: Response) {
        let Some(server) = self.servers.get(&transaction) else { return };
        let input = match (response.code(), server.machine) {
            (408, Machine::NonInvite(_)) => return,
            (..200, _) => Input::Provisional,
            (200..300, _) => Input::Success,
            (300.., _) => Input::Failure,
        };
        self.step_server(now, transaction, input, Material::Response(response));
    }

    /// A final response that leaves nothing behind (RFC 3261 §8.2.7, §16.11): for a request that nobody has vouched for, so
    /// that a flood costs no memory. A retransmission of the request is a new one, and must be given the same To tag.
    pub fn respond_statelessly(&mut self, transaction: ServerTransactionId, response: &Response) {
        let Some(server) = self.forget_server(transaction) else { return };
        self.reschedule(Id::Server(transaction), server.deadline, None);
        self.transmit(server.flow, wire::write_response(response), None);
    }

    /// The owner matched an [`Event::Ack`] to the 2xx of this INVITE: stop retransmitting it.
    pub fn acknowledged(&mut self, now: Instant, transaction: ServerTransactionId) {
        self.step_server(now, transaction, Input::Acknowledged, Material::None);
    }

    pub(super) fn handle_request(&mut self, now: Instant, flow: Flow, mut request: Request) {
        let Ok(via) = request.headers.top_via() else {
            return; // without a Via there is nowhere to answer to
        };
        let reply_flow = reply_flow(flow, &via);
        request.headers.set_top_via(&stamped(via.clone(), flow.remote));
        let identity = match Identity::of(&request, via) {
            Ok(identity) => identity,
            Err(_) if request.method == Method::ACK => return,
            Err(error) => {
                let mut response = Response::to(&request, 400, Some(&self.stateless_tag));
                response.reason = error.to_string();
                return self.transmit(reply_flow, wire::write_response(&response), None);
            }
        };
        if request.method == Method::ACK {
            self.handle_ack(now, flow, request, &identity);
        } else if request.method == Method::CANCEL {
            self.handle_cancel(now, reply_flow, request, &identity);
        } else if let Some(&id) = self.server_keys.get(&identity.server(&request, &request.method)) {
            self.step_server(now, id, Input::Retransmission, Material::None);
        } else {
            self.handle_new_request(now, flow, reply_flow, request, &identity);
        }
    }

    pub(super) fn server_timeout(&mut self, now: Instant, id: ServerTransactionId) {
        self.step_server(now, id, Input::Timer, Material::None);
    }

    fn handle_new_request(
        &mut self,
        now: Instant,
        flow: Flow,
        reply_flow: Flow,
        request: Request,
        identity: &Identity,
    ) {
        let merge_key = if self.role == Role::UserAgent { identity.merged() } else { None };
        if merge_key.as_ref().is_some_and(|key| self.merge_keys.contains_key(key)) {
            return self.answer_statelessly(reply_flow, &request, 482);
        }
        if self.transaction_count() >= self.max_transactions && !self.forget_a_settled() {
            return self.answer_statelessly(reply_flow, &request, 503);
        }
        let reliable = flow.transport.is_reliable();
        let machine = if request.method == Method::INVITE {
            Machine::Invite(ServerInvite::new(now, self.timers, reliable, self.role == Role::UserAgent))
        } else {
            Machine::NonInvite(ServerNonInvite::new(now, self.timers, reliable))
        };
        let id = ServerTransactionId(self.next_id());
        let key = identity.server(&request, &request.method);
        self.server_keys.insert(key.clone(), id);
        if let Some(key) = &merge_key {
            self.merge_keys.insert(key.clone(), id);
        }
        let server = Server {
            machine,
            flow: reply_flow,
            trying: Some(Response::to(&request, 100, None)),
            last: Vec::new(),
            to_tag: None,
            key,
            merge_key,
            deadline: None,
        };
        self.servers.insert(id, server);
        self.settle_server(id);
        self.report(Event::Request { transaction: id, request, flow });
    }

    fn handle_ack(&mut self, now: Instant, flow: Flow, ack: Request, identity: &Identity) {
        if let Some(&id) = self.server_keys.get(&identity.server(&ack, &Method::INVITE)) {
            self.step_server(now, id, Input::Ack, Material::Ack(ack, flow));
        } else if identity.to_tag.as_ref() != Some(&self.stateless_tag) {
            self.report(Event::Ack { request: ack, flow });
        } // else it acknowledges an answer that left no transaction
    }

    /// RFC 3261 §9.2. The answer needs no transaction of its own: as long as the INVITE's lives, a retransmitted CANCEL
    /// gets the same one.
    fn handle_cancel(&mut self, now: Instant, reply_flow: Flow, cancel: Request, identity: &Identity) {
        let Some(&id) = self.server_keys.get(&identity.server(&cancel, &Method::INVITE)) else {
            return self.answer_statelessly(reply_flow, &cancel, 481);
        };
        let Some(server) = self.servers.get(&id) else { return };
        let tag = server.to_tag.as_deref().unwrap_or(&self.stateless_tag);
        let response = Response::to(&cancel, 200, Some(tag));
        self.transmit(reply_flow, wire::write_response(&response), None);
        self.step_server(now, id, Input::Cancel, Material::Cancel(cancel));
    }

    fn answer_statelessly(&mut self, flow: Flow, request: &Request, code: u16) {
        let mut response = Response::to(request, code, Some(&self.stateless_tag));
        if code == 503 {
            response.headers.push("Retry-After", RETRY_AFTER);
        }
        self.transmit(flow, wire::write_response(&response), None);
    }

    /// Steps the machine and does what it asks.
    fn step_server(&mut self, now: Instant, id: ServerTransactionId, input: Input, material: Material) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let action = server.machine.step(now, input);
        match (action, material) {
            (Some(Action::SendTrying), _) => {
                server.last = server.trying.take().map(|trying| wire::write_response(&trying)).unwrap_or_default();
                self.send_last(id);
            }
            (Some(Action::Send), Material::Response(response)) => {
                server.trying = None;
                server.last = wire::write_response(&response);
                if let Some(tag) = response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)) {
                    server.to_tag = Some(tag);
                }
                self.send_last(id);
            }
            (Some(Action::Resend), _) => self.send_last(id),
            (Some(Action::PassAck), Material::Ack(request, flow)) => self.report(Event::Ack { request, flow }),
            (Some(Action::PassCancel), Material::Cancel(cancel)) => {
                self.report(Event::Cancelled { transaction: id, cancel });
            }
            (Some(Action::NoAck), _) => self.report(Event::NoAck { transaction: id }),
            (None | Some(Action::Send | Action::PassAck | Action::PassCancel), _) => {}
        }
        self.settle_server(id);
    }

    fn send_last(&mut self, id: ServerTransactionId) {
        if let Some(server) = self.servers.get(&id)
            && !server.last.is_empty()
        {
            let (flow, payload) = (server.flow, server.last.clone());
            self.transmit(flow, payload, None);
        }
    }

    /// After a step: forget the transaction, or wake it at its next timer.
    fn settle_server(&mut self, id: ServerTransactionId) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let to = server.machine.deadline();
        let from = std::mem::replace(&mut server.deadline, to);
        if server.machine.is_settled() {
            self.settled.insert(id);
        }
        if server.machine.is_terminated() {
            self.forget_server(id);
        }
        self.reschedule(Id::Server(id), from, to);
    }

    /// Makes room: the longest-standing of those that only wait for retransmissions goes before its time, so that a flood keeps
    /// nobody else from being heard and a registrar serves thousands a second. The same request once more is a new one.
    fn forget_a_settled(&mut self) -> bool {
        let Some(id) = self.settled.pop_first() else { return false };
        if let Some(server) = self.forget_server(id) {
            self.reschedule(Id::Server(id), server.deadline, None);
        }
        true
    }

    fn forget_server(&mut self, id: ServerTransactionId) -> Option<Server> {
        let server = self.servers.remove(&id)?;
        self.server_keys.remove(&server.key);
        self.settled.remove(&id);
        if let Some(key) = &server.merge_key {
            self.merge_keys.remove(key);
        }
        Some(server)
    }
}

/// RFC 3261 §18.2.1, RFC 3581 §4: `received` where the sent-by does not say the source, and with `rport` always.
fn stamped(mut via: Via, source: SocketAddr) -> Via {
    let ip = source.ip().to_canonical();
    let rport = via.has_param("rport");
    let host = via.host.trim_start_matches('[').trim_end_matches(']');
    if rport || via.has_param("received") || host.parse() != Ok(ip) {
        via.set_param("received", Some(&ip.to_string()));
    }
    if rport {
        via.set_param("rport", Some(&source.port().to_string()));
    }
    via
}

/// RFC 3261 §18.2.2, RFC 3581 §4: over a connection back on it; over UDP to the source address, at its port with `rport`,
/// else at the sent-by's. A `maddr` is not followed: it would let anyone have our responses sent anywhere.
fn reply_flow(flow: Flow, via: &Via) -> Flow {
    match flow.transport {
        Transport::Tcp | Transport::Tls => flow,
        Transport::Udp if via.has_param("rport") => flow,
        Transport::Udp => {
            let port = via.port.unwrap_or(Transport::Udp.default_port());
            Flow { remote: SocketAddr::new(flow.remote.ip(), port), ..flow }
        }
    }
}
