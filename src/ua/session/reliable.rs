//! Provisional responses that arrive (RFC 3262): PRACK for the callee's, and waiting for the PRACK of ours.

use super::{End, Phase, Session};
use crate::{
    sip::{
        body::session_description,
        dialog::DialogId,
        endpoint::ServerTransactionId,
        msg::{Headers, Method, Request, Response},
    },
    ua::{
        api::EndedBy,
        outside,
        stack::{Owner, Reply, Stack},
    },
};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// Which response a PRACK is for (RFC 3262 §7.2); its method is always INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) struct RAck {
    pub rseq: u32,
    /// The INVITE's.
    pub cseq: u32,
}

impl RAck {
    fn of(headers: &Headers) -> Option<Self> {
        let mut words = headers.get("RAck")?.split_ascii_whitespace();
        let rack = Self { rseq: words.next()?.parse().ok()?, cseq: words.next()?.parse().ok()? };
        (words.next() == Some("INVITE") && words.next().is_none()).then_some(rack)
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} INVITE", self.rseq, self.cseq)
    }
}

/// A provisional response of ours that waits for its PRACK (RFC 3262 §3).
pub(in crate::ua) struct Unacknowledged {
    pub rack: RAck,
    /// Whether our 2xx has to wait for it: it carries our offer.
    pub has_offer: bool,
    response: Response,
    interval: Duration,
    again_at: Instant,
    give_up_at: Instant,
}

#[derive(Debug, PartialEq)]
pub(super) enum Overdue {
    /// To be sent once more.
    Again(Response),
    GiveUp,
}

impl Unacknowledged {
    /// `response`: with Require and RSeq, just sent for the first time.
    pub fn new(now: Instant, t1: Duration, rack: RAck, response: Response) -> Self {
        let (again_at, give_up_at) = (now + t1, now + t1 * 64);
        Self { rack, has_offer: !response.body.is_empty(), response, interval: t1, again_at, give_up_at }
    }

    pub fn poll_timeout(&self) -> Instant {
        self.again_at.min(self.give_up_at)
    }

    /// T1, then doubling without a bound, for 64*T1.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Overdue> {
        if self.give_up_at <= now {
            return Some(Overdue::GiveUp);
        }
        (self.again_at <= now).then(|| {
            self.interval *= 2;
            self.again_at = now + self.interval;
            Overdue::Again(self.response.clone())
        })
    }
}

/// What came so far in the early dialogs of our INVITE, by the callee's tag; as many as there are dialogs.
#[derive(Default)]
pub(super) struct Received(Vec<(String, u32)>);

impl Received {
    /// Whether a reliable response is the next one. RFC 3262 §4: one that came before is a retransmission, one after a gap
    /// will come again when the gap is filled.
    pub fn is_next(&mut self, tag: &str, rseq: u32) -> bool {
        match self.0.iter_mut().find(|(known, _)| known == tag) {
            Some((_, last)) if last.checked_add(1) == Some(rseq) => {
                *last = rseq;
                true
            }
            Some(_) => false,
            None => {
                self.0.push((tag.to_owned(), rseq));
                true
            }
        }
    }
}

/// The RSeq of a response that wants a PRACK.
pub(super) fn rseq(response: &Response) -> Option<u32> {
    let is_reliable = response.headers.tokens("Require").iter().any(|tag| tag.eq_ignore_ascii_case("100rel"));
    response.headers.number("RSeq").filter(|rseq| is_reliable && *rseq > 0)
}

/// Whether the caller insists on it.
pub(super) fn is_required(invite: &Request) -> bool {
    invite.headers.tokens("Require").iter().any(|tag| tag.eq_ignore_ascii_case("100rel"))
}

impl Session {
    /// PRACK for a provisional response; `answer`: to the offer that it carried.
    pub(super) fn acknowledge(&mut self, stack: &mut Stack, dialog: &DialogId, rack: RAck, answer: Option<Vec<u8>>) {
        let Phase::Inviting(inviting) = &mut self.phase else { return };
        let Some(dialog) = inviting.forks.get_mut(dialog) else { return };
        let mut request = dialog.request(Method::PRACK);
        request.headers.push("RAck", rack.to_string());
        if let Some(answer) = answer {
            request.headers.push("Content-Type", "application/sdp");
            request.body = answer;
        }
        stack.send((&self.account, request), &dialog.next_hop().clone(), Owner::Call(self.id), None);
    }

    /// What became of our PRACK: nothing hangs on it but a challenge, since the INVITE's answer comes all the same.
    pub(super) fn prack_reply(&mut self, stack: &mut Stack, mut request: Request, reply: &Reply) {
        let (Reply::Response(response, _), Phase::Inviting(inviting)) = (reply, &mut self.phase) else { return };
        let Some(dialog) = DialogId::of_response(response).and_then(|id| inviting.forks.get_mut(&id)) else { return };
        if matches!(response.code(), 401 | 407) && stack.answer_challenge(&self.account, &mut request, response).is_ok()
        {
            dialog.renew(&mut request);
            stack.send((&self.account, request), &dialog.next_hop().clone(), Owner::Call(self.id), None);
        }
    }

    /// The caller's PRACK (RFC 3262 §3), with the answer where our response held an offer (§5).
    pub(super) fn handle_prack(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: ServerTransactionId,
        request: &Request,
    ) {
        let expected = match &self.phase {
            Phase::Ringing(ringing) | Phase::Answering(ringing) => ringing.reliable.as_ref().map(|r| r.rack),
            // Our 2xx was faster.
            Phase::Established(established) => established.unacknowledged,
            Phase::Calling(_) | Phase::Inviting(_) | Phase::Ended => None,
        };
        if expected.is_none() || RAck::of(&request.headers) != expected {
            return stack.respond(now, transaction, Response::to(request, 481, None));
        }
        let (Phase::Ringing(ringing) | Phase::Answering(ringing)) = &mut self.phase else {
            return stack.respond(now, transaction, Response::to(request, 200, None));
        };
        if self.media.negotiation.is_offering() {
            let body = session_description(&request.headers, &request.body).unwrap_or(None).unwrap_or_default();
            match self.media.negotiation.accept_answer(body) {
                Ok(plan) => ringing.agreed = Some(plan),
                Err(error) => {
                    stack.respond(now, transaction, outside::not_acceptable(request, &error));
                    let reason = format!("The caller sent no usable audio: {error}.");
                    return self.refuse(now, stack, 488, End::new(EndedBy::Network, Some(488), reason));
                }
            }
        } else if !request.body.is_empty() {
            // The INVITE's offer is not answered before the agent is.
            let refusal = outside::not_now(request, stack.entropy.u32());
            return stack.respond(now, transaction, refusal);
        }
        ringing.reliable = None;
        stack.respond(now, transaction, Response::to(request, 200, None));
        if matches!(self.phase, Phase::Answering(_)) {
            self.accept(now, stack);
        }
    }

    /// The response that waits for its PRACK is due again, or has waited for too long.
    pub(super) fn unacknowledged(&mut self, now: Instant, stack: &mut Stack) {
        let (Phase::Ringing(ringing) | Phase::Answering(ringing)) = &mut self.phase else { return };
        match ringing.reliable.as_mut().and_then(|r| r.handle_timeout(now)) {
            Some(Overdue::Again(response)) => stack.respond(now, ringing.transaction, response),
            Some(Overdue::GiveUp) => {
                let reason = "The caller's side did not confirm that the call rings here.";
                self.refuse(now, stack, 504, End::new(EndedBy::Network, Some(504), reason));
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rack_is_read_and_written() {
        for (value, expected) in [
            ("776656 1 INVITE", Some(RAck { rseq: 776_656, cseq: 1 })),
            ("1  2   INVITE", Some(RAck { rseq: 1, cseq: 2 })),
            ("1 2 PRACK", None),
            ("1 2", None),
            ("1 2 INVITE x", None),
            ("-1 2 INVITE", None),
            ("99999999999 2 INVITE", None),
            ("", None),
        ] {
            let mut headers = Headers::new();
            headers.push("RAck", value);
            assert_eq!(RAck::of(&headers), expected, "{value}");
        }
        assert_eq!(RAck { rseq: 3, cseq: 4 }.to_string(), "3 4 INVITE");
    }

    #[test]
    fn responses_are_taken_in_order_for_each_dialog() {
        let mut received = Received::default();
        for (tag, rseq, next) in [
            ("a", 5, true),
            ("a", 5, false),
            ("a", 7, false),
            ("b", 1, true),
            ("a", 6, true),
            ("a", 7, true),
            ("b", 0, false),
            ("c", u32::MAX, true),
            ("c", 0, false),
        ] {
            assert_eq!(received.is_next(tag, rseq), next, "{tag} {rseq}");
        }
    }

    #[test]
    fn a_response_is_repeated_at_growing_intervals_and_given_up() {
        let start = Instant::now();
        let t1 = Duration::from_millis(500);
        let mut waiting = Unacknowledged::new(start, t1, RAck { rseq: 1, cseq: 1 }, Response::new(180));
        let mut times = Vec::new();
        loop {
            let now = waiting.poll_timeout();
            match waiting.handle_timeout(now) {
                Some(Overdue::Again(_)) => times.push((now - start).as_millis()),
                Some(Overdue::GiveUp) => break assert_eq!((now - start).as_secs(), 32),
                None => panic!("nothing was due"),
            }
        }
        assert_eq!(times, [500, 1500, 3500, 7500, 15500, 31500]);
    }

    #[test]
    fn only_what_asks_for_it_is_confirmed() {
        for (require, number, expected) in [
            (Some("100rel"), Some("9"), Some(9)),
            (Some("timer, 100REL"), Some("1"), Some(1)),
            (Some("timer"), Some("9"), None),
            (None, Some("9"), None),
            (Some("100rel"), None, None),
            (Some("100rel"), Some("0"), None),
            (Some("100rel"), Some("x"), None),
        ] {
            let mut response = Response::new(183);
            for (name, value) in [("Require", require), ("RSeq", number)] {
                if let Some(value) = value {
                    response.headers.push(name, value);
                }
            }
            assert_eq!(rseq(&response), expected, "{require:?} {number:?}");
        }
    }
}
