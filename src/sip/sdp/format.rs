//! Payload types and what they stand for (RFC 3551 §6, RFC 4733, RFC 7587).

use crate::media::plan::{Codec, OpusParams};
use sdp_types::{Attribute, Media};

/// A payload type of an m= line whose encoding we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    pub payload_type: u8,
    pub encoding: Encoding,
    /// The value of its `a=fmtp` after the payload type, if any.
    pub parameters: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Audio(Codec),
    TelephoneEvent {
        clock_rate: u32,
    },
    /// RFC 3389, at 8000 Hz.
    ComfortNoise,
    /// Opus with copies of earlier packets (RFC 2198).
    Redundancy,
}

/// The payload types we know, in the order of the m= line, each once.
pub(super) fn read(media: &Media) -> Vec<Format> {
    let mut maps: [Option<&str>; 128] = [None; 128];
    let mut parameters: [Option<&str>; 128] = [None; 128];
    for attribute in &media.attributes {
        let table = match attribute.attribute.as_str() {
            "rtpmap" => &mut maps,
            "fmtp" => &mut parameters,
            _ => continue,
        };
        let Some((number, rest)) = attribute.value.as_deref().and_then(|v| v.split_once(' ')) else { continue };
        if let Some(slot) = number.parse::<usize>().ok().and_then(|n| table.get_mut(n)) {
            slot.get_or_insert(rest.trim());
        }
    }
    let mut seen = [false; 128];
    let mut formats = Vec::new();
    for number in media.fmt.split(' ').filter_map(|t| t.parse::<u8>().ok()).filter(|n| *n < 128) {
        let index = usize::from(number);
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        if let Some(encoding) = maps[index].map_or_else(|| static_encoding(number), encoding) {
            formats.push(Format { payload_type: number, encoding, parameters: parameters[index].map(str::to_owned) });
        }
    }
    formats
}

impl Format {
    /// As we write it; `dtx`: silence need not be sent to us.
    pub fn ours(payload_type: u8, encoding: Encoding, dtx: bool) -> Self {
        let parameters = match encoding {
            // RFC 7587 §6.1: we decode in-band FEC.
            Encoding::Audio(Codec::Opus) => {
                Some(if dtx { "useinbandfec=1;usedtx=1" } else { "useinbandfec=1" }.to_owned())
            }
            Encoding::Audio(Codec::G722 | Codec::Pcmu | Codec::Pcma) | Encoding::ComfortNoise => None,
            // RFC 4733 §2.5.1.1: the sixteen DTMF events.
            Encoding::TelephoneEvent { .. } => Some("0-15".to_owned()),
            // Names the payload type of Opus: see `Format::redundancy`.
            Encoding::Redundancy => None,
        };
        Self { payload_type, encoding, parameters }
    }

    /// As we write it where Opus has the payload type `opus` (RFC 2198 §4).
    pub fn redundancy(payload_type: u8, opus: u8) -> Self {
        Self { payload_type, encoding: Encoding::Redundancy, parameters: Some(format!("{opus}/{opus}")) }
    }

    /// Whether it carries nothing but the payload type `opus`.
    pub fn is_redundancy_of(&self, opus: u8) -> bool {
        let all_opus = |types: &str| types.split('/').all(|number| number.trim().parse() == Ok(opus));
        self.encoding == Encoding::Redundancy && self.parameters.as_deref().is_some_and(all_opus)
    }

    pub fn write(&self, attributes: &mut Vec<Attribute>) {
        let number = self.payload_type;
        attributes.push(attribute("rtpmap", format!("{number} {}", self.encoding.rtpmap())));
        if let Some(parameters) = &self.parameters {
            attributes.push(attribute("fmtp", format!("{number} {parameters}")));
        }
    }

    /// RFC 7587 §6.1. Values out of range are as if absent.
    pub fn opus_params(&self) -> OpusParams {
        let mut params = OpusParams {
            max_average_bitrate: None,
            max_playback_rate: None,
            fec: false,
            dtx: false,
            cbr: false,
            redundancy: None,
        };
        for parameter in self.parameters.as_deref().unwrap_or_default().split(';') {
            let Some((name, value)) = parameter.split_once('=') else { continue };
            let value = value.trim();
            let number = value.parse::<u32>().ok();
            match name.trim().to_ascii_lowercase().as_str() {
                "maxaveragebitrate" => params.max_average_bitrate = number.filter(|n| (6_000..=510_000).contains(n)),
                "maxplaybackrate" => params.max_playback_rate = number.filter(|n| (8_000..=48_000).contains(n)),
                "useinbandfec" => params.fec = value == "1",
                "usedtx" => params.dtx = value == "1",
                "cbr" => params.cbr = value == "1",
                _ => {}
            }
        }
        params
    }
}

impl Encoding {
    fn rtpmap(self) -> String {
        match self {
            // RFC 7587 §4.1: always two channels in the description, whatever is sent.
            Self::Audio(Codec::Opus) => "opus/48000/2".to_owned(),
            Self::Audio(codec) => codec.label(),
            Self::TelephoneEvent { clock_rate } => format!("telephone-event/{clock_rate}"),
            Self::ComfortNoise => "CN/8000".to_owned(),
            Self::Redundancy => "red/48000/2".to_owned(),
        }
    }

    /// The payload type we would choose ourselves.
    pub const fn usual_payload_type(self) -> u8 {
        match self {
            Self::Audio(Codec::Pcmu) => 0,
            Self::Audio(Codec::Pcma) => 8,
            Self::Audio(Codec::G722) => 9,
            Self::Audio(Codec::Opus) => 96,
            Self::TelephoneEvent { clock_rate: 48_000 } => 97,
            Self::TelephoneEvent { .. } => 101,
            Self::ComfortNoise => 13,
            Self::Redundancy => 98,
        }
    }
}

pub(super) fn attribute(name: &str, value: impl Into<String>) -> Attribute {
    Attribute { attribute: name.to_owned(), value: Some(value.into()) }
}

/// RFC 3551 §6, table 4.
const fn static_encoding(payload_type: u8) -> Option<Encoding> {
    match payload_type {
        0 => Some(Encoding::Audio(Codec::Pcmu)),
        8 => Some(Encoding::Audio(Codec::Pcma)),
        9 => Some(Encoding::Audio(Codec::G722)),
        13 => Some(Encoding::ComfortNoise),
        _ => None,
    }
}

/// From `name/clock[/channels]`.
fn encoding(rtpmap: &str) -> Option<Encoding> {
    let mut parts = rtpmap.split('/');
    let name = parts.next()?.trim().to_ascii_lowercase();
    let clock_rate = parts.next()?.trim().parse::<u32>().ok()?;
    let channels = parts.next().map_or(Some(1), |c| c.trim().parse::<u8>().ok())?;
    match (name.as_str(), clock_rate, channels) {
        // Some peers leave out the 2 that RFC 7587 asks for.
        ("opus", 48_000, 1 | 2) => Some(Encoding::Audio(Codec::Opus)),
        ("g722", 8_000, 1) => Some(Encoding::Audio(Codec::G722)),
        ("pcmu", 8_000, 1) => Some(Encoding::Audio(Codec::Pcmu)),
        ("pcma", 8_000, 1) => Some(Encoding::Audio(Codec::Pcma)),
        ("cn", 8_000, 1) => Some(Encoding::ComfortNoise),
        ("red", 48_000, 1 | 2) => Some(Encoding::Redundancy),
        ("telephone-event", 8_000 | 48_000, _) => Some(Encoding::TelephoneEvent { clock_rate }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_read_as_peers_write_them() {
        for (rtpmap, expected) in [
            ("opus/48000/2", Some(Encoding::Audio(Codec::Opus))),
            ("OPUS/48000", Some(Encoding::Audio(Codec::Opus))),
            ("opus/16000/2", None),
            ("PCMU/8000", Some(Encoding::Audio(Codec::Pcmu))),
            ("pcma/8000/1", Some(Encoding::Audio(Codec::Pcma))),
            ("PCMA/16000", None),
            ("PCMU/8000/2", None),
            ("telephone-event/48000", Some(Encoding::TelephoneEvent { clock_rate: 48_000 })),
            ("telephone-event/16000", None),
            ("CN/8000", Some(Encoding::ComfortNoise)),
            ("CN/16000", None),
            ("red/48000/2", Some(Encoding::Redundancy)),
            ("red/8000", None),
            ("G722/8000", Some(Encoding::Audio(Codec::G722))),
            ("G722/16000", None),
            ("PCMU", None),
            ("", None),
            ("PCMU/99999999999999", None),
        ] {
            assert_eq!(encoding(rtpmap), expected, "{rtpmap}");
        }
    }

    #[test]
    fn opus_parameters_out_of_range_are_ignored() {
        let read = |parameters: &str| {
            Format { payload_type: 96, encoding: Encoding::Audio(Codec::Opus), parameters: Some(parameters.into()) }
                .opus_params()
        };
        let plain = OpusParams {
            max_average_bitrate: None,
            max_playback_rate: None,
            fec: false,
            dtx: false,
            cbr: false,
            redundancy: None,
        };
        assert_eq!(read(""), plain);
        assert_eq!(read("useinbandfec=1; usedtx=1;cbr=1"), OpusParams { fec: true, dtx: true, cbr: true, ..plain });
        assert_eq!(
            read("maxplaybackrate=16000;MaxAverageBitrate=32000;stereo=1"),
            OpusParams { max_average_bitrate: Some(32_000), max_playback_rate: Some(16_000), ..plain }
        );
        assert_eq!(read("maxaveragebitrate=1;maxplaybackrate=96000;useinbandfec=yes;x;=;;"), plain);
    }
}
