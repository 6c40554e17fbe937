//! Where to send a request: the system's resolver behind the user agent's question (RFC 3263 without NAPTR and SRV).

use crate::sip::{
    flow::{Flow, Transport},
    uri::{Host, Uri},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// A name with more addresses than that gets no more tries.
const MOST: usize = 16;

/// What a URI says about where to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub host: Host,
    pub port: u16,
    pub transport: Transport,
}

/// Reads host, port and transport of a URI; `transport` is what to use where the URI does not say.
///
/// # Errors
/// A sentence: no SIP URI, or a transport that is not built.
pub(super) fn target(uri: &Uri, transport: Option<Transport>) -> Result<Target, String> {
    let Uri::Sip(sip) = uri else { return Err(format!("{uri} is not a SIP address")) };
    let transport = match sip.param("transport").map(str::to_ascii_lowercase).as_deref() {
        _ if sip.secure => Transport::Tls,
        Some("udp") => Transport::Udp,
        Some("tcp") => Transport::Tcp,
        Some("tls") => Transport::Tls,
        Some(other) => return Err(format!("not supported yet: SIP over {other} ({uri})")),
        None => transport.unwrap_or(Transport::Udp),
    };
    if transport == Transport::Tls {
        return Err(format!("not supported yet: SIP over TLS ({uri}); use tcp or udp"));
    }
    // RFC 3263 §4: maddr names the host to contact.
    let host = match sip.param("maddr").map(str::parse) {
        Some(Ok(host)) => host,
        Some(Err(_)) => return Err(format!("{uri} cannot be reached: its maddr is not a host")),
        None => sip.host.clone(),
    };
    Ok(Target { host, port: sip.port.unwrap_or(transport.default_port()), transport })
}

impl Target {
    /// The answer where no name has to be looked up.
    pub(super) fn numeric(&self) -> Option<Vec<Flow>> {
        match self.host {
            Host::Ip(ip) => Some(vec![Flow { transport: self.transport, remote: (ip, self.port).into() }]),
            Host::Name(_) => None,
        }
    }

    /// Asks the system's resolver; only addresses that a socket bound to `bound` can reach.
    ///
    /// # Errors
    /// A sentence.
    pub(super) async fn look_up(self, bound: IpAddr) -> Result<Vec<Flow>, String> {
        let Host::Name(name) = &self.host else { return Ok(self.numeric().unwrap_or_default()) };
        let found = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((name.as_str(), self.port))).await;
        let addresses = match found {
            Err(_) => return Err(format!("looking up {name} takes too long; check your network")),
            Ok(Err(_)) => return Err(format!("{name} cannot be found; check the address and your network")),
            Ok(Ok(addresses)) => addresses,
        };
        let mut flows: Vec<Flow> = Vec::new();
        for remote in addresses.filter(|a| reachable(bound, *a)) {
            let flow = Flow { transport: self.transport, remote };
            if flows.len() < MOST && !flows.contains(&flow) {
                flows.push(flow);
            }
        }
        if flows.is_empty() {
            return Err(format!("{name} has no address that can be reached from {bound}"));
        }
        Ok(flows)
    }
}

fn reachable(bound: IpAddr, remote: SocketAddr) -> bool {
    bound.is_ipv4() == remote.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_port_and_transport() {
        use Transport::{Tcp, Udp};
        for (uri, given, expected) in [
            ("sip:a@10.0.0.1", None, "udp:10.0.0.1:5060"),
            ("sip:a@10.0.0.1", Some(Tcp), "tcp:10.0.0.1:5060"),
            ("sip:10.0.0.1:5070;transport=TCP;lr", Some(Udp), "tcp:10.0.0.1:5070"),
            ("sip:a@[::1]:5062", None, "udp:[::1]:5062"),
            ("sip:a@pbx.example;maddr=10.0.0.2", None, "udp:10.0.0.2:5060"),
        ] {
            let target = target(&uri.parse().expect(uri), given).expect(uri);
            assert_eq!(target.numeric().expect(uri)[0].to_string(), expected);
        }
        for (uri, said) in [
            ("sips:a@10.0.0.1", "TLS"),
            ("sip:a@10.0.0.1;transport=tls", "TLS"),
            ("sip:a@10.0.0.1;transport=sctp", "sctp"),
            ("tel:+2721", "not a SIP address"),
        ] {
            let error = target(&uri.parse().expect(uri), None).expect_err(uri);
            assert!(error.contains(said), "{error}");
        }
    }

    #[tokio::test]
    async fn the_system_s_names() {
        let bound = IpAddr::from([127, 0, 0, 1]);
        let local = target(&"sip:localhost:5062".parse().expect("a URI"), None).expect("a target");
        let flows = local.look_up(bound).await.expect("localhost");
        assert_eq!(flows[0].to_string(), "udp:127.0.0.1:5062");
        let nowhere = target(&"sip:nowhere.invalid".parse().expect("a URI"), None).expect("a target");
        assert!(nowhere.look_up(bound).await.expect_err("RFC 6761").contains("nowhere.invalid"));
    }
}
