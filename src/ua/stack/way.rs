//! Where a URI leads (RFC 3263 §4).

use crate::sip::{
    flow::{Flow, Transport},
    uri::{Host, SipUri, Uri},
};
use std::net::SocketAddr;

/// An address needs no lookup. `default`: where the URI names no transport.
pub(super) fn numeric(hop: &Uri, default: Transport) -> Option<Flow> {
    let transport = named_transport(hop).unwrap_or(default);
    match hop.as_sip()? {
        SipUri { host: Host::Ip(ip), port, .. } => {
            Some(Flow { transport, remote: SocketAddr::new(*ip, port.unwrap_or(transport.default_port())) })
        }
        SipUri { host: Host::Name(_), .. } => None,
    }
}

/// What the URI itself says about the transport.
pub(super) fn named_transport(hop: &Uri) -> Option<Transport> {
    let uri = hop.as_sip()?;
    match uri.param("transport") {
        Some(name) if name.eq_ignore_ascii_case("udp") => Some(Transport::Udp),
        Some(name) if name.eq_ignore_ascii_case("tls") => Some(Transport::Tls),
        Some(name) if name.eq_ignore_ascii_case("tcp") && uri.secure => Some(Transport::Tls),
        Some(name) if name.eq_ignore_ascii_case("tcp") => Some(Transport::Tcp),
        Some(_) | None if uri.secure => Some(Transport::Tls),
        Some(_) | None => None,
    }
}
