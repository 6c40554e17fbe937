//! Addresses: SIP, SIPS, tel and any other URI (RFC 3261 §19, 3966, 5954), and name-addr header values.

use std::{fmt, str::FromStr};

/// A URI in a Request-URI or an address header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    Sip(SipUri),
    /// `tel:+27215550142;phone-context=…` (RFC 3966).
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

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// Lower case.
    Name(String),
    Ip(std::net::IpAddr),
}

/// `"Display" <uri>;tag=…` or `uri;tag=…` (RFC 3261 §20.10, §25.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// Unquoted and unescaped; `None` where nothing stood.
    pub display: Option<String>,
    pub uri: Uri,
    /// Header parameters (not the URI's). Names in lower case; a quoted value stays quoted, so that it is written back as
    /// it was; [`NameAddr::param`] unquotes.
    pub params: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub &'static str);

impl Uri {
    /// The SIP part, if it is one.
    pub fn as_sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(s) => Some(s),
            _ => None,
        }
    }
    /// Equality by RFC 3261 §19.1.4 (parameters that must match, escapes, default ports not assumed).
    pub fn equivalent(&self, _other: &Self) -> bool {
        todo!()
    }
}

impl SipUri {
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
    pub fn param(&self, _name: &str) -> Option<&str> {
        todo!()
    }
    pub fn has_param(&self, _name: &str) -> bool {
        todo!()
    }
    pub fn set_param(&mut self, _name: &str, _value: Option<&str>) {
        todo!()
    }
}

impl NameAddr {
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Vec::new() }
    }
    pub fn param(&self, _name: &str) -> Option<&str> {
        todo!()
    }
    pub fn set_param(&mut self, _name: &str, _value: Option<&str>) {
        todo!()
    }
    pub fn tag(&self) -> Option<&str> {
        self.param("tag")
    }
}

impl FromStr for Uri {
    type Err = UriError;
    fn from_str(_s: &str) -> Result<Self, UriError> {
        todo!()
    }
}
impl FromStr for NameAddr {
    type Err = UriError;
    fn from_str(_s: &str) -> Result<Self, UriError> {
        todo!()
    }
}
impl FromStr for Host {
    type Err = UriError;
    fn from_str(_s: &str) -> Result<Self, UriError> {
        todo!()
    }
}
impl fmt::Display for Uri {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for SipUri {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for NameAddr {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
impl fmt::Display for Host {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        todo!()
    }
}
