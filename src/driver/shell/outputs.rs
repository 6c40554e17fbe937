//! Carries out what the cores ask for and passes on what they tell.

use super::{Phase, Shell, wall_clock};
use crate::{
    driver::{
        account,
        api::{Event, Tagged},
        local,
        resolve::Found,
    },
    media::engine::{EngineEvent, Notice, Severity},
    sip::{flow::Flow, sdp::Outside, target::Target},
    tms::{login::LoginState, session},
    ua::api::{self as agent, RegistrationState, ResolveId},
};
use std::time::Instant;

impl Shell {
    /// Until no core has anything left to ask.
    pub(super) fn drain(&mut self, now: Instant) {
        loop {
            if let Some(output) = self.agent.poll_output() {
                self.agent_asks(now, output);
            } else if let Some(output) = self.session.poll_output() {
                self.session_asks(now, output);
            } else {
                return;
            }
        }
    }

    fn agent_asks(&mut self, now: Instant, output: agent::Output) {
        match output {
            agent::Output::Transmit { flow, payload, token } => self.transmit(now, flow, payload, token),
            agent::Output::Resolve { id, uri, transport } => match Target::of(&uri, transport) {
                Err(reason) => self.resolved(now, id, Err(reason)),
                Ok(target) => match target.numeric() {
                    Some(flow) => self.resolved(now, id, Ok(Found { host: target.host, flows: vec![flow] })),
                    None => {
                        let (dns, only) = (self.dns.ready(), self.options.transport);
                        self.look_ups.spawn(async move { (id, dns.look_up(target, only).await) });
                    }
                },
            },
            agent::Output::OpenMedia { call, remote } => {
                let opened = self.media.open(call, remote);
                match &opened {
                    Ok(port) if self.reach.begin(now, call, *port) => self.ask_servers(now),
                    _ => self.agent.handle_media_opened(now, call, opened),
                }
            }
            agent::Output::Media { call, plan } => self.media.plan(call, plan),
            agent::Output::CloseMedia { call } => {
                self.reach.answered(call);
                self.media.close(call);
            }
            agent::Output::Event(event) => self.agent_tells(now, event),
            agent::Output::Idle => {
                if matches!(self.phase, Phase::Leaving { .. }) {
                    self.sign_out_and_stop(now);
                }
            }
        }
    }

    /// Has the engine ask about the ports of calls that wait for it.
    pub(super) fn ask_servers(&mut self, now: Instant) {
        while let Some((call, servers)) = self.reach.poll_ask(now) {
            self.media.ask_servers(call, servers);
        }
    }

    fn transmit(&mut self, now: Instant, flow: Flow, payload: Vec<u8>, token: Option<u64>) {
        self.sent(flow, &payload);
        if let Err(reason) = self.transports.send(now, flow, payload, token) {
            tracing::info!("{flow}: {reason}");
            if let Some(token) = token {
                self.agent.handle_transport_failed(now, token, &reason);
            }
        }
    }

    /// Before the user agent sends anywhere, it learns how it is seen from there, and TLS whose certificate to ask for.
    pub(super) fn resolved(&mut self, now: Instant, id: ResolveId, result: Result<Found, String>) {
        // What cannot be reached, or not even be looked up, is watched too: it may be for want of a network.
        let first = result.as_ref().map_or(Some(local::NOBODY), |found| found.flows.first().map(|flow| flow.remote));
        self.towards = if result.is_ok() { first.or(self.towards) } else { self.towards.or(first) };
        let result = result.and_then(|Found { host, mut flows }| {
            let mut refused = None;
            // The last one first: what is known of us in the end is how the first one sees us.
            flows.reverse();
            flows.retain(|flow| {
                let usable =
                    self.transports.expect(now, *flow, &host).and_then(|()| self.set_local_towards(flow.remote));
                usable.map_err(|why| refused = Some(why)).is_ok()
            });
            flows.reverse();
            if let (true, Some(why)) = (flows.is_empty(), refused) { Err(why) } else { Ok(flows) }
        });
        self.agent.handle_resolved(now, id, result);
    }

    fn agent_tells(&mut self, now: Instant, event: agent::Event) {
        if self.is_of_check(now, &event) {
            return;
        }
        match event {
            agent::Event::Registration { name, state } => self.registration(now, name, state),
            agent::Event::Reachable { name, proof } => self.tell(Event::Reachable { name, proof }),
            agent::Event::Call(info) => {
                if let Some(call_id) = self.agent.sip_call_id(info.call) {
                    self.trace.link(info.call, call_id);
                }
                self.quality_reports.follow(wall_clock(), &info, self.agent.dialog(info.call));
                self.media.follow(&info);
                self.orphans.changed(now);
                let call = info.call;
                self.tell(Event::Call(info.clone()));
                self.recording.follow(&info);
                self.record_demanded(now);
                if self.taken_over_muted.take_if(|muted| *muted == call).is_some() {
                    self.tell(Event::Muted { call, on: true });
                }
                self.conference_may_stand();
            }
            agent::Event::Services(services) => self.tell(Event::Services(services)),
            agent::Event::Messages(messages) => self.tell(Event::Messages(messages)),
            agent::Event::Colleague { uri, state } => self.tell(Event::Colleague { uri, state }),
            agent::Event::Subscription { package, to, refusal } => {
                let id = self.answers.subscribed(package, &to);
                (self.events)(Tagged { id, what: Event::Subscription { package, to, refusal } });
            }
            agent::Event::Message { from, from_name, text } => self.tell(Event::Message { from, from_name, text }),
            agent::Event::Notice(text) => self.tell(Event::Notice(Notice { severity: Severity::Info, text })),
            agent::Event::Transfer { call, state } => self.tell(Event::Transfer { call, state }),
            agent::Event::Referred { call, by } => self.tell(Event::Referred { call, by }),
            agent::Event::TakesOver { call, old } => {
                self.tell(Event::TakesOver { call, old });
                // Who could not be heard there is not heard here; said once the call is known.
                self.taken_over_muted = Some(call).filter(|call| self.media.take_over(*call, old));
            }
            agent::Event::DialAsked { request, from, to } => self.tell(Event::DialAsked { request, from, to }),
            agent::Event::DialAskedOver { request } => self.tell(Event::DialAskedOver { request }),
            agent::Event::Dtmf { call, digit } => self.tell(Event::Dtmf { call, digit }),
            agent::Event::Refused { command, call, message } => {
                if command == "resume"
                    && let Some(held) = call.filter(|call| self.media.stays_held(*call))
                {
                    self.fail(
                        "conference",
                        None,
                        format!("Call {held} stays on hold, so the calls are not joined. {message}"),
                    );
                }
                self.fail(command, call, message);
            }
            agent::Event::Done { command, call } => self.tell(Event::Done { command, call }),
        }
    }

    fn registration(&mut self, now: Instant, name: String, state: RegistrationState) {
        match (&state, self.agent.registered_over()) {
            (RegistrationState::Online { .. }, Some(flow)) => {
                self.keep_alive.keep(now, flow, self.agent.keeps_flow(), &mut self.entropy);
            }
            (RegistrationState::Registering, _) => {}
            _ => self.keep_alive.stop(),
        }
        if matches!(state, RegistrationState::Online { .. })
            && let Some(left) = self.orphans.take(&name)
        {
            self.agent.handle_command(now, agent::Command::EndOrphans(left));
        }
        self.tell(Event::Registration { name, state });
    }

    fn session_asks(&mut self, now: Instant, output: session::Output) {
        match output {
            session::Output::Request { id, request } => self.tms.request(id, request),
            session::Output::OpenEvents { request } => self.tms.open_events(request),
            session::Output::CloseEvents => self.tms.close_events(),
            session::Output::Event(event) => self.session_tells(now, event),
        }
    }

    fn session_tells(&mut self, now: Instant, event: session::Event) {
        match event {
            session::Event::Login(mut state) => {
                self.settle_emergency_numbers(&mut state);
                if matches!(state, LoginState::Refused { .. }) {
                    // Its SIP credential is revoked with the session.
                    self.leave_account(now);
                }
                self.tell(Event::Login(state));
            }
            session::Event::Token(token) => self.tell(Event::Token(token)),
            // A registration of the session before it is not this one's.
            session::Event::Replaced => self.leave_account(now),
            session::Event::Registrations { list, asked } => match asked {
                true => self.tell(Event::Registrations(list)),
                // Not in answer to a command, so it takes no command's mark.
                false => (self.events)(Tagged { id: None, what: Event::Registrations(list) }),
            },
            session::Event::Credential { registration, credential } => {
                let media = credential.0.media.clone();
                match account::from_credential(&registration, credential.0, self.options.transport) {
                    Ok(account) => {
                        self.use_media(now, media);
                        self.set_account(now, account);
                    }
                    Err(message) => {
                        self.session.deselect();
                        self.fail("select", None, message);
                    }
                }
            }
            session::Event::Policy(told) => self.use_policy(now, Some(told)),
            session::Event::PasswordWanted { registration } => self.tell(Event::SipPasswordWanted { registration }),
            session::Event::Conflict { registration, reason } => {
                let state = RegistrationState::Conflict { code: 409, reason };
                self.tell(Event::Registration { name: registration, state });
            }
            session::Event::Displaced { registration, reason } => {
                let displaced = agent::Command::Displace { name: registration, code: 409, reason };
                self.agent.handle_command(now, displaced);
            }
            session::Event::Withdrawn { reason } => {
                self.agent.handle_command(now, agent::Command::ClearAccount);
                self.fail("select", None, reason);
            }
            session::Event::SelectDelayed { registration, reason, retry_in } => {
                let state = RegistrationState::Failed { code: None, reason, retry_in: Some(retry_in) };
                self.tell(Event::Registration { name: registration, state });
            }
            session::Event::Failed { command, message } => self.fail(command, None, message),
        }
    }

    /// What is told of the account, from now on, are the numbers that count here.
    fn settle_emergency_numbers(&mut self, state: &mut LoginState) {
        if let LoginState::Initialized(me) = state {
            let named = self.options.emergency_numbers.as_deref();
            self.emergency_numbers = account::emergency_numbers(named, &me.account.emergency_numbers);
            me.account.emergency_numbers.clone_from(&self.emergency_numbers);
        }
    }

    pub(super) fn handle_media(&mut self, now: Instant, event: EngineEvent) {
        match event {
            EngineEvent::Dtmf { session, digit } => self.tell(Event::Dtmf { call: session, digit }),
            EngineEvent::Stats { session, stats, .. } if self.measures(now, session, &stats) => {}
            EngineEvent::Stats { session, stats, last } => {
                let judged = self.media.judge(session, &stats, last);
                let report = last.then(|| self.quality_reports.ended(wall_clock(), session, &stats)).flatten();
                if let Some(report) = report {
                    self.agent.handle_command(now, report);
                }
                self.tell(Event::Stats { call: session, stats, asked: false, last });
                if let Some((verdict, timeline)) = judged {
                    self.tell(Event::Quality { call: session, verdict, timeline, last });
                }
            }
            EngineEvent::EarlyMedia { session, comes } => {
                self.media.heard_early(session, comes);
                self.agent.handle_command(now, agent::Command::EarlyMedia { call: session, comes });
            }
            EngineEvent::Speaks { session, on } => self.tell(Event::Speaks { call: session, on }),
            EngineEvent::Recorded { session, ended } => self.recorded(now, session, ended),
            EngineEvent::TalksMuted { session } if self.is_checked(session) => {}
            EngineEvent::TalksMuted { session } => self.tell(Event::TalksMuted { call: session }),
            EngineEvent::Exposure(exposure, record) => {
                self.exposure_file.note(wall_clock(), record);
                self.media.exposed(exposure);
                self.tell(Event::Exposure { exposure, asked: false });
            }
            EngineEvent::Check(step) => self.check_steps(now, step),
            EngineEvent::Levels { microphone, speaker } => self.tell(Event::Levels { microphone, speaker }),
            EngineEvent::Devices(list) => self.tell(Event::Devices(list)),
            EngineEvent::Notice(notice) => self.tell(Event::Notice(notice)),
            EngineEvent::Silent { session, again, unreadable } => {
                if let Some(notice) = self.media.silence(session, unreadable).filter(|_| !again) {
                    self.tell(Event::Notice(notice));
                }
                // Without a network nobody can answer; there is a countdown for that.
                if !self.watch.is_patient(now) {
                    self.agent.handle_command(now, agent::Command::Probe { call: session });
                }
            }
            // Where there is no network, it is told again; whoever goes to other ports begins anew there.
            EngineEvent::ConsentLost { session, .. }
                if self.watch.is_patient(now) || self.reach.is_waiting(session) => {}
            EngineEvent::ConsentLost { session, again } => {
                if let Some(notice) = self.media.no_consent(session).filter(|_| !again) {
                    self.tell(Event::Notice(notice));
                }
                self.agent.handle_consent_lost(now, session);
            }
            EngineEvent::Seen { session, reflexive, relayed } => {
                if let Some(port) = self.reach.answered(session) {
                    self.agent.handle_media_seen(session, Outside { reflexive, relayed });
                    self.agent.handle_media_opened(now, session, Ok(port));
                }
            }
            // What is said of ports that the call has left is of no use.
            EngineEvent::SeenAnew { session, .. } if self.reach.is_waiting(session) => {}
            EngineEvent::SeenAnew { session, reflexive, relayed } => {
                self.agent.handle_media_seen_anew(now, session, Outside { reflexive, relayed });
            }
            EngineEvent::Secured { session, plan, result } => {
                self.agent.handle_keys_agreed(now, session, &plan, result);
            }
            EngineEvent::DtmfSent { session } => self.tell(Event::Done { command: "dtmf", call: Some(session) }),
        }
    }
}
