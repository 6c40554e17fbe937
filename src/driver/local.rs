//! Which of this machine's addresses a peer sees.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

/// The address of ours that packets to `remote` leave from: `bound` itself unless that is 0.0.0.0 or `::`. Asks the system's
/// routing by connecting a UDP socket, which sends nothing.
///
/// # Errors
/// There is no route to `remote`.
pub(super) fn ip_towards(bound: IpAddr, remote: SocketAddr) -> io::Result<IpAddr> {
    if !bound.is_unspecified() {
        return Ok(bound);
    }
    let any: IpAddr = match remote.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(remote)?;
    Ok(socket.local_addr()?.ip())
}

/// An address that is nobody's (RFC 5737), at the end of the default route.
pub(super) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9);

/// What to show as our address before any peer is known: the default route's, else as bound.
pub(super) fn shown(bound: SocketAddr) -> SocketAddr {
    match bound {
        SocketAddr::V4(_) => ip_towards(bound.ip(), NOBODY).map_or(bound, |ip| (ip, bound.port()).into()),
        SocketAddr::V6(_) => bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn towards_loopback_we_are_loopback() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let peer = SocketAddr::from(([127, 0, 0, 1], 5060));
        assert_eq!(ip_towards(IpAddr::from([0, 0, 0, 0]), peer).expect("a route"), loopback);
        assert_eq!(ip_towards(loopback, peer).expect("as bound"), loopback);
        assert_eq!(shown(peer), peer);
    }
}
