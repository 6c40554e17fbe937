//! Reading the registrar's answers.

use crate::sip::{
    msg::{Contact, Headers, Request, Response},
    uri::{NameAddr, Uri},
};
use std::time::Duration;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Granted {
    For(Duration),
    /// The registrar lists contacts, and ours is not among them.
    Nothing,
}

/// How long *our* contact is registered for (RFC 3261 §10.2.4); the answer may list other devices'.
pub(super) fn granted(request: &Request, response: &Response, asked: Duration) -> Granted {
    let contacts = addresses(&response.headers);
    let header = response.headers.number("Expires").map(u64::from);
    let fallback = Granted::For(Duration::from_secs(header.unwrap_or(asked.as_secs()).max(1)));
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
    match same.map(|c| c.param("expires").and_then(|e| e.parse::<u64>().ok()).or(header)) {
        Some(Some(0)) | None => Granted::Nothing,
        Some(Some(seconds)) => Granted::For(Duration::from_secs(seconds)),
        Some(None) => fallback,
    }
}

/// Where a 3xx sends us: the first SIP contact.
pub(super) fn redirect_target(response: &Response) -> Option<Uri> {
    addresses(&response.headers).into_iter().map(|c| c.uri).find(|uri| uri.as_sip().is_some())
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
