//! Keys sent: a queue of digits, each for a while as events or tones, with a pause between.

use super::{EventPayload, event_code, frequencies};
use crate::media::{SAMPLE_RATE, engine::DtmfVia};
use std::{collections::VecDeque, f32::consts::PI};

/// How long a key is pressed: well over the 40 ms that ITU-T Q.24 asks receivers to recognise.
const PRESS_MS: u32 = 120;
/// Quiet between two keys.
const PAUSE_MS: u32 = 100;
/// A comma waits, as in modem and directory dial strings.
const COMMA_MS: u32 = 2_000;
/// The end is sent three times (RFC 4733 §2.5.1.4).
const ENDS: u8 = 3;
/// A level that every receiver takes and that does not clip: -9 dBm0 for each frequency.
const LEVEL: f32 = 0.25;
/// Keys waiting at most.
const MOST: usize = 256;

/// Sends keys, one step for each packet's time.
#[derive(Debug, Default)]
pub struct KeySender {
    queue: VecDeque<Item>,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Key {
        code: u8,
        via: DtmfVia,
    },
    Wait,
    /// The end of one command's digits.
    Done,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Idle,
    Event {
        code: u8,
        start: u32,
        sent_ms: u32,
        first: bool,
    },
    /// Only the end is still being repeated.
    Ending {
        code: u8,
        start: u32,
        duration: u16,
        left: u8,
    },
    Tone {
        code: u8,
        at: u32,
    },
    Pause {
        left_ms: u32,
    },
}

/// What takes the place of audio for the time of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sending {
    /// Send the audio.
    Audio,
    /// Send this event packet instead.
    Event { timestamp: u32, marker: bool, payload: EventPayload },
    /// Send the audio, replaced by [`KeySender::tone`].
    Tone,
}

impl KeySender {
    /// Queues digits; what is no key is left out. [`KeySender::finished`] follows once they are sent.
    pub fn press(&mut self, digits: &str, via: DtmfVia) {
        for key in digits.chars().take(MOST.saturating_sub(self.queue.len())) {
            match event_code(key) {
                Some(code) => self.queue.push_back(Item::Key { code, via }),
                None if key == ',' => self.queue.push_back(Item::Wait),
                None => {}
            }
        }
        self.queue.push_back(Item::Done);
    }

    /// Whether a command's digits are all sent; to be asked until `false`.
    pub fn finished(&mut self) -> bool {
        let done = matches!((self.state, self.queue.front()), (State::Idle, Some(Item::Done)));
        if done {
            self.queue.pop_front();
        }
        done
    }

    /// The step for a packet of `packet_ms` at `timestamp`, on a clock of `clock_rate` Hz (that of the events).
    pub fn step(&mut self, timestamp: u32, packet_ms: u32, clock_rate: u32) -> Sending {
        if let State::Idle = self.state {
            self.state = self.begin(timestamp);
        }
        match self.state {
            State::Idle => Sending::Audio,
            State::Event { code, start, sent_ms, first } => {
                self.event(code, start, sent_ms + packet_ms, first, clock_rate)
            }
            State::Ending { code, start, duration, left } => {
                self.state = match left {
                    0 | 1 => State::Pause { left_ms: PAUSE_MS },
                    _ => State::Ending { code, start, duration, left: left - 1 },
                };
                let payload = EventPayload { code, end: true, duration };
                Sending::Event { timestamp: start, marker: false, payload }
            }
            State::Tone { .. } => Sending::Tone,
            State::Pause { left_ms } => {
                self.state = match left_ms.saturating_sub(packet_ms) {
                    0 => State::Idle,
                    left_ms => State::Pause { left_ms },
                };
                Sending::Audio
            }
        }
    }

    /// Replaces 48 kHz audio by the tone being sent.
    pub fn tone(&mut self, samples: &mut [f32]) {
        let State::Tone { code, at } = &mut self.state else { return };
        let length = PRESS_MS * SAMPLE_RATE / 1000;
        for sample in samples {
            *sample = if *at < length {
                frequencies(*code).iter().map(|hz| (2.0 * PI * hz * *at as f32 / SAMPLE_RATE as f32).sin()).sum::<f32>()
                    * LEVEL
            } else {
                0.0
            };
            *at += 1;
        }
        if *at >= length {
            self.state = State::Pause { left_ms: PAUSE_MS };
        }
    }

    fn begin(&mut self, timestamp: u32) -> State {
        match self.queue.front().copied() {
            None | Some(Item::Done) => return State::Idle,
            Some(_) => {}
        }
        match self.queue.pop_front() {
            Some(Item::Key { code, via: DtmfVia::Rfc4733 }) => {
                State::Event { code, start: timestamp, sent_ms: 0, first: true }
            }
            Some(Item::Key { code, via: DtmfVia::Inband }) => State::Tone { code, at: 0 },
            Some(Item::Wait) => State::Pause { left_ms: COMMA_MS },
            Some(Item::Done) | None => State::Idle,
        }
    }

    /// A packet of a key that has been down for `sent_ms`.
    fn event(&mut self, code: u8, start: u32, sent_ms: u32, first: bool, clock_rate: u32) -> Sending {
        let duration = (sent_ms * (clock_rate / 1000)).min(0xffff) as u16;
        let end = sent_ms >= PRESS_MS;
        self.state = if end {
            State::Ending { code, start, duration, left: ENDS - 1 }
        } else {
            State::Event { code, start, sent_ms, first: false }
        };
        Sending::Event { timestamp: start, marker: first, payload: EventPayload { code, end, duration } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{dsp::tone_share, dtmf::EventReceiver};

    #[test]
    fn what_is_sent_as_events_is_heard_once_each() {
        for (clock_rate, packet_ms) in [(8_000, 20), (48_000, 20), (8_000, 10), (48_000, 60)] {
            let (mut sender, mut receiver) = (KeySender::default(), EventReceiver::default());
            sender.press("11,2#x", DtmfVia::Rfc4733);
            let (mut heard, mut ends, mut marks, mut timestamp) = (String::new(), 0, 0, 0u32);
            let mut packets = 0;
            while !sender.finished() {
                if let Sending::Event { timestamp, marker, payload } = sender.step(timestamp, packet_ms, clock_rate) {
                    heard.extend(receiver.handle(timestamp, marker, &payload.write()));
                    (ends, marks) = (ends + u32::from(payload.end), marks + u32::from(marker));
                }
                timestamp += packet_ms * clock_rate / 1000;
                packets += 1;
                assert!(packets < 1_000);
            }
            assert_eq!((heard.as_str(), ends, marks), ("112#", 12, 4), "{clock_rate} {packet_ms}");
            assert!(!sender.finished());
        }
    }

    #[test]
    fn tones_have_both_frequencies() {
        let mut sender = KeySender::default();
        sender.press("5", DtmfVia::Inband);
        let mut audio = Vec::new();
        while sender.step(0, 20, 8_000) == Sending::Tone {
            let mut block = [0.0; 960];
            sender.tone(&mut block);
            audio.extend(block);
        }
        assert_eq!(audio.len(), 5_760);
        for hz in [770.0, 1336.0] {
            assert!((tone_share(&audio, hz, 48_000) - 0.5).abs() < 0.03);
        }
    }
}
