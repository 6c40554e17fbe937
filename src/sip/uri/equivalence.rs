//! When two URIs name the same thing (RFC 3261 §19.1.4, RFC 3966 §4).

use super::{SipUri, Uri};

pub(super) fn equivalent(a: &Uri, b: &Uri) -> bool {
    match (a, b) {
        (Uri::Sip(a), Uri::Sip(b)) => sip(a, b),
        (Uri::Tel { number: a, params: p }, Uri::Tel { number: b, params: q }) => {
            digits(a).eq(digits(b))
                && p.len() == q.len()
                && p.iter().all(|(name, value)| has(q, name, value.as_deref()))
        }
        (Uri::Other { scheme: a, rest: p }, Uri::Other { scheme: b, rest: q }) => a.eq_ignore_ascii_case(b) && p == q,
        (Uri::Sip(_) | Uri::Tel { .. } | Uri::Other { .. }, _) => false,
    }
}

/// A telephone number without its visual separators.
fn digits(number: &str) -> impl Iterator<Item = u8> {
    number.bytes().filter(|b| !b"-.()".contains(b)).map(|b| b.to_ascii_lowercase())
}

fn sip(a: &SipUri, b: &SipUri) -> bool {
    // These count also when only one of the two has them; any other parameter only when both do.
    const SIGNIFICANT: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    let params_agree = |a: &SipUri, b: &SipUri| {
        a.params.iter().all(|(name, value)| {
            if b.has_param(name) {
                has(&b.params, name, value.as_deref())
            } else {
                !SIGNIFICANT.contains(&name.as_str())
            }
        })
    };
    a.secure == b.secure
        && a.user == b.user
        && a.password == b.password
        && a.host == b.host
        && a.port == b.port
        && params_agree(a, b)
        && params_agree(b, a)
        && a.headers.len() == b.headers.len()
        && a.headers.iter().all(|(name, value)| {
            b.headers.iter().any(|(other, same)| other.eq_ignore_ascii_case(name) && same == value)
        })
}

fn has(params: &[(String, Option<String>)], name: &str, value: Option<&str>) -> bool {
    params.iter().any(|(other, same)| {
        other.eq_ignore_ascii_case(name)
            && match (same, value) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            }
    })
}
