//! What an address tells of where it is.

use std::net::IpAddr;

/// Whether nobody outside the host's own network reaches it at this address.
pub fn is_private(host: IpAddr) -> bool {
    match host.to_canonical() {
        IpAddr::V4(host) => {
            // RFC 6598: of a provider's own.
            let is_shared = host.octets()[0] == 100 && host.octets()[1] & 0xc0 == 64;
            host.is_private() || host.is_loopback() || host.is_link_local() || host.is_unspecified() || is_shared
        }
        IpAddr::V6(host) => {
            host.is_unique_local() || host.is_loopback() || host.is_unicast_link_local() || host.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known() {
        let private = ["10.1.2.3", "172.20.0.1", "192.168.178.2", "100.100.0.1", "169.254.3.4", "fd00::1", "fe80::1"];
        assert!(private.iter().all(|host| is_private(host.parse().unwrap())));
        let public = ["192.0.2.1", "100.128.0.1", "172.32.0.1", "2001:db8::1", "::ffff:192.0.2.1"];
        assert!(public.iter().all(|host| !is_private(host.parse().unwrap())));
    }
}
