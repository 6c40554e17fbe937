//! Whether the peer agrees to be sent to, which its answers to our checks say (RFC 7675 §5.1).

use super::Report;
use std::time::{Duration, Instant};

/// How often it is told of, since nobody may be there to act on it.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Consent {
    /// The way that was checked is not to be used any more.
    pub lost: bool,
    /// When that was told last.
    told: Option<Instant>,
    /// The peer has answered our checks and does not any more, be they others by now.
    unanswered: bool,
}

impl Consent {
    pub const fn give(&mut self) {
        (self.lost, self.unanswered) = (false, false);
    }

    pub const fn lose(&mut self) {
        (self.lost, self.unanswered) = (true, true);
    }

    /// There are other checks, or none any more.
    pub const fn begin_anew(&mut self, has_checks: bool) {
        (self.lost, self.unanswered) = (false, self.unanswered && has_checks);
    }

    pub const fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    pub fn tell(&mut self, now: Instant, connected: bool, report: &mut impl FnMut(Report)) {
        if !self.lost {
            self.told = None;
        } else if connected && self.told.is_none_or(|at| at + TELL_AGAIN <= now) {
            report(Report::ConsentLost { again: self.told.is_some() });
            self.told = Some(now);
        }
    }
}
