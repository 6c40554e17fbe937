//! Transfers, as far as they concern more than one call: which call another is joined with, made for, or replaced by; and
//! calls that somebody outside any call asks for.

use super::{UserAgent, admission::MAX_CALLS};
use crate::{
    sip::{
        dialog::Dialog,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Request, Response},
    },
    ua::{
        api::{Account, CallId, Event, Output, TransferTo},
        referral::{Notifier, Referral},
        services,
        session::{self, Destination, Named, Session},
        stack::{Owner, Reply, RequestId, Stack},
        target,
    },
};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// What ties calls together.
#[derive(Default)]
pub(super) struct Links {
    /// Calls that were made because of a REFER, and who is told how they fare.
    referred: BTreeMap<CallId, Referrer>,
    /// Calls that are to take the place of others.
    replacing: BTreeMap<CallId, CallId>,
    /// The question to the agent, or its sender still being told what came of it.
    asked: Vec<Asked>,
    last_asked: u32,
}

/// Who sent us to make a call.
#[derive(Clone, Copy)]
enum Referrer {
    /// The peer of this call.
    Peer(CallId),
    /// The sender of [`Asked::request`].
    Outside(u32),
}

/// A REFER outside any call.
struct Asked {
    /// Its name towards the front end.
    request: u32,
    referral: Referral,
    account: Arc<Account>,
    /// Its sender listens here; `None` where it does not want to.
    subscription: Option<(Dialog, Notifier)>,
    /// Open until then.
    until: Option<Instant>,
}

/// How long a question stays open.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Senders that are told at a time; only one question is open.
const MAX_ASKED: usize = 8;

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
        if let Some(referral) = referral.filter(|_| !ended) {
            self.call_referred(referral, Referrer::Peer(call));
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

    /// Makes a call that somebody else has asked for.
    fn call_referred(&mut self, referral: Referral, referrer: Referrer) {
        let max = self.stack.settings.max_calls.unwrap_or(MAX_CALLS);
        let refusal = match &self.registration {
            None => Some(480),
            // Nobody but the agent calls for help.
            Some(registration) if services::is_emergency(&referral.target, registration.account()) => Some(603),
            Some(_) if self.sessions.len() >= max => Some(486),
            Some(_) => None,
        };
        let (Some(registration), None) = (&self.registration, refusal) else {
            return self.tell(referrer, refusal.unwrap_or(480));
        };
        let (account, routes) = (registration.account().clone(), registration.route_set());
        self.last_call += 1;
        let call = self.last_call;
        if let Referrer::Peer(by) = referrer {
            self.stack.emit(Output::Event(Event::Referred { call, by }));
        }
        let anonymous = self.stack.settings.services.withhold_identity;
        let mut session = Session::dial(&mut self.stack, call, account, (referral.target, routes), anonymous);
        session.extra = referral.headers;
        self.sessions.insert(call, session);
        self.links.referred.insert(call, referrer);
    }

    fn tell(&mut self, referrer: Referrer, code: u16) {
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
        match Session::take_over(now, &mut self.stack, (call, old), account, (transaction, invite, flow)) {
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

    /// REFER outside any call: taken, and the agent is asked (RFC 3515 §2.4.2).
    pub(super) fn asked_to_dial(
        &mut self,
        now: Instant,
        transaction: ServerTransactionId,
        request: &Request,
        flow: Flow,
    ) {
        match self.ask(now, request, flow) {
            Ok(response) | Err(response) => self.stack.respond(now, transaction, response),
        }
        self.advance_asked();
    }

    fn ask(&mut self, now: Instant, request: &Request, flow: Flow) -> Result<Response, Response> {
        let refuse = |code| Response::to(request, code, None);
        let registration = self.registration.as_ref().ok_or_else(|| refuse(480))?;
        let account = registration.account().clone();
        // Not from just anybody: a question that pops up is a nuisance.
        if account.register && !registration.is_from_home(flow) {
            return Err(refuse(403));
        }
        if self.links.asked.len() >= MAX_ASKED || self.links.asked.iter().any(|asked| asked.until.is_some()) {
            return Err(refuse(486));
        }
        let referral = Referral::of(request, &account)?;
        let tag = self.stack.entropy.tag();
        let contact = self.stack.contact_uri(&account, flow);
        let dialog = Dialog::uas(request, &tag)
            .map_err(|error| Response { reason: error.to_string(), ..Response::to(request, 400, None) })?;
        let mut response = referral.accepted(request, &contact, Some(&tag));
        for route in request.headers.get_all("Record-Route") {
            response.headers.push("Record-Route", route);
        }
        self.links.last_asked += 1;
        let request_id = self.links.last_asked;
        let (from, to) = (dialog.remote().uri.to_string(), referral.target.to_string());
        let subscription = referral.subscribes.then(|| {
            let mut notifier = Notifier::new(request, true);
            notifier.is_pending = true;
            (dialog, notifier)
        });
        let until = Some(now + ANSWER_WITHIN);
        self.links.asked.push(Asked { request: request_id, referral, account, subscription, until });
        self.stack.emit(Output::Event(Event::DialAsked { request: request_id, from, to }));
        Ok(response)
    }

    /// The agent's answer.
    pub(super) fn answer_dial_asked(&mut self, request: u32, accept: bool) {
        let Some(asked) = self.links.asked.iter_mut().find(|a| a.request == request && a.until.is_some()) else {
            let message = "That question is no longer open.".to_owned();
            return self.stack.emit(Output::Event(Event::Refused { command: "answer_dial", call: None, message }));
        };
        asked.until = None;
        let referral = asked.referral.clone();
        if let Some((_, notifier)) = &mut asked.subscription {
            notifier.is_pending = false;
        }
        self.stack.emit(Output::Event(Event::DialAskedOver { request }));
        match accept {
            true => self.call_referred(referral, Referrer::Outside(request)),
            false => self.tell(Referrer::Outside(request), 603),
        }
        self.advance_asked();
    }

    /// Nobody has answered the question.
    pub(super) fn asked_timeout(&mut self, now: Instant) {
        let due: Vec<u32> =
            self.links.asked.iter().filter(|a| a.until.is_some_and(|at| at <= now)).map(|a| a.request).collect();
        for request in due {
            self.answer_dial_asked(request, false);
        }
    }

    pub(super) fn referrer_reply(&mut self, id: RequestId, request: Request, reply: &Reply) {
        for asked in &mut self.links.asked {
            let Some((dialog, notifier)) = &mut asked.subscription else { continue };
            let way = (dialog, &asked.account, Owner::Referrer);
            if notifier.handle_reply(&mut self.stack, way, (id, request.clone()), reply) {
                break;
            }
        }
        self.advance_asked();
    }

    /// Sends what is due, and forgets who has heard it all.
    fn advance_asked(&mut self) {
        for asked in &mut self.links.asked {
            if let Some((dialog, notifier)) = &mut asked.subscription {
                notifier.advance(&mut self.stack, dialog, &asked.account, Owner::Referrer);
            }
        }
        self.links.asked.retain(|asked| {
            let told = asked.subscription.as_ref().is_none_or(|(_, notifier)| notifier.is_silent());
            asked.until.is_some() || !told
        });
    }
}
