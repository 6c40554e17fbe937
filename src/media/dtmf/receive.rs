//! Keys heard as telephone events: each press once, however many of its packets are lost, repeated or reordered.

use super::{EventPayload, KEYS};

/// Timestamp units from a segment of a long event to the next.
const LONGEST_SEGMENT: i32 = 0xffff;
/// 60 ms at 8 kHz: nobody presses a key again so soon.
const LITTLE: i32 = 480;

/// Twelve seconds at 8 kHz, two at 48: packets of an event that come later than those of the next are not later than that.
const LATE: i32 = 96_000;

/// The event being received, or the last one.
#[derive(Debug, Default)]
pub struct EventReceiver {
    current: Option<Event>,
    /// What comes now may have nothing to do with it.
    is_new: bool,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    code: u8,
    /// Identifies the event: all its packets bear the time of its start (RFC 4733 §2.1).
    timestamp: u32,
    duration: u16,
    ended: bool,
}

impl EventReceiver {
    /// The stream begins anew, with other numbers; a press that goes on over it is none again.
    pub fn restart(&mut self) {
        self.is_new = true;
    }

    /// Takes in an event packet. Returns the key when it is a new press.
    pub fn handle(&mut self, timestamp: u32, marker: bool, payload: &[u8]) -> Option<char> {
        let seen = EventPayload::parse(payload)?;
        if std::mem::take(&mut self.is_new) {
            self.current = self.current.filter(|last| (last.code, last.timestamp) == (seen.code, timestamp));
        }
        if let Some(current) = &mut self.current {
            let ahead = timestamp.wrapping_sub(current.timestamp) as i32;
            if (-LATE..0).contains(&ahead) {
                return None;
            }
            if ahead == 0 {
                current.duration = current.duration.max(seen.duration);
                current.ended |= seen.end;
                return None;
            }
            // A long event continues in a new segment right after the longest duration there is, without a marker
            // (§2.5.1.3). Some senders move the timestamp a little with every packet instead.
            let continues = !marker && !current.ended && current.code == seen.code;
            if continues && (ahead == LONGEST_SEGMENT || (1..=LITTLE).contains(&ahead)) {
                *current = Event { timestamp, duration: seen.duration, ended: seen.end, ..*current };
                return None;
            }
        }
        self.current = Some(Event { code: seen.code, timestamp, duration: seen.duration, ended: seen.end });
        KEYS.get(usize::from(seen.code)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets of keys as a sender makes them: timestamp, marker, payload.
    fn press(code: u8, start: u32) -> Vec<(u32, bool, [u8; 4])> {
        let durations = [160u16, 320, 480, 640, 800, 800, 800];
        durations
            .iter()
            .enumerate()
            .map(|(n, &duration)| (start, n == 0, EventPayload { code, end: n >= 4, duration }.write()))
            .collect()
    }

    fn heard(packets: impl IntoIterator<Item = (u32, bool, [u8; 4])>) -> String {
        let mut receiver = EventReceiver::default();
        packets
            .into_iter()
            .filter_map(|(timestamp, marker, payload)| receiver.handle(timestamp, marker, &payload))
            .collect()
    }

    #[test]
    fn each_press_once_whatever_is_lost() {
        let keys: Vec<_> = (0..3).flat_map(|n| press(5, 1_000 + n * 1_600)).collect();
        assert_eq!(heard(keys.clone()), "555");
        // Every choice of lost packets that leaves one of each press.
        for lost in 0..1u32 << 7 {
            if lost == (1 << 7) - 1 {
                continue;
            }
            let kept = keys.iter().enumerate().filter(|(n, _)| lost & (1 << (n % 7)) == 0).map(|(_, packet)| *packet);
            assert_eq!(heard(kept), "555", "lost {lost:07b}");
        }
    }

    #[test]
    fn repeated_and_reordered_packets_are_no_presses() {
        let mut packets = press(1, 0);
        packets.extend(press(2, 1_600));
        packets.insert(9, packets[2]);
        packets.insert(4, packets[3]);
        assert_eq!(heard(packets), "12");
    }

    #[test]
    fn a_long_press_in_segments_is_one() {
        let segment = |start: u32, duration, end| (start, false, EventPayload { code: 7, end, duration }.write());
        let long = [
            segment(0, 160, false),
            segment(0, 0xffff, false),
            segment(0xffff, 160, false),
            segment(0xffff, 900, true),
        ];
        assert_eq!(heard(long), "7");
    }

    #[test]
    fn a_timestamp_that_begins_anew_is_no_late_packet() {
        for back in [LATE as u32 + 800, 1 << 31, (1 << 31) + 1] {
            let mut packets = press(5, 1_000);
            packets.extend(press(6, 1_000u32.wrapping_sub(back)));
            assert_eq!(heard(packets), "56", "{back}");
        }
    }

    #[test]
    fn a_press_goes_on_over_a_restart() {
        let mut receiver = EventReceiver::default();
        let mut hear = |restarts: bool, packets: &[(u32, bool, [u8; 4])]| -> String {
            if restarts {
                receiver.restart();
            }
            packets.iter().filter_map(|(at, marker, payload)| receiver.handle(*at, *marker, payload)).collect()
        };
        let five = press(5, 100_000);
        assert_eq!(hear(false, &five[..3]), "5");
        assert_eq!(hear(true, &five[3..]), "");
        assert_eq!(hear(true, &press(5, 99_000)), "5", "another press, of another clock");
        assert_eq!(hear(true, &press(6, 99_000)), "6");
    }

    mod properties {
        use super::*;
        use crate::properties::config;
        use proptest::{prelude::*, sample::Index};

        proptest! {
            #![proptest_config(config(256, 4733))]

            /// Whatever is lost, doubled or overtaken by at most one key, as long as one packet of each comes: each key once.
            #[test]
            fn each_key_is_heard_once(
                keys in prop::collection::vec(0u8..16, 1..20),
                start: u32,
                lost in prop::collection::vec(any::<Index>(), 0..100),
                doubled in prop::collection::vec(any::<Index>(), 0..20),
            ) {
                let presses = keys.iter().zip(0u32..).map(|(code, n)| press(*code, start.wrapping_add(n * 1_600)));
                let mut presses: Vec<_> = presses.collect();
                for which in lost {
                    let packets = which.get(&presses).len();
                    let of = which.index(presses.len());
                    if packets > 1 {
                        presses[of].remove(which.index(packets));
                    }
                }
                let mut packets = presses.concat();
                for which in doubled {
                    let from = which.index(packets.len());
                    packets.insert((from + 5).min(packets.len()), packets[from]);
                }
                let expected: String = keys.iter().map(|code| KEYS[usize::from(*code)]).collect();
                prop_assert_eq!(heard(packets), expected);
            }

            #[test]
            fn any_packets_give_a_key_each_at_most(
                packets in prop::collection::vec((any::<u32>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..8)), 0..60),
            ) {
                let mut receiver = EventReceiver::default();
                for (timestamp, marker, payload) in &packets {
                    let key = receiver.handle(*timestamp, *marker, payload);
                    prop_assert!(key.is_none_or(|key| payload.len() >= 4 && KEYS[usize::from(payload[0])] == key));
                    prop_assert_eq!(receiver.handle(*timestamp, *marker, payload), None, "again");
                }
            }
        }
    }

    #[test]
    fn other_events_are_not_keys() {
        assert_eq!(heard([(0, true, EventPayload { code: 16, end: true, duration: 800 }.write())]), "");
    }
}
