//! The long-term mechanism (RFC 8489 §9.2), as TURN uses it: the first request asks for realm and nonce, the others are signed.

use super::RelayAccess;
use crate::stun::{Builder, Message, attribute};
use md5::{Digest, Md5};

/// The most octets of a realm or a nonce (RFC 8489 §14.9, §14.10).
const LONGEST: usize = 763;

/// What the relay wants signed, and by which key.
pub(super) struct Challenge {
    realm: Vec<u8>,
    nonce: Vec<u8>,
    pub(super) key: [u8; 16],
}

impl Challenge {
    pub(super) fn of(refusal: &Message<'_>, access: &RelayAccess) -> Option<Self> {
        let value = |kind| refusal.attribute(kind).filter(|value| value.len() <= LONGEST).map(<[u8]>::to_vec);
        let (realm, nonce) = (value(attribute::REALM)?, value(attribute::NONCE)?);
        let parts = [access.username.as_bytes(), b":", &realm, b":", access.password.0.as_bytes()];
        let key = Md5::digest(parts.concat()).into();
        Some(Self { realm, nonce, key })
    }

    pub(super) fn sign(&self, access: &RelayAccess, message: Builder) -> Vec<u8> {
        let named = message.put(attribute::USERNAME, access.username.as_bytes());
        named.put(attribute::REALM, &self.realm).put(attribute::NONCE, &self.nonce).sign(&self.key)
    }
}
