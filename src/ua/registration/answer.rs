//! Reading the registrar's answers.

use crate::sip::{
    lex,
    msg::{Contact, Headers, Request, Response},
    uri::{NameAddr, Uri},
};
use std::time::Duration;

/// Whatever a registrar grants, nothing is refreshed more rarely.
const LONGEST: u32 = 24 * 3600;

/// How the TMS names the problem that another device holds the registration, in SIP as in HTTP.
const IN_USE: &str = "problem:registration-in-use";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Granted {
    For(Duration),
    /// The registrar lists contacts, and ours is not among them.
    Nothing,
}

/// How long *our* contact is registered for (RFC 3261 §10.2.4); the answer may list other devices'.
pub(super) fn granted(request: &Request, response: &Response, asked: Duration) -> Granted {
    let contacts = addresses(&response.headers);
    let header = response.headers.number("Expires");
    let fallback = Granted::For(header.map_or(asked, seconds).max(Duration::from_secs(1)));
    if contacts.is_empty() {
        // Not what the RFC asks for, yet some registrars leave the list out.
        return fallback;
    }
    let Some(ours) = addresses(&request.headers).into_iter().next() else { return fallback };
    let instance = ours.param("+sip.instance");
    let same_uri = contacts.iter().find(|c| c.uri.equivalent(&ours.uri));
    // A border element may rewrite the URI; the instance stays.
    let same =
        same_uri.or_else(|| contacts.iter().find(|c| instance.is_some() && c.param("+sip.instance") == instance));
    match same.map(|c| c.param("expires").and_then(lex::digits).or(header)) {
        Some(Some(0)) | None => Granted::Nothing,
        Some(Some(granted)) => Granted::For(seconds(granted)),
        Some(None) => fallback,
    }
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
