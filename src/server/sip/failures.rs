//! Wrong passwords, remembered: after a few from one address for one user the answer comes from memory, without the store and
//! without a digest, until a minute has passed since the last.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    time::{Duration, Instant},
};

use crate::server::throttle::network;

/// Wrong passwords until the address is not heard any more for this user.
pub const ATTEMPTS: u32 = 5;
/// How long it is not heard, and how long a wrong password is remembered.
pub const MEMORY: Duration = Duration::from_secs(60);
/// Addresses and users remembered; beyond, the oldest are forgotten.
const MAX_REMEMBERED: usize = 10_000;
/// What of a user name is remembered.
const USER_CHARS: usize = 64;

type Key = (IpAddr, String);

/// Who sent wrong passwords lately.
#[derive(Debug, Default)]
pub struct Failures {
    counts: HashMap<Key, (u32, Instant)>,
    /// The same by their end.
    ends: BTreeSet<(Instant, Key)>,
}

impl Failures {
    /// Whether this address is not heard for this user at present; with how long that lasts.
    pub fn banned(&mut self, now: Instant, address: IpAddr, user: &str) -> Option<Duration> {
        self.forget(now);
        let (count, end) = self.counts.get(&key(address, user))?;
        (*count >= ATTEMPTS).then(|| end.saturating_duration_since(now))
    }

    /// A wrong password. Whether the address is not heard from now on.
    pub fn failed(&mut self, now: Instant, address: IpAddr, user: &str) -> bool {
        self.forget(now);
        let key = key(address, user);
        let count = match self.counts.remove(&key) {
            Some((count, end)) => {
                self.ends.remove(&(end, key.clone()));
                count + 1
            }
            None => 1,
        };
        if self.counts.len() >= MAX_REMEMBERED
            && let Some((_, oldest)) = self.ends.pop_first()
        {
            self.counts.remove(&oldest);
        }
        self.ends.insert((now + MEMORY, key.clone()));
        self.counts.insert(key, (count, now + MEMORY));
        count >= ATTEMPTS
    }

    /// The right password.
    pub fn passed(&mut self, address: IpAddr, user: &str) {
        let key = key(address, user);
        if let Some((_, end)) = self.counts.remove(&key) {
            self.ends.remove(&(end, key));
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((end, _)) = self.ends.first()
            && *end <= now
            && let Some((_, key)) = self.ends.pop_first()
        {
            self.counts.remove(&key);
        }
    }
}

fn key(address: IpAddr, user: &str) -> Key {
    (network(address), user.chars().take(USER_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn one_address_is_not_heard_for_one_user_until_a_minute_is_over() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for n in 1..=ATTEMPTS {
            assert_eq!(failures.banned(start, HERE, "100-acme"), None);
            assert_eq!(failures.failed(start, HERE, "100-acme"), n == ATTEMPTS);
        }
        assert_eq!(failures.banned(start, HERE, "100-acme"), Some(MEMORY));
        assert_eq!(failures.banned(start, HERE, "101-acme"), None, "another user of that address is heard");
        assert_eq!(failures.banned(start, [10, 0, 0, 1].into(), "100-acme"), None, "another address is heard");
        assert_eq!(failures.banned(start + MEMORY, HERE, "100-acme"), None);
        let v6 = |host: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, host]);
        for host in 0..ATTEMPTS as u16 {
            failures.failed(start + MEMORY, v6(host), "102-acme");
        }
        assert!(
            failures.banned(start + MEMORY, v6(99), "102-acme").is_some(),
            "a network's addresses count one by one"
        );
        failures.passed(v6(1), "102-acme");
        failures.failed(start + MEMORY, HERE, "100-acme");
        failures.passed(HERE, "100-acme");
        assert!(failures.counts.is_empty() && failures.ends.is_empty());
    }

    #[test]
    fn a_million_names_take_no_more_room_than_ten_thousand() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for n in 0..MAX_REMEMBERED + 100 {
            failures.failed(now + Duration::from_micros(n as u64), HERE, &format!("{n}"));
        }
        assert_eq!((failures.counts.len(), failures.ends.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
    }
}
