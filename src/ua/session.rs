//! One call: its phases, each in a file of its own, and what the rest of the world sees of it.
//!
//! ```text
//! out: Calling ──INVITE──▶ Inviting ──2xx──▶ Established ──BYE──▶ Ended
//! in:  Ringing ──answer──▶ Answering ──200──▶ Established
//! ```
//!
//! What remains to be said to the peer after the end (CANCEL, ACK, BYE) is not the session's business any more: see
//! [`Parting`](super::farewell::Parting) and [`Stack::abandon`].

mod accept;
mod close;
mod early;
mod info;
mod invite;
mod modified;
mod modify;
mod moved;
mod named;
mod refer;
mod reliable;
mod request;
mod retry;
mod secured;
mod timer;
mod update;

use super::{
    api::{Account, CallDirection, CallId, CallInfo, CallState, EndedBy, Event, Origin, Output},
    farewell::Parting,
    identity::readable,
    stack::{Reply, RequestId, Stack},
};
use crate::{
    media::plan::MediaPlan,
    sip::{
        dialog::{Dialog, DialogId, DialogRecord},
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Method, Request},
        sdp::{OfferAnswer, Outside},
    },
};
pub(super) use accept::Reception;
pub(super) use refer::{Destination, Named, blind};
pub(super) use timer::inspect as inspect_timer;

use accept::Ringing;
use invite::{Calling, Inviting};
use modify::Established;
use refer::Refer;
use std::{net::SocketAddr, sync::Arc, time::Instant};

pub(super) struct Session {
    id: CallId,
    account: Arc<Account>,
    direction: CallDirection,
    peer: String,
    peer_name: Option<String>,
    called: Option<String>,
    origin: Origin,
    /// We call without showing who we are.
    anonymous: bool,
    /// The Contact that its INVITE named leads here no more.
    is_misaddressed: bool,
    media: Media,
    phase: Phase,
    reported: Option<CallInfo>,
    parting: Option<Parting>,
    refer: Refer,
    /// Header fields of its INVITE that others than the phase ask for.
    pub extra: Vec<(&'static str, String)>,
}

enum Phase {
    /// Outgoing: finding the way, opening audio.
    Calling(Box<Calling>),
    Inviting(Box<Inviting>),
    /// Incoming, waiting for the agent.
    Ringing(Box<Ringing>),
    /// Incoming, opening audio for the answer.
    Answering(Box<Ringing>),
    Established(Box<Established>),
    Ended,
}

/// The call's audio as far as the session knows it.
struct Media {
    negotiation: OfferAnswer,
    /// Our RTP address, once open.
    local: Option<SocketAddr>,
    plan: Option<MediaPlan>,
    /// Where it is reached besides.
    outside: Outside,
    /// Candidates that came before there was a plan: the last INFO's, which repeats the others' (RFC 8840 §4.4).
    trickled: Vec<u8>,
    /// Before the answer: audio comes, which confirms that there is somebody, whichever INVITE it is for.
    is_heard: bool,
    /// The plan's handshake is done.
    keyed: bool,
    /// A description, and with it keys, has gone or come unprotected.
    in_the_open: bool,
    /// Our address has changed since it was told.
    is_outdated: bool,
}

/// Random bits left out of a description's `o=`: 32 tell calls apart, and many an INVITE just fits a datagram.
const SHORT_ID: u32 = 32;

/// How a call ended.
struct End {
    by: EndedBy,
    code: Option<u16>,
    reason: String,
}

impl End {
    fn new(by: EndedBy, code: Option<u16>, reason: impl Into<String>) -> Self {
        Self { by, code, reason: reason.into() }
    }

    fn local() -> Self {
        Self::new(EndedBy::Local, None, "You ended the call.")
    }
}

impl Session {
    fn new(stack: &mut Stack, id: CallId, account: Arc<Account>, direction: CallDirection, phase: Phase) -> Self {
        let codecs = stack.settings.codecs.clone();
        let session_id = stack.entropy.u64() >> SHORT_ID;
        let crypto = stack.crypto(&account, stack.settings.srtp);
        let negotiation = OfferAnswer::new(&codecs, session_id, crypto)
            .with_ice(stack.ice())
            .with_silence_suppression(stack.settings.silence_suppression);
        Self {
            id,
            account,
            direction,
            peer: String::new(),
            peer_name: None,
            called: None,
            origin: Origin::default(),
            anonymous: false,
            is_misaddressed: false,
            media: Media {
                negotiation,
                local: None,
                outside: Outside::default(),
                trickled: Vec::new(),
                plan: None,
                is_heard: false,
                keyed: false,
                in_the_open: false,
                is_outdated: false,
            },
            phase,
            reported: None,
            parting: None,
            refer: Refer::default(),
            extra: Vec::new(),
        }
    }

    pub const fn is_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// What is still to be said after the end.
    pub const fn take_parting(&mut self) -> Option<Parting> {
        self.parting.take()
    }

    /// Whether a request belongs to this call's dialog.
    pub fn is_in_dialog(&self, id: &DialogId) -> bool {
        match &self.phase {
            Phase::Ringing(ringing) | Phase::Answering(ringing) => ringing.dialog.id() == id,
            Phase::Established(established) => established.dialog.id() == id,
            Phase::Inviting(inviting) => inviting.forks.iter().any(|dialog| dialog.id() == id),
            Phase::Calling(_) | Phase::Ended => false,
        }
    }

    /// An answered call, written down.
    pub fn record(&self) -> Option<DialogRecord> {
        self.dialog().map(Dialog::record)
    }

    /// Whether a server transaction (its CANCEL, its missing ACK) belongs to this call.
    pub fn owns(&self, transaction: ServerTransactionId) -> bool {
        match &self.phase {
            Phase::Ringing(ringing) | Phase::Answering(ringing) => ringing.transaction == transaction,
            Phase::Established(established) => established.awaits_ack(transaction),
            Phase::Calling(_) | Phase::Inviting(_) | Phase::Ended => false,
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let phase = match &self.phase {
            Phase::Ringing(ringing) => ringing.poll_timeout(),
            Phase::Answering(ringing) => ringing.reliable_timeout(),
            Phase::Inviting(inviting) => inviting.give_up_at,
            Phase::Established(established) => established.poll_timeout(),
            Phase::Calling(_) | Phase::Ended => None,
        };
        phase.into_iter().chain(self.referring_timeout()).min()
    }

    pub fn handle_timeout(&mut self, now: Instant, stack: &mut Stack) {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        self.referring_is_due(now, stack);
        match self.phase {
            Phase::Ringing(_) => self.ringing_timeout(now, stack),
            Phase::Answering(_) => self.unacknowledged(now, stack),
            Phase::Inviting(_) => self.rings_unheard(now, stack),
            Phase::Established(_) => self.established_timeout(now, stack),
            Phase::Calling(_) | Phase::Ended => {}
        }
    }

    pub fn handle_resolved(&mut self, now: Instant, stack: &mut Stack, flows: Result<Vec<Flow>, String>) {
        match self.phase {
            Phase::Established(_) | Phase::Inviting(_) => self.way_from_here(stack, flows),
            _ => self.way_found(now, stack, flows),
        }
    }

    /// Where our RTP port is reached besides.
    pub const fn handle_media_seen(&mut self, outside: Outside) {
        self.media.negotiation.set_outside(outside);
        self.media.outside = outside;
    }

    pub fn handle_media_opened(&mut self, now: Instant, stack: &mut Stack, result: Result<SocketAddr, String>) {
        if let Ok(local) = &result {
            self.media.local = Some(*local);
        }
        match self.phase {
            Phase::Calling(_) => self.audio_opened(now, stack, result),
            Phase::Ringing(_) | Phase::Answering(_) => self.opened(now, stack, result),
            Phase::Established(_) | Phase::Inviting(_) => self.audio_moved(stack, result),
            Phase::Ended => {}
        }
    }

    pub fn handle_reply(&mut self, now: Instant, stack: &mut Stack, id: RequestId, request: Request, reply: Reply) {
        if let Reply::Response(response, flow) = &reply {
            self.described(&response.body, *flow);
            self.described(&request.body, *flow);
        }
        match self.phase {
            Phase::Inviting(_) => self.invite_reply(now, stack, id, request, reply),
            Phase::Established(_) if request.method == Method::REFER || request.method == Method::NOTIFY => {
                self.referring_reply(now, stack, (id, request), reply);
            }
            Phase::Established(_) => self.dialog_reply(now, stack, id, request, reply),
            Phase::Calling(_) | Phase::Ringing(_) | Phase::Answering(_) | Phase::Ended => {}
        }
    }

    /// The state as others see it; `None` after the end, which [`Session::end`] reports.
    fn state(&self) -> Option<CallState> {
        Some(match &self.phase {
            Phase::Calling(_) => CallState::Dialing,
            Phase::Inviting(inviting) => match inviting.alerted {
                true => CallState::Early { media: self.media.plan.is_some() },
                false => CallState::Dialing,
            },
            Phase::Ringing(_) | Phase::Answering(_) => CallState::Ringing,
            Phase::Established(established) if established.is_held() => CallState::Held,
            Phase::Established(_) if self.media.plan.as_ref().is_some_and(|p| !p.direction.sends()) => {
                CallState::RemoteHeld
            }
            Phase::Established(_) => CallState::Connected,
            Phase::Ended => return None,
        })
    }

    /// Tells the world where it has changed.
    fn report(&mut self, stack: &mut Stack) {
        let Some(state) = self.state() else { return };
        let info = self.info(state);
        if self.reported.as_ref() != Some(&info) {
            self.reported = Some(info.clone());
            stack.emit(Output::Event(Event::Call(info)));
        }
    }

    fn info(&self, state: CallState) -> CallInfo {
        CallInfo {
            call: self.id,
            direction: self.direction,
            state,
            peer: self.peer.clone(),
            peer_name: self.peer_name.clone(),
            called: self.called.clone(),
            origin: self.origin.clone(),
            codec: self.media.plan.as_ref().map(|plan| plan.send.1),
            srtp: self.protection(),
        }
    }
}
