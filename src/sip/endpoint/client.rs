//! Client transactions in the endpoint: RFC 3261 §17.1 around the machines, CANCEL (§9.1).

use super::{ClientTransactionId, Endpoint, Event, Id, Role, key, large::Fallback};
use crate::sip::{
    flow::Flow,
    msg::{Method, Request, Response},
    transaction::{
        ClientAction as Action, ClientInput as Input, Timers,
        client_invite::{self, ClientInvite},
        client_non_invite::{self, ClientNonInvite},
    },
    wire,
};
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(super) enum Machine {
    Invite(ClientInvite),
    NonInvite(ClientNonInvite),
}

impl Machine {
    pub(super) fn new(now: Instant, timers: Timers, flow: Flow, method: &Method) -> Self {
        let reliable = flow.transport.is_reliable();
        if *method == Method::INVITE {
            Self::Invite(ClientInvite::new(now, timers, reliable))
        } else {
            Self::NonInvite(ClientNonInvite::new(now, timers, reliable))
        }
    }

    pub(super) fn step(&mut self, now: Instant, input: Input) -> &'static [Action] {
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

    fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.state() == client_invite::State::Terminated,
            Self::NonInvite(machine) => machine.state() == client_non_invite::State::Terminated,
        }
    }

    /// `Some` while no response has come; whether a CANCEL waits for one.
    pub(super) fn unanswered(&self) -> Option<bool> {
        match self {
            Self::Invite(machine) => match machine.state() {
                client_invite::State::Calling { cancel, .. } => Some(cancel),
                _ => None,
            },
            Self::NonInvite(machine) => {
                matches!(machine.state(), client_non_invite::State::Trying { .. }).then_some(false)
            }
        }
    }
}

/// Who hears of a transaction's responses and failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    User,
    /// Our CANCEL: what matters is what becomes of the INVITE.
    Cancel,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) machine: Machine,
    purpose: Purpose,
    pub(super) flow: Flow,
    pub(super) fallback: Fallback,
    /// With our Via; ACK and CANCEL are built from it.
    pub(super) request: Request,
    pub(super) payload: Vec<u8>,
    cancel_reason: Option<String>,
    pub(super) branch: String,
    deadline: Option<Instant>,
}

impl Client {
    fn key(&self) -> String {
        key::client(&self.branch, &self.request.method)
    }

    fn deadline(&self) -> Option<Instant> {
        let fallback = match self.fallback {
            Fallback::Ready { at, .. } if self.machine.unanswered().is_some() => Some(at),
            Fallback::Ready { .. } | Fallback::Taken | Fallback::None => None,
        };
        self.machine.deadline().into_iter().chain(fallback).min()
    }
}

impl Endpoint {
    /// Starts a client transaction; fills in the top Via (with our sent-by and a new branch), Max-Forwards where it is
    /// missing, and Content-Length. The Vias already there (a proxy's) stay below.
    pub fn send_request(&mut self, now: Instant, flow: Flow, mut request: Request) -> ClientTransactionId {
        if !request.headers.contains("Max-Forwards") {
            request.headers.push("Max-Forwards", "70");
        }
        let branch = self.entropy.branch();
        request.headers.push_front("Via", self.via(flow, &branch));
        let mut payload = wire::write_request(&request);
        let (chosen, fallback) = self.choose_transport(now, flow, payload.len());
        if chosen != flow {
            request.headers.pop_via();
            request.headers.push_front("Via", self.via(chosen, &branch));
            payload = wire::write_request(&request);
        }
        self.start(Client {
            machine: Machine::new(now, self.timers, chosen, &request.method),
            purpose: Purpose::User,
            flow: chosen,
            fallback,
            request,
            payload,
            cancel_reason: None,
            branch,
            deadline: None,
        })
    }

    /// ACK for a 2xx: straight to the transport, no transaction. Whatever its size it stays on `flow`, since nothing would
    /// tell that another transport failed.
    pub fn send_ack(&mut self, _now: Instant, flow: Flow, mut ack: Request) {
        if !ack.headers.contains("Max-Forwards") {
            ack.headers.push("Max-Forwards", "70");
        }
        let branch = self.entropy.branch();
        ack.headers.push_front("Via", self.via(flow, &branch));
        self.transmit(flow, wire::write_request(&ack), None);
    }

    /// CANCEL of our INVITE; held back until a provisional response has come (RFC 3261 §9.1), and not sent at all once a
    /// final one has. `reason` becomes the Reason header field (RFC 3326). If no final response follows within 64*T1, the
    /// INVITE is reported as timed out.
    pub fn cancel(&mut self, now: Instant, invite: ClientTransactionId, reason: Option<&str>) {
        if let Some(client) = self.clients.get_mut(&invite) {
            client.cancel_reason = reason.map(str::to_owned);
            self.step_client(now, invite, Input::Cancel, None, "");
        }
    }

    /// The shell could not send, or lost the connection of, this transaction. `reason` is a sentence for people.
    pub fn transport_failed(&mut self, now: Instant, transaction: ClientTransactionId, reason: &str) {
        if !self.connection_failed(now, transaction) {
            self.step_client(now, transaction, Input::TransportError, None, reason);
        }
    }

    /// A connection was closed: what waits for an answer on it will hear none.
    pub fn flow_lost(&mut self, now: Instant, flow: Flow, reason: &str) {
        let mut lost: Vec<_> = self.clients.iter().filter(|(_, c)| c.flow == flow).map(|(&id, _)| id).collect();
        lost.sort_unstable();
        for id in lost {
            self.transport_failed(now, id, reason);
        }
    }

    pub(super) fn handle_response(&mut self, now: Instant, flow: Flow, response: Response) {
        let Some(&id) = key::of_response(&response).and_then(|key| self.client_keys.get(&key)) else {
            return; // a stray; RFC 6026 §8.9: not passed on
        };
        // RFC 3261 §8.1.3.3: more than one Via means that it was meant for someone else.
        if self.role == Role::UserAgent && response.headers.vias().map_or(true, |vias| vias.len() != 1) {
            return;
        }
        let input = match response.code() {
            ..200 => Input::Provisional,
            200..300 => Input::Success,
            300.. => Input::Failure,
        };
        self.step_client(now, id, input, Some((response, flow)), "");
    }

    pub(super) fn client_timeout(&mut self, now: Instant, id: ClientTransactionId) {
        if !self.connection_takes_long(now, id) {
            self.step_client(now, id, Input::Timer, None, "");
        }
    }

    fn start(&mut self, client: Client) -> ClientTransactionId {
        let id = ClientTransactionId(self.next_id());
        self.transmit(client.flow, client.payload.clone(), Some(id));
        self.client_keys.insert(client.key(), id);
        self.clients.insert(id, client);
        self.settle_client(id);
        id
    }

    /// Steps the machine and does what it asks; `incoming` is the response behind `input`, `reason` the failure's.
    fn step_client(
        &mut self,
        now: Instant,
        id: ClientTransactionId,
        input: Input,
        mut incoming: Option<(Response, Flow)>,
        reason: &str,
    ) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let actions = client.machine.step(now, input);
        let for_user = client.purpose == Purpose::User;
        for action in actions {
            let Some(client) = self.clients.get_mut(&id) else { return };
            match action {
                Action::Send => {
                    let (flow, payload) = (client.flow, client.payload.clone());
                    self.transmit(flow, payload, Some(id));
                }
                Action::SendAck => {
                    if let Some((response, _)) = &incoming {
                        let (flow, ack) = (client.flow, wire::write_request(&ack_non_2xx(&client.request, response)));
                        self.transmit(flow, ack, Some(id));
                    }
                }
                Action::SendCancel => self.start_cancel(now, id),
                Action::PassUp => {
                    if let Some((response, flow)) = incoming.take_if(|_| for_user) {
                        self.report(Event::Response { transaction: id, response, flow });
                    }
                }
                Action::TimedOut if for_user => self.report(Event::TimedOut { transaction: id }),
                Action::TransportFailed if for_user => {
                    self.report(Event::TransportFailed { transaction: id, reason: reason.to_owned() });
                }
                Action::TimedOut | Action::TransportFailed => {}
            }
        }
        self.settle_client(id);
    }

    /// After a step: forget the transaction, or wake it at its next timer.
    pub(super) fn settle_client(&mut self, id: ClientTransactionId) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let to = client.deadline();
        let from = std::mem::replace(&mut client.deadline, to);
        if client.machine.is_terminated()
            && let Some(client) = self.clients.remove(&id)
        {
            self.client_keys.remove(&client.key());
        }
        self.reschedule(Id::Client(id), from, to);
    }

    fn start_cancel(&mut self, now: Instant, invite: ClientTransactionId) {
        let Some(client) = self.clients.get(&invite) else { return };
        let cancel = cancel_of(&client.request, client.cancel_reason.as_deref());
        let (flow, branch) = (client.flow, client.branch.clone());
        self.start(Client {
            machine: Machine::new(now, self.timers, flow, &Method::CANCEL),
            purpose: Purpose::Cancel,
            flow,
            fallback: Fallback::None,
            payload: wire::write_request(&cancel),
            request: cancel,
            cancel_reason: None,
            branch,
            deadline: None,
        });
    }
}

/// RFC 3261 §17.1.1.3: the ACK that belongs to the INVITE's own transaction.
fn ack_non_2xx(invite: &Request, response: &Response) -> Request {
    let mut ack = derived(invite, Method::ACK);
    if let Some(to) = response.headers.get("To") {
        ack.headers.set("To", to);
    }
    ack
}

/// RFC 3261 §9.1.
fn cancel_of(invite: &Request, reason: Option<&str>) -> Request {
    let mut cancel = derived(invite, Method::CANCEL);
    if let Some(reason) = reason {
        cancel.headers.push("Reason", reason);
    }
    cancel
}

/// What ACK and CANCEL have in common: the INVITE's top Via, Request-URI, Route, From, To, Call-ID and CSeq number.
fn derived(invite: &Request, method: Method) -> Request {
    let mut request = Request {
        method: method.clone(),
        uri: invite.uri.clone(),
        headers: crate::sip::msg::Headers::new(),
        body: Vec::new(),
    };
    let headers = &mut request.headers;
    if let Some(via) = invite.headers.get("Via") {
        headers.push("Via", via);
    }
    for name in ["Route", "From", "To", "Call-ID"] {
        for value in invite.headers.get_all(name) {
            headers.push(name, value);
        }
    }
    if let Ok(cseq) = invite.headers.cseq() {
        headers.push("CSeq", format!("{} {}", cseq.number, method.as_str()));
    }
    headers.push("Max-Forwards", "70");
    request
}
