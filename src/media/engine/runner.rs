//! The engine's thread: waits, then moves sound between sessions and the card.

use super::{
    AudioChoice, EngineCommand, EngineEvent, Impairment, MediaError, PortPair, SessionId, Tone,
    session::{Report, Session},
};
use crate::media::{
    BLOCK,
    device::{Card, FileCard, NullCard, Tape},
    dsp::{peak, tone::ToneSource},
    stats::CallStats,
};
use mio::{Events, Interest, Poll, Token};
use std::{
    collections::BTreeMap,
    sync::mpsc,
    time::{Duration, Instant},
};

/// The token of orders; sessions have the others.
pub const WAKE: Token = Token(usize::MAX);

/// Steps of a card that only runs on, for its recording's sake.
const IDLE_STEP: Duration = Duration::from_millis(200);
const LEVELS_EVERY: Duration = Duration::from_millis(66);

/// What the handle sends.
pub enum Order {
    Open(SessionId, PortPair),
    Command(EngineCommand),
    Stats(SessionId, mpsc::Sender<Option<CallStats>>),
    Stop,
}

type Emit = Box<dyn Fn(EngineEvent) + Send>;

pub struct Runner {
    poll: Poll,
    inbox: mpsc::Receiver<Order>,
    emit: Emit,
    choice: AudioChoice,
    /// Opened files wait here for the first session.
    tape: Option<Tape>,
    card: Option<Box<dyn Card>>,
    sessions: BTreeMap<SessionId, Session>,
    tone: Option<ToneSource>,
    /// Peaks since the last report, and when the next is due, while the meters are on.
    meter: Option<Meter>,
    impairment: Option<Impairment>,
    microphone: Vec<f32>,
}

struct Meter {
    microphone: f32,
    speaker: f32,
    due: Instant,
}

impl Runner {
    pub fn new(poll: Poll, inbox: mpsc::Receiver<Order>, choice: AudioChoice, emit: Emit) -> Result<Self, MediaError> {
        let tape = open_tape(&choice)?;
        Ok(Self {
            poll,
            inbox,
            emit,
            choice,
            tape,
            card: None,
            sessions: BTreeMap::new(),
            tone: None,
            meter: None,
            impairment: None,
            microphone: Vec::new(),
        })
    }

    pub fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut unread = false;
        loop {
            let timeout = match self.poll_timeout() {
                _ if unread => Some(Duration::ZERO),
                Some(at) => Some(at.saturating_duration_since(Instant::now())),
                None => None,
            };
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                tracing::error!("waiting for audio packets: {error}");
                return;
            }
            let now = Instant::now();
            if !self.obey(now) {
                return;
            }
            let tokens = events.iter().map(|event| event.token()).filter(|token| *token != WAKE);
            let readable: Vec<SessionId> = match unread {
                true => self.sessions.keys().copied().collect(),
                false => tokens.map(|token| (token.0 / 2) as SessionId).collect(),
            };
            unread = false;
            for id in readable {
                if let Some(session) = self.sessions.get_mut(&id) {
                    unread |= session.read(now, &mut |report| (self.emit)(event(id, report)));
                }
            }
            self.step(now);
        }
    }

    /// Carries out what was ordered. `false`: stop.
    fn obey(&mut self, now: Instant) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Open(id, ports)) => self.open(id, ports),
                Ok(Order::Command(command)) => self.command(now, command),
                Ok(Order::Stats(id, answer)) => {
                    let _ = answer.send(self.sessions.get(&id).and_then(|session| session.stats(false)));
                }
                Ok(Order::Stop) | Err(mpsc::TryRecvError::Disconnected) => {
                    for id in self.sessions.keys().copied().collect::<Vec<_>>() {
                        self.close(now, id);
                    }
                    return false;
                }
                Err(mpsc::TryRecvError::Empty) => return true,
            }
        }
    }

    fn open(&mut self, id: SessionId, ports: PortPair) {
        let mut session = Session::new(ports);
        let (token, registry) = (id as usize * 2, self.poll.registry());
        let ports = session.ports();
        let registered = registry
            .register(&mut ports.rtp, Token(token), Interest::READABLE)
            .and_then(|()| registry.register(&mut ports.rtcp, Token(token + 1), Interest::READABLE));
        if let Err(error) = registered {
            (self.emit)(EngineEvent::Notice(format!("Audio cannot be received ({error}); hang up and call again.")));
        }
        self.sessions.insert(id, session);
    }

    fn command(&mut self, now: Instant, command: EngineCommand) {
        match command {
            EngineCommand::Plan { session, plan } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.set_plan(now, plan, self.impairment);
                }
            }
            EngineCommand::Connected { .. } => {
                self.prepare_card(now);
                if let Some(card) = &mut self.card {
                    card.connected(now);
                }
            }
            EngineCommand::Mute { session, on } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.mute(on);
                }
            }
            EngineCommand::Dtmf { session, digits, via } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.press(&digits, via);
                }
            }
            EngineCommand::Close { session } => self.close(now, session),
            EngineCommand::Tone { tone } => self.tone = tone.map(ToneSource::new),
            EngineCommand::Audio(choice) => self.choose(choice),
            EngineCommand::Meter { on } => {
                self.meter = on.then_some(Meter { microphone: 0.0, speaker: 0.0, due: now + LEVELS_EVERY });
            }
            EngineCommand::Impair(impairment) => {
                self.impairment = impairment;
                for session in self.sessions.values_mut() {
                    session.impair(impairment);
                }
            }
        }
    }

    fn close(&mut self, now: Instant, id: SessionId) {
        if let Some(stats) = self.sessions.remove(&id).and_then(|session| session.close(now)) {
            (self.emit)(EngineEvent::Stats { session: id, stats, last: true });
        }
    }

    fn choose(&mut self, choice: AudioChoice) {
        if choice == self.choice {
            return;
        }
        match open_tape(&choice) {
            Ok(tape) => {
                self.tape = tape;
                self.choice = choice;
                self.card = None;
            }
            Err(error) => (self.emit)(EngineEvent::Notice(error.to_string())),
        }
    }

    /// Whether anything is to be heard or spoken.
    fn needs_card(&self) -> bool {
        let tone = self.tone.as_ref().is_some_and(|source| !rings(source.tone()));
        tone || self.meter.is_some()
            || self.sessions.values().any(Session::is_running)
            || self.card.as_ref().is_some_and(|card| card.runs_on())
    }

    fn prepare_card(&mut self, now: Instant) {
        if self.card.is_none() {
            self.card = Some(match self.tape.take() {
                Some(tape) => Box::new(FileCard::new(now, tape)),
                None => Box::new(NullCard::new(now)),
            });
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let busy = self.tone.is_some() || self.meter.is_some() || self.sessions.values().any(Session::is_running);
        let card = match &self.card {
            Some(card) if busy => Some(card.poll_timeout()),
            Some(card) if card.runs_on() => Some(card.poll_timeout() + IDLE_STEP),
            Some(_) => None,
            None if self.needs_card() => Some(Instant::now()),
            None => None,
        };
        self.sessions.values().filter_map(Session::poll_timeout).chain(card).min()
    }

    /// Moves sound, if it is time.
    fn step(&mut self, now: Instant) {
        for (&id, session) in &mut self.sessions {
            session.release(now, &mut |report| (self.emit)(event(id, report)));
        }
        if !self.needs_card() {
            return;
        }
        self.prepare_card(now);
        let Some(card) = &mut self.card else { return };
        self.microphone.clear();
        let blocks = card.poll(now, &mut self.microphone);
        if !self.microphone.is_empty() {
            for (&id, session) in &mut self.sessions {
                session.speak(&self.microphone, &mut |report| (self.emit)(event(id, report)));
            }
        }
        let (mut mix, mut block) = ([0.0; BLOCK], [0.0; BLOCK]);
        for n in 0..blocks {
            mix.fill(0.0);
            let at = now + Duration::from_millis(10) * n as u32;
            for session in self.sessions.values_mut() {
                session.listen(at, &mut block, &mut mix);
            }
            if let Some(tone) = &mut self.tone
                && !rings(tone.tone())
                && !tone.mix(&mut mix)
            {
                self.tone = None;
            }
            mix.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
            card.play(&mix);
            if let Some(meter) = &mut self.meter {
                meter.speaker = meter.speaker.max(peak(&mix));
            }
        }
        if let Some(notice) = card.poll_notice() {
            (self.emit)(EngineEvent::Notice(notice));
        }
        for (&id, session) in &mut self.sessions {
            session.housekeep(now, &mut |report| (self.emit)(event(id, report)));
        }
        self.measure(now);
    }

    fn measure(&mut self, now: Instant) {
        let Some(meter) = &mut self.meter else { return };
        meter.microphone = meter.microphone.max(peak(&self.microphone));
        if now >= meter.due {
            (self.emit)(EngineEvent::Levels { microphone: meter.microphone, speaker: meter.speaker });
            *meter = Meter { microphone: 0.0, speaker: 0.0, due: now + LEVELS_EVERY };
        }
    }
}

fn event(session: SessionId, report: Report) -> EngineEvent {
    match report {
        Report::Key(digit) => EngineEvent::Dtmf { session, digit },
        Report::KeysSent => EngineEvent::DtmfSent { session },
        Report::Stats(stats) => EngineEvent::Stats { session, stats, last: false },
    }
}

/// Whether a tone belongs to the ringer.
fn rings(tone: Tone) -> bool {
    matches!(tone, Tone::Ring | Tone::Test { ringer: true })
}

fn open_tape(choice: &AudioChoice) -> Result<Option<Tape>, MediaError> {
    match choice {
        AudioChoice::File { input, output } => Tape::open(input, output).map(Some),
        AudioChoice::Device { .. } | AudioChoice::Null => Ok(None),
    }
}
