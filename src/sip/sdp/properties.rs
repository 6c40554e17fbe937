//! What must hold for any description: nothing panics, an answer repeats the offer's lines, and both can be read.

use super::{LocalCrypto, OfferAnswer, SdpError, remote};
use crate::{
    media::plan::{Codec, Direction, Fingerprint, SrtpPolicy},
    properties::{config, fixtures},
    sip::entropy::Entropy,
};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use std::{net::SocketAddr, sync::LazyLock};

/// Descriptions as PBXs, softphones, gateways and browsers write them.
static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| fixtures("sdp"));

const LINES: [&str; 21] = [
    "a=fingerprint:sha-256 00:11\r\n",
    "a=setup:active\r\n",
    "m=audio 4000 UDP/TLS/RTP/SAVP 0\r\n",
    "a=sendonly\r\n",
    "a=inactive\r\n",
    "a=rtcp-mux\r\n",
    "a=rtcp:0\r\n",
    "a=rtcp:5001 IN IP4 192.0.2.1\r\n",
    "a=ptime:0\r\n",
    "a=maxptime:5\r\n",
    "a=rtpmap:0 opus/48000/2\r\n",
    "a=rtpmap:96\r\n",
    "a=fmtp:96 \r\n",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\r\n",
    "c=IN IP4 224.2.1.1/127/3\r\n",
    "c=IN IP6 ::\r\n",
    "c=IN IP4 a.test\r\n",
    "m=audio 65535 RTP/AVP 0\r\n",
    "m=audio 0 RTP/SAVP 8\r\n",
    "m=video 1/2 RTP/AVP 31\r\n",
    "t=1 2\r\n",
];

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), 0..4u8, any::<u8>(), select(&LINES[..]));
    (any::<Index>(), prop::collection::vec(change, 0..6)).prop_map(|(description, changes)| {
        let mut bytes = description.get(&CORPUS).clone();
        for (at, kind, byte, line) in changes {
            let at = at.index(bytes.len() + 1);
            match kind {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] = byte,
                2 if at < bytes.len() => drop(bytes.remove(at)),
                // A whole line where one begins.
                _ => {
                    let from = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
                    drop(bytes.splice(from..from, line.bytes()));
                }
            }
        }
        bytes
    })
}

fn ours() -> OfferAnswer {
    let crypto = LocalCrypto::new(SrtpPolicy::Optional, Some(Fingerprint::of(b"ours")), &mut Entropy::from_seed(1));
    OfferAnswer::new(&[Codec::Opus, Codec::Pcmu, Codec::Pcma], 1, crypto)
}

fn local() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn lines(description: &[u8]) -> usize {
    remote::parse(description).map_or(0, |session| session.medias.len())
}

proptest! {
    #![proptest_config(config(3_000, 8866))]

    #[test]
    fn any_offer_is_answered_line_by_line_or_refused_in_words(
        offers in prop::collection::vec(mutated(), 1..4),
        wanted in select(vec![Direction::SendRecv, Direction::SendOnly]),
    ) {
        let mut session = ours();
        for offer in offers {
            match session.answer(&offer, local(), wanted) {
                Ok((answer, plan)) => {
                    prop_assert_eq!(lines(&answer), lines(&offer));
                    prop_assert!(wanted.receives() || !plan.direction.receives());
                    let mut other = ours();
                    other.offer(local(), Direction::SendRecv);
                    prop_assert!(!matches!(other.preview(&answer), Err(SdpError::Malformed(_))));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }

    #[test]
    fn any_answer_is_taken_or_refused_in_words(answer in mutated()) {
        let mut session = ours();
        session.offer(local(), Direction::SendRecv);
        match session.accept_answer(&answer) {
            Ok(plan) => {
                prop_assert!(!plan.receive.is_empty() && plan.remote_rtp.port() != 0);
                // And the next offer can be made.
                prop_assert!(lines(&session.offer(local(), Direction::SendOnly)) >= 1);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}
