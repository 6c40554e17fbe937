//! UPDATE (RFC 3311), early and answered: ours confirms a call without touching its audio (RFC 4028 §7.4), the peer's may
//! change the audio as well. And who the peer turns out to be (RFC 4916).

use super::{
    Phase, Session,
    modified::target_refreshed,
    modify::{Established, Exchange, retry_after},
    timer::{self, SessionTimer},
};
use crate::{
    media::plan::{Direction, MediaPlan},
    sip::{
        body::session_description,
        dialog::DialogId,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Headers, Method, Request, Response},
        sdp::SdpError,
    },
    ua::{
        outside,
        stack::{Owner, Reply, Stack},
    },
};
use std::time::{Duration, Instant};

/// When a refresh that failed for the moment is tried again.
pub(super) const AGAIN_AFTER: Duration = Duration::from_secs(4);

/// Whether the peer says that it takes UPDATE.
pub(super) fn allows_update(headers: &Headers) -> bool {
    headers.tokens("Allow").iter().any(|method| method == "UPDATE")
}

/// Who the peer turns out to be: address and name as people read them.
pub(super) type Peer = (String, Option<String>);

/// Why an offer in an UPDATE cannot be answered (RFC 3311 §5.2).
enum Refusal {
    /// Our own offer is not answered yet: 491.
    Pending,
    /// An offer of theirs is not answered yet: 500.
    Later,
    Sdp(SdpError),
}

impl Established {
    /// What every INVITE and UPDATE of ours in an answered call carries.
    pub(super) fn write(&self, headers: &mut Headers) {
        headers.push("Allow", crate::ua::ALLOW);
        headers.push("Supported", crate::ua::SUPPORTED);
        if let Some(timer) = &self.timer {
            timer.write(headers);
        }
    }

    /// A 2xx to one of them: the session timer starts anew.
    pub(super) fn refreshed(&mut self, now: Instant, response: &Headers) {
        let min_se = self.timer.as_ref().map_or(timer::MIN_SE, SessionTimer::min_se);
        self.timer = SessionTimer::of_response(now, response, min_se);
        if response.contains("Allow") {
            self.allows_update = allows_update(response);
        }
    }

    /// An UPDATE of ours was refused for the moment: again by the session timer, where that is on us, else by re-INVITE, since it was
    /// for our new address.
    fn postpone(&mut self, at: Instant) {
        if self.timer.as_mut().is_some_and(|timer| timer.postpone(at)) {
            return;
        }
        self.want_refresh = true;
        // Another INVITE under way has its turn first.
        if matches!(self.exchange, Exchange::Idle) {
            self.exchange = Exchange::Glare { until: at };
        }
    }
}

impl Session {
    /// It is on us to confirm the call (RFC 4028 §10): by UPDATE where the peer takes it.
    pub(super) fn refresh(&mut self, stack: &mut Stack) {
        let contact = self.contact();
        let Phase::Established(established) = &mut self.phase else { return };
        if !established.allows_update {
            return self.refresh_by_reinvite(stack);
        }
        let mut request = established.dialog.request(Method::UPDATE);
        established.write(&mut request.headers);
        let hop = established.dialog.next_hop();
        established.update = Some(stack.send((&self.account, request), hop, Owner::Call(self.id), Some(contact)));
    }

    /// A 422 to a refresh of ours.
    pub(super) fn raise_interval(&mut self, response: &Response) -> bool {
        let Phase::Established(established) = &mut self.phase else { return false };
        self.media.negotiation.offer_failed();
        if matches!(established.exchange, Exchange::Offered { .. }) {
            established.exchange = Exchange::Idle;
        }
        established.timer.as_mut().is_some_and(|timer| timer.raise(&response.headers))
    }

    pub(super) fn update_reply(&mut self, now: Instant, stack: &mut Stack, mut request: Request, reply: Reply) {
        let contact = self.contact();
        let Phase::Established(established) = &mut self.phase else { return };
        let response = match reply {
            Reply::Response(response, _) if response.is_provisional() => return,
            Reply::Response(response, _) => Some(response),
            Reply::TimedOut | Reply::Unreachable(_) => None,
        };
        established.update = None;
        let Some(response) = response else { return established.postpone(now + AGAIN_AFTER) };
        if response.code() == 422 && established.timer.as_mut().is_some_and(|timer| timer.raise(&response.headers)) {
            return self.refresh(stack);
        }
        match response.code() {
            200..300 => {
                // A Contact that cannot be read leaves the remote target as it was.
                let _ = established.dialog.handle_response(&Method::UPDATE, &response);
                established.refreshed(now, &response.headers);
            }
            401 | 407 => match stack.answer_challenge(&self.account, &mut request, &response) {
                Ok(()) => {
                    established.dialog.renew(&mut request);
                    let hop = established.dialog.next_hop();
                    let id = stack.send((&self.account, request), hop, Owner::Call(self.id), Some(contact));
                    established.update = Some(id);
                }
                Err(_) => established.postpone(now + AGAIN_AFTER),
            },
            491 | 500..=599 if response.code() != 501 => {
                let wait = retry_after(&response).unwrap_or(AGAIN_AFTER).max(Duration::from_secs(1));
                established.postpone(now + wait);
            }
            // It does not take UPDATE after all.
            _ => {
                established.allows_update = false;
                self.refresh_by_reinvite(stack);
            }
        }
    }

    /// The peer's UPDATE (RFC 3311 §5.2).
    pub(super) fn updated(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
        peer: Option<Peer>,
    ) {
        if let Some(refusal) = timer::inspect(request) {
            return stack.respond(now, transaction, refusal);
        }
        let answer = match session_description(&request.headers, &request.body) {
            Ok(Some(offer)) => match self.answer_update(request, offer) {
                Ok(answer) => Some(answer),
                Err(Refusal::Pending) => return stack.respond(now, transaction, Response::to(request, 491, None)),
                Err(Refusal::Later) => {
                    let refusal = outside::not_now(request, stack.entropy.u32());
                    return stack.respond(now, transaction, refusal);
                }
                Err(Refusal::Sdp(error)) => {
                    return stack.respond(now, transaction, outside::not_acceptable(request, &error));
                }
            },
            Ok(None) => None,
            Err(_) => return stack.respond(now, transaction, outside::unsupported_body(request)),
        };
        let mut response = target_refreshed(stack, (&self.account, self.anonymous), request, flow);
        if let Phase::Established(established) = &mut self.phase {
            established.timer = SessionTimer::answer(now, &request.headers, &mut response.headers);
        }
        self.renamed(request, peer);
        let Some((body, plan)) = answer else {
            stack.respond(now, transaction, response);
            return self.report(stack);
        };
        response.headers.push("Content-Type", "application/sdp");
        response.body = body;
        stack.respond(now, transaction, response);
        match &mut self.phase {
            // Nothing is heard before the agent answers.
            Phase::Ringing(ringing) | Phase::Answering(ringing) => ringing.agreed = Some(plan),
            Phase::Established(established) => {
                established.held = established.want_hold;
                self.agree(stack, plan);
            }
            Phase::Inviting(_) => self.agree(stack, plan),
            Phase::Calling(_) | Phase::Ended => {}
        }
        self.report(stack);
    }

    fn answer_update(&mut self, request: &Request, offer: &[u8]) -> Result<(Vec<u8>, MediaPlan), Refusal> {
        let negotiation = &mut self.media.negotiation;
        let local = self.media.local.ok_or(Refusal::Later)?;
        match &mut self.phase {
            Phase::Inviting(inviting) => {
                let fork = DialogId::of_request(request);
                let early = inviting.early.iter_mut().find(|e| e.is_settled && Some(&e.dialog) == fork.as_ref());
                let early = early.filter(|early| !early.negotiation.is_offering()).ok_or(Refusal::Pending)?;
                let answer = early.negotiation.answer(offer, local, Direction::SendRecv).map_err(Refusal::Sdp)?;
                early.plan.clone_from(&answer.1);
                Ok(answer)
            }
            _ if negotiation.is_offering() => Err(Refusal::Pending),
            Phase::Established(established) => {
                negotiation.answer(offer, local, established.wanted_direction()).map_err(Refusal::Sdp)
            }
            Phase::Ringing(ringing) | Phase::Answering(ringing) if ringing.agreed.is_some() => {
                negotiation.answer(offer, local, Direction::SendRecv).map_err(Refusal::Sdp)
            }
            Phase::Ringing(_) | Phase::Answering(_) | Phase::Calling(_) | Phase::Ended => Err(Refusal::Later),
        }
    }
}
