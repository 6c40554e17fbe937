//! Session descriptions (RFC 8866) and the offer/answer model (RFC 3264) for one audio stream.
//!
//! [`OfferAnswer`] is one session's side of the negotiation. It writes offers and answers, reads the peer's, and says what
//! was agreed as a [`MediaPlan`](crate::media::plan::MediaPlan); nothing else leaves this module.
//!
//! - [`format`]: payload types, their encodings and format parameters.
//! - [`security`]: what is offered and taken of encryption; [`crypto`]: its keys (RFC 4568), [`fingerprint`]: its handshake (RFC 5763).
//! - [`ice`]: ways through NATs (RFC 8839); [`trickle`]: those that come later (RFC 8840).
//! - [`reports`]: which of RTCP's extended reports are wanted (RFC 3611).
//! - [`remote`]: what the peer's description says about its audio.
//! - [`offer_answer`]: the state that must survive between exchanges: version, payload numbers, refused m= lines.

mod crypto;
mod fingerprint;
mod format;
mod ice;
mod offer_answer;
#[cfg(test)]
mod properties;
mod remote;
mod reports;
mod security;
pub mod trickle;

pub use ice::{LocalIce, Outside};
pub use offer_answer::{OfferAnswer, check_offer};
pub use security::LocalCrypto;

/// Why a description cannot be used; each reads as the end of a sentence to a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("the session description cannot be read: {0}")]
    Malformed(String),
    #[error("no audio is offered")]
    NoAudio,
    #[error("the peer accepts only encrypted audio, and encryption is switched off here")]
    EncryptedOnly,
    #[error("the peer takes unencrypted audio only, and encryption is required here")]
    PlainOnly,
    #[error("there is no encryption of audio that both sides know")]
    NoCommonCrypto,
    #[error("there is no audio codec that both sides know")]
    NoCommonCodec,
    #[error("the audio address “{0}” cannot be used")]
    Address(String),
    #[error("the peer refused the audio")]
    Refused,
    #[error("an answer came where none was asked for")]
    NoOffer,
    #[error("our offer was not answered")]
    NoAnswer,
}

impl SdpError {
    /// `Warning` code of a 488 (RFC 3261 §20.43).
    pub const fn warning_code(&self) -> u16 {
        match self {
            Self::NoAudio => 304,
            Self::EncryptedOnly | Self::PlainOnly | Self::NoCommonCrypto => 302,
            Self::NoCommonCodec => 305,
            Self::Address(_) => 301,
            Self::Malformed(_) | Self::Refused | Self::NoOffer | Self::NoAnswer => 399,
        }
    }
}
