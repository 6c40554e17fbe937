//! The engine's thread: waits, then moves sound between the sessions and the cards.

use super::{
    AudioChoice, EngineCommand, EngineEvent, Impairment, MediaError, Notice, PortPair, SessionId,
    audio::{Audio, Demand},
    conference::Conference,
    orders::{Order, Orders},
    recordings::Recordings,
    session::{Report, Session},
};
use crate::media::{
    BLOCK, device::list_devices, music::Music, record::Recorder, security::DtlsIdentity, voice::TalkDetector,
};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// The token of orders; sessions have the others.
pub const WAKE: Token = Token(usize::MAX);

/// A session has one for RTP, one for RTCP and one for the stream to a relay.
const TOKENS: usize = 3;

/// Sessions that are over and still give a relay's address back; of more at once, some are not waited for.
const MOST_PARTING: usize = 32;

/// At the end, recordings get so long to be complete.
const COMPLETION: Duration = Duration::from_millis(400);
/// Later than this the thread's step is heard, or would be but for the reserve.
const LATE: Duration = Duration::from_millis(40);

type Emit = Box<dyn Fn(EngineEvent) + Send>;

pub struct Runner {
    poll: Poll,
    /// The poll's, for sessions that open streams by themselves.
    registry: Arc<Registry>,
    inbox: mpsc::Receiver<Order>,
    orders: Orders,
    emit: Emit,
    audio: Audio,
    sessions: BTreeMap<SessionId, Session>,
    /// Those that are over but for a relay.
    parting: BTreeMap<SessionId, Session>,
    conference: Conference,
    /// Whether somebody talks into the microphone all the same while calls are muted.
    talk: TalkDetector,
    impairment: Option<Impairment>,
    /// For whoever is on hold, and how often it was asked for.
    music: Option<Music>,
    music_asked: u64,
    recordings: Recordings,
    identity: Option<DtlsIdentity>,
    microphone: Vec<f32>,
    /// When sound was moved last.
    stepped: Instant,
    /// Sockets hold more than was read in one go.
    unread: bool,
}

impl Runner {
    pub fn new(choice: AudioChoice, emit: Emit) -> Result<(Self, Orders), MediaError> {
        let audio = Audio::new(clock(), choice)?;
        let poll = Poll::new().map_err(MediaError::Thread)?;
        let registry = Arc::new(poll.registry().try_clone().map_err(MediaError::Thread)?);
        let (orders, inbox) = Orders::new(Waker::new(poll.registry(), WAKE).map_err(MediaError::Thread)?);
        let runner = Self {
            poll,
            registry,
            inbox,
            orders: orders.clone(),
            emit,
            audio,
            sessions: BTreeMap::new(),
            parting: BTreeMap::new(),
            conference: Conference::default(),
            talk: TalkDetector::default(),
            impairment: None,
            music: None,
            music_asked: 0,
            recordings: Recordings::default(),
            identity: None,
            microphone: Vec::new(),
            stepped: clock(),
            unread: false,
        };
        Ok((runner, orders))
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(64);
        loop {
            let timeout = self.timeout(clock());
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                tracing::error!("waiting for audio packets: {error}");
                return;
            }
            let now = clock();
            if !self.obey(now) {
                return;
            }
            self.read(now, &events);
            self.step(now);
            self.recordings.look_after(&self.emit);
        }
    }

    fn timeout(&mut self, now: Instant) -> Option<Duration> {
        if self.unread {
            return Some(Duration::ZERO);
        }
        let demand = self.demand();
        let sessions = self.sessions.values_mut().chain(self.parting.values_mut()).filter_map(Session::poll_timeout);
        let others = self.audio.poll_timeout(now, demand).into_iter().chain(self.recordings.poll_timeout(now));
        let next = sessions.chain(others).min();
        next.map(|at| at.saturating_duration_since(now))
    }

    fn demand(&self) -> Demand {
        if self.sessions.values().any(Session::is_running) {
            Demand::Running
        } else if self.sessions.is_empty() {
            Demand::Nothing
        } else {
            Demand::Soon
        }
    }

    /// Carries out what was ordered. `false`: stop.
    fn obey(&mut self, now: Instant) -> bool {
        self.orders.seen();
        while let Ok(order) = self.inbox.try_recv() {
            match order {
                Order::Open(id, ports) => self.open(id, ports),
                Order::Command(command) => self.command(now, command),
                Order::Stats(id, answer) => {
                    let _ = answer.send(self.sessions.get(&id).and_then(|session| session.stats(false)));
                }
                Order::DevicesChanged => self.audio.devices_changed(now),
                Order::Devices(microphones, speakers) => {
                    self.audio.devices_seen(now, &microphones, &speakers);
                    (self.emit)(EngineEvent::Devices(self.audio.device_list(microphones, speakers)));
                }
                // Another choice may have been made meanwhile.
                Order::Music(asked, _) if asked != self.music_asked => {}
                Order::Music(_, Ok(music)) => self.play_on_hold(Some(music)),
                Order::Music(_, Err(said)) => {
                    self.play_on_hold(None);
                    (self.emit)(EngineEvent::Notice(Notice::warning(said)));
                }
                Order::Stop => {
                    for id in self.sessions.keys().copied().collect::<Vec<_>>() {
                        self.close(now, id);
                    }
                    self.recordings.complete(COMPLETION, clock, &self.emit);
                    return false;
                }
            }
        }
        true
    }

    /// New ports for a new session, or for one that has moved to another address and goes on there.
    fn open(&mut self, id: SessionId, ports: PortPair) {
        let (token, registry) = (id as usize * TOKENS, self.poll.registry());
        let mut session = match self.sessions.remove(&id) {
            None => Session::new(ports),
            Some(mut moving) => {
                let old = moving.move_to(ports);
                // Closed with it in any case.
                let _ = registry.deregister(&mut { old.rtp }).and(registry.deregister(&mut { old.rtcp }));
                moving
            }
        };
        let ports = session.ports();
        let registered = registry
            .register(&mut ports.rtp, Token(token), Interest::READABLE)
            .and_then(|()| registry.register(&mut ports.rtcp, Token(token + 1), Interest::READABLE));
        if let Err(error) = registered {
            let text = format!("Audio cannot be received ({error}); hang up and call again.");
            (self.emit)(EngineEvent::Notice(Notice::warning(text)));
        }
        self.sessions.insert(id, session);
    }

    fn command(&mut self, now: Instant, command: EngineCommand) {
        let mut with = |id, act: &mut dyn FnMut(&mut Session)| {
            if let Some(session) = self.sessions.get_mut(&id) {
                act(session);
            }
        };
        match command {
            EngineCommand::Plan { session, plan } => {
                let (impairment, identity) = (self.impairment, self.identity.as_ref());
                let music = self.music.as_ref();
                with(session, &mut |session| {
                    session.set_plan(now, plan.clone(), impairment, identity);
                    session.set_music(music);
                });
            }
            EngineCommand::Connected { session } => {
                with(session, &mut |session| session.connected(now));
                self.audio.connected(now);
            }
            EngineCommand::Mute { session, on } => {
                with(session, &mut |session| session.mute(on));
                self.talk = TalkDetector::default();
            }
            EngineCommand::Conference { sessions } => self.conference.set(sessions, &mut self.sessions),
            EngineCommand::Record { session: id, recorder } => {
                let over = match self.sessions.get_mut(&id) {
                    Some(session) => session.record(recorder),
                    // The session is over, and its recording with it.
                    None => recorder.map(Recorder::finish),
                };
                over.into_iter().for_each(|writer| self.recordings.push(id, writer));
            }
            EngineCommand::Dtmf { session, digits, via } => with(session, &mut |session| session.press(&digits, via)),
            EngineCommand::Close { session } => self.close(now, session),
            EngineCommand::Tone { tone } => self.audio.set_tone(tone),
            EngineCommand::Audio(choice) => match self.audio.choose(choice) {
                Ok(()) => self.ask_for_devices(),
                Err(error) => (self.emit)(EngineEvent::Notice(Notice::warning(error.to_string()))),
            },
            EngineCommand::Heard { before, age } => self.audio.heard_before(now, &before, age),
            EngineCommand::Voice(voice) => self.audio.set_voice(voice),
            EngineCommand::Check => self.audio.check(),
            EngineCommand::Music(file) => self.choose_music(file),
            EngineCommand::AskServer { session: id, stun, relay } => {
                let way = (self.registry.clone(), Token(id as usize * TOKENS + 2));
                with(id, &mut |session| session.ask(now, (stun, relay.clone()), way.clone()));
            }
            EngineCommand::RelayAccess { name, access } => {
                self.sessions.values_mut().for_each(|session| session.exchange_access(&name, &access));
            }
            EngineCommand::Identity(identity) => self.identity = Some(identity),
            EngineCommand::Meter { on } => {
                self.audio.set_meter(now, on);
                self.ask_for_devices();
            }
            EngineCommand::Impair(impairment) => {
                self.impairment = impairment;
                self.sessions.values_mut().for_each(|session| session.impair(impairment));
            }
        }
    }

    fn close(&mut self, now: Instant, id: SessionId) {
        if let Some(mut session) = self.sessions.remove(&id) {
            session.record(None).into_iter().for_each(|writer| self.recordings.push(id, writer));
            if let Some(stats) = session.close(now) {
                (self.emit)(EngineEvent::Stats { session: id, stats, last: true });
            }
            if session.is_parting() && self.parting.len() < MOST_PARTING {
                self.parting.insert(id, session);
            }
        }
        self.conference.left(id, &mut self.sessions);
        if self.sessions.is_empty() {
            self.audio.tell_exposure(&self.emit);
        }
    }

    /// A file is read on a thread of its own: calls go on meanwhile.
    fn choose_music(&mut self, file: Option<PathBuf>) {
        self.music_asked += 1;
        let asked = self.music_asked;
        let Some(path) = file else { return self.play_on_hold(None) };
        let orders = self.orders.clone();
        thread::spawn(move || {
            // Where the engine has ended meanwhile, nobody listens.
            let _ = orders.send(Order::Music(asked, Music::load(&path)));
        });
    }

    fn play_on_hold(&mut self, music: Option<Music>) {
        self.music = music;
        self.sessions.values_mut().for_each(|session| session.set_music(self.music.as_ref()));
    }

    /// The list comes as an order.
    fn ask_for_devices(&self) {
        if self.audio.has_devices() {
            let orders = self.orders.clone();
            list_devices(move |microphones, speakers| {
                // Where the engine has ended meanwhile, nobody waits for the list.
                let _ = orders.send(Order::Devices(microphones, speakers));
            });
        }
    }

    /// Reads what the sockets of these events hold, or all if some was left the last time.
    fn read(&mut self, now: Instant, events: &Events) {
        let emit = &self.emit;
        let mut unread = false;
        let mut read = |id: SessionId, session: &mut Session, which: usize| {
            let mut report = |report| emit(event(id, report));
            unread |= match which {
                0 | 1 => session.read(now, which == 1, &mut report),
                _ => session.read_relay(now, &mut report),
            };
        };
        if self.unread {
            for (&id, session) in self.sessions.iter_mut().chain(&mut self.parting) {
                (0..TOKENS).for_each(|which| read(id, session, which));
            }
        } else {
            for token in events.iter().map(mio::event::Event::token).filter(|token| *token != WAKE) {
                let id = (token.0 / TOKENS) as SessionId;
                if let Some(session) = self.sessions.get_mut(&id).or_else(|| self.parting.get_mut(&id)) {
                    read(id, session, token.0 % TOKENS);
                }
            }
        }
        self.unread = unread;
    }

    /// What this end does to the calls: a step that comes late, a device that is missing.
    fn note_trouble(&mut self, now: Instant, due: Instant) {
        let since = now.saturating_duration_since(std::mem::replace(&mut self.stepped, now));
        let late = now.saturating_duration_since(due);
        let stalled = if late > LATE { late } else { Duration::ZERO };
        // The first step after a rest is not a second long.
        let absent = if self.audio.is_incomplete() { since.min(LATE) } else { Duration::ZERO };
        if !(stalled + absent).is_zero() {
            self.sessions.values_mut().for_each(|session| session.suffered(stalled, absent));
        }
    }

    /// Who talks while muted is told so once, in however many calls.
    fn hint_muted(&mut self) {
        let muted = self.sessions.iter().find(|(_, session)| session.is_talked_to_muted());
        if let Some((&session, _)) = muted
            && self.talk.hear(&self.microphone)
        {
            (self.emit)(EngineEvent::TalksMuted { session });
        }
    }

    /// Moves sound, if it is time.
    fn step(&mut self, now: Instant) {
        let emit = &self.emit;
        for (&id, session) in &mut self.sessions {
            session.release(now, &mut |report| emit(event(id, report)));
        }
        self.parting.retain(|_, session| {
            session.release(now, &mut |_| {});
            session.is_parting()
        });
        let demand = self.demand();
        let Some(due) = self.audio.poll_timeout(now, demand).filter(|due| *due <= now) else { return };
        self.note_trouble(now, due);
        self.microphone.clear();
        let blocks = self.audio.poll(now, demand, &mut self.microphone);
        self.hint_muted();
        let emit = &self.emit;
        if !self.microphone.is_empty() {
            let lives_ms = self.audio.microphone_lives_ms();
            let others = self.conference.others(self.microphone.len(), &mut self.sessions);
            for (&id, session) in &mut self.sessions {
                let others = others.get(&id).map(Vec::as_slice);
                session.microphone_lives(lives_ms);
                session.speak(&self.microphone, others, &mut |report| emit(event(id, report)));
            }
        }
        let (mut mix, mut block) = ([0.0; BLOCK], [0.0; BLOCK]);
        for n in 0..blocks {
            mix.fill(0.0);
            // All of them are asked for now, whenever each is heard: what comes later comes too late.
            for session in self.sessions.values_mut() {
                session.listen(now, &mut block, &mut mix);
            }
            self.audio.play(now + Duration::from_millis(10) * n as u32, &mut mix);
        }
        for (&id, session) in &mut self.sessions {
            session.housekeep(now, &mut |report| emit(event(id, report)));
        }
        let changed = self.audio.report(now, &self.microphone, emit);
        let orders = &self.orders;
        let tell = || -> Box<dyn Fn() + Send> {
            let orders = orders.clone();
            Box::new(move || {
                // Where the engine has ended meanwhile, nobody wants to know.
                let _ = orders.send(Order::DevicesChanged);
            })
        };
        if self.audio.watch_devices(now, tell) || changed {
            self.ask_for_devices();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the engine's clock")]
fn clock() -> Instant {
    Instant::now()
}

fn event(session: SessionId, report: Report) -> EngineEvent {
    match report {
        Report::Key(digit) => EngineEvent::Dtmf { session, digit },
        Report::KeysSent => EngineEvent::DtmfSent { session },
        Report::Speaks(on) => EngineEvent::Speaks { session, on },
        Report::Early(comes) => EngineEvent::EarlyMedia { session, comes },
        Report::Stats(stats) => EngineEvent::Stats { session, stats, last: false },
        Report::Notice(notice) => EngineEvent::Notice(notice),
        Report::Recorded(ended) => EngineEvent::Recorded { session, ended },
        Report::Seen { reflexive, relayed } => EngineEvent::Seen { session, reflexive, relayed },
        Report::SeenAnew { reflexive, relayed } => EngineEvent::SeenAnew { session, reflexive, relayed },
        Report::Secured(plan, result) => EngineEvent::Secured { session, plan, result },
        Report::Silent { again } => EngineEvent::Silent { session, again },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::plan::{Codec, MediaPlan};

    #[test]
    fn who_talks_muted_in_a_conference_is_told_once() {
        let (told, hints) = mpsc::channel();
        let (mut runner, _) =
            Runner::new(AudioChoice::Null, Box::new(move |event| drop(told.send(event)))).expect("nothing to open");
        let now = clock();
        for id in [1, 2] {
            let mut session = Session::new(PortPair::bind(std::net::Ipv4Addr::LOCALHOST.into()).expect("free ports"));
            session.set_plan(now, MediaPlan::of(Codec::Pcmu), None, None);
            session.connected(now);
            runner.sessions.insert(id, session);
        }
        let talk = |runner: &mut Runner| {
            for n in 0..200 {
                let level = if n % 30 < 20 { 0.1 } else { 0.0 };
                runner.microphone = vec![level; BLOCK];
                runner.hint_muted();
            }
            hints.try_iter().filter(|event| matches!(event, EngineEvent::TalksMuted { .. })).count()
        };
        assert_eq!(talk(&mut runner), 0, "heard by both");
        for session in [1, 2] {
            runner.command(now, EngineCommand::Mute { session, on: true });
        }
        assert_eq!(talk(&mut runner), 1);
    }
}
