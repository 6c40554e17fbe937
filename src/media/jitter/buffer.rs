//! Packets by sequence number, from arrival until they are played.

use crate::media::{codec, plan::Codec};

/// Sequence numbers held at once: five seconds of 20 ms packets. Also how far back duplicates are told from late ones.
const SLOTS: u64 = 256;
/// More lost packets than this in a row are not concealed one by one.
const LONGEST_LOSS: u64 = 25;
/// In sequence, after longer than so many seconds in which nothing came, a sender has stopped and gone on, whatever its clock says.
const LONGEST_STANDSTILL_S: u32 = 5;
/// Longest packet there is, in milliseconds (120 ms): what a timestamp may claim for one lost packet.
const LONGEST_PACKET_MS: i64 = 120;

/// What a packet is to the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Audio(Codec),
    /// Says that the sender falls silent (RFC 3389).
    Silence,
    /// Uses up a sequence number, carries no sound (telephone events, unknown types).
    Other,
}

/// What became of a packet handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insert {
    Held,
    Duplicate,
    /// Its time had passed; others were played instead.
    Late,
    /// Malformed.
    Refused,
}

/// What is to be played next. Durations are timestamp units.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    Packet {
        codec: Codec,
        payload: &'a [u8],
        duration: u32,
        /// So much of the time bridged before it was the sender's pause; for the rest something should have been here.
        paused: u32,
    },
    /// A packet is missing and later ones are here; `following`: the next one, which comes after `missing`, this one counted.
    Lost { duration: u32, missing: u32, following: Option<(Codec, &'a [u8])> },
    /// The sender paused without losing packets (silence suppression, key tones).
    Pause {
        duration: u32,
        /// As of a packet.
        paused: u32,
    },
    /// Nothing is here: bridge the time, and say how long with [`JitterBuffer::bridged`].
    Empty,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Nothing,
    Packet { kind: Kind, timestamp: i64, duration: u32 },
    Played,
}

#[derive(Debug)]
struct Slot {
    sequence: u64,
    holds: Holds,
    /// Came as a copy in another packet.
    is_copy: bool,
    /// Kept between packets, so that none allocates.
    payload: Vec<u8>,
}

/// The buffer of one source. Sequence numbers and timestamps are extended (never wrapping).
#[derive(Debug, Default)]
pub struct JitterBuffer {
    slots: Vec<Slot>,
    /// Next to be played.
    expected: Option<u64>,
    highest: u64,
    /// Timestamp right after what was played last.
    position: Option<i64>,
    /// Timestamp units bridged since then without knowing why nothing came.
    bridged: u32,
    /// Missing packets whose time had been bridged before that was known.
    bridged_losses: u32,
    /// Missing packets of which there are too many to make up for.
    skipped: u64,
    /// Packets that came and were left out.
    discarded: u64,
    /// Packets are missing between the one played last and the next.
    has_gap: bool,
    is_silent: bool,
    last_duration: u32,
    clock_rate: u32,
}

impl JitterBuffer {
    /// For a clock of `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, last_duration: clock_rate / 50, ..Self::default() }
    }

    pub fn insert(&mut self, sequence: u64, timestamp: i64, kind: Kind, payload: &[u8]) -> Insert {
        let duration = match kind {
            Kind::Audio(codec) => match codec::duration(codec, payload) {
                Some(duration) => duration,
                None => return Insert::Refused,
            },
            Kind::Silence | Kind::Other => 0,
        };
        let expected = *self.expected.get_or_insert(sequence);
        if sequence < expected {
            // Before anything was played, a reordered beginning is welcome.
            if self.position.is_none() && expected - sequence < 16 {
                self.expected = Some(sequence);
            } else {
                return self.past(sequence);
            }
        } else if sequence >= expected + SLOTS {
            self.skip_all(expected, sequence);
        }
        if self.slots.is_empty() {
            let empty = |_| Slot { sequence: 0, holds: Holds::Nothing, is_copy: false, payload: Vec::new() };
            self.slots.extend((0..SLOTS).map(empty));
        }
        let slot = &mut self.slots[(sequence % SLOTS) as usize];
        if slot.sequence == sequence && slot.holds != Holds::Nothing {
            return Insert::Duplicate;
        }
        (slot.sequence, slot.is_copy) = (sequence, false);
        slot.holds = Holds::Packet { kind, timestamp, duration };
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        self.highest = self.highest.max(sequence);
        Insert::Held
    }

    /// As [`JitterBuffer::insert`], for the copy of a packet that has not come itself.
    pub fn insert_copy(&mut self, sequence: u64, timestamp: i64, kind: Kind, payload: &[u8]) -> Insert {
        let insert = self.insert(sequence, timestamp, kind, payload);
        if insert == Insert::Held {
            self.slots[(sequence % SLOTS) as usize].is_copy = true;
        }
        insert
    }

    /// Decides what comes next; to be asked when sound is needed.
    pub fn take(&mut self) -> Next<'_> {
        loop {
            let Some(expected) = self.expected else { return Next::Empty };
            match self.held(expected) {
                Some((Kind::Silence, ..)) => {
                    self.is_silent = true;
                    self.pass(expected);
                }
                Some((Kind::Other, ..)) => self.pass(expected),
                Some((Kind::Audio(codec), timestamp, duration)) => {
                    return self.due(expected, codec, timestamp, duration);
                }
                None => {
                    let Some(later) = (expected + 1..=self.highest).find(|&at| self.held(at).is_some()) else {
                        return Next::Empty;
                    };
                    self.has_gap = true;
                    if later - expected > LONGEST_LOSS {
                        self.skipped += later - expected;
                        self.expected = Some(later);
                        self.position = None;
                        continue;
                    }
                    let duration = self.lost_duration(expected, later);
                    let unbridged = duration.saturating_sub(self.bridged);
                    self.bridged = self.bridged.saturating_sub(duration);
                    self.position = self.position.map(|position| position + i64::from(duration));
                    self.expected = Some(expected + 1);
                    if unbridged == 0 {
                        self.bridged_losses += 1;
                    } else {
                        let missing = unbridged + (later - expected - 1) as u32 * duration;
                        return Next::Lost { duration: unbridged, missing, following: self.audio(later) };
                    }
                }
            }
        }
    }

    /// `duration` was played while the buffer was empty.
    pub fn bridged(&mut self, duration: u32) {
        self.bridged = self.bridged.saturating_add(duration);
    }

    /// Bridged time that turned out to be waiting for a packet: not a pause of the sender's.
    pub fn waiting(&self) -> u32 {
        self.bridged
    }

    /// Whether the sender has said that it is silent, as far as was played.
    pub const fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Packets that turned out to be missing in bridged time, since the last call.
    pub const fn take_bridged_losses(&mut self) -> u32 {
        std::mem::replace(&mut self.bridged_losses, 0)
    }

    /// Missing packets that were skipped, since the last call.
    pub const fn take_skipped(&mut self) -> u64 {
        std::mem::replace(&mut self.skipped, 0)
    }

    /// Packets that came and were left out, since the last call.
    pub const fn take_discarded(&mut self) -> u64 {
        std::mem::replace(&mut self.discarded, 0)
    }

    /// Whether [`JitterBuffer::take`] would give a packet at once.
    pub fn ready(&self) -> bool {
        self.expected.is_some_and(|at| matches!(self.held(at), Some((Kind::Audio(_), ..))))
    }

    /// Timestamp of the next sample to be played, counting what was bridged as not played; `None` before the first packet.
    pub fn position(&self) -> Option<i64> {
        self.position.or_else(|| self.first_timestamp())
    }

    /// How much sound is here, whatever its timestamps say.
    pub fn sound(&self) -> u32 {
        self.expected.map_or(0, |expected| (expected..=self.highest).map(|at| self.sound_of(at)).sum())
    }

    /// Leaves out the oldest packets as long as `keep` is left, to shed delay at once, and what their timestamps claim with them: the
    /// next one is played as if nothing had been before it.
    pub fn shed(&mut self, keep: u32) {
        let Some(expected) = self.expected else { return };
        let (mut sound, mut next) = (self.sound(), expected);
        while next < self.highest && sound >= keep + self.sound_of(next) {
            sound -= self.sound_of(next);
            next += 1;
        }
        self.leave_out(expected, next);
        (self.position, self.bridged) = (self.first_timestamp(), 0);
    }

    /// The packet's timestamp tells whether the sender paused before it.
    fn due(&mut self, sequence: u64, codec: Codec, timestamp: i64, duration: u32) -> Next<'_> {
        let gap = self.position.map_or(0, |position| timestamp - position);
        let bridged = self.bridged;
        let longest_pause = i64::from(self.clock_rate) * 60;
        if gap > i64::from(bridged) && gap < longest_pause {
            let missing = (gap - i64::from(bridged)) as u32;
            // In steps, so that the caller can hear a change of mind.
            let duration = missing.min(self.clock_rate / 100);
            self.bridged += duration;
            return Next::Pause { duration, paused: bridged };
        }
        let is_standstill = self.has_gap || bridged <= LONGEST_STANDSTILL_S * self.clock_rate;
        let paused = if is_standstill { gap.clamp(0, i64::from(bridged)) as u32 } else { bridged };
        (self.bridged, self.has_gap) = (0, false);
        self.is_silent = false;
        self.position = Some(timestamp + i64::from(duration));
        self.last_duration = duration;
        self.pass(sequence);
        let payload = &self.slots[(sequence % SLOTS) as usize].payload;
        Next::Packet { codec, payload, duration, paused }
    }

    /// How much sound the missing packet `expected` held: `later` is the next one here.
    fn lost_duration(&self, expected: u64, later: u64) -> u32 {
        let missing = (later - expected) as i64;
        match (self.held(later), self.position) {
            (Some((Kind::Audio(_), timestamp, _)), Some(position)) => {
                let most = LONGEST_PACKET_MS * i64::from(self.clock_rate) / 1000;
                ((timestamp - position) / missing).clamp(0, most) as u32
            }
            _ => self.last_duration,
        }
    }

    fn past(&self, sequence: u64) -> Insert {
        let known = self.slots.get((sequence % SLOTS) as usize);
        match known {
            Some(slot) if slot.sequence == sequence && slot.holds == Holds::Played => Insert::Duplicate,
            _ => Insert::Late,
        }
    }

    /// There is no room for more: goes on with `sequence`.
    fn skip_all(&mut self, expected: u64, sequence: u64) {
        self.leave_out(expected, sequence);
        (self.highest, self.position) = (sequence, None);
    }

    /// Goes on with `sequence`. What is held before it is discarded; what is missing there, or has come as a copy alone, is lost.
    fn leave_out(&mut self, expected: u64, sequence: u64) {
        for at in expected..sequence.min(expected + SLOTS) {
            match self.held(at) {
                Some((Kind::Audio(_), ..)) if !self.slots[(at % SLOTS) as usize].is_copy => self.discarded += 1,
                Some((Kind::Silence | Kind::Other, ..)) => {}
                Some((Kind::Audio(_), ..)) | None => self.skipped += 1,
            }
            self.pass(at);
        }
        self.skipped += sequence.saturating_sub(expected + SLOTS);
        (self.expected, self.has_gap) = (Some(sequence), true);
    }

    fn pass(&mut self, sequence: u64) {
        if let Some(slot) = self.slots.get_mut((sequence % SLOTS) as usize)
            && slot.sequence == sequence
        {
            slot.holds = Holds::Played;
        }
        self.expected = Some(sequence + 1);
    }

    fn held(&self, sequence: u64) -> Option<(Kind, i64, u32)> {
        let slot = self.slots.get((sequence % SLOTS) as usize)?;
        match slot.holds {
            Holds::Packet { kind, timestamp, duration } if slot.sequence == sequence => {
                Some((kind, timestamp, duration))
            }
            _ => None,
        }
    }

    fn sound_of(&self, sequence: u64) -> u32 {
        self.held(sequence).map_or(0, |(.., duration)| duration)
    }

    fn audio(&self, sequence: u64) -> Option<(Codec, &[u8])> {
        let (Kind::Audio(codec), ..) = self.held(sequence)? else { return None };
        self.slots.get((sequence % SLOTS) as usize).map(|slot| (codec, slot.payload.as_slice()))
    }

    fn first_timestamp(&self) -> Option<i64> {
        let expected = self.expected?;
        (expected..=self.highest).find_map(|at| match self.held(at) {
            Some((Kind::Audio(_), timestamp, _)) => Some(timestamp),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
