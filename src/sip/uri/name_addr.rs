//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route, Refer-To, …

use super::{Uri, UriError};
use crate::sip::lex;
use std::{fmt, str::FromStr};

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

impl NameAddr {
    /// `<uri>` without display name or parameters.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Vec::new() }
    }

    /// A header parameter's value, without the quotes it may stand in; `None` also for one without a value.
    pub fn param(&self, name: &str) -> Option<&str> {
        lex::get_param(&self.params, name)
    }

    /// Whether a header parameter is there, with or without a value.
    pub fn has_param(&self, name: &str) -> bool {
        lex::has_param(&self.params, name)
    }

    /// Replaces a header parameter or appends it. A value that is no token is to be given in quotes.
    pub fn set_param(&mut self, name: &str, value: Option<&str>) {
        lex::set_param(&mut self.params, name, value);
    }

    /// The dialog tag of a From or To.
    pub fn tag(&self) -> Option<&str> {
        self.param("tag")
    }
}

impl FromStr for NameAddr {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        let s = s.trim();
        let (display, rest) = if s.starts_with('"') {
            let (display, rest) =
                lex::quoted_string(s).ok_or(UriError("the quoted string of the display name never ends"))?;
            (Some(display), rest.trim_start())
        } else {
            // In `sip:a@b;x="<"` the bracket is no part of a name-addr: what comes first decides.
            match s.find(['<', ';', '"']) {
                Some(at) if s.as_bytes()[at] == b'<' => (display_name(&s[..at])?, &s[at..]),
                _ => return addr_spec(s),
            }
        };
        let rest = rest.strip_prefix('<').ok_or(UriError("an address in angle brackets was expected"))?;
        let (uri, params) = rest.split_once('>').ok_or(UriError("the angle bracket is never closed"))?;
        Ok(Self { display, uri: uri.parse()?, params: lex::params(params).map_err(UriError)? })
    }
}

/// A display name without quotes. RFC 3261 allows tokens only; what many phones send (letters beyond ASCII, `@`,
/// brackets) is let through, and what could be mistaken for structure is not (RFC 4475 §3.1.2.15).
fn display_name(s: &str) -> Result<Option<String>, UriError> {
    let s = s.trim();
    if s.contains([',', '>', '\\', ':']) {
        return Err(UriError("a display name with special characters stands in quotes"));
    }
    Ok((!s.is_empty()).then(|| s.to_owned()))
}

/// Without angle brackets every parameter is the header's, and the URI may hold no `,` `?` `;` (RFC 3261 §20).
fn addr_spec(s: &str) -> Result<NameAddr, UriError> {
    let (uri, params) = s.split_at(s.find(';').unwrap_or(s.len()));
    if uri.contains(['?', ',']) {
        return Err(UriError("an address with a question mark or a comma stands in angle brackets"));
    }
    Ok(NameAddr { display: None, uri: uri.trim_end().parse()?, params: lex::params(params).map_err(UriError)? })
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", lex::quote(display))?;
        }
        write!(f, "<{}>", self.uri)?;
        lex::write_params(f, &self.params)
    }
}
