//! Thousands of calls between two user agents over a link that loses, delays, doubles and reorders: every call ends the same
//! way on both sides, and nothing is left over.

use super::bench::{account, settings};
use crate::{
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
        target::Target,
        wire,
    },
    ua::{
        UserAgent,
        api::{Account, CallDirection, CallId, CallInfo, CallState, Command, EndedBy, Event, Output, Settings},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::sip::endpoint::tests::sim::{Faults, Link, Packet};

/// The same numbers give the same run.
struct Sim {
    agent: Side,
    pbx: Side,
    link: Link,
    now: Instant,
    random: Entropy,
    /// Commands to come, by time.
    script: BTreeMap<(Instant, u64), (Who, u32, Act)>,
    acts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Agent,
    Pbx,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Dial,
    Answer,
    Reject,
    Hangup,
    Hold,
    Resume,
    Digits,
}

struct Side {
    agent: UserAgent,
    address: SocketAddr,
    /// Number of the scenario → call.
    calls: HashMap<u32, Seen>,
    open_media: i64,
    digits: u32,
}

/// What one side saw of a call.
#[derive(Debug, Default)]
struct Seen {
    id: CallId,
    connected: bool,
    ends: Vec<(EndedBy, Option<u16>)>,
}

impl Side {
    fn new(seed: u64, address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let settings = Settings { max_calls: Some(10_000), ..settings() };
        let mut agent = UserAgent::new(settings, Entropy::from_seed(seed));
        agent.set_local(Transport::Udp, address);
        Self { agent, address, calls: HashMap::new(), open_media: 0, digits: 0 }
    }

    fn learn(&mut self, info: &CallInfo) {
        // The number stands in the URI that was dialled.
        let uri = match info.direction {
            CallDirection::Out => &info.peer,
            CallDirection::In => info.called.as_ref().expect("numbers differ from the account"),
        };
        let number = uri.trim_start_matches("sip:").split('@').next().unwrap().parse().unwrap();
        let seen = self.calls.entry(number).or_default();
        seen.id = info.call;
        match &info.state {
            CallState::Connected => seen.connected = true,
            CallState::Ended { ended_by, code, .. } => seen.ends.push((*ended_by, *code)),
            CallState::Dialing
            | CallState::Early { .. }
            | CallState::Ringing
            | CallState::Held
            | CallState::RemoteHeld => {}
        }
    }
}

impl Sim {
    fn new(seed: u64, faults: Faults) -> Self {
        let mut sim = Self {
            agent: Side::new(seed * 2 + 1, "192.0.2.1:5060"),
            pbx: Side::new(seed * 2 + 2, "192.0.2.2:5060"),
            link: Link::new(seed, faults),
            now: Instant::now(),
            random: Entropy::from_seed(seed),
            script: BTreeMap::new(),
            acts: 0,
        };
        for who in [Who::Agent, Who::Pbx] {
            let account = Account { outbound_proxy: None, ..account(false) };
            let now = sim.now;
            sim.side(who).agent.handle_command(now, Command::SetAccount(Box::new(account)));
            sim.drain(who);
        }
        sim
    }

    fn side(&mut self, who: Who) -> &mut Side {
        match who {
            Who::Agent => &mut self.agent,
            Who::Pbx => &mut self.pbx,
        }
    }

    fn up_to(&mut self, milliseconds: u32) -> Duration {
        Duration::from_millis(u64::from(self.random.u32() % milliseconds))
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.random.u32().is_multiple_of(n)
    }

    fn plan(&mut self, at: Instant, who: Who, number: u32, act: Act) {
        self.acts += 1;
        self.script.insert((at, self.acts), (who, number, act));
    }

    /// Writes one call into the script: who calls, what the callee does, what happens in between, who ends it.
    fn plan_call(&mut self, number: u32) {
        let (caller, callee) = if self.one_in(2) { (Who::Agent, Who::Pbx) } else { (Who::Pbx, Who::Agent) };
        let start = self.now + self.up_to(60_000);
        self.plan(start, caller, number, Act::Dial);
        // Around the time the INVITE takes, so that answers, rejections and cancellations cross.
        let mut at = start + Duration::from_millis(20) + self.up_to(400);
        if self.one_in(4) {
            let cancel = start + self.up_to(500);
            self.plan(cancel, caller, number, Act::Hangup);
        }
        if self.one_in(6) {
            self.plan(at, callee, number, Act::Reject);
        } else {
            self.plan(at, callee, number, Act::Answer);
        }
        for _ in 0..self.random.u32() % 4 {
            at += self.up_to(3_000);
            let who = if self.one_in(2) { caller } else { callee };
            let act = [Act::Hold, Act::Resume, Act::Digits][self.random.u32() as usize % 3];
            self.plan(at, who, number, act);
            if self.one_in(2) {
                let other = if who == caller { callee } else { caller };
                let crossing = at + self.up_to(40);
                self.plan(crossing, other, number, Act::Hold);
            }
        }
        // From at once, before the ACK has come, to later; now and then from both sides.
        at += if self.one_in(3) { self.up_to(60) } else { self.up_to(20_000) };
        let first = if self.one_in(2) { caller } else { callee };
        self.plan(at, first, number, Act::Hangup);
        let other = if first == caller { callee } else { caller };
        // Also the safety net for answers that came before the ringing did.
        let late = at + if self.one_in(4) { self.up_to(60) } else { Duration::from_secs(60) };
        self.plan(late, other, number, Act::Hangup);
        self.plan(at + Duration::from_secs(60), first, number, Act::Hangup);
    }

    fn act(&mut self, who: Who, number: u32, act: Act) {
        let now = self.now;
        let peer = match who {
            Who::Agent => self.pbx.address,
            Who::Pbx => self.agent.address,
        };
        let side = self.side(who);
        let call = side.calls.get(&number).filter(|seen| seen.ends.is_empty()).map(|seen| seen.id);
        let command = match (act, call) {
            (Act::Dial, _) => Command::Dial { to: format!("sip:{number}@{peer}"), anonymous: false },
            (_, None) => return,
            (Act::Answer, Some(call)) => Command::Answer { call },
            (Act::Reject, Some(call)) => Command::Reject { call, code: 603 },
            (Act::Hangup, Some(call)) => Command::Hangup { call },
            (Act::Hold, Some(call)) => Command::Hold { call },
            (Act::Resume, Some(call)) => Command::Resume { call },
            (Act::Digits, Some(call)) => Command::DtmfInfo { call, digits: "12".into() },
        };
        side.agent.handle_command(now, command);
        self.drain(who);
    }

    fn drain(&mut self, who: Who) {
        let now = self.now;
        let (side, link) = match who {
            Who::Agent => (&mut self.agent, &mut self.link),
            Who::Pbx => (&mut self.pbx, &mut self.link),
        };
        while let Some(output) = side.agent.poll_output() {
            match output {
                Output::Transmit { flow, payload, .. } => {
                    link.send(now, Packet { from: side.address, to: flow.remote, stream: false, payload });
                }
                Output::Resolve { id, uri, transport } => {
                    let way = Target::of(&uri, transport).and_then(|target| target.numeric().ok_or("a name".into()));
                    side.agent.handle_resolved(now, id, way.map(|flow| vec![flow]));
                }
                Output::Idle => panic!("nobody shuts down here"),
                Output::OpenMedia { call, .. } => {
                    side.open_media += 1;
                    let local = SocketAddr::new(side.address.ip(), 4000);
                    side.agent.handle_media_opened(now, call, Ok(local));
                }
                Output::Media { .. } => {}
                Output::CloseMedia { .. } => side.open_media -= 1,
                Output::Event(Event::Call(info)) => side.learn(&info),
                Output::Event(
                    Event::Services(_)
                    | Event::Messages(_)
                    | Event::Colleague { .. }
                    | Event::Message { .. }
                    | Event::Notice(_),
                ) => {}
                Output::Event(Event::Dtmf { .. }) => side.digits += 1,
                Output::Event(_) => {}
            }
        }
    }

    /// Until nothing is under way any more.
    fn run(&mut self) {
        loop {
            let script = self.script.keys().next().map(|(at, _)| *at);
            let timers = [self.agent.agent.poll_timeout(), self.pbx.agent.poll_timeout(), self.link.next(), script];
            let Some(next) = timers.into_iter().flatten().min() else { return };
            self.now = self.now.max(next);
            let now = self.now;
            while let Some(packet) = self.link.receive(now) {
                let who = if packet.to == self.agent.address { Who::Agent } else { Who::Pbx };
                let flow = Flow { transport: Transport::Udp, remote: packet.from };
                let message = wire::read(&packet.payload).expect("agents send what agents can read");
                self.side(who).agent.handle_message(now, flow, message);
                self.drain(who);
            }
            while let Some(entry) = self.script.first_entry().filter(|e| e.key().0 <= now) {
                let (who, number, act) = entry.remove();
                self.act(who, number, act);
            }
            for who in [Who::Agent, Who::Pbx] {
                let side = self.side(who);
                if side.agent.poll_timeout().is_some_and(|at| at <= now) {
                    side.agent.handle_timeout(now);
                    self.drain(who);
                }
            }
        }
    }

    /// `(calls that were connected, calls)`.
    fn check(&self, seed: u64) -> (usize, usize) {
        for side in [&self.agent, &self.pbx] {
            assert_eq!(side.agent.pending(), 0, "seed {seed}: something is left over");
            assert_eq!(side.open_media, 0, "seed {seed}: audio is left open");
        }
        let mut connected = 0;
        let numbers: BTreeSet<&u32> = self.agent.calls.keys().chain(self.pbx.calls.keys()).collect();
        for number in &numbers {
            let (ours, theirs) = (self.agent.calls.get(number), self.pbx.calls.get(number));
            let context = format!("seed {seed}, call {number}: {ours:?}, {theirs:?}");
            let (Some(ours), Some(theirs)) = (ours, theirs) else {
                // Given up before the INVITE came through.
                let caller = ours.or(theirs).expect("one of them knows it");
                assert!(caller.ends.len() == 1 && !caller.connected, "{context}");
                continue;
            };
            let ([(our_end, our_code)], [(their_end, their_code)]) = (&ours.ends[..], &theirs.ends[..]) else {
                panic!("each side ends once: {context}")
            };
            match (our_end, their_end) {
                // Both hung up, or one did and the other heard of it.
                (EndedBy::Local, EndedBy::Local | EndedBy::Remote) => {}
                (EndedBy::Remote, EndedBy::Local) => {}
                _ => panic!("{context}"),
            }
            // Who hears of the end hears of a rejection, and of none that was not one.
            let heard = [our_end, their_end].contains(&&EndedBy::Remote);
            if heard && [our_code, their_code].contains(&&Some(603)) {
                assert!(our_code == their_code && !ours.connected && !theirs.connected, "{context}");
            }
            connected += usize::from(ours.connected && theirs.connected);
        }
        (connected, numbers.len())
    }
}

/// Runs `sims` networks with `calls` calls each.
fn simulate(sims: u64, calls: u32, faults: Faults) -> (usize, usize) {
    let mut sum = (0, 0);
    for seed in 0..sims {
        let mut sim = Sim::new(seed, faults);
        for number in 0..calls {
            sim.plan_call(number);
        }
        sim.run();
        let (connected, all) = sim.check(seed);
        assert!(sim.agent.digits > 0 && sim.pbx.digits > 0);
        sum = (sum.0 + connected, sum.1 + all);
    }
    sum
}

#[test]
fn ten_thousand_calls_over_a_bad_link_end_the_same_on_both_sides() {
    let faults =
        Faults { loss: 0.05, duplicate: 0.05, delay: Duration::from_millis(15), jitter: Duration::from_millis(60) };
    let (connected, all) = simulate(100, 100, faults);
    assert!(all == 10_000 && connected > 5_000, "{connected} of {all} calls were connected");
}

#[test]
fn calls_over_a_perfect_link_end_the_same_on_both_sides() {
    let (connected, all) = simulate(5, 100, Faults::default());
    assert!(connected * 2 > all, "{connected} of {all} calls were connected");
}
