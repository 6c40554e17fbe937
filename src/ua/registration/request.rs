//! The REGISTER request (RFC 3261 §10.2, RFC 5626 §4.2).

use super::{Outbound, Registration};
use crate::{
    sip::{
        msg::{Method, Request},
        uri::{NameAddr, SipUri, Uri},
    },
    ua::{
        api::Account,
        stack::{ContactOf, Owner, RequestId, Stack},
    },
};
use std::time::Duration;

impl Registration {
    pub(super) fn send(&mut self, stack: &mut Stack, expires: Duration) -> RequestId {
        let request = self.request(stack, expires);
        self.transmit(stack, request, expires.as_secs())
    }

    pub(super) fn request(&mut self, stack: &mut Stack, expires: Duration) -> Request {
        self.cseq += 1;
        let account = self.account.clone();
        // RFC 3261 §10.2: the Request-URI is the domain; To and From are the address of record.
        let aor = NameAddr::new(account.aor.clone());
        let mut from = aor.clone();
        if self.from_tag.is_empty() {
            self.from_tag = stack.entropy.tag();
        }
        from.set_param("tag", Some(&self.from_tag));
        let target = self.registrar.clone().unwrap_or_else(|| domain(&account.aor));
        let routes = if self.registrar.is_some() { Vec::new() } else { outbound_route(&account) };
        let mut request = stack.request(Method::REGISTER, target.clone(), &from, &aor, (&self.call_id, self.cseq));
        for route in &routes {
            request.headers.push("Route", route.to_string());
        }
        request.headers.push("Expires", expires.as_secs().to_string());
        let supported = if self.outbound == Outbound::Refused { "path, gruu" } else { "path, outbound, gruu" };
        request.headers.push("Supported", supported);
        request.headers.push("Allow", crate::ua::ALLOW);
        stack.authorize(&account, &mut request);
        request
    }

    /// With credentials and the next CSeq (RFC 3261 §22.2).
    pub(super) fn send_again(&mut self, stack: &mut Stack, mut request: Request) -> RequestId {
        self.cseq += 1;
        request.headers.set("CSeq", format!("{} REGISTER", self.cseq));
        let expires = request.headers.number("Expires").map_or(0, u64::from);
        self.transmit(stack, request, expires)
    }

    pub(super) fn transmit(&self, stack: &mut Stack, request: Request, expires: u64) -> RequestId {
        let reg_id = if self.outbound == Outbound::Refused { "" } else { ";reg-id=1" };
        let params = format!(";+sip.instance=\"<{}>\"{reg_id};expires={expires}", stack.settings.instance_id);
        self.post(stack, request, Some(ContactOf { params, anonymous: false }))
    }

    pub(super) fn post(&self, stack: &mut Stack, request: Request, contact: Option<ContactOf>) -> RequestId {
        let route = request.headers.name_addrs("Route").ok().and_then(|routes| routes.into_iter().next());
        let hop = route.map_or_else(|| request.uri.clone(), |route| route.uri);
        stack.send((&self.account, request), &hop, Owner::Registration, contact)
    }
}

/// The configured proxy as a loose route (RFC 3261 §8.1.2).
pub(in crate::ua) fn outbound_route(account: &Account) -> Vec<NameAddr> {
    let mut uri = account.outbound_proxy.clone();
    if let Some(Uri::Sip(proxy)) = &mut uri
        && !proxy.has_param("lr")
    {
        proxy.set_param("lr", None);
    }
    uri.map(NameAddr::new).into_iter().collect()
}

pub(super) fn domain(aor: &Uri) -> Uri {
    match aor {
        Uri::Sip(uri) => Uri::Sip(SipUri { secure: uri.secure, ..SipUri::new(None, uri.host.clone(), uri.port) }),
        Uri::Tel { .. } | Uri::Other { .. } => aor.clone(),
    }
}
