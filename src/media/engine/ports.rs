//! RTP and RTCP ports in pairs.

use super::MediaError;
use mio::net::UdpSocket;
use rand::Rng;
use std::{
    io::ErrorKind,
    net::{IpAddr, SocketAddr},
};

/// Below the range that the system gives to others.
const FROM: u16 = 16_384;
const TO: u16 = 32_766;
/// Pairs tried before giving up.
const TRIES: u16 = 500;
/// DSCP 46, in its octet.
const EXPEDITED_FORWARDING: u32 = 46 << 2;

/// An even port for RTP and the one above for RTCP (RFC 3550 §11), bound and non-blocking.
#[derive(Debug)]
pub struct PortPair {
    pub address: SocketAddr,
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

impl PortPair {
    /// Begins at a random port, so that a new call does not receive a past one's packets.
    pub fn bind(ip: IpAddr) -> Result<Self, MediaError> {
        let pairs = (TO - FROM) / 2 + 1;
        let first = (rand::rng().next_u32() % u32::from(pairs)) as u16;
        for n in 0..TRIES {
            let address = SocketAddr::new(ip, FROM + (first + n) % pairs * 2);
            let pair = UdpSocket::bind(address)
                .and_then(|rtp| Ok((rtp, UdpSocket::bind(SocketAddr::new(ip, address.port() + 1))?)));
            match pair {
                Ok((rtp, rtcp)) => {
                    mark(&rtp, ip.is_ipv6());
                    mark(&rtcp, ip.is_ipv6());
                    return Ok(Self { address, rtp, rtcp });
                }
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(source) => return Err(MediaError::Bind { ip, source }),
            }
        }
        Err(MediaError::NoPorts { from: FROM, to: TO })
    }
}

/// Asks routers for expedited forwarding (RFC 4594 §4.1), where the system lets us.
fn mark(socket: &UdpSocket, is_ipv6: bool) {
    let socket = socket2::SockRef::from(socket);
    let _ = if is_ipv6 { socket.set_tclass_v6(EXPEDITED_FORWARDING) } else { socket.set_tos_v4(EXPEDITED_FORWARDING) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_distinct() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let pairs: Vec<_> = (0..20).map(|_| PortPair::bind(ip).unwrap()).collect();
        let mut ports: Vec<_> = pairs.iter().map(|pair| pair.address.port()).collect();
        assert!(ports.iter().all(|port| port % 2 == 0));
        assert!(pairs.iter().all(|pair| pair.rtcp.local_addr().unwrap().port() == pair.address.port() + 1));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }

    #[test]
    fn audio_asks_routers_for_expedited_forwarding() {
        let pair = PortPair::bind(IpAddr::from([127, 0, 0, 1])).unwrap();
        for socket in [&pair.rtp, &pair.rtcp] {
            assert_eq!(socket2::SockRef::from(socket).tos_v4().unwrap(), EXPEDITED_FORWARDING);
        }
        // Where there is no IPv6, there is nothing to mark.
        if let Ok(pair) = PortPair::bind(std::net::Ipv6Addr::LOCALHOST.into()) {
            assert_eq!(socket2::SockRef::from(&pair.rtp).tclass_v6().unwrap(), EXPEDITED_FORWARDING);
        }
    }

    #[test]
    fn an_address_that_is_not_ours_is_an_error() {
        assert!(matches!(PortPair::bind(IpAddr::from([192, 0, 2, 1])), Err(MediaError::Bind { .. })));
    }
}
