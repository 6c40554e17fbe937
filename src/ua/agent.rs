//! The user agent: commands and messages in, each to the machine it concerns; outputs and time out.

mod admission;
mod asked;
mod notices;
mod requests;
mod transfer;
mod upkeep;

use super::{
    api::{Account, CallId, Command, Event, Output, ResolveId, Settings},
    events::Subscriptions,
    farewell::Farewells,
    message::Outbox,
    publication::Publications,
    registration::Registration,
    session::Session,
    stack::{Incoming, Owner, Reply, RequestId, Stack},
};
use crate::{
    media::plan::{DtlsPlan, Fingerprint, SrtpPolicy},
    sip::{
        endpoint::{ServerTransactionId, Timers},
        entropy::Entropy,
        flow::{Flow, Transport},
        msg::{Message, Request},
        sdp::Outside,
    },
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Instant};
use transfer::Links;

/// See the module of the same name.
pub struct UserAgent {
    stack: Stack,
    registration: Option<Registration>,
    /// The account that was left last: an emergency call needs no registration.
    left: Option<Arc<Account>>,
    /// Until when the emergency service may call back.
    call_back_until: Option<Instant>,
    /// Registrations that are being given up.
    leaving: Vec<Registration>,
    sessions: BTreeMap<CallId, Session>,
    /// The last call of [`Command::Measure`].
    measuring: Option<CallId>,
    farewells: Farewells,
    links: Links,
    subscriptions: Subscriptions,
    outbox: Outbox,
    publications: Publications,
    /// When the phone system last asked us to register anew.
    checked_sync: Option<Instant>,
    last_call: CallId,
    shutdown: Shutdown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    No,
    /// Until nothing is left to say.
    Wanted,
    Done,
}

impl UserAgent {
    /// Offline, without an account, with the RFC's timers.
    pub fn new(settings: Settings, entropy: Entropy) -> Self {
        Self::with_timers(settings, entropy, Timers::default())
    }

    /// With other transaction timers, for tests.
    pub fn with_timers(settings: Settings, entropy: Entropy, timers: Timers) -> Self {
        Self {
            stack: Stack::new(settings, entropy, timers),
            registration: None,
            left: None,
            call_back_until: None,
            leaving: Vec::new(),
            sessions: BTreeMap::new(),
            measuring: None,
            farewells: Farewells::default(),
            links: Links::default(),
            subscriptions: Subscriptions::default(),
            outbox: Outbox::default(),
            publications: Publications::default(),
            checked_sync: None,
            last_call: 0,
            shutdown: Shutdown::No,
        }
    }

    /// Our address on that transport, for Via and Contact.
    pub fn set_local(&mut self, transport: Transport, address: SocketAddr) {
        self.stack.set_local(transport, address);
    }

    /// The media engine's certificate: handshakes for keys are offered and taken from now on.
    pub fn set_certificate(&mut self, fingerprint: Fingerprint) {
        self.stack.certificate = Some(fingerprint);
    }

    /// Whether ICE is offered, from the next call on.
    pub const fn offer_ice(&mut self, on: bool) {
        self.stack.offers_ice = on;
    }

    /// What is offered and taken of encryption, from the next call on.
    pub const fn set_srtp(&mut self, policy: SrtpPolicy) {
        self.stack.settings.srtp = policy;
    }

    pub const fn srtp(&self) -> SrtpPolicy {
        self.stack.settings.srtp
    }

    /// Where a call's RTP port is reached besides; told before [`UserAgent::handle_media_opened`].
    pub fn handle_media_seen(&mut self, call: CallId, outside: Outside) {
        if let Some(session) = self.sessions.get_mut(&call) {
            session.handle_media_seen(outside);
        }
    }

    /// The same in the midst of the call, after what was told before is lost.
    pub fn handle_media_seen_anew(&mut self, now: Instant, call: CallId, outside: Outside) {
        self.handle_media_seen(call, outside);
        self.handle_consent_lost(now, call);
    }

    /// The peer answers no checks any more (RFC 7675 §5.1): they begin anew.
    pub fn handle_consent_lost(&mut self, now: Instant, call: CallId) {
        if let Some(session) = self.sessions.get_mut(&call) {
            session.restart_ice(&mut self.stack);
        }
        self.run(now);
    }

    /// An order from the agent.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::SetAccount(account) => self.set_account(now, *account),
            Command::ClearAccount => self.clear_account(now),
            Command::Displace { name, code, reason } => {
                if let Some(registration) = self.registration.as_mut().filter(|r| r.account().name == name) {
                    registration.displace(&mut self.stack, code, reason);
                }
            }
            Command::Dial { to, anonymous } => self.dial(now, &to, anonymous),
            Command::Measure { to } => self.measure(now, &to),
            Command::Services(change) => self.change_services(change),
            Command::SuppressSilence(on) => self.stack.settings.silence_suppression = on,
            Command::Message { to, text } => self.send_message(&to, &text),
            Command::Subscribe { package, to } => self.subscribe(now, package, to),
            Command::Unsubscribe { package, to } => self.unsubscribe(package, &to),
            Command::PickUp { to } => self.pick_up(now, &to),
            Command::Answer { call } => {
                self.with_call(now, "answer", call, |session, stack| session.answer(now, stack))
            }
            Command::Reject { call, code } => {
                self.with_call(now, "reject", call, |session, stack| session.reject(now, stack, code));
            }
            Command::Hangup { call } => {
                self.with_call(now, "hangup", call, |session, stack| session.hang_up(now, stack));
            }
            Command::Hold { call } => {
                self.with_call(now, "hold", call, |session, stack| session.set_hold(stack, true));
            }
            Command::Resume { call } => {
                self.with_call(now, "resume", call, |session, stack| session.set_hold(stack, false));
            }
            Command::Probe { call } => {
                if let Some(session) = self.sessions.get_mut(&call) {
                    session.probe(&mut self.stack);
                }
            }
            Command::EarlyMedia { call, comes } => {
                if let Some(session) = self.sessions.get_mut(&call) {
                    session.heard_early(now, comes);
                }
            }
            Command::DtmfInfo { call, digits } => {
                self.with_call(now, "dtmf", call, |session, stack| session.send_digits(stack, &digits));
            }
            Command::EndOrphans(dialogs) => self.end_orphans(&dialogs),
            Command::Network(change) => self.network_changed(now, change),
            Command::Transfer { call, to } => self.transfer(now, call, &to),
            Command::AnswerDialAsked { request, accept } => self.answer_dial_asked(request, accept),
            Command::ReportQuality { collector, body, direct } => self.report_quality(collector, body, direct),
            Command::Shutdown => self.shut_down(now),
        }
        self.run(now);
    }

    /// A message from the network, already read by [`crate::sip::wire`].
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        self.stack.handle_message(now, flow, message);
        self.run(now);
    }

    /// The Call-ID of a call that has not ended.
    pub fn sip_call_id(&self, call: CallId) -> Option<&str> {
        self.sessions.get(&call)?.call_id()
    }

    pub const fn has_account(&self) -> bool {
        self.registration.is_some()
    }

    /// How the registrar that we are registered with reaches us, while we are.
    pub fn registered_over(&self) -> Option<Flow> {
        self.registration.as_ref().and_then(Registration::flow)
    }

    /// The answer to [`Output::Resolve`]: the ways in their order, or why there is none.
    pub fn handle_resolved(&mut self, now: Instant, id: ResolveId, result: Result<Vec<Flow>, String>) {
        self.stack.handle_resolved(now, id, result);
        self.run(now);
    }

    /// The answer to [`Output::OpenMedia`]: our RTP address, or why there is none.
    pub fn handle_media_opened(&mut self, now: Instant, call: CallId, result: Result<SocketAddr, String>) {
        let opened = result.is_ok();
        match self.sessions.get_mut(&call) {
            Some(session) => session.handle_media_opened(now, &mut self.stack, result),
            None if opened => self.stack.emit(Output::CloseMedia { call }),
            None => {}
        }
        self.settle(now, call);
        self.run(now);
    }

    /// The handshake that `plan` asked for in a call's media is done, or has failed: a sentence.
    pub fn handle_keys_agreed(&mut self, now: Instant, call: CallId, plan: &DtlsPlan, result: Result<(), String>) {
        if let Some(session) = self.sessions.get_mut(&call) {
            session.handle_keys_agreed(now, &mut self.stack, plan, result);
        }
        self.settle(now, call);
        self.run(now);
    }

    /// `token`: of the [`Output::Transmit`] that failed.
    pub fn handle_transport_failed(&mut self, now: Instant, token: u64, reason: &str) {
        self.stack.handle_transport_failed(now, token, reason);
        self.run(now);
    }

    /// A connection is gone, with or without requests on it. Registered through it, we cannot be called any more: register
    /// anew (RFC 5626 §4.4).
    pub fn handle_flow_lost(&mut self, now: Instant, flow: Flow) {
        if let Some(registration) = &mut self.registration {
            registration.handle_flow_lost(now, &mut self.stack, flow);
        }
        self.run(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.stack.handle_timeout(now);
        self.asked_timeout(now);
        if let Some(registration) = &mut self.registration {
            registration.handle_timeout(now, &mut self.stack);
        }
        self.subscriptions.handle_timeout(now, &mut self.stack);
        let due: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, s)| s.poll_timeout().is_some_and(|at| at <= now))
            .map(|(id, _)| *id)
            .collect();
        for call in due {
            if let Some(session) = self.sessions.get_mut(&call) {
                session.handle_timeout(now, &mut self.stack);
            }
            self.settle(now, call);
        }
        self.run(now);
    }

    /// What to do next; ask until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.stack.poll_output()
    }

    /// When to call [`UserAgent::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let sessions = self.sessions.values().filter_map(Session::poll_timeout);
        let registration = self.registration.as_ref().and_then(Registration::poll_timeout);
        let events = self.subscriptions.poll_timeout();
        sessions
            .chain(registration)
            .chain(events)
            .chain(self.links.poll_timeout())
            .chain(self.stack.poll_timeout())
            .min()
    }

    /// Calls, requests, transactions and farewells that are not over: for the leak tests.
    pub fn pending(&self) -> usize {
        self.sessions.len()
            + self.farewells.len()
            + self.links.len()
            + self.outbox.len()
            + self.publications.len()
            + self.leaving.len()
            + self.stack.pending()
    }

    fn set_account(&mut self, now: Instant, account: Account) {
        if let Some(registration) = self.registration.as_mut().filter(|r| r.account().is_renewed_by(&account)) {
            return registration.renew(&mut self.stack, Arc::new(account));
        }
        self.clear_account(now);
        self.registration = Some(Registration::start(&mut self.stack, Arc::new(account)));
    }

    fn clear_account(&mut self, now: Instant) {
        if let Some(mut old) = self.registration.take() {
            self.left = Some(old.account().clone());
            old.leave(now, &mut self.stack);
            self.leaving.push(old);
        }
    }

    fn with_call(
        &mut self,
        now: Instant,
        command: &'static str,
        call: CallId,
        act: impl FnOnce(&mut Session, &mut Stack),
    ) {
        match self.sessions.get_mut(&call) {
            Some(session) => act(session, &mut self.stack),
            None => {
                let message = format!("There is no call {call}; it may have ended.");
                self.stack.emit(Output::Event(Event::Refused { command, call: Some(call), message }));
            }
        }
        self.settle(now, call);
    }

    fn shut_down(&mut self, now: Instant) {
        let calls: Vec<_> = self.sessions.keys().copied().collect();
        for call in calls {
            self.with_call(now, "hangup", call, |session, stack| session.hang_up(now, stack));
        }
        self.clear_account(now);
        if self.shutdown == Shutdown::No {
            self.shutdown = Shutdown::Wanted;
        }
    }

    /// Hands out what the endpoint has to say until it falls silent.
    fn run(&mut self, now: Instant) {
        while let Some(incoming) = self.stack.poll_incoming(now) {
            match incoming {
                Incoming::Request { transaction, request, flow } => self.request(now, transaction, request, flow),
                Incoming::Ack { request, flow } => self.ack(now, &request, flow),
                Incoming::Cancelled { transaction, cancel } => {
                    self.with_owner(now, transaction, |session, stack| session.handle_cancelled(now, stack, &cancel));
                }
                Incoming::NoAck { transaction } => {
                    self.with_owner(now, transaction, |session, stack| session.handle_no_ack(now, stack));
                    self.farewells.handle_no_ack(&mut self.stack, transaction);
                }
                Incoming::Reply { owner, id, request, reply } => self.reply(now, owner, id, request, reply),
                Incoming::Stray { id, account, invite, response } => {
                    self.farewells.end_stray(&mut self.stack, account, (id, &invite, &response));
                }
                Incoming::Resolved { call, flows } => {
                    if let Some(session) = self.sessions.get_mut(&call) {
                        session.handle_resolved(now, &mut self.stack, flows);
                    }
                    self.settle(now, call);
                }
            }
        }
        if self.stack.take_lost_gruus() {
            self.readdress();
        }
        self.subscriptions.follow(now, &mut self.stack, self.registration.as_ref());
        self.leaving.retain(|registration| !registration.is_gone());
        let quiet = self.sessions.is_empty()
            && self.farewells.len() == 0
            && self.leaving.is_empty()
            && !self.stack.awaits(Owner::Abandoned);
        if self.shutdown == Shutdown::Wanted && quiet {
            self.shutdown = Shutdown::Done;
            self.stack.emit(Output::Idle);
        }
    }

    fn reply(&mut self, now: Instant, owner: Owner, id: RequestId, request: Request, reply: Reply) {
        match owner {
            Owner::Registration => {
                let all = self.registration.iter_mut().chain(&mut self.leaving);
                for registration in all {
                    if registration.handle_reply(now, &mut self.stack, (id, &request), &reply) {
                        break;
                    }
                }
            }
            Owner::Call(call) => {
                if let Some(session) = self.sessions.get_mut(&call) {
                    session.handle_reply(now, &mut self.stack, id, request, reply);
                }
                self.settle(now, call);
            }
            Owner::Farewell => self.farewells.handle_reply(&mut self.stack, id, request, &reply),
            Owner::Referrer => self.referrer_reply(id, request, &reply),
            Owner::Subscription => {
                self.subscriptions.handle_reply(now, &mut self.stack, id, &request, &reply);
            }
            Owner::Publication => self.publications.handle_reply(&mut self.stack, id, request, &reply),
            Owner::Message => self.outbox.handle_reply(&mut self.stack, id, request, &reply),
            Owner::Abandoned => {}
        }
    }

    fn with_owner(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        act: impl FnOnce(&mut Session, &mut Stack),
    ) {
        if let Some((call, session)) = self.sessions.iter_mut().find(|(_, session)| session.owns(transaction)) {
            let call = *call;
            act(session, &mut self.stack);
            self.settle(now, call);
        }
    }

    /// Lets a call go that has ended, and says to the peer what is left to say.
    fn settle(&mut self, now: Instant, call: CallId) {
        self.follow_up(now, call);
        let Some(session) = self.sessions.get_mut(&call).filter(|session| session.is_ended()) else { return };
        let parting = session.take_parting();
        self.sessions.remove(&call);
        if let Some(parting) = parting {
            self.farewells.say(&mut self.stack, parting);
        }
    }
}
