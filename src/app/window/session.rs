//! The session thread: owns settings, secrets, history, the driver and the ringing window's process, and decides nothing
//! about calls.

#![expect(clippy::disallowed_methods, reason = "a shell: it reads the clocks")]

mod desk;
mod engine;
mod headset;
mod opening;
mod plain;
mod settings;
mod sign_in;

use super::{
    fold::{Fold, Moment},
    handover::Reception,
    history::History,
    intents::commands,
    keeper::{Answer, Keyring},
    locale::{until_midnight, zone},
    ring::RingingWindow,
    shared::Shared,
    talks::Talks,
};
use crate::{
    app::{footprint, headset::Handset, logging, memory::Memory, setup::Setup},
    config::{cli::WindowArgs, folder::ConfigFolder, secrets::Secrets},
    driver::{
        Driver,
        api::{Command, Event, Login, SipPasswords, Tagged, XmlLogin},
    },
    headset::{Told, Watcher, real_bus},
    ua::api::Secret,
    ui::{
        screen::ring::data::Pressed,
        snapshot::{HistoryKind, Intent, Notice, NoticeKind},
    },
};
use engine::Starter;
use jiff::{Timestamp, civil::Date};
use plain::Waiting;
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Events and intents waiting; the driver's few a second never fill it.
const INPUTS: usize = 1024;
/// After [`Command::Quit`] the driver ends within two seconds; a little more, and it is left behind.
const GOODBYE: Duration = Duration::from_millis(2_500);
const ENGINE_STOPPED: &str = "Agent Manager's engine stopped; quit and start again.";

/// What the session thread hears.
#[derive(Debug)]
pub enum Input {
    Event(Event),
    Intent(Intent),
    Keyring(Answer),
    Headset(Told),
    /// A second start: a link to open, or empty to show the window only.
    HandedOver(Secret),
    /// From the ringing window.
    Pressed {
        call: u32,
        pressed: Pressed,
    },
    /// A ringing window's process is gone.
    RingingWindowEnded {
        process: u32,
    },
    /// The window is gone.
    Closed,
}

/// The last words of a session thread that panics.
struct LastWords(Arc<Shared>);

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(ENGINE_STOPPED.to_owned());
        }
    }
}

/// The running thread.
pub struct Session {
    pub input: SyncSender<Input>,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Hangs up, un-registers, signs out, and waits for all that.
    pub fn stop(self) {
        if self.input.send(Input::Closed).is_ok()
            && let Some(thread) = self.thread
            && thread.join().is_err()
        {
            tracing::error!("the session thread ended in a panic");
        }
    }
}

pub fn start(args: WindowArgs, shared: Arc<Shared>) -> Session {
    let (input, inputs) = sync_channel(INPUTS);
    let own = input.clone();
    let named = std::thread::Builder::new().name("session".into());
    let told = Arc::clone(&shared);
    let thread = named.spawn(move || {
        let _last_words = LastWords(Arc::clone(&shared));
        let log = ConfigFolder::locate(args.common.config_dir.as_deref()).map(|folder| logging::usual(&folder));
        let logging = logging::start(&args.common, log.ok().as_deref()).map_err(|why| why.to_string());
        match logging.and_then(|()| Running::start(&args, own, Arc::clone(&shared))) {
            Ok(running) => running.run(&inputs),
            Err(sentence) => {
                eprintln!("agent-manager: {sentence}");
                shared.fail(sentence);
            }
        }
    });
    if let Err(why) = &thread {
        let text = format!("The system gives no thread to work on: {why}. Close other programs and start again.");
        told.notice(Notice { kind: NoticeKind::Error, text });
    }
    Session { input, thread: thread.ok() }
}

struct Running {
    shared: Arc<Shared>,
    memory: Memory,
    starter: Starter,
    driver: Driver,
    history: History,
    fold: Fold,
    talks: Talks,
    handset: Handset,
    headset: Option<Watcher>,
    ring: RingingWindow,
    /// Kept once the TMS has accepted it.
    signing_in: Option<(Login, bool)>,
    /// Tenant and key that the TMS has accepted: SIP passwords are kept with them, once the registrar has accepted those.
    xml: Option<(XmlLogin, bool)>,
    sip_password: Option<(String, Secret)>,
    keyring: Keyring,
    /// To sign in once the keyring has given what is missing; the number tells an answer that came too late.
    incomplete: Option<(Login, bool)>,
    /// The same for a plain account, which is kept once the registrar has accepted it.
    incomplete_sip: Option<Waiting>,
    unproved_sip: Option<Waiting>,
    serial: u32,
    stopped: bool,
    /// The day that times of day are told on.
    today: Date,
    /// Hears of second starts.
    _reception: Option<Reception>,
}

impl Running {
    fn start(args: &WindowArgs, input: SyncSender<Input>, shared: Arc<Shared>) -> Result<Self, String> {
        let setup = Setup::open(&args.common).map_err(|why| why.to_string())?;
        let reception = Reception::open(setup.memory.folder().path(), input.clone());
        let mut fold = Fold::default();
        let (history, damage) = History::load(Arc::clone(setup.memory.folder()));
        fold.snapshot = opening::first_snapshot(&setup, args);
        // What is known without secrets is shown at once; the keyring may take its time.
        shared.publish(&fold.snapshot, false);
        let deaf = reception.as_ref().err().map(ToString::to_string);
        for text in setup.notices.into_iter().chain(damage).chain(deaf) {
            shared.notice(Notice { kind: NoticeKind::Warning, text });
        }
        let starter = Starter::new(input.clone(), setup.instance_id);
        let driver = starter.start(setup.memory.folder(), setup.memory.settings())?;
        let keyring = Keyring::start(input.clone()).map_err(|why| {
            format!("The system gives no thread to work on: {why}. Close other programs and start again.")
        })?;
        let headset = headset::watch(real_bus(), input.clone());
        let ring = RingingWindow::new(input);
        let memory = setup.memory;
        let mut running = Self {
            shared,
            memory,
            starter,
            driver,
            history,
            fold,
            talks: Talks::default(),
            handset: Handset::default(),
            headset,
            ring,
            signing_in: None,
            xml: None,
            sip_password: None,
            keyring,
            incomplete: None,
            incomplete_sip: None,
            unproved_sip: None,
            serial: 0,
            stopped: false,
            today: moment().wall.date(),
            _reception: reception.ok(),
        };
        running.show_history();
        let dialled = running.fold.snapshot.history.iter().find(|entry| entry.kind == HistoryKind::Outgoing);
        running.handset = Handset::new(dialled.map(|entry| entry.peer.clone()));
        running.show_colleagues();
        running.introduce();
        running.resume(args);
        Ok(running)
    }

    fn run(mut self, inputs: &Receiver<Input>) {
        let mut closing: Option<Instant> = None;
        while !self.stopped {
            let at = self.turn_page();
            let due = [self.fold.poll_timeout(), closing].into_iter().flatten().min();
            let wait = due.map_or(Duration::MAX, |due| due.saturating_duration_since(at.now));
            let input = inputs.recv_timeout(wait.min(until_midnight(&at.wall)));
            let mut can_wait = false;
            match input {
                Ok(Input::Closed) => {
                    closing = Some(Instant::now() + GOODBYE);
                    self.send(Command::Quit);
                }
                Ok(Input::Event(event)) => can_wait = self.event(event),
                Ok(Input::Keyring(answer)) => self.keyring_says(answer),
                Ok(Input::Headset(told)) => self.headset_says(told),
                Ok(Input::HandedOver(link)) => self.handed_over(&link),
                Ok(Input::Intent(intent)) => self.intent(intent),
                Ok(Input::Pressed { call, pressed }) => self.intent(match pressed {
                    Pressed::Answer => Intent::Answer { call },
                    Pressed::Reject => Intent::Reject { call },
                }),
                Ok(Input::RingingWindowEnded { process }) => {
                    let ended = self.ring.ended(process);
                    self.tell(ended);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            if closing.is_some_and(|at| at <= now) {
                tracing::error!("the driver did not stop in time");
                return;
            }
            self.fold.handle_timeout(now);
            self.light_headset();
            let shown = self.ring.follow(&self.fold.snapshot, now);
            self.tell(shown);
            self.shared.publish(&self.fold.snapshot, can_wait);
        }
        self.ring.close();
        self.driver.join();
        // After a signal, say. What keeps the softphone from working stays to be read.
        if self.fold.snapshot.fatal.is_none() {
            self.shared.close();
        }
    }

    /// Whether what it changed can wait to be painted.
    fn event(&mut self, event: Event) -> bool {
        if let Event::Stopped { failure } = &event {
            self.stopped = true;
            if failure.is_some() {
                self.fold.snapshot.fatal.clone_from(failure);
            }
        }
        footprint::note_event(&event);
        self.handset.handle_event(&event);
        for hold in self.talks.handle_event(&event) {
            self.send(hold);
        }
        self.keep_what_was_accepted(&event);
        self.keep_sip(&event);
        let by = self.memory.settings().signed_in_by;
        match self.memory.note_event(&event) {
            Ok(Some(command)) => self.command(command),
            Ok(None) => {}
            Err(why) => self.tell::<()>(Err(why)),
        }
        self.forget_token(by);
        let outcome = self.fold.handle_event(&moment(), event);
        self.fold.join(self.talks.joined());
        for notice in outcome.notices {
            self.shared.notice(notice);
        }
        if let Some(call) = outcome.finished {
            let written = self.history.add(call);
            self.tell(written);
            self.show_history();
        }
        if let Some((call, heard)) = outcome.heard {
            self.history.heard(call, heard);
            self.show_history();
        }
        if outcome.refresh {
            self.send(Command::Registrations);
        }
        outcome.can_wait
    }

    fn intent(&mut self, intent: Intent) {
        match intent {
            Intent::Apply { server, username, password, api_key, remember } => {
                let secrets = Secrets { password, api_key, ..Secrets::default() };
                self.apply(&server, username, secrets, remember);
            }
            Intent::ApplyXml { server, tenant, key, sip_server, remember } => {
                let sip_server = (!sip_server.is_empty()).then_some(sip_server);
                let (url, passwords) = (server, SipPasswords::default());
                self.apply_xml(XmlLogin { url, username: None, tenant, key, sip_server, passwords }, remember);
            }
            Intent::ApplySip { account, password, remember } => self.apply_sip(*account, password, remember),
            Intent::CancelSignIn => self.cancel_sign_in(),
            Intent::Record { call, on } => self.record(call, on),
            Intent::AddColleague { name, number } => self.add_colleague(&name, &number),
            Intent::RemoveColleague { number } => self.remove_colleague(&number),
            Intent::Settings(settings) => self.set_window(settings),
            Intent::ClearHistory => {
                let written = self.history.clear();
                self.tell(written);
                self.show_history();
            }
            other => {
                match &other {
                    Intent::SignOut => self.leave(),
                    Intent::Trace { .. } => self.fold.snapshot.trace = None,
                    Intent::SipPassword { registration, password } => {
                        self.sip_password = Some((registration.clone(), password.clone()));
                        self.fold.choose(&moment(), registration.clone());
                    }
                    Intent::Select { registration, .. } => self.fold.choose(&moment(), registration.clone()),
                    Intent::GoOffline => self.fold.take_choice_back(&moment()),
                    Intent::Meter { on } => self.fold.set_meters(*on),
                    Intent::ChooseAudio { microphone, speaker, ringer, alert, alone } => {
                        self.choose_audio([microphone, speaker, ringer, alert].map(Clone::clone), *alone);
                    }
                    Intent::Voice(voice) => self.set_voice(*voice),
                    Intent::HoldMusic(file) => self.set_hold_music(file),
                    Intent::Check { echo } => self.set_echo_number(echo),
                    _ => {}
                }
                for command in commands(&other, &self.fold.snapshot) {
                    self.command(command);
                }
            }
        }
    }

    /// A command that a person gave, or that stands for one.
    fn command(&mut self, command: Command) {
        self.handset.handle_command(&command);
        for hold in self.talks.handle_command(&command) {
            self.send(hold);
        }
        let by = self.memory.settings().signed_in_by;
        let noted = self.memory.note_command(&command);
        self.tell(noted);
        self.forget_token(by);
        self.send(command);
        self.fold.join(self.talks.joined());
    }

    fn send(&self, what: Command) {
        if let Err(why) = self.driver.send(Tagged { id: None, what }) {
            self.shared.notice(Notice { kind: NoticeKind::Error, text: why.to_string() });
        }
    }

    /// What could not be kept is said; everything else goes on.
    fn tell<T>(&self, result: Result<T, impl std::fmt::Display>) {
        if let Err(why) = result {
            self.shared.notice(Notice { kind: NoticeKind::Warning, text: why.to_string() });
        }
    }

    /// Times of day are words: on another day they are others, at midnight and after a night's sleep.
    fn turn_page(&mut self) -> Moment {
        let at = moment();
        let today = at.wall.date();
        if std::mem::replace(&mut self.today, today) != today {
            self.fold.handle_new_day(&at);
            self.show_history();
            self.shared.publish(&self.fold.snapshot, false);
        }
        at
    }

    fn show_history(&mut self) {
        let moment = moment();
        self.fold.snapshot.history = self.history.shown(&moment.wall, self.fold.snapshot.locale);
    }
}

fn moment() -> Moment {
    Moment { now: Instant::now(), wall: Timestamp::now().to_zoned(zone()) }
}

#[cfg(test)]
mod tests;
