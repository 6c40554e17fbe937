//! The digest computation (RFC 7616 §3.4, RFC 8760): hashes in, a response out. What goes into headers is in
//! [`crate::sip::auth`].

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};
use std::fmt;

/// A hash function for digest, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashFunction {
    Md5,
    Sha256,
    Sha512_256,
}

impl HashFunction {
    /// Lower-case hexadecimal hash of the parts, joined by colons.
    pub fn hex(self, parts: &[&[u8]]) -> String {
        let joined = parts.join(&b':');
        match self {
            Self::Md5 => hex(&Md5::digest(joined)),
            Self::Sha256 => hex(&Sha256::digest(joined)),
            Self::Sha512_256 => hex(&Sha512_256::digest(joined)),
        }
    }
}

/// Bytes in lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The `algorithm` parameter: a hash, and whether the key is bound to the session (`-sess`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Algorithm {
    pub hash: HashFunction,
    pub session: bool,
}

impl Algorithm {
    pub const MD5: Self = Self { hash: HashFunction::Md5, session: false };
    pub const SHA_256: Self = Self { hash: HashFunction::Sha256, session: false };
    pub const SHA_512_256: Self = Self { hash: HashFunction::Sha512_256, session: false };

    /// The IANA name: `SHA-256`, `MD5-sess`, …
    pub const fn name(self) -> &'static str {
        match (self.hash, self.session) {
            (HashFunction::Md5, false) => "MD5",
            (HashFunction::Md5, true) => "MD5-sess",
            (HashFunction::Sha256, false) => "SHA-256",
            (HashFunction::Sha256, true) => "SHA-256-sess",
            (HashFunction::Sha512_256, false) => "SHA-512-256",
            (HashFunction::Sha512_256, true) => "SHA-512-256-sess",
        }
    }

    /// From the name in any case; `None` for one that is not known here.
    pub fn from_name(name: &str) -> Option<Self> {
        let hashes = [HashFunction::Md5, HashFunction::Sha256, HashFunction::Sha512_256];
        let all = hashes.into_iter().flat_map(|hash| [false, true].map(|session| Self { hash, session }));
        all.into_iter().find(|a| a.name().eq_ignore_ascii_case(name))
    }
}

/// Quality of protection (RFC 7616 §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Qop {
    Auth,
    /// The body is covered too.
    AuthInt,
}

impl Qop {
    /// As it stands in a header.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// From the name in any case; `None` for one that is not known here.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|q| q.name().eq_ignore_ascii_case(name))
    }
}

/// H(username ":" realm ":" password) in hexadecimal: as good as the password within its realm, so never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1(String);

impl Ha1 {
    /// From a password.
    pub fn new(hash: HashFunction, username: &str, realm: &str, password: &str) -> Self {
        Self(hash.hex(&[username.as_bytes(), realm.as_bytes(), password.as_bytes()]))
    }

    /// From where it is kept instead of the password.
    pub fn from_hex(hex: &str) -> Self {
        Self(hex.to_ascii_lowercase())
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ha1(…)")
    }
}

/// What a response is computed from besides the key.
pub(super) struct Input<'a> {
    pub algorithm: Algorithm,
    pub method: &'a str,
    /// The `uri` parameter.
    pub uri: &'a str,
    pub nonce: &'a str,
    /// `None` for a peer from before RFC 2617.
    pub protection: Option<Protection<'a>>,
    pub body: &'a [u8],
}

/// The parameters that come with a qop.
#[derive(Clone, Copy)]
pub(super) struct Protection<'a> {
    pub qop: Qop,
    /// Eight hexadecimal digits, as sent.
    pub nc: &'a str,
    pub cnonce: &'a str,
}

/// The `response` parameter (RFC 7616 §3.4.1).
pub(super) fn response(ha1: &Ha1, input: &Input<'_>) -> String {
    let hash = input.algorithm.hash;
    let key = match (input.algorithm.session, input.protection) {
        (true, Some(p)) => hash.hex(&[ha1.0.as_bytes(), input.nonce.as_bytes(), p.cnonce.as_bytes()]),
        (true, None) | (false, _) => ha1.0.clone(),
    };
    let mut a2 = vec![input.method.as_bytes(), input.uri.as_bytes()];
    let body = hash.hex(&[input.body]);
    if input.protection.is_some_and(|p| p.qop == Qop::AuthInt) {
        a2.push(body.as_bytes());
    }
    let ha2 = hash.hex(&a2);
    let (key, nonce, ha2) = (key.as_bytes(), input.nonce.as_bytes(), ha2.as_bytes());
    match input.protection {
        Some(p) => hash.hex(&[key, nonce, p.nc.as_bytes(), p.cnonce.as_bytes(), p.qop.name().as_bytes(), ha2]),
        None => hash.hex(&[key, nonce, ha2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute(
        algorithm: Algorithm,
        user: [&str; 3],
        request: [&str; 3],
        protection: Option<Protection<'_>>,
    ) -> String {
        let ha1 = Ha1::new(algorithm.hash, user[0], user[1], user[2]);
        let [method, uri, nonce] = request;
        response(&ha1, &Input { algorithm, method, uri, nonce, protection, body: b"" })
    }

    #[test]
    fn published_examples() {
        let auth = |cnonce| Some(Protection { qop: Qop::Auth, nc: "00000001", cnonce });
        let mufasa = ["Mufasa", "http-auth@example.org", "Circle of Life"];
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let get = ["GET", "/dir/index.html", nonce];
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        // RFC 7616 §3.9.1.
        assert_eq!(compute(Algorithm::MD5, mufasa, get, auth(cnonce)), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            compute(Algorithm::SHA_256, mufasa, get, auth(cnonce)),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        // RFC 2617 §3.5.
        assert_eq!(
            compute(
                Algorithm::MD5,
                ["Mufasa", "testrealm@host.com", "Circle Of Life"],
                ["GET", "/dir/index.html", "dcd98b7102dd2f0e8b11d0f600bfb0c093"],
                auth("0a4f113b"),
            ),
            "6629fae49393a05397450978507c4ef1"
        );
        // The request of RFC 7616 §3.9.2; its printed response is of SHA-512 cut short (an erratum), this one was
        // computed with another implementation of SHA-512/256.
        assert_eq!(
            compute(
                Algorithm::SHA_512_256,
                ["Jäsøn Doe", "api@example.org", "Secret, or not?"],
                ["GET", "/doe.json", "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK"],
                auth("NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm"),
            ),
            "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c"
        );
    }

    #[test]
    fn algorithms_by_name() {
        assert_eq!(Algorithm::from_name("md5"), Some(Algorithm::MD5));
        assert_eq!(
            Algorithm::from_name("SHA-512-256-sess").map(|a| (a.hash, a.session)),
            Some((HashFunction::Sha512_256, true))
        );
        assert_eq!(Algorithm::from_name("SHA-1"), None);
        assert!(HashFunction::Md5 < HashFunction::Sha256 && HashFunction::Sha256 < HashFunction::Sha512_256);
    }

    #[test]
    fn a_key_never_shows() {
        assert_eq!(format!("{:?}", Ha1::from_hex("ABCDEF")), "Ha1(…)");
    }
}
