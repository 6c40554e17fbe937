//! The peer changes an answered call: its re-INVITEs and the ACKs of our answers (RFC 3261 §14.2, §13.3.1.4).

use super::{
    End, Phase, Session,
    modify::{Exchange, Unconfirmed},
    timer::{self, SessionTimer},
    update::{Peer, allows_update},
};
use crate::{
    sip::{
        body::session_description,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Request, Response},
    },
    ua::{
        api::{Account, EndedBy},
        outside,
        stack::Stack,
    },
};
use std::time::Instant;

impl Session {
    /// The peer's re-INVITE (RFC 3261 §14.2).
    pub(super) fn reinvited(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
        peer: Option<Peer>,
    ) {
        let (Phase::Established(established), Some(local)) = (&mut self.phase, self.media.local) else {
            // Before the first INVITE is answered: RFC 3261 §14.2.
            let refusal = outside::not_now(request, stack.entropy.u32());
            return stack.respond(now, transaction, refusal);
        };
        let busy = match established.exchange {
            Exchange::Offered { .. } => true,
            // Our offer in a 2xx is not answered yet (RFC 5407 §3.1.4); otherwise the re-INVITE says as much as the ACK.
            Exchange::Answered(_) => self.media.negotiation.is_offering(),
            Exchange::Idle | Exchange::Glare { .. } => false,
        };
        if busy {
            return stack.respond(now, transaction, Response::to(request, 491, None));
        }
        if let Some(refusal) = timer::inspect(request) {
            return stack.respond(now, transaction, refusal);
        }
        if let Some(unconfirmed) = established.unconfirmed() {
            stack.acknowledged(now, unconfirmed.transaction);
        }
        let wanted = established.wanted_direction();
        let answer = match session_description(&request.headers, &request.body) {
            Ok(Some(offer)) => {
                self.media.negotiation.answer(offer, local, wanted).map(|(body, plan)| (body, Some(plan)))
            }
            Ok(None) => Ok((self.media.negotiation.offer(local, wanted), None)),
            Err(_) => return stack.respond(now, transaction, outside::unsupported_body(request)),
        };
        let (body, plan) = match answer {
            Ok(answer) => answer,
            Err(error) => return stack.respond(now, transaction, outside::not_acceptable(request, &error)),
        };
        let mut response = target_refreshed(stack, (&self.account, self.anonymous), request, flow);
        established.timer = SessionTimer::answer(now, &request.headers, &mut response.headers);
        established.allows_update = allows_update(&request.headers);
        response.headers.push("Content-Type", "application/sdp");
        response.body = body;
        stack.respond(now, transaction, response);
        let cseq = request.headers.cseq().map_or(0, |cseq| cseq.number);
        let is_initial = established.unconfirmed().is_some_and(|u| u.is_initial);
        let hold = established.want_hold;
        established.exchange = Exchange::Answered(Unconfirmed { transaction, cseq, is_initial, hold });
        if plan.is_some() {
            established.held = hold;
        }
        if let Some(plan) = plan {
            self.agree(stack, plan);
        }
        self.renamed(request, peer);
        self.report(stack);
    }

    /// The ACK of our 2xx (RFC 3261 §13.3.1.4), with the answer where the 2xx held our offer.
    pub fn handle_ack(&mut self, now: Instant, stack: &mut Stack, (ack, flow): (&Request, Flow)) {
        self.described(&ack.body, flow);
        let Phase::Established(established) = &mut self.phase else { return };
        let Some(unconfirmed) = established.unconfirmed() else { return };
        if ack.headers.cseq().map(|cseq| cseq.number) != Ok(unconfirmed.cseq) {
            return;
        }
        stack.acknowledged(now, unconfirmed.transaction);
        established.exchange = Exchange::Idle;
        if self.media.negotiation.is_offering() {
            let answer = session_description(&ack.headers, &ack.body).unwrap_or(None).unwrap_or_default();
            match self.media.negotiation.accept_answer(answer) {
                Ok(plan) => {
                    established.held = unconfirmed.hold;
                    self.agree(stack, plan);
                    self.report(stack);
                }
                Err(error) => {
                    let reason = format!("The other side sent no usable audio: {error}.");
                    return self.close(now, stack, End::new(EndedBy::Network, Some(488), reason));
                }
            }
        }
        self.negotiate(stack);
    }

    /// No ACK came (RFC 3261 §13.3.1.4, §14.2): BYE.
    pub fn handle_no_ack(&mut self, now: Instant, stack: &mut Stack) {
        if let Phase::Established(established) = &mut self.phase {
            established.exchange = Exchange::Idle;
            let reason = "The connection to the other side was lost: it never confirmed the call.";
            self.close(now, stack, End::new(EndedBy::Network, Some(408), reason));
        }
    }
}

/// 200 to a request that has told a new target and hears ours (RFC 3261 §12.2.2, RFC 3311 §5.2).
pub(super) fn target_refreshed(
    stack: &Stack,
    (account, anonymous): (&Account, bool),
    request: &Request,
    flow: Flow,
) -> Response {
    let mut response = Response::to(request, 200, None);
    response.headers.push("Contact", format!("<{}>", stack.contact_uri(account, flow, anonymous)));
    response.headers.push("Allow", crate::ua::ALLOW);
    response.headers.push("Supported", crate::ua::SUPPORTED);
    response
}
