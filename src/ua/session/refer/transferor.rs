//! The agent transfers the peer: hold, REFER, and what the peer tells of it (RFC 3515 §2.4.4, RFC 5589 §6, §7).
//!
//! ```text
//! Holding ──held, or it cannot be──▶ Asking ──2xx──▶ Watching ──NOTIFY 2xx──▶ BYE
//!                                      │                 │
//!                                      └─────refused─────┴──▶ off hold again: the peer is never lost
//! ```

use super::{Phase, Session};
use crate::{
    sip::{
        endpoint::ServerTransactionId,
        msg::{Method, Request, Response, Substate, sipfrag_status},
        uri::{NameAddr, SipUri, Uri},
    },
    ua::{
        api::{CallId, EndedBy, Event, Output, TransferState},
        reason,
        session::{End, readable},
        stack::{Owner, Reply, RequestId, Stack},
    },
};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Where a call is transferred to.
#[derive(Clone, Debug)]
pub(in crate::ua) struct Destination {
    /// Refer-To, the best first; the others are tried where it leads nowhere (RFC 5589 §7.6).
    pub targets: VecDeque<NameAddr>,
    /// As people read it.
    pub who: String,
    /// The call with it, which the transferred call is to replace.
    pub with: Option<CallId>,
}

/// A transfer under way.
pub(super) struct Transfer {
    destination: Destination,
    /// The call was put on hold for it.
    held: bool,
    step: Step,
    /// The peer has sent a NOTIFY.
    heard: bool,
    told: Option<u16>,
    /// How the first target could not be had, which says more than the ways round.
    failure: Option<(u16, String)>,
}

enum Step {
    /// Until the call is on hold, or cannot be.
    Holding,
    /// REFER sent. `number`: its CSeq, by which NOTIFYs may name it.
    Asking { request: RequestId, number: ReferNumber },
    /// REFER accepted: the peer tells what becomes of it, until `until` at the latest.
    Watching { number: ReferNumber, until: Instant },
}

/// By what the NOTIFYs of a REFER are known (RFC 3515 §2.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ReferNumber {
    /// Its CSeq.
    cseq: u32,
    /// NOTIFYs of an earlier one, which need not name it, may still come: this one's do.
    must_be_named: bool,
}

impl ReferNumber {
    /// `id`: as a NOTIFY's Event has it.
    fn is_meant_by(self, id: Option<&str>) -> bool {
        id.map_or(!self.must_be_named, |id| id == self.cseq.to_string())
    }
}

/// RFC 6665 §4.1.2.4, Timer N: a subscription begins with a NOTIFY by then.
const FIRST_NOTIFY: Duration = Duration::from_secs(32);
/// A target rings no longer than that.
const LONGEST: u32 = 600;

impl Transfer {
    pub const fn poll_timeout(&self) -> Option<Instant> {
        match self.step {
            Step::Watching { until, .. } => Some(until),
            Step::Holding | Step::Asking { .. } => None,
        }
    }

    const fn number(&self) -> Option<ReferNumber> {
        match self.step {
            Step::Asking { number, .. } | Step::Watching { number, .. } => Some(number),
            Step::Holding => None,
        }
    }
}

impl Session {
    /// Transfers the peer, as soon as it is on hold.
    pub fn transfer(&mut self, stack: &mut Stack, destination: Destination) {
        let Phase::Established(established) = &self.phase else {
            return self.refuse_command(stack, "transfer", "Only an answered call can be transferred.");
        };
        if self.refer.transfer.is_some() {
            return self.refuse_command(stack, "transfer", "The call is being transferred already.");
        }
        let held = !established.wants_hold();
        let step = Step::Holding;
        self.refer.transfer = Some(Transfer { destination, held, step, heard: false, told: None, failure: None });
        self.tell_transfer(stack, TransferState::Trying { code: None });
        if held {
            self.hold_for_transfer(stack, true);
        }
        self.pursue_transfer(stack);
    }

    /// Whether it is being transferred by the agent.
    pub const fn is_transferring(&self) -> bool {
        self.refer.transfer.is_some()
    }

    /// Goes on with a transfer once the call is on hold, or cannot be.
    pub fn pursue_transfer(&mut self, stack: &mut Stack) {
        let (Phase::Established(established), Some(transfer)) = (&self.phase, &self.refer.transfer) else { return };
        if matches!(transfer.step, Step::Holding) && established.is_settled() {
            self.send_refer(stack);
        }
    }

    /// The call that a transfer has joined with this one, once.
    pub const fn take_joined(&mut self) -> Option<CallId> {
        self.refer.joined_with.take()
    }

    /// What to transfer another call to, for it to take the place of this one: the peer's address and its Contact, each with
    /// this dialog's name and the demand that it be understood, so that nobody rings again (RFC 5589 §7.1, RFC 3891 §4).
    ///
    /// # Errors
    /// A sentence.
    pub fn destination(&self) -> Result<Destination, String> {
        let Phase::Established(established) = &self.phase else {
            return Err("The other call is not answered yet: wait for the answer, or transfer to its number.".into());
        };
        if self.is_transferring() {
            return Err("The other call is being transferred itself.".into());
        }
        let dialog = &established.dialog;
        let headers = vec![
            ("Replaces".to_owned(), dialog.id().replaces().to_string()),
            ("Require".to_owned(), "replaces".into()),
        ];
        let mut uris: Vec<&SipUri> =
            [&dialog.remote().uri, dialog.remote_target()].into_iter().filter_map(Uri::as_sip).collect();
        // A GRUU leads to that one device from everywhere (RFC 5627 §4.4); another Contact often to a private address.
        if uris.last().is_some_and(|contact| contact.has_param("gr")) {
            uris.reverse();
        }
        let mut targets: VecDeque<NameAddr> = VecDeque::new();
        for uri in uris {
            let plain = Uri::Sip(SipUri { headers: headers.clone(), ..uri.clone() });
            if !targets.iter().any(|known| known.uri == plain) {
                targets.push_back(NameAddr::new(plain));
            }
        }
        Ok(Destination {
            targets,
            who: self.peer_name.clone().unwrap_or_else(|| self.peer.clone()),
            with: Some(self.id),
        })
    }

    fn send_refer(&mut self, stack: &mut Stack) {
        let (Phase::Established(established), Some(transfer)) = (&mut self.phase, &mut self.refer.transfer) else {
            return;
        };
        let Some(target) = transfer.destination.targets.pop_front() else { return };
        (transfer.heard, transfer.told) = (false, None);
        let mut refer = established.dialog.request(Method::REFER);
        refer.headers.push("Refer-To", target.to_string());
        // RFC 3892 §2.1: it may be left out, and who calls without being known leaves it out.
        if !self.anonymous {
            refer.headers.push("Referred-By", NameAddr::new(self.account.aor.clone()).to_string());
        }
        self.ask(stack, refer);
    }

    fn ask(&mut self, stack: &mut Stack, refer: Request) {
        let contact = self.contact();
        let (Phase::Established(established), Some(transfer)) = (&self.phase, &mut self.refer.transfer) else { return };
        let cseq = refer.headers.cseq().map_or(0, |cseq| cseq.number);
        let number = ReferNumber { cseq, must_be_named: self.refer.may_be_unnamed };
        let hop = established.dialog.next_hop();
        let request = stack.send((&self.account, refer), hop, Owner::Call(self.id), Some(contact));
        transfer.step = Step::Asking { request, number };
    }

    pub(super) fn refer_reply(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        id: RequestId,
        mut request: Request,
        reply: Reply,
    ) {
        let Some(transfer) = &mut self.refer.transfer else { return };
        let Step::Asking { request: ours, number } = transfer.step else { return };
        if ours != id {
            return;
        }
        let response = match reply {
            Reply::Response(response, _) => response,
            Reply::TimedOut => {
                self.transfer_failed(stack, Some(408), "The other side does not answer.");
                return self.probe(stack);
            }
            Reply::Unreachable(why) => {
                return self.transfer_failed(
                    stack,
                    None,
                    &format!("It could not be sent: {}.", why.trim_end_matches('.')),
                );
            }
        };
        match response.code() {
            100..200 => {}
            200..300 if response.headers.refer_sub() => {
                self.refer.may_be_unnamed |= !number.must_be_named;
                let wait = if transfer.heard { Duration::from_secs(u64::from(LONGEST)) } else { FIRST_NOTIFY };
                transfer.step = Step::Watching { number, until: now + wait };
            }
            // It will tell nothing more.
            code @ 200..300 => self.transferred(now, stack, code),
            401 | 407 if stack.answer_challenge(&self.account, &mut request, &response).is_ok() => {
                if let Phase::Established(established) = &mut self.phase {
                    established.dialog.renew(&mut request);
                    self.ask(stack, request);
                }
            }
            code => {
                let why = refused(code, &response);
                self.transfer_failed(stack, Some(code), &why);
                // It may be this call that the peer does not know any more, or only the one that was to be replaced.
                if code == 481 {
                    self.probe(stack);
                }
            }
        }
    }

    /// NOTIFY of the subscription that our REFER made; it may come before the REFER's answer (RFC 3515 §2.4.4).
    pub(super) fn handle_notify(
        &mut self,
        now: Instant,
        stack: &mut Stack,
        transaction: ServerTransactionId,
        request: &Request,
    ) {
        let (event, state) = match (request.headers.event(), request.headers.subscription_state()) {
            (Ok(event), Ok(state)) => (event, state),
            (Err(error), _) | (_, Err(error)) => {
                let response = Response { reason: error.to_string(), ..Response::to(request, 400, None) };
                return stack.respond(now, transaction, response);
            }
        };
        if event.package != "refer" {
            let mut response = Response::to(request, 489, None);
            response.headers.push("Allow-Events", "refer");
            return stack.respond(now, transaction, response);
        }
        if state.state == Substate::Terminated && event.id().is_none() {
            self.refer.may_be_unnamed = false;
        }
        let is_ours = |number: ReferNumber| number.is_meant_by(event.id());
        let Some(transfer) = self.refer.transfer.as_mut().filter(|t| t.number().is_some_and(is_ours)) else {
            return stack.respond(now, transaction, Response::to(request, 481, None));
        };
        stack.respond(now, transaction, Response::to(request, 200, None));
        transfer.heard = true;
        if let Step::Watching { until, .. } = &mut transfer.step {
            let left = Duration::from_secs(u64::from(state.expires.unwrap_or(LONGEST).min(LONGEST)));
            *until = now + left.max(FIRST_NOTIFY);
        }
        let status = sipfrag_status(&request.body);
        match status {
            Some((code @ 200..300, _)) => self.transferred(now, stack, code),
            Some((code @ 300.., phrase)) => self.target_failed_with(stack, code, &phrase),
            _ if state.state == Substate::Terminated => {
                self.transfer_failed(stack, None, "The other side did not say what became of it.");
            }
            Some((code, _)) if transfer.told != Some(code) => {
                transfer.told = Some(code);
                self.tell_transfer(stack, TransferState::Trying { code: Some(code) });
            }
            Some(_) | None => {}
        }
    }

    /// The peer has fallen silent.
    pub(in crate::ua::session) fn referring_is_due(&mut self, now: Instant, stack: &mut Stack) {
        if self.referring_timeout().is_some_and(|at| at <= now) {
            self.transfer_failed(stack, None, "The other side did not say what became of it.");
        }
    }

    /// The target could not be had: another way to it, or the end.
    fn target_failed_with(&mut self, stack: &mut Stack, code: u16, phrase: &str) {
        let Some(transfer) = &mut self.refer.transfer else { return };
        let (first, words) = transfer.failure.get_or_insert_with(|| (code, phrase.to_owned())).clone();
        // Busy, given up, without Replaces, and 6xx come from the target itself.
        if !transfer.destination.targets.is_empty() && !matches!(code, 420 | 486 | 487 | 600..) {
            return self.send_refer(stack);
        }
        let why = unreached(&transfer.destination.who, first, &words);
        self.transfer_failed(stack, Some(first), &why);
    }

    /// The transferred party comes back to where it was.
    fn transfer_failed(&mut self, stack: &mut Stack, code: Option<u16>, why: &str) {
        let Some(transfer) = self.refer.transfer.take() else { return };
        let Phase::Established(established) = &self.phase else { return };
        let resumes = transfer.held && established.wants_hold();
        let back = match resumes || !established.wants_hold() {
            true => "The call is back with you.",
            false => "The call is still on hold here.",
        };
        let reason = format!("The transfer did not succeed. {why} {back}");
        self.tell_transfer(stack, TransferState::Failed { code, reason });
        if resumes {
            self.hold_for_transfer(stack, false);
        }
    }

    fn transferred(&mut self, now: Instant, stack: &mut Stack, code: u16) {
        let Some(transfer) = self.refer.transfer.take() else { return };
        self.refer.joined_with = transfer.destination.with;
        self.tell_transfer(stack, TransferState::Done { code: Some(code) });
        let reason = format!("The call was transferred to {}.", transfer.destination.who);
        self.close(now, stack, End::new(EndedBy::Local, None, reason));
    }

    /// The call ends before the peer has said how the transfer went.
    pub(super) fn transfer_cut_short(&mut self, stack: &mut Stack, by: EndedBy) {
        let Some(transfer) = self.refer.transfer.take() else { return };
        let state = match transfer.step {
            // An agent who does not wait for it, or a peer that has taken the order, is on its way, and has no more to say:
            // nothing speaks against its success, and whom it did not find it would have told (RFC 5589 §6.1).
            Step::Watching { .. } if matches!(by, EndedBy::Local | EndedBy::Remote) => {
                TransferState::Done { code: None }
            }
            Step::Holding | Step::Asking { .. } | Step::Watching { .. } => {
                let reason = "The transfer did not succeed. The call ended before it was done.".to_owned();
                TransferState::Failed { code: None, reason }
            }
        };
        self.tell_transfer(stack, state);
    }

    fn tell_transfer(&self, stack: &mut Stack, state: TransferState) {
        stack.emit(Output::Event(Event::Transfer { call: self.id, state }));
    }
}

/// A target that is dialled, as people read it.
pub(in crate::ua) fn blind(target: Uri) -> Destination {
    let target = NameAddr::new(target);
    Destination { who: readable(&target), targets: VecDeque::from([target]), with: None }
}

/// Why the peer would not transfer itself.
fn refused(code: u16, response: &Response) -> String {
    match code {
        405 | 420 | 501 => "The other side's phone cannot be transferred.".to_owned(),
        403 | 603 => "The other side did not accept it.".to_owned(),
        code => reason::call(code, &reason::phrase(response)),
    }
}

/// Why the target could not be had.
fn unreached(who: &str, code: u16, phrase: &str) -> String {
    match code {
        404 | 484 | 604 => format!("{who} does not exist."),
        408 | 480 | 487 => format!("{who} did not answer."),
        486 | 600 => format!("{who} is busy."),
        603 => format!("{who} declined the call."),
        420 | 481 => format!("{who} cannot take this call over."),
        code => format!("{who} could not be reached: {}", reason::call(code, phrase)),
    }
}
