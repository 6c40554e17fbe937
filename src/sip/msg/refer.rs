//! Header fields of transfers: Refer-To (RFC 3515), Refer-Sub (RFC 4488), Referred-By (RFC 3892), Replaces (RFC 3891).

use super::{HeaderError, Headers};
use crate::sip::{
    lex,
    uri::{NameAddr, UriError},
};
use std::{fmt, str::FromStr};

/// The dialog that an INVITE is to take the place of (RFC 3891 §6.1). Its tags are named from the recipient's side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaces {
    pub call_id: String,
    /// The recipient's own tag.
    pub to_tag: String,
    /// The tag of the recipient's peer.
    pub from_tag: String,
    /// Only while the dialog is early.
    pub early_only: bool,
}

impl FromStr for Replaces {
    type Err = UriError;

    fn from_str(s: &str) -> Result<Self, UriError> {
        let (call_id, params) = s.split_at(s.find(';').unwrap_or(s.len()));
        let call_id = call_id.trim();
        if call_id.is_empty() || call_id.contains(|c: char| c.is_ascii_whitespace() || c == ',') {
            return Err(UriError("it begins with one Call-ID"));
        }
        let params = lex::params(params).map_err(UriError)?;
        let tag = |name: &str| {
            let mut all = params.iter().filter(|(n, _)| n == name).filter_map(|(_, value)| value.as_deref());
            all.next().filter(|_| all.next().is_none()).map(str::to_owned)
        };
        let (Some(to_tag), Some(from_tag)) = (tag("to-tag"), tag("from-tag")) else {
            return Err(UriError("it names one to-tag and one from-tag"));
        };
        Ok(Self { call_id: call_id.to_owned(), to_tag, from_tag, early_only: lex::has_param(&params, "early-only") })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

impl Headers {
    /// Refer-To (RFC 3515 §2.1): exactly one.
    pub fn refer_to(&self) -> Result<NameAddr, HeaderError> {
        self.only("Refer-To")?.ok_or(HeaderError::Missing("Refer-To"))
    }

    /// Referred-By (RFC 3892 §3): one at most.
    pub fn referred_by(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.only("Referred-By")
    }

    /// Replaces (RFC 3891 §3): one at most, anything else is to be answered 400.
    pub fn replaces(&self) -> Result<Option<Replaces>, HeaderError> {
        self.only("Replaces")
    }

    /// Refer-Sub (RFC 4488 §4): whether REFER makes a subscription; it does where nothing is said.
    pub fn refer_sub(&self) -> bool {
        let value = self.get("Refer-Sub").and_then(|value| value.split(';').next());
        !value.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
    }

    /// The value of a header field that may stand once.
    fn only<T: FromStr<Err = UriError>>(&self, name: &'static str) -> Result<Option<T>, HeaderError> {
        let malformed = |why| HeaderError::Malformed { name: name.to_owned(), why };
        let mut all = self.get_all(name);
        let Some(value) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(malformed("it may stand once only"));
        }
        value.parse().map(Some).map_err(|e: UriError| malformed(e.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::uri::Uri;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in fields {
            headers.push(name, *value);
        }
        headers
    }

    #[test]
    fn replaces_reads_and_writes() {
        for (value, written) in [
            (
                "98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff",
                "98732@sip.example.com;to-tag=ff87ff;from-tag=r33th4x0r",
            ),
            ("12adf2f34456gs5; to-tag=12345 ;from-tag=54321", "12adf2f34456gs5;to-tag=12345;from-tag=54321"),
            (
                "87134@171.161.34.23;To-Tag=24796;From-Tag=0;early-only",
                "87134@171.161.34.23;to-tag=24796;from-tag=0;early-only",
            ),
        ] {
            assert_eq!(value.parse::<Replaces>().map(|r| r.to_string()).as_deref(), Ok(written), "{value}");
        }
        for bad in [
            "",
            ";to-tag=1;from-tag=2",
            "a",
            "a;to-tag=1",
            "a;from-tag=1",
            "a;to-tag=1;to-tag=2;from-tag=3",
            "a b;to-tag=1;from-tag=2",
            "a;to-tag;from-tag=2",
            "a;to-tag=1;from-tag=2, b;to-tag=1;from-tag=2",
        ] {
            assert!(bad.parse::<Replaces>().is_err(), "{bad}");
        }
        let one = ("Replaces", "a;to-tag=1;from-tag=2");
        assert_eq!(headers(&[]).replaces(), Ok(None));
        assert!(headers(&[one]).replaces().is_ok_and(|r| r.is_some()));
        assert!(headers(&[one, one]).replaces().is_err());
    }

    #[test]
    fn refer_to_carries_replaces_in_its_uri() {
        let replaces = Replaces { call_id: "a@b".into(), to_tag: "1".into(), from_tag: "2".into(), early_only: false };
        let mut to: NameAddr = "<sip:102@acme>".parse().unwrap();
        if let Uri::Sip(uri) = &mut to.uri {
            uri.headers = vec![("Replaces".into(), replaces.to_string()), ("Require".into(), "replaces".into())];
        }
        let written = to.to_string();
        assert_eq!(written, "<sip:102@acme?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=replaces>");
        let read = headers(&[("Refer-To", &written)]).refer_to().unwrap();
        let value = &read.uri.as_sip().unwrap().headers[0].1;
        assert_eq!(value.parse(), Ok(replaces));
    }

    #[test]
    fn refer_to_stands_once() {
        let one = ("Refer-To", "<sip:a@b>");
        assert!(headers(&[one]).refer_to().is_ok());
        assert_eq!(headers(&[]).refer_to(), Err(HeaderError::Missing("Refer-To")));
        for bad in [
            &[one, one][..],
            &[("Refer-To", "<sip:a@b>, <sip:c@d>")],
            &[("Refer-To", "sip:a@b?x=y")],
            &[("Refer-To", "nonsense")],
        ] {
            assert!(headers(bad).refer_to().is_err(), "{bad:?}");
        }
        assert!(headers(&[("Referred-By", "<sip:a@b>;cid=\"1@c\"")]).referred_by().is_ok_and(|by| by.is_some()));
    }

    #[test]
    fn a_subscription_is_made_unless_declined() {
        for (value, expected) in [("false", false), ("FALSE ;x=y", false), ("true", true), ("nonsense", true)] {
            assert_eq!(headers(&[("Refer-Sub", value)]).refer_sub(), expected, "{value}");
        }
        assert!(headers(&[]).refer_sub());
    }
}
