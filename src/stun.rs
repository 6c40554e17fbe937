//! STUN (RFC 8489) as far as softphones need it: binding requests as a keep-alive between user agent and edge proxy (RFC 5626
//! §3.5.2) and about how a media port is seen, and the messages of TURN (RFC 8656). The checks of ICE are its machine's own.

mod uri;

pub use uri::{TurnTransport, TurnUri, TurnUriError, stun_server};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::net::{IpAddr, SocketAddr};
use subtle::ConstantTimeEq;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
pub const HEADER: usize = 20;
/// The attribute that signs, with its head.
const SIGNATURE: usize = 24;
/// The most octets of a value that we write.
const LONGEST_VALUE: usize = 0xfff0;

/// Methods (RFC 8489 §18.2, RFC 8656 §17).
pub mod method {
    pub const BINDING: u16 = 0x001;
    pub const ALLOCATE: u16 = 0x003;
    pub const REFRESH: u16 = 0x004;
    pub const SEND: u16 = 0x006;
    pub const DATA: u16 = 0x007;
    pub const CREATE_PERMISSION: u16 = 0x008;
    pub const CHANNEL_BIND: u16 = 0x009;
}

/// Attributes (RFC 8489 §18.3, RFC 8656 §18).
pub mod attribute {
    pub const MAPPED_ADDRESS: u16 = 0x0001;
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const CHANNEL_NUMBER: u16 = 0x000c;
    pub const LIFETIME: u16 = 0x000d;
    pub const XOR_PEER_ADDRESS: u16 = 0x0012;
    pub const DATA: u16 = 0x0013;
    pub const REALM: u16 = 0x0014;
    pub const NONCE: u16 = 0x0015;
    pub const XOR_RELAYED_ADDRESS: u16 = 0x0016;
    pub const REQUESTED_ADDRESS_FAMILY: u16 = 0x0017;
    pub const REQUESTED_TRANSPORT: u16 = 0x0019;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
}

/// Names a request.
pub type TransactionId = [u8; 12];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

/// The answer to a binding request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    pub transaction: TransactionId,
    /// Our address as the server sees it.
    pub mapped: SocketAddr,
}

/// A message, as received.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub class: Class,
    pub method: u16,
    pub transaction: TransactionId,
    octets: &'a [u8],
}

/// A message on its way out.
pub struct Builder(Vec<u8>);

/// A binding request without attributes (RFC 5626 §8).
pub fn request(transaction: TransactionId) -> Vec<u8> {
    Builder::new(Class::Request, method::BINDING, transaction).finish()
}

/// A STUN message, unlike SIP and media, begins with a byte below 4 (RFC 5626 §8.1, RFC 7983 §7).
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == COOKIE
}

/// `None`: anything but a success that says how we are seen.
pub fn read(datagram: &[u8]) -> Option<Binding> {
    let message = Message::parse(datagram).filter(|m| (m.class, m.method) == (Class::Success, method::BINDING))?;
    let mapped = message.address(attribute::XOR_MAPPED_ADDRESS);
    let mapped = mapped.or_else(|| address(message.attribute(attribute::MAPPED_ADDRESS)?, &[0; 16]))?;
    Some(Binding { transaction: message.transaction, mapped })
}

impl<'a> Message<'a> {
    /// `None`: it is none, or not whole.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, attributes) = datagram.split_at_checked(HEADER)?;
        let (kind, length) = (u16::from_be_bytes([header[0], header[1]]), u16::from_be_bytes([header[2], header[3]]));
        if !is_stun(datagram) || attributes.len() != usize::from(length) || !length.is_multiple_of(4) {
            return None;
        }
        let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
            (false, false) => Class::Request,
            (false, true) => Class::Indication,
            (true, false) => Class::Success,
            (true, true) => Class::Error,
        };
        // RFC 8489 §5: the method's bits stand around the class' two.
        let method = kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2;
        let message = Self { class, method, transaction: header[8..].try_into().ok()?, octets: datagram };
        (message.attributes().map(|(_, value, at)| at + value.len().next_multiple_of(4)).last().unwrap_or(HEADER)
            == datagram.len())
        .then_some(message)
    }

    /// The first of this kind in front of the signature: what follows that is anybody's (RFC 8489 §14.5).
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        let mut signed = self.attributes().take_while(|(k, ..)| *k != attribute::MESSAGE_INTEGRITY || *k == kind);
        signed.find(|(k, ..)| *k == kind).map(|(_, value, _)| value)
    }

    /// Of an XOR-…-ADDRESS (RFC 8489 §14.2); one without a port is none.
    pub fn address(&self, kind: u16) -> Option<SocketAddr> {
        address(self.attribute(kind)?, &self.octets[4..HEADER]).filter(|address| address.port() != 0)
    }

    /// Code and phrase (RFC 8489 §14.8).
    pub fn error(&self) -> Option<(u16, &'a str)> {
        let (&[_, _, class, number], phrase) = self.attribute(attribute::ERROR_CODE)?.split_first_chunk::<4>()?;
        Some((u16::from(class & 7) * 100 + u16::from(number), std::str::from_utf8(phrase).unwrap_or_default()))
    }

    /// Whether it is signed, and well with this key; `None`: it is not signed.
    pub fn is_signed_with(&self, key: &[u8]) -> Option<bool> {
        let (_, value, at) = self.attributes().find(|(kind, ..)| *kind == attribute::MESSAGE_INTEGRITY)?;
        let mut signed = self.octets[..at - 4].to_vec();
        set_length(&mut signed, SIGNATURE);
        Some(bool::from(signature(key, &signed).ct_eq(value)))
    }

    /// Kind, value, and where that begins.
    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8], usize)> + use<'a> {
        let (octets, mut at) = (self.octets, HEADER);
        std::iter::from_fn(move || {
            let head: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let begin = at + 4;
            let value = octets.get(begin..begin + length)?;
            // Padded to four octets (RFC 8489 §14).
            at = begin + length.next_multiple_of(4);
            Some((u16::from_be_bytes([head[0], head[1]]), value, begin))
        })
    }
}

impl Builder {
    pub fn new(class: Class, method: u16, transaction: TransactionId) -> Self {
        let class = match class {
            Class::Request => 0,
            Class::Indication => 0x0010,
            Class::Success => 0x0100,
            Class::Error => 0x0110,
        };
        let kind = method & 0x000f | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | class;
        Self([&kind.to_be_bytes()[..], &[0, 0], &COOKIE, &transaction].concat())
    }

    /// A value beyond what a message can hold is cut.
    pub fn put(mut self, kind: u16, value: &[u8]) -> Self {
        let value = &value[..value.len().min(LONGEST_VALUE)];
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// As XOR-…-ADDRESS.
    pub fn put_address(self, kind: u16, address: SocketAddr) -> Self {
        let (family, ip) = match address.ip() {
            IpAddr::V4(ip) => (1, ip.octets().to_vec()),
            IpAddr::V6(ip) => (2, ip.octets().to_vec()),
        };
        let mask: [u8; 16] = self.0[4..HEADER].try_into().expect("a header of twenty octets");
        let port = address.port().to_be_bytes();
        let mut value = vec![0, family, port[0] ^ mask[0], port[1] ^ mask[1]];
        value.extend(ip.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
        self.put(kind, &value)
    }

    /// Signed for the long-term mechanism (RFC 8489 §9.2).
    pub fn sign(mut self, key: &[u8]) -> Vec<u8> {
        set_length(&mut self.0, SIGNATURE);
        let signature = signature(key, &self.0);
        self.put(attribute::MESSAGE_INTEGRITY, &signature).finish()
    }

    pub fn finish(mut self) -> Vec<u8> {
        set_length(&mut self.0, 0);
        self.0
    }
}

/// What the header says of the attributes' length: those there are, and `more`.
fn set_length(message: &mut [u8], more: usize) {
    let length = (message.len() - HEADER + more) as u16;
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

fn signature(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
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

    /// RFC 5769 §2.2, with its integrity and fingerprint.
    fn sample() -> Vec<u8> {
        let transaction = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];
        let software = b"\x80\x22\x00\x0btest vector ";
        let mapped = [0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        let integrity = [
            0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9,
            0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
        ];
        let fingerprint = [0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96];
        [&[1, 1], &[0, 60], &COOKIE[..], &transaction, software, &mapped, &integrity, &fingerprint].concat()
    }

    #[test]
    fn the_sample_is_read() {
        let binding = read(&sample()).expect("a binding");
        assert_eq!(binding.mapped.to_string(), "192.0.2.1:32853");
        assert_eq!(binding.transaction[..2], [0xb7, 0xe7]);
        let asked = request(binding.transaction);
        assert!(is_stun(&asked) && asked.len() == HEADER && read(&asked).is_none(), "a question is no answer");
        let plain = [&[1, 1], &[0, 12], &COOKIE[..], &[7; 12], &[0, 1, 0, 8, 0, 1, 0x13, 0xc4, 10, 0, 0, 1]].concat();
        assert_eq!(read(&plain).map(|b| b.mapped.to_string()).as_deref(), Some("10.0.0.1:5060"));
        assert!(!is_stun(b"OPTIONS sip:a SIP/2.0\r\n\r\n") && !is_stun(b"\r\n\r\n"));
    }

    #[test]
    fn signatures_are_the_samples_and_our_own() {
        let (sample, key) = (sample(), b"VOkJxbRl1RmTxUk/WvJxBt");
        let message = Message::parse(&sample).expect("whole");
        assert_eq!((message.is_signed_with(key), message.is_signed_with(b"another")), (Some(true), Some(false)));
        let peer: SocketAddr = "[2001:db8::1]:5000".parse().expect("an address");
        let ours = Builder::new(Class::Request, method::CREATE_PERMISSION, [3; 12])
            .put(attribute::USERNAME, b"alice")
            .put_address(attribute::XOR_PEER_ADDRESS, peer);
        let ours = ours.sign(key);
        let read = Message::parse(&ours).expect("whole");
        assert_eq!((read.class, read.method, read.transaction), (Class::Request, method::CREATE_PERMISSION, [3; 12]));
        assert_eq!(read.attribute(attribute::USERNAME), Some(&b"alice"[..]));
        assert_eq!((read.address(attribute::XOR_PEER_ADDRESS), read.is_signed_with(key)), (Some(peer), Some(true)));
        // What somebody adds behind the signature is not read.
        let mut longer = Builder(ours.clone()).put(attribute::NONCE, b"mine").finish();
        let read = Message::parse(&longer).expect("whole");
        assert_eq!((read.is_signed_with(key), read.attribute(attribute::NONCE)), (Some(true), None));
        longer[24] ^= 1;
        assert_eq!(Message::parse(&longer).and_then(|m| m.is_signed_with(key)), Some(false));
    }

    #[test]
    fn methods_and_classes_keep_their_bits() {
        for class in [Class::Request, Class::Indication, Class::Success, Class::Error] {
            for method in [method::BINDING, method::CHANNEL_BIND, 0x00f5] {
                let octets = Builder::new(class, method, [0; 12]).finish();
                let read = Message::parse(&octets).expect("whole");
                assert_eq!((read.class, read.method), (class, method));
            }
        }
        let refused =
            Builder::new(Class::Error, method::ALLOCATE, [0; 12]).put(attribute::ERROR_CODE, b"\0\0\x04\x01No");
        assert_eq!(Message::parse(&refused.finish()).and_then(|m| m.error().map(|(code, _)| code)), Some(401));
    }

    mod properties {
        use super::*;
        use crate::properties::{config, datagrams, spoilt};

        fn corpus() -> Vec<Vec<u8>> {
            [datagrams("stun-"), datagrams("turn-")].concat()
        }

        proptest! {
            #![proptest_config(config(300, 8489))]

            #[test]
            fn nothing_panics(
                cut in 0usize..80,
                at in 0usize..80,
                byte: u8,
                junk in prop_oneof![spoilt(corpus()), prop::collection::vec(any::<u8>(), 0..80)],
            ) {
                let mut message = sample();
                message[at] = byte;
                message.truncate(cut);
                prop_assert!(read(&message).is_none() || matches!(at, 2 | 3), "cut short, it is no answer");
                for octets in [&message, &junk] {
                    if let Some(message) = Message::parse(octets) {
                        let _ = (message.error(), message.is_signed_with(b"key"), message.address(attribute::XOR_PEER_ADDRESS));
                        let _ = (message.attribute(attribute::NONCE), message.address(attribute::XOR_RELAYED_ADDRESS));
                    }
                }
            }
        }
    }
}
