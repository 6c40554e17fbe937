//! What the call is called on the wire.

use super::{Phase, Session};
use crate::sip::dialog::Dialog;

impl Session {
    /// The dialog, once it is answered and until it has ended.
    pub fn dialog(&self) -> Option<&Dialog> {
        match &self.phase {
            Phase::Established(established) => Some(&established.dialog),
            _ => None,
        }
    }

    /// Its Call-ID (RFC 3261 §20.8), until it has ended.
    pub fn call_id(&self) -> Option<&str> {
        match &self.phase {
            Phase::Calling(calling) => Some(&calling.attempt.call_id),
            Phase::Inviting(inviting) => Some(&inviting.attempt.call_id),
            Phase::Ringing(ringing) | Phase::Answering(ringing) => Some(&ringing.dialog.id().call_id),
            Phase::Established(established) => Some(&established.dialog.id().call_id),
            Phase::Ended => None,
        }
    }
}
