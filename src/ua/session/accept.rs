//! Being called: ringing, answering, rejecting, the caller's CANCEL (RFC 3261 §13.3).

use super::{
    CallDirection, End, Established, Phase, Session,
    modify::{Unconfirmed, direction},
    reliable::{self, RAck, Unacknowledged},
    timer::SessionTimer,
};
use crate::{
    media::plan::{Direction, MediaPlan},
    sip::{
        body::session_description,
        dialog::{Dialog, DialogError},
        endpoint::ServerTransactionId,
        flow::{Flow, Transport},
        msg::{Request, Response},
        sdp::trickle,
    },
    ua::{
        api::{Account, CallId, EndedBy, Event, Origin, Output},
        identity, reason,
        services::Redirect,
        stack::Stack,
    },
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

pub(in crate::ua) struct Ringing {
    pub transaction: ServerTransactionId,
    invite: Request,
    pub dialog: Dialog,
    flow: Flow,
    /// Auto-answer.
    answer_at: Option<Instant>,
    /// Where the call goes when nobody answers in time.
    forward: Option<(Instant, Redirect)>,
    /// The caller's Expires, or longer than anybody lets it ring.
    give_up_at: Instant,
    /// Our 180, where the caller insists on confirming it.
    pub(super) reliable: Option<Unacknowledged>,
    /// What its PRACK has agreed on; heard once the agent has answered.
    pub(super) agreed: Option<MediaPlan>,
    hold: bool,
}

/// Longest ringing: a caller that vanished without CANCEL must not ring for ever.
const LONGEST_RINGING: Duration = Duration::from_secs(300);

impl Ringing {
    pub fn poll_timeout(&self) -> Option<Instant> {
        let forward_at = self.forward.as_ref().map(|(at, _)| *at);
        [self.answer_at, forward_at, Some(self.give_up_at), self.reliable_timeout()].into_iter().flatten().min()
    }

    pub fn reliable_timeout(&self) -> Option<Instant> {
        self.reliable.as_ref().map(Unacknowledged::poll_timeout)
    }

    /// The caller's offer, if its INVITE has one.
    fn offer(&self) -> Option<&[u8]> {
        session_description(&self.invite.headers, &self.invite.body).unwrap_or(None)
    }
}

/// How a call is received, besides ringing.
#[derive(Default)]
pub(in crate::ua) struct Reception {
    /// Our PBX wants it answered by itself after so long.
    pub answer_after: Option<Duration>,
    pub forward: Option<(Duration, Redirect)>,
    /// Answered, the caller is on hold at once.
    pub hold: bool,
}

impl Session {
    /// A call for us. `Err`: the dialog it would make lacks something (400).
    pub fn ring(
        now: Instant,
        stack: &mut Stack,
        id: CallId,
        account: Arc<Account>,
        invite: (ServerTransactionId, Request, Flow),
        reception: Reception,
    ) -> Result<Self, DialogError> {
        let mut session = Self::invited(now, stack, id, account, invite, reception)?;
        session.report(stack);
        if matches!(&session.phase, Phase::Ringing(ringing) if ringing.answer_at == Some(now)) {
            session.answer(now, stack);
        } else {
            session.send_ringing(now, stack);
        }
        Ok(session)
    }

    /// The call of that INVITE, before anything is said of it.
    pub(super) fn invited(
        now: Instant,
        stack: &mut Stack,
        id: CallId,
        account: Arc<Account>,
        (transaction, invite, flow): (ServerTransactionId, Request, Flow),
        reception: Reception,
    ) -> Result<Self, DialogError> {
        let dialog = Dialog::uas(&invite, &stack.entropy.tag())?;
        let answer_at = stack.settings.auto_answer.or(reception.answer_after).map(|after| now + after);
        let identity = identity::of(&invite.headers, dialog.remote(), &account);
        let forward = reception.forward.map(|(after, redirect)| (now + after, redirect));
        let expires = invite.headers.number("Expires").map(|s| Duration::from_secs(u64::from(s)));
        let give_up_at = now + expires.unwrap_or(LONGEST_RINGING).min(LONGEST_RINGING);
        let (reliable, agreed, hold) = (None, None, reception.hold);
        let ringing =
            Ringing { transaction, invite, dialog, flow, answer_at, forward, give_up_at, reliable, agreed, hold };
        let mut session = Self::new(stack, id, account, CallDirection::In, Phase::Ringing(Box::new(ringing)));
        // Whatever it says, our own description will go this way.
        session.media.in_the_open = flow.transport != Transport::Tls;
        session.media.negotiation.set_source(flow.remote.ip());
        (session.peer, session.peer_name, session.called) = (identity.peer, identity.peer_name, identity.called);
        session.origin = Origin { answers_itself: reception.answer_after.is_some(), ..identity.origin };
        Ok(session)
    }

    /// 180; where the caller insists on it, one that arrives, with our offer if the INVITE has none (RFC 3262 §3, §5).
    pub(super) fn send_ringing(&mut self, now: Instant, stack: &mut Stack) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        let is_reliable = reliable::is_required(&ringing.invite);
        let offer = match (is_reliable && ringing.offer().is_none(), self.media.local) {
            (true, None) => {
                let remote = ringing.flow.remote;
                return stack.emit(Output::OpenMedia { call: self.id, remote });
            }
            (true, Some(local)) => Some(self.media.negotiation.offer(local, Direction::SendRecv)),
            (false, _) => None,
        };
        let Phase::Ringing(ringing) = &self.phase else { return };
        let mut response = self.response(stack, ringing, 180);
        let transaction = ringing.transaction;
        if is_reliable {
            // RFC 3262 §3: anything from 1 to 2^31 - 1, so that it can grow.
            let rseq = 1 + stack.entropy.u32() % 0x3fff_ffff;
            response.headers.push("Require", "100rel");
            response.headers.push("RSeq", rseq.to_string());
            if let Some(offer) = offer {
                response.headers.push("Content-Type", "application/sdp");
                response.body = offer;
            }
            let rack = RAck { rseq, cseq: ringing.invite.headers.cseq().map_or(0, |cseq| cseq.number) };
            let waiting = Unacknowledged::new(now, stack.timers.t1, rack, response.clone());
            if let Phase::Ringing(ringing) = &mut self.phase {
                ringing.reliable = Some(waiting);
            }
        }
        stack.respond(now, transaction, response);
    }

    /// Auto-answer is due, or nobody has answered in time (RFC 3261 §13.3.1).
    pub(super) fn ringing_timeout(&mut self, now: Instant, stack: &mut Stack) {
        self.unacknowledged(now, stack);
        let Phase::Ringing(ringing) = &mut self.phase else { return };
        if ringing.answer_at.is_some_and(|at| at <= now) {
            self.answer(now, stack);
        } else if let Some((_, redirect)) = ringing.forward.take_if(|(at, _)| *at <= now) {
            self.forward(now, stack, redirect);
        } else if ringing.give_up_at <= now {
            // Not our doing: a missed call.
            self.refuse(now, stack, 480, End::new(EndedBy::Remote, Some(480), "Nobody answered the call here."));
        }
    }

    /// The final answer to a caller that is not taken.
    pub(super) fn refuse(&mut self, now: Instant, stack: &mut Stack, code: u16, end: End) {
        if let Phase::Ringing(ringing) | Phase::Answering(ringing) = &self.phase {
            let response = self.response(stack, ringing, code);
            stack.respond(now, ringing.transaction, response);
        }
        self.end(stack, end);
    }

    /// To somebody else, for nobody answers here: a missed call.
    fn forward(&mut self, now: Instant, stack: &mut Stack, redirect: Redirect) {
        let Phase::Ringing(ringing) = &self.phase else { return };
        let (mut response, why) = (self.response(stack, ringing, 302), redirect.why.clone());
        redirect.write(&mut response);
        stack.respond(now, ringing.transaction, response);
        self.end(stack, End::new(EndedBy::Remote, Some(302), why));
    }

    /// Answers: opens audio, then [`Session::accept`].
    pub fn answer(&mut self, now: Instant, stack: &mut Stack) {
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ringing(ringing) => {
                let offered = ringing.offer().and_then(|offer| self.media.negotiation.check_offer(offer).ok());
                let remote = offered.filter(|a| !a.ip().is_unspecified()).unwrap_or(ringing.flow.remote);
                self.phase = Phase::Answering(ringing);
                match self.media.local {
                    None => stack.emit(Output::OpenMedia { call: self.id, remote }),
                    Some(_) => self.accept(now, stack),
                }
            }
            phase => {
                self.phase = phase;
                self.refuse_command(stack, "answer", "There is nothing to answer: the call is not ringing here.");
            }
        }
    }

    pub fn reject(&mut self, now: Instant, stack: &mut Stack, code: u16) {
        match &self.phase {
            Phase::Ringing(_) | Phase::Answering(_) => {
                let code = if (300..=699).contains(&code) { code } else { 486 };
                self.refuse(now, stack, code, End::new(EndedBy::Local, Some(code), "You rejected the call."));
            }
            Phase::Calling(_) | Phase::Inviting(_) | Phase::Established(_) | Phase::Ended => {
                self.refuse_command(stack, "reject", "Only a ringing call can be rejected; hang it up instead.");
            }
        }
    }

    /// The caller gave up, or somebody else answered (RFC 3326).
    pub fn handle_cancelled(&mut self, now: Instant, stack: &mut Stack, cancel: &Request) {
        let (by, code, reason) =
            reason::given(&cancel.headers).unwrap_or((EndedBy::Remote, 487, "The caller hung up.".to_owned()));
        self.refuse(now, stack, 487, End::new(by, Some(code), reason));
    }

    /// Audio is there, or not: for the answer, or for the offer in a 180.
    pub(super) fn opened(&mut self, now: Instant, stack: &mut Stack, opened: Result<SocketAddr, String>) {
        match (opened, &self.phase) {
            (Ok(_), Phase::Ringing(_)) => self.send_ringing(now, stack),
            (Ok(_), _) => self.accept(now, stack),
            (Err(why), _) => self.refuse(now, stack, 500, End::new(EndedBy::Local, Some(500), why)),
        }
    }

    /// 200 with our answer, or with our offer where the caller sent none (RFC 3261 §13.3.1.4).
    pub(super) fn accept(&mut self, now: Instant, stack: &mut Stack) {
        let (Phase::Answering(ringing), Some(local)) = (&self.phase, self.media.local) else { return };
        // RFC 3262 §3: a 2xx waits for the PRACK of an offer.
        if ringing.reliable.as_ref().is_some_and(|reliable| reliable.has_offer) {
            return;
        }
        let direction = direction(ringing.hold);
        let answer = match (&ringing.agreed, ringing.offer()) {
            (Some(plan), _) => Ok((None, Some(plan.clone()))),
            (None, Some(offer)) => {
                let answer = self.media.negotiation.answer(offer, local, direction);
                answer.map(|(body, plan)| (Some(body), Some(plan)))
            }
            (None, None) => Ok((Some(self.media.negotiation.offer(local, direction)), None)),
        };
        let (body, plan) = match answer {
            Ok(answer) => answer,
            // The offer was looked at before it rang.
            Err(error) => {
                let reason = format!("The call cannot be taken: {error}.");
                return self.refuse(now, stack, 488, End::new(EndedBy::Local, Some(488), reason));
            }
        };
        let mut response = self.response(stack, ringing, 200);
        let timer = SessionTimer::answer(now, &ringing.invite.headers, &mut response.headers);
        if let Some(body) = body {
            response.headers.push("Content-Type", "application/sdp");
            response.body = body;
        }
        stack.respond(now, ringing.transaction, response);
        let Phase::Answering(ringing) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let Ringing { transaction, mut dialog, invite, reliable, hold, .. } = *ringing;
        dialog.confirm();
        let cseq = invite.headers.cseq().map_or(0, |cseq| cseq.number);
        let unconfirmed = Unconfirmed { transaction, cseq, is_initial: true, hold };
        let mut established = Established::new(dialog, Some(unconfirmed), timer, &invite.headers);
        established.unacknowledged = reliable.map(|reliable| reliable.rack);
        established.want_hold = hold;
        established.held = hold && plan.is_some();
        self.phase = Phase::Established(Box::new(established));
        if let Some(plan) = plan {
            self.agree(stack, plan);
        }
        self.report(stack);
        self.catch_up(stack);
    }

    pub(super) fn response(&self, stack: &Stack, ringing: &Ringing, code: u16) -> Response {
        let mut response = Response::to(&ringing.invite, code, Some(&ringing.dialog.id().local_tag));
        if code < 300 {
            // A PRACK on its way to what the registrar has named us by would be lost with it.
            let contact = match code {
                ..200 => stack.own_uri(&self.account, ringing.flow, self.anonymous),
                _ => stack.contact_uri(&self.account, ringing.flow, self.anonymous),
            };
            response.headers.push("Contact", format!("<{contact}>"));
            response.headers.push("Allow", crate::ua::ALLOW);
            response.headers.push("Supported", crate::ua::SUPPORTED);
            response.headers.push("Recv-Info", trickle::PACKAGE);
            for route in ringing.invite.headers.get_all("Record-Route") {
                response.headers.push("Record-Route", route);
            }
        }
        response
    }

    pub(super) fn refuse_command(&self, stack: &mut Stack, command: &'static str, message: &str) {
        let refused = Event::Refused { command, call: Some(self.id), message: message.to_owned() };
        stack.emit(Output::Event(refused));
    }
}
