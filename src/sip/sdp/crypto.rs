//! SDES: keys of SRTP in the session description (RFC 4568).

use super::format::attribute;
use crate::media::plan::{CryptoSuite, MasterKey};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use sdp_types::{Attribute, Media};

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
    pub tag: u32,
    pub key: MasterKey,
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
        for (suite, tag) in CryptoSuite::ALL.into_iter().zip(1..) {
            let material = vec![0x5a; suite.key_length() + suite.salt_length()];
            let crypto = Crypto { tag, key: MasterKey::new(suite, material).unwrap() };
            let written = crypto.write().value.unwrap();
            assert_eq!(Crypto::read(&written), Some(crypto.clone()));
            let key = written.split("inline:").nth(1).unwrap();
            assert!(!format!("{crypto:?}").contains(&key[..8]));
        }
    }
}
