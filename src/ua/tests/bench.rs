//! A user agent with its shell and its peer played by the test.

use crate::{
    media::plan::{Codec, MediaPlan, SrtpPolicy},
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Message, Method, Request, Response},
        target::Target,
        wire,
    },
    ua::{
        UserAgent,
        api::{Account, CallInfo, CallState, Command, Event, Output, Reachable, RegistrationState, Secret, Settings},
    },
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

pub const LOCAL: &str = "192.0.2.1:5062";
pub const PEER: &str = "192.0.2.9:5060";

/// The agent under test and everything it has said that the test has not looked at yet.
pub struct Bench {
    pub now: Instant,
    pub agent: UserAgent,
    pub sent: VecDeque<(Flow, Message)>,
    pub events: VecDeque<Event>,
    /// Apart from the events, since they come with so many of them.
    pub proofs: Vec<Reachable>,
    /// What became of wishes to be told, likewise.
    pub subscribed: VecDeque<(String, Option<String>)>,
    pub plans: VecDeque<MediaPlan>,
    pub closed: Vec<u32>,
    pub idle: bool,
    /// Tokens of what was sent, for failing it.
    pub tokens: Vec<u64>,
    /// Names that can be looked up.
    pub dns: Vec<(&'static str, Vec<&'static str>)>,
    pub media: Result<SocketAddr, String>,
}

pub fn settings() -> Settings {
    Settings {
        codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
        srtp: SrtpPolicy::Off,
        instance_id: "urn:uuid:00000000-0000-4000-8000-000000000001".into(),
        user_agent: "Agent Manager test".into(),
        auto_answer: None,
        max_calls: None,
        silence_suppression: false,
        services: crate::ua::api::Services::default(),
    }
}

pub fn account(register: bool) -> Account {
    Account {
        name: "100-acme".into(),
        aor: "sip:100-acme@acme".parse().unwrap(),
        auth_username: "100-acme".into(),
        password: Secret("secret".into()),
        realm: None,
        outbound_proxy: Some(format!("sip:{PEER}").parse().unwrap()),
        transport: Transport::Udp,
        register,
        expires: Duration::from_secs(600),
        emergency_numbers: crate::ua::api::usual_emergency_numbers(),
    }
}

pub fn flow() -> Flow {
    Flow { transport: Transport::Udp, remote: PEER.parse().unwrap() }
}

pub const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
    m=audio 5000 RTP/AVP 0\r\na=sendrecv\r\n";

impl Bench {
    /// Without an account.
    pub fn offline(settings: Settings) -> Self {
        let mut agent = UserAgent::new(settings, Entropy::from_seed(1));
        agent.set_local(Transport::Udp, LOCAL.parse().unwrap());
        Self {
            now: Instant::now(),
            agent,
            sent: VecDeque::new(),
            events: VecDeque::new(),
            proofs: Vec::new(),
            subscribed: VecDeque::new(),
            plans: VecDeque::new(),
            closed: Vec::new(),
            idle: false,
            tokens: Vec::new(),
            dns: Vec::new(),
            media: Ok("192.0.2.1:4000".parse().unwrap()),
        }
    }

    /// Ready for calls without a registrar.
    pub fn ready(settings: Settings) -> Self {
        let mut bench = Self::offline(settings);
        bench.command(Command::SetAccount(Box::new(account(false))));
        assert!(matches!(bench.registration(), RegistrationState::Online { .. }));
        bench
    }

    pub fn command(&mut self, command: Command) {
        self.agent.handle_command(self.now, command);
        self.drain();
    }

    pub fn dial(&mut self, to: &str) {
        self.command(Command::Dial { to: to.into(), anonymous: false });
    }

    /// Does what the agent asks of its shell.
    pub fn drain(&mut self) {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Transmit { flow, payload, token } => {
                    self.tokens.extend(token);
                    self.sent.push_back((flow, wire::read(&payload).expect("we send what can be read")));
                }
                Output::Resolve { id, uri, transport } => {
                    let numeric = Target::of(&uri, transport).ok().and_then(|target| target.numeric());
                    if let Some(flow) = numeric {
                        self.agent.handle_resolved(self.now, id, Ok(vec![flow]));
                        continue;
                    }
                    let host = uri.as_sip().map(|u| u.host.to_string()).unwrap_or_default();
                    let found = self.dns.iter().find(|(name, _)| *name == host);
                    let flows = found.map(|(_, addresses)| {
                        addresses.iter().map(|a| Flow { remote: a.parse().unwrap(), ..flow() }).collect()
                    });
                    let result = flows.ok_or_else(|| format!("the name {host} is unknown"));
                    self.agent.handle_resolved(self.now, id, result);
                }
                Output::OpenMedia { call, .. } => {
                    self.agent.handle_media_opened(self.now, call, self.media.clone());
                }
                Output::Media { plan, .. } => self.plans.push_back(plan),
                Output::CloseMedia { call } => self.closed.push(call),
                Output::Event(Event::Reachable { proof, .. }) => self.proofs.push(proof),
                Output::Event(Event::Subscription { to, refusal, .. }) => self.subscribed.push_back((to, refusal)),
                Output::Event(event) => self.events.push_back(event),
                Output::Idle => self.idle = true,
            }
        }
    }

    /// The connection to the registrar is gone.
    pub fn lose_registrar(&mut self) {
        self.agent.handle_flow_lost(self.now, flow());
        self.drain();
    }

    pub fn deliver(&mut self, message: Message) {
        // Through the wire, so that the test sends only what could come.
        let message = wire::read(&wire::write(&message)).expect("the test's peer sends what can be read");
        self.agent.handle_message(self.now, flow(), message);
        self.drain();
    }

    pub fn reply(&mut self, response: Response) {
        self.deliver(Message::Response(response));
    }

    /// The next request the agent sent; questions whether the registrar lives are passed over unless one is asked for.
    #[track_caller]
    pub fn request(&mut self, method: Method) -> Request {
        if method != Method::OPTIONS {
            self.pass_over_questions();
        }
        match self.sent.pop_front() {
            Some((_, Message::Request(request))) if request.method == method => request,
            other => panic!("{method} was expected, not {other:#?}"),
        }
    }

    pub fn pass_over_questions(&mut self) {
        self.sent.retain(|(_, message)| match message {
            Message::Request(request) => {
                request.method != Method::OPTIONS || request.headers.to().is_ok_and(|to| to.tag().is_some())
            }
            Message::Response(_) => true,
        });
    }

    /// The next response the agent sent.
    #[track_caller]
    pub fn response(&mut self, code: u16) -> Response {
        match self.sent.pop_front() {
            Some((_, Message::Response(response))) if response.code() == code => response,
            other => panic!("{code} was expected, not {other:#?}"),
        }
    }

    #[track_caller]
    pub fn silent(&self) {
        assert!(self.sent.is_empty(), "nothing more was to be sent: {:#?}", self.sent);
    }

    #[track_caller]
    pub fn call(&mut self) -> CallInfo {
        match self.events.pop_front() {
            Some(Event::Call(info)) => info,
            other => panic!("a call's state was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub fn state(&mut self, expected: &CallState) {
        let info = self.call();
        assert_eq!(&info.state, expected);
    }

    #[track_caller]
    pub fn registration(&mut self) -> RegistrationState {
        match self.events.pop_front() {
            Some(Event::Registration { state, .. }) => state,
            other => panic!("a registration's state was expected, not {other:?}"),
        }
    }

    #[track_caller]
    pub fn refused(&mut self) -> (&'static str, String) {
        match self.events.pop_front() {
            Some(Event::Refused { command, message, .. }) => (command, message),
            other => panic!("a refusal was expected, not {other:?}"),
        }
    }

    /// Lets time pass, step by step.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.agent.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Every transaction's time is over; nothing may be left.
    #[track_caller]
    pub fn settle(&mut self) {
        self.advance(Duration::from_secs(120));
        self.sent.clear();
        assert_eq!(self.agent.pending(), 0, "something is left over");
    }

    /// A call of ours that is answered.
    pub fn connected_out(&mut self) -> Request {
        self.dial("101");
        let invite = self.request(Method::INVITE);
        self.state(&CallState::Dialing);
        self.reply(answer(&invite, 200, "peer", SDP));
        let ack = self.request(Method::ACK);
        self.state(&CallState::Connected);
        self.plans.clear();
        ack
    }

    /// A call to us that is answered; returns our 200.
    pub fn connected_in(&mut self) -> Response {
        let invite = incoming(SDP);
        self.deliver(Message::Request(invite.clone()));
        self.response(180);
        self.state(&CallState::Ringing);
        let call = 1;
        self.command(Command::Answer { call });
        let ok = self.response(200);
        self.state(&CallState::Connected);
        self.deliver(Message::Request(in_dialog(&ok, Method::ACK, 1, "")));
        self.plans.clear();
        ok
    }
}

/// The peer's answer to a request of ours, with a Contact and, where given, a description.
pub fn answer(request: &Request, code: u16, tag: &str, sdp: &str) -> Response {
    let mut response = Response::to(request, code, (code > 100).then_some(tag));
    if code > 100 && code < 300 {
        response.headers.push("Contact", format!("<sip:{tag}@{PEER}>"));
    }
    with_body(&mut response.headers, &mut response.body, sdp);
    response
}

/// An INVITE from outside.
pub fn incoming(sdp: &str) -> Request {
    let mut request = outside(Method::INVITE, "sip:100-acme@192.0.2.1:5062");
    request.headers.push("Contact", format!("<sip:caller@{PEER}>"));
    with_body(&mut request.headers, &mut request.body, sdp);
    request
}

/// A request from outside any dialog.
pub fn outside(method: Method, uri: &str) -> Request {
    let mut request =
        Request { method, uri: uri.parse().unwrap(), headers: crate::sip::msg::Headers::new(), body: Vec::new() };
    let headers = &mut request.headers;
    headers.push("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-out-{}", request.method));
    headers.push("Max-Forwards", "70");
    headers.push("From", "\"Alice A.\" <sip:alice@acme>;tag=alice");
    headers.push("To", "<sip:100-acme@acme>");
    headers.push("Call-ID", "from-outside");
    headers.push("CSeq", format!("1 {}", request.method));
    request
}

/// A request of the peer that called us, in the dialog that our `response` made.
pub fn in_dialog(response: &Response, method: Method, cseq: u32, sdp: &str) -> Request {
    let mut request = outside(method, "sip:100-acme@192.0.2.1:5062");
    request.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-in-{}-{cseq}", request.method));
    request.headers.set("To", response.headers.get("To").unwrap());
    request.headers.set("CSeq", format!("{cseq} {}", request.method));
    request.headers.push("Contact", format!("<sip:caller@{PEER}>"));
    with_body(&mut request.headers, &mut request.body, sdp);
    request
}

/// A request of the peer whom we called with `ours`, in the dialog that its answer tagged `tag` made.
pub fn from_callee(ours: &Request, method: Method, cseq: u32, tag: &str, sdp: &str) -> Request {
    let mut request = outside(method, "sip:100-acme@192.0.2.1:5062");
    request.headers.set("Via", format!("SIP/2.0/UDP {PEER};branch=z9hG4bK-callee-{}-{cseq}", request.method));
    request.headers.set("From", format!("<sip:101@acme>;tag={tag}"));
    request.headers.set("To", ours.headers.get("From").unwrap());
    request.headers.set("Call-ID", ours.headers.get("Call-ID").unwrap());
    request.headers.set("CSeq", format!("{cseq} {}", request.method));
    request.headers.push("Contact", format!("<sip:{tag}@{PEER}>"));
    with_body(&mut request.headers, &mut request.body, sdp);
    request
}

fn with_body(headers: &mut crate::sip::msg::Headers, body: &mut Vec<u8>, sdp: &str) {
    if !sdp.is_empty() {
        headers.push("Content-Type", "application/sdp");
        *body = sdp.as_bytes().to_vec();
    }
}
