//! Authorization and Proxy-Authorization (RFC 7616 §3.4).

use super::{Asker, schemes};
use crate::sip::{
    digest::{self, Algorithm, Ha1, Input, Protection, Qop},
    lex,
    msg::{Headers, Request},
};
use std::fmt;

/// Digest credentials for one realm. Without `Debug`: who has the response can try passwords against it.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    pub username: String,
    pub realm: String,
    pub nonce: String,
    /// The digest URI as sent; not necessarily the Request-URI any more (RFC 3261 §22.4).
    pub uri: String,
    pub algorithm: Algorithm,
    pub opaque: Option<String>,
    pub(super) response: String,
    pub(super) protection: Option<Counted>,
}

/// What comes with a qop.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub qop: Qop,
    /// As sent: eight hexadecimal digits.
    pub nc: String,
    pub cnonce: String,
}

impl Authorization {
    /// The credentials for a realm. `None` also for those with parts missing, an unknown algorithm or scheme (RFC 4475
    /// §3.3.7: as if there were none).
    pub fn read(headers: &Headers, asker: Asker, realm: &str) -> Option<Self> {
        headers
            .get_all(asker.credentials_header())
            .find_map(|value| Self::from_value(value).filter(|a| a.realm == realm))
    }

    fn from_value(value: &str) -> Option<Self> {
        let schemes = schemes(value);
        let scheme = schemes.first().filter(|s| s.is_digest())?;
        let own = |name| scheme.get(name).map(str::to_owned);
        let protection = match scheme.get("qop") {
            Some(qop) => Some(Counted { qop: Qop::from_name(qop)?, nc: own("nc")?, cnonce: own("cnonce")? }),
            None => None,
        };
        Some(Self {
            username: own("username")?,
            realm: own("realm")?,
            nonce: own("nonce")?,
            uri: own("uri")?,
            algorithm: scheme.get("algorithm").map_or(Some(Algorithm::MD5), Algorithm::from_name)?,
            opaque: own("opaque"),
            response: own("response")?.to_ascii_lowercase(),
            protection,
        })
    }

    /// The response that belongs to these parameters and this request.
    pub(super) fn expected(&self, ha1: &Ha1, request: &Request) -> String {
        let protection = self.protection.as_ref();
        digest::response(
            ha1,
            &Input {
                algorithm: self.algorithm,
                method: request.method.as_str(),
                uri: &self.uri,
                nonce: &self.nonce,
                protection: protection.map(|p| Protection { qop: p.qop, nc: &p.nc, cnonce: &p.cnonce }),
                body: &request.body,
            },
        )
    }

    /// How often the client says it has used the nonce, this time included; `None` without a qop or when it is no number.
    pub(super) fn nonce_count(&self) -> Option<u32> {
        u32::from_str_radix(&self.protection.as_ref()?.nc, 16).ok()
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let q = lex::quote;
        write!(f, "Digest username={}, realm={}", q(&self.username), q(&self.realm))?;
        write!(f, ", nonce={}, uri={}", q(&self.nonce), q(&self.uri))?;
        write!(f, ", response=\"{}\", algorithm={}", self.response, self.algorithm.name())?;
        if let Some(p) = &self.protection {
            // RFC 7616 §3.4: qop and nc stand without quotes here.
            write!(f, ", cnonce={}, qop={}, nc={}", q(&p.cnonce), p.qop.name(), p.nc)?;
        }
        match &self.opaque {
            Some(opaque) => write!(f, ", opaque={}", q(opaque)),
            None => Ok(()),
        }
    }
}
