//! What was agreed on about encryption (RFC 3711, RFC 4568).

use std::fmt;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CryptoSuite {
    /// RFC 7714.
    AeadAes256Gcm,
    AeadAes128Gcm,
    /// RFC 4568 §6.2; what everybody has.
    AesCm128HmacSha1_80,
    AesCm128HmacSha1_32,
}

impl CryptoSuite {
    /// Best first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// As in `a=crypto`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Octets of the master key.
    pub const fn key_length(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16,
        }
    }

    /// Octets of the master salt.
    pub const fn salt_length(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
        }
    }
}

/// A master key with its salt, for one direction. Never shows in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    suite: CryptoSuite,
    /// Key, then salt.
    material: Vec<u8>,
}

impl MasterKey {
    /// `material`: key and salt, as `inline:` carries them; `None` unless it has the suite's length.
    pub fn new(suite: CryptoSuite, material: Vec<u8>) -> Option<Self> {
        (material.len() == suite.key_length() + suite.salt_length()).then_some(Self { suite, material })
    }

    pub const fn suite(&self) -> CryptoSuite {
        self.suite
    }

    pub fn material(&self) -> &[u8] {
        &self.material
    }

    pub fn key(&self) -> &[u8] {
        &self.material[..self.suite.key_length()]
    }

    pub fn salt(&self) -> &[u8] {
        &self.material[self.suite.key_length()..]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, …)", self.suite.name())
    }
}

/// Both directions' keys; there is no stream with one of them alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    pub send: MasterKey,
    pub receive: MasterKey,
}

/// What is offered and taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// No encryption; offers of nothing else are refused.
    Off,
    /// Offered beside unencrypted audio; the answer decides.
    #[default]
    Optional,
    /// No audio without encryption by keys in the session description (RFC 4568).
    Sdes,
}

/// How a call's audio is protected, as shown to people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Srtp {
    /// Anybody on the way can listen.
    #[default]
    Off,
    /// Encrypted both ways with keys from the session descriptions: as secret as the signalling that carried them.
    Sdes {
        /// The signalling was not encrypted.
        in_the_open: bool,
    },
}
