//! User agents in simulated time: each with what a shell would do for it, over a simulated network.

use crate::sim::{Faults, Link, Packet};
use agent_manager::{
    media::plan::{Codec, SrtpPolicy},
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::Message,
        target::Target,
        wire,
    },
    ua::{
        UserAgent,
        api::{Account, Command, Event, Output, Secret, Services, Settings},
    },
};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

pub struct Site {
    pub now: Instant,
    pub agents: Vec<Agent>,
    pub link: Link,
}

pub struct Agent {
    pub agent: UserAgent,
    pub address: SocketAddr,
    /// What it told since somebody looked.
    pub events: Vec<(Instant, Event)>,
    /// When it sent the first REGISTER since somebody looked.
    pub asked: Option<Instant>,
}

/// The address of the n-th.
pub fn address(n: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + n as u8], 5060))
}

/// An account at `server`.
pub fn account(n: usize, server: Option<SocketAddr>) -> Account {
    let uri = |text: String| text.parse().expect("a literal URI");
    Account {
        name: "bench".into(),
        aor: uri(format!("sip:{n}@{}", address(n).ip())),
        auth_username: "bench".into(),
        password: Secret("secret".into()),
        realm: None,
        outbound_proxy: server.map(|at| uri(format!("sip:{at}"))),
        transport: Transport::Udp,
        register: server.is_some(),
        expires: Duration::from_secs(600),
        emergency_numbers: Vec::new(),
    }
}

impl Site {
    pub fn new(seed: u64, faults: Faults, accounts: Vec<Account>) -> Self {
        let now = Instant::now();
        let agents = accounts.into_iter().enumerate().map(|(n, account)| {
            let settings = Settings {
                codecs: vec![Codec::Pcmu],
                srtp: SrtpPolicy::Off,
                instance_id: format!("urn:uuid:00000000-0000-4000-8000-00000000000{n}"),
                user_agent: "bench".into(),
                auto_answer: Some(Duration::ZERO),
                max_calls: None,
                silence_suppression: false,
                services: Services::default(),
            };
            let mut agent = UserAgent::new(settings, Entropy::from_seed(seed * 8 + n as u64));
            agent.set_local(Transport::Udp, address(n));
            agent.handle_command(now, Command::SetAccount(Box::new(account)));
            Agent { agent, address: address(n), events: Vec::new(), asked: None }
        });
        let mut site = Self { now, agents: agents.collect(), link: Link::new(seed, faults) };
        (0..site.agents.len()).for_each(|n| site.drain(n));
        site
    }

    pub fn command(&mut self, n: usize, command: Command) {
        let now = self.now;
        self.agents[n].agent.handle_command(now, command);
        self.drain(n);
    }

    /// Lets time pass; `server` answers what goes to no agent.
    pub fn run(&mut self, by: Duration, mut server: impl FnMut(Instant, &Packet) -> Option<Vec<u8>>) {
        let end = self.now + by;
        loop {
            let timers = self.agents.iter().filter_map(|agent| agent.agent.poll_timeout());
            let Some(next) = timers.chain(self.link.next()).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(next);
            let now = self.now;
            while let Some(packet) = self.link.receive(now) {
                let Some(n) = self.agents.iter().position(|agent| agent.address == packet.to) else {
                    if let Some(payload) = server(now, &packet) {
                        self.link.send(now, Packet { from: packet.to, to: packet.from, stream: false, payload });
                    }
                    continue;
                };
                self.receive(n, packet);
            }
            for n in 0..self.agents.len() {
                if self.agents[n].agent.poll_timeout().is_some_and(|at| at <= now) {
                    self.agents[n].agent.handle_timeout(now);
                    self.drain(n);
                }
            }
        }
        self.now = end;
    }

    fn receive(&mut self, n: usize, packet: Packet) {
        let flow = Flow { transport: Transport::Udp, remote: packet.from };
        let message: Message = wire::read(&packet.payload).expect("agents send what agents can read");
        self.agents[n].agent.handle_message(self.now, flow, message);
        self.drain(n);
    }

    fn drain(&mut self, n: usize) {
        let (now, agent) = (self.now, &mut self.agents[n]);
        while let Some(output) = agent.agent.poll_output() {
            match output {
                Output::Transmit { flow, payload, .. } => {
                    if payload.starts_with(b"REGISTER") {
                        agent.asked.get_or_insert(now);
                    }
                    self.link.send(now, Packet { from: agent.address, to: flow.remote, stream: false, payload });
                }
                Output::Resolve { id, uri, transport } => {
                    let way = Target::of(&uri, transport).and_then(|target| target.numeric().ok_or("a name".into()));
                    agent.agent.handle_resolved(now, id, way.map(|flow| vec![flow]));
                }
                Output::OpenMedia { call, .. } => {
                    agent.agent.handle_media_opened(now, call, Ok(SocketAddr::new(agent.address.ip(), 4000)));
                }
                Output::Event(event) => agent.events.push((now, event)),
                Output::Media { .. } | Output::CloseMedia { .. } | Output::Idle => {}
            }
        }
    }
}
