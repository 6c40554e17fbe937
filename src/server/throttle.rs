//! Failed attempts to sign in, counted per address ([`network`]) and per address with login, in bounded memory.
//!
//! A login by itself is not counted: whoever knows its name could lock its owner out. The owner's own address is another
//! than the attacker's, and every attempt from anywhere waits for one of two argon2 computations.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Mutex,
};

use jiff::Timestamp;

/// Failures forgiven within [`WINDOW_S`] for one login at one address.
pub const PER_LOGIN: usize = 10;
/// Failures forgiven within [`WINDOW_S`] for one address, whatever the login; an office shares one.
pub const PER_ADDRESS: usize = 60;
/// A failure is forgotten after this many seconds.
pub const WINDOW_S: i64 = 300;
/// Names and addresses remembered at most; beyond it the longest idle is forgotten.
const REMEMBERED: usize = 10_000;

/// A lock is right here: held for a map look-up, never across an await.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<HashMap<Who, Vec<i64>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Address(IpAddr),
    Login(IpAddr, String),
}

/// An attempt under way. For its login it counts as failed until it is [`Throttle::forgive`]n, so that parallel guesses
/// count too; for its address only once it has [`Throttle::failed`], for a whole office may sign in at the same minute.
#[derive(Debug)]
pub struct Attempt {
    at: i64,
    who: [Who; 2],
}

impl Throttle {
    /// Begins an attempt. `Err`: too many failed; seconds until the next makes sense.
    pub fn attempt(&self, address: IpAddr, login: &str, now: Timestamp) -> Result<Attempt, u64> {
        let now = now.as_second();
        let network = network(address);
        let who = [Who::Address(network), Who::Login(network, login.chars().take(100).collect())];
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (one, most) in who.iter().zip([PER_ADDRESS, PER_LOGIN]) {
            let Some(times) = failures.get_mut(one) else { continue };
            times.retain(|t| now - t < WINDOW_S);
            if times.len() >= most {
                return Err(u64::try_from(times[0] + WINDOW_S - now).unwrap_or(0).max(1));
            }
        }
        count(&mut failures, &who[1], now);
        Ok(Attempt { at: now, who })
    }

    /// A failure that took no time, and where the right secret is too long to be guessed: who has it is never kept waiting.
    /// `Err`: too many failed; seconds until the next makes sense.
    pub fn failure(&self, address: IpAddr, what: &str, now: Timestamp) -> Result<(), u64> {
        self.attempt(address, what, now).map(|attempt| self.failed(&attempt))
    }

    /// The attempt failed.
    pub fn failed(&self, attempt: &Attempt) {
        let mut failures = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        count(&mut failures, &attempt.who[0], attempt.at);
    }

    /// The attempt succeeded: the login's earlier failures from here are forgotten with it.
    pub fn forgive(&self, attempt: &Attempt) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&attempt.who[1]);
    }
}

/// What counts as one caller: of IPv6 the first 64 bits, for whoever has one such address has them all (RFC 4291 §2.5.1); an IPv4
/// address that is written as one of IPv6 is itself.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

fn count(failures: &mut HashMap<Who, Vec<i64>>, who: &Who, at: i64) {
    make_room(failures, who);
    let times = failures.entry(who.clone()).or_default();
    // What was under way when the limit was reached may still fail; more than the limit need not be remembered.
    if times.len() < PER_ADDRESS {
        times.push(at);
    }
}

fn make_room(failures: &mut HashMap<Who, Vec<i64>>, newcomer: &Who) {
    if failures.len() < REMEMBERED || failures.contains_key(newcomer) {
        return;
    }
    // Rare, and linear: the half that has been idle longest goes, so that it stays rare under a flood.
    let mut last: Vec<i64> = failures.values().filter_map(|t| t.last().copied()).collect();
    last.sort_unstable();
    let middle = last.get(last.len() / 2).copied().unwrap_or(i64::MAX);
    failures.retain(|_, t| t.last().is_some_and(|t| *t > middle));
    if failures.len() >= REMEMBERED {
        failures.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).expect("in range")
    }

    #[test]
    fn a_login_is_blocked_at_one_address_and_told_when_to_return() {
        let throttle = Throttle::default();
        for i in 0..PER_LOGIN {
            assert!(throttle.attempt(HERE, "a", at(i as i64)).is_ok());
        }
        assert_eq!(throttle.attempt(HERE, "a", at(20)).expect_err("blocked"), 280);
        assert!(throttle.attempt(THERE, "a", at(20)).is_ok(), "its owner elsewhere is not locked out");
        assert!(throttle.attempt(HERE, "b", at(20)).is_ok());
        assert!(throttle.attempt(HERE, "a", at(WINDOW_S)).is_ok(), "the first failure is forgotten");
    }

    #[test]
    fn an_address_is_blocked_whatever_the_login() {
        let throttle = Throttle::default();
        for i in 0..PER_ADDRESS {
            let attempt = throttle.attempt(HERE, &format!("user{i}"), at(0)).expect("not blocked yet");
            throttle.failed(&attempt);
        }
        assert_eq!(throttle.attempt(HERE, "another", at(1)).expect_err("blocked"), 299);
    }

    #[test]
    fn who_has_a_network_has_one_place_in_the_count() {
        let throttle = Throttle::default();
        let address = |network: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host]);
        for host in 0..PER_LOGIN as u16 {
            assert!(throttle.attempt(address(1, host), "a", at(0)).is_ok());
        }
        assert!(
            throttle.attempt(address(1, 999), "a", at(0)).is_err(),
            "each of 2^64 addresses has a count of its own"
        );
        assert!(throttle.attempt(address(2, 1), "a", at(0)).is_ok(), "the neighbour is not locked out");
        assert_eq!(network("::ffff:10.0.0.1".parse().expect("an address")), HERE);
    }

    #[test]
    fn an_office_may_sign_in_at_the_same_minute() {
        let throttle = Throttle::default();
        let attempts: Vec<_> =
            (0..500).map(|i| throttle.attempt(HERE, &format!("agent{i}"), at(0)).expect("never blocked")).collect();
        attempts.iter().for_each(|attempt| throttle.forgive(attempt));
    }

    #[test]
    fn success_does_not_count() {
        let throttle = Throttle::default();
        for _ in 0..1000 {
            let attempt = throttle.attempt(HERE, "a", at(0)).expect("never blocked");
            throttle.forgive(&attempt);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for i in 0..3 * REMEMBERED as u32 {
            let address = IpAddr::V4(std::net::Ipv4Addr::from(i));
            let attempt = throttle.attempt(address, "a", at(i64::from(i) / 100)).expect("a new address");
            throttle.failed(&attempt);
        }
        assert!(throttle.0.lock().expect("unpoisoned").len() <= REMEMBERED + 1);
    }
}
