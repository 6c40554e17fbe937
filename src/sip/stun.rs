//! STUN as a keep-alive between user agent and edge proxy (RFC 5626 §3.5.2, RFC 8489): a binding request, and what its answer
//! says of how we are seen.

use std::net::{IpAddr, SocketAddr};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const HEADER: usize = 20;

/// Names a request.
pub type TransactionId = [u8; 12];

/// The answer to a binding request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub transaction: TransactionId,
    /// Our address as the server sees it.
    pub mapped: SocketAddr,
}

/// RFC 5626 §8: no attributes.
pub fn request(transaction: TransactionId) -> Vec<u8> {
    [&BINDING_REQUEST[..], &[0, 0], &COOKIE, &transaction].concat()
}

/// A STUN message, unlike SIP, begins with a byte below 4 (RFC 5626 §8.1).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == COOKIE
}

/// `None`: anything but a success that says how we are seen.
pub fn read(datagram: &[u8]) -> Option<Binding> {
    let (header, mut attributes) = datagram.split_at_checked(HEADER)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header[..2] != BINDING_SUCCESS || header[4..8] != COOKIE || attributes.len() != length {
        return None;
    }
    let transaction = header[8..].try_into().ok()?;
    let mut mapped = None;
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let (kind, length) =
            (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
        let value = rest.get(..length)?;
        match kind {
            XOR_MAPPED_ADDRESS => return Some(Binding { transaction, mapped: address(value, &header[4..])? }),
            MAPPED_ADDRESS => mapped = address(value, &[0; 16]),
            _ => {}
        }
        // Padded to four bytes (RFC 8489 §14).
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    mapped.map(|mapped| Binding { transaction, mapped })
}

/// `mask`: the cookie and the transaction (RFC 8489 §14.2).
fn address(value: &[u8], mask: &[u8]) -> Option<SocketAddr> {
    let (&[_, family, high, low], ip) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([high ^ mask[0], low ^ mask[1]]);
    let plain: Vec<u8> = ip.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    let ip = match family {
        1 => IpAddr::from(<[u8; 4]>::try_from(plain).ok().filter(|_| ip.len() == 4)?),
        2 => IpAddr::from(<[u8; 16]>::try_from(plain).ok().filter(|_| ip.len() == 16)?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 5769 §2.2, without its trailing integrity and fingerprint, which need no reading.
    fn sample() -> Vec<u8> {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let software = b"\x80\x22\x00\x0btest vector ";
        let mapped = [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        [&BINDING_SUCCESS[..], &[0, 28], &COOKIE, &transaction, software, &mapped].concat()
    }

    #[test]
    fn the_sample_is_read() {
        let binding = read(&sample()).expect("a binding");
        assert_eq!(binding.mapped.to_string(), "192.0.2.1:32853");
        assert_eq!(binding.transaction[..2], [0xb7, 0xe7]);
        let asked = request(binding.transaction);
        assert!(is_stun(&asked) && asked.len() == HEADER && read(&asked).is_none(), "a question is no answer");
        let plain =
            [&BINDING_SUCCESS[..], &[0, 12], &COOKIE, &[7; 12], &[0, 1, 0, 8, 0, 1, 0x13, 0xc4, 10, 0, 0, 1]].concat();
        assert_eq!(read(&plain).map(|b| b.mapped.to_string()).as_deref(), Some("10.0.0.1:5060"));
        assert!(!is_stun(b"OPTIONS sip:a SIP/2.0\r\n\r\n") && !is_stun(b"\r\n\r\n"));
    }

    proptest! {
        #[test]
        fn nothing_panics(cut in 0usize..48, at in 0usize..48, byte: u8, junk in prop::collection::vec(any::<u8>(), 0..80)) {
            let mut message = sample();
            message[at] = byte;
            message.truncate(cut.min(sample().len()));
            let whole = cut == sample().len();
            prop_assert!(read(&message).is_none() || whole, "cut short, it is no answer");
            prop_assert!(read(&junk).is_none() || is_stun(&junk));
        }
    }
}
