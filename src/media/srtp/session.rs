//! Both directions of one stream.

use super::{incoming::Incoming, outgoing::Outgoing};
use crate::media::plan::{MasterKey, SrtpKeys};
use std::fmt;

/// Protects what we send, opens what we receive.
pub struct SrtpSession {
    keys: SrtpKeys,
    outgoing: Outgoing,
    /// Other keys of ours, one a suite, with how far each was used: a suite that comes again goes on where it was, since an
    /// index used twice gives the key stream away.
    earlier: Vec<(MasterKey, Outgoing)>,
    incoming: Incoming,
    /// The peer's key before the last exchange: what is on its way was protected with it.
    before: Option<Incoming>,
}

impl SrtpSession {
    pub fn new(keys: SrtpKeys) -> Self {
        let (outgoing, incoming) = (Outgoing::new(&keys.send), Incoming::new(&keys.receive));
        Self { keys, outgoing, earlier: Vec::new(), incoming, before: None }
    }

    /// What a new exchange of descriptions agreed on. A key that stays keeps its indices, so that no packet is taken twice and
    /// no key stream used twice; a new one begins at zero.
    pub fn set_keys(&mut self, keys: SrtpKeys) {
        if keys.send != self.keys.send {
            let known = self.earlier.iter().position(|(key, _)| *key == keys.send);
            let next = known.map_or_else(|| Outgoing::new(&keys.send), |at| self.earlier.swap_remove(at).1);
            let last = std::mem::replace(&mut self.outgoing, next);
            self.earlier.push((self.keys.send.clone(), last));
        }
        if keys.receive != self.keys.receive {
            self.before = Some(std::mem::replace(&mut self.incoming, Incoming::new(&keys.receive)));
        }
        self.keys = keys;
    }

    /// RTP to send, written to `out`; `None` if `datagram` is none.
    pub fn protect(&mut self, datagram: &[u8], out: &mut Vec<u8>) -> Option<()> {
        refill(out, datagram);
        self.outgoing.protect(out)
    }

    /// RTCP to send, written to `out`.
    pub fn protect_control(&mut self, datagram: &[u8], out: &mut Vec<u8>) -> Option<()> {
        refill(out, datagram);
        self.outgoing.protect_control(out)
    }

    /// RTP received, written to `out`; `None` if it is forged, damaged, repeated, or not encrypted at all.
    pub fn open(&mut self, datagram: &[u8], out: &mut Vec<u8>) -> Option<()> {
        refill(out, datagram);
        self.incoming.open(out).or_else(|| {
            refill(out, datagram);
            self.before.as_mut()?.open(out)
        })
    }

    /// Whether RTP that does not open is under another key, or none: it is no repetition.
    pub fn is_foreign(&self, datagram: &[u8]) -> bool {
        self.incoming.is_new(datagram)
    }

    /// RTCP received, written to `out`.
    pub fn open_control(&mut self, datagram: &[u8], out: &mut Vec<u8>) -> Option<()> {
        refill(out, datagram);
        self.incoming.open_control(out).or_else(|| {
            refill(out, datagram);
            self.before.as_mut()?.open_control(out)
        })
    }
}

impl fmt::Debug for SrtpSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpSession").field("keys", &self.keys).finish_non_exhaustive()
    }
}

fn refill(out: &mut Vec<u8>, datagram: &[u8]) {
    out.clear();
    out.extend_from_slice(datagram);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::plan::{CryptoSuite, MasterKey};
    use proptest::prelude::*;

    fn key(suite: CryptoSuite, first: u8) -> MasterKey {
        let length = suite.key_length() + suite.salt_length();
        MasterKey::new(suite, (first..).take(length).collect()).unwrap()
    }

    fn pair(suite: CryptoSuite) -> (SrtpSession, SrtpSession) {
        let (a, b) = (key(suite, 1), key(suite, 100));
        let ours = SrtpKeys { send: a.clone(), receive: b.clone() };
        (SrtpSession::new(ours), SrtpSession::new(SrtpKeys { send: b, receive: a }))
    }

    fn packet(n: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 0];
        packet.extend(65_520u16.wrapping_add(n).to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend(0xcafe_babe_u32.to_be_bytes());
        packet.extend([n as u8; 20]);
        packet
    }

    fn report() -> Vec<u8> {
        let words = [0x80c8_0006u32, 0xcafe_babe, 1, 2, 3, 4, 5];
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// Suites that change and change back, within a call.
    #[test]
    fn a_key_that_comes_again_goes_on_where_it_was() {
        let (a, b) = (CryptoSuite::AeadAes128Gcm, CryptoSuite::AesCm128HmacSha1_80);
        let keys = |suite| SrtpKeys { send: key(suite, 1), receive: key(suite, 100) };
        let mut ours = SrtpSession::new(keys(a));
        let mut index = || {
            let mut out = Vec::new();
            ours.set_keys(keys(a));
            ours.protect_control(&report(), &mut out).unwrap();
            ours.set_keys(keys(b));
            // RFC 7714 §9.3: the last word.
            u32::from_be_bytes(*out.last_chunk().unwrap()) & !(1 << 31)
        };
        let first = index();
        assert_eq!([index(), index()], [first + 1, first + 2]);
    }

    #[test]
    fn what_is_protected_is_opened_once() {
        for suite in CryptoSuite::ALL {
            let (mut ours, mut theirs) = pair(suite);
            let (mut sent, mut plain) = (Vec::new(), Vec::new());
            // Two wraps of the sequence number, most of the packets lost.
            for n in (0..140_000u32).step_by(97) {
                let packet = packet(n as u16);
                ours.protect(&packet, &mut sent).unwrap();
                assert!(theirs.open(&sent, &mut plain).is_some() && plain == packet, "{suite:?} {n}");
                assert_eq!(theirs.open(&sent, &mut plain), None, "{suite:?} {n}: a replay");
                if n == 97 {
                    assert_eq!(theirs.open(&packet, &mut plain), None, "{suite:?}: not encrypted");
                }
            }
            for _ in 0..3 {
                ours.protect_control(&report(), &mut sent).unwrap();
                assert!(theirs.open_control(&sent, &mut plain).is_some() && plain == report(), "{suite:?}");
                assert_eq!(theirs.open_control(&sent, &mut plain), None, "{suite:?}: a replay");
            }
            assert_eq!(theirs.open_control(&report(), &mut plain), None, "{suite:?}: not encrypted");
        }
    }

    #[test]
    fn reordering_and_late_packets_are_opened_within_the_window() {
        let (mut ours, mut theirs) = pair(CryptoSuite::AesCm128HmacSha1_80);
        let mut sent: Vec<Vec<u8>> = (0..400)
            .map(|n| {
                let mut out = Vec::new();
                ours.protect(&packet(n), &mut out).unwrap();
                out
            })
            .collect();
        let mut plain = Vec::new();
        sent[1..].chunks_mut(50).for_each(|chunk| chunk.reverse());
        let opened = sent.iter().filter(|packet| theirs.open(packet, &mut plain).is_some()).count();
        assert_eq!(opened, 400);
    }

    #[test]
    fn a_new_key_begins_anew_and_what_was_on_its_way_is_heard() {
        let (mut ours, mut theirs) = pair(CryptoSuite::AesCm128HmacSha1_80);
        let (mut late, mut sent, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for n in 0..20 {
            ours.protect(&packet(n), &mut sent).unwrap();
            theirs.open(&sent, &mut plain).unwrap();
        }
        ours.protect(&packet(20), &mut late).unwrap();
        let (a, b) = (key(CryptoSuite::AeadAes128Gcm, 7), key(CryptoSuite::AesCm128HmacSha1_80, 100));
        ours.set_keys(SrtpKeys { send: a.clone(), receive: b.clone() });
        theirs.set_keys(SrtpKeys { send: b, receive: a });
        ours.protect(&packet(21), &mut sent).unwrap();
        assert!(theirs.open(&sent, &mut plain).is_some());
        assert!(theirs.open(&late, &mut plain).is_some());
        // The other direction's key stayed: its indices go on.
        theirs.protect(&packet(0), &mut sent).unwrap();
        assert!(ours.open(&sent, &mut plain).is_some());
        assert_eq!(ours.open(&sent, &mut plain), None);
        assert!(!format!("{ours:?}").contains('['), "{ours:?}");
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3711))]

            #[test]
            fn no_damaged_packet_is_opened(
                suite in 0usize..4, control: bool, at in 0usize..200, bit in 0u8..8, cut in 0usize..60
            ) {
                let (mut ours, mut theirs) = pair(CryptoSuite::ALL[suite]);
                let (mut sent, mut plain) = (Vec::new(), Vec::new());
                if control {
                    ours.protect_control(&report(), &mut sent).unwrap();
                } else {
                    ours.protect(&packet(3), &mut sent).unwrap();
                }
                let whole = sent.clone();
                sent.truncate(whole.len().saturating_sub(cut));
                if let Some(length) = std::num::NonZero::new(sent.len()) {
                    sent[at % length] ^= 1 << bit;
                }
                prop_assert_eq!(theirs.open(&sent, &mut plain), None);
                prop_assert_eq!(theirs.open_control(&sent, &mut plain), None);
                let opened = if control { theirs.open_control(&whole, &mut plain) } else { theirs.open(&whole, &mut plain) };
                prop_assert!(opened.is_some());
            }

            #[test]
            fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
                let (_, mut theirs) = pair(CryptoSuite::AeadAes256Gcm);
                let mut plain = Vec::new();
                prop_assert_eq!(theirs.open(&bytes, &mut plain), None);
                prop_assert_eq!(theirs.open_control(&bytes, &mut plain), None);
            }
        }
    }
}
