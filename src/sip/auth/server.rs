//! The server: asks, and checks what comes back. A nonce carries its time and its seal, so that asking costs no memory;
//! only a nonce that was used with the right password is remembered, for its count.

use super::{Asker, Authorization, Challenge};
use crate::sip::{
    digest::{self, Algorithm, Ha1, Qop},
    entropy::Entropy,
    msg::{Request, Response},
};
use sha2::{Digest as _, Sha256};
use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

/// Nonces remembered for their count; beyond this all are forgotten, and whoever uses one is asked again.
const MAX_NONCES: usize = 32_768;

/// What takes longer was no round trip: a person typed the password.
const LONGEST_ROUND_TRIP: Duration = Duration::from_secs(5);

/// Asks for credentials and checks them.
pub struct ServerAuth {
    algorithms: Vec<Algorithm>,
    lifetime: Duration,
    /// Nonces count time from here.
    epoch: Instant,
    /// Nonces issued before are stale.
    not_before: Instant,
    key: [u8; 32],
    issued: u64,
    /// The highest count seen, and when the nonce was issued.
    counts: HashMap<String, (u32, Instant)>,
}

impl fmt::Debug for ServerAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerAuth").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

/// Credentials that came with a request, read but not checked: look up this user's key, then [`ServerAuth::verify`].
#[derive(Clone)]
pub struct Pending(Authorization);

impl Pending {
    /// Whose key is needed.
    pub fn username(&self) -> &str {
        &self.0.username
    }

    /// With which algorithm's hash.
    pub fn algorithm(&self) -> Algorithm {
        self.0.algorithm
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pending").field(&self.0.username).finish()
    }
}

/// Whether credentials are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// Right, but the nonce has expired or its count was seen before: ask again with `stale`.
    Stale,
    /// Wrong.
    Refused,
}

impl ServerAuth {
    /// Offers these algorithms, in this order (RFC 8760 §2.3: the preferred first); a nonce is good for `lifetime`.
    pub fn new(now: Instant, algorithms: Vec<Algorithm>, lifetime: Duration, entropy: &mut Entropy) -> Self {
        let mut key = [0; 32];
        for chunk in key.chunks_exact_mut(8) {
            chunk.copy_from_slice(&entropy.u64().to_be_bytes());
        }
        Self { algorithms, lifetime, epoch: now, not_before: now, key, issued: 0, counts: HashMap::new() }
    }

    /// The 401 or 407 to a request, with one challenge for each algorithm.
    pub fn challenge(
        &mut self,
        now: Instant,
        request: &Request,
        asker: Asker,
        realm: &str,
        stale: bool,
        to_tag: Option<&str>,
    ) -> Response {
        let mut response = Response::to(request, asker.code(), to_tag);
        self.issued += 1;
        let nonce = self.nonce(now, self.issued, realm);
        for &algorithm in &self.algorithms {
            let challenge = Challenge {
                realm: realm.to_owned(),
                nonce: nonce.clone(),
                algorithm,
                qop: vec![Qop::Auth],
                stale,
                opaque: None,
                domain: None,
            };
            response.headers.push(asker.challenge_header(), challenge.to_string());
        }
        response
    }

    /// The credentials for a realm that a request carries. `None`: none that can be checked, so ask.
    pub fn credentials(&self, request: &Request, asker: Asker, realm: &str) -> Option<Pending> {
        Authorization::read(&request.headers, asker, realm)
            .filter(|credentials| self.algorithms.contains(&credentials.algorithm))
            .map(Pending)
    }

    /// Checks credentials against the user's key, which must be of [`Pending::algorithm`]'s hash. A user who does not
    /// exist has none: `None` is refused, in about the time that a wrong password takes.
    pub fn verify(&mut self, now: Instant, request: &Request, pending: &Pending, ha1: Option<&Ha1>) -> Verdict {
        let Pending(credentials) = pending;
        let nobody = Ha1::from_hex("");
        let expected = credentials.expected(ha1.unwrap_or(&nobody), request);
        if !same(expected.as_bytes(), credentials.response.as_bytes()) || ha1.is_none() {
            return Verdict::Refused;
        }
        let Some(issued) = self.issued_at(&credentials.nonce, &credentials.realm) else { return Verdict::Stale };
        if issued < self.not_before || now.saturating_duration_since(issued) > self.lifetime {
            return Verdict::Stale;
        }
        // Without a count a nonce is good once.
        let count = credentials.nonce_count().unwrap_or(u32::MAX);
        match self.counts.get_mut(&credentials.nonce) {
            Some((seen, _)) if count <= *seen => return Verdict::Stale,
            Some((seen, _)) => *seen = count,
            None => self.remember(now, credentials.nonce.clone(), count, issued),
        }
        Verdict::Accepted
    }

    /// How long it took to answer the challenge, where these credentials are the first that do: whoever reads them has sent it
    /// and has waited for it. `None` where a nonce is used again, or was kept for later.
    pub fn round_trip(&self, now: Instant, pending: &Pending) -> Option<Duration> {
        let Pending(credentials) = pending;
        let first = credentials.nonce_count().is_none_or(|count| count == 1);
        let issued = self.issued_at(&credentials.nonce, &credentials.realm).filter(|_| first)?;
        now.checked_duration_since(issued).filter(|took| *took <= LONGEST_ROUND_TRIP)
    }

    fn remember(&mut self, now: Instant, nonce: String, count: u32, issued: Instant) {
        if self.counts.len() >= MAX_NONCES {
            self.counts.retain(|_, (_, issued)| now.saturating_duration_since(*issued) <= self.lifetime);
        }
        if self.counts.len() >= MAX_NONCES {
            // A count forgotten must not start anew: all nonces so far die with it.
            self.counts.clear();
            self.not_before = now;
        }
        self.counts.insert(nonce, (count, issued));
    }

    /// Time, a serial number, and a seal over both and the realm, in hexadecimal.
    fn nonce(&self, now: Instant, serial: u64, realm: &str) -> String {
        let millis = now.saturating_duration_since(self.epoch).as_millis() as u64;
        let stamp = [millis.to_be_bytes(), serial.to_be_bytes()].concat();
        format!("{}{}", digest::hex(&stamp), self.seal(&stamp, realm))
    }

    /// When a nonce of ours was issued; `None` for any other.
    fn issued_at(&self, nonce: &str, realm: &str) -> Option<Instant> {
        let (stamp, seal) = nonce.split_at_checked(32)?;
        let number = |digits: &str| u64::from_str_radix(digits, 16).ok();
        let (millis, serial) = stamp.split_at_checked(16)?;
        let (millis, serial) = (number(millis)?, number(serial)?);
        let sealed = self.seal(&[millis.to_be_bytes(), serial.to_be_bytes()].concat(), realm);
        if !same(sealed.as_bytes(), seal.as_bytes()) {
            return None;
        }
        self.epoch.checked_add(Duration::from_millis(millis))
    }

    fn seal(&self, stamp: &[u8], realm: &str) -> String {
        let hash = Sha256::new().chain_update(self.key).chain_update(stamp).chain_update(realm).chain_update(self.key);
        digest::hex(&hash.finalize()[..16])
    }
}

/// Equality whose duration tells nothing of where the difference is.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
