//! Keys: telephone events in both directions (RFC 4733) and tones within the audio (ITU-T Q.23).

mod receive;
mod send;

pub use receive::EventReceiver;
pub use send::{KeySender, Sending};

/// In the order of their event codes, 0 to 15 (RFC 4733 §3.2).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// Event code of a key, small letters included.
pub fn event_code(key: char) -> Option<u8> {
    KEYS.iter().position(|known| *known == key.to_ascii_uppercase()).map(|at| at as u8)
}

/// The key's two frequencies in Hz.
pub fn frequencies(code: u8) -> [f32; 2] {
    const LOW: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
    const HIGH: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    let (row, column) = match code {
        1..=9 => ((code - 1) / 3, (code - 1) % 3),
        10 => (3, 0),
        0 => (3, 1),
        11 => (3, 2),
        _ => ((code - 12) & 3, 3),
    };
    [LOW[usize::from(row)], HIGH[usize::from(column)]]
}

/// The payload of an event packet (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    pub code: u8,
    pub end: bool,
    /// In timestamp units, since the event's timestamp.
    pub duration: u16,
}

impl EventPayload {
    /// Power of the tone, in -dBm0.
    const VOLUME: u8 = 10;

    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [code, flags, high, low, ..] = *payload else { return None };
        Some(Self { code, end: flags & 0x80 != 0, duration: u16::from_be_bytes([high, low]) })
    }

    pub fn write(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.code, if self.end { 0x80 } else { 0 } | Self::VOLUME, high, low]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_codes_and_frequencies() {
        for (key, code, tones) in [
            ('1', 1, [697.0, 1209.0]),
            ('5', 5, [770.0, 1336.0]),
            ('0', 0, [941.0, 1336.0]),
            ('*', 10, [941.0, 1209.0]),
            ('#', 11, [941.0, 1477.0]),
            ('a', 12, [697.0, 1633.0]),
            ('D', 15, [941.0, 1633.0]),
        ] {
            assert_eq!((event_code(key), frequencies(code)), (Some(code), tones), "{key}");
        }
        assert_eq!(event_code('x'), None);
    }

    #[test]
    fn payloads_are_as_in_the_rfc() {
        let payload = EventPayload { code: 9, end: true, duration: 1_600 };
        assert_eq!(payload.write(), [9, 0x8a, 0x06, 0x40]);
        assert_eq!(EventPayload::parse(&payload.write()), Some(payload));
        assert_eq!(EventPayload::parse(&[1, 2, 3]), None);
    }
}
