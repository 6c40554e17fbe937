//! Encryption and authentication of single packets with the session keys of one direction (RFC 3711 §4, RFC 7714).

use crate::media::plan::{CryptoSuite, MasterKey};
use aes::{
    Aes128, Aes256, Block,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;

/// Which of the two a session key is for; their labels differ (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    Rtp,
    Rtcp,
}

/// Names a packet: the SSRC, and the index of 48 bits (of 31 for SRTCP).
#[derive(Clone, Copy, Debug)]
pub struct Id {
    pub ssrc: u32,
    pub index: u64,
}

/// The cipher of one direction's RTP or RTCP.
pub enum Transform {
    /// AES in counter mode and HMAC-SHA-1.
    Counter { cipher: Box<Aes128>, salt: u128, mac: Box<Hmac<Sha1>>, tag: usize },
    /// AES in Galois/counter mode.
    Gcm { key: Box<LessSafeKey>, salt: [u8; 12] },
}

impl Transform {
    /// Derives the session keys (RFC 3711 §4.3; RFC 7714 §11, RFC 6188 §3 for keys of 256 bits).
    pub fn new(master: &MasterKey, stream: Stream) -> Self {
        let first = match stream {
            Stream::Rtp => 0,
            Stream::Rtcp => 3,
        };
        let derive = |label: u8, out: &mut [u8]| match master.suite() {
            CryptoSuite::AeadAes256Gcm => derive::<Aes256>(master, first + label, out),
            _ => derive::<Aes128>(master, first + label, out),
        };
        let (mut key, mut salt) = ([0; 32], [0; 14]);
        let key = &mut key[..master.suite().key_length()];
        derive(0, key);
        derive(2, &mut salt[..master.suite().salt_length()]);
        let gcm = |algorithm, key: &[u8]| {
            let unbound = UnboundKey::new(algorithm, key).expect("the suite's key has its algorithm's length");
            let [salt @ .., _, _] = salt;
            Self::Gcm { key: Box::new(LessSafeKey::new(unbound)), salt }
        };
        match (master.suite(), stream) {
            (CryptoSuite::AeadAes256Gcm, _) => gcm(&AES_256_GCM, key),
            (CryptoSuite::AeadAes128Gcm, _) => gcm(&AES_128_GCM, key),
            (suite @ (CryptoSuite::AesCm128HmacSha1_80 | CryptoSuite::AesCm128HmacSha1_32), stream) => {
                let mut authentication = [0; 20];
                derive(1, &mut authentication);
                // RFC 4568 §6.2.2: of _32 only the tag of RTP is short.
                let is_short = matches!((suite, stream), (CryptoSuite::AesCm128HmacSha1_32, Stream::Rtp));
                Self::Counter {
                    cipher: Box::new(keyed(key)),
                    salt: salt_number(&salt),
                    mac: Box::new(keyed(&authentication)),
                    tag: if is_short { 4 } else { 10 },
                }
            }
        }
    }

    /// Encrypts what follows `clear` octets of `packet`, and appends the tag. `trailer`: what is authenticated besides, the
    /// rollover counter (SRTP) or the index word (SRTCP), which the caller appends.
    pub fn seal(&self, packet: &mut Vec<u8>, clear: usize, id: Id, trailer: Trailer) {
        match self {
            Self::Counter { cipher, salt, mac, tag } => {
                counter_mode(cipher.as_ref(), *salt, id, &mut packet[clear..]);
                if let Trailer::Index(word) = trailer {
                    packet.extend(word.to_be_bytes());
                }
                let whole = authenticator(mac, packet, trailer).finalize().into_bytes();
                packet.extend(&whole[..*tag]);
            }
            Self::Gcm { key, salt } => {
                let (header, text) = packet.split_at_mut(clear);
                let tag = key
                    .seal_in_place_separate_tag(
                        nonce(salt, id, trailer),
                        Aad::from(Associated::new(header, trailer)),
                        text,
                    )
                    .expect("a datagram is shorter than GCM's limit");
                packet.extend(tag.as_ref());
                if let Trailer::Index(word) = trailer {
                    packet.extend(word.to_be_bytes());
                }
            }
        }
    }

    /// The way back: checks the tag, decrypts, cuts off tag and trailer. `false` for a packet that was forged or damaged;
    /// its contents mean nothing then.
    pub fn open(&self, packet: &mut Vec<u8>, clear: usize, id: Id, trailer: Trailer) -> bool {
        let word = trailer.length();
        match self {
            Self::Counter { cipher, salt, mac, tag } => {
                let Some(end) = packet.len().checked_sub(*tag).filter(|end| *end >= clear + word) else { return false };
                let (body, given) = packet.split_at(end);
                if authenticator(mac, body, trailer).verify_truncated_left(given).is_err() {
                    return false;
                }
                packet.truncate(end - word);
                counter_mode(cipher.as_ref(), *salt, id, &mut packet[clear..]);
                true
            }
            Self::Gcm { key, salt } => {
                let Some(end) = packet.len().checked_sub(word).filter(|end| *end >= clear) else { return false };
                packet.truncate(end);
                let (header, text) = packet.split_at_mut(clear);
                let aad = Aad::from(Associated::new(header, trailer));
                let Ok(plain) = key.open_in_place(nonce(salt, id, trailer), aad, text) else { return false };
                let length = clear + plain.len();
                packet.truncate(length);
                true
            }
        }
    }
}

/// What is authenticated besides the packet itself.
#[derive(Clone, Copy, Debug)]
pub enum Trailer {
    /// Of RTP: not sent, both sides know it (RFC 3711 §4.2).
    Rollover(u32),
    /// Of RTCP: the index with the E flag (RFC 3711 §3.4).
    Index(u32),
}

impl Trailer {
    /// Octets in the packet.
    const fn length(self) -> usize {
        match self {
            Self::Rollover(_) => 0,
            Self::Index(_) => 4,
        }
    }
}

fn authenticator(mac: &Hmac<Sha1>, packet: &[u8], trailer: Trailer) -> Hmac<Sha1> {
    let mut mac = mac.clone();
    mac.update(packet);
    if let Trailer::Rollover(counter) = trailer {
        mac.update(&counter.to_be_bytes());
    }
    mac
}

/// What GCM authenticates besides the text (RFC 7714 §8.2, §9.2): the header, and of RTCP the index word too.
enum Associated<'a> {
    Rtp(&'a [u8]),
    Rtcp([u8; 12]),
}

impl<'a> Associated<'a> {
    fn new(header: &'a [u8], trailer: Trailer) -> Self {
        match trailer {
            Trailer::Rollover(_) => Self::Rtp(header),
            Trailer::Index(word) => {
                let mut both = [0; 12];
                both[..8].copy_from_slice(header);
                both[8..].copy_from_slice(&word.to_be_bytes());
                Self::Rtcp(both)
            }
        }
    }
}

impl AsRef<[u8]> for Associated<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Rtp(header) => header,
            Self::Rtcp(both) => both,
        }
    }
}

/// RFC 7714 §8.1: SSRC and index of 48 bits; §9.1: SSRC, two octets of zero, index of 32 bits. Both end in the index.
fn nonce(salt: &[u8; 12], id: Id, trailer: Trailer) -> Nonce {
    let mut bytes = [0; 12];
    match trailer {
        Trailer::Rollover(_) => {
            bytes[2..6].copy_from_slice(&id.ssrc.to_be_bytes());
            bytes[6..].copy_from_slice(&id.index.to_be_bytes()[2..]);
        }
        Trailer::Index(_) => {
            bytes[2..6].copy_from_slice(&id.ssrc.to_be_bytes());
            bytes[8..].copy_from_slice(&id.index.to_be_bytes()[4..]);
        }
    }
    bytes.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
    Nonce::assume_unique_for_key(bytes)
}

/// AES-CM (RFC 3711 §4.1.1).
fn counter_mode(
    cipher: &impl BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>,
    salt: u128,
    id: Id,
    text: &mut [u8],
) {
    let start = (salt << 16) ^ (u128::from(id.ssrc) << 64) ^ (u128::from(id.index) << 16);
    for (n, chunk) in text.chunks_mut(16).enumerate() {
        let mut block = Block::from((start + n as u128).to_be_bytes());
        cipher.encrypt_block(&mut block);
        chunk.iter_mut().zip(block).for_each(|(byte, key)| *byte ^= key);
    }
}

/// The key stream of the label (RFC 3711 §4.3.1, §4.3.3) without key derivation rate.
fn derive<C>(master: &MasterKey, label: u8, out: &mut [u8])
where
    C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16> + KeyInit,
{
    let mut salt = [0; 14];
    // A salt of 96 bits stands at the left (RFC 7714 §11).
    salt[..master.salt().len()].copy_from_slice(master.salt());
    out.fill(0);
    let salt = salt_number(&salt) ^ (u128::from(label) << 48);
    counter_mode(&keyed::<C>(master.key()), salt, Id { ssrc: 0, index: 0 }, out);
}

fn salt_number(salt: &[u8; 14]) -> u128 {
    salt.iter().fold(0, |number, &octet| (number << 8) | u128::from(octet))
}

fn keyed<C: KeyInit>(key: &[u8]) -> C {
    C::new_from_slice(key).expect("the suite's key has its algorithm's length")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hexadecimal: &str) -> Vec<u8> {
        (0..hexadecimal.len()).step_by(2).map(|n| u8::from_str_radix(&hexadecimal[n..n + 2], 16).unwrap()).collect()
    }

    #[test]
    fn derives_the_keys_of_rfc_3711_b_3() {
        let material = bytes("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
        let master = MasterKey::new(CryptoSuite::AesCm128HmacSha1_80, material).unwrap();
        for (label, expected) in [
            (0, "c61e7a93744f39ee10734afe3ff7a087"),
            (2, "30cbbc08863d8c85d49db34a9ae1"),
            (1, "cebe321f6ff7716b6fd4ab49af256a156d38baa4"),
        ] {
            let expected = bytes(expected);
            let mut out = vec![0; expected.len()];
            derive::<Aes128>(&master, label, &mut out);
            assert_eq!(out, expected, "label {label}");
        }
    }

    #[test]
    fn makes_the_key_stream_of_rfc_3711_b_2() {
        let cipher: Aes128 = keyed(&bytes("2b7e151628aed2a6abf7158809cf4f3c"));
        let salt: [u8; 14] = bytes("f0f1f2f3f4f5f6f7f8f9fafbfcfd").try_into().unwrap();
        let mut out = vec![0; 48];
        counter_mode(&cipher, salt_number(&salt), Id { ssrc: 0, index: 0 }, &mut out);
        assert_eq!(
            out,
            bytes("e03ead0935c95e80e166b16dd92b4eb4d23513162b02d0f72a43a2fe4a5f97ab41e95b3bb0a2e8dd477901e4fca894c0")
        );
    }
}
