//! Transfers, as far as they concern more than one call: which call another is joined with, made for, or replaced by. What the
//! agent is asked before: see [`super::asked`].

use super::{UserAgent, admission::MAX_CALLS, asked::Asked};
use crate::{
    sip::{
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Request, Response},
    },
    ua::{
        api::{Account, CallId, Event, Output, TransferTo},
        referral::Referral,
        services,
        session::{self, Destination, Named, Session},
        stack::{Owner, Stack},
        target,
    },
};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// What ties calls together.
#[derive(Default)]
pub(super) struct Links {
    /// Calls that were made because of a REFER, and who is told how they fare.
    referred: BTreeMap<CallId, Referrer>,
    /// Calls that are to take the place of others.
    replacing: BTreeMap<CallId, CallId>,
    /// The question to the agent, or its sender still being told what came of it.
    pub asked: Vec<Asked>,
    pub last_asked: u32,
}

/// Who sent us to make a call.
#[derive(Clone, Copy)]
pub(super) enum Referrer {
    /// The peer of this call.
    Peer(CallId),
    /// The sender of [`Asked::request`](super::asked::Asked).
    Outside(u32),
}

impl Links {
    /// What keeps them alive, for the leak tests.
    pub fn len(&self) -> usize {
        self.referred.len() + self.replacing.len() + self.asked.len()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.asked.iter().filter_map(|asked| asked.until).min()
    }
}

impl UserAgent {
    pub(super) fn transfer(&mut self, now: Instant, call: CallId, to: &TransferTo) {
        match self.destination(call, to) {
            Ok(to) => self.with_call(now, "transfer", call, |session, stack| session.transfer(stack, to)),
            Err(message) => {
                self.stack.emit(Output::Event(Event::Refused { command: "transfer", call: Some(call), message }))
            }
        }
    }

    fn destination(&self, call: CallId, to: &TransferTo) -> Result<Destination, String> {
        match to {
            TransferTo::Call(with) if *with == call => {
                Err("A call cannot be joined with itself; name another one.".into())
            }
            TransferTo::Call(with) => {
                let other =
                    self.sessions.get(with).ok_or_else(|| format!("There is no call {with}; it may have ended."))?;
                other.destination()
            }
            TransferTo::Address(to) => {
                let session =
                    self.sessions.get(&call).ok_or_else(|| format!("There is no call {call}; it may have ended."))?;
                target::parse(to, &session.account().aor).map(session::blind)
            }
        }
    }

    /// Follows up on whatever a call has just been through: what was waiting for it, and what it has to do with others.
    pub(super) fn follow_up(&mut self, now: Instant, call: CallId) {
        let Some(session) = self.sessions.get_mut(&call) else { return };
        session.pursue_transfer(&mut self.stack);
        let (joined, referral) = (session.take_joined(), session.take_referral());
        let (progress, ended) = (session.status_code(), session.is_ended());
        if let Some((referral, flow)) = referral.filter(|_| !ended) {
            self.referred(now, call, referral, flow);
        }
        if let Some(referrer) = self.links.referred.get(&call).copied() {
            self.tell(referrer, progress);
            if progress >= 200 {
                self.links.referred.remove(&call);
            }
        }
        if let Some(old) = self.links.replacing.get(&call).copied().filter(|_| progress >= 200) {
            self.links.replacing.remove(&call);
            self.replaced(now, old, call);
        }
        // The two talk to each other now; what its peer says to that crosses our BYE.
        if let Some(with) = joined {
            self.with_existing(now, with, |session, stack| session.joined(now, stack));
        }
    }

    /// `new` has been answered or has failed.
    fn replaced(&mut self, now: Instant, old: CallId, new: CallId) {
        let Some(new) = self.sessions.get(&new).filter(|session| !session.is_ended()) else { return };
        let by = new.peer_shown().to_owned();
        self.with_existing(now, old, |session, stack| session.taken_over(now, stack, &by));
    }

    fn with_existing(&mut self, now: Instant, call: CallId, act: impl FnOnce(&mut Session, &mut Stack)) {
        if let Some(session) = self.sessions.get_mut(&call) {
            act(session, &mut self.stack);
            self.settle(now, call);
        }
    }

    /// The peer of `call` transfers us by a REFER that came by `flow`: at once where our server has let it through and leads to
    /// it, for it knows who may send whom where; else once the agent has agreed.
    fn referred(&mut self, now: Instant, call: CallId, referral: Referral, flow: Flow) {
        let asks = self.registration.as_ref().is_some_and(|registration| {
            registration.account().register
                && !(registration.is_from_home(flow) && registration.is_at_home(&referral.target))
        });
        match self.cannot_call(&referral) {
            Some(code) => self.tell(Referrer::Peer(call), code),
            None if asks => self.ask_for(now, call, referral),
            None => {
                self.tell(Referrer::Peer(call), 100);
                self.call_referred(referral, Referrer::Peer(call));
            }
        }
    }

    /// Why a call that somebody else has asked for is not made.
    pub(super) fn cannot_call(&self, referral: &Referral) -> Option<u16> {
        let max = self.stack.settings.max_calls.unwrap_or(MAX_CALLS);
        match &self.registration {
            None => Some(480),
            // Nobody but the agent calls for help.
            Some(registration) if services::is_emergency(&referral.target, registration.account()) => Some(603),
            Some(_) if self.calls() >= max => Some(486),
            Some(_) => None,
        }
    }

    /// Makes a call that somebody else has asked for.
    pub(super) fn call_referred(&mut self, referral: Referral, referrer: Referrer) {
        let (Some(registration), None) = (&self.registration, self.cannot_call(&referral)) else {
            return self.tell(referrer, self.cannot_call(&referral).unwrap_or(480));
        };
        let (account, routes) = (registration.account().clone(), registration.route_set());
        self.last_call += 1;
        let call = self.last_call;
        if let Referrer::Peer(by) = referrer {
            self.stack.emit(Output::Event(Event::Referred { call, by }));
        }
        let by = if let Referrer::Peer(by) = referrer { self.sessions.get(&by) } else { None };
        let anonymous = self.stack.settings.services.withhold_identity || by.is_some_and(Session::is_anonymous);
        let mut session = Session::dial(&mut self.stack, call, account, (referral.target, routes), anonymous);
        session.extra = referral.headers;
        self.sessions.insert(call, session);
        self.links.referred.insert(call, referrer);
    }

    pub(super) fn tell(&mut self, referrer: Referrer, code: u16) {
        match referrer {
            Referrer::Peer(call) => {
                if let Some(session) = self.sessions.get_mut(&call) {
                    session.tell_referrer(&mut self.stack, code);
                }
            }
            Referrer::Outside(request) => {
                let Some(asked) = self.links.asked.iter_mut().find(|asked| asked.request == request) else { return };
                if let Some((dialog, notifier)) = &mut asked.subscription {
                    notifier.set(code);
                    notifier.advance(&mut self.stack, dialog, &asked.account, Owner::Referrer);
                }
            }
        }
    }

    /// The call that an INVITE with Replaces is to take the place of (RFC 3891 §3); `None` without that header field.
    ///
    /// # Errors
    /// The response that refuses it.
    pub(super) fn replaced_by(&self, invite: &Request) -> Result<Option<CallId>, Response> {
        let refuse = |code| Err(Response::to(invite, code, None));
        let replaces = match invite.headers.replaces() {
            Ok(Some(replaces)) => replaces,
            Ok(None) => return Ok(None),
            Err(error) => return Err(Response { reason: error.to_string(), ..Response::to(invite, 400, None) }),
        };
        let named = self.sessions.iter().find_map(|(call, s)| s.named_by(&replaces).map(|how| (*call, how)));
        match named {
            Some((_, Named::Confirmed)) if replaces.early_only => refuse(486),
            Some((call, Named::Confirmed | Named::EarlyOurs)) => Ok(Some(call)),
            None if self.farewells.is_ending(&replaces) => refuse(603),
            Some((_, Named::EarlyTheirs)) | None => refuse(481),
        }
    }

    /// An INVITE that takes the place of the call `old`.
    pub(super) fn take_over(
        &mut self,
        now: Instant,
        old: CallId,
        account: Arc<Account>,
        (transaction, invite, flow): (ServerTransactionId, Request, Flow),
    ) {
        let call = self.last_call + 1;
        let unreadable = Response::to(&invite, 400, None);
        // Who was on hold is it still.
        let hold = self.sessions.get(&old).is_some_and(Session::wants_hold);
        match Session::take_over(now, &mut self.stack, (call, old), account, (transaction, invite, flow), hold) {
            Ok(session) => {
                self.last_call = call;
                self.sessions.insert(call, session);
                self.links.replacing.insert(call, old);
            }
            Err(error) => {
                self.stack.respond(now, transaction, Response { reason: error.to_string(), ..unreadable });
            }
        }
    }
}
