//! The way out: calls are ended, then the registration, then the session at the TMS, and none of it may take long.

use super::Shell;
use crate::ua::api::Command;
use std::time::{Duration, Instant};

/// Hanging up and un-registering may take so long, all of quitting (architecture: two seconds) a little longer.
const FAREWELL: Duration = Duration::from_millis(1200);
const SIGN_OUT: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// The user agent hangs up and un-registers.
    Leaving {
        until: Instant,
    },
    SigningOut {
        until: Instant,
    },
    Done,
}

impl Phase {
    /// When the next one begins, whatever is still open.
    pub(super) const fn until(self) -> Option<Instant> {
        match self {
            Self::Leaving { until } | Self::SigningOut { until } => Some(until),
            Self::Running | Self::Done => None,
        }
    }
}

impl Shell {
    pub(super) fn quit(&mut self, now: Instant) {
        if self.phase == Phase::Running {
            self.phase = Phase::Leaving { until: now + FAREWELL };
            self.agent.handle_command(now, Command::Shutdown);
        }
    }

    /// The way out: SIP first, for signing out revokes the credential that un-registering needs.
    pub(super) fn advance_shutdown(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Leaving { until } if until <= now) {
            self.sign_out_and_stop(now);
        }
        if let Phase::SigningOut { until } = self.phase
            && (until <= now || self.session.is_quiet())
        {
            self.phase = Phase::Done;
        }
    }

    pub(super) fn sign_out_and_stop(&mut self, now: Instant) {
        self.phase = Phase::SigningOut { until: now + SIGN_OUT };
        self.session.quit();
        self.drain(now);
    }
}
