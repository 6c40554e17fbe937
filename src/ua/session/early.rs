//! From the INVITE's first response to its answer: early dialogs, early media, and what the answer agrees on
//! (RFC 3261 §13.2.2, RFC 3262 §4, RFC 6228).

use super::{
    End, Established, Inviting, Phase, Session,
    reliable::{RAck, rseq},
    timer::SessionTimer,
    update::allows_update,
};
use crate::{
    media::plan::{Direction, MediaPlan},
    sip::{
        body::session_description,
        dialog::{Dialog, DialogId},
        msg::{Request, Response},
        sdp::{OfferAnswer, SdpError},
    },
    ua::{
        api::EndedBy,
        farewell::Parting,
        stack::{RequestId, Stack},
    },
};
use std::time::{Duration, Instant};

/// What a fork has agreed on before it answered.
pub(super) struct Early {
    pub dialog: DialogId,
    pub negotiation: OfferAnswer,
    pub plan: MediaPlan,
    /// Settled by a response that had its PRACK: whatever a 2xx says besides changes nothing (RFC 3261 §13.2.1).
    pub is_settled: bool,
    pub allows_update: bool,
    /// Our UPDATE under way.
    pub update: Option<RequestId>,
}

/// What an answer agrees on, and our description for the ACK where it held the offer.
type Agreed = (MediaPlan, Option<Vec<u8>>);

/// A callee says every minute that it still rings (RFC 3261 §13.3.1.1); so long after the last word nobody does any more.
const RINGS_UNHEARD: Duration = Duration::from_secs(300);

impl Inviting {
    /// Somebody is there.
    fn confirmed(&mut self, now: Instant, is_heard: bool) {
        self.give_up_at = (!is_heard).then(|| now + RINGS_UNHEARD);
    }
}

impl Session {
    /// 180, 183 and the like (RFC 3261 §13.2.2.1).
    pub(super) fn progress(&mut self, now: Instant, stack: &mut Stack, request: &Request, response: &Response) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let dialog = match inviting.forks.handle_response(request, response) {
            Ok(dialog) => dialog.map(|dialog| dialog.id().clone()),
            // What it says about itself cannot be read; that it rings can.
            Err(_) => None,
        };
        let rseq = rseq(response);
        if let (Some(rseq), Some(dialog)) = (rseq, &dialog)
            && !inviting.received.is_next(&dialog.remote_tag, rseq)
        {
            return;
        }
        match response.code() {
            // One of several has given up (RFC 6228): the latest of the others is heard.
            199 => inviting.early.retain(|early| Some(&early.dialog) != dialog.as_ref()),
            // Forwarded: nothing rings yet.
            181 => {}
            _ => inviting.alerted = true,
        }
        let answer = self.early_media(stack, dialog.as_ref(), response, rseq.is_some());
        if let (Some(rseq), Some(dialog), Ok(cseq)) = (rseq, &dialog, request.headers.cseq()) {
            let body = answer.as_ref().ok().cloned().flatten();
            self.acknowledge(stack, dialog, RAck { rseq, cseq: cseq.number }, body);
            // What a PRACK has settled no 2xx can mend (RFC 3262 §5, RFC 6337 §3.1.1); another fork may.
            if let Err(error) = answer
                && matches!(&self.phase, Phase::Inviting(inviting) if inviting.forks.iter().count() == 1)
            {
                let reason = format!("The other side wants to talk in a way that is not understood here: {error}.");
                return self.close(now, stack, End::new(EndedBy::Local, Some(488), reason));
            }
        }
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.confirmed(now, self.media.is_heard);
        }
        self.report(stack);
    }

    /// Audio comes before the answer, or does not (any more).
    pub fn heard_early(&mut self, now: Instant, comes: bool) {
        self.media.is_heard = comes;
        if let Phase::Inviting(inviting) = &mut self.phase {
            inviting.confirmed(now, comes);
        }
    }

    /// Hears what the latest fork sends. Returns our answer, where the response holds an offer that wants one.
    ///
    /// # Errors
    /// It cannot be used; where the response is not reliable, that may be made up for by the 2xx.
    fn early_media(
        &mut self,
        stack: &mut Stack,
        dialog: Option<&DialogId>,
        response: &Response,
        is_reliable: bool,
    ) -> Result<Option<Vec<u8>>, SdpError> {
        let Phase::Inviting(inviting) = &mut self.phase else { return Ok(None) };
        let known = dialog.and_then(|dialog| inviting.early.iter().position(|early| early.dialog == *dialog));
        let mut answer = None;
        if let Some(sdp) = session_description(&response.headers, &response.body).unwrap_or(None)
            && known.is_none_or(|at| !inviting.early[at].is_settled)
        {
            let mut negotiation = self.media.negotiation.clone();
            let agreed = match (negotiation.is_offering(), self.media.local) {
                (true, _) => negotiation.accept_answer(sdp).map(|plan| (plan, None)),
                // RFC 3262 §5: the offer of a response that is not reliable comes again in the 2xx.
                (false, Some(local)) if is_reliable => {
                    negotiation.answer(sdp, local, Direction::SendRecv).map(|(body, plan)| (plan, Some(body)))
                }
                (false, _) => Err(SdpError::NoOffer),
            };
            match (agreed, dialog) {
                (Ok((plan, body)), Some(dialog)) => {
                    answer = body;
                    inviting.early.retain(|early| early.dialog != *dialog);
                    let (is_settled, allows_update) = (is_reliable, allows_update(&response.headers));
                    let dialog = dialog.clone();
                    inviting.early.push(Early { dialog, negotiation, plan, is_settled, allows_update, update: None });
                }
                (Ok((plan, _)), None) => {
                    self.agree(stack, plan);
                    return Ok(None);
                }
                (Err(error), _) => return Err(error),
            }
        }
        if let Some(plan) = inviting.early.last().map(|early| early.plan.clone()) {
            self.agree(stack, plan);
        }
        Ok(answer)
    }

    pub(super) fn rings_unheard(&mut self, now: Instant, stack: &mut Stack) {
        self.close(now, stack, End::new(EndedBy::Network, Some(408), "Nobody answered."));
    }

    /// 2xx (RFC 3261 §13.2.2.4).
    pub(super) fn answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: RequestId,
        request: &Request,
        response: &Response,
    ) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let min_se = inviting.attempt.terms.min_se;
        let dialog = inviting.forks.handle_response(request, response).map(|dialog| dialog.cloned());
        let (dialog, mut ack) = match dialog.map(|d| d.and_then(|d| d.ack(request).ok().map(|ack| (d, ack)))) {
            Ok(Some(made)) => made,
            Ok(None) | Err(_) => return self.answered_unreadably(stack, id, request, response),
        };
        let agreed = self.agreed_on(dialog.id(), response);
        if let Ok((_, Some(answer))) = &agreed {
            ack.headers.push("Content-Type", "application/sdp");
            ack.body.clone_from(answer);
        }
        stack.confirm(id, &dialog.id().remote_tag, ack, (dialog.next_hop(), self.account.transport));
        match agreed {
            Ok((plan, _)) => {
                let timer = SessionTimer::of_response(now, &response.headers, min_se);
                let established = Established::new(dialog, None, timer, &response.headers);
                self.phase = Phase::Established(Box::new(established));
                self.agree(stack, plan);
                self.report(stack);
                self.catch_up(stack);
            }
            Err(error) => {
                let account = self.account.clone();
                let why = Some(crate::ua::reason::header(488));
                self.parting = Some(Parting::Bye { dialog: Box::new(dialog), account, reason: why });
                let reason = format!("The call was answered, but without usable audio: {error}.");
                self.end(stack, End::new(EndedBy::Local, Some(488), reason));
            }
        }
    }

    /// The peer thinks that it talks to us: ends that where it can be reached.
    fn answered_unreadably(&mut self, stack: &mut Stack, id: RequestId, request: &Request, response: &Response) {
        let dialog = Dialog::uac_by_request_uri(request, response);
        if let Ok((dialog, ack)) = dialog.and_then(|d| d.ack(request).map(|ack| (d, ack))) {
            let hop = (dialog.next_hop(), self.account.transport);
            stack.confirm(id, &dialog.id().remote_tag, ack, hop);
            let account = self.account.clone();
            self.parting = Some(Parting::Bye { dialog: Box::new(dialog), account, reason: None });
        }
        let reason = "The call was answered in a way that cannot be understood.";
        self.end(stack, End::new(EndedBy::Network, Some(response.code()), reason));
    }

    /// What holds once that fork has answered.
    fn agreed_on(&mut self, dialog: &DialogId, response: &Response) -> Result<Agreed, SdpError> {
        let Phase::Inviting(inviting) = &mut self.phase else { return Err(SdpError::NoOffer) };
        let early = inviting.early.iter().position(|early| early.dialog == *dialog);
        let early = early.map(|at| inviting.early.swap_remove(at));
        let sdp = session_description(&response.headers, &response.body).unwrap_or(None);
        match (early, sdp) {
            (Some(mut early), sdp) if early.is_settled || sdp.is_none() => {
                // An UPDATE that is not answered yet makes no difference any more.
                early.negotiation.offer_failed();
                self.media.negotiation = early.negotiation;
                Ok((early.plan, None))
            }
            (_, Some(answer)) if self.media.negotiation.is_offering() => {
                self.media.negotiation.accept_answer(answer).map(|plan| (plan, None))
            }
            (_, Some(offer)) => {
                let local = self.media.local.ok_or(SdpError::NoOffer)?;
                let answer = self.media.negotiation.answer(offer, local, Direction::SendRecv);
                answer.map(|(body, plan)| (plan, Some(body)))
            }
            (_, None) => Err(SdpError::NoAudio),
        }
    }
}
