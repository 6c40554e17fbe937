//! Being called: ringing, answering, rejecting, the caller's CANCEL (RFC 3261 §13.3).

use super::{CallDirection, End, Phase, Session, invite::is_sdp, modify::Unconfirmed, readable};
use crate::{
    media::plan::Direction,
    sip::{
        dialog::{Dialog, DialogError},
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Headers, Request, Response},
        sdp::SdpError,
        uri::{NameAddr, Uri},
    },
    ua::{
        api::{Account, CallId, EndedBy, Event, Output},
        reason,
        stack::Stack,
    },
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub(in crate::ua) struct Ringing {
    pub transaction: ServerTransactionId,
    invite: Request,
    pub dialog: Dialog,
    flow: Flow,
    /// Auto-answer.
    answer_at: Option<Instant>,
    /// The caller's Expires, or longer than anybody lets it ring.
    give_up_at: Instant,
}

/// Longest ringing: a caller that vanished without CANCEL must not ring for ever.
const LONGEST_RINGING: Duration = Duration::from_secs(300);

impl Ringing {
    pub fn poll_timeout(&self) -> Instant {
        self.answer_at.map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }
}

impl Session {
    /// A call for us. `Err`: the dialog it would make lacks something (400).
    pub fn ring(
        now: Instant,
        stack: &mut Stack,
        id: CallId,
        account: Arc<Account>,
        invite: (ServerTransactionId, Request, Flow),
    ) -> Result<Self, DialogError> {
        let mut session = Self::invited(now, stack, id, account, invite)?;
        session.report(stack);
        if matches!(&session.phase, Phase::Ringing(ringing) if ringing.answer_at == Some(now)) {
            session.answer(stack);
        } else {
            session.send_ringing(now, stack);
        }
        Ok(session)
    }

    /// The call of that INVITE, before anything is said of it.
    pub(super) fn invited(
        now: Instant,
        stack: &mut Stack,
        id: CallId,
        account: Arc<Account>,
        (transaction, invite, flow): (ServerTransactionId, Request, Flow),
    ) -> Result<Self, DialogError> {
        let dialog = Dialog::uas(&invite, &stack.entropy.tag())?;
        let answer_at = stack.settings.auto_answer.map(|after| now + after);
        let caller = caller(&invite.headers, dialog.remote());
        let called = called(&invite.headers, &account);
        let expires = invite.headers.number("Expires").map(|s| Duration::from_secs(u64::from(s)));
        let give_up_at = now + expires.unwrap_or(LONGEST_RINGING).min(LONGEST_RINGING);
        let ringing = Ringing { transaction, invite, dialog, flow, answer_at, give_up_at };
        let mut session = Self::new(stack, id, account, CallDirection::In, Phase::Ringing(Box::new(ringing)));
        session.peer = readable(&caller);
        session.peer_name = caller.display.filter(|name| !name.trim().is_empty());
        session.called = called;
        Ok(session)
    }

    fn send_ringing(&self, now: Instant, stack: &mut Stack) {
        if let Phase::Ringing(ringing) = &self.phase {
            let response = self.response(stack, ringing, 180);
            stack.respond(now, ringing.transaction, response);
        }
    }

    /// Auto-answer is due, or nobody has answered in time (RFC 3261 §13.3.1).
    pub(super) fn ringing_is_over(&mut self, now: Instant, stack: &mut Stack) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        if ringing.answer_at.is_some_and(|at| at <= now) {
            return self.answer(stack);
        }
        let response = self.response(stack, ringing, 480);
        stack.respond(now, ringing.transaction, response);
        // Not our doing: a missed call.
        self.end(stack, End::new(EndedBy::Remote, Some(480), "Nobody answered the call here."));
    }

    /// Answers: opens audio, then [`Session::accept`].
    pub fn answer(&mut self, stack: &mut Stack) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ringing(ringing) => {
                let offered = self.media.negotiation.check_offer(&ringing.invite.body).ok();
                let remote = offered.filter(|a| !a.ip().is_unspecified()).unwrap_or(ringing.flow.remote);
                self.phase = Phase::Answering(ringing);
                stack.emit(Output::OpenMedia { call: self.id, remote });
            }
            phase => {
                self.phase = phase;
                self.refuse_command(stack, "answer", "There is nothing to answer: the call is not ringing here.");
            }
        }
    }

    pub fn reject(&mut self, now: Instant, stack: &mut Stack, code: u16) {
        match &self.phase {
            Phase::Ringing(ringing) | Phase::Answering(ringing) => {
                let code = if (300..=699).contains(&code) { code } else { 486 };
                let response = self.response(stack, ringing, code);
                stack.respond(now, ringing.transaction, response);
                self.end(stack, End::new(EndedBy::Local, Some(code), "You rejected the call."));
            }
            Phase::Calling(_) | Phase::Inviting(_) | Phase::Established(_) | Phase::Ended => {
                self.refuse_command(stack, "reject", "Only a ringing call can be rejected; hang it up instead.");
            }
        }
    }

    /// The caller gave up, or somebody else answered (RFC 3326).
    pub fn handle_cancelled(&mut self, now: Instant, stack: &mut Stack, cancel: &Request) {
        let (Phase::Ringing(ringing) | Phase::Answering(ringing)) = &self.phase else { return };
        let response = self.response(stack, ringing, 487);
        stack.respond(now, ringing.transaction, response);
        let (by, code, reason) =
            reason::given(&cancel.headers).unwrap_or((EndedBy::Remote, 487, "The caller hung up.".to_owned()));
        self.end(stack, End::new(by, Some(code), reason));
    }

    /// 200 with our answer, or with our offer where the caller sent none (RFC 3261 §13.3.1.4).
    pub(super) fn accept(&mut self, now: Instant, stack: &mut Stack, opened: Result<SocketAddr, String>) {
        let Phase::Answering(ringing) = &self.phase else { return };
        let local = match opened {
            Ok(local) => local,
            Err(why) => {
                let response = self.response(stack, ringing, 500);
                stack.respond(now, ringing.transaction, response);
                return self.end(stack, End::new(EndedBy::Local, Some(500), why));
            }
        };
        let offer = is_sdp(&ringing.invite.headers).then_some(ringing.invite.body.as_slice());
        let answer: Result<_, SdpError> = match offer {
            Some(offer) => {
                self.media.negotiation.answer(offer, local, Direction::SendRecv).map(|(body, plan)| (body, Some(plan)))
            }
            None => Ok((self.media.negotiation.offer(local, Direction::SendRecv), None)),
        };
        let (body, plan) = match answer {
            Ok(answer) => answer,
            // The offer was looked at before it rang.
            Err(error) => {
                let response = self.response(stack, ringing, 488);
                stack.respond(now, ringing.transaction, response);
                let reason = format!("The call cannot be taken: {error}.");
                return self.end(stack, End::new(EndedBy::Local, Some(488), reason));
            }
        };
        let mut response = self.response(stack, ringing, 200);
        response.headers.push("Content-Type", "application/sdp");
        response.body = body;
        stack.respond(now, ringing.transaction, response);
        let Phase::Answering(ringing) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let Ringing { transaction, mut dialog, invite, .. } = *ringing;
        dialog.confirm();
        let cseq = invite.headers.cseq().map_or(0, |cseq| cseq.number);
        self.establish(dialog, Some(Unconfirmed { transaction, cseq, is_initial: true, hold: false }));
        if let Some(plan) = plan {
            self.agree(stack, plan);
        }
        self.report(stack);
    }

    pub(super) fn response(&self, stack: &Stack, ringing: &Ringing, code: u16) -> Response {
        let mut response = Response::to(&ringing.invite, code, Some(&ringing.dialog.id().local_tag));
        if code < 300 {
            let contact = stack.contact_uri(&self.account, ringing.flow);
            response.headers.push("Contact", format!("<{contact}>"));
            response.headers.push("Allow", crate::ua::ALLOW);
            response.headers.push("Supported", "replaces, norefersub");
            for route in ringing.invite.headers.get_all("Record-Route") {
                response.headers.push("Record-Route", route);
            }
        }
        response
    }

    pub(super) fn refuse_command(&self, stack: &mut Stack, command: &'static str, message: &str) {
        let refused = Event::Refused { command, call: Some(self.id), message: message.to_owned() };
        stack.emit(Output::Event(refused));
    }
}

/// Who calls: what the network asserts (RFC 3325), else From.
fn caller(headers: &Headers, from: &NameAddr) -> NameAddr {
    let asserted = headers.name_addrs("P-Asserted-Identity").unwrap_or_default();
    let mut caller = asserted.into_iter().next().unwrap_or_else(|| from.clone());
    if caller.display.is_none() {
        caller.display.clone_from(&from.display);
    }
    caller
}

/// The number or queue that was called, where it is not simply the account.
fn called(headers: &Headers, account: &Account) -> Option<String> {
    let to = headers.to().ok()?;
    let user = |uri: &Uri| uri.as_sip().and_then(|u| u.user.clone());
    (user(&to.uri) != user(&account.aor)).then(|| readable(&to))
}
