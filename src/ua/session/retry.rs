//! What an INVITE that was refused is tried again with (RFC 3261 §8.1.3.5, RFC 4028 §7.3): less, or a longer interval.

use super::timer;
use crate::{
    media::plan::{Codec, SrtpPolicy},
    sip::msg::{Headers, Response},
    ua::reason,
};

/// What the next INVITE of a call is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub offer: Offer,
    /// Option tags that we name in Supported, and a session timer.
    pub extensions: bool,
    /// Session interval that we propose, and the largest Min-SE that a 422 has named; seconds.
    pub interval: u32,
    pub min_se: u32,
    /// 422 so far.
    raised: u8,
}

/// What the INVITE offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Every codec that we have.
    Full,
    /// G.711 alone, which everybody has.
    Plain,
    /// None: the other side says what it takes, and we answer in the ACK (RFC 3261 §13.2.1).
    Late,
}

/// Each server on the way may ask for a longer interval once.
const MAX_RAISED: u8 = 4;

impl Default for Terms {
    fn default() -> Self {
        let (interval, min_se) = (timer::PROPOSED, timer::MIN_SE);
        Self { offer: Offer::Full, extensions: true, interval, min_se, raised: 0 }
    }
}

impl Terms {
    /// Whether the call is worth another INVITE after this refusal, with these terms changed.
    pub fn revise(&mut self, response: &Response, codecs: &[Codec], srtp: SrtpPolicy) -> bool {
        match response.code() {
            415 | 488 | 606 => {
                let narrower = plain(codecs).len() < codecs.len() && !plain(codecs).is_empty();
                let of_transport = reason::is_about_transport(response);
                let next = match (self.offer, srtp) {
                    // What was refused may be that it is encrypted, as another would be.
                    (_, SrtpPolicy::Sdes | SrtpPolicy::Dtls) if of_transport => return false,
                    (Offer::Full, _) if narrower => Offer::Plain,
                    // Without one it rings at somebody who may take encrypted audio only, which is not had here.
                    (_, SrtpPolicy::Off) if of_transport => return false,
                    (Offer::Full | Offer::Plain, _) => Offer::Late,
                    (Offer::Late, _) => return false,
                };
                self.offer = next;
                true
            }
            // Nothing is required of it; it takes offence at what we support.
            420 => std::mem::take(&mut self.extensions),
            422 => self.raise(&response.headers),
            _ => false,
        }
    }

    fn raise(&mut self, response: &Headers) -> bool {
        let Some(wanted) = timer::min_se(response).filter(|w| *w > self.min_se && self.raised < MAX_RAISED) else {
            return false;
        };
        self.raised += 1;
        self.min_se = wanted;
        self.interval = self.interval.max(wanted);
        true
    }
}

/// The codecs of [`Offer::Plain`].
pub(super) fn plain(codecs: &[Codec]) -> Vec<Codec> {
    codecs.iter().copied().filter(|codec| matches!(codec, Codec::Pcmu | Codec::Pcma)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Codec] = &[Codec::Opus, Codec::Pcmu, Codec::Pcma];

    fn refusal(code: u16, min_se: Option<&str>) -> Response {
        let mut response = Response::new(code);
        if let Some(min_se) = min_se {
            response.headers.push("Min-SE", min_se);
        }
        response
    }

    #[test]
    fn the_offer_shrinks_and_is_then_left_to_the_other_side() {
        for (codecs, offers) in [
            (ALL, &[Offer::Plain, Offer::Late][..]),
            (&[Codec::Opus], &[Offer::Late]),
            (&[Codec::Pcmu], &[Offer::Late]),
        ] {
            let mut terms = Terms::default();
            for (offer, code) in offers.iter().zip([488, 606]) {
                assert!(terms.revise(&refusal(code, None), codecs, SrtpPolicy::Off));
                assert_eq!(terms.offer, *offer);
            }
            assert!(!terms.revise(&refusal(415, None), codecs, SrtpPolicy::Off), "{codecs:?}");
        }
    }

    /// RFC 3261 §20.43, 302: whose transport is not taken may offer less, but what it must offer it offers.
    #[test]
    fn a_refused_transport_is_no_reason_to_give_up_encryption_or_to_ring_in_vain() {
        use SrtpPolicy::{Dtls, Off, Optional, Sdes};
        for (codecs, srtp, offers) in [
            (ALL, Sdes, &[][..]),
            (ALL, Dtls, &[]),
            (ALL, Off, &[Offer::Plain]),
            (&[Codec::Pcmu], Off, &[]),
            (ALL, Optional, &[Offer::Plain, Offer::Late]),
        ] {
            let (mut terms, mut refused) = (Terms::default(), refusal(488, None));
            refused.headers.push("Warning", "302 pbx \"Incompatible transport protocol\"");
            let offered = std::iter::from_fn(|| terms.revise(&refused, codecs, srtp).then_some(terms.offer));
            assert_eq!(offered.collect::<Vec<_>>(), offers, "{srtp:?}");
        }
    }

    #[test]
    fn extensions_are_dropped_once() {
        let mut terms = Terms::default();
        assert!(terms.revise(&refusal(420, None), ALL, SrtpPolicy::Off) && !terms.extensions);
        assert!(!terms.revise(&refusal(420, None), ALL, SrtpPolicy::Off));
    }

    #[test]
    fn intervals_grow_a_few_times() {
        let mut terms = Terms::default();
        for (min, expected) in [
            (None, None),
            (Some("90"), None),
            (Some("600"), Some((1800, 600))),
            (Some("600"), None),
            (Some("2000"), Some((2000, 2000))),
            (Some("3000"), Some((3000, 3000))),
            (Some("90000"), None),
            (Some("4000"), Some((4000, 4000))),
            (Some("5000"), None),
        ] {
            let revised = terms.revise(&refusal(422, min), ALL, SrtpPolicy::Off);
            assert_eq!(revised.then_some((terms.interval, terms.min_se)), expected, "{min:?}");
        }
    }

    #[test]
    fn other_refusals_stand() {
        for code in [400, 403, 404, 421, 480, 484, 486, 500, 503, 600, 603] {
            assert!(!Terms::default().revise(&refusal(code, Some("3600")), ALL, SrtpPolicy::Off), "{code}");
        }
    }
}
