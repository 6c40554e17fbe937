//! An answered call: hold and resume by re-INVITE, the peer's re-INVITEs, glare (RFC 3261 §14, RFC 3264 §8.4, RFC 6337 §5).

use super::{End, Phase, Session, info::Digits, invite::is_sdp};
use crate::{
    media::plan::Direction,
    sip::{
        auth::AuthError,
        dialog::{Dialog, DialogError},
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request, Response},
    },
    ua::{
        api::{CallDirection, EndedBy, Event, Output},
        reason,
        stack::{Owner, Reply, RequestId, Stack},
    },
};
use std::time::{Duration, Instant};

pub(in crate::ua) struct Established {
    pub dialog: Dialog,
    exchange: Exchange,
    /// What the agent wants; a re-INVITE makes it so.
    want_hold: bool,
    /// What was agreed last.
    held: bool,
    pub digits: Digits,
    /// A refresh is due that takes a re-INVITE.
    want_refresh: bool,
}

/// The one INVITE transaction that may be under way in a dialog (RFC 3261 §14.1).
enum Exchange {
    Idle,
    /// Our 2xx waits for its ACK.
    Answered(Unconfirmed),
    /// Our re-INVITE waits for its answer.
    Offered {
        request: RequestId,
        hold: bool,
    },
    /// Both sides tried at once; ours again then.
    Glare {
        until: Instant,
    },
}

/// A 2xx of ours without its ACK.
#[derive(Clone, Copy)]
pub(super) struct Unconfirmed {
    pub transaction: ServerTransactionId,
    /// The INVITE's, which the ACK repeats.
    pub cseq: u32,
    /// The call's first INVITE: until its ACK no BYE may be sent (RFC 3261 §15).
    pub is_initial: bool,
    /// Whether our description in it holds the call.
    pub hold: bool,
}

impl Established {
    pub(super) fn new(dialog: Dialog, unconfirmed: Option<Unconfirmed>) -> Self {
        let exchange = unconfirmed.map_or(Exchange::Idle, Exchange::Answered);
        Self { dialog, exchange, want_hold: false, held: false, digits: Digits::default(), want_refresh: false }
    }

    pub const fn is_held(&self) -> bool {
        self.held
    }

    /// On hold, or to be.
    pub const fn wants_hold(&self) -> bool {
        self.want_hold
    }

    /// What is wanted is agreed, and no INVITE is under way.
    pub const fn is_settled(&self) -> bool {
        matches!(self.exchange, Exchange::Idle) && self.want_hold == self.held
    }

    pub fn awaits_ack(&self, transaction: ServerTransactionId) -> bool {
        self.unconfirmed().is_some_and(|u| u.transaction == transaction)
    }

    pub(super) const fn unconfirmed(&self) -> Option<Unconfirmed> {
        match self.exchange {
            Exchange::Answered(unconfirmed) => Some(unconfirmed),
            Exchange::Idle | Exchange::Offered { .. } | Exchange::Glare { .. } => None,
        }
    }

    /// Our re-INVITE under way.
    pub(super) const fn offered(&self) -> Option<RequestId> {
        match self.exchange {
            Exchange::Offered { request, .. } => Some(request),
            Exchange::Idle | Exchange::Answered(_) | Exchange::Glare { .. } => None,
        }
    }

    /// What will be agreed if nothing else is wanted.
    const fn heading(&self) -> bool {
        match self.exchange {
            Exchange::Offered { hold, .. } => hold,
            Exchange::Idle | Exchange::Answered(_) | Exchange::Glare { .. } => self.held,
        }
    }

    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.exchange {
            Exchange::Glare { until } => Some(until),
            Exchange::Idle | Exchange::Answered(_) | Exchange::Offered { .. } => None,
        }
    }

    const fn wanted_direction(&self) -> Direction {
        if self.want_hold { Direction::SendOnly } else { Direction::SendRecv }
    }
}

impl Session {
    /// Hold or resume, as soon as no other INVITE is under way.
    pub fn set_hold(&mut self, stack: &mut Stack, hold: bool) {
        let command = if hold { "hold" } else { "resume" };
        let Phase::Established(established) = &mut self.phase else {
            return self.refuse_command(stack, command, "Only an answered call can be held or resumed.");
        };
        if established.want_hold == hold {
            let already = if hold { "The call is on hold already." } else { "The call is not on hold." };
            return self.refuse_command(stack, command, already);
        }
        established.want_hold = hold;
        // The opposite waited for its turn and is not needed any more.
        if hold == established.heading() {
            self.took_back(stack, hold);
        }
        self.negotiate(stack);
    }

    /// Answers the command that undid another, which never took effect.
    fn took_back(&self, stack: &mut Stack, hold: bool) {
        let (command, undone) = if hold { ("hold", "resume") } else { ("resume", "hold") };
        self.refuse_command(stack, undone, "It was taken back before the other side could be told.");
        stack.emit(Output::Event(Event::Done { command, call: Some(self.id) }));
    }

    /// Sends a re-INVITE where what is agreed differs from what is wanted and nothing stands in the way.
    fn negotiate(&mut self, stack: &mut Stack) {
        let contact = self.contact();
        let Some(local) = self.media.local else { return };
        let Phase::Established(established) = &mut self.phase else { return };
        let wanted = established.want_hold != established.held || established.want_refresh;
        if !matches!(established.exchange, Exchange::Idle) || !wanted {
            return;
        }
        established.want_refresh = false;
        let hold = established.want_hold;
        let mut request = established.dialog.request(Method::INVITE);
        request.headers.push("Allow", crate::ua::ALLOW);
        request.headers.push("Content-Type", "application/sdp");
        request.body = self.media.negotiation.offer(local, established.wanted_direction());
        let hop = established.dialog.next_hop();
        let request = stack.send((&self.account, request), hop, Owner::Call(self.id), Some(contact));
        established.exchange = Exchange::Offered { request, hold };
    }

    pub(super) fn glare_is_over(&mut self, now: Instant, stack: &mut Stack) {
        if let Phase::Established(established) = &mut self.phase
            && established.poll_timeout().is_some_and(|at| at <= now)
        {
            established.exchange = Exchange::Idle;
            self.negotiate(stack);
        }
    }

    /// Confirms the call by a re-INVITE, now or after the one that is under way.
    pub(super) fn refresh_by_reinvite(&mut self, stack: &mut Stack) {
        if let Phase::Established(established) = &mut self.phase {
            established.want_refresh = true;
            self.negotiate(stack);
        }
    }

    /// A reply to a request of ours within the dialog.
    pub(super) fn dialog_reply(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: RequestId,
        request: Request,
        reply: Reply,
    ) {
        let Phase::Established(established) = &mut self.phase else { return };
        // RFC 3261 §12.2.1.2: the dialog is gone.
        let lost = || End::new(EndedBy::Network, Some(408), "The connection to the other side was lost.");
        let end = match &reply {
            // Its BYE may be on its way.
            Reply::Response(response, _) if response.code() == 481 => {
                Some(End::new(EndedBy::Remote, Some(481), reason::call(481, "")))
            }
            Reply::Response(response, _) if response.code() == 408 => Some(lost()),
            Reply::TimedOut => Some(lost()),
            // Not even silence came back.
            Reply::Unreachable(_) if request.method == Method::OPTIONS => Some(lost()),
            Reply::Response(..) | Reply::Unreachable(_) => None,
        };
        if let Some(end) = end {
            return self.close(now, stack, end);
        }
        match established.exchange {
            Exchange::Offered { request: ours, hold } if ours == id => {
                self.reinvite_reply(now, stack, (id, hold), request, reply);
            }
            _ => self.digit_reply(stack, id, request, &reply),
        }
    }

    fn reinvite_reply(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (id, hold): (RequestId, bool),
        request: Request,
        reply: Reply,
    ) {
        let response = match reply {
            Reply::Response(response, _) => response,
            Reply::TimedOut => return,
            Reply::Unreachable(why) => return self.reinvite_failed(stack, hold, &why),
        };
        match response.code() {
            100..200 => {}
            200..300 => self.reinvite_answered(now, stack, (id, hold), &request, &response),
            401 | 407 => self.reinvite_challenged(stack, hold, request, &response),
            491 => self.glare(now, stack),
            code => self.reinvite_failed(stack, hold, &reason::call(code, &reason::phrase(&response))),
        }
    }

    fn reinvite_answered(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (id, hold): (RequestId, bool),
        request: &Request,
        response: &Response,
    ) {
        let Phase::Established(established) = &mut self.phase else { return };
        // A Contact that cannot be read leaves the remote target as it was.
        let _ = established.dialog.handle_response(&Method::INVITE, response);
        if let Ok(ack) = established.dialog.ack(request) {
            let hop = (established.dialog.next_hop(), self.account.transport);
            stack.confirm(id, &established.dialog.id().remote_tag, ack, hop);
        }
        established.exchange = Exchange::Idle;
        established.held = hold;
        match self.media.negotiation.accept_answer(&response.body) {
            Ok(plan) => {
                self.agree(stack, plan);
                self.report(stack);
                self.negotiate(stack);
            }
            Err(error) => {
                let reason = format!("The other side changed the call in a way that cannot be followed: {error}.");
                self.close(now, stack, End::new(EndedBy::Network, Some(488), reason));
            }
        }
    }

    fn reinvite_challenged(&mut self, stack: &mut Stack, hold: bool, mut request: Request, response: &Response) {
        let contact = self.contact();
        match stack.answer_challenge(&self.account, &mut request, response) {
            Ok(()) => {
                let Phase::Established(established) = &mut self.phase else { return };
                established.dialog.renew(&mut request);
                let hop = established.dialog.next_hop();
                let request = stack.send((&self.account, request), hop, Owner::Call(self.id), Some(contact));
                established.exchange = Exchange::Offered { request, hold };
            }
            Err(error @ (AuthError::Refused { .. } | AuthError::Unsupported)) => {
                self.reinvite_failed(stack, hold, &format!("{error}."));
            }
        }
    }

    /// RFC 3261 §14.1: the session stays as it was.
    fn reinvite_failed(&mut self, stack: &mut Stack, hold: bool, why: &str) {
        self.media.negotiation.offer_failed();
        if let Phase::Established(established) = &mut self.phase {
            established.exchange = Exchange::Idle;
            let opposite = if hold { "resume" } else { "hold" };
            if established.want_hold == established.held {
                stack.emit(Output::Event(Event::Done { command: opposite, call: Some(self.id) }));
            }
            established.want_hold = established.held;
        }
        let (command, what) = if hold { ("hold", "put on hold") } else { ("resume", "resumed") };
        self.refuse_command(stack, command, &format!("The call could not be {what}: {why}"));
    }

    /// RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms.
    fn glare(&mut self, now: Instant, stack: &mut Stack) {
        self.media.negotiation.offer_failed();
        let Phase::Established(established) = &mut self.phase else { return };
        let steps = |entropy: &mut crate::sip::entropy::Entropy, n: u32| u64::from(entropy.u32() % n);
        let wait = match self.direction {
            CallDirection::Out => 2_100 + 10 * steps(&mut stack.entropy, 191),
            CallDirection::In => 10 * steps(&mut stack.entropy, 201),
        };
        established.exchange = Exchange::Glare { until: now + Duration::from_millis(wait) };
    }

    /// A request within the dialog.
    pub fn handle_request(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
    ) {
        let dialog = match &mut self.phase {
            Phase::Ringing(ringing) | Phase::Answering(ringing) => &mut ringing.dialog,
            Phase::Established(established) => &mut established.dialog,
            Phase::Inviting(_) | Phase::Calling(_) | Phase::Ended => {
                return self.early_request(now, stack, transaction, request);
            }
        };
        if let Err(error) = dialog.handle_request(request) {
            let code = match error {
                DialogError::OutOfOrder { .. } => 500,
                DialogError::Header(_) => 400,
            };
            let mut response = Response::to(request, code, None);
            response.reason = error.to_string();
            return stack.respond(now, transaction, response);
        }
        let method = request.method.clone();
        if method == Method::BYE {
            self.handle_bye(now, stack, transaction, request);
        } else if method == Method::INVITE {
            self.reinvited(now, stack, (transaction, request, flow));
        } else if method == Method::INFO {
            self.handle_info(now, stack, transaction, request);
        } else if method == Method::REFER || method == Method::NOTIFY {
            self.handle_referring(now, stack, (transaction, request, flow));
        } else {
            stack.respond(now, transaction, crate::ua::outside::answer(request));
        }
    }

    /// The peer's re-INVITE (RFC 3261 §14.2).
    fn reinvited(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        (transaction, request, flow): (ServerTransactionId, &Request, Flow),
    ) {
        let (Phase::Established(established), Some(local)) = (&mut self.phase, self.media.local) else {
            // Before the first INVITE is answered: RFC 3261 §14.2.
            let mut response = Response::to(request, 500, None);
            response.headers.push("Retry-After", (stack.entropy.u32() % 11).to_string());
            return stack.respond(now, transaction, response);
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
        if let Some(unconfirmed) = established.unconfirmed() {
            stack.acknowledged(now, unconfirmed.transaction);
        }
        let wanted = established.wanted_direction();
        let answer = if is_sdp(&request.headers) {
            self.media.negotiation.answer(&request.body, local, wanted).map(|(body, plan)| (body, Some(plan)))
        } else if request.body.is_empty() {
            Ok((self.media.negotiation.offer(local, wanted), None))
        } else {
            return stack.respond(now, transaction, crate::ua::outside::unsupported_body(request));
        };
        let (body, plan) = match answer {
            Ok(answer) => answer,
            Err(error) => return stack.respond(now, transaction, crate::ua::outside::not_acceptable(request, &error)),
        };
        let mut response = Response::to(request, 200, None);
        response.headers.push("Contact", format!("<{}>", stack.contact_uri(&self.account, flow)));
        response.headers.push("Allow", crate::ua::ALLOW);
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
        self.report(stack);
    }

    /// The ACK of our 2xx (RFC 3261 §13.3.1.4), with the answer where the 2xx held our offer.
    pub fn handle_ack(&mut self, now: Instant, stack: &mut Stack, ack: &Request) {
        let Phase::Established(established) = &mut self.phase else { return };
        let Some(unconfirmed) = established.unconfirmed() else { return };
        if ack.headers.cseq().map(|cseq| cseq.number) != Ok(unconfirmed.cseq) {
            return;
        }
        stack.acknowledged(now, unconfirmed.transaction);
        established.exchange = Exchange::Idle;
        if self.media.negotiation.is_offering() {
            match self.media.negotiation.accept_answer(&ack.body) {
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
