//! When a relay that had lent a call an address, and broke off, is asked for another.

use crate::media::{
    engine::{
        relay::{RelayLink, RelayServer},
        session::unit,
    },
    ice::RelayAccess,
};
use mio::{Registry, Token};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// So long at most it is left alone first, and twice as long each time up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// One that has lent an address for so long begins with the first wait again.
const STEADY: Duration = Duration::from_secs(60);

/// Asks the same server.
pub(super) struct Renewal {
    server: RelayServer,
    /// Of which kind addresses are to be.
    is_ipv6: bool,
    /// Of its streams.
    way: (Arc<Registry>, Token),
    /// The last wait; `None` where it never broke off.
    wait: Option<Duration>,
    due_at: Option<Instant>,
}

impl Renewal {
    pub(super) const fn new(server: RelayServer, is_ipv6: bool, way: (Arc<Registry>, Token)) -> Self {
        Self { server, is_ipv6, way, wait: None, due_at: None }
    }

    pub(super) fn name(&self) -> &str {
        &self.server.name
    }

    pub(super) fn exchange_access(&mut self, access: RelayAccess) {
        self.server.access = access;
    }

    /// # Errors
    /// A clause: no stream to it can be opened.
    pub(super) fn open(&self, now: Instant) -> Result<RelayLink, String> {
        RelayLink::open(now, self.server.clone(), self.is_ipv6, (&self.way.0, self.way.1))
    }

    /// It has broken off, having lent us an address since `lent_at`. One that never did is of no use to this call.
    pub(super) fn fails(&mut self, now: Instant, lent_at: Option<Instant>) {
        let wait = match (self.wait, lent_at) {
            (None, None) => return,
            (None, Some(_)) => FIRST_WAIT,
            (Some(_), Some(at)) if now.saturating_duration_since(at) >= STEADY => FIRST_WAIT,
            (Some(wait), _) => (2 * wait).min(LONGEST_WAIT),
        };
        // A server that has been started anew is not asked by everybody at once.
        (self.wait, self.due_at) = (Some(wait), Some(now + wait.mul_f64(f64::midpoint(1.0, unit()))));
    }

    /// Whether it is to be asked now; told once.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.due_at.take_if(|at| *at <= now).is_some()
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.due_at
    }

    /// Whether it has ever broken off.
    pub(super) const fn has_begun(&self) -> bool {
        self.wait.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{media::engine::Carrier, secret::Secret};

    #[test]
    fn it_is_asked_again_after_ever_longer_waits_and_never_where_it_was_of_no_use() {
        let registry = Arc::new(mio::Poll::new().unwrap().registry().try_clone().unwrap());
        let access = RelayAccess { username: String::new(), password: Secret::default() };
        let address = "192.0.2.3:3478".parse().unwrap();
        let server = RelayServer { name: "turn:relay.test".into(), address, carrier: Carrier::Udp, access };
        let (mut renewal, mut now) = (Renewal::new(server, false, (registry, Token(2))), Instant::now());
        renewal.fails(now, None);
        assert_eq!((renewal.poll_timeout(), renewal.has_begun()), (None, false));
        let mut lent_at = Some(now);
        for longest in [1, 2, 4, 8, 15, 15] {
            renewal.fails(now, lent_at.take());
            let at = renewal.poll_timeout().unwrap();
            let waited = at - now;
            assert!(!renewal.is_due(now) && renewal.is_due(at) && !renewal.is_due(at), "once");
            assert!(waited <= Duration::from_secs(longest) && 2 * waited >= Duration::from_secs(longest), "{waited:?}");
            now = at;
        }
        // One that breaks off at once is asked ever less, one that has held is asked soon.
        renewal.fails(now, Some(now));
        assert!(renewal.poll_timeout().unwrap() - now > Duration::from_secs(7));
        renewal.fails(now, now.checked_sub(STEADY));
        assert!(renewal.poll_timeout().unwrap() - now <= FIRST_WAIT);
    }
}
