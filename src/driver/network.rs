//! Notices that the network has changed, or that the machine has slept: once a second the shell says which of our addresses
//! leads to the server and what both clocks show.

use jiff::Timestamp;
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// How often to look.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// The calendar may be set by so much without its meaning a sleep.
const STEP: Duration = Duration::from_secs(3);
/// Without a network, calls are kept so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// There is no way to the server any more.
    Lost,
    /// There is one, from another address.
    Moved(IpAddr),
    /// There is one again, from the same address; or the machine was asleep, and who knows what became of the connections.
    Back(IpAddr),
}

/// What was seen last.
#[derive(Debug)]
struct Seen {
    at: Instant,
    wall: Timestamp,
    server: SocketAddr,
    /// Our address towards it, the last there was.
    local: Option<IpAddr>,
    lost_at: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Watch(Option<Seen>);

impl Watch {
    /// `local`: our address towards `server`, `None` where there is no way there.
    pub(super) fn observe(
        &mut self,
        now: Instant,
        wall: Timestamp,
        server: SocketAddr,
        local: Option<IpAddr>,
    ) -> Option<Change> {
        let first = Seen { at: now, wall, server, local, lost_at: local.is_none().then_some(now) };
        let Some(seen) = &mut self.0 else {
            self.0 = Some(first);
            return None;
        };
        // Another server may be seen from elsewhere, which is no change; but whoever has lost the network waits for it to lead
        // anywhere again, whichever server the next look-up names.
        if std::mem::replace(&mut seen.server, server) != server && seen.lost_at.is_none() {
            *seen = first;
            return None;
        }
        let passed = now.saturating_duration_since(seen.at);
        let slept = wall.duration_since(seen.wall).unsigned_abs() > passed + STEP && wall > seen.wall;
        (seen.at, seen.wall) = (now, wall);
        match local {
            None if seen.lost_at.is_some() => None,
            None => {
                seen.lost_at = Some(now);
                Some(Change::Lost)
            }
            Some(local) => {
                let (was_lost, moved) = (seen.lost_at.take().is_some(), seen.local != Some(local));
                seen.local = Some(local);
                match (moved, was_lost || slept) {
                    (true, _) => Some(Change::Moved(local)),
                    (false, true) => Some(Change::Back(local)),
                    (false, false) => None,
                }
            }
        }
    }

    /// Whether calls wait for the network to come back.
    pub(super) fn is_patient(&self, now: Instant) -> bool {
        self.0.as_ref().and_then(|seen| seen.lost_at).is_some_and(|at| now < at + PATIENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_told_once() {
        let (start, noon) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let server = SocketAddr::from(([10, 0, 0, 1], 5060));
        let (lan, vpn) = (IpAddr::from([10, 0, 0, 7]), IpAddr::from([172, 16, 0, 7]));
        let mut watch = Watch::default();
        // Seconds on the clock that stops in sleep, seconds on the calendar, our address, what is told.
        for (clock, calendar, local, told) in [
            (0, 0, None, None),
            (1, 1, Some(lan), Some(Change::Moved(lan))),
            (2, 2, Some(lan), None),
            (3, 3, Some(vpn), Some(Change::Moved(vpn))),
            (4, 4, Some(vpn), None),
            (5, 5, None, Some(Change::Lost)),
            (6, 6, None, None),
            (7, 7, Some(vpn), Some(Change::Back(vpn))),
            (8, 8, None, Some(Change::Lost)),
            (9, 9, Some(lan), Some(Change::Moved(lan))),
            // The lid was closed for an hour; then the calendar is set by seconds, forth and back.
            (10, 3610, Some(lan), Some(Change::Back(lan))),
            (11, 3613, Some(lan), None),
            (12, 3000, Some(lan), None),
            (13, 3001, Some(lan), None),
            (14, 9000, None, Some(Change::Lost)),
        ] {
            let (now, wall) = (start + Duration::from_secs(clock), noon + Duration::from_secs(calendar));
            assert_eq!(watch.observe(now, wall, server, local), told, "{clock}");
        }
        let lost_at = start + Duration::from_secs(14);
        assert!(watch.is_patient(lost_at) && !watch.is_patient(lost_at + PATIENCE));
        // A look-up meanwhile names another server, which cannot be reached either; that the network is back is noticed.
        let other = |n| SocketAddr::from(([10, 0, 0, n], 5060));
        let at = |s| (lost_at + Duration::from_secs(s), noon + Duration::from_secs(9000 + s));
        for (s, server, local, told) in [
            (1, other(2), None, None),
            (2, other(2), None, None),
            (3, other(2), Some(lan), Some(Change::Back(lan))),
            // Towards another server another address is no change.
            (4, SocketAddr::from(([127, 0, 0, 1], 5060)), Some([127, 0, 0, 1].into()), None),
            (5, other(2), Some(lan), None),
            (6, other(3), None, None),
            (7, other(4), None, None),
            (8, other(4), Some(lan), Some(Change::Moved(lan))),
        ] {
            let (now, wall) = at(s);
            assert_eq!(watch.observe(now, wall, server, local), told, "{s}");
        }
        assert!(!watch.is_patient(at(8).0));
    }
}
