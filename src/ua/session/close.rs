//! Ending a call (RFC 3261 §15, §9).

use super::{End, Phase, Session};
use crate::{
    sip::{
        endpoint::ServerTransactionId,
        msg::{Method, Request, Response},
    },
    ua::{
        api::{CallState, EndedBy, Event, Output},
        farewell::Parting,
        reason,
        stack::{Owner, Stack},
    },
};
use std::time::Instant;

impl Session {
    /// The agent hangs up, in whatever phase.
    pub fn hang_up(&mut self, now: Instant, stack: &mut Stack) {
        match &self.phase {
            // 486 rather than a 6xx: other devices of the account may go on ringing.
            Phase::Ringing(_) | Phase::Answering(_) => self.reject(now, stack, 486),
            Phase::Calling(_) | Phase::Inviting(_) | Phase::Established(_) => self.close(now, stack, End::local()),
            Phase::Ended => {}
        }
    }

    /// Asks the peer of an answered call with OPTIONS, which changes nothing (RFC 3261 §11): see [`Session::dialog_reply`] for
    /// what becomes of it.
    pub fn probe(&mut self, stack: &mut Stack) {
        if let Phase::Established(established) = &mut self.phase {
            let mut request = established.dialog.request(Method::OPTIONS);
            request.headers.push("Accept", "application/sdp");
            let hop = established.dialog.next_hop();
            stack.send((&self.account, request), hop, Owner::Call(self.id), None);
        }
    }

    /// Ends an outgoing or answered call from this side: CANCEL or BYE.
    pub(super) fn close(&mut self, now: Instant, stack: &mut Stack, end: End) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Inviting(inviting) => stack.abandon(now, inviting.request),
            Phase::Established(established) => {
                if let Some(request) = established.offered() {
                    stack.abandon(now, request);
                }
                let (dialog, account) = (Box::new(established.dialog.clone()), self.account.clone());
                // RFC 3326 §2: the peer learns what the agent does.
                let reason = end.code.filter(|_| end.by != EndedBy::Remote).map(reason::header);
                self.parting = Some(match established.unconfirmed() {
                    Some(unconfirmed) if unconfirmed.is_initial => {
                        Parting::AfterAck { transaction: unconfirmed.transaction, dialog, account }
                    }
                    unconfirmed => {
                        if let Some(unconfirmed) = unconfirmed {
                            stack.acknowledged(now, unconfirmed.transaction);
                        }
                        Parting::Bye { dialog, account, reason }
                    }
                });
            }
            phase @ (Phase::Calling(_) | Phase::Ringing(_) | Phase::Answering(_) | Phase::Ended) => self.phase = phase,
        }
        self.end(stack, end);
    }

    pub(super) fn handle_bye(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: ServerTransactionId,
        request: &Request,
    ) {
        stack.respond(now, transaction, Response::to(request, 200, None));
        match &self.phase {
            Phase::Established(established) => {
                if let Some(unconfirmed) = established.unconfirmed() {
                    stack.acknowledged(now, unconfirmed.transaction);
                }
                if let Some(request) = established.offered() {
                    stack.abandon(now, request);
                }
            }
            // RFC 3261 §15.1.2: an unanswered INVITE of that dialog is answered 487.
            Phase::Ringing(ringing) | Phase::Answering(ringing) => {
                stack.respond(now, ringing.transaction, self.response(stack, ringing, 487));
            }
            Phase::Calling(_) | Phase::Inviting(_) | Phase::Ended => {}
        }
        let plain = || (EndedBy::Remote, 0, "The other side ended the call.".to_owned());
        let (by, code, reason) = reason::given(&request.headers).unwrap_or_else(plain);
        self.end(stack, End::new(by, (code != 0).then_some(code), reason));
    }

    /// A request in an early dialog of our INVITE: RFC 3261 §15 allows the callee no BYE there.
    pub(super) fn early_request(
        &self,
        now: Instant,
        stack: &mut Stack,
        transaction: ServerTransactionId,
        request: &Request,
    ) {
        let answer = if request.method == Method::BYE || request.method == Method::INVITE {
            Response::to(request, 481, None)
        } else {
            crate::ua::outside::answer(request)
        };
        stack.respond(now, transaction, answer);
    }

    /// Reports the end, once, and lets the audio go.
    pub(super) fn end(&mut self, stack: &mut Stack, end: End) {
        self.referring_ends(stack, &end);
        self.phase = Phase::Ended;
        if self.media.local.is_some() {
            stack.emit(Output::CloseMedia { call: self.id });
        }
        let info = self.info(CallState::Ended { ended_by: end.by, code: end.code, reason: end.reason });
        stack.emit(Output::Event(Event::Call(info)));
    }
}
