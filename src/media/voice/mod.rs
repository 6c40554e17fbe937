//! What is done to the voice between card and calls: echo, noise and level of what is said, protection of the ear that listens, the
//! day's exposure, and the hints that somebody talks while muted, and who does in a conference. Pure; blocks of [`BLOCK`](super::BLOCK) samples at 48 kHz.

mod activity;
mod exposure;
mod limiter;
mod muted;
mod processing;

pub use activity::SpeechActivity;
pub use exposure::{ASSUMPTION, Exposure, ExposureMeter, ExposureRecord};
pub use limiter::Limiter;
pub use muted::TalkDetector;
pub use processing::Processor;

/// What the microphone's sound goes through; all of it can be switched during a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct VoiceProcessing {
    /// Takes out what the speaker plays.
    pub echo: bool,
    /// Takes out fans, air conditioning, the room's murmur.
    pub noise: bool,
    /// Brings quiet and loud voices to one level.
    pub gain: bool,
}

impl VoiceProcessing {
    pub const ON: Self = Self { echo: true, noise: true, gain: true };
    pub const OFF: Self = Self { echo: false, noise: false, gain: false };

    pub fn is_off(self) -> bool {
        self == Self::OFF
    }
}

impl Default for VoiceProcessing {
    fn default() -> Self {
        Self::ON
    }
}
