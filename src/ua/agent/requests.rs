//! The peers' requests, each to what it concerns.

use super::UserAgent;
use crate::{
    sip::{
        dialog::DialogId,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request, Response},
    },
    ua::{identity, outside},
};
use std::time::Instant;

impl UserAgent {
    pub(super) fn request(&mut self, now: Instant, transaction: ServerTransactionId, mut request: Request, flow: Flow) {
        // Within a call it is the call's account that counts.
        let in_the_open = || {
            let registration =
                self.registration.as_ref().filter(|_| !request.headers.to().is_ok_and(|to| to.tag().is_some()));
            registration.and_then(|registration| outside::in_the_open(registration.account(), &request, flow))
        };
        if let Some(refusal) = outside::inspect(&request).or_else(in_the_open) {
            return self.stack.respond(now, transaction, refusal);
        }
        if !self.registration.as_ref().is_some_and(|registration| registration.is_from_home(flow)) {
            identity::distrust(&mut request.headers);
        }
        let Some(request) = self.message_or_notify(now, transaction, request, flow) else { return };
        match DialogId::of_request(&request) {
            Some(id) => self.dialog_request(now, &id, transaction, &request, flow),
            None if request.method == Method::INVITE => self.invited(now, transaction, request, flow),
            None if request.method == Method::REFER => self.asked_to_dial(now, transaction, &request, flow),
            None if outside::belongs_to_a_call(&request.method) => {
                self.stack.respond(now, transaction, Response::to(&request, 481, None));
            }
            None => {
                let response = outside::answer(&request);
                self.stack.respond(now, transaction, response);
            }
        }
    }

    fn dialog_request(
        &mut self,
        now: Instant,
        id: &DialogId,
        transaction: ServerTransactionId,
        request: &Request,
        flow: Flow,
    ) {
        if let Some((call, session)) = self.sessions.iter_mut().find(|(_, session)| session.is_in_dialog(id)) {
            let call = *call;
            if let Some(refusal) = outside::in_the_open(session.account(), request, flow) {
                return self.stack.respond(now, transaction, refusal);
            }
            session.handle_request(now, &mut self.stack, (transaction, request, flow));
            self.settle(now, call);
        } else if !self.farewells.handle_request(now, &mut self.stack, id, (transaction, request)) {
            let ours = &mut self.registration;
            let is_own = ours.as_mut().is_some_and(|ours| ours.is_own_question(&mut self.stack, request, flow));
            self.stack.respond(now, transaction, Response::to(request, if is_own { 200 } else { 481 }, None));
        }
    }

    pub(super) fn ack(&mut self, now: Instant, request: &Request, flow: Flow) {
        let Some(id) = DialogId::of_request(request) else { return };
        if let Some((call, session)) = self.sessions.iter_mut().find(|(_, session)| session.is_in_dialog(&id)) {
            let call = *call;
            session.handle_ack(now, &mut self.stack, (request, flow));
            self.settle(now, call);
        } else {
            self.farewells.handle_ack(now, &mut self.stack, &id);
        }
    }
}
