//! The loop: one input at a time, then everything that the cores ask for because of it.

use super::{
    account,
    answers::Answers,
    api::{Command, Event, Tagged},
    check::NetworkCheck,
    exposure_file::ExposureFile,
    handle::Options,
    keepalive::{Due, KeepAlive},
    local,
    media::Media,
    network::{self, Watch},
    orphans::Orphans,
    quality_report::QualityReports,
    reach::{Found as Server, Reach},
    resolve::{Dns, Found},
    tms::{TmsInput, TmsShell},
    trace::Trace,
    transport::{Received, Sockets, Transports},
};
use crate::{
    media::{check::Finding, engine::EngineEvent, plan::SrtpPolicy, security::DtlsIdentity},
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Message, Method},
    },
    stream, stun,
    tms::{client::Client, sessions::Sessions},
    ua::{
        UserAgent,
        api::{CallId, CallState, ResolveId},
    },
};
use jiff::Timestamp;
use recording::Recordings;
use shutdown::Phase;
use signals::Signals;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::JoinSet};

mod check;
mod commands;
mod outputs;
mod recording;
mod shutdown;
mod signals;
mod told;
mod traced;
mod whereabouts;

/// Answers of the TMS and the media engine waiting for the loop.
const INPUTS: usize = 256;

/// Everything that can happen.
enum Input {
    /// `None`: the front end is gone, which means the same as [`Command::Quit`].
    Command(Option<Tagged<Command>>),
    Network(Received),
    Resolved(ResolveId, Result<Found, String>),
    Tms(TmsInput),
    Media(EngineEvent),
    /// The STUN server or the relay was looked up.
    Server(Server),
    /// The system asks us to end.
    Signal,
    Timer,
}

/// Where waiting inputs come from, apart from the state they are fed to.
struct Sources {
    commands: mpsc::Receiver<Tagged<Command>>,
    tms: mpsc::Receiver<TmsInput>,
    media: mpsc::Receiver<EngineEvent>,
    signals: Signals,
}

pub(super) struct Shell {
    options: Options,
    /// As bound; the port is the one that was picked.
    bound: SocketAddr,
    agent: UserAgent,
    session: Sessions,
    transports: Transports,
    tms: TmsShell,
    media: Media,
    dns: Dns,
    reach: Reach,
    look_ups: JoinSet<(ResolveId, Result<Found, String>)>,
    keep_alive: KeepAlive,
    watch: Watch,
    /// The check before the shift, with what its first part has found.
    check: Option<(NetworkCheck, Vec<Finding>)>,
    /// The call that it has made; nobody else hears of that.
    probe: Option<CallId>,
    /// A call that takes over one that was muted and is not told of yet.
    taken_over_muted: Option<CallId>,
    orphans: Orphans,
    quality_reports: QualityReports,
    exposure_file: ExposureFile,
    look_at: Instant,
    /// Whom the way is watched to: the server, where we are registered, else whoever was looked up last.
    towards: Option<SocketAddr>,
    entropy: Entropy,
    answers: Answers,
    trace: Trace,
    /// Of the next account.
    emergency_numbers: Vec<String>,
    recording: Recordings,
    phase: Phase,
    /// There is a certificate for the handshakes of encrypted calls, or there can be none.
    is_ready_for_calls: bool,
    events: Box<dyn FnMut(Tagged<Event>) + Send>,
}

impl Shell {
    /// Runs until [`Command::Quit`].
    ///
    /// # Errors
    /// A sentence: it cannot run.
    pub(super) async fn run(
        options: Options,
        sockets: Sockets,
        first: Option<Command>,
        commands: mpsc::Receiver<Tagged<Command>>,
        events: Box<dyn FnMut(Tagged<Event>) + Send>,
    ) -> Result<(), String> {
        let (tms_sender, tms) = mpsc::channel(INPUTS);
        let (media_sender, media) = mpsc::channel(INPUTS);
        let opened = sockets
            .address()
            .and_then(|bound| Ok((bound, Transports::new(sockets, options.ca_file.clone())?, Signals::new()?)));
        let (bound, transports, signals) =
            opened.map_err(|e| format!("The SIP sockets cannot be used ({e}); start Agent Manager again."))?;
        let mut entropy = Entropy::from_system();
        let mut agent = UserAgent::new(options.agent.clone(), entropy.fork());
        let said = options.media.clone();
        agent.offer_ice(said.opens_ways());
        let session = Sessions::new(&options.agent.instance_id, entropy.fork());
        let emergency_numbers = account::emergency_numbers(options.emergency_numbers.as_deref(), &[]);
        let mut shell = Self {
            bound,
            agent,
            session,
            transports,
            tms: TmsShell::new(Client::new(options.ca_file.clone()), tms_sender),
            media: Media::new(
                (options.audio.clone(), options.voice, options.hold_music.clone()),
                options.impairment,
                bound.ip(),
                media_sender,
            ),
            dns: Dns::new(options.dns_server, &mut entropy),
            reach: Reach::new(said.stun, said.turn, options.ca_file.clone()),
            look_ups: JoinSet::new(),
            keep_alive: KeepAlive::default(),
            watch: Watch::default(),
            check: None,
            probe: None,
            taken_over_muted: None,
            quality_reports: QualityReports::new(said.quality_report),
            exposure_file: ExposureFile::read(options.exposure_file.clone()),
            orphans: Orphans::read(options.calls_file.clone()),
            look_at: clock(),
            towards: None,
            entropy,
            answers: Answers::default(),
            trace: Trace::default(),
            emergency_numbers,
            recording: Recordings::default(),
            phase: Phase::Running,
            is_ready_for_calls: false,
            events,
            options,
        };
        shell.start(first);
        let mut sources = Sources { commands, tms, media, signals };
        shell.run_loop(&mut sources).await;
        shell.media.shutdown();
        // How recordings ended that ran until now.
        while let Ok(event) = sources.media.try_recv() {
            shell.handle_media(clock(), event);
        }
        shell.exposure_file.settle().await;
        Ok(())
    }

    fn start(&mut self, first: Option<Command>) {
        self.reach.look_up();
        self.media.heard_before(&self.exposure_file, wall_clock(), clock());
        // Bound to every address, the right one is known once the peer is.
        let address = local::shown(self.bound);
        self.set_local(address);
        let transport = self.options.transport.unwrap_or(Transport::Udp);
        self.tell(Event::Ready { sip: format!("{}:{address}", transport.uri_name()) });
        if let Some(what) = first {
            let now = clock();
            self.handle_command(now, Tagged { id: None, what });
            self.drain(now);
        }
    }

    async fn run_loop(&mut self, sources: &mut Sources) {
        while self.phase != Phase::Done {
            let input = self.next(sources).await;
            let now = clock();
            self.handle(now, input);
            self.drain(now);
            self.media.wake();
            self.advance_shutdown(now);
        }
        self.note_calls(None);
    }

    /// Writes down what a crash would leave standing, if something has changed and it is time; `None`: there is no later.
    fn note_calls(&mut self, now: Option<Instant>) {
        if !self.orphans.is_due(now) {
            return;
        }
        let (name, dialogs) = (self.agent.account_name(), self.agent.dialogs());
        // Without an account nobody could end them later.
        if name.is_some() || dialogs.is_empty() {
            self.orphans.note(&name.unwrap_or_default(), dialogs);
        }
    }

    async fn next(&mut self, sources: &mut Sources) -> Input {
        // Far away rather than never: one arm for both.
        let deadline = self.poll_timeout().unwrap_or_else(|| clock() + Duration::from_secs(3600));
        tokio::select! {
            received = self.transports.next() => Input::Network(received),
            command = sources.commands.recv(), if self.phase == Phase::Running => Input::Command(command),
            Some(Ok((id, result))) = self.look_ups.join_next() => Input::Resolved(id, result),
            Some(server) = self.reach.next() => Input::Server(server),
            Some(input) = sources.tms.recv() => Input::Tms(input),
            Some(event) = sources.media.recv() => Input::Media(event),
            () = sources.signals.recv() => Input::Signal,
            () = tokio::time::sleep_until(deadline.into()) => Input::Timer,
        }
    }

    fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Command(Some(command)) => self.handle_command(now, command),
            Input::Command(None) | Input::Signal => self.quit(now),
            Input::Network(received) => self.handle_received(now, received),
            Input::Resolved(id, result) => self.resolved(now, id, result),
            Input::Tms(TmsInput::Answer { id, result }) => self.session.handle_answer(now, wall_clock(), id, result),
            Input::Tms(TmsInput::Stream { generation, what }) => {
                if self.tms.is_current(generation) {
                    self.session.handle_stream(now, what);
                }
            }
            Input::Server(server) => {
                self.reach.found(now, server);
                self.ask_servers(now);
            }
            Input::Media(event) => self.handle_media(now, event),
            Input::Timer => self.handle_timeout(now),
        }
    }

    fn handle_received(&mut self, now: Instant, received: Received) {
        match received {
            Received::Message { flow, message, bytes } => {
                self.received(flow, &message, bytes);
                let begins = [Method::INVITE, Method::REFER];
                if matches!(&message, Message::Request(request) if begins.contains(&request.method)) {
                    self.prepare_for_calls();
                }
                self.agent.handle_message(now, flow, message);
            }
            Received::Pong(flow) => {
                if self.keep_alive.handle_pong(flow) {
                    self.agent.handle_pong(now, flow);
                }
            }
            Received::Stun(flow, binding) => match self.keep_alive.handle_binding(flow, binding) {
                Some(Ok(())) => self.agent.handle_pong(now, flow),
                Some(Err(flow)) => self.flow_lost(now, flow, "the server sees us elsewhere than before", Vec::new()),
                None => {}
            },
            Received::Closed { flow, reason, lost } => {
                tracing::info!("{flow}: {reason}");
                self.flow_lost(now, flow, &reason, lost);
            }
        }
    }

    fn flow_lost(&mut self, now: Instant, flow: Flow, reason: &str, lost: Vec<u64>) {
        self.keep_alive.flow_lost(flow);
        for token in lost {
            self.agent.handle_transport_failed(now, token, reason);
        }
        self.agent.handle_flow_lost(now, flow);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
        self.session.handle_timeout(now, wall_clock());
        self.record_demanded(now);
        self.note_calls(Some(now));
        self.check_network(now, |check| check.handle_timeout(now));
        self.reach.handle_timeout(now);
        self.ask_servers(now);
        while let Some((call, port)) = self.reach.overdue(now) {
            self.agent.handle_media_opened(now, call, Ok(port));
        }
        if self.look_at <= now {
            self.look_at = now + network::EVERY;
            self.look_at_network(now);
        }
        match self.keep_alive.handle_timeout(now, &mut self.entropy) {
            Some(Due::Ping(flow)) => {
                // A connection that is gone reports so by itself.
                let _ = self.transports.send(now, flow, stream::PING.to_vec(), None);
            }
            Some(Due::Stun(flow, transaction)) => {
                let _ = self.transports.send(now, flow, stun::request(transaction), None);
            }
            Some(Due::Dead(flow)) => {
                let lost = self.transports.close(flow);
                self.flow_lost(now, flow, "the peer no longer answers", lost);
            }
            None => {}
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        // Who is offline has nothing to lose.
        let look_at = self.towards.filter(|_| self.agent.has_account()).map(|_| self.look_at);
        let timers = [
            self.agent.poll_timeout(),
            self.session.poll_timeout(),
            self.keep_alive.poll_timeout(),
            self.orphans.poll_timeout(),
            self.reach.poll_timeout(),
            self.recording.poll_timeout().filter(|_| self.phase == Phase::Running),
            self.check.as_ref().and_then(|(check, _)| check.poll_timeout()),
            look_at,
            self.phase.until(),
        ];
        timers.into_iter().flatten().min()
    }

    /// Before the first call, and not at the start: a certificate takes time and memory.
    fn prepare_for_calls(&mut self) {
        if self.agent.srtp() != SrtpPolicy::Off && !std::mem::replace(&mut self.is_ready_for_calls, true) {
            // Without one there are other ways of encrypting.
            match DtlsIdentity::generate() {
                Ok(identity) => {
                    self.agent.set_certificate(identity.fingerprint());
                    self.media.set_identity(identity);
                }
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }

    fn tell(&mut self, what: Event) {
        let id = self.answers.claim(&what);
        let ended = match &what {
            Event::Call(info) if matches!(info.state, CallState::Ended { .. }) => Some(info.call),
            _ => None,
        };
        (self.events)(Tagged { id, what });
        for voided in ended.map(|call| self.answers.ended(call)).unwrap_or_default() {
            (self.events)(voided);
        }
    }

    fn fail(&mut self, command: &'static str, call: Option<u32>, message: String) {
        self.tell(Event::Error { command, call, message });
    }
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the clock")]
fn clock() -> Instant {
    Instant::now()
}

/// For the expiry times that the TMS names.
#[expect(clippy::disallowed_methods, reason = "the shell reads the calendar")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}
