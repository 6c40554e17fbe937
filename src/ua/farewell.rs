//! Ending dialogs of calls that are over for the agent: BYE, where need be after the ACK that must come first, with
//! credentials where they are asked for.

use super::{
    api::Account,
    stack::{Owner, Reply, RequestId, Stack},
};
use crate::sip::{
    dialog::{Dialog, DialogId},
    endpoint::ServerTransactionId,
    msg::{Method, Replaces, Request, Response},
};
use std::{collections::BTreeMap, sync::Arc, time::Instant};

/// How a call's dialog is to be ended.
#[derive(Debug)]
pub(super) enum Parting {
    /// BYE at once.
    Bye { dialog: Box<Dialog>, account: Arc<Account>, reason: Option<String> },
    /// RFC 3261 §15: the callee waits for the ACK of its 2xx.
    AfterAck { transaction: ServerTransactionId, dialog: Box<Dialog>, account: Arc<Account> },
}

#[derive(Default)]
pub(super) struct Farewells {
    byes: BTreeMap<RequestId, Bye>,
    unconfirmed: Vec<(ServerTransactionId, Box<Dialog>, Arc<Account>)>,
}

struct Bye {
    dialog: Box<Dialog>,
    account: Arc<Account>,
}

impl Farewells {
    pub fn len(&self) -> usize {
        self.byes.len() + self.unconfirmed.len()
    }

    /// Whether a peer's Replaces means a dialog that is being ended.
    pub fn is_ending(&self, replaces: &Replaces) -> bool {
        let byes = self.byes.values().map(|bye| &bye.dialog);
        byes.chain(self.unconfirmed.iter().map(|(_, dialog, _)| dialog)).any(|dialog| dialog.id().is_named_by(replaces))
    }

    pub fn say(&mut self, stack: &mut Stack, parting: Parting) {
        match parting {
            Parting::Bye { mut dialog, account, reason } => {
                let mut bye = dialog.request(Method::BYE);
                if let Some(reason) = reason {
                    bye.headers.push("Reason", reason);
                }
                self.send(stack, bye, Bye { dialog, account });
            }
            Parting::AfterAck { transaction, dialog, account } => {
                self.unconfirmed.push((transaction, dialog, account));
            }
        }
    }

    /// A 2xx nobody waits for: ACK, then BYE (RFC 3261 §13.2.2.4).
    pub fn end_stray(
        &mut self,
        stack: &mut Stack,
        account: Arc<Account>,
        (id, invite, response): (RequestId, &Request, &Response),
    ) {
        let dialog = Dialog::uac(invite, response).or_else(|_| Dialog::uac_by_request_uri(invite, response));
        let Ok(dialog) = dialog else { return };
        let Ok(ack) = dialog.ack(invite) else { return };
        let hop = (&dialog.next_hop().clone(), account.transport);
        stack.confirm(id, &dialog.id().remote_tag.clone(), ack, hop);
        self.say(stack, Parting::Bye { dialog: Box::new(dialog), account, reason: None });
    }

    /// The ACK that a BYE waits for.
    pub fn handle_ack(&mut self, now: Instant, stack: &mut Stack, id: &DialogId) {
        if let Some(at) = self.unconfirmed.iter().position(|(_, dialog, _)| dialog.id() == id) {
            stack.acknowledged(now, self.unconfirmed[at].0);
            self.release(stack, at);
        }
    }

    /// It never came; BYE all the same.
    pub fn handle_no_ack(&mut self, stack: &mut Stack, transaction: ServerTransactionId) {
        if let Some(at) = self.unconfirmed.iter().position(|(t, _, _)| *t == transaction) {
            self.release(stack, at);
        }
    }

    /// A request in a dialog that we are ending: a BYE that crosses ours is answered 200, anything else is too late.
    pub fn handle_request(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: &DialogId,
        (transaction, request): (ServerTransactionId, &Request),
    ) -> bool {
        let waiting = self.unconfirmed.iter().position(|(_, dialog, _)| dialog.id() == id);
        if waiting.is_none() && !self.byes.values().any(|bye| bye.dialog.id() == id) {
            return false;
        }
        let is_bye = request.method == Method::BYE;
        stack.respond(now, transaction, Response::to(request, if is_bye { 200 } else { 481 }, None));
        if let (Some(at), true) = (waiting, is_bye) {
            let (invite, _, _) = self.unconfirmed.remove(at);
            stack.acknowledged(now, invite);
        }
        true
    }

    pub fn handle_reply(&mut self, stack: &mut Stack, id: RequestId, mut request: Request, reply: &Reply) {
        let Reply::Response(response, _) = reply else {
            self.byes.remove(&id);
            return;
        };
        if response.is_provisional() {
            return;
        }
        let Some(mut bye) = self.byes.remove(&id) else { return };
        if matches!(response.code(), 401 | 407) && stack.answer_challenge(&bye.account, &mut request, response).is_ok()
        {
            bye.dialog.renew(&mut request);
            self.send(stack, request, bye);
        }
    }

    fn release(&mut self, stack: &mut Stack, at: usize) {
        let (_, dialog, account) = self.unconfirmed.remove(at);
        self.say(stack, Parting::Bye { dialog, account, reason: None });
    }

    fn send(&mut self, stack: &mut Stack, request: Request, bye: Bye) {
        let hop = bye.dialog.next_hop();
        let id = stack.send((&bye.account, request), hop, Owner::Farewell, None);
        self.byes.insert(id, bye);
    }
}
