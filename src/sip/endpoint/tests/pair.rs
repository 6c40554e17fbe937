//! Two endpoints and a faulty link between them, with the simplest of transaction users on both sides.

use super::{
    sim::{Faults, Link, Packet},
    *,
};
use std::collections::{BTreeMap, HashMap};

/// What a transaction user does at some time.
#[derive(Clone, Debug)]
enum Act {
    Cancel(ClientTransactionId),
    Respond(ServerTransactionId, Box<Request>, u16),
}

/// What the called side does with an INVITE: ring and answer after so many milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub ring_after: u64,
    pub code: u16,
    pub after: u64,
}

pub struct Side {
    pub endpoint: Endpoint,
    address: SocketAddr,
    /// Labels of what happened, in order.
    pub events: Vec<String>,
    /// Outcomes of the requests it sent.
    pub outcomes: HashMap<ClientTransactionId, Vec<String>>,
    requests: HashMap<ClientTransactionId, Request>,
    /// Final codes it answered INVITE with.
    pub answered: BTreeMap<ServerTransactionId, u16>,
    /// INVITEs of its own 2xx, by Call-ID.
    awaiting_ack: HashMap<String, ServerTransactionId>,
    agenda: BTreeMap<(Instant, u64), Act>,
}

pub struct Pair {
    pub now: Instant,
    pub start: Instant,
    pub sides: [Side; 2],
    pub link: Link,
    pub transport: Transport,
    pub answer: Answer,
    /// The next packet with each of these labels is lost.
    pub lose: Vec<&'static str>,
    counter: u64,
}

pub const CALLER: usize = 0;
pub const CALLED: usize = 1;

impl Pair {
    pub fn new(seed: u64, transport: Transport, faults: Faults) -> Self {
        let now = Instant::now();
        let side = |text: &str, seed| {
            let address = address(text);
            let mut endpoint = Endpoint::new(Timers::default(), Entropy::from_seed(seed));
            endpoint.set_local(transport, address);
            Side {
                endpoint,
                address,
                events: Vec::new(),
                outcomes: HashMap::new(),
                requests: HashMap::new(),
                answered: BTreeMap::new(),
                awaiting_ack: HashMap::new(),
                agenda: BTreeMap::new(),
            }
        };
        Self {
            now,
            start: now,
            sides: [side("192.0.2.1:5060", seed), side("192.0.2.2:5060", seed ^ 1)],
            link: Link::new(seed, faults),
            transport,
            answer: Answer { ring_after: 50, code: 200, after: 1000 },
            lose: Vec::new(),
            counter: 0,
        }
    }

    /// The caller sends a request of `method`, cancelled after so many milliseconds.
    pub fn request(&mut self, method: &str, cancel_after: Option<u64>) {
        self.counter += 1;
        let mut request = outgoing(method);
        request.headers.set("Call-ID", format!("call-{}", self.counter));
        let flow = Flow { transport: self.transport, remote: self.sides[CALLED].address };
        let side = &mut self.sides[CALLER];
        let id = side.endpoint.send_request(self.now, flow, request.clone());
        side.requests.insert(id, request);
        side.outcomes.insert(id, Vec::new());
        if let Some(after) = cancel_after {
            self.plan(CALLER, after, Act::Cancel(id));
        }
        self.drain(CALLER);
    }

    /// Everything that is due by `ms` after the start happens, in order.
    pub fn run_to(&mut self, ms: u64) {
        let end = self.start + Duration::from_millis(ms);
        while let Some(at) = self.next().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            while let Some(packet) = self.link.receive(self.now) {
                self.deliver(packet);
            }
            for index in [CALLER, CALLED] {
                while let Some(entry) = self.sides[index].agenda.first_entry().filter(|e| e.key().0 <= self.now) {
                    let act = entry.remove();
                    self.act(index, act);
                }
                self.sides[index].endpoint.handle_timeout(self.now);
                self.drain(index);
            }
        }
        self.now = end;
    }

    pub fn assert_empty(&self) {
        for side in &self.sides {
            assert_empty(&side.endpoint);
        }
    }

    fn next(&self) -> Option<Instant> {
        let sides = self.sides.iter();
        let of_side = |side: &Side| {
            [side.endpoint.poll_timeout(), side.agenda.keys().next().map(|&(at, _)| at)].into_iter().flatten().min()
        };
        sides.filter_map(of_side).chain(self.link.next()).min()
    }

    fn plan(&mut self, index: usize, after: u64, act: Act) {
        self.counter += 1;
        self.sides[index].agenda.insert((self.now + Duration::from_millis(after), self.counter), act);
    }

    fn deliver(&mut self, packet: Packet) {
        let Some(index) = self.sides.iter().position(|side| side.address == packet.to) else { return };
        let flow = Flow { transport: self.transport, remote: packet.from };
        let message = wire::read(&packet.payload).expect("what we write we can read");
        self.sides[index].endpoint.handle_message(self.now, flow, message);
        self.drain(index);
    }

    fn drain(&mut self, index: usize) {
        while let Some(output) = self.sides[index].endpoint.poll_output() {
            match output {
                Output::Transmit { flow, payload, .. } => {
                    let label = label(&wire::read(&payload).expect("what we write we can read"));
                    if let Some(at) = self.lose.iter().position(|lost| *lost == label) {
                        self.lose.remove(at);
                        continue;
                    }
                    let from = self.sides[index].address;
                    let packet = Packet { from, to: flow.remote, stream: flow.transport.is_reliable(), payload };
                    self.link.send(self.now, packet);
                }
                Output::Event(event) => self.handle(index, event),
            }
        }
    }

    fn act(&mut self, index: usize, act: Act) {
        let side = &mut self.sides[index];
        match act {
            Act::Cancel(id) => side.endpoint.cancel(self.now, id, None),
            Act::Respond(id, request, code) => {
                if code >= 200 && request.method == crate::sip::msg::Method::INVITE {
                    if side.answered.contains_key(&id) {
                        return;
                    }
                    side.answered.insert(id, code);
                    if code < 300 {
                        let call_id = request.headers.call_id().expect("ours").to_owned();
                        side.awaiting_ack.insert(call_id, id);
                    }
                }
                side.endpoint.respond(self.now, id, Response::to(&request, code, Some("callee")));
            }
        }
        self.drain(index);
    }

    fn handle(&mut self, index: usize, event: Event) {
        let now = self.now;
        let name = event_label(&event);
        let side = &mut self.sides[index];
        side.events.push(name.clone());
        match event {
            Event::Request { transaction, request, .. } => {
                let Answer { ring_after, code, after } = self.answer;
                self.plan(index, ring_after, Act::Respond(transaction, request.clone().into(), 180));
                self.plan(index, after, Act::Respond(transaction, request.into(), code));
            }
            Event::Cancelled { transaction, cancel } => {
                let mut invite = cancel;
                let cseq = invite.headers.cseq().expect("ours").number;
                invite.headers.set("CSeq", format!("{cseq} INVITE"));
                invite.method = crate::sip::msg::Method::INVITE;
                self.act(index, Act::Respond(transaction, invite.into(), 487));
            }
            Event::Ack { request, .. } => {
                if let Some(&id) = side.awaiting_ack.get(request.headers.call_id().expect("ours")) {
                    side.endpoint.acknowledged(now, id);
                }
            }
            Event::Response { transaction, response, flow } => {
                if response.code() >= 200 {
                    side.outcomes.entry(transaction).or_default().push(name);
                }
                let invite = &side.requests[&transaction];
                if response.is_success() && invite.method == crate::sip::msg::Method::INVITE {
                    let mut ack = invite.clone();
                    ack.method = crate::sip::msg::Method::ACK;
                    ack.headers.set("CSeq", "7 ACK");
                    ack.headers.set("To", response.headers.get("To").expect("ours"));
                    side.endpoint.send_ack(now, flow, ack);
                }
            }
            Event::TimedOut { transaction } | Event::TransportFailed { transaction, .. } => {
                side.outcomes.entry(transaction).or_default().push(name);
            }
            Event::NoAck { .. } => {}
        }
    }
}
