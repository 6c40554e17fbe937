//! Authentication (RFC 3261 §22, RFC 7616, RFC 8760): challenges and credentials in headers, a client that answers and a
//! server that asks and checks.
//!
//! Only Digest is known. Nothing here shows a password, a key or a response in `Debug`.

mod authorization;
mod challenge;
mod client;
mod server;

pub use authorization::Authorization;
pub use challenge::Challenge;
pub use client::{AuthError, ClientAuth, Credentials};
pub use server::{Pending, ServerAuth, Verdict};

use super::lex;

/// Who asks: the server that the request is for, or a proxy on the way (RFC 3261 §22.2, §22.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Asker {
    /// 401, WWW-Authenticate, Authorization.
    Server,
    /// 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Asker {
    /// The status code that asks.
    pub const fn code(self) -> u16 {
        match self {
            Self::Server => 401,
            Self::Proxy => 407,
        }
    }

    /// The header field with the challenge.
    pub const fn challenge_header(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    /// The header field with the credentials.
    pub const fn credentials_header(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// A scheme and its parameters, values unquoted. Names as written.
struct Scheme<'a> {
    name: &'a str,
    params: Vec<(&'a str, String)>,
}

impl Scheme<'_> {
    fn is_digest(&self) -> bool {
        self.name.eq_ignore_ascii_case("Digest")
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads a header field's value: one scheme, or several in a comma list (`Digest a=1, b="2, 3", Basic realm="x"`). What
/// fits no form is left out.
fn schemes(value: &str) -> Vec<Scheme<'_>> {
    let mut schemes: Vec<Scheme<'_>> = Vec::new();
    for part in lex::split(value, b',') {
        let end = part.bytes().position(|b| !lex::is_token_byte(b)).unwrap_or(part.len());
        let (word, rest) = (&part[..end], part[end..].trim_start());
        let param = if rest.starts_with('=') {
            part
        } else {
            // A word that no "=" follows is the next scheme; its first parameter may follow.
            schemes.push(Scheme { name: word, params: Vec::new() });
            rest
        };
        if let (Some(scheme), Some((name, value))) = (schemes.last_mut(), param.split_once('=')) {
            let value = value.trim();
            let value = match lex::quoted_string(value) {
                Some((text, _)) => text,
                None => value.to_owned(),
            };
            scheme.params.push((name.trim_end(), value));
        }
    }
    schemes
}

#[cfg(test)]
mod tests;
