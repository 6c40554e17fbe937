//! From the TMS's SIP credential to an account of the user agent.

use crate::{
    sip::{
        flow::Transport,
        uri::{Host, SipUri, Uri},
    },
    tms::wire::SipCredential,
    ua::api::{Account, Secret, usual_emergency_numbers},
};
use std::time::Duration;

/// Wanted registration interval where nothing else is said.
pub const EXPIRES: Duration = Duration::from_secs(600);

/// `wanted`: the transport that the user insists on.
///
/// # Errors
/// A sentence: the TMS serves no transport that is built, or its answer makes no account.
pub fn from_credential(name: &str, credential: SipCredential, wanted: Option<Transport>) -> Result<Account, String> {
    let transport = choose(&credential.transports, wanted)?;
    let aor = aor(&credential).ok_or_else(|| {
        format!("The TMS gave {name} the address {:?}, which is none; ask your IT staff.", credential.aor)
    })?;
    // The name that the certificate is for may be another than the plain transports'.
    let over_tls = credential.outbound_proxy_tls.filter(|_| transport == Transport::Tls);
    let mut proxy = match over_tls.unwrap_or(credential.outbound_proxy).parse() {
        Ok(Uri::Sip(proxy)) => proxy,
        _ => return Err(format!("The TMS gave {name} a proxy without a SIP address; ask your IT staff.")),
    };
    proxy.set_param("transport", Some(transport.uri_name()));
    proxy.set_param("lr", None);
    Ok(Account {
        name: name.to_owned(),
        aor,
        auth_username: credential.username,
        password: Secret(credential.password),
        realm: Some(credential.realm).filter(|realm| !realm.is_empty()),
        outbound_proxy: Some(Uri::Sip(proxy)),
        transport,
        register: true,
        expires: EXPIRES,
        // The driver names them.
        emergency_numbers: Vec::new(),
    })
}

/// The numbers that can always be dialled: those that the user has `named`, failing that those `of_account` at the TMS, failing
/// that the usual ones.
pub fn emergency_numbers(named: Option<&[String]>, of_account: &[String]) -> Vec<String> {
    let told = Some(of_account).filter(|told| !told.is_empty());
    named.or(told).map_or_else(usual_emergency_numbers, <[String]>::to_vec)
}

fn aor(credential: &SipCredential) -> Option<Uri> {
    if credential.aor.starts_with("sip:") || credential.aor.contains('@') {
        let uri = credential.aor.strip_prefix("sip:").unwrap_or(&credential.aor);
        return format!("sip:{uri}").parse().ok();
    }
    let host: Host = credential.realm.parse().ok()?;
    Some(Uri::Sip(SipUri::new(Some(&credential.aor), host, None)))
}

fn choose(served: &[String], wanted: Option<Transport>) -> Result<Transport, String> {
    let named = |name: &String| Transport::ALL.into_iter().find(|t| t.uri_name().eq_ignore_ascii_case(name));
    match (wanted, served.iter().find_map(named)) {
        (Some(wanted), _) if served.is_empty() || served.iter().any(|name| named(name) == Some(wanted)) => Ok(wanted),
        (Some(wanted), _) => Err(format!(
            "The TMS does not serve SIP over {}, only over {}; choose another with --transport.",
            wanted.uri_name(),
            served.join(", ")
        )),
        (None, Some(best)) => Ok(best),
        (None, None) if served.is_empty() => Ok(Transport::Udp),
        (None, None) => Err(format!("not supported yet: SIP over {}, all that the TMS serves", served.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emergency_numbers_are_the_user_s_or_the_account_s_or_the_usual_ones() {
        let list = |numbers: &[&str]| numbers.iter().map(|&number| number.to_owned()).collect::<Vec<_>>();
        let (here, account) = (list(&["110"]), list(&["144", "112"]));
        assert_eq!(emergency_numbers(Some(&here), &account), here);
        assert_eq!(emergency_numbers(None, &account), account);
        assert_eq!(emergency_numbers(None, &[]), usual_emergency_numbers());
    }

    fn credential(transports: &[&str]) -> SipCredential {
        SipCredential {
            aor: "100-acme".into(),
            username: "100-acme~k3f9".into(),
            password: "p".into(),
            realm: "acme".into(),
            outbound_proxy: "sip:127.0.0.1:5060".into(),
            outbound_proxy_tls: Some("sip:tms.example:5061".into()),
            transports: transports.iter().map(|t| (*t).to_owned()).collect(),
            expires_at: jiff::Timestamp::UNIX_EPOCH,
            media: None,
        }
    }

    #[test]
    fn the_account_of_a_credential() {
        let account = from_credential("100-acme", credential(&["tls", "tcp", "udp"]), None).expect("an account");
        assert_eq!(account.aor.to_string(), "sip:100-acme@acme");
        assert_eq!((account.auth_username.as_str(), account.realm.as_deref()), ("100-acme~k3f9", Some("acme")));
        assert_eq!(account.transport, Transport::Tls, "the best");
        let proxy = account.outbound_proxy.expect("a proxy").to_string();
        assert_eq!(proxy, "sip:tms.example:5061;transport=tls;lr");
        let whole = SipCredential { aor: "sip:100-acme@acme".into(), realm: String::new(), ..credential(&[]) };
        let account = from_credential("x", whole, None).expect("an account");
        assert_eq!((account.aor.to_string().as_str(), account.realm), ("sip:100-acme@acme", None));
    }

    #[test]
    fn transports() {
        use Transport::{Tcp, Tls, Udp};
        for (served, wanted, expected) in [
            (&["udp", "tcp"][..], None, Some(Udp)),
            (&["udp", "tcp"], Some(Tcp), Some(Tcp)),
            (&["udp"], Some(Tcp), None),
            (&["tls"], None, Some(Tls)),
            (&["sctp"], None, None),
            (&["tls", "udp"], Some(Udp), Some(Udp)),
            (&[], None, Some(Udp)),
            (&[], Some(Tcp), Some(Tcp)),
        ] {
            let account = from_credential("x", credential(served), wanted);
            assert_eq!(account.ok().map(|a| a.transport), expected, "{served:?} {wanted:?}");
        }
        let broken = SipCredential { outbound_proxy: "http://x".into(), ..credential(&["udp"]) };
        assert!(from_credential("x", broken, None).expect_err("no proxy").contains("IT staff"));
    }
}
