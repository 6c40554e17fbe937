//! Our address has changed in a call: audio ports there, and a re-INVITE that tells the peer (RFC 3261 §14.1, RFC 3264 §8); in an
//! early dialog that takes one an UPDATE (RFC 3311 §5.1).

use super::{Phase, Session, modify::Exchange, update::AGAIN_AFTER};
use crate::{
    media::plan::Direction,
    sip::{
        body::session_description,
        flow::Flow,
        msg::{Method, Request},
    },
    ua::{
        api::Output,
        stack::{Owner, Reply, RequestId, Stack},
    },
};
use std::{net::SocketAddr, time::Instant};

/// Silences in answer to our new address before the call counts as lost: two minutes over UDP.
const MOST_MOVES: u8 = 3;

impl Session {
    /// A call that is not answered yet moves in its early dialogs where it can, and once it is answered in any case: that was
    /// offered the address that is gone.
    pub fn moved(&mut self, stack: &mut Stack) {
        let hop = match &mut self.phase {
            Phase::Established(established) => {
                (established.is_moving, established.failed_refreshes) = (true, 0);
                established.dialog.next_hop().clone()
            }
            Phase::Inviting(inviting) => {
                self.media.is_outdated = true;
                let Some(dialog) = inviting.forks.iter().last() else { return };
                dialog.next_hop().clone()
            }
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Answering(_) => {
                self.media.is_outdated = self.media.local.is_some();
                return;
            }
            Phase::Ended => return,
        };
        stack.resolve(self.id, &hop, self.account.transport);
    }

    /// Our Contact is another from now on: an answered call's peer is told, and that of one still ringing, where it takes an UPDATE,
    /// in any case once it is answered. Who calls us hears it in our answer.
    pub fn readdressed(&mut self, stack: &mut Stack) {
        match self.phase {
            Phase::Established(_) => self.refresh(stack),
            Phase::Calling(_) | Phase::Inviting(_) => {
                self.is_misaddressed = true;
                self.update_early(stack, None);
            }
            Phase::Ringing(_) | Phase::Answering(_) | Phase::Ended => {}
        }
    }

    /// It has been answered.
    pub(super) fn catch_up(&mut self, stack: &mut Stack) {
        if std::mem::take(&mut self.media.is_outdated) {
            self.moved(stack);
        }
        if std::mem::take(&mut self.is_misaddressed) {
            self.refresh(stack);
        }
    }

    /// Which of our addresses is the right one depends on whom we talk to.
    pub(super) fn way_from_here(&self, stack: &mut Stack, flows: Result<Vec<Flow>, String>) {
        // Without a way the call stays as it is; another change of the network tries again.
        if let Some(flow) = flows.ok().and_then(|flows| flows.first().copied()) {
            stack.emit(Output::OpenMedia { call: self.id, remote: flow.remote });
        }
    }

    /// Our audio is reached by another way than the peer was told, though at the same port, or the peer is not reached any more: the
    /// checks begin anew.
    pub fn restart_ice(&mut self, stack: &mut Stack) {
        self.media.negotiation.restart_ice();
        self.refresh_by_reinvite(stack);
    }

    pub(super) fn audio_moved(&mut self, stack: &mut Stack, opened: Result<SocketAddr, String>) {
        match self.phase {
            _ if opened.is_err() => {}
            Phase::Inviting(_) => self.update_early(stack, self.media.local),
            _ => self.refresh_by_reinvite(stack),
        }
    }

    /// Whether a re-INVITE that was not answered is sent once more: our address has just changed, and it or its answer may have
    /// gone the old way.
    pub(super) fn moves_again(&mut self, now: Instant, id: RequestId, reply: &Reply) -> bool {
        let is_silence = match reply {
            Reply::TimedOut | Reply::Unreachable(_) => true,
            Reply::Response(response, _) => response.code() == 408,
        };
        let Phase::Established(established) = &mut self.phase else { return false };
        let is_ours = established.is_moving && established.offered() == Some(id);
        if !is_silence || !is_ours || established.failed_refreshes >= MOST_MOVES {
            return false;
        }
        self.media.negotiation.offer_failed();
        established.failed_refreshes += 1;
        established.want_refresh = true;
        established.exchange = Exchange::Glare { until: now + AGAIN_AFTER };
        true
    }

    /// Tells those who may be told where we are; `audio`: and where to talk to us, if that has changed (RFC 3311 §5.1: those whose
    /// PRACK has settled the first offer).
    fn update_early(&mut self, stack: &mut Stack, audio: Option<SocketAddr>) {
        let contact = self.contact();
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        for early in &mut inviting.early {
            let Some(dialog) = inviting.forks.get_mut(&early.dialog) else { continue };
            let may_offer = early.is_settled && !early.negotiation.is_offering();
            // One at a time (RFC 3311 §5.1); what this one would say is said once the call is answered.
            if !early.allows_update || early.update.is_some() || (audio.is_some() && !may_offer) {
                continue;
            }
            let mut request = dialog.request(Method::UPDATE);
            request.headers.push("Allow", crate::ua::ALLOW);
            request.headers.push("Supported", crate::ua::SUPPORTED);
            if let Some(local) = audio {
                request.headers.push("Content-Type", "application/sdp");
                request.body = early.negotiation.offer(local, Direction::SendRecv);
            }
            let hop = dialog.next_hop().clone();
            early.update =
                Some(stack.send((&self.account, request), &hop, Owner::Call(self.id), Some(contact.clone())));
        }
    }

    /// What became of that UPDATE; where it failed, the answered call tells the peer.
    pub(super) fn early_update_reply(&mut self, stack: &mut Stack, id: RequestId, mut request: Request, reply: &Reply) {
        let contact = self.contact();
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let Some(early) = inviting.early.iter_mut().find(|early| early.update == Some(id)) else { return };
        let Some(dialog) = inviting.forks.get_mut(&early.dialog) else { return };
        let response = match reply {
            Reply::Response(response, _) if response.is_provisional() => return,
            Reply::Response(response, _) => Some(response),
            Reply::TimedOut | Reply::Unreachable(_) => None,
        };
        early.update = None;
        match response {
            Some(response) if response.is_success() => {
                let answer = session_description(&response.headers, &response.body).unwrap_or(None).unwrap_or_default();
                if let Ok(plan) = early.negotiation.accept_answer(answer) {
                    early.plan = plan;
                }
            }
            Some(response)
                if matches!(response.code(), 401 | 407)
                    && stack.answer_challenge(&self.account, &mut request, response).is_ok() =>
            {
                dialog.renew(&mut request);
                let hop = dialog.next_hop().clone();
                early.update = Some(stack.send((&self.account, request), &hop, Owner::Call(self.id), Some(contact)));
                return;
            }
            Some(_) | None => {}
        }
        early.negotiation.offer_failed();
        if let Some(plan) = inviting.early.last().map(|early| early.plan.clone()) {
            self.agree(stack, plan);
        }
        self.report(stack);
    }
}
