//! The way a request takes: which of the addresses found, what Contact is right there, and none that would not be protected.

use super::{Reply, RequestId, Stack, Way};
use crate::{
    sip::{
        flow::{Flow, Transport},
        msg::{Method, Request},
        uri::{Host, SipUri, Uri},
    },
    ua::api::Account,
};
use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// A server that works answers within one of the retransmissions at 0.5, 1.5 and 3.5 s, be it with 100.
const IMPATIENT: Duration = Duration::from_secs(4);

const UNPROTECTED: &str = "TLS is asked for, and the way there would be unprotected";

/// Addresses that lead to this device from everywhere, by way of its registrar (RFC 5627).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::ua) struct Gruus {
    /// Whose they are.
    pub aor: Uri,
    pub public: Uri,
    /// Does not say whose it is.
    pub temporary: Option<Uri>,
}

impl Stack {
    /// From now on these are our Contact in dialogs, or none is.
    pub fn set_gruus(&mut self, gruus: Option<Gruus>) {
        let was_named = std::mem::replace(&mut self.gruus, gruus).is_some();
        self.lost_gruus |= was_named && self.gruus.is_none();
    }

    /// Whether what calls may have been told as our Contact has ceased to lead here since this was asked last.
    pub const fn take_lost_gruus(&mut self) -> bool {
        std::mem::replace(&mut self.lost_gruus, false)
    }

    fn gruu(&self, account: &Account, flow: Flow, anonymous: bool) -> Option<Uri> {
        let gruus = self.gruus.as_ref().filter(|gruus| self.home == Some(flow) && gruus.aor == account.aor)?;
        if anonymous { gruus.temporary.clone() } else { Some(gruus.public.clone()) }
    }

    /// The address that others see, `None` where that is our own; whether it is news.
    pub fn set_seen_as(&mut self, flow: Flow, seen: Option<SocketAddr>) -> bool {
        let way = (flow.transport, flow.remote.is_ipv6());
        let known = self.seen_as.get(&way).copied();
        match seen {
            Some(seen) => drop(self.seen_as.insert(way, seen)),
            None => drop(self.seen_as.remove(&way)),
        }
        seen.is_some() && seen != known
    }

    /// Our Contact in a call: what the registrar has named us by (RFC 5627 §4.4), else our address.
    pub fn contact_uri(&self, account: &Account, flow: Flow, anonymous: bool) -> Uri {
        self.gruu(account, flow, anonymous).unwrap_or_else(|| self.own_uri(account, flow, anonymous))
    }

    /// Our address in a Contact: `sip:user@host:port;transport=tcp`, for a `sips:` account `sips:user@host:port`; `anonymous`: without
    /// the user (RFC 3323 §4.1). Where the registrar keeps the flow, `ob` asks for the same within the dialog (RFC 5626 §4.3).
    pub fn own_uri(&self, account: &Account, flow: Flow, anonymous: bool) -> Uri {
        let mut uri = self.address_uri(account, flow);
        if anonymous {
            uri.user = Some("anonymous".to_owned());
        }
        if self.home == Some(flow) && self.keeps_flow {
            uri.set_param("ob", None);
        }
        Uri::Sip(uri)
    }

    /// Our address as a registrar is told it.
    fn address_uri(&self, account: &Account, flow: Flow) -> SipUri {
        let (aor, transport) = (account.aor.as_sip(), flow.transport);
        let local = |is_ipv6| self.local.get(&(transport, is_ipv6));
        let seen = self.seen_as.get(&(transport, flow.remote.is_ipv6()));
        let same = seen.or_else(|| local(flow.remote.is_ipv6())).or_else(|| local(!flow.remote.is_ipv6()));
        let known = same.or_else(|| self.local.values().next());
        let (host, port) = match known {
            Some(address) => (Host::Ip(address.ip()), Some(address.port())),
            None => (Host::Name("localhost".to_owned()), None),
        };
        let mut uri = SipUri::new(aor.and_then(|aor| aor.user.as_deref()), host, port);
        uri.secure = aor.is_some_and(|aor| aor.secure);
        // RFC 5630 §3.1.3: `sips` says it already.
        if transport != Transport::Udp && !uri.secure {
            uri.set_param("transport", Some(transport.uri_name()));
        }
        uri
    }

    pub(super) fn transmit(&mut self, now: Instant, id: RequestId, mut flows: VecDeque<Flow>) {
        let Some(pending) = self.requests.get(&id) else { return };
        let found = flows.len();
        flows.retain(|flow| is_good_enough(&pending.account, &pending.request, *flow));
        let Some(flow) = flows.pop_front() else {
            let why = if found == 0 { "no address was found for it" } else { UNPROTECTED };
            self.finish(id, Reply::Unreachable(why.to_owned()));
            return;
        };
        let Some(pending) = self.requests.get(&id) else { return };
        let contact = pending.contact.as_ref().map(|c| {
            let mut uri = match pending.request.method {
                Method::REGISTER => Uri::Sip(self.address_uri(&pending.account, flow)),
                // A presence server notifies by itself, past the proxy that knows whom a GRUU names.
                Method::SUBSCRIBE => self.own_uri(&pending.account, flow, c.anonymous),
                _ => self.contact_uri(&pending.account, flow, c.anonymous),
            };
            // RFC 3261 §8.1.1.8: a sips: request has a sips: Contact.
            if let (Uri::Sip(SipUri { secure: true, .. }), Uri::Sip(contact)) = (&pending.request.uri, &mut uri) {
                contact.secure = true;
                contact.params.retain(|(name, _)| name != "transport");
            }
            format!("<{uri}>{}", c.params)
        });
        let Some(pending) = self.requests.get_mut(&id) else { return };
        if let Some(contact) = contact {
            pending.request.headers.set("Contact", contact);
        }
        let mut request = pending.request.clone();
        request.headers.push("User-Agent", self.settings.user_agent.as_str());
        let transaction = self.endpoint.send_request(now, flow, request);
        let impatient_at = (!flows.is_empty()).then(|| now + IMPATIENT);
        pending.way = Way::Sent { transaction, flow, others: flows, impatient_at };
        self.transactions.insert(transaction, id);
    }
}

/// What is to be protected goes protected or not at all: credentials and keys may stand in any request, and whoever can keep
/// us from the protected way must not get them by it.
/// A `sips:` address asks for it whatever the account does (RFC 3261 §26.2.2).
pub(super) fn is_good_enough(account: &Account, request: &Request, flow: Flow) -> bool {
    let is_sips = |uri: &Uri| uri.as_sip().is_some_and(|sip| sip.secure);
    let route = request.headers.name_addrs("Route").unwrap_or_default().into_iter().next();
    let wanted = account.transport == Transport::Tls || is_sips(&request.uri) || route.is_some_and(|r| is_sips(&r.uri));
    !wanted || flow.transport == Transport::Tls
}
