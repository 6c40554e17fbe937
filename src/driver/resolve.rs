//! Where to send a request: the system's resolver behind the user agent's question (RFC 3263 without NAPTR and SRV).

use crate::sip::{
    flow::{Flow, Transport},
    target::Target,
    uri::{Host, Uri},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

const TIMEOUT: Duration = Duration::from_secs(5);
/// A name with more addresses than that gets no more tries.
const MOST: usize = 16;

/// Where a URI leads, as far as it is built; `default` is the transport where the URI leaves it open.
///
/// # Errors
/// A clause.
pub(super) fn target(uri: &Uri, default: Transport) -> Result<Target, String> {
    match Target::of(uri, default)? {
        Target { transport: Transport::Tls, .. } => {
            Err(format!("not supported yet: SIP over TLS ({uri}); use tcp or udp"))
        }
        target => Ok(target),
    }
}

/// Asks the system's resolver; only addresses that a socket bound to `bound` can reach.
///
/// # Errors
/// A sentence.
pub(super) async fn look_up(target: Target, bound: IpAddr) -> Result<Vec<Flow>, String> {
    let Host::Name(name) = &target.host else { return Ok(target.numeric().into_iter().collect()) };
    let found = tokio::time::timeout(TIMEOUT, tokio::net::lookup_host((name.as_str(), target.port))).await;
    let addresses = match found {
        Err(_) => return Err(format!("looking up {name} takes too long; check your network")),
        Ok(Err(_)) => return Err(format!("{name} cannot be found; check the address and your network")),
        Ok(Ok(addresses)) => addresses,
    };
    let mut flows: Vec<Flow> = Vec::new();
    for remote in addresses.filter(|a| reachable(bound, *a)) {
        let flow = Flow { transport: target.transport, remote };
        if flows.len() < MOST && !flows.contains(&flow) {
            flows.push(flow);
        }
    }
    if flows.is_empty() {
        return Err(format!("{name} has no address that can be reached from {bound}"));
    }
    Ok(flows)
}

fn reachable(bound: IpAddr, remote: SocketAddr) -> bool {
    bound.is_ipv4() == remote.is_ipv4()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_built_is_said() {
        for uri in ["sips:a@10.0.0.1", "sip:a@10.0.0.1;transport=tls"] {
            let error = target(&uri.parse().expect(uri), Transport::Udp).expect_err(uri);
            assert!(error.starts_with("not supported yet"), "{error}");
        }
        assert!(target(&"sip:a@10.0.0.1".parse().expect("a URI"), Transport::Udp).is_ok());
    }

    #[tokio::test]
    async fn the_system_s_names() {
        let bound = IpAddr::from([127, 0, 0, 1]);
        let local = target(&"sip:localhost:5062".parse().expect("a URI"), Transport::Udp).expect("a target");
        let flows = look_up(local, bound).await.expect("localhost");
        assert_eq!(flows[0].to_string(), "udp:127.0.0.1:5062");
        let nowhere = target(&"sip:nowhere.invalid".parse().expect("a URI"), Transport::Udp).expect("a target");
        assert!(look_up(nowhere, bound).await.expect_err("RFC 6761").contains("nowhere.invalid"));
    }
}
