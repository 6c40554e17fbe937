//! How a session's packets are protected, whatever its keys come from: [`Shield`] seals and opens, and runs the handshake of
//! DTLS-SRTP beside the audio (RFC 5763, RFC 5764), an [`Association`] of our [`DtlsIdentity`] with the peer's. No sockets, no
//! clock; randomness is the cryptographic library's own.

mod association;
mod identity;
mod shield;

pub use association::{Association, HandshakeError};
pub use identity::{DtlsIdentity, IdentityError};
pub use shield::{Outcome, Shield};

/// What a datagram on a media socket is, by its first octet (RFC 7983 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Stun,
    Dtls,
    /// RTP or RTCP.
    Media,
    Other,
}

impl Kind {
    pub fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0..=3) => Self::Stun,
            Some(20..=63) => Self::Dtls,
            Some(128..=191) => Self::Media,
            _ => Self::Other,
        }
    }
}
