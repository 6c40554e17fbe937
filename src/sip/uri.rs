//! Addresses: SIP, SIPS, tel and any other URI (RFC 3261 §19, 3966, 5954), and name-addr header values.

mod equivalence;
mod name_addr;

pub use name_addr::NameAddr;

use super::lex;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A URI in a Request-URI or an address header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    Sip(SipUri),
    /// `tel:+27215550142;phone-context=…` (RFC 3966). The number as written, parameter names in lower case.
    Tel {
        number: String,
        params: Vec<(String, Option<String>)>,
    },
    /// Another scheme, kept as written: `urn:service:sos`, `http://…`.
    Other {
        scheme: String,
        rest: String,
    },
}

/// `sip:` or `sips:` (RFC 3261 §19.1.1). Parts are stored unescaped and escaped again when written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    pub user: Option<String>,
    pub password: Option<String>,
    pub host: Host,
    pub port: Option<u16>,
    /// Names in lower case.
    pub params: Vec<(String, Option<String>)>,
    /// The part after `?`, e.g. `Replaces`.
    pub headers: Vec<(String, String)>,
}

/// A host name or address, as in a URI.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Lower case.
    Name(String),
    Ip(IpAddr),
}

/// Why a URI or an address cannot be read, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub &'static str);

impl Uri {
    /// The SIP part, if it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(s) => Some(s),
            Self::Tel { .. } | Self::Other { .. } => None,
        }
    }

    /// Equality by RFC 3261 §19.1.4 (parameters that must match, escapes, default ports not assumed) and, for `tel:`,
    /// RFC 3966 §4 (visual separators do not count).
    pub fn equivalent(&self, other: &Self) -> bool {
        equivalence::equivalent(self, other)
    }
}

impl SipUri {
    /// `sip:user@host:port` without parameters.
    pub fn new(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        Self {
            secure: false,
            user: user.map(str::to_owned),
            password: None,
            host,
            port,
            params: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// A parameter's value; `None` also for one without a value (see [`SipUri::has_param`]).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?.1.as_deref()
    }

    /// Whether a parameter is there, with or without a value: `lr`, `ob`.
    pub fn has_param(&self, name: &str) -> bool {
        lex::has_param(&self.params, name)
    }

    /// Replaces a parameter or appends it.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) {
        lex::set_param(&mut self.params, name, value);
    }
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        if s.bytes().any(|b| b <= b' ' || b == 0x7f || matches!(b, b'<' | b'>' | b'"')) {
            return Err(UriError("a URI cannot hold white space, quotes or angle brackets"));
        }
        let (scheme, rest) = s.split_once(':').ok_or(UriError("a URI begins with a scheme and a colon"))?;
        let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !well_formed {
            return Err(UriError("a URI's scheme is letters, digits, '+', '-' and '.', a letter first"));
        }
        if scheme.eq_ignore_ascii_case("sip") {
            sip_uri(rest, false).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            sip_uri(rest, true).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("tel") {
            tel_uri(rest)
        } else if rest.is_empty() {
            Err(UriError("nothing stands behind the URI's scheme"))
        } else {
            Ok(Self::Other { scheme: scheme.to_owned(), rest: rest.to_owned() })
        }
    }
}

fn unescape(s: &str) -> Result<String, UriError> {
    lex::unescape(s).ok_or(UriError("a % in a URI needs two hexadecimal digits, and the result must be UTF-8"))
}

fn sip_uri(s: &str, secure: bool) -> Result<SipUri, UriError> {
    // The user part may hold ';' and '?' unescaped but never '@', so the first '@' ends it (RFC 3261 §25.1).
    let (userinfo, rest) = match s.split_once('@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, s),
    };
    let (user, password) = match userinfo.map(|u| u.split_once(':').map_or((u, None), |(u, p)| (u, Some(p)))) {
        Some(("", _)) => return Err(UriError("a SIP URI with an @ needs a user before it")),
        Some((user, password)) => (Some(unescape(user)?), password.map(unescape).transpose()?),
        None => (None, None),
    };
    let (rest, headers) = rest.split_once('?').map_or((rest, None), |(rest, headers)| (rest, Some(headers)));
    let (hostport, params) = rest.split_once(';').map_or((rest, None), |(host, params)| (host, Some(params)));
    let (host, port) = host_port(hostport)?;
    Ok(SipUri {
        secure,
        user,
        password,
        host: host.parse()?,
        port,
        params: params.map_or(Ok(Vec::new()), |p| p.split(';').map(uri_param).collect())?,
        headers: headers.map_or(Ok(Vec::new()), |h| h.split('&').map(uri_header).collect())?,
    })
}

/// Splits `host`, `host:port`, `[v6]:port`; the host is not looked at.
pub(in crate::sip) fn host_port(s: &str) -> Result<(&str, Option<u16>), UriError> {
    let colon = match s.strip_prefix('[') {
        Some(_) => s.find(']').and_then(|end| s[end..].find(':').map(|colon| end + colon)),
        None => s.find(':'),
    };
    let Some(colon) = colon else { return Ok((s.trim_end(), None)) };
    let port = s[colon + 1..].trim_start();
    if port.is_empty() || port.bytes().any(|b| !b.is_ascii_digit()) {
        return Err(UriError("a port is a number; an IPv6 address stands in brackets"));
    }
    let port = port.parse().map_err(|_| UriError("a port is at most 65535"))?;
    Ok((s[..colon].trim_end(), Some(port)))
}

fn uri_param(s: &str) -> Result<(String, Option<String>), UriError> {
    let (name, value) = s.split_once('=').map_or((s, None), |(name, value)| (name, Some(value)));
    if name.is_empty() {
        return Err(UriError("a URI parameter has no name"));
    }
    Ok((unescape(name)?.to_ascii_lowercase(), value.map(unescape).transpose()?))
}

fn uri_header(s: &str) -> Result<(String, String), UriError> {
    let (name, value) = s.split_once('=').unwrap_or((s, ""));
    if name.is_empty() {
        return Err(UriError("a URI header has no name"));
    }
    Ok((unescape(name)?, unescape(value)?))
}

fn tel_uri(s: &str) -> Result<Uri, UriError> {
    let mut parts = s.split(';');
    let number = parts.next().unwrap_or_default();
    let digits = number.strip_prefix('+').unwrap_or(number);
    // RFC 3966 §3: digits and visual separators; a local number also has * # and the letters A–F.
    if !digits.bytes().any(|b| b.is_ascii_hexdigit() || matches!(b, b'*' | b'#'))
        || digits.bytes().any(|b| !b.is_ascii_hexdigit() && !b"*#-.()".contains(&b))
    {
        return Err(UriError("a telephone number is digits, with - . ( ) between them"));
    }
    let params = parts
        .map(|part| match part.split_once('=') {
            _ if part.is_empty() || part.starts_with('=') => Err(UriError("a URI parameter has no name")),
            Some((name, value)) => Ok((name.to_ascii_lowercase(), Some(value.to_owned()))),
            None => Ok((part.to_ascii_lowercase(), None)),
        })
        .collect::<Result<_, _>>()?;
    Ok(Uri::Tel { number: number.to_owned(), params })
}

impl FromStr for Host {
    type Err = UriError;

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    fn from_str(s: &str) -> Result<Self, UriError> {
        if let Some(inner) = s.strip_prefix('[') {
            let address = inner.strip_suffix(']').and_then(|inner| {
                // RFC 5118 §4.10: the grammar of RFC 3261 asks for a colon too many before an IPv4 address.
                let (high, low) = inner.split_once(":::").unwrap_or((inner, ""));
                let mended = low.parse::<Ipv4Addr>().ok().and_then(|low| format!("{high}::{low}").parse().ok());
                mended.or_else(|| inner.parse::<Ipv6Addr>().ok())
            });
            return address.map(|a| Self::Ip(a.into())).ok_or(UriError("what stands in brackets is no IPv6 address"));
        }
        if let Ok(address) = s.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(address.into()));
        }
        // Underscores are no part of a host name, yet common in private networks.
        if s.is_empty() || s.bytes().any(|b| !b.is_ascii_alphanumeric() && !matches!(b, b'-' | b'.' | b'_')) {
            return Err(UriError("a host is a name, an IPv4 address, or an IPv6 address in brackets"));
        }
        Ok(Self::Name(s.to_ascii_lowercase()))
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Tel { number, params } => {
                write!(f, "tel:{number}")?;
                lex::write_params(f, params)
            }
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What may stand unescaped in each part: RFC 3261 §25.1 user-unreserved, password, param-unreserved, hnv-unreserved.
        const USER: &str = "&=+$,;?/";
        const PASSWORD: &str = "&=+$,";
        const PARAM: &str = "[]/:&+$";
        const HEADER: &str = "[]/?:+$";
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            lex::escape(f, user, USER)?;
            if let Some(password) = &self.password {
                f.write_str(":")?;
                lex::escape(f, password, PASSWORD)?;
            }
            f.write_str("@")?;
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in &self.params {
            f.write_str(";")?;
            lex::escape(f, name, PARAM)?;
            if let Some(value) = value {
                f.write_str("=")?;
                lex::escape(f, value, PARAM)?;
            }
        }
        for (i, (name, value)) in self.headers.iter().enumerate() {
            f.write_str(if i == 0 { "?" } else { "&" })?;
            lex::escape(f, name, HEADER)?;
            f.write_str("=")?;
            lex::escape(f, value, HEADER)?;
        }
        Ok(())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => address.fmt(f),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests;
