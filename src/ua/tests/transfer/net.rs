//! Several user agents of ours, each its own shell, over one link in simulated time.

use crate::{
    media::plan::{Direction, MediaPlan},
    sip::{
        endpoint::tests::sim::{Faults, Link, Packet},
        entropy::Entropy,
        flow::{Flow, Transport},
        target::Target,
        wire,
    },
    ua::{
        UserAgent,
        api::{
            Account, CallDirection, CallId, CallInfo, CallState, Command, Event, Output, Settings, TransferState,
            TransferTo,
        },
        tests::bench::{account, settings},
    },
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// Who transfers, who is transferred, and to whom.
pub const A: usize = 0;
pub const B: usize = 1;
pub const C: usize = 2;

pub struct Net {
    pub now: Instant,
    pub parties: Vec<Party>,
    link: Link,
}

/// A user agent and all that it has told.
pub struct Party {
    pub agent: UserAgent,
    pub address: SocketAddr,
    /// Calls that have not ended.
    pub calls: BTreeMap<CallId, CallInfo>,
    pub ended: BTreeMap<CallId, CallState>,
    /// How often a call rang here.
    pub rang: usize,
    pub transfers: Vec<(CallId, TransferState)>,
    pub events: Vec<Event>,
    pub open_media: i64,
    /// What was agreed on last.
    pub plans: BTreeMap<CallId, MediaPlan>,
    /// Gone without a word.
    pub dead: bool,
}

impl Net {
    pub fn new(seed: u64, faults: Faults, count: usize) -> Self {
        let now = Instant::now();
        let parties = (0..count)
            .map(|n| {
                let address: SocketAddr = format!("192.0.2.{}:5060", n + 1).parse().unwrap();
                let mut agent = UserAgent::new(
                    Settings { max_calls: Some(8), ..settings() },
                    Entropy::from_seed(seed * 16 + n as u64),
                );
                agent.set_local(Transport::Udp, address);
                let account = Account {
                    outbound_proxy: None,
                    aor: format!("sip:{n}@192.0.2.{}", n + 1).parse().unwrap(),
                    ..account(false)
                };
                agent.handle_command(now, Command::SetAccount(Box::new(account)));
                Party {
                    agent,
                    address,
                    calls: BTreeMap::new(),
                    ended: BTreeMap::new(),
                    rang: 0,
                    transfers: Vec::new(),
                    events: Vec::new(),
                    open_media: 0,
                    plans: BTreeMap::new(),
                    dead: false,
                }
            })
            .collect();
        let mut net = Self { now, parties, link: Link::new(seed, faults) };
        (0..count).for_each(|n| net.drain(n));
        net
    }

    pub fn perfect(count: usize) -> Self {
        Self::new(1, Faults { delay: Duration::from_millis(10), ..Faults::default() }, count)
    }

    pub fn aor(n: usize) -> String {
        format!("sip:{n}@192.0.2.{}", n + 1)
    }

    pub fn command(&mut self, who: usize, command: Command) {
        let now = self.now;
        self.parties[who].agent.handle_command(now, command);
        self.drain(who);
    }

    pub fn transfer(&mut self, who: usize, call: CallId, to: TransferTo) {
        self.command(who, Command::Transfer { call, to });
    }

    /// `from` calls `to`, who answers; the numbers of the call at either.
    pub fn talk(&mut self, from: usize, to: usize) -> (CallId, CallId) {
        let before: Vec<CallId> = self.parties[from].calls.keys().copied().collect();
        self.command(from, Command::Dial { to: Self::aor(to), anonymous: false });
        let ours = *self.parties[from].calls.keys().find(|call| !before.contains(call)).expect("a call");
        self.run_until(60, |net| net.ringing(to).is_some());
        let theirs = self.ringing(to).expect("it rings");
        self.command(to, Command::Answer { call: theirs });
        self.run_until(60, |net| {
            net.parties[from].calls.get(&ours).is_none_or(|info| info.state == CallState::Connected)
        });
        assert_eq!(self.state(from, ours), CallState::Connected);
        (ours, theirs)
    }

    /// The call that rings there.
    pub fn ringing(&self, who: usize) -> Option<CallId> {
        self.parties[who].calls.values().find(|info| info.state == CallState::Ringing).map(|info| info.call)
    }

    #[track_caller]
    pub fn state(&self, who: usize, call: CallId) -> CallState {
        let party = &self.parties[who];
        let live = party.calls.get(&call).map(|info| info.state.clone());
        live.or_else(|| party.ended.get(&call).cloned()).expect("the call is known")
    }

    /// Whether two parties are in a conversation: nothing on hold, and audio goes both ways between their ports.
    pub fn joined(&self, one: usize, other: usize) -> bool {
        let talk = |at: usize, with: usize| {
            let is_with = |info: &&CallInfo| info.peer.contains(&format!("@192.0.2.{}", with + 1));
            let mut calls = self.parties[at].calls.values().filter(is_with);
            calls.find(|info| info.state == CallState::Connected).map(|info| info.call)
        };
        let (Some(here), Some(there)) = (talk(one, other), talk(other, one)) else { return false };
        let hears = |at: usize, call: CallId, from: usize, its: CallId| {
            self.parties[at].plans.get(&call).is_some_and(|plan| {
                plan.direction == Direction::SendRecv && plan.remote_rtp == self.parties[from].audio(its)
            })
        };
        hears(one, here, other, there) && hears(other, there, one, here)
    }

    /// The last word on a transfer.
    pub fn outcome(&self, who: usize) -> Option<&TransferState> {
        let last = self.parties[who].transfers.last().map(|(_, state)| state)?;
        (!matches!(last, TransferState::Trying { .. })).then_some(last)
    }

    pub fn run_for(&mut self, seconds: u64) {
        self.run_until(seconds, |_| false);
    }

    pub fn wait(&mut self, milliseconds: u64) {
        self.run_to(self.now + Duration::from_millis(milliseconds), |_| false);
    }

    /// Until `done`, or so many seconds have passed.
    pub fn run_until(&mut self, seconds: u64, done: impl Fn(&Self) -> bool) {
        self.run_to(self.now + Duration::from_secs(seconds), done);
    }

    fn run_to(&mut self, end: Instant, done: impl Fn(&Self) -> bool) {
        while !done(self) {
            let timers = self.parties.iter().filter(|party| !party.dead).filter_map(|party| party.agent.poll_timeout());
            let Some(next) = timers.chain(self.link.next()).min().filter(|at| *at <= end) else {
                self.now = end;
                return;
            };
            self.step(next);
        }
    }

    fn step(&mut self, next: Instant) {
        self.now = self.now.max(next);
        let now = self.now;
        while let Some(packet) = self.link.receive(now) {
            let at = self.parties.iter().position(|party| party.address == packet.to && !party.dead);
            let Some(who) = at else { continue };
            let flow = Flow { transport: Transport::Udp, remote: packet.from };
            let message = wire::read(&packet.payload).expect("agents send what agents can read");
            self.parties[who].agent.handle_message(now, flow, message);
            self.drain(who);
        }
        for who in 0..self.parties.len() {
            if !self.parties[who].dead && self.parties[who].agent.poll_timeout().is_some_and(|at| at <= now) {
                self.parties[who].agent.handle_timeout(now);
                self.drain(who);
            }
        }
    }

    fn drain(&mut self, who: usize) {
        let now = self.now;
        let (party, link) = (&mut self.parties[who], &mut self.link);
        while let Some(output) = party.agent.poll_output() {
            match output {
                Output::Transmit { flow, payload, .. } => {
                    link.send(now, Packet { from: party.address, to: flow.remote, stream: false, payload });
                }
                Output::Resolve { id, uri, transport } => {
                    let way = Target::of(&uri, transport).and_then(|target| target.numeric().ok_or("a name".into()));
                    party.agent.handle_resolved(now, id, way.map(|flow| vec![flow]));
                }
                Output::OpenMedia { call, .. } => {
                    party.open_media += 1;
                    let port = party.audio(call);
                    party.agent.handle_media_opened(now, call, Ok(port));
                }
                Output::Media { call, plan } => drop(party.plans.insert(call, plan)),
                Output::CloseMedia { call } => {
                    party.plans.remove(&call);
                    party.open_media -= 1;
                }
                Output::Event(event) => party.learn(event),
                _ => {}
            }
        }
    }

    /// Everybody hangs up; nothing may be left anywhere.
    #[track_caller]
    pub fn settle(&mut self, context: &str) {
        for who in 0..self.parties.len() {
            if self.parties[who].dead {
                continue;
            }
            let calls: Vec<CallId> = self.parties[who].calls.keys().copied().collect();
            calls.into_iter().for_each(|call| self.command(who, Command::Hangup { call }));
        }
        self.run_for(400);
        for (who, party) in self.parties.iter().enumerate().filter(|(_, party)| !party.dead) {
            assert_eq!(party.agent.pending(), 0, "{context}: something is left at {who}");
            assert_eq!(party.open_media, 0, "{context}: audio is left open at {who}");
            assert!(party.calls.is_empty(), "{context}: calls are left at {who}: {:?}", party.calls);
        }
    }
}

impl Party {
    /// Our RTP address in a call.
    fn audio(&self, call: CallId) -> SocketAddr {
        SocketAddr::new(self.address.ip(), 4000 + 2 * u16::try_from(call).unwrap())
    }

    fn learn(&mut self, event: Event) {
        match &event {
            Event::Call(info) => {
                assert!(!self.ended.contains_key(&info.call), "a call ends once: {info:?}");
                if matches!(info.state, CallState::Ended { .. }) {
                    self.calls.remove(&info.call);
                    self.ended.insert(info.call, info.state.clone());
                } else {
                    let old = self.calls.insert(info.call, info.clone());
                    let rings = info.direction == CallDirection::In && info.state == CallState::Ringing;
                    self.rang += usize::from(rings && old.is_none());
                }
            }
            Event::Transfer { call, state } => self.transfers.push((*call, state.clone())),
            _ => {}
        }
        self.events.push(event);
    }
}
