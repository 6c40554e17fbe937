//! The peer transfers us: REFER is accepted, the user agent calls, and the peer is told what becomes of it until the call
//! that it is about is answered or has failed (RFC 3515 §2.4, RFC 5589 §6.1). This call stays until the peer ends it.

use super::{Notifier, Phase, Referral, Session};
use crate::{
    sip::{
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Request, Response},
    },
    ua::stack::{Owner, Reply, RequestId, Stack},
};
use std::time::Instant;

impl Session {
    pub(super) fn handle_refer(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
    ) {
        if !matches!(self.phase, Phase::Established(_)) {
            return stack.respond(now, transaction, Response::to(request, 603, None));
        }
        // One at a time: what would the agent make of two?
        if self.refer.notifier.as_ref().is_some_and(|notifier| !notifier.is_over()) || self.refer.is_calling {
            return stack.respond(now, transaction, Response::to(request, 491, None));
        }
        let referral = match Referral::of(request, &self.account) {
            Ok(referral) => referral,
            Err(refusal) => return stack.respond(now, transaction, refusal),
        };
        let contact = stack.contact_uri(&self.account, flow, self.anonymous);
        stack.respond(now, transaction, referral.accepted(request, &contact, None));
        let contact = self.contact();
        self.refer.notifier = referral.subscribes.then(|| Notifier::new(request, self.refer.accepted == 0, contact));
        self.refer.accepted = self.refer.accepted.saturating_add(1);
        self.refer.referral = Some((referral, flow));
        self.refer.is_calling = true;
    }

    /// A call that the peer has sent us to make, once, and how its REFER came; who takes it tells the peer at once.
    pub const fn take_referral(&mut self) -> Option<(Referral, Flow)> {
        self.refer.referral.take()
    }

    /// The agent is asked first (RFC 3515 §2.4.7: pending).
    pub fn referral_is_asked(&mut self, stack: &mut Stack) {
        if let Some(notifier) = &mut self.refer.notifier {
            notifier.is_pending = true;
        }
        self.notify(stack);
    }

    /// Tells the peer how the call fares that it has sent us to make.
    pub fn tell_referrer(&mut self, stack: &mut Stack, code: u16) {
        self.refer.is_calling &= code < 200;
        if let Some(notifier) = &mut self.refer.notifier {
            notifier.is_pending = false;
            notifier.set(code);
            self.notify(stack);
        }
    }

    fn notify(&mut self, stack: &mut Stack) {
        let (Phase::Established(established), Some(notifier)) = (&mut self.phase, &mut self.refer.notifier) else {
            return;
        };
        notifier.advance(stack, &mut established.dialog, &self.account, Owner::Call(self.id));
    }

    pub(super) fn notify_reply(&mut self, stack: &mut Stack, id: RequestId, request: Request, reply: &Reply) {
        let (Phase::Established(established), Some(notifier)) = (&mut self.phase, &mut self.refer.notifier) else {
            return;
        };
        let way = (&mut established.dialog, &self.account, Owner::Call(self.id));
        notifier.handle_reply(stack, way, (id, request), reply);
    }
}
