//! WWW-Authenticate and Proxy-Authenticate (RFC 7616 §3.3).

use super::{Asker, Scheme, schemes};
use crate::sip::{
    digest::{Algorithm, Qop},
    lex,
    msg::Headers,
};
use std::fmt;

/// A Digest challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub algorithm: Algorithm,
    /// Those offered and known; empty for a server from before RFC 2617.
    pub qop: Vec<Qop>,
    /// The credentials were right, only the nonce is too old.
    pub stale: bool,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// URIs that the credentials are good for.
    pub domain: Option<String>,
}

impl Challenge {
    /// The challenges that can be answered, in order, from every header field of that name and every comma list.
    pub fn read(headers: &Headers, asker: Asker) -> Vec<Self> {
        let values = headers.get_all(asker.challenge_header());
        values.flat_map(schemes).filter_map(|scheme| Self::from_scheme(&scheme)).collect()
    }

    /// `None`: not Digest, or with an algorithm or only qops that are not known, or without realm or nonce.
    fn from_scheme(scheme: &Scheme<'_>) -> Option<Self> {
        if !scheme.is_digest() {
            return None;
        }
        let offered = scheme.get("qop").unwrap_or_default();
        let qop: Vec<Qop> = offered.split(',').filter_map(|q| Qop::from_name(q.trim())).collect();
        if qop.is_empty() && !offered.trim().is_empty() {
            return None;
        }
        Some(Self {
            realm: scheme.get("realm")?.to_owned(),
            nonce: scheme.get("nonce")?.to_owned(),
            // RFC 7616 §3.3: MD5 where nothing is said.
            algorithm: scheme.get("algorithm").map_or(Some(Algorithm::MD5), Algorithm::from_name)?,
            qop,
            stale: scheme.get("stale").is_some_and(|s| s.eq_ignore_ascii_case("true")),
            opaque: scheme.get("opaque").map(str::to_owned),
            domain: scheme.get("domain").map(str::to_owned),
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", lex::quote(&self.realm), lex::quote(&self.nonce))?;
        if let Some(domain) = &self.domain {
            write!(f, ", domain={}", lex::quote(domain))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", lex::quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        write!(f, ", algorithm={}", self.algorithm.name())?;
        if !self.qop.is_empty() {
            let names: Vec<_> = self.qop.iter().map(|q| q.name()).collect();
            write!(f, ", qop=\"{}\"", names.join(","))?;
        }
        Ok(())
    }
}
