//! Flow tokens: the user part of our Record-Route URIs names the flow behind it (RFC 5626 §5.2), so that a request inside a
//! dialog finds its way without a table, over NAT and back into the very TCP connection its party opened.
//!
//! A token is signed together with the dialog's Call-ID: nobody can make one, and one that was seen serves its call only.

use crate::{
    server::secrets::{hex, unhex},
    sip::{
        entropy::Entropy,
        flow::{Flow, Transport},
    },
};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};

/// The key that signs. One that is the same after a restart lets the requests of running calls go on finding their way.
pub struct FlowTokens {
    key: [u8; BLOCK],
}

/// Block size of SHA-256 in bytes (RFC 2104 §2).
const BLOCK: usize = 64;
/// Signature bytes in a token; RFC 5626 §5.2 keeps 80 bits.
const SIGNATURE: usize = 10;

impl FlowTokens {
    pub fn new(entropy: &mut Entropy) -> Self {
        Self { key: std::array::from_fn(|_| entropy.u32() as u8) }
    }

    /// With a key that was stored: shorter than a block, it is filled up with zeros (RFC 2104 §3).
    pub fn with_key(stored: [u8; 32]) -> Self {
        let mut key = [0; BLOCK];
        key[..32].copy_from_slice(&stored);
        Self { key }
    }

    /// Lower-case hexadecimal, which needs no escaping in a URI.
    pub fn seal(&self, flow: Flow, call_id: &str) -> String {
        let mut bytes = self.sign(flow, call_id).to_vec();
        bytes.extend(encode(flow));
        hex(&bytes)
    }

    /// The flow, if the token is ours and of this call.
    pub fn open(&self, token: &str, call_id: &str) -> Option<Flow> {
        let bytes = unhex(token)?;
        let flow = decode(bytes.get(SIGNATURE..)?)?;
        let differs = self.sign(flow, call_id).iter().zip(&bytes).fold(0, |d, (a, b)| d | (a ^ b));
        (differs == 0).then_some(flow)
    }

    /// HMAC-SHA-256 (RFC 2104), shortened.
    fn sign(&self, flow: Flow, call_id: &str) -> [u8; SIGNATURE] {
        let pad = |byte: u8| self.key.map(|k| k ^ byte);
        let inner = Sha256::new().chain_update(pad(0x36)).chain_update(encode(flow)).chain_update(call_id).finalize();
        let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
        std::array::from_fn(|i| outer[i])
    }
}

/// Transport, port, address: 7 bytes for IPv4, 19 for IPv6, so that what follows in a signature cannot be mistaken for it.
fn encode(flow: Flow) -> Vec<u8> {
    let transport = match flow.transport {
        Transport::Udp => 0,
        Transport::Tcp => 1,
        Transport::Tls => 2,
    };
    let family = if flow.remote.is_ipv4() { 4 } else { 6 };
    let mut bytes = vec![transport << 4 | family];
    bytes.extend(flow.remote.port().to_be_bytes());
    match flow.remote.ip() {
        IpAddr::V4(ip) => bytes.extend(ip.octets()),
        IpAddr::V6(ip) => bytes.extend(ip.octets()),
    }
    bytes
}

fn decode(bytes: &[u8]) -> Option<Flow> {
    let (&head, rest) = bytes.split_first()?;
    let (port, ip) = rest.split_first_chunk::<2>()?;
    let transport = match head >> 4 {
        0 => Transport::Udp,
        1 => Transport::Tcp,
        2 => Transport::Tls,
        _ => return None,
    };
    let ip = match head & 0xf {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        6 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(Flow { transport, remote: SocketAddr::new(ip, u16::from_be_bytes(*port)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_its_call_only() {
        let tokens = FlowTokens::new(&mut Entropy::from_seed(1));
        let stored = FlowTokens::with_key([7; 32]);
        let flow = Flow { transport: Transport::Udp, remote: ([10, 0, 0, 12], 5060).into() };
        let after_a_restart = FlowTokens::with_key([7; 32]);
        assert_eq!(after_a_restart.open(&stored.seal(flow, "call-1"), "call-1"), Some(flow));
        let other_key = FlowTokens::new(&mut Entropy::from_seed(2));
        for (transport, remote) in [(Transport::Udp, "10.0.0.12:5060"), (Transport::Tcp, "[2001:db8::1]:40000")] {
            let flow = Flow { transport, remote: remote.parse().expect("a valid address") };
            let token = tokens.seal(flow, "call-1");
            assert!(token.chars().all(|c| c.is_ascii_alphanumeric()));
            assert_eq!(tokens.open(&token, "call-1"), Some(flow));
            assert_eq!(tokens.open(&token, "call-2"), None);
            assert_eq!(other_key.open(&token, "call-1"), None);
            for i in 0..token.len() {
                let mut forged = token.clone();
                let digit = if &forged[i..=i] == "0" { "1" } else { "0" };
                forged.replace_range(i..=i, digit);
                assert_eq!(tokens.open(&forged, "call-1"), None, "digit {i} of {token}");
            }
        }
        for nonsense in ["", "0", "zz", "100", "é", "00112233445566778899", "0011223344556677889904"] {
            assert_eq!(tokens.open(nonsense, "call-1"), None, "{nonsense}");
        }
    }
}
