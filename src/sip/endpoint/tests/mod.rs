//! The endpoint against a scripted peer, and two endpoints over a faulty link, in simulated time.

mod client;
mod hostile;
mod pair;
mod races;
mod server;
#[path = "../../../../tests/common/sim.rs"]
pub(crate) mod sim;

use super::{ClientTransactionId, Endpoint, Event, Output, ServerTransactionId, Timers};
use crate::sip::{
    entropy::Entropy,
    flow::{Flow, Transport},
    msg::{Message, Request, Response},
    wire,
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("a literal address")
}

pub fn udp(remote: &str) -> Flow {
    Flow { transport: Transport::Udp, remote: address(remote) }
}

pub fn tcp(remote: &str) -> Flow {
    Flow { transport: Transport::Tcp, remote: address(remote) }
}

/// A message from lines; the last ends the header fields.
pub fn message(lines: &str) -> Message {
    let text = lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\r\n");
    wire::read(format!("{text}\r\n\r\n").as_bytes()).expect("a literal message")
}

pub fn request(lines: &str) -> Request {
    match message(lines) {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request was meant"),
    }
}

/// A request of `method` from `via` (the value after `SIP/2.0/`), outside a dialog unless `to_tag` is given.
pub fn incoming(method: &str, via: &str, to_tag: &str) -> String {
    format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0
         Via: SIP/2.0/{via}
         From: <sip:alice@192.0.2.1>;tag=a
         To: <sip:bob@192.0.2.2>{to_tag}
         Call-ID: call
         CSeq: 1 {method}
         Contact: <sip:alice@192.0.2.1>
         Max-Forwards: 70"
    )
}

/// A request to send, with nothing that the endpoint fills in.
pub fn outgoing(method: &str) -> Request {
    let mut request = request(&format!(
        "{method} sip:alice@192.0.2.1 SIP/2.0
         Via: SIP/2.0/UDP 192.0.2.2
         Route: <sip:192.0.2.9;lr>
         From: <sip:bob@192.0.2.2>;tag=b
         To: <sip:alice@192.0.2.1>
         Call-ID: outgoing
         CSeq: 7 {method}"
    ));
    request.headers.pop_via();
    request
}

/// One endpoint, a peer made of text, and a clock.
pub struct Bench {
    pub endpoint: Endpoint,
    pub start: Instant,
    pub now: Instant,
    pub events: Vec<Event>,
    pub sent: Vec<(Flow, Option<ClientTransactionId>, Message)>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Endpoint::new(Timers::default(), Entropy::from_seed(1)))
    }

    pub fn with(mut endpoint: Endpoint) -> Self {
        endpoint.set_local(Transport::Udp, address("192.0.2.2:5060"));
        endpoint.set_local(Transport::Tcp, address("192.0.2.2:5070"));
        let now = Instant::now();
        Self { endpoint, start: now, now, events: Vec::new(), sent: Vec::new() }
    }

    /// Whatever the endpoint has to say is kept.
    pub fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Transmit { flow, payload, client } => {
                    self.sent.push((flow, client, wire::read(&payload).expect("what we write we can read")));
                }
            }
        }
    }

    pub fn receive(&mut self, flow: Flow, lines: &str) {
        self.endpoint.handle_message(self.now, flow, message(lines));
        self.drain();
    }

    pub fn send(&mut self, flow: Flow, request: Request) -> ClientTransactionId {
        let id = self.endpoint.send_request(self.now, flow, request);
        self.drain();
        id
    }

    /// The peer's response with `code` to the last request sent as `method`.
    pub fn answer(&mut self, method: &str, code: u16) {
        let (flow, request) = self.last_request(method);
        let response = Response::to(&request, code, Some("peer"));
        self.endpoint.handle_message(self.now, flow, Message::Response(response));
        self.drain();
    }

    /// The last request sent as `method`, and where to.
    pub fn last_request(&self, method: &str) -> (Flow, Request) {
        let found = self.sent.iter().rev().find_map(|(flow, _, message)| match message {
            Message::Request(request) if request.method.as_str() == method => Some((*flow, request.clone())),
            Message::Request(_) | Message::Response(_) => None,
        });
        found.unwrap_or_else(|| panic!("no {method} was sent"))
    }

    pub fn respond(&mut self, id: ServerTransactionId, request: &Request, code: u16) {
        self.endpoint.respond(self.now, id, Response::to(request, code, Some("ours")));
        self.drain();
    }

    /// The request event that came last.
    pub fn requested(&self) -> (ServerTransactionId, Request) {
        let found = self.events.iter().rev().find_map(|event| match event {
            Event::Request { transaction, request, .. } => Some((*transaction, request.clone())),
            _ => None,
        });
        found.expect("a request has come")
    }

    /// Time passes up to `ms` after the start, every timer firing when it is due.
    pub fn run_to(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        while let Some(at) = self.endpoint.poll_timeout().filter(|&at| at <= end) {
            assert!(at >= self.now, "a timer in the past");
            self.now = at;
            self.endpoint.handle_timeout(at);
            self.drain();
        }
        self.now = end;
    }

    /// Methods and codes of everything sent since the last call, in order.
    pub fn take_sent(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent).iter().map(|(_, _, message)| label(message)).collect()
    }

    /// Names of the events since the last call, in order, responses with their code.
    pub fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events).iter().map(event_label).collect()
    }

    /// Nothing is left: no transaction, key or timer.
    pub fn assert_empty(&self) {
        assert_empty(&self.endpoint);
    }
}

pub fn assert_empty(endpoint: &Endpoint) {
    assert_eq!(endpoint.transaction_count(), 0);
    assert!(endpoint.client_keys.is_empty() && endpoint.server_keys.is_empty() && endpoint.merge_keys.is_empty());
    assert!(endpoint.settled.is_empty());
    assert_eq!(endpoint.poll_timeout(), None);
}

/// `INVITE`, or `200 INVITE`.
pub fn label(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            let cseq = response.headers.cseq().expect("our responses have a CSeq");
            format!("{} {}", response.code(), cseq.method)
        }
    }
}

pub fn event_label(event: &Event) -> String {
    match event {
        Event::Request { request, .. } => format!("Request {}", request.method),
        Event::Ack { .. } => "Ack".to_owned(),
        Event::Cancelled { .. } => "Cancelled".to_owned(),
        Event::Response { response, .. } => format!("Response {}", response.code()),
        Event::TimedOut { .. } => "TimedOut".to_owned(),
        Event::TransportFailed { .. } => "TransportFailed".to_owned(),
        Event::NoAck { .. } => "NoAck".to_owned(),
    }
}
