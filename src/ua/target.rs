//! From what a person dials to the URI that is called.

use crate::{
    number,
    sip::uri::{SipUri, Uri},
};

/// `to`: a number or user name at the account's domain, a SIP URI, or a tel URI (RFC 3966), which the account's domain is
/// asked to reach (RFC 3261 §19.1.6).
///
/// # Errors
/// A sentence with the way out.
pub(super) fn parse(to: &str, aor: &Uri) -> Result<Uri, String> {
    let to = to.trim();
    if to.is_empty() {
        return Err("Enter a number or an address to call.".to_owned());
    }
    let scheme = to.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("sip" | "sips") => match to.parse() {
            Ok(Uri::Sip(uri)) => Ok(Uri::Sip(SipUri { headers: Vec::new(), ..uri })),
            Ok(_) => Err(format!("“{to}” cannot be called.")),
            Err(error) => Err(format!("“{to}” is not a SIP address: {error}.")),
        },
        Some("tel") => match to.parse() {
            Ok(Uri::Tel { number, params }) => at_domain(&number, &params, aor),
            Ok(_) => Err(format!("“{to}” cannot be called.")),
            Err(error) => Err(format!("“{to}” is not a telephone number: {error}.")),
        },
        Some(scheme) if !to.contains('@') && scheme.bytes().all(|b| b.is_ascii_alphabetic()) => {
            Err(format!("Addresses of the kind “{scheme}:” cannot be called; use a number, sip: or tel:."))
        }
        _ if to.contains('@') => {
            format!("sip:{to}").parse().map_err(|error| format!("“{to}” is not a SIP address: {error}."))
        }
        _ => match number::dialled(to) {
            Some(number) => user_at_domain(&number, aor).map(Uri::Sip),
            None if to.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Err(format!("“{to}” is neither a number nor an address."))
            }
            None => user_at_domain(to, aor).map(Uri::Sip),
        },
    }
}

/// RFC 3261 §19.1.6: the number with its parameters becomes the user part, marked `user=phone`; RFC 3966 §5.1.1 drops the
/// visual separators.
fn at_domain(number: &str, params: &[(String, Option<String>)], aor: &Uri) -> Result<Uri, String> {
    let mut user = number::bare(number);
    for (name, value) in params {
        user.push(';');
        user.push_str(name);
        if let Some(value) = value {
            user.push('=');
            user.push_str(value);
        }
    }
    let mut uri = user_at_domain(&user, aor)?;
    uri.set_param("user", Some("phone"));
    Ok(Uri::Sip(uri))
}

fn user_at_domain(user: &str, aor: &Uri) -> Result<SipUri, String> {
    let Some(account) = aor.as_sip() else {
        return Err("The account has no domain to call numbers at; dial a full SIP address.".to_owned());
    };
    Ok(SipUri { secure: account.secure, ..SipUri::new(Some(user), account.host.clone(), account.port) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_dial_becomes_a_uri() {
        let aor: Uri = "sip:100-acme@acme:5070".parse().unwrap();
        for (to, expected) in [
            ("101", Ok("sip:101@acme:5070")),
            (" 101 ", Ok("sip:101@acme:5070")),
            ("+44 (20) 7946-0000", Ok("sip:+442079460000@acme:5070")),
            ("*97#", Ok("sip:*97%23@acme:5070")),
            ("alice", Ok("sip:alice@acme:5070")),
            ("alice@example.com", Ok("sip:alice@example.com")),
            ("sip:bob@192.0.2.1:5080;transport=tcp", Ok("sip:bob@192.0.2.1:5080;transport=tcp")),
            ("sip:bob@example.com?Replaces=x", Ok("sip:bob@example.com")),
            ("SIPS:bob@example.com", Ok("sips:bob@example.com")),
            ("tel:+1-201-555-0123", Ok("sip:+12015550123@acme:5070;user=phone")),
            ("tel:7042;phone-context=example.com", Ok("sip:7042;phone-context=example.com@acme:5070;user=phone")),
            ("", Err("Enter a number")),
            ("   ", Err("Enter a number")),
            ("http://example.com", Err("Addresses of the kind")),
            ("sip:", Err("“sip:” is not a SIP address")),
            ("tel:alice", Err("“tel:alice” is not a telephone number")),
            ("two words", Err("“two words” is neither")),
            ("a\u{7}b", Err("“a\u{7}b” is neither")),
        ] {
            match (parse(to, &aor), expected) {
                (Ok(uri), Ok(expected)) => assert_eq!(uri.to_string(), expected, "{to}"),
                (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{to}: {error}"),
                (result, _) => panic!("{to}: {result:?}"),
            }
        }
    }
}
