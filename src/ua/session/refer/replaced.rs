//! A call that another one takes the place of: INVITE with Replaces (RFC 3891).

use super::{End, Phase, Reception, Session};
use crate::{
    sip::{
        dialog::DialogError,
        endpoint::ServerTransactionId,
        flow::Flow,
        msg::{Replaces, Request},
    },
    ua::{
        api::{Account, CallId, EndedBy, Event, Output},
        stack::Stack,
    },
};
use std::{sync::Arc, time::Instant};

/// How a call's dialog stands that Replaces names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ua) enum Named {
    Confirmed,
    /// We called, and nobody has answered yet.
    EarlyOurs,
    /// It rings here.
    EarlyTheirs,
}

impl Session {
    /// Whether a peer's Replaces means this call.
    pub fn named_by(&self, replaces: &Replaces) -> Option<Named> {
        match &self.phase {
            Phase::Established(e) if e.dialog.id().is_named_by(replaces) => Some(Named::Confirmed),
            Phase::Inviting(i) if i.forks.iter().any(|d| d.id().is_named_by(replaces)) => Some(Named::EarlyOurs),
            Phase::Ringing(r) | Phase::Answering(r) if r.dialog.id().is_named_by(replaces) => Some(Named::EarlyTheirs),
            _ => None,
        }
    }

    /// A call `id` that takes the place of `old`: answered at once, without ringing (RFC 3891 §3), and on hold where that was.
    pub fn take_over(
        now: Instant,
        stack: &mut Stack,
        (id, old): (CallId, CallId),
        account: Arc<Account>,
        invite: (ServerTransactionId, Request, Flow),
        hold: bool,
    ) -> Result<Self, DialogError> {
        let reception = Reception { hold, ..Reception::default() };
        let mut session = Self::invited(now, stack, id, account, invite, reception)?;
        stack.emit(Output::Event(Event::TakesOver { call: id, old }));
        session.answer(now, stack);
        Ok(session)
    }

    /// Whether the agent has put it on hold, or is about to.
    pub fn wants_hold(&self) -> bool {
        matches!(&self.phase, Phase::Established(established) if established.wants_hold())
    }

    /// Another call has taken the place of this one.
    pub fn taken_over(&mut self, now: Instant, stack: &mut Stack, by: &str) {
        let reason = format!("The call was transferred: you talk to {by} now.");
        self.close(now, stack, End::new(EndedBy::Local, None, reason));
    }

    /// Its peer has been joined with the peer of another call by a transfer.
    pub fn joined(&mut self, now: Instant, stack: &mut Stack) {
        self.close(now, stack, End::new(EndedBy::Local, None, "The call was transferred."));
    }

    /// Whether the peer is not told who we are.
    pub const fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    pub const fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The peer's address as people read it.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// The peer's name, or else address.
    pub fn peer_shown(&self) -> &str {
        self.peer_name.as_deref().unwrap_or(&self.peer)
    }
}
