//! SDES: keys of SRTP in the session description (RFC 4568).

use super::{SdpError, format::attribute};
use crate::{
    media::plan::{CryptoSuite, MasterKey, SrtpKeys, SrtpPolicy},
    sip::entropy::Entropy,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sdp_types::{Attribute, Media};
use std::fmt;

/// What we offer: the best, and what everybody has. Each line makes the request longer; all suites are answered.
const OFFERED: [CryptoSuite; 2] = [CryptoSuite::AeadAes256Gcm, CryptoSuite::AesCm128HmacSha1_80];
/// Nobody offers more.
const MOST_LINES: usize = 16;
/// Some peers leave out the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A line of the peer's that we can use.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Crypto {
    tag: u32,
    key: MasterKey,
}

/// The usable lines in the peer's order; `None` where there is no line at all.
pub(super) fn read(media: &Media) -> Option<Vec<Crypto>> {
    let lines = media.attributes.iter().filter(|a| a.attribute.eq_ignore_ascii_case("crypto"));
    let mut lines = lines.take(MOST_LINES).peekable();
    lines.peek()?;
    Some(lines.filter_map(|line| Crypto::read(line.value.as_deref()?)).collect())
}

impl Crypto {
    /// `tag suite inline:key[|lifetime][|MKI:length] [session-parameter…]` (RFC 4568 §9.1).
    fn read(value: &str) -> Option<Self> {
        let mut parts = value.split_ascii_whitespace();
        let tag = parts.next().filter(|tag| tag.len() <= 9)?.parse().ok()?;
        let suite = parts.next()?;
        let suite = CryptoSuite::ALL.into_iter().find(|known| suite.eq_ignore_ascii_case(known.name()))?;
        let (method, parameters) = parts.next()?.split_once(':')?;
        let mut parameters = parameters.split('|');
        let material = BASE64.decode(parameters.next()?).ok()?;
        // A lifetime is longer than calls are. An MKI would stand in every packet, which we do not write or read; several
        // keys need one.
        let has_mki = parameters.any(|parameter| parameter.contains(':') || parameter.contains(';'));
        // §6.3: what changes the packets and is not known makes the line unusable, unless marked as harmless. A window
        // size binds the peer alone.
        let is_plain = parts.all(|parameter| parameter.starts_with('-') || parameter.starts_with("WSH="));
        let key = MasterKey::new(suite, material)?;
        (method.eq_ignore_ascii_case("inline") && !has_mki && is_plain).then_some(Self { tag, key })
    }

    pub(super) fn write(&self) -> Attribute {
        let Self { tag, key } = self;
        attribute("crypto", format!("{tag} {} inline:{}", key.suite().name(), BASE64.encode(key.material())))
    }
}

/// Our side: what is allowed, and a key of our own for each suite. They last for the session, so that an exchange that changes
/// something else does not disturb the stream.
#[derive(Clone)]
pub struct LocalCrypto {
    policy: SrtpPolicy,
    keys: Vec<MasterKey>,
}

impl LocalCrypto {
    pub fn new(policy: SrtpPolicy, entropy: &mut Entropy) -> Self {
        let random = |suite: CryptoSuite| {
            let length = suite.key_length() + suite.salt_length();
            let material: Vec<u8> = std::iter::repeat_with(|| entropy.u64().to_be_bytes()).take(8).flatten().collect();
            MasterKey::new(suite, material[..length].to_vec()).expect("the length is the suite's")
        };
        let keys = if policy == SrtpPolicy::Off { Vec::new() } else { CryptoSuite::ALL.map(random).to_vec() };
        Self { policy, keys }
    }

    /// The transport of a line that we begin.
    pub(super) const fn protocol(&self) -> &'static str {
        match self.policy {
            SrtpPolicy::Off | SrtpPolicy::Optional => "RTP/AVP",
            SrtpPolicy::Sdes => "RTP/SAVP",
        }
    }

    /// The lines of an offer.
    pub(super) fn offer(&self) -> Vec<Crypto> {
        let keys = OFFERED.iter().filter_map(|suite| self.key(*suite));
        keys.zip(1..).map(|(key, tag)| Crypto { tag, key: key.clone() }).collect()
    }

    /// The keys that an answer to our offer agrees to. `secure`: its transport is SRTP's.
    pub(super) fn settle(&self, theirs: Option<&[Crypto]>, secure: bool) -> Result<Option<SrtpKeys>, SdpError> {
        let Some(lines) = theirs.filter(|_| self.policy != SrtpPolicy::Off) else {
            return self.without(secure).map(|()| None);
        };
        // §5.1.2: one line, with the tag and suite of one of ours.
        let offered = self.offer();
        let ours = |line: &Crypto| {
            let same = |o: &&Crypto| (o.tag, o.key.suite()) == (line.tag, line.key.suite());
            offered.iter().find(same).map(|ours| SrtpKeys { send: ours.key.clone(), receive: line.key.clone() })
        };
        lines.iter().find_map(ours).map(Some).ok_or(SdpError::NoCommonCrypto)
    }

    /// The line that answers an offer and the keys it agrees to: the offer's first that we know (§5.1.2).
    pub(super) fn choose(
        &self,
        theirs: Option<&[Crypto]>,
        secure: bool,
    ) -> Result<Option<(Crypto, SrtpKeys)>, SdpError> {
        let chosen = theirs.unwrap_or_default().iter().find_map(|line| {
            let send = self.key(line.key.suite())?.clone();
            let ours = Crypto { tag: line.tag, key: send.clone() };
            Some((ours, SrtpKeys { send, receive: line.key.clone() }))
        });
        match chosen {
            Some(chosen) => Ok(Some(chosen)),
            None if secure && self.policy != SrtpPolicy::Off => Err(SdpError::NoCommonCrypto),
            None => self.without(secure).map(|()| None),
        }
    }

    /// Whether audio may go unencrypted.
    fn without(&self, secure: bool) -> Result<(), SdpError> {
        match (self.policy, secure) {
            (SrtpPolicy::Off, true) => Err(SdpError::EncryptedOnly),
            (SrtpPolicy::Optional, true) => Err(SdpError::NoCommonCrypto),
            (SrtpPolicy::Sdes, _) => Err(SdpError::PlainOnly),
            (SrtpPolicy::Off | SrtpPolicy::Optional, false) => Ok(()),
        }
    }

    fn key(&self, suite: CryptoSuite) -> Option<&MasterKey> {
        self.keys.iter().find(|key| key.suite() == suite)
    }
}

impl fmt::Debug for LocalCrypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCrypto").field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_30: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e";

    #[test]
    fn lines_are_read_as_peers_write_them() {
        let gcm = BASE64.encode([7; 28]);
        for (line, readable) in [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}"), true),
            (format!("12 aes_cm_128_hmac_sha1_32 INLINE:{KEY_30}|2^31"), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}|1048576 WSH=64 -X=1"), true),
            (format!("3 AEAD_AES_128_GCM inline:{gcm}"), true),
            (format!("3 AEAD_AES_128_GCM inline:{}", gcm.trim_end_matches('=')), true),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}|2^20|1:4"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}|1:4"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30} UNENCRYPTED_SRTP"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30} KDR=1"), false),
            (format!("1 AES_192_CM_HMAC_SHA1_80 inline:{KEY_30}"), false),
            (format!("1 AEAD_AES_128_GCM inline:{KEY_30}"), false),
            (format!("9999999999 AES_CM_128_HMAC_SHA1_80 inline:{KEY_30}"), false),
            (format!("1 AES_CM_128_HMAC_SHA1_80 uri:{KEY_30}"), false),
            ("1 AES_CM_128_HMAC_SHA1_80 inline:!".to_owned(), false),
            ("1 AES_CM_128_HMAC_SHA1_80".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(Crypto::read(&line).is_some(), readable, "{line}");
        }
    }

    #[test]
    fn what_is_written_is_read_and_never_shown() {
        let local = LocalCrypto::new(SrtpPolicy::Optional, &mut Entropy::from_seed(4568));
        for crypto in local.offer() {
            let written = crypto.write().value.unwrap();
            assert_eq!(Crypto::read(&written), Some(crypto.clone()));
            let key = written.split("inline:").nth(1).unwrap();
            assert!(!format!("{crypto:?} {local:?}").contains(&key[..8]));
        }
        assert_ne!(local.keys[0].material()[..16], local.keys[1].material()[..16], "each suite has a key of its own");
    }
}
