//! What was agreed on about encryption (RFC 3711, RFC 4568, RFC 5763).

use sha2::{Digest, Sha256, Sha384, Sha512};
use std::fmt;
use subtle::ConstantTimeEq;

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

/// How both sides come by the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// They stood in the session descriptions (RFC 4568).
    Sdes(SrtpKeys),
    /// A handshake beside the audio makes them (RFC 5763).
    Dtls(DtlsPlan),
}

/// The handshake that was agreed on. While it stays equal, so do the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsPlan {
    /// We begin (`a=setup:active`, RFC 4145).
    pub active: bool,
    /// The peer's certificate has this.
    pub fingerprint: Fingerprint,
}

/// What a certificate is known by (RFC 8122).
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint {
    hash: Hash,
    digest: Vec<u8>,
}

/// Functions that are good enough; of others a certificate with the same value can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn digest(self, certificate: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(certificate).to_vec(),
            Self::Sha384 => Sha384::digest(certificate).to_vec(),
            Self::Sha512 => Sha512::digest(certificate).to_vec(),
        }
    }
}

impl Fingerprint {
    /// By SHA-256, which everybody knows. `certificate`: DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self { hash: Hash::Sha256, digest: Hash::Sha256.digest(certificate) }
    }

    /// As in `a=fingerprint`: `sha-256 12:AB:…`; `None` for a hash function that is not good enough, too.
    pub fn read(text: &str) -> Option<Self> {
        let (name, octets) = text.trim().split_once(' ')?;
        let hash = Hash::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))?;
        let octet = |text: &str| {
            let is_octet = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            u8::from_str_radix(text, 16).ok().filter(|_| is_octet)
        };
        let digest: Vec<u8> = octets.trim().split(':').take(65).map(octet).collect::<Option<_>>()?;
        (digest.len() == hash.digest(&[]).len()).then_some(Self { hash, digest })
    }

    /// Whether it is this certificate's (DER); the time it takes tells nothing.
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        self.hash.digest(certificate).ct_eq(&self.digest).into()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.hash.name())?;
        for (n, octet) in self.digest.iter().enumerate() {
            write!(f, "{}{octet:02X}", if n == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// What is offered and taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// No encryption; offers of nothing else are refused.
    Off,
    /// Offered beside unencrypted audio; the answer decides.
    #[default]
    Optional,
    /// No audio without encryption; offered are keys in the session description (RFC 4568).
    Sdes,
    /// No audio without encryption; offered is a handshake (RFC 5763).
    Dtls,
}

impl SrtpPolicy {
    /// Whether audio without encryption is refused.
    pub const fn requires(self) -> bool {
        matches!(self, Self::Sdes | Self::Dtls)
    }
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
    /// Encrypted both ways with keys from a handshake, which has taken place: listening takes changing the signalling that
    /// carried the fingerprints.
    Dtls {
        /// The signalling was not encrypted.
        in_the_open: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_peers_write_them() {
        let ours = Fingerprint::of(b"a certificate");
        assert!(ours.is_of(b"a certificate") && !ours.is_of(b"another"));
        let text = ours.to_string();
        let octets = text.strip_prefix("sha-256 ").unwrap();
        for (text, readable) in [
            (text.clone(), true),
            (text.to_lowercase(), true),
            (format!("SHA-256  {octets} "), true),
            (format!("sha-512 {}", vec!["0a"; 64].join(":")), true),
            (format!("sha-384 {octets}"), false),
            (format!("sha-1 {}", vec!["0a"; 20].join(":")), false),
            (format!("{text}:00"), false),
            (text.replace(':', ""), false),
            (text.replacen(':', ":+", 1), false),
            ("sha-256".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(Fingerprint::read(&text).is_some(), readable, "{text}");
        }
        assert_eq!(Fingerprint::read(&text), Some(ours));
    }
}
