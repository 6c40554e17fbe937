//! One request to the relay until it is answered (RFC 8489 §6.2), and what its refusals mean.

use crate::stun::{Class, Message, TransactionId};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// How long the first answer may take before the question is sent again; twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// RFC 8489 §6.2.1, Rc.
const MOST_TIMES: u8 = 7;
/// Of a farewell, which nobody waits for: less than a second and a half.
const MOST_FAREWELLS: u8 = 3;
/// How often one request is repeated with a new nonce.
pub(super) const MOST_STALE: u8 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Allocate,
    Refresh,
    /// Gives the address back.
    Release,
    Permit(IpAddr),
    /// The channel of this number.
    Bind(usize),
}

pub(super) struct Request {
    pub(super) what: What,
    transaction: TransactionId,
    octets: Vec<u8>,
    pub(super) is_signed: bool,
    /// Times it was repeated with another nonce.
    pub(super) stale: u8,
    times: u8,
    wait: Duration,
    /// When it is sent again, or given up.
    pub(super) at: Instant,
}

impl Request {
    pub(super) fn new(
        now: Instant,
        what: What,
        transaction: TransactionId,
        octets: Vec<u8>,
        (is_signed, stale): (bool, u8),
    ) -> Self {
        Self { what, transaction, octets, is_signed, stale, times: 1, wait: FIRST_WAIT, at: now + FIRST_WAIT }
    }

    pub(super) fn is_answered_by(&self, message: &Message<'_>) -> bool {
        matches!(message.class, Class::Success | Class::Error) && message.transaction == self.transaction
    }

    pub(super) const fn is_over(&self) -> bool {
        self.times >= if matches!(self.what, What::Release) { MOST_FAREWELLS } else { MOST_TIMES }
    }

    /// What is to be sent now; over a stream nothing, which only lets time pass.
    pub(super) fn again(&mut self, now: Instant, is_reliable: bool) -> Option<Vec<u8>> {
        self.times += 1;
        self.wait *= 2;
        self.at = now + self.wait;
        (!is_reliable).then(|| self.octets.clone())
    }
}

/// A clause; `None`: a refusal without a code (RFC 8656 §19).
pub(super) fn why(code: Option<u16>) -> String {
    match code {
        Some(300) => "it sends us to another relay (300); name that one".to_owned(),
        Some(403) => "it does not allow it (403); ask whoever runs it".to_owned(),
        Some(437) => "it has forgotten us (437)".to_owned(),
        Some(440) => "it has no address of the family that the call needs, IPv4 or IPv6 (440)".to_owned(),
        Some(441) => "it knows the address by another user name (441)".to_owned(),
        Some(486) => "this user name has as many addresses there as it may have (486)".to_owned(),
        Some(508) => "it has no address left (508)".to_owned(),
        Some(code) => format!("it refuses with {code}; ask whoever runs it"),
        None => "it refuses without saying why; ask whoever runs it".to_owned(),
    }
}
