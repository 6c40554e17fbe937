//! Who calls, for whom, and by whose forwarding: what the request says, and how far it is believed (RFC 3323, RFC 3325,
//! RFC 5806, RFC 7044); and what a call of ours says of us.

use super::api::{Account, Origin};
use crate::sip::{
    msg::{Headers, Request},
    uri::{Host, NameAddr, SipUri, Uri},
};

/// Header fields that are true only if our own servers say so: asserted identities (RFC 3325 §5), the way the call came
/// (RFC 5806 §7, RFC 7044 §12), and orders to answer or to treat it as a call-back (RFC 7462, RFC 5373 §6, RFC 7090 §5).
const VOUCHED: [&str; 9] = [
    "P-Asserted-Identity",
    "Remote-Party-ID",
    "Diversion",
    "History-Info",
    "Alert-Info",
    "Call-Info",
    "Answer-Mode",
    "Priv-Answer-Mode",
    "Priority",
];
/// Longest name shown; more is cut.
const NAME: usize = 80;
/// Diversions looked at; more is a circle.
const MOST_DIVERSIONS: usize = 32;

/// Who called and how the call came here, in words for people.
pub(super) struct Identity {
    /// The caller's URI without parameters.
    pub peer: String,
    pub peer_name: Option<String>,
    /// The number or queue that was called, where it is not simply the account.
    pub called: Option<String>,
    pub origin: Origin,
}

/// Takes away what only our own servers may say, where somebody else has said it.
pub(super) fn distrust(headers: &mut Headers) {
    for name in VOUCHED {
        headers.remove(name);
    }
}

/// Reads a request whose headers have been through [`distrust`] unless our servers sent it. `from`: its From.
pub(super) fn of(headers: &Headers, from: &NameAddr, account: &Account) -> Identity {
    let asserted = asserted(headers).or_else(|| remote_party(headers));
    let anonymous = asserted.is_none() && is_anonymous(from);
    let mut caller = asserted.unwrap_or_else(|| from.clone());
    if caller.display.is_none() && !is_anonymous(from) {
        caller.display.clone_from(&from.display);
    }
    let (called, origin) = way(headers, account);
    Identity {
        peer: readable(&caller),
        peer_name: name(&caller).filter(|_| !anonymous),
        called,
        origin: Origin { anonymous, ..origin },
    }
}

/// Who the peer of a call turns out to be, by a request within it: as our servers assert (RFC 3325), else by its From (RFC 4916
/// §4.3) where that is another than `known`.
pub(super) fn turned_out(headers: &Headers, known: &NameAddr) -> Option<(String, Option<String>)> {
    let asserted = asserted(headers).or_else(|| remote_party(headers));
    // A name that is only left out stays.
    let renamed = |from: &NameAddr| from.display.is_some() && from.display != known.display;
    let from = || headers.from().ok().filter(|from| from.uri != known.uri || renamed(from));
    let who = asserted.or_else(from)?;
    Some((readable(&who), name(&who)))
}

/// RFC 3325 §9.1: SIP and tel may stand side by side. An identity that its owner wants kept (§9.3) is not shown, even where a
/// server passes it on.
fn asserted(headers: &Headers) -> Option<NameAddr> {
    if is_withheld(headers) {
        return None;
    }
    let all = headers.name_addrs("P-Asserted-Identity").unwrap_or_default();
    let display = all.iter().find_map(|a| a.display.clone());
    let first = all.into_iter().next()?;
    Some(NameAddr { display: first.display.clone().or(display), ..first })
}

/// The form before RFC 3325, which many PBXs still send: `<…>;party=calling;privacy=off;screen=yes`.
fn remote_party(headers: &Headers) -> Option<NameAddr> {
    let all = headers.name_addrs("Remote-Party-ID").unwrap_or_default();
    let is = |a: &NameAddr, name: &str, wanted: &str| a.param(name).is_none_or(|v| v.eq_ignore_ascii_case(wanted));
    all.into_iter()
        .find(|a| is(a, "party", "calling"))
        .filter(|a| is(a, "privacy", "off") && is(a, "screen", "yes") && !is_withheld(headers))
}

/// Whether the caller wants the asserted identity kept from us (RFC 3323 §4.2, RFC 3325 §9.3).
fn is_withheld(headers: &Headers) -> bool {
    let mut asked = headers.get_all("Privacy").flat_map(|value| value.split([';', ',']));
    asked.any(|value| matches!(value.trim().to_ascii_lowercase().as_str(), "id" | "user"))
}

/// RFC 3323 §4.1.1.3, and what PBXs write instead.
fn is_anonymous(from: &NameAddr) -> bool {
    let Uri::Sip(uri) = &from.uri else { return false };
    let user = uri.user.as_deref().unwrap_or_default().to_ascii_lowercase();
    uri.host == Host::Name("anonymous.invalid".to_owned()) || matches!(user.as_str(), "anonymous" | "restricted")
}

/// For whom the call was and who sent it on to us, by Diversion, else by History-Info.
fn way(headers: &Headers, account: &Account) -> (Option<String>, Origin) {
    let to = headers.to().ok();
    let (forwarder, original) = match diversion(headers).or_else(|| history(headers)) {
        Some((forwarder, original)) => (Some(forwarder), Some(original)),
        None => (None, None),
    };
    // The first that was called, unless that one simply forwards to us.
    let first = original.filter(|o| forwarder.as_ref().is_some_and(|f| !f.uri.equivalent(&o.uri)));
    let user = |uri: &Uri| uri.as_sip().and_then(|u| u.user.clone());
    let called = first.or(to).filter(|called| user(&called.uri) != user(&account.aor));
    let forwarder = forwarder.filter(|f| !is_private(f));
    let origin = Origin {
        anonymous: false,
        called_name: called.as_ref().and_then(name),
        forwarded_by: forwarder.as_ref().map(readable),
        forwarded_by_name: forwarder.as_ref().and_then(name),
        answers_itself: false,
    };
    (called.as_ref().map(readable), origin)
}

/// RFC 5806 §4.1: the latest forwarder stands first, the first one last.
fn diversion(headers: &Headers) -> Option<(NameAddr, NameAddr)> {
    let mut all = headers.name_addrs("Diversion").ok()?.into_iter().take(MOST_DIVERSIONS);
    let latest = all.next()?;
    let first = all.next_back().unwrap_or_else(|| latest.clone());
    Some((latest, first))
}

/// RFC 7044 §10: an entry whose target is somebody else has `mp`, which names the entry that it replaced; before it (RFC 4244
/// with RFC 4458) a `cause` in the URI said as much of the entry before.
fn history(headers: &Headers) -> Option<(NameAddr, NameAddr)> {
    let entries: Vec<_> = headers.name_addrs("History-Info").ok()?.into_iter().take(MOST_DIVERSIONS).collect();
    let replaced = |at: usize| {
        let entry = &entries[at];
        match entry.param("mp") {
            Some(index) => entries.iter().find(|e| e.param("index") == Some(index)),
            None => entry.uri.as_sip()?.param("cause").and_then(|_| entries.get(at.checked_sub(1)?)),
        }
    };
    let latest = (0..entries.len()).rev().find_map(replaced)?;
    Some((plain(latest), plain(entries.first()?)))
}

/// Takes over from a 3xx how the call has been forwarded: what it says anew, before what is known. For the INVITE that follows it.
pub(super) fn carry_on(history: &mut Vec<(&'static str, String)>, response: &Headers) {
    let earlier = std::mem::take(history);
    for name in ["History-Info", "Diversion"] {
        let told = response.name_addrs(name).unwrap_or_default().into_iter().map(|entry| (name, entry.to_string()));
        for entry in told.chain(earlier.iter().filter(|known| known.0 == name).cloned()) {
            if history.len() < MOST_DIVERSIONS && !history.contains(&entry) {
                history.push(entry);
            }
        }
    }
}

/// Without the URI's headers, which say why the call went on and belong to nobody's address; `Privacy=history` among them
/// becomes a parameter for [`is_private`].
fn plain(entry: &NameAddr) -> NameAddr {
    let mut entry = entry.clone();
    if let Uri::Sip(uri) = &mut entry.uri {
        let headers = std::mem::take(&mut uri.headers);
        if headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("Privacy") && value != "none") {
            entry.set_param("privacy", Some("full"));
        }
    }
    entry
}

/// RFC 5806 §4.2: `privacy=full|name|uri|off`.
fn is_private(address: &NameAddr) -> bool {
    address.param("privacy").is_some_and(|p| !p.eq_ignore_ascii_case("off"))
}

/// A display name as it can be shown: no controls, nothing that turns the direction of what follows, not too long.
fn name(address: &NameAddr) -> Option<String> {
    let harmless = |c: &char| {
        !c.is_control() && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let name: String = address.display.as_deref()?.chars().filter(harmless).take(NAME).collect();
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// An address as people read it: the URI without parameters and password.
pub(super) fn readable(address: &NameAddr) -> String {
    match &address.uri {
        Uri::Sip(uri) => {
            let plain = SipUri { password: None, params: Vec::new(), headers: Vec::new(), ..uri.clone() };
            plain.to_string()
        }
        other @ (Uri::Tel { .. } | Uri::Other { .. }) => other.to_string(),
    }
}

/// The From of an anonymous call (RFC 3323 §4.1.1.3). A TMS asks for the password of the domain that stands there, which therefore
/// has to be its own.
pub(super) fn anonymous_from(account: &Account) -> NameAddr {
    let own = account.aor.as_sip().filter(|_| account.realm.is_some()).map(|aor| aor.host.clone());
    let host = own.unwrap_or_else(|| Host::Name("anonymous.invalid".to_owned()));
    let uri = SipUri::new(Some("anonymous"), host, None);
    NameAddr { display: Some("Anonymous".to_owned()), ..NameAddr::new(Uri::Sip(uri)) }
}

/// Asks the servers to keep our identity from the other side, and tells it to them, if the request goes to one of ours (RFC 3325
/// §9.2, §9.3).
pub(super) fn withhold(request: &mut Request, account: &Account) {
    let host = |uri: &Uri| uri.as_sip().map(|sip| sip.host.clone());
    request.headers.push("Privacy", "id");
    if request.headers.contains("Route") || host(&request.uri) == host(&account.aor) {
        request.headers.push("P-Preferred-Identity", NameAddr::new(account.aor.clone()).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Identity {
        let mut headers = Headers::new();
        headers.push("To", "<sip:100-acme@acme>");
        for (name, value) in fields {
            if *name == "To" { headers.set(name, *value) } else { headers.push(name, *value) }
        }
        let from = headers.get("From").unwrap_or("\"Alice\" <sip:alice@acme>;tag=1").parse().expect("a From");
        of(&headers, &from, &crate::ua::tests::bench::account(true))
    }

    const ANONYMOUS: (&str, &str) = ("From", "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1");

    /// Fields, then the caller's URI and name, and whether the caller is unknown.
    #[test]
    fn who_calls() {
        let asserted = ("P-Asserted-Identity", "\"Sales\" <sip:+12015550123@acme;user=phone>, <tel:+12015550123>");
        let rpid = |params: &str| format!("\"Rita\" <sip:rita@acme>{params}");
        let (calling, called) = (rpid(";party=calling;privacy=off;screen=yes"), rpid(";party=called"));
        let (private, unscreened) = (rpid(";privacy=full"), rpid(";screen=no"));
        type Case<'a> = (&'a [(&'a str, &'a str)], (&'a str, Option<&'a str>, bool));
        let cases: [Case<'_>; 15] = [
            (&[], ("sip:alice@acme", Some("Alice"), false)),
            (&[("From", "\"  \" <sip:bob@acme>")], ("sip:bob@acme", None, false)),
            (&[("From", "\"A\u{202e}nn\u{7}\" <sip:bob@acme>")], ("sip:bob@acme", Some("Ann"), false)),
            (&[asserted], ("sip:+12015550123@acme", Some("Sales"), false)),
            (&[("P-Asserted-Identity", "<tel:+1>, \"Bo\" <sip:bo@acme>")], ("tel:+1", Some("Bo"), false)),
            (&[("P-Asserted-Identity", "<tel:+1>")], ("tel:+1", Some("Alice"), false)),
            (&[asserted, ANONYMOUS], ("sip:+12015550123@acme", Some("Sales"), false)),
            (&[("P-Asserted-Identity", "<tel:+1>"), ANONYMOUS], ("tel:+1", None, false)),
            (&[asserted, ANONYMOUS, ("Privacy", "id")], ("sip:anonymous@anonymous.invalid", None, true)),
            (&[asserted, ("Privacy", "critical;ID")], ("sip:alice@acme", Some("Alice"), false)),
            (&[asserted, ("Privacy", "none")], ("sip:+12015550123@acme", Some("Sales"), false)),
            (&[("Remote-Party-ID", &calling)], ("sip:rita@acme", Some("Rita"), false)),
            (&[("Remote-Party-ID", &called)], ("sip:alice@acme", Some("Alice"), false)),
            (&[("Remote-Party-ID", &private), ANONYMOUS], ("sip:anonymous@anonymous.invalid", None, true)),
            (&[("Remote-Party-ID", &unscreened)], ("sip:alice@acme", Some("Alice"), false)),
        ];
        for (fields, (peer, name, anonymous)) in cases {
            let identity = read(fields);
            assert_eq!((identity.peer.as_str(), identity.peer_name.as_deref()), (peer, name), "{fields:?}");
            assert_eq!(identity.origin.anonymous, anonymous, "{fields:?}");
        }
    }

    /// Fields, then for whom the call was and who forwarded it, each as address and name.
    #[test]
    fn for_whom_and_by_whose_forwarding() {
        type Party<'a> = (Option<&'a str>, Option<&'a str>);
        type Case<'a> = (&'a [(&'a str, &'a str)], Party<'a>, Party<'a>);
        const NOBODY: Party<'_> = (None, None);
        let sales = (Some("sip:sales@acme"), Some("Sales"));
        let anna = (Some("sip:anna@acme"), Some("Anna"));
        let cases: [Case<'_>; 12] = [
            (&[], NOBODY, NOBODY),
            (&[("To", "\"Sales\" <sip:sales@acme>")], sales, NOBODY),
            (
                &[("Diversion", "\"Anna\" <sip:anna@acme>;reason=unconditional, \"Sales\" <sip:sales@acme>")],
                sales,
                anna,
            ),
            (&[("Diversion", "\"Anna\" <sip:anna@acme>"), ("To", "\"Sales\" <sip:sales@acme>")], sales, anna),
            (&[("Diversion", "\"Anna\" <sip:anna@acme>")], NOBODY, anna),
            (&[("Diversion", "\"Anna\" <sip:anna@acme>;privacy=full")], NOBODY, NOBODY),
            (&[("Diversion", "rubbish <")], NOBODY, NOBODY),
            (
                &[(
                    "History-Info",
                    "\"Sales\" <sip:sales@acme>;index=1, \"Anna\" <sip:anna@acme?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1, \
                     <sip:100-acme@acme>;index=1.1.1;mp=1.1",
                )],
                sales,
                anna,
            ),
            (
                &[(
                    "History-Info",
                    "\"Sales\" <sip:sales@acme>;index=1, \"Anna\" <sip:anna@acme;cause=302>;index=1.1, \
                     <sip:100-acme@acme;cause=408>;index=1.2",
                )],
                sales,
                (Some("sip:anna@acme"), Some("Anna")),
            ),
            (
                &[("History-Info", "<sip:anna@acme?Privacy=history>;index=1, <sip:100-acme@acme>;index=1.1;mp=1")],
                NOBODY,
                NOBODY,
            ),
            (&[("History-Info", "<sip:100-acme@acme>;index=1, <sip:100@192.0.2.1>;index=1.1;rc=1")], NOBODY, NOBODY),
            (&[("History-Info", "<sip:100-acme@acme>;index=1;mp=7")], NOBODY, NOBODY),
        ];
        for (fields, called, forwarded) in cases {
            let Identity { called: uri, origin, .. } = read(fields);
            assert_eq!((uri.as_deref(), origin.called_name.as_deref()), called, "{fields:?}");
            let by = (origin.forwarded_by.as_deref(), origin.forwarded_by_name.as_deref());
            assert_eq!(by, forwarded, "{fields:?}");
        }
    }

    #[test]
    fn what_only_our_servers_may_say_is_dropped_from_others() {
        let mut headers = Headers::new();
        headers.push("Subject", "stays");
        for name in VOUCHED {
            headers.push(name, "x");
        }
        distrust(&mut headers);
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("Subject", "stays")]);
    }
}
