//! The engine's thread: waits, then moves sound between the sessions and the cards.

use super::{
    AudioChoice, EngineCommand, EngineEvent, Impairment, MediaError, Notice, PortPair, SessionId,
    audio::Audio,
    conference::Conference,
    orders::{Order, Orders},
    recordings::Recordings,
    session::Session,
    sessions::{Sessions, WAKE},
};
use crate::media::{
    BLOCK,
    device::{Change, list_devices},
    music::Music,
    record::Recorder,
    security::DtlsIdentity,
    voice::TalkDetector,
};
use mio::{Events, Poll, Waker};
use std::{
    path::PathBuf,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// At the end, recordings get so long to be complete.
const COMPLETION: Duration = Duration::from_millis(400);
/// Later than this the thread's step is heard, or would be but for the reserve.
const LATE: Duration = Duration::from_millis(40);

type Emit = Box<dyn Fn(EngineEvent) + Send>;

pub struct Runner {
    poll: Poll,
    inbox: mpsc::Receiver<Order>,
    orders: Orders,
    emit: Emit,
    audio: Audio,
    sessions: Sessions,
    conference: Conference,
    /// Whether somebody talks into the microphone all the same while calls are muted.
    talk: TalkDetector,
    impairment: Option<Impairment>,
    /// For whoever is on hold, and how often it was asked for.
    music: Option<Music>,
    music_asked: u64,
    /// How many lists of devices were asked for, and which was seen last.
    devices_asked: u64,
    devices_seen: u64,
    recordings: Recordings,
    identity: Option<DtlsIdentity>,
    microphone: Vec<f32>,
    /// When sound was moved last.
    stepped: Instant,
}

impl Runner {
    pub fn new(choice: AudioChoice, emit: Emit) -> Result<(Self, Orders), MediaError> {
        let audio = Audio::new(clock(), choice)?;
        let poll = Poll::new().map_err(MediaError::Thread)?;
        let sessions = Sessions::new(poll.registry().try_clone().map_err(MediaError::Thread)?);
        let (orders, inbox) = Orders::new(Waker::new(poll.registry(), WAKE).map_err(MediaError::Thread)?);
        let runner = Self {
            poll,
            inbox,
            orders: orders.clone(),
            emit,
            audio,
            sessions,
            conference: Conference::default(),
            talk: TalkDetector::default(),
            impairment: None,
            music: None,
            music_asked: 0,
            devices_asked: 0,
            devices_seen: 0,
            recordings: Recordings::default(),
            identity: None,
            microphone: Vec::new(),
            stepped: clock(),
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
            self.sessions.read(now, &events, &self.emit);
            self.step(now);
            self.recordings.look_after(&self.emit);
        }
    }

    fn timeout(&mut self, now: Instant) -> Option<Duration> {
        let audio = self.audio.poll_timeout(now, self.sessions.demand());
        let next =
            audio.into_iter().chain(self.sessions.poll_timeout(now)).chain(self.recordings.poll_timeout(now)).min();
        next.map(|at| at.saturating_duration_since(now))
    }

    /// Carries out what was ordered. `false`: stop.
    fn obey(&mut self, now: Instant) -> bool {
        self.orders.seen();
        while let Ok(order) = self.inbox.try_recv() {
            match order {
                Order::Open(id, ports) => self.open(id, ports),
                Order::Command(command) => self.command(now, command),
                Order::Stats(id, answer) => {
                    let _ = answer.send(self.sessions.running.get(&id).and_then(|session| session.stats(false)));
                }
                Order::AskExposure(answer) => drop(answer.send(self.audio.exposure())),
                Order::DevicesChanged(change) => self.audio.devices_changed(now, change),
                // A list that was asked for later has come before this one.
                Order::Devices(asked, ..) if asked < self.devices_seen => {}
                Order::Devices(asked, microphones, speakers) => {
                    self.devices_seen = asked;
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
                    for id in self.sessions.running.keys().copied().collect::<Vec<_>>() {
                        self.close(now, id);
                    }
                    self.recordings.complete(COMPLETION, clock, &self.emit);
                    return false;
                }
            }
        }
        true
    }

    fn open(&mut self, id: SessionId, ports: PortPair) {
        if let Err(error) = self.sessions.open(id, ports) {
            let text = format!("Audio cannot be received ({error}); hang up and call again.");
            (self.emit)(EngineEvent::Notice(Notice::warning(text)));
        }
    }

    fn command(&mut self, now: Instant, command: EngineCommand) {
        let mut with = |id, act: &mut dyn FnMut(&mut Session)| {
            if let Some(session) = self.sessions.running.get_mut(&id) {
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
            EngineCommand::Conference { sessions } => self.conference.set(sessions, &mut self.sessions.running),
            EngineCommand::Record { session: id, recorder } => {
                let over = match self.sessions.running.get_mut(&id) {
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
            EngineCommand::AskServer { session, stun, relay } => self.sessions.ask(now, session, (stun, relay)),
            EngineCommand::RelayAccess { name, access } => {
                self.sessions.running.values_mut().for_each(|session| session.exchange_access(&name, &access));
            }
            EngineCommand::Identity(identity) => self.identity = Some(identity),
            EngineCommand::Meter { on } => {
                self.audio.set_meter(now, on);
                self.ask_for_devices();
            }
            EngineCommand::Impair(impairment) => {
                self.impairment = impairment;
                self.sessions.running.values_mut().for_each(|session| session.impair(impairment));
            }
        }
    }

    fn close(&mut self, now: Instant, id: SessionId) {
        let recorded = self.sessions.running.get_mut(&id).and_then(|session| session.record(None));
        recorded.into_iter().for_each(|writer| self.recordings.push(id, writer));
        if let Some(stats) = self.sessions.close(now, id) {
            (self.emit)(EngineEvent::Stats { session: id, stats, last: true });
        }
        self.conference.left(id, &mut self.sessions.running);
        if self.sessions.running.is_empty() {
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
        self.sessions.running.values_mut().for_each(|session| session.set_music(self.music.as_ref()));
    }

    /// The list comes as an order.
    fn ask_for_devices(&mut self) {
        if self.audio.has_devices() {
            self.devices_asked += 1;
            let asked = self.devices_asked;
            let orders = self.orders.clone();
            list_devices(move |microphones, speakers| {
                // Where the engine has ended meanwhile, nobody waits for the list.
                let _ = orders.send(Order::Devices(asked, microphones, speakers));
            });
        }
    }

    /// What this end does to the calls: a step that comes late, a device that is missing.
    fn note_trouble(&mut self, now: Instant, due: Instant) {
        let since = now.saturating_duration_since(std::mem::replace(&mut self.stepped, now));
        let late = now.saturating_duration_since(due);
        let stalled = if late > LATE { late } else { Duration::ZERO };
        // The first step after a rest is not a second long.
        let absent = if self.audio.is_incomplete() { since.min(LATE) } else { Duration::ZERO };
        if !(stalled + absent).is_zero() {
            self.sessions.suffered(stalled, absent);
        }
    }

    /// Who talks while muted is told so once, in however many calls.
    fn hint_muted(&mut self) {
        let muted = self.sessions.running.iter().find(|(_, session)| session.is_talked_to_muted());
        if let Some((&session, _)) = muted
            && self.talk.hear(&self.microphone)
        {
            (self.emit)(EngineEvent::TalksMuted { session });
        }
    }

    /// Moves sound, if it is time.
    fn step(&mut self, now: Instant) {
        self.sessions.release(now, &self.emit);
        let demand = self.sessions.demand();
        let Some(due) = self.audio.poll_timeout(now, demand).filter(|due| *due <= now) else { return };
        self.note_trouble(now, due);
        self.microphone.clear();
        let blocks = self.audio.poll(now, demand, &mut self.microphone);
        self.hint_muted();
        let emit = &self.emit;
        if !self.microphone.is_empty() {
            let lives_ms = self.audio.microphone_lives_ms();
            let others = self.conference.others(self.microphone.len(), &mut self.sessions.running);
            for (&id, session) in &mut self.sessions.running {
                let others = others.get(&id).map(Vec::as_slice);
                session.microphone_lives(lives_ms);
                session.speak(&self.microphone, others, &mut |report| emit(report.of(id)));
            }
        }
        let (mut mix, mut block) = ([0.0; BLOCK], [0.0; BLOCK]);
        for n in 0..blocks {
            mix.fill(0.0);
            // All of them are asked for now, whenever each is heard: what comes later comes too late.
            for session in self.sessions.running.values_mut() {
                session.listen(now, &mut block, &mut mix);
            }
            self.audio.play(now + Duration::from_millis(10) * n as u32, &mut mix);
        }
        for (&id, session) in &mut self.sessions.running {
            session.housekeep(now, &mut |report| emit(report.of(id)));
        }
        let changed = self.audio.report(now, &self.microphone, emit);
        let orders = &self.orders;
        let tell = || -> Box<dyn Fn(Change) + Send> {
            let orders = orders.clone();
            Box::new(move |change| {
                // Where the engine has ended meanwhile, nobody wants to know.
                let _ = orders.send(Order::DevicesChanged(change));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        device::Devices,
        plan::{Codec, MediaPlan},
    };

    /// Each is asked for on a thread of its own, and may be held up.
    #[test]
    fn a_list_of_devices_that_was_overtaken_is_no_news() {
        let (told, events) = mpsc::channel();
        let (mut runner, orders) =
            Runner::new(AudioChoice::Null, Box::new(move |event| drop(told.send(event)))).expect("nothing to open");
        for (asked, name) in [(2, "Headset"), (1, "Desk"), (3, "Speaker")] {
            let speakers = Devices { names: vec![name.to_owned()], ..Devices::default() };
            assert!(orders.queue(Order::Devices(asked, Devices::default(), speakers)));
        }
        assert!(runner.obey(clock()));
        let seen = |event| if let EngineEvent::Devices(list) = event { list.speakers } else { Vec::new() };
        assert_eq!(events.try_iter().flat_map(seen).collect::<Vec<_>>(), ["Headset", "Speaker"]);
    }

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
            runner.sessions.running.insert(id, session);
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
