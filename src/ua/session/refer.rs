//! REFER and its notifications within a call: the agent transfers it, or its peer transfers us (RFC 3515, RFC 5589).

mod replaced;
mod transferee;
mod transferor;

pub(in crate::ua) use replaced::Named;
pub(in crate::ua) use transferor::{Destination, blind};

use super::{End, Phase, Reception, Session};
use crate::{
    sip::{
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request},
    },
    ua::{
        api::{CallId, EndedBy},
        referral::{Notifier, Referral},
        stack::{Reply, RequestId, Stack},
    },
};
use std::time::Instant;
use transferor::Transfer;

/// What a call has to do with transfers.
#[derive(Default)]
pub(in crate::ua) struct Refer {
    /// The agent is transferring the peer.
    transfer: Option<Transfer>,
    /// A REFER of ours has been accepted whose NOTIFYs need no number, and the last of them has not come.
    may_be_unnamed: bool,
    /// The other call that a transfer, now done, has joined with this one.
    joined_with: Option<CallId>,
    /// The peer transfers us: accepted, to be called next.
    referral: Option<(Referral, Flow)>,
    /// Tells the peer what becomes of that call.
    notifier: Option<Notifier>,
    /// The call that the peer has sent us to make has not been answered or failed yet.
    is_calling: bool,
    /// REFERs accepted in this dialog.
    accepted: u32,
    /// How the call ended, as a status code.
    outcome: u16,
}

impl Session {
    /// REFER, or NOTIFY, within the dialog; its order has been checked.
    pub(super) fn handle_referring(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
    ) {
        if request.method == Method::REFER {
            self.handle_refer(now, stack, (transaction, request, flow));
        } else {
            self.handle_notify(now, stack, transaction, request);
        }
    }

    /// What became of a REFER or NOTIFY of ours. None of it says that the call itself is over (RFC 5057 §5.3).
    pub(super) fn referring_reply(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (id, request): (RequestId, Request),
        reply: Reply,
    ) {
        if request.method == Method::REFER {
            self.refer_reply(now, stack, id, request, reply);
        } else {
            self.notify_reply(stack, id, request, &reply);
        }
    }

    /// When [`Session::referring_is_due`] has something to do.
    pub(super) fn referring_timeout(&self) -> Option<Instant> {
        self.refer.transfer.as_ref().and_then(Transfer::poll_timeout)
    }

    /// The call is about to end.
    pub(super) fn referring_ends(&mut self, stack: &mut Stack, end: &End) {
        // A 2xx that could not be used is no success, nor is what else stands in a Reason.
        let code = end.code.filter(|code| *code >= 300);
        self.refer.outcome = code.unwrap_or(match end.by {
            EndedBy::Local | EndedBy::AnsweredElsewhere | EndedBy::Remote => 487,
            EndedBy::Network => 503,
        });
        self.transfer_cut_short(stack, end.by);
    }

    /// How the call fares, as the status code that a REFER's sender is told.
    pub fn status_code(&self) -> u16 {
        match &self.phase {
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Answering(_) => 100,
            Phase::Inviting(inviting) if inviting.alerted => 180,
            Phase::Inviting(_) => 100,
            Phase::Established(_) => 200,
            Phase::Ended => self.refer.outcome,
        }
    }
}
