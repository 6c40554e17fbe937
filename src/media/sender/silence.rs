//! When to say nothing but how the room sounds (RFC 3389): only where both sides want it, since a soft first syllable may fall
//! victim to it.

/// So much louder than the room, 6 dB, is speech.
const SPEECH: f32 = 4.0;
/// Speech goes on for so long after it was heard last: soft endings are speech, too.
const HANGOVER_MS: u32 = 300;
/// Nobody knows the room before.
const LEARNING_MS: u32 = 1_000;
/// The room may become louder by so much with each millisecond: 1.3 dB a second.
const RISES: f32 = 0.000_3;
/// The room is described again after so long, or when it differs by so much, in dB.
const AGAIN_MS: u32 = 1_000;
const DIFFERS_DB: f32 = 3.0;
/// No room is louder than 40 dB below overload: what is steady and louder is music or a tone.
const LOUDEST: f32 = 1e-4;
/// Mean square of digital silence, as far as levels go.
const NOTHING: f32 = 1e-10;

/// What is to be sent in place of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hears {
    /// It is to be sent as it is.
    Speech,
    /// A description of the room's noise, of this mean square.
    Room(f32),
    /// Nothing: the room is as it was told to be.
    Same,
}

/// Listens to what is to be sent.
#[derive(Debug)]
pub struct Silence {
    /// Mean square of the quietest lately.
    room: f32,
    heard_ms: u32,
    since_speech_ms: u32,
    /// What was told last, and how long ago.
    told: Option<(f32, u32)>,
}

impl Default for Silence {
    fn default() -> Self {
        Self { room: 1.0, heard_ms: 0, since_speech_ms: 0, told: None }
    }
}

impl Silence {
    /// A packet's mean square and length.
    pub fn hear(&mut self, power: f32, ms: u32) -> Hears {
        let power = power.max(NOTHING);
        self.room = (self.room * (1.0 + RISES * ms as f32)).min(power);
        self.heard_ms = self.heard_ms.saturating_add(ms);
        let speaks = power > (SPEECH * self.room).min(LOUDEST) || self.heard_ms < LEARNING_MS;
        self.since_speech_ms = if speaks { 0 } else { self.since_speech_ms.saturating_add(ms) };
        if self.since_speech_ms <= HANGOVER_MS {
            self.told = None;
            return Hears::Speech;
        }
        match &mut self.told {
            Some((level, ago)) if *ago + ms < AGAIN_MS && (10.0 * (power / *level).log10()).abs() < DIFFERS_DB => {
                *ago += ms;
                Hears::Same
            }
            told => {
                *told = Some((power, 0));
                Hears::Room(power)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S for speech, r for a description, a point for nothing; of packets of 20 ms.
    fn sent(powers: impl IntoIterator<Item = f32>) -> String {
        let mut silence = Silence::default();
        let letter = |power| match silence.hear(power, 20) {
            Hears::Speech => 'S',
            Hears::Room(_) => 'r',
            Hears::Same => '.',
        };
        powers.into_iter().map(letter).collect()
    }

    #[test]
    fn speech_and_its_endings_are_sent_and_the_room_is_told_once_a_second() {
        let (room, voice) = (1e-6, 1e-3);
        let powers = [vec![voice; 100], vec![room; 120], vec![voice; 20], vec![room; 30]].concat();
        let sent = sent(powers);
        let pause = format!("r{}", ".".repeat(49));
        let expected = [&"S".repeat(115)[..], &pause, &pause, "r....", &"S".repeat(35), "r", &".".repeat(14)].concat();
        assert_eq!(sent, expected);
    }

    #[test]
    fn another_room_is_told_at_once_and_nothing_is_kept_back_at_first() {
        assert_eq!(sent(vec![0.0; 20]), "S".repeat(20));
        let letters = sent([vec![1e-7; 80], vec![2.5e-7; 5]].concat());
        assert!(letters.starts_with(&"S".repeat(64)) && letters.ends_with("r...."), "{letters}");
    }
}
