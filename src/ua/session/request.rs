//! The peer's requests within a call: their order, and to whom each goes.

use super::{Phase, Session, update::Peer};
use crate::{
    sip::{
        dialog::{Dialog, DialogError, DialogId},
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request, Response},
    },
    ua::{identity, stack::Stack},
};
use std::time::Instant;

impl Session {
    /// A request within the dialog.
    pub fn handle_request(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
    ) {
        self.described(&request.body, flow);
        let account = self.account.clone();
        let Some(dialog) = self.dialog_of(request) else {
            return stack.respond(now, transaction, Response::to(request, 481, None));
        };
        let turned_out =
            identity::turned_out(&request.headers, dialog.remote()).filter(|_| stack.is_home(&account, flow));
        if let Err(error) = dialog.handle_request(request) {
            let code = match error {
                DialogError::OutOfOrder { .. } => 500,
                DialogError::Header(_) => 400,
            };
            let mut response = Response::to(request, code, None);
            response.reason = error.to_string();
            return stack.respond(now, transaction, response);
        }
        match &request.method {
            method if *method == Method::PRACK => self.handle_prack(now, stack, transaction, request),
            method if *method == Method::UPDATE => self.updated(now, stack, (transaction, request, flow), turned_out),
            method if *method == Method::INFO => self.handle_info(now, stack, transaction, request),
            _ if matches!(self.phase, Phase::Inviting(_)) => self.early_request(now, stack, transaction, request),
            method if *method == Method::BYE => self.handle_bye(now, stack, transaction, request),
            method if *method == Method::INVITE => self.reinvited(now, stack, (transaction, request, flow), turned_out),
            method if *method == Method::REFER || *method == Method::NOTIFY => {
                self.handle_referring(now, stack, (transaction, request, flow));
            }
            _ => stack.respond(now, transaction, crate::ua::outside::answer(request)),
        }
    }

    /// The peer has another name from now on (RFC 4916 §4.3): put through, or found. Only what was taken says so.
    pub(super) fn renamed(&mut self, request: &Request, peer: Option<Peer>) {
        let Some((peer, name)) = peer else { return };
        (self.peer, self.peer_name) = (peer, name);
        if let Some(dialog) = self.dialog_of(request) {
            dialog.renamed(request);
        }
    }

    /// The dialog that a request of the peer's belongs to.
    fn dialog_of(&mut self, request: &Request) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Ringing(ringing) | Phase::Answering(ringing) => Some(&mut ringing.dialog),
            Phase::Established(established) => Some(&mut established.dialog),
            Phase::Inviting(inviting) => DialogId::of_request(request).and_then(|id| inviting.forks.get_mut(&id)),
            Phase::Calling(_) | Phase::Ended => None,
        }
    }
}
