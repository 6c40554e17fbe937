//! The calls in progress: for people to see and to end, and for their records once they are over.

use crate::{
    server::{
        calls::{CallRecord, Party},
        contacts::Call,
    },
    sip::{
        dialog::Dialog,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request, Response},
    },
};
use jiff::Timestamp;
use std::collections::{BTreeMap, VecDeque};

/// Calls listed at most. A call whose BYE never came leaves the list when room is needed, the oldest first, and has no record:
/// nobody knows when it ended.
const MAX_CALLS: usize = 10_000;

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
}

#[derive(Debug)]
struct Tracked {
    begun: Begun,
    answered_at: Option<Timestamp>,
    /// Both sides once it is answered, the caller's first.
    sides: Option<Box<[Side; 2]>>,
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
    pub fn begin(&mut self, begun: Begun) {
        if self.calls.len() >= MAX_CALLS
            && let Some(oldest) = self.calls.iter().min_by_key(|(_, t)| t.begun.call.since).map(|(id, _)| id.clone())
        {
            self.calls.remove(&oldest);
        }
        self.calls.insert(begun.call.id.clone(), Tracked { begun, answered_at: None, sides: None });
    }

    /// Somebody answered the INVITE; `flow` leads to him. A second answer, of another branch, is its caller's to end.
    pub fn answered(&mut self, call_id: &str, at: Timestamp, invite: &Request, response: &Response, flow: Flow) {
        let Some(tracked) = self.calls.get_mut(call_id).filter(|t| t.answered_at.is_none()) else { return };
        tracked.begun.call.answered = true;
        tracked.answered_at = Some(at);
        // Whoever leaves out what a dialog needs can still talk, but is not reached to be ended.
        tracked.sides = sides(invite, response, tracked.begun.flow, flow).map(Box::new);
    }

    /// A request within the call went by.
    pub fn passed(&mut self, request: &Request) {
        let headers = &request.headers;
        let (Ok(call_id), Ok(from), Ok(cseq)) = (headers.call_id(), headers.from(), headers.cseq()) else { return };
        let Some(sides) = self.calls.get_mut(call_id).and_then(|tracked| tracked.sides.as_deref_mut()) else { return };
        let Some(sender) = sides.iter().position(|side| side.dialog.remote().tag() == from.tag()) else { return };
        // Its new Contact is where it is reached from now on; what is out of order is the other side's to refuse.
        let _ = sides[sender].dialog.handle_request(request);
        let receiver = &mut sides[1 - sender];
        receiver.cseq = receiver.cseq.max(cseq.number);
    }

    /// It failed with this status, or a BYE went by.
    pub fn end(&mut self, call_id: &str, at: Timestamp, code: u16) {
        let Some(Tracked { begun, answered_at, .. }) = self.calls.remove(call_id) else { return };
        self.record(begun, answered_at, at, code);
    }

    /// A call that nobody could be found for.
    pub fn missed(&mut self, begun: Begun, code: u16) {
        let at = begun.call.since;
        self.record(begun, None, at, code);
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

    pub fn of(&self, realm: &str) -> Vec<Call> {
        let calls = self.calls.values().filter(|tracked| tracked.begun.realm == realm);
        calls.map(|tracked| tracked.begun.call.clone()).collect()
    }

    /// The next call that is over.
    pub fn poll_over(&mut self) -> Option<CallRecord> {
        self.over.pop_front()
    }

    fn record(&mut self, begun: Begun, answered_at: Option<Timestamp>, ended_at: Timestamp, code: u16) {
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
        });
    }
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
