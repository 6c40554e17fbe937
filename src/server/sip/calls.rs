//! The calls in progress: for people to see and to end, and for their records once they are over.
//!
//! A proxy is told of a call's end by a BYE, and a BYE may be lost with the device that owed it. Therefore a call is over, too,
//! once its session timer has run out (RFC 4028 §10), once neither of its devices is registered any more, or when nothing was
//! heard of it for half a day.

use super::location::Aor;
use crate::{
    server::{
        calls::{CallRecord, EndedBy, Party},
        contacts::Call,
    },
    sip::{
        dialog::Dialog,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Headers, Method, Request, Response},
    },
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

/// Calls listed at most. Beyond, the oldest leaves the list and has no record: nobody knows when it ends.
const MAX_CALLS: usize = 10_000;
/// How often it is looked which calls are over without a BYE.
const SWEEP: Duration = Duration::from_secs(60);
/// What a session timer's end may be late by (RFC 4028 §10: the BYE comes before, and is repeated for 64*T1).
const TIMER_GRACE: Duration = Duration::from_secs(32);
/// Nobody talks for longer without a word of signalling.
const LONGEST_SILENCE: Duration = Duration::from_secs(12 * 3600);

/// A call that begins: an INVITE was forwarded.
#[derive(Debug)]
pub struct Begun {
    pub realm: String,
    pub call: Call,
    pub caller: Party,
    pub callee: Party,
    /// The INVITE, and whence it came.
    pub transaction: ServerTransactionId,
    pub flow: Flow,
}

/// What it takes to end a call.
#[derive(Debug)]
pub enum HangUp {
    /// Nobody has answered this INVITE yet.
    Cancel(ServerTransactionId),
    /// A BYE to each side, as if the other had sent it.
    Bye(Box<[(Flow, Request); 2]>),
}

/// By Call-ID.
#[derive(Debug, Default)]
pub struct Calls {
    calls: BTreeMap<String, Tracked>,
    over: VecDeque<CallRecord>,
    /// When to sweep next, while there are calls.
    due: Option<Instant>,
}

#[derive(Debug)]
struct Tracked {
    begun: Begun,
    answered_at: Option<Timestamp>,
    /// Both sides once it is answered, the caller's first.
    sides: Option<Box<[Side; 2]>>,
    /// The registration that answered.
    callee: Option<Aor>,
    /// When something within the call went by, or its answer.
    heard: Instant,
    /// The session timer's interval, where the call has one (RFC 4028).
    refreshed_every: Option<Duration>,
    /// Which side sent BYE.
    left: Option<EndedBy>,
}

/// One side of an answered call, as the other sees it.
#[derive(Debug)]
struct Side {
    dialog: Dialog,
    flow: Flow,
    /// The highest CSeq that went to it.
    cseq: u32,
}

impl Calls {
    /// An INVITE was sent on.
    pub fn begin(&mut self, now: Instant, begun: Begun) {
        if self.calls.len() >= MAX_CALLS
            && let Some(oldest) = self.calls.iter().min_by_key(|(_, t)| t.begun.call.since).map(|(id, _)| id.clone())
        {
            self.calls.remove(&oldest);
        }
        self.due.get_or_insert(now + SWEEP);
        let id = begun.call.id.clone();
        let tracked = Tracked {
            begun,
            answered_at: None,
            sides: None,
            callee: None,
            heard: now,
            refreshed_every: None,
            left: None,
        };
        self.calls.insert(id, tracked);
    }

    /// Somebody answered the INVITE; `flow` leads to him, and `callee` is registered there. A second answer, of another branch,
    /// is its caller's to end.
    pub fn answered(
        &mut self,
        (now, at): (Instant, Timestamp),
        call_id: &str,
        (invite, response): (&Request, &Response),
        (flow, callee): (Flow, Option<Aor>),
    ) {
        let Some(tracked) = self.calls.get_mut(call_id).filter(|t| t.answered_at.is_none()) else { return };
        tracked.begun.call.answered = true;
        tracked.answered_at = Some(at);
        tracked.heard = now;
        tracked.callee = callee;
        tracked.refreshed_every = session_interval(&response.headers);
        // Whoever leaves out what a dialog needs can still talk, but is not reached to be ended.
        tracked.sides = sides(invite, response, tracked.begun.flow, flow).map(Box::new);
    }

    /// The session was changed or refreshed: its timer is what the 2xx says, or there is none any more (RFC 4028 §7.2).
    pub fn agreed(&mut self, call_id: &str, response: &Response) {
        if let Some(tracked) = self.calls.get_mut(call_id) {
            tracked.refreshed_every = session_interval(&response.headers);
        }
    }

    /// A request within the call went by.
    pub fn passed(&mut self, now: Instant, request: &Request) {
        let headers = &request.headers;
        let (Ok(call_id), Ok(from), Ok(cseq)) = (headers.call_id(), headers.from(), headers.cseq()) else { return };
        let Some(tracked) = self.calls.get_mut(call_id) else { return };
        tracked.heard = now;
        let Some(sides) = tracked.sides.as_deref_mut() else { return };
        let Some(sender) = sides.iter().position(|side| side.dialog.remote().tag() == from.tag()) else { return };
        if request.method == Method::BYE {
            tracked.left = Some([EndedBy::Caller, EndedBy::Callee][sender]);
        }
        // Its new Contact is where it is reached from now on; what is out of order is the other side's to refuse.
        let _ = sides[sender].dialog.handle_request(request);
        let receiver = &mut sides[1 - sender];
        receiver.cseq = receiver.cseq.max(cseq.number);
    }

    /// It failed with this status, or a BYE went by.
    pub fn end(&mut self, call_id: &str, at: Timestamp, code: u16) {
        let Some(Tracked { begun, answered_at, left, .. }) = self.calls.remove(call_id) else { return };
        self.record(begun, answered_at, at, code, left);
    }

    /// It was ended from here.
    pub fn ended(&mut self, call_id: &str, at: Timestamp) {
        let Some(Tracked { begun, answered_at, .. }) = self.calls.remove(call_id) else { return };
        self.record(begun, answered_at, at, 487, Some(EndedBy::Tms));
    }

    /// A call that nobody could be found for.
    pub fn missed(&mut self, begun: Begun, code: u16) {
        let at = begun.call.since;
        self.record(begun, None, at, code, None);
    }

    /// Ends what has ended without a BYE, when it was last heard of. `at` is `now` on the calendar.
    pub fn handle_timeout(&mut self, now: Instant, at: Timestamp, is_registered: impl Fn(&Aor) -> bool) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        let lost: Vec<_> = self.calls.extract_if(.., |_, tracked| tracked.is_lost(now, &is_registered)).collect();
        for (_, Tracked { begun, answered_at, heard, .. }) in lost {
            let ended = at.checked_sub(now.duration_since(heard)).unwrap_or(at);
            self.record(begun, answered_at, ended, 200, Some(EndedBy::Nobody));
        }
        self.due = (!self.calls.is_empty()).then(|| now + SWEEP);
    }

    /// When [`Calls::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// What ends this call, if it is one of the realm's and its sides are known.
    pub fn hang_up(&mut self, realm: &str, call_id: &str) -> Option<HangUp> {
        let tracked = self.calls.get_mut(call_id).filter(|tracked| tracked.begun.realm == realm)?;
        if tracked.answered_at.is_none() {
            return Some(HangUp::Cancel(tracked.begun.transaction));
        }
        let sides = tracked.sides.as_deref_mut()?;
        Some(HangUp::Bye(Box::new(sides.each_mut().map(|side| (side.flow, side.bye())))))
    }

    /// Those of an account, by its realm.
    pub fn of(&self, realm: &str) -> Vec<Call> {
        let calls = self.calls.values().filter(|tracked| tracked.begun.realm == realm);
        calls.map(|tracked| tracked.begun.call.clone()).collect()
    }

    /// The next call that is over.
    pub fn poll_over(&mut self) -> Option<CallRecord> {
        self.over.pop_front()
    }

    fn record(
        &mut self,
        begun: Begun,
        answered_at: Option<Timestamp>,
        ended_at: Timestamp,
        code: u16,
        ended_by: Option<EndedBy>,
    ) {
        let Begun { realm, call, caller, callee, .. } = begun;
        self.over.push_back(CallRecord {
            realm,
            call_id: call.id,
            caller: call.from,
            caller_extension: caller,
            dialled: call.to,
            callee_extension: callee,
            started_at: call.since,
            answered_at,
            ended_at,
            // A call that was answered ends by BYE, whatever that is answered.
            code: if answered_at.is_some() { 200 } else { code.max(300) },
            ended_by: ended_by.filter(|_| answered_at.is_some()),
        });
    }
}

impl Tracked {
    /// Only one that was answered; the INVITE's own timers end one that rings.
    fn is_lost(&self, now: Instant, is_registered: &impl Fn(&Aor) -> bool) -> bool {
        let silent = now.saturating_duration_since(self.heard);
        let caller = || Aor { realm: self.begun.realm.clone(), name: self.begun.call.from.clone() };
        let deserted =
            || silent >= SWEEP && !is_registered(&caller()) && !self.callee.as_ref().is_some_and(is_registered);
        self.answered_at.is_some()
            && (silent >= LONGEST_SILENCE
                || self.refreshed_every.is_some_and(|interval| silent >= interval + TIMER_GRACE)
                || deserted())
    }
}

/// `Session-Expires: 1800;refresher=uas` (RFC 4028 §4).
fn session_interval(headers: &Headers) -> Option<Duration> {
    let seconds = headers.get("Session-Expires")?.split(';').next()?.trim().parse::<u32>().ok()?;
    // RFC 4028 §4: none is shorter.
    Some(Duration::from_secs(seconds.max(90).into()))
}

impl Side {
    fn bye(&mut self) -> Request {
        self.cseq += 1;
        let mut bye = self.dialog.request(Method::BYE);
        bye.headers.set("CSeq", format!("{} BYE", self.cseq));
        bye.headers.push("Reason", "SIP;cause=200;text=\"Ended by the TMS\"");
        bye
    }
}

/// The caller's side and the callee's.
fn sides(invite: &Request, response: &Response, caller: Flow, callee: Flow) -> Option<[Side; 2]> {
    let tag = response.headers.to().ok()?.tag()?.to_owned();
    let cseq = invite.headers.cseq().ok()?.number;
    // Our own Record-Route is none of the way from here.
    let (mut invite, mut response) = (invite.clone(), response.clone());
    invite.headers.remove("Record-Route");
    response.headers.remove("Record-Route");
    Some([
        // The callee has sent no request yet, and may begin with any number (RFC 3261 §8.1.1.5).
        Side { dialog: Dialog::uas(&invite, &tag).ok()?, flow: caller, cseq: 0 },
        Side { dialog: Dialog::uac(&invite, &response).ok()?, flow: callee, cseq },
    ])
}
