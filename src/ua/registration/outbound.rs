//! How calls find the way back to us: a flow that the registrar keeps (RFC 5626), or the contact that it sees (RFC 3581); and
//! contacts of ours that lead nowhere any more.

use super::{Phase, Registration, answer};
use crate::{
    sip::{flow::Flow, msg::Response, uri::NameAddr},
    ua::stack::Stack,
};
use std::time::Duration;

/// RFC 5626 §4.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outbound {
    Offered,
    /// The registrar keeps the flow; it wants a sign of life as often as that, where it says (Flow-Timer).
    Granted(Option<Duration>),
    /// The first hop does not take part (439), so it is not asked for any more.
    Refused,
}

impl Registration {
    /// Whether the registrar keeps that flow (RFC 5626), so that STUN is answered over UDP, and its Flow-Timer.
    pub const fn keeps_flow(&self) -> Option<Option<Duration>> {
        match self.outbound {
            Outbound::Granted(timer) => Some(timer),
            Outbound::Offered | Outbound::Refused => None,
        }
    }

    /// Behind an address translator others reach us by the address that the registrar sees, so that is our contact: told at
    /// once. Where the registrar keeps the flow, it needs no address.
    pub(super) fn learn(&mut self, stack: &mut Stack, response: &Response, flow: Flow) {
        let seen = if self.keeps_flow().is_some() { None } else { answer::seen_as(response) };
        if stack.set_seen_as(flow, seen) && self.detour() {
            self.phase = Phase::Registering { request: self.send(stack, self.expires) };
        }
    }

    pub(super) fn clear_away(&mut self, stack: &mut Stack, stale: Vec<NameAddr>) {
        for contact in stale {
            let mut request = self.request(stack, Duration::ZERO);
            request.headers.set("Contact", format!("<{}>;expires=0", contact.uri));
            self.post(stack, request, None);
        }
    }
}

impl Outbound {
    /// RFC 5626 §6: a registrar that keeps the flow says so.
    pub(super) fn after(self, response: &Response) -> Self {
        let is_granted = response.headers.tokens("Require").iter().any(|tag| tag.eq_ignore_ascii_case("outbound"));
        let timer = response.headers.number("Flow-Timer").filter(|seconds| *seconds > 0);
        match (self, is_granted) {
            (Self::Refused, _) => Self::Refused,
            (_, true) => Self::Granted(timer.map(|seconds| Duration::from_secs(seconds.into()))),
            (_, false) => Self::Offered,
        }
    }
}
