//! How a call's audio is protected. Keys that a handshake beside the audio makes (RFC 5763) count once it has taken place; where
//! it fails, the call ends: nobody would hear anything.

use super::{End, Phase, Session};
use crate::{
    media::plan::{DtlsPlan, KeyExchange, MediaPlan, Srtp},
    sip::{
        flow::{Flow, Transport},
        sdp::trickle,
    },
    ua::{
        api::{EndedBy, Output},
        stack::Stack,
    },
};
use std::time::Instant;

impl Session {
    /// The handshake that `plan` asked for is done, or has failed: a sentence. It says nothing of the plan that holds where that is
    /// another by now.
    pub fn handle_keys_agreed(&mut self, now: Instant, stack: &mut Stack, plan: &DtlsPlan, result: Result<(), String>) {
        let holds = self.media.plan.as_ref().and_then(|plan| plan.srtp.as_ref());
        if !matches!(holds, Some(KeyExchange::Dtls(holds)) if holds == plan) {
            return;
        }
        match result {
            Ok(()) => {
                self.media.keyed = true;
                self.report(stack);
            }
            Err(why) => match self.phase {
                Phase::Inviting(_) | Phase::Established(_) => {
                    self.close(now, stack, End::new(EndedBy::Network, None, why));
                }
                Phase::Calling(_) | Phase::Ringing(_) | Phase::Answering(_) | Phase::Ended => {}
            },
        }
    }

    pub(super) fn protection(&self) -> Srtp {
        let in_the_open = self.media.in_the_open;
        match self.media.plan.as_ref().and_then(|plan| plan.srtp.as_ref()) {
            Some(KeyExchange::Sdes(_)) => Srtp::Sdes { in_the_open },
            Some(KeyExchange::Dtls(_)) if self.media.keyed => Srtp::Dtls { in_the_open },
            Some(KeyExchange::Dtls(_)) | None => Srtp::Off,
        }
    }

    /// A message with this body took that way.
    pub(super) const fn described(&mut self, body: &[u8], flow: Flow) {
        self.media.in_the_open |= !body.is_empty() && !matches!(flow.transport, Transport::Tls);
    }

    /// More of the peer's candidates have come (RFC 8838). Those of other checks replace none that are of use.
    pub(super) fn trickled(&mut self, stack: &mut Stack, fragment: &[u8]) {
        let checks = self.media.plan.as_ref().and_then(|plan| plan.ice.as_deref());
        if checks.is_some_and(|checks| !trickle::is_of(fragment, checks)) {
            return;
        }
        self.media.trickled = fragment.to_vec();
        if let Some(plan) = self.media.plan.clone() {
            self.agree(stack, plan);
        }
    }

    pub(super) fn agree(&mut self, stack: &mut Stack, mut plan: MediaPlan) {
        if let Some(ice) = &mut plan.ice {
            trickle::trickled(&self.media.trickled, ice);
        }
        if self.media.plan.as_ref() != Some(&plan) {
            // The media engine keeps a handshake as long as nothing about it changes.
            self.media.keyed &= self.media.plan.as_ref().is_some_and(|before| before.srtp == plan.srtp);
            self.media.plan = Some(plan.clone());
            stack.emit(Output::Media { call: self.id, plan });
        }
    }
}
