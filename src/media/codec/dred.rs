//! Whether an Opus packet carries deep redundancy (DRED, draft-ietf-mlcodec-opus-dred): a description of the last second or less,
//! from which libopus speaks what was lost. It is an extension (draft-ietf-mlcodec-opus-extension), hidden in the padding.

/// The extension's number while it has none of its own, what its content begins with then, and the version that our libopus
/// reads (dnn/dred_config.h).
const DRED: u8 = 126;
const EXPERIMENT: [u8; 2] = [b'D', 12];
/// All that follows an extension of this number repeats those before it, for the later frames.
const REPEAT: u8 = 2;

/// Whether our libopus finds deep redundancy in this packet.
pub fn is_carried_by(payload: &[u8]) -> bool {
    let mut rest = padding(payload).unwrap_or_default();
    while let Some((id, content)) = extension(&mut rest) {
        match id {
            DRED if content.len() > EXPERIMENT.len() && content.starts_with(&EXPERIMENT) => return true,
            REPEAT => return false,
            _ => {}
        }
    }
    false
}

/// What a packet ends with, after its frames (RFC 6716 §3.2.5): none but those of code 3 are padded.
fn padding(payload: &[u8]) -> Option<&[u8]> {
    let (&[toc, count], mut rest) = payload.split_first_chunk()?;
    if toc & 0b11 != 3 || count & 0x40 == 0 {
        return None;
    }
    let length = laced(&mut rest, 254)?;
    rest.get(rest.len().checked_sub(length)?..)
}

/// The first extension, which is taken off: its number and content. `None` at the end, and where it is cut off.
fn extension<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&head, after) = rest.split_first()?;
    *rest = after;
    let (id, flag) = (head >> 1, head & 1 == 1);
    let length = match (id, flag) {
        // One octet of padding.
        (0, true) | (REPEAT, _) => 0,
        (1..32, _) => usize::from(flag),
        (_, true) => laced(rest, 255)?,
        (_, false) => rest.len(),
    };
    let (content, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some((id, content))
}

/// A length in octets of which each but the last is 255 and stands for `full`.
fn laced(rest: &mut &[u8], full: usize) -> Option<usize> {
    let mut length = 0;
    loop {
        let (&octet, after) = rest.split_first()?;
        *rest = after;
        if octet < 255 {
            return Some(length + usize::from(octet));
        }
        length += full;
    }
}

/// Packets of 20 ms as libopus makes them with deep redundancy of the last 200 ms.
#[cfg(test)]
pub fn packets(signal: fn(usize) -> f32, count: usize) -> Vec<Vec<u8>> {
    use opusic_c::{Application, Bandwidth, Bitrate, Channels, Encoder, SampleRate};
    let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip).expect("an encoder");
    encoder.set_bitrate(Bitrate::Value(96_000)).expect("a bit rate");
    encoder.set_max_bandwidth(Bandwidth::Wide).expect("a bandwidth");
    encoder.set_complexity(5).expect("a complexity");
    encoder.set_packet_loss(20).expect("a share");
    encoder.set_dred_duration(20).expect("a duration");
    (0..count)
        .map(|frame| {
            let samples: Vec<f32> = (frame * 960..(frame + 1) * 960).map(signal).collect();
            let mut payload = vec![0; 1_275];
            let length = encoder.encode_float_to_slice(&samples, &mut payload).expect("a packet");
            payload.truncate(length);
            payload
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::{Ahead, Decoder};
    use crate::media::plan::Codec;

    fn padded(extensions: &[u8]) -> Vec<u8> {
        // A frame of SILK in a packet of code 3.
        let mut packet = vec![0x4b, 0x41];
        packet.extend(std::iter::repeat_n(255, extensions.len() / 254));
        packet.push((extensions.len() % 254) as u8);
        packet.extend([0x12, 0x34, 0x56]);
        packet.extend(extensions);
        packet
    }

    #[test]
    fn it_is_found_where_libopus_writes_it() {
        let tone = |n: usize| 0.3 * (n as f32 * 0.06).sin();
        let packets = packets(tone, 25);
        // It looks back by some packets.
        assert!(packets[10..].iter().all(|packet| is_carried_by(packet)));
        let mut encoder = crate::media::codec::Encoder::new(Codec::Opus, &crate::media::plan::OpusParams::default());
        let mut payload = Vec::new();
        for frame in 0..10 {
            encoder.encode(&(frame * 960..(frame + 1) * 960).map(tone).collect::<Vec<_>>(), &mut payload);
            assert!(!is_carried_by(&payload));
        }
    }

    #[test]
    fn it_is_told_from_other_extensions() {
        let long = [&[126 << 1, b'D', 12][..], &[7; 400]].concat();
        let laced = [&[126 << 1 | 1, 255, 47, b'D', 12][..], &[7; 300], &[1, 1, 1]].concat();
        let after_others = [&[1, 1, 7 << 1, 9 << 1 | 1, 126, 124 << 1 | 1, 2, b'D', 12][..], &long].concat();
        let of_a_later_frame = [&[1 << 1 | 1, 2][..], &long].concat();
        for extensions in [&long, &laced, &after_others, &of_a_later_frame] {
            assert!(is_carried_by(&padded(extensions)), "{extensions:?}");
        }
        let none: [&[u8]; 9] = [
            &[],
            &[0; 20],
            &[1; 20],
            &[126 << 1],
            &[126 << 1, b'D', 12],
            &[126 << 1, b'D', 11, 1, 2, 3, 4],
            &[126 << 1 | 1, 9, b'D', 12, 1, 2],
            &[124 << 1, 126 << 1, b'D', 12, 1, 2],
            &[2 << 1, 126 << 1, b'D', 12, 1, 2],
        ];
        for extensions in none {
            assert!(!is_carried_by(&padded(extensions)), "{extensions:?}");
        }
        let mut unpadded = padded(&long);
        unpadded[1] &= !0x40;
        assert!(!is_carried_by(&unpadded));
        assert!(!is_carried_by(&padded(&long)[..100]), "cut off");
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::prelude::*;

        proptest! {
            #![proptest_config(config(256, 6716))]

            #[test]
            fn whatever_a_packet_is_padded_with_a_gap_before_it_is_filled(
                pieces in prop::collection::vec(
                    (prop_oneof![Just(126u8 << 1), Just(126 << 1 | 1), any::<u8>()], prop::collection::vec(any::<u8>(), 0..40)),
                    0..6,
                ),
                is_deep in any::<bool>(),
                noise in prop::collection::vec(any::<u8>(), 0..60),
                cut in 0usize..20,
                gap in 0usize..60,
            ) {
                let deep = |(head, content): &(u8, Vec<u8>)| {
                    let laced = (head & 1 == 1).then_some(content.len() as u8 + 2);
                    let experiment = if is_deep { &EXPERIMENT[..] } else { &[] };
                    [&[*head][..], laced.as_slice(), experiment, content].concat()
                };
                let spoken = packets(|n| 0.3 * (n as f32 * 0.06).sin(), 1);
                let packet = padded(&pieces.iter().flat_map(deep).collect::<Vec<_>>());
                for payload in [&packet[..packet.len().saturating_sub(cut)], &noise[..], &packet[..]] {
                    is_carried_by(payload);
                    let mut decoder = Decoder::new(Codec::Opus);
                    // Before the first packet all is silence.
                    decoder.decode(&spoken[0], &mut Vec::new());
                    let (missing, mut out) = (gap * 120, Vec::new());
                    for count in [missing / 2, missing - missing / 2] {
                        let ahead = Ahead { missing: missing - out.len(), payload };
                        decoder.conceal(count, Some(ahead), &mut out);
                    }
                    decoder.decode(payload, &mut Vec::new());
                    prop_assert_eq!(out.len(), missing);
                    prop_assert!(out.iter().all(|sample| sample.is_finite()));
                }
            }
        }
    }
}
