//! Secrets that the server makes: session tokens, API keys, SIP passwords, one-time codes. All are random, so SHA-256 is
//! enough to store them by; people's own passwords are another matter ([`super::passwords`]).

use rand::Rng;
use sha2::{Digest, Sha256};

/// No letter that reads like a digit (Crockford's base 32, lower case).
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// `length` random characters of 5 bits each.
pub fn random(length: usize) -> String {
    let mut bytes = vec![0; length];
    rand::rng().fill_bytes(&mut bytes);
    bytes.iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect()
}

/// A softphone's bearer token: 160 random bits.
pub fn session_token() -> String {
    format!("tmss_{}", random(32))
}

/// The bearer token of someone who manages: 160 random bits.
pub fn manage_token() -> String {
    format!("tmsm_{}", random(32))
}

/// A SIP password or one-time code: 130 random bits.
pub fn password() -> String {
    random(26)
}

/// What is stored of a random secret: SHA-256 in hexadecimal.
pub fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What [`hex`] has written; `None` for anything else.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    let (pairs, []) = digits.as_deref()?.as_chunks::<2>() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// A new API key: `tms_<8 characters to recognise it by>_<160 random bits><6 characters of checksum>`.
pub struct ApiKey {
    /// Shown once.
    pub key: String,
    /// Stays readable: `tms_k3f9abcd`.
    pub prefix: String,
}

impl ApiKey {
    /// A new one, random but for its checksum.
    pub fn generate() -> Self {
        let prefix = format!("tms_{}", random(8));
        let body = format!("{prefix}_{}", random(32));
        let key = format!("{body}{}", checksum(&body));
        Self { key, prefix }
    }

    /// Whether the checksum fits: tells a key that was cut short or mistyped from an unknown one.
    pub fn is_whole(key: &str) -> bool {
        key.len() > CHECKSUM
            && key.is_char_boundary(key.len() - CHECKSUM)
            && checksum(&key[..key.len() - CHECKSUM]) == key[key.len() - CHECKSUM..]
    }
}

const CHECKSUM: usize = 6;

fn checksum(body: &str) -> String {
    Sha256::digest(body.as_bytes())[..CHECKSUM].iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_knows_whether_it_is_whole() {
        let key = ApiKey::generate();
        assert!(ApiKey::is_whole(&key.key), "{}", key.key);
        assert!(key.key.starts_with(&key.prefix));
        for broken in [&key.key[..key.key.len() - 1], &key.key[1..], "", "wrong", "äöüäöüä"] {
            assert!(!ApiKey::is_whole(broken), "{broken}");
        }
    }

    #[test]
    fn secrets_are_long_enough_and_differ() {
        let (a, b) = (session_token(), session_token());
        assert_ne!(a, b);
        assert_eq!(a.len(), 37);
        assert_ne!(hash(&a), hash(&b));
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
