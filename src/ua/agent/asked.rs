//! Calls that somebody else wants made and that the agent is asked about first: by REFER outside any call (click to dial), or by
//! one within a call that leads away from our server or did not come through it.

use super::{
    UserAgent,
    transfer::{Links, Referrer},
};
use crate::{
    sip::{
        dialog::Dialog,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Request, Response},
    },
    ua::{
        api::{Account, CallId, Event, Output},
        referral::{Notifier, Referral},
        stack::{ContactOf, Owner, Reply, RequestId},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// A question to the agent.
pub(super) struct Asked {
    /// Its name towards the front end.
    pub request: u32,
    /// The call whose peer has sent the REFER.
    peer_of: Option<CallId>,
    referral: Referral,
    pub account: Arc<Account>,
    /// The sender of one outside any call listens here; `None` where it does not want to.
    pub subscription: Option<(Dialog, Notifier)>,
    /// Open until then.
    pub until: Option<Instant>,
}

/// How long a question stays open.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Senders that are told at a time; only one question is open.
const MAX_ASKED: usize = 8;

impl Links {
    fn may_not_ask(&self) -> bool {
        self.asked.len() >= MAX_ASKED || self.asked.iter().any(|asked| asked.until.is_some())
    }
}

impl UserAgent {
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
        if self.links.may_not_ask() {
            return Err(refuse(486));
        }
        let referral = Referral::of(request, &account)?;
        if let Some(code) = self.cannot_call(&referral) {
            return Err(refuse(code));
        }
        let tag = self.stack.entropy.tag();
        let contact = self.stack.contact_uri(&account, flow, false);
        let dialog = Dialog::uas(request, &tag)
            .map_err(|error| Response { reason: error.to_string(), ..Response::to(request, 400, None) })?;
        let mut response = referral.accepted(request, &contact, Some(&tag));
        for route in request.headers.get_all("Record-Route") {
            response.headers.push("Record-Route", route);
        }
        let from = dialog.remote().uri.to_string();
        let subscription = referral.subscribes.then(|| {
            let mut notifier = Notifier::new(request, true, ContactOf::default());
            notifier.is_pending = true;
            (dialog, notifier)
        });
        self.open(now, from, None, referral, (account, subscription));
        Ok(response)
    }

    /// The same for a REFER of the peer of `call`.
    pub(super) fn ask_for(&mut self, now: Instant, call: CallId, referral: Referral) {
        let Some(session) = self.sessions.get_mut(&call) else { return };
        if self.links.may_not_ask() {
            return self.tell(Referrer::Peer(call), 486);
        }
        session.referral_is_asked(&mut self.stack);
        let (from, account) = (session.peer().to_owned(), session.account().clone());
        self.open(now, from, Some(call), referral, (account, None));
    }

    fn open(
        &mut self,
        now: Instant,
        from: String,
        peer_of: Option<CallId>,
        referral: Referral,
        (account, subscription): (Arc<Account>, Option<(Dialog, Notifier)>),
    ) {
        self.links.last_asked += 1;
        let (request, to, until) = (self.links.last_asked, referral.target.to_string(), Some(now + ANSWER_WITHIN));
        self.links.asked.push(Asked { request, peer_of, referral, account, subscription, until });
        self.stack.emit(Output::Event(Event::DialAsked { request, from, to }));
    }

    /// The agent's answer.
    pub(super) fn answer_dial_asked(&mut self, request: u32, accept: bool) {
        let Some(asked) = self.links.asked.iter_mut().find(|a| a.request == request && a.until.is_some()) else {
            let message = "That question is no longer open.".to_owned();
            return self.stack.emit(Output::Event(Event::Refused { command: "answer_dial", call: None, message }));
        };
        asked.until = None;
        let referral = asked.referral.clone();
        let referrer = asked.peer_of.map_or(Referrer::Outside(request), Referrer::Peer);
        if let Some((_, notifier)) = &mut asked.subscription {
            notifier.is_pending = false;
        }
        self.stack.emit(Output::Event(Event::DialAskedOver { request }));
        match accept {
            true => self.call_referred(referral, referrer),
            false => self.tell(referrer, 603),
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
