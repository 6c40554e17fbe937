//! Which calls there are to be: what the agent dials, and what becomes of a call for us.

use super::UserAgent;
use crate::{
    media::plan::Srtp,
    sip::{
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Request, Response},
    },
    ua::{
        api::{Account, CallDirection, CallId, CallInfo, CallState, EndedBy, Event, Output, ServiceCommand},
        auto_answer, identity, outside,
        registration::{Registration, outbound_route},
        services::{self, Occupied, Treatment},
        session::{Reception, Session},
        stack::Stack,
        target,
    },
};
use std::{sync::Arc, time::Instant};

/// Calls at once where the settings name no number: a bound on hostile peers, out of an agent's reach.
pub(super) const MAX_CALLS: usize = 32;

impl UserAgent {
    pub(super) fn dial(&mut self, now: Instant, to: &str, anonymous: bool) {
        let refuse = |stack: &mut Stack, message: String| {
            stack.emit(Output::Event(Event::Refused { command: "dial", call: None, message }));
        };
        let online = self.registration.as_ref().map(Registration::account);
        let Some(account) = online.or(self.left.as_ref()).cloned() else {
            return refuse(&mut self.stack, "You are offline: choose a registration first.".to_owned());
        };
        let target = match target::parse(to, &account.aor) {
            Ok(target) => target,
            Err(message) => return refuse(&mut self.stack, message),
        };
        let is_emergency = services::is_emergency(&target, &account);
        let max = self.stack.settings.max_calls.unwrap_or(MAX_CALLS);
        if is_emergency {
            self.call_back_until = Some(services::call_back_until(now));
        } else if self.registration.is_none() {
            return refuse(&mut self.stack, "You are offline: choose a registration first.".to_owned());
        } else if self.calls() >= max {
            return refuse(&mut self.stack, format!("There are {max} calls already: end one first."));
        }
        let routes = self.registration.as_ref().map_or_else(|| outbound_route(&account), Registration::route_set);
        // The emergency service is to know who calls.
        let anonymous = (anonymous || self.stack.settings.services.withhold_identity) && !is_emergency;
        self.last_call += 1;
        let session = Session::dial(&mut self.stack, self.last_call, account, (target, routes), anonymous);
        self.sessions.insert(self.last_call, session);
    }

    pub(super) fn measure(&mut self, now: Instant, to: &str) {
        let account = self.registration.as_ref().map(Registration::account);
        let is_emergency = |account: &Arc<Account>| {
            target::parse(to, &account.aor).is_ok_and(|target| services::is_emergency(&target, account))
        };
        if account.is_some_and(is_emergency) {
            let message = format!("{to} is an emergency number and no echo: enter the echo's number.");
            return self.stack.emit(Output::Event(Event::Refused { command: "dial", call: None, message }));
        }
        let before = self.last_call;
        self.dial(now, to, false);
        // Refused, it is no call.
        if self.last_call != before {
            self.measuring = Some(self.last_call);
        }
    }

    /// How many calls a person has.
    pub(super) fn calls(&self) -> usize {
        let is_persons = |call: &&CallId| Some(**call) != self.measuring;
        self.sessions.keys().filter(is_persons).count()
    }

    pub(super) fn change_services(&mut self, change: ServiceCommand) {
        let (command, account) = (change.name(), self.registration.as_ref().map(|r| &**r.account()));
        let event = match self.stack.settings.services.change(change, account) {
            Ok(services) => {
                self.stack.settings.services = services.clone();
                self.stack.emit(Output::Event(Event::Services(services)));
                Event::Done { command, call: None }
            }
            Err(message) => Event::Refused { command, call: None, message },
        };
        self.stack.emit(Output::Event(event));
    }

    /// An INVITE outside any dialog.
    pub(super) fn invited(&mut self, now: Instant, transaction: ServerTransactionId, request: Request, flow: Flow) {
        let Some(registration) = &self.registration else {
            return self.stack.respond(now, transaction, Response::to(&request, 480, None));
        };
        let account = registration.account().clone();
        let from_home = registration.is_from_home(flow);
        let called = registration.is_called(&request.uri, flow);
        let replaced = self.replaced_by(&request);
        let refusal = match &replaced {
            _ if !called => Some(Response::to(&request, 404, None)),
            // RFC 3891 §3: only who may. Our server has asked its sender; a stranger may have overheard what it names.
            _ if account.register && !from_home && request.headers.contains("Replaces") => {
                Some(Response::to(&request, 403, None))
            }
            Err(refusal) => Some(refusal.clone()),
            Ok(_) => {
                // The call will have keys of its own.
                let crypto = self.stack.crypto(&account, self.stack.settings.srtp);
                outside::inspect_offer(&request, &self.stack.settings.codecs, &crypto)
            }
        };
        if let Some(refusal) = refusal {
            return self.stack.respond(now, transaction, refusal);
        }
        if let Ok(Some(old)) = replaced {
            return self.take_over(now, old, account, (transaction, request, flow));
        }
        let occupied = self.occupied();
        let calls_back = self.call_back_until.is_some_and(|until| now < until) || services::is_call_back(&request);
        let services = &self.stack.settings.services;
        let forward = match services.treat(&request, &account, occupied, calls_back) {
            Treatment::Ring(forward) => forward,
            Treatment::TurnAway(response, why) => {
                return self.turn_away(now, transaction, &request, &account, (response, why));
            }
        };
        let asked = auto_answer::asked(&request.headers);
        let answer_after = asked.filter(|_| services.answer_on_request && occupied == Occupied::No);
        let call = self.last_call + 1;
        let unreadable = Response::to(&request, 400, None);
        let reception = Reception { answer_after, forward, hold: false };
        match Session::ring(now, &mut self.stack, call, account, (transaction, request, flow), reception) {
            Ok(session) => {
                self.last_call = call;
                self.sessions.insert(call, session);
            }
            Err(error) => {
                let response = Response { reason: error.to_string(), ..unreadable };
                self.stack.respond(now, transaction, response);
            }
        }
    }

    fn occupied(&self) -> Occupied {
        let max = self.stack.settings.max_calls.unwrap_or(MAX_CALLS);
        match self.calls() {
            calls if calls >= max => Occupied::Full,
            0 => Occupied::No,
            _ => Occupied::Busy,
        }
    }

    /// A call that does not ring here; the agent hears of it where somebody wanted to talk to them.
    fn turn_away(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        request: &Request,
        account: &Account,
        (response, why): (Response, Option<String>),
    ) {
        if let (Some(reason), Ok(from)) = (why, request.headers.from()) {
            self.last_call += 1;
            let identity = identity::of(&request.headers, &from, account);
            self.stack.emit(Output::Event(Event::Call(CallInfo {
                call: self.last_call,
                direction: CallDirection::In,
                state: CallState::Ended { ended_by: EndedBy::Local, code: Some(response.code()), reason },
                peer: identity.peer,
                peer_name: identity.peer_name,
                called: identity.called,
                origin: identity.origin,
                codec: None,
                srtp: Srtp::default(),
            })));
        }
        self.stack.respond(now, transaction, response);
    }
}
