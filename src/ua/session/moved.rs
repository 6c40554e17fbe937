//! Our address has changed in a call: audio ports there, and a re-INVITE that tells the peer (RFC 3261 §14.1, RFC 3264 §8).

use super::{Phase, Session};
use crate::{
    sip::flow::Flow,
    ua::{api::Output, stack::Stack},
};
use std::net::SocketAddr;

impl Session {
    /// A call that is not answered yet is told nothing: it was offered the address that is gone, and ends by its timers, or is
    /// answered and moves then.
    pub fn moved(&mut self, stack: &mut Stack) {
        if let Phase::Established(established) = &self.phase {
            stack.resolve(self.id, established.dialog.next_hop(), self.account.transport);
        }
    }

    /// Which of our addresses is the right one depends on whom we talk to.
    pub(super) fn way_from_here(&self, stack: &mut Stack, flows: Result<Vec<Flow>, String>) {
        // Without a way the call stays as it is; another change of the network tries again.
        if let Some(flow) = flows.ok().and_then(|flows| flows.first().copied()) {
            stack.emit(Output::OpenMedia { call: self.id, remote: flow.remote });
        }
    }

    pub(super) fn audio_moved(&mut self, stack: &mut Stack, opened: Result<SocketAddr, String>) {
        if opened.is_ok() {
            self.refresh_by_reinvite(stack);
        }
    }
}
