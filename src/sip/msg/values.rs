//! Header values with a structure of their own: Via, CSeq, Contact.

use super::Method;
use crate::sip::{
    lex,
    uri::{Host, NameAddr, UriError, host_port},
};
use std::{fmt, str::FromStr};

/// `CSeq: 4711 INVITE` (RFC 3261 §20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub number: u32,
    pub method: Method,
}

impl FromStr for CSeq {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        let mut words = s.split_ascii_whitespace();
        let (Some(number), Some(method), None) = (words.next(), words.next(), words.next()) else {
            return Err(UriError("it is a number and a method"));
        };
        match lex::digits(number) {
            Some(number) if number < 1 << 31 && lex::is_token(method) => {
                Ok(Self { number, method: Method::from_token(method) })
            }
            _ => Err(UriError("it is a number below 2147483648 and a method")),
        }
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// One Via value (RFC 3261 §20.42, RFC 3581).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// `UDP`, `TCP`, `TLS`, or whatever stood there.
    pub transport: String,
    /// The sent-by host as written, IPv6 in brackets.
    pub host: String,
    pub port: Option<u16>,
    /// Names in lower case, values as written; `rport` without a value is `("rport", None)`.
    pub params: Vec<(String, Option<String>)>,
}

impl Via {
    /// A parameter's value; `None` also for one without a value (see [`Via::has_param`]).
    pub fn param(&self, name: &str) -> Option<&str> {
        lex::get_param(&self.params, name)
    }

    /// Whether a parameter is there, with or without a value: `rport`.
    pub fn has_param(&self, name: &str) -> bool {
        lex::has_param(&self.params, name)
    }

    /// Replaces a parameter or appends it.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) {
        lex::set_param(&mut self.params, name, value);
    }

    /// The transaction identifier (RFC 3261 §8.1.1.7).
    pub fn branch(&self) -> Option<&str> {
        self.param("branch")
    }
}

impl FromStr for Via {
    type Err = UriError;

    /// White space may stand around each slash, colon, semicolon and equals sign.
    fn from_str(s: &str) -> Result<Self, UriError> {
        let (head, params) = s.split_at(s.find(';').unwrap_or(s.len()));
        let mut protocol = head.splitn(3, '/').map(str::trim);
        let (Some(name), Some(version), Some(rest)) = (protocol.next(), protocol.next(), protocol.next()) else {
            return Err(UriError("it begins with SIP/2.0/ and a transport"));
        };
        if !name.eq_ignore_ascii_case("SIP") || version != "2.0" {
            return Err(UriError("its protocol is not SIP/2.0"));
        }
        let (transport, sent_by) =
            rest.split_once(|c: char| c.is_ascii_whitespace()).ok_or(UriError("a host follows the transport"))?;
        if !lex::is_token(transport) {
            return Err(UriError("its transport is not a token"));
        }
        let (host, port) = host_port(sent_by.trim())?;
        host.parse::<Host>()?;
        Ok(Self {
            transport: transport.to_owned(),
            host: host.to_owned(),
            port,
            params: lex::params(params).map_err(UriError)?,
        })
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        lex::write_params(f, &self.params)
    }
}

/// One Contact value (RFC 3261 §20.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contact {
    /// `*`: every binding, in a REGISTER that removes them.
    Star,
    Addr(NameAddr),
}

impl FromStr for Contact {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        if s == "*" { Ok(Self::Star) } else { s.parse().map(Self::Addr) }
    }
}
