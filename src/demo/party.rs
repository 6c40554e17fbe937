//! One party: a user agent of ours on a socket of its own, with a media engine for each of its calls.

use super::role::{Act, Role};
use crate::{
    media::{
        engine::{EngineCommand, MediaEngine},
        plan::{Codec, SrtpPolicy},
    },
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
        uri::{Host, SipUri, Uri},
        wire,
    },
    ua::{
        UserAgent,
        api::{
            Account, CallId, CallInfo, CallState, Command, Event, Output, RegistrationState, Secret, Services, Settings,
        },
    },
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::UdpSocket, sync::watch, time::sleep_until};

/// Who a party is towards the registrar.
#[derive(Clone, Debug)]
pub struct Login {
    /// Its registration: `600-acme`.
    pub username: String,
    pub password: Secret,
    pub realm: String,
}

/// Things a party has still to do; a crowd of callers gets no more than this.
const MAX_PLANS: usize = 64;
const DATAGRAM: usize = 65_535;
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Where nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// See the module.
pub struct Party {
    role: Role,
    account: Account,
    proxy: SocketAddr,
    socket: UdpSocket,
    agent: UserAgent,
    speech: Arc<[i16]>,
    engines: HashMap<CallId, MediaEngine>,
    connected: HashSet<CallId>,
    plans: BTreeMap<(Instant, u64), Act>,
    planned: u64,
    online: watch::Sender<bool>,
}

impl Party {
    /// Ready to [`Party::run`]; `online` tells once it has registered.
    ///
    /// # Errors
    /// Where no socket is to be had.
    pub async fn new(
        role: Role,
        login: Login,
        proxy: SocketAddr,
        speech: Arc<[i16]>,
        online: watch::Sender<bool>,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(LOCAL, 0)).await?;
        let mut entropy = Entropy::from_system();
        let settings = Settings {
            codecs: vec![Codec::Opus, Codec::Pcmu, Codec::Pcma],
            srtp: SrtpPolicy::Optional,
            instance_id: format!("urn:uuid:{}", uuid::Uuid::new_v4()),
            user_agent: role.user_agent().to_owned(),
            auto_answer: role.answers_after(),
            max_calls: Some(role.max_calls()),
            silence_suppression: false,
            services: Services::default(),
        };
        let mut agent = UserAgent::new(settings, entropy.fork());
        agent.set_local(Transport::Udp, socket.local_addr()?);
        let account = account(role, login, proxy);
        Ok(Self {
            role,
            account,
            proxy,
            socket,
            agent,
            speech,
            engines: HashMap::new(),
            connected: HashSet::new(),
            plans: BTreeMap::new(),
            planned: 0,
            online,
        })
    }

    /// Plays its part until `stop` says so or its other end is gone; then hangs up and un-registers.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut datagram = vec![0; DATAGRAM];
        let mut stopping = false;
        self.perform(Act::Register);
        while !self.carry_out().await {
            let due = [self.agent.poll_timeout(), self.plans.keys().next().map(|(at, _)| *at)];
            let due = due.into_iter().flatten().min().unwrap_or_else(|| now() + IDLE);
            tokio::select! {
                received = self.socket.recv_from(&mut datagram) => {
                    if let Ok((length, remote)) = received && let Ok(message) = wire::read(&datagram[..length]) {
                        self.agent.handle_message(now(), Flow { transport: Transport::Udp, remote }, message);
                    }
                }
                () = sleep_until(due.into()) => {
                    self.agent.handle_timeout(now());
                    self.perform_due();
                }
                _ = stop.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    self.plans.clear();
                    self.agent.handle_command(now(), Command::Shutdown);
                }
            }
        }
        for (_, engine) in self.engines.drain() {
            end(engine);
        }
    }

    /// Whether the user agent has nothing left to say.
    async fn carry_out(&mut self) -> bool {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Transmit { flow, payload, token } => {
                    let sent = self.socket.send_to(&payload, flow.remote).await;
                    if let (Err(error), Some(token)) = (sent, token) {
                        self.agent.handle_transport_failed(now(), token, &error.to_string());
                    }
                }
                Output::Resolve { id, .. } => {
                    let flow = Flow { transport: Transport::Udp, remote: self.proxy };
                    self.agent.handle_resolved(now(), id, Ok(vec![flow]));
                }
                Output::OpenMedia { call, .. } => {
                    let opened = self.open_media(call);
                    self.agent.handle_media_opened(now(), call, opened);
                }
                Output::Media { call, plan } => self.tell_engine(call, EngineCommand::Plan { session: call, plan }),
                Output::CloseMedia { call } => self.engines.remove(&call).into_iter().for_each(end),
                Output::Event(event) => self.handle_event(event),
                Output::Idle => return true,
            }
        }
        false
    }

    fn open_media(&mut self, call: CallId) -> Result<SocketAddr, String> {
        let engine = match self.engines.remove(&call) {
            Some(engine) => engine,
            // One for each call: what one caller says is nobody else's to hear.
            None => MediaEngine::start(self.role.audio(&self.speech), |_| ()).map_err(|e| e.to_string())?,
        };
        let opened = engine.open(call, LOCAL).map_err(|e| e.to_string());
        self.engines.insert(call, engine);
        opened
    }

    fn tell_engine(&self, call: CallId, command: EngineCommand) {
        if let Some(engine) = self.engines.get(&call) {
            engine.send(command);
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Registration { name, state } => {
                tracing::debug!(name, ?state, "demonstration");
                self.online.send_replace(matches!(state, RegistrationState::Online { .. }));
                self.plan(self.role.on_registration(&state));
            }
            Event::Call(info) => self.handle_call(&info),
            Event::Refused { command, message, .. } => tracing::info!(command, message, "demonstration"),
            Event::Reachable { .. }
            | Event::Services(_)
            | Event::Messages(_)
            | Event::Colleague { .. }
            | Event::Subscription { .. }
            | Event::Message { .. }
            | Event::Notice(_)
            | Event::Dtmf { .. }
            | Event::Done { .. }
            | Event::Transfer { .. }
            | Event::Referred { .. }
            | Event::TakesOver { .. }
            | Event::DialAskedOver { .. } => {}
            // Nobody is there to be asked.
            Event::DialAsked { request, .. } => {
                self.agent.handle_command(now(), Command::AnswerDialAsked { request, accept: false });
            }
        }
    }

    fn handle_call(&mut self, info: &CallInfo) {
        let was_connected = self.connected.contains(&info.call);
        match info.state {
            _ if !was_connected && info.state.is_answered() => {
                self.connected.insert(info.call);
                self.tell_engine(info.call, EngineCommand::Connected { session: info.call });
            }
            CallState::Ended { .. } => {
                self.connected.remove(&info.call);
            }
            _ => {}
        }
        self.plan(self.role.on_call(info, was_connected));
    }

    fn plan(&mut self, plan: Option<(Duration, Act)>) {
        if let Some((after, act)) = plan
            && self.plans.len() < MAX_PLANS
        {
            self.planned += 1;
            self.plans.insert((now() + after, self.planned), act);
        }
    }

    fn perform_due(&mut self) {
        while let Some(due) = self.plans.first_entry().filter(|plan| plan.key().0 <= now()) {
            let act = due.remove();
            self.perform(act);
        }
    }

    fn perform(&mut self, act: Act) {
        let command = match act {
            Act::Register => Command::SetAccount(Box::new(self.account.clone())),
            Act::Hangup { call } if !self.engines.contains_key(&call) => return,
            Act::Hangup { call } => Command::Hangup { call },
            Act::Dial { to } => Command::Dial { to, anonymous: false },
        };
        self.agent.handle_command(now(), command);
    }
}

fn account(role: Role, login: Login, proxy: SocketAddr) -> Account {
    let host: Host = login.realm.parse().unwrap_or(Host::Ip(proxy.ip()));
    let mut outbound = SipUri::new(None, Host::Ip(proxy.ip()), Some(proxy.port()));
    outbound.set_param("lr", None);
    Account {
        name: login.username.clone(),
        aor: Uri::Sip(SipUri::new(Some(&login.username), host, None)),
        auth_username: login.username,
        password: login.password,
        realm: None,
        outbound_proxy: Some(Uri::Sip(outbound)),
        transport: Transport::Udp,
        register: true,
        expires: role.expires(),
        emergency_numbers: Vec::new(),
    }
}

/// Waits for the engine's thread elsewhere.
fn end(engine: MediaEngine) {
    drop(tokio::task::spawn_blocking(|| engine.shutdown()));
}

/// A shell is where the user agent's time comes from.
#[expect(clippy::disallowed_methods, reason = "the parties' one clock")]
fn now() -> Instant {
    Instant::now()
}
