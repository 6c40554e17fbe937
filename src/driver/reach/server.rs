//! A server that calls ask: looked up by its name, again where that fails, and anew in every other network.

use std::time::{Duration, Instant};

/// After a look-up that has failed; twice as long each time.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// `N` says which server it is, `A` where.
#[derive(Debug)]
pub(super) struct Server<N, A> {
    name: Option<N>,
    /// The one that serves: this one, or another until this one is found.
    known: Option<(N, A)>,
    failures: u32,
    retry_at: Option<Instant>,
}

impl<N: Clone, A> Server<N, A> {
    pub(super) const fn of(name: Option<N>) -> Self {
        Self { name, known: None, failures: 0, retry_at: None }
    }

    /// `is_same`: at the same place, whatever else is said of it. Returns whether another one is to be looked up.
    pub(super) fn rename(&mut self, name: Option<N>, is_same: impl Fn(&N, &N) -> bool) -> bool {
        let is_there = |known: &N| name.as_ref().is_some_and(|name| is_same(known, name));
        let stays = self.name.as_ref().map_or(name.is_none(), is_there);
        match (&mut self.known, &name) {
            (Some((known, _)), Some(name)) if is_same(known, name) => known.clone_from(name),
            (known, None) => *known = None,
            _ => {}
        }
        self.name = name;
        !stays
    }

    /// The name of one that is being looked up from now on.
    pub(super) fn begin(&mut self) -> Option<N> {
        (self.failures, self.retry_at) = (0, None);
        self.name.clone()
    }

    /// What a look-up has come to. Returns why it has failed, the first time.
    pub(super) fn found(&mut self, now: Instant, result: Result<A, String>) -> Option<String> {
        match result {
            Ok(at) => {
                self.known = self.begin().map(|name| (name, at));
                None
            }
            Err(why) => {
                let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(10)).min(LONGEST_RETRY);
                self.retry_at = Some(now + wait);
                self.failures += 1;
                (self.failures == 1).then_some(why)
            }
        }
    }

    /// The name of one that is to be looked up again now; told once.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<N> {
        self.retry_at.take_if(|at| *at <= now)?;
        self.name.clone()
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.retry_at
    }

    pub(super) const fn known(&self) -> Option<&(N, A)> {
        self.known.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_found_is_looked_up_ever_more_slowly() {
        let (mut server, mut now) = (Server::of(Some("a")), Instant::now());
        for round in 0..2 {
            assert_eq!((server.begin(), server.poll_timeout()), (Some("a"), None));
            for (n, seconds) in [2, 4, 8, 16, 32, 60, 60].into_iter().enumerate() {
                assert_eq!(server.found(now, Err("lost".into())).is_some(), n == 0, "said once");
                let at = server.poll_timeout().expect("another try");
                assert_eq!(at - now, Duration::from_secs(seconds), "{round}");
                assert_eq!(server.take_due(at - Duration::from_millis(1)), None);
                assert_eq!((server.take_due(at), server.take_due(at)), (Some("a"), None));
                now = at;
            }
            assert_eq!(server.found(now, Ok(7)), None);
            assert_eq!((server.known(), server.poll_timeout()), (Some(&("a", 7)), None));
            // Elsewhere it may be at another place.
        }
        assert_eq!(server.begin(), Some("a"));
        server.found(now, Err("lost".into()));
        assert_eq!(server.known(), Some(&("a", 7)), "better than none");
    }

    #[test]
    fn the_one_before_serves_until_another_is_found() {
        let is_same = |one: &&str, other: &&str| one[..1] == other[..1];
        let (mut server, now) = (Server::of(None), Instant::now());
        assert!(!server.rename(None, is_same) && server.begin().is_none());
        assert!(server.rename(Some("a1"), is_same) && server.known().is_none());
        server.found(now, Ok(1));
        assert!(!server.rename(Some("a2"), is_same));
        assert_eq!(server.known(), Some(&("a2", 1)), "the password of today");
        assert!(server.rename(Some("b1"), is_same));
        server.found(now, Err("lost".into()));
        assert!(!server.rename(Some("b2"), is_same) && server.poll_timeout().is_some());
        assert_eq!(server.known(), Some(&("a2", 1)));
        server.found(now, Ok(2));
        assert_eq!(server.known(), Some(&("b2", 2)));
        assert!(server.rename(None, is_same) && server.known().is_none());
    }
}
