//! The check before the shift: whether one is heard, hears, and sends no echo. Nine seconds: the agent speaks, then a tone plays
//! into the headset while the microphone listens for it, then the ringer rings. Whether they sound only the agent can say; whether
//! their devices take it is found here. Pure; its clock is the samples. The network's part
//! follows in a call ([`network`]).

pub mod network;

use super::{
    BLOCK, SAMPLE_RATE,
    dsp::{peak, power, tone::ToneSource, tone_share},
    engine::Tone,
};

/// Blocks of speaking, of the tone into the headset, and of the ringer's.
const SPEAK: u32 = 400;
const HEADSET: u32 = 250;
const RINGER: u32 = 250;
/// What the first part of the test tone sounds like.
const TONE_HZ: [f64; 3] = [523.3, 659.3, 784.0];
/// Mean squares: no sound at all, a voice that is too soft (-45 dB), a room that is too loud (-45 dB).
const NO_SOUND: f32 = 1e-10;
const SOFT: f32 = 3.2e-5;
const NOISY: f32 = 3.2e-5;
const CLIPPED: f32 = 0.99;
/// A tone that comes back with less than a thousandth of its power (-30 dB) disturbs nobody.
const ECHO: f32 = 1e-3;

/// What plays now, or has been found.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// The agent is to speak.
    Speak,
    /// A tone plays into the headset, or on the ringer.
    Headset,
    Ringer,
    /// An echo is called.
    Network,
    Done(Vec<Finding>),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `microphone`, `room`, `echo`, `speaker`, `ringer` or `network`; `call`: one came in between.
    pub what: &'static str,
    pub good: bool,
    /// A sentence; what helps, where something is wrong.
    pub words: String,
}

/// A device that plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Player {
    pub name: String,
    /// Of one that was chosen and is not there.
    pub instead: bool,
}

/// See the module.
#[derive(Debug)]
pub struct ShiftCheck {
    /// Blocks heard so far, and what is no whole one yet: sound cards give what they have.
    heard: u32,
    rest: Vec<f32>,
    tone: Option<ToneSource>,
    loudest: f32,
    /// Mean squares of the loudest and of the quietest block spoken.
    voice: f32,
    room: f32,
    /// The tone's mean square in the headset, and its largest in the microphone, of whatever that gave meanwhile.
    played: f32,
    returned: f32,
    listened: f32,
    /// There are devices to choose from; what was to hear the agent, and what took the tones, at the end of each.
    has_devices: bool,
    microphone: Option<String>,
    speaker: Option<Player>,
    ringer: Option<Player>,
    /// A tenth of a second of the microphone, to look for the tone in.
    window: Vec<f32>,
    told: Option<Step>,
}

impl Default for ShiftCheck {
    fn default() -> Self {
        Self {
            heard: 0,
            rest: Vec::new(),
            tone: None,
            loudest: 0.0,
            voice: 0.0,
            room: f32::MAX,
            played: 0.0,
            returned: 0.0,
            listened: 0.0,
            has_devices: false,
            microphone: None,
            speaker: None,
            ringer: None,
            window: Vec::with_capacity(SAMPLE_RATE as usize / 10),
            told: None,
        }
    }
}

impl ShiftCheck {
    /// The end of a check that a call came in between.
    pub fn interrupted() -> Step {
        let words = "A call came before the check was done; run it again after the call.".to_owned();
        Step::Done(vec![Finding { what: "call", good: false, words }])
    }

    /// What the microphone heard. Returns what has begun.
    pub fn hear(&mut self, samples: &[f32]) -> Option<Step> {
        let mut heard = std::mem::take(&mut self.rest);
        heard.extend_from_slice(samples);
        let mut blocks = heard.chunks_exact(BLOCK);
        for block in &mut blocks {
            self.heard += 1;
            match self.heard {
                0..=SPEAK => self.listen(block),
                n if n <= SPEAK + HEADSET => self.listen_for_tone(block),
                _ => {}
            }
        }
        self.rest = blocks.remainder().to_vec();
        let now = match self.heard {
            0..SPEAK => Step::Speak,
            n if n < SPEAK + HEADSET => Step::Headset,
            n if n < SPEAK + HEADSET + RINGER => Step::Ringer,
            _ => Step::Done(self.findings()),
        };
        if self.told.as_ref() == Some(&now) {
            return None;
        }
        self.tone = (now == Step::Headset).then(|| ToneSource::new(Tone::Test { ringer: false }));
        self.told = Some(now.clone());
        Some(now)
    }

    /// The name of what hears, and what plays now. Files and nothing have no device that could be missing.
    pub fn note_devices(
        &mut self,
        has_devices: bool,
        microphone: Option<String>,
        speaker: Option<Player>,
        ringer: Option<Player>,
    ) {
        self.has_devices = has_devices;
        match self.told {
            Some(Step::Speak) => self.microphone = microphone,
            Some(Step::Headset) => self.speaker = speaker,
            Some(Step::Ringer) => self.ringer = ringer,
            _ => {}
        }
    }

    /// Whether the ringer is to be open.
    pub fn rings(&self) -> bool {
        self.told == Some(Step::Ringer)
    }

    /// Adds what is to be heard in the headset.
    pub fn play(&mut self, mix: &mut [f32]) {
        if let Some(tone) = &mut self.tone {
            let sounds = tone.mix(mix);
            self.played = self.played.max(power(mix));
            if !sounds {
                self.tone = None;
            }
        }
    }

    fn listen(&mut self, block: &[f32]) {
        let power = power(block);
        // A device's first moments are of its own, and before it gives any sound the room is not heard.
        if self.heard > 20 && power.max(self.voice) >= NO_SOUND {
            self.loudest = self.loudest.max(peak(block));
            (self.voice, self.room) = (self.voice.max(power), self.room.min(power));
        }
    }

    fn listen_for_tone(&mut self, block: &[f32]) {
        self.window.extend_from_slice(block);
        self.listened = self.listened.max(power(block));
        if self.window.len() < SAMPLE_RATE as usize / 10 {
            return;
        }
        let share = TONE_HZ.iter().map(|hz| tone_share(&self.window, *hz, SAMPLE_RATE)).fold(0.0, f64::max);
        // Somebody's voice has some of any tone.
        if share > 0.5 {
            self.returned = self.returned.max(power(&self.window) * share as f32);
        }
        self.window.clear();
    }

    /// What could not be measured is no finding: the room of a microphone that gives no sound, and an echo where it gives none or no
    /// speaker took the tone.
    fn findings(&self) -> Vec<Finding> {
        let found = |what, good, words: &str| Finding { what, good, words: words.to_owned() };
        let microphone = match self.voice {
            voice if voice < NO_SOUND && self.has_devices && self.microphone.is_none() => found(
                "microphone",
                false,
                "No microphone was found that can be used: plug in a headset, or choose another microphone.",
            ),
            voice if voice < NO_SOUND => found(
                "microphone",
                false,
                "The microphone gives no sound: check the headset's mute switch and which microphone is chosen.",
            ),
            _ if self.loudest > CLIPPED => {
                found("microphone", false, "Your voice is too loud for the microphone: move it away or turn it down.")
            }
            voice if voice < SOFT => {
                found("microphone", false, "Your voice is very soft: bring the microphone closer or turn it up.")
            }
            _ => found("microphone", true, "Your voice is heard well."),
        };
        let room = match self.room < NOISY {
            true => found("room", true, "The room is quiet enough."),
            false => found("room", false, "The room is loud: suppress noise, or bring the microphone closer."),
        };
        let echo = match self.returned > self.played * ECHO {
            false => found("echo", true, "What you hear does not get into the microphone."),
            true => found(
                "echo",
                false,
                "What you hear gets into the microphone: use a headset, turn it down, or leave echo cancelling on.",
            ),
        };
        let hears_room = self.voice >= NO_SOUND;
        let hears_tone = self.listened >= NO_SOUND && (self.speaker.is_some() || !self.has_devices);
        let mut findings = vec![microphone];
        findings.extend(hears_room.then_some(room));
        findings.extend(hears_tone.then_some(echo));
        if self.has_devices {
            findings.push(played("speaker", "tone played", self.speaker.as_ref()));
            findings.push(played("ringer", "ring sounded", self.ringer.as_ref()));
        }
        findings
    }
}

/// Whether a device took the sound.
fn played(what: &'static str, sounded: &str, player: Option<&Player>) -> Finding {
    let words = match player {
        None => format!("The {what} does not work: plug it in or choose another one."),
        Some(Player { name, instead: true }) => {
            format!(
                "The {what} that you chose is not there, or another program has it, so the {sounded} on {name}: plug it in, close \
                 that program, or choose another one."
            )
        }
        Some(Player { name, .. }) => {
            format!("The {sounded} on {name}. If you did not hear it, turn it up or choose another {what}.")
        }
    };
    Finding { what, good: player.is_some_and(|player| !player.instead), words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    /// Runs the check with a voice, a room and an echo of these levels. Returns its steps and what it found bad.
    fn run(voice: f32, noise: f32, echo: f32) -> (Vec<Step>, Vec<&'static str>) {
        let mut random = StdRng::seed_from_u64(1);
        let (mut check, mut steps, mut played) = (ShiftCheck::default(), Vec::new(), vec![0.0; BLOCK]);
        for n in 0..SPEAK + HEADSET + RINGER {
            let speaks = n < SPEAK && n % 60 < 30;
            let heard: Vec<f32> = (0..BLOCK)
                .map(|at| {
                    let said = if speaks { voice * ((n as usize * BLOCK + at) as f32 * 0.02).sin() } else { 0.0 };
                    (said + noise * random.random_range(-1.0..1.0f32) + echo * played[at]).clamp(-1.0, 1.0)
                })
                .collect();
            // Sound cards know no blocks.
            heard.chunks(333).for_each(|piece| steps.extend(check.hear(piece)));
            played.fill(0.0);
            check.play(&mut played);
            check.note_devices(true, Some("USB headset".into()), player("USB headset", false), player("Desk", false));
        }
        let Some(Step::Done(findings)) = steps.pop() else { panic!("it has an end: {steps:?}") };
        assert!(findings.iter().all(|finding| finding.words.ends_with('.')));
        (steps, findings.into_iter().filter(|finding| !finding.good).map(|finding| finding.what).collect())
    }

    fn player(name: &str, instead: bool) -> Option<Player> {
        Some(Player { name: name.into(), instead })
    }

    #[test]
    fn a_speaker_or_ringer_that_is_not_there_is_found() {
        let found = |speaker: &Option<Player>, ringer: &Option<Player>| {
            let (mut check, mut findings) = (ShiftCheck::default(), vec![]);
            for _ in 0..SPEAK + HEADSET + RINGER {
                if let Some(Step::Done(found)) = check.hear(&[0.1; BLOCK]) {
                    findings = found;
                }
                check.note_devices(true, None, speaker.clone(), ringer.clone());
            }
            let of = |what| findings.iter().find(|finding| finding.what == what).cloned().expect("found");
            [of("speaker"), of("ringer")].map(|finding: Finding| (finding.good, finding.words))
        };
        let [(speaks, on), (rings, off)] = found(&player("USB headset", false), &None);
        assert!(speaks && on.contains("on USB headset. If you did not hear it"), "{on}");
        assert!(!rings && off.contains("The ringer does not work"), "{off}");
        let [(speaks, off), (rings, instead)] = found(&None, &player("System default", true));
        assert!(!speaks && off.contains("The speaker does not work"), "{off}");
        assert!(
            !rings && instead.contains("not there, or another program has it, so the ring sounded on System default"),
            "{instead}"
        );
    }

    #[test]
    fn a_microphone_that_is_not_there_has_no_mute_switch() {
        for (has_devices, microphone, expected) in [
            (true, Some("USB headset"), "mute switch"),
            (true, None, "No microphone was found"),
            // What a file has to say.
            (false, None, "mute switch"),
        ] {
            let (mut check, mut findings) = (ShiftCheck::default(), vec![]);
            for _ in 0..SPEAK + HEADSET + RINGER {
                if let Some(Step::Done(found)) = check.hear(&[0.0; BLOCK]) {
                    findings = found;
                }
                check.note_devices(has_devices, microphone.map(str::to_owned), None, None);
            }
            let Finding { what: "microphone", good: false, words } = &findings[0] else { panic!("{findings:?}") };
            assert!(words.contains(expected), "{words}");
        }
    }

    #[test]
    fn what_could_not_be_measured_is_not_good() {
        // What the microphone gives while one speaks and while the tone plays.
        for (said, heard, plays, measured) in [
            (0.1, 0.001, true, &["microphone", "room", "echo"][..]),
            (0.0, 0.0, true, &["microphone"]),
            (0.1, 0.0, true, &["microphone", "room"]),
            (0.1, 0.001, false, &["microphone", "room"]),
        ] {
            let (mut check, mut findings) = (ShiftCheck::default(), vec![]);
            for n in 0..SPEAK + HEADSET + RINGER {
                let level = if n < SPEAK { said } else { heard };
                if let Some(Step::Done(found)) = check.hear(&[level; BLOCK]) {
                    findings = found;
                }
                check.note_devices(
                    true,
                    Some("USB headset".into()),
                    player("USB headset", false).filter(|_| plays),
                    player("Desk", false),
                );
            }
            let what: Vec<_> = findings.iter().map(|finding| finding.what).collect();
            assert_eq!(what, [measured, &["speaker", "ringer"]].concat(), "{said}, {heard}, {plays}");
        }
    }

    /// It opens late: what it did not give yet is not the room.
    #[test]
    fn a_loud_room_is_found_however_late_the_microphone_opens() {
        let mut check = ShiftCheck::default();
        let rooms = (0..SPEAK + HEADSET + RINGER).filter_map(|n| {
            let level = if n < 50 { 0.0 } else { 0.02 };
            let Some(Step::Done(findings)) = check.hear(&[level; BLOCK]) else { return None };
            findings.into_iter().find(|finding| finding.what == "room")
        });
        assert_eq!(rooms.map(|room| room.good).collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn what_is_wrong_is_found_and_nothing_else() {
        for (voice, noise, echo, bad) in [
            (0.2, 0.001, 0.0, vec![]),
            (0.2, 0.001, 0.01, vec![]),
            (0.2, 0.001, 0.3, vec!["echo"]),
            (0.0, 0.0, 0.0, vec!["microphone"]),
            (0.003, 0.0005, 0.0, vec!["microphone"]),
            (1.5, 0.001, 0.0, vec!["microphone"]),
            (0.2, 0.05, 0.0, vec!["room"]),
        ] {
            let (steps, found) = run(voice, noise, echo);
            assert_eq!(steps, [Step::Speak, Step::Headset, Step::Ringer]);
            assert_eq!(found, bad, "voice {voice}, noise {noise}, echo {echo}");
        }
    }
}
