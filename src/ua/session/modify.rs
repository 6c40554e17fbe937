//! An answered call: hold, resume and refreshes by re-INVITE, glare (RFC 3261 §14, RFC 3264 §8.4, RFC 6337 §5). For the
//! peer's re-INVITEs see [`super::modified`], for UPDATE [`super::update`].

use super::{
    End, Phase, Session,
    info::Digits,
    reliable::RAck,
    timer::{Due, SessionTimer},
    update::{AGAIN_AFTER, allows_update},
};
use crate::{
    media::plan::Direction,
    sip::{
        auth::AuthError,
        body::session_description,
        dialog::Dialog,
        endpoint::ServerTransactionId,
        msg::{Headers, Method, Request, Response},
    },
    ua::{
        api::{CallDirection, EndedBy, Event, Output},
        reason,
        stack::{Owner, Reply, RequestId, Stack},
    },
};
use std::time::{Duration, Instant};

/// Refreshes that fail before the session timer is left to end the call: a minute and a half with [`AGAIN_AFTER`] between.
const MOST_REFRESHES: u8 = 20;

pub(in crate::ua) struct Established {
    pub dialog: Dialog,
    pub(super) exchange: Exchange,
    /// What the agent wants; a re-INVITE makes it so.
    pub(super) want_hold: bool,
    /// What was agreed last.
    pub(super) held: bool,
    /// A transfer wants it, not the agent, who is told nothing of it but its outcome.
    is_for_transfer: bool,
    pub digits: Digits,
    /// When the call has to be confirmed.
    pub(super) timer: Option<SessionTimer>,
    /// A refresh is due that takes a re-INVITE.
    pub(super) want_refresh: bool,
    /// Refreshes that failed, one after the other.
    pub(super) failed_refreshes: u8,
    /// Our address has changed, and the peer has not confirmed it: what is not answered may have gone the old way.
    pub(super) is_moving: bool,
    /// Our UPDATE under way.
    pub(super) update: Option<RequestId>,
    /// Whether the peer takes UPDATE.
    pub(super) allows_update: bool,
    /// A provisional response of ours whose PRACK was not there when we answered.
    pub(super) unacknowledged: Option<RAck>,
}

/// The one INVITE transaction that may be under way in a dialog (RFC 3261 §14.1).
pub(super) enum Exchange {
    Idle,
    /// Our 2xx waits for its ACK.
    Answered(Unconfirmed),
    /// Our re-INVITE waits for its answer.
    Offered {
        request: RequestId,
        hold: bool,
    },
    /// Both sides tried at once, or the peer asked for patience; ours again then.
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
    /// `peer`: the header fields of its INVITE or 2xx.
    pub(super) fn new(
        dialog: Dialog,
        unconfirmed: Option<Unconfirmed>,
        timer: Option<SessionTimer>,
        peer: &Headers,
    ) -> Self {
        Self {
            dialog,
            exchange: unconfirmed.map_or(Exchange::Idle, Exchange::Answered),
            want_hold: false,
            held: false,
            is_for_transfer: false,
            digits: Digits::default(),
            timer,
            want_refresh: false,
            failed_refreshes: 0,
            is_moving: false,
            update: None,
            allows_update: allows_update(peer),
            unacknowledged: None,
        }
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

    pub fn poll_timeout(&self) -> Option<Instant> {
        let again = match self.exchange {
            Exchange::Glare { until } => Some(until),
            Exchange::Idle | Exchange::Answered(_) | Exchange::Offered { .. } => None,
        };
        again.into_iter().chain(self.timer.as_ref().map(SessionTimer::poll_timeout)).min()
    }

    pub(super) const fn wanted_direction(&self) -> Direction {
        direction(self.want_hold)
    }
}

/// RFC 3264 §8.4: who is on hold is still sent to.
pub(super) const fn direction(hold: bool) -> Direction {
    if hold { Direction::SendOnly } else { Direction::SendRecv }
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
        self.want_hold(stack, hold, false);
    }

    /// The same without a word of it to the agent.
    pub(super) fn hold_for_transfer(&mut self, stack: &mut Stack, hold: bool) {
        self.want_hold(stack, hold, true);
    }

    fn want_hold(&mut self, stack: &mut Stack, hold: bool, is_for_transfer: bool) {
        let Phase::Established(established) = &mut self.phase else { return };
        (established.want_hold, established.is_for_transfer) = (hold, is_for_transfer);
        // The opposite waited for its turn and is not needed any more.
        if hold == established.heading() && !is_for_transfer {
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
    pub(super) fn negotiate(&mut self, stack: &mut Stack) {
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
        established.write(&mut request.headers);
        request.headers.push("Content-Type", "application/sdp");
        request.body = self.media.negotiation.offer(local, established.wanted_direction());
        let hop = established.dialog.next_hop();
        let request = stack.send((&self.account, request), hop, Owner::Call(self.id), Some(contact));
        established.exchange = Exchange::Offered { request, hold };
    }

    /// Time for what waited after a glare, or for the session timer.
    pub(super) fn established_timeout(&mut self, now: Instant, stack: &mut Stack) {
        let Phase::Established(established) = &mut self.phase else { return };
        match established.timer.as_mut().and_then(|timer| timer.handle_timeout(now)) {
            Some(Due::Expired) => {
                let reason = "The call ended by itself: the other side did not confirm in time that it still stands.";
                return self.close(now, stack, End::new(EndedBy::Network, Some(408), reason));
            }
            Some(Due::Refresh) => self.refresh(stack),
            None => {}
        }
        let Phase::Established(established) = &mut self.phase else { return };
        if matches!(established.exchange, Exchange::Glare { until } if until <= now) {
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
        if self.moves_again(now, id, &reply) {
            return;
        }
        let Phase::Established(established) = &mut self.phase else { return };
        // Sent before the call was answered, it decides nothing any more.
        let is_early_update = request.method == Method::UPDATE && established.update != Some(id);
        if request.method == Method::PRACK || is_early_update {
            return;
        }
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
            _ if established.update == Some(id) => self.update_reply(now, stack, request, reply),
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
            Reply::Unreachable(why) => return self.reinvite_failed(now, stack, hold, &why),
        };
        match response.code() {
            100..200 => {}
            200..300 => self.reinvite_answered(now, stack, (id, hold), &request, &response),
            401 | 407 => self.reinvite_challenged(now, stack, hold, request, &response),
            491 => self.glare(now, stack, None),
            // RFC 3261 §14.1, §21.5.1: not now.
            500 if retry_after(&response).is_some() => self.glare(now, stack, retry_after(&response)),
            422 if self.raise_interval(&response) => self.refresh_by_reinvite(stack),
            code => self.reinvite_failed(now, stack, hold, &reason::call(code, &reason::phrase(&response))),
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
        (established.failed_refreshes, established.is_moving) = (0, false);
        established.refreshed(now, &response.headers);
        let answer = session_description(&response.headers, &response.body).unwrap_or(None).unwrap_or_default();
        match self.media.negotiation.accept_answer(answer) {
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

    fn reinvite_challenged(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        hold: bool,
        mut request: Request,
        response: &Response,
    ) {
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
                self.reinvite_failed(now, stack, hold, &format!("{error}."));
            }
        }
    }

    /// RFC 3261 §14.1: the session stays as it was.
    fn reinvite_failed(&mut self, now: Instant, stack: &mut Stack, hold: bool, why: &str) {
        self.media.negotiation.offer_failed();
        if let Phase::Established(established) = &mut self.phase {
            established.exchange = Exchange::Idle;
            // Nothing but a refresh, which nobody asked for: again a few times; then the session timer has the last word.
            if hold == established.held {
                established.failed_refreshes = established.failed_refreshes.saturating_add(1);
                // What the agent wants meanwhile is a refresh too, and does not wait.
                let is_idle = established.want_hold == established.held;
                if is_idle && established.failed_refreshes < MOST_REFRESHES {
                    established.want_refresh = true;
                    established.exchange = Exchange::Glare { until: now + AGAIN_AFTER };
                }
                return self.negotiate(stack);
            }
            let opposite = if hold { "resume" } else { "hold" };
            let is_quiet = established.is_for_transfer;
            if established.want_hold == established.held && !is_quiet {
                stack.emit(Output::Event(Event::Done { command: opposite, call: Some(self.id) }));
            }
            established.want_hold = established.held;
            if is_quiet {
                return self.negotiate(stack);
            }
        }
        let (command, what) = if hold { ("hold", "put on hold") } else { ("resume", "resumed") };
        self.refuse_command(stack, command, &format!("The call could not be {what}: {why}"));
        // A refresh may have waited for it.
        self.negotiate(stack);
    }

    /// Tries again later. RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms,
    /// unless the peer has said how long.
    fn glare(&mut self, now: Instant, stack: &mut Stack, asked: Option<Duration>) {
        self.media.negotiation.offer_failed();
        let Phase::Established(established) = &mut self.phase else { return };
        if let Exchange::Offered { hold, .. } = established.exchange {
            established.want_refresh |= hold == established.held;
        }
        let steps = |entropy: &mut crate::sip::entropy::Entropy, n: u32| u64::from(entropy.u32() % n);
        let wait = match self.direction {
            CallDirection::Out => 2_100 + 10 * steps(&mut stack.entropy, 191),
            CallDirection::In => 10 * steps(&mut stack.entropy, 201),
        };
        // Not at the pace of the network, whatever the peer says.
        let wait = asked.map_or(Duration::from_millis(wait), |asked| asked.max(Duration::from_secs(1)));
        established.exchange = Exchange::Glare { until: now + wait };
    }
}

/// How long a 500 asks us to wait (RFC 3261 §21.5.1), if that is a time that a person waits.
pub(super) fn retry_after(response: &Response) -> Option<Duration> {
    response.headers.number("Retry-After").filter(|s| *s <= 30).map(|s| Duration::from_secs(u64::from(s)))
}
