//! Reading the registrar's answers.

use crate::{
    sip::{
        lex,
        msg::{Contact, Headers, Request, Response},
        uri::{NameAddr, Uri},
    },
    ua::stack::Gruus,
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Whatever a registrar grants, nothing is refreshed more rarely.
const LONGEST: u32 = 24 * 3600;

/// Contacts of ours that are cleared away at a time.
const MAX_STALE: usize = 4;

/// How the TMS names the problem that another device holds the registration, in SIP as in HTTP.
const IN_USE: &str = "problem:registration-in-use";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Granted {
    For {
        expires: Duration,
        /// Our contact stands in the answer.
        is_listed: bool,
    },
    /// The registrar lists contacts, and ours is not among them.
    Nothing,
}

/// How long *our* contact is registered for (RFC 3261 §10.2.4); the answer may list other devices'.
pub(super) fn granted(request: &Request, response: &Response, asked: Duration) -> Granted {
    let contacts = addresses(&response.headers);
    let header = response.headers.number("Expires");
    let expires = header.map_or(asked, seconds).max(Duration::from_secs(1));
    let fallback = Granted::For { expires, is_listed: false };
    if contacts.is_empty() {
        // Not what the RFC asks for, yet some registrars leave the list out.
        return fallback;
    }
    let Some(ours) = addresses(&request.headers).into_iter().next() else { return fallback };
    let same = same(&contacts, &ours);
    match same.map(|c| c.param("expires").and_then(lex::digits).or(header)) {
        Some(Some(0)) | None => Granted::Nothing,
        Some(Some(granted)) => Granted::For { expires: seconds(granted), is_listed: true },
        Some(None) => Granted::For { expires, is_listed: true },
    }
}

/// What the registrar has named our contact by (RFC 5627 §4.2).
pub(super) fn gruus(aor: &Uri, request: &Request, response: &Response) -> Option<Gruus> {
    let (contacts, ours) = (addresses(&response.headers), addresses(&request.headers).into_iter().next()?);
    let ours = same(&contacts, &ours)?;
    let gruu = |name: &str| {
        let uri: Uri = ours.param(name)?.parse().ok()?;
        uri.as_sip().is_some_and(|sip| sip.has_param("gr") && sip.headers.is_empty()).then_some(uri)
    };
    Some(Gruus { aor: aor.clone(), public: gruu("pub-gruu")?, temporary: gruu("temp-gruu") })
}

fn same<'a>(contacts: &'a [NameAddr], ours: &NameAddr) -> Option<&'a NameAddr> {
    let instance = ours.param("+sip.instance");
    let same_uri = contacts.iter().find(|c| c.uri.equivalent(&ours.uri));
    // A border element may rewrite the URI; the instance stays.
    same_uri.or_else(|| contacts.iter().find(|c| instance.is_some() && c.param("+sip.instance") == instance))
}

/// Our own earlier contacts that the registrar still lists, from before the address changed or the program fell: calls to them
/// ring nowhere. Another flow of ours would have another reg-id (RFC 5626 §4.2).
pub(super) fn stale(request: &Request, response: &Response) -> Vec<NameAddr> {
    let Some(ours) = addresses(&request.headers).into_iter().next() else { return Vec::new() };
    let instance = |contact: &NameAddr| contact.param("+sip.instance").map(str::to_owned);
    let is_stale = |contact: &NameAddr| {
        instance(contact).is_some()
            && instance(contact) == instance(&ours)
            && contact.param("reg-id").is_none_or(|id| Some(id) == ours.param("reg-id"))
            && !contact.uri.equivalent(&ours.uri)
    };
    let listed = addresses(&response.headers);
    // A border element may have rewritten ours: then the only one of our instance is it.
    if !listed.iter().any(|contact| contact.uri.equivalent(&ours.uri)) {
        return Vec::new();
    }
    listed.into_iter().filter(is_stale).take(MAX_STALE).collect()
}

/// How we are seen, where that differs from what we said in a way that keeps others from reaching us: an address translator
/// stands between (RFC 3581 §4). Over TCP the port is the connection's own and says nothing: we listen at ours. Over TLS we do
/// not, so that the connection's is the only one that leads to us.
pub(super) fn seen_as(response: &Response) -> Option<SocketAddr> {
    let via = response.headers.top_via().ok()?;
    let host = |text: &str| text.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let said = host(&via.host)?;
    let seen = via.param("received").and_then(host).unwrap_or(said);
    let listens = via.transport.eq_ignore_ascii_case("TCP");
    let port = via.param("rport").and_then(|port| port.parse().ok()).filter(|port| *port != 0 && !listens);
    let said_port = via.port.unwrap_or(5060);
    let seen = SocketAddr::new(seen, port.unwrap_or(said_port));
    (seen != SocketAddr::new(said, said_port) && !said.is_unspecified()).then_some(seen)
}

fn seconds(granted: u32) -> Duration {
    Duration::from_secs(granted.min(LONGEST).into())
}

/// Where a 3xx sends us: the first SIP contact.
pub(super) fn redirect_target(response: &Response) -> Option<Uri> {
    addresses(&response.headers).into_iter().map(|c| c.uri).find(|uri| uri.as_sip().is_some())
}

/// Whether another device holds the address of record: the TMS says so in Error-Info (RFC 3261 §20.18), other registrars in
/// words if at all.
pub(super) fn is_conflict(response: &Response) -> bool {
    let told = response.headers.get_all("Error-Info").any(|uri| uri.contains(IN_USE));
    let words = || response.reason.to_ascii_lowercase();
    response.code() == 403 && (told || words().contains("in use"))
}

/// Whether trying again later may help without anybody doing anything.
pub(super) const fn is_temporary(code: u16) -> bool {
    matches!(code, 408 | 429 | 480 | 491 | 500..=599)
}

fn addresses(headers: &Headers) -> Vec<NameAddr> {
    let contacts = headers.contacts().unwrap_or_default();
    contacts
        .into_iter()
        .filter_map(|c| match c {
            Contact::Addr(address) => Some(address),
            Contact::Star => None,
        })
        .collect()
}
