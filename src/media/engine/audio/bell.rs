//! The tone that plays, and the device of its own that some tones have.

use super::{AudioChoice, Tone};
use crate::media::{
    BLOCK,
    device::{Card, SoundCard},
    dsp::tone::ToneSource,
    voice::Limiter,
};
use std::time::Instant;

/// Blocks that a tone waits for a device that is being opened; one that does not open is not waited for for ever.
const MOST_WAITED: u32 = 500;

/// See the module.
#[derive(Default)]
pub struct Bell {
    tone: Option<ToneSource>,
    /// Blocks that it has waited for its device.
    waited: u32,
    limiter: Limiter,
    /// What rings or alerts, on the device of that name.
    pub(super) card: Option<(Option<String>, SoundCard)>,
}

impl Bell {
    pub fn set(&mut self, tone: Option<Tone>) {
        (self.tone, self.waited) = (tone.map(ToneSource::new), 0);
    }

    pub fn tone(&self) -> Option<Tone> {
        self.tone.as_ref().map(ToneSource::tone)
    }

    /// The tone's own device, while it is open.
    pub fn card(&self) -> Option<&dyn Card> {
        self.card.as_ref().map(|(_, card)| card as &dyn Card)
    }

    pub fn card_mut(&mut self) -> Option<&mut dyn Card> {
        self.card.as_mut().map(|(_, card)| card as &mut dyn Card)
    }

    /// Closes it; what plays goes on with another.
    pub fn close(&mut self) {
        self.card = None;
    }

    /// Whether the tone has a device of its own: one that is `taken` for talking is not free for anything else.
    pub fn rings(&self, choice: &AudioChoice, taken: bool) -> bool {
        let (speaker, ringer, alert) = match choice {
            AudioChoice::Device { speaker, ringer, alert, .. } => (speaker, ringer, alert),
            _ => (&None, &None, &None),
        };
        let is_another = |device: &Option<String>| device.is_some() && !(taken && device == speaker);
        match self.tone() {
            // The default device may be the one that is taken.
            Some(Tone::Ring | Tone::Test { ringer: true }) => !taken || is_another(ringer),
            Some(Tone::CallWaiting | Tone::Answered) => is_another(alert),
            Some(Tone::Ringback | Tone::Busy | Tone::Recording | Tone::Test { ringer: false }) | None => false,
        }
    }

    /// Plays the tone on its own device, which is closed without a `choice`; files and nothing have none. `hear` gets what is played
    /// where calls are, too: on the device that `plays` them, or will.
    pub fn ring(
        &mut self,
        now: Instant,
        choice: Option<&AudioChoice>,
        plays: Option<&str>,
        mut hear: impl FnMut(&[f32]),
    ) {
        let Some(choice) = choice else { return self.close() };
        let AudioChoice::Device { speaker, ringer, alert, .. } = choice else {
            self.tone = None;
            return;
        };
        let is_alert = matches!(self.tone(), Some(Tone::CallWaiting | Tone::Answered));
        let name = if is_alert { alert } else { ringer };
        let open = self.card.take().filter(|(open, _)| open == name);
        let (name, mut card) = open.unwrap_or_else(|| (name.clone(), SoundCard::bell(now, name.clone())));
        let blocks = card.poll(now, &mut Vec::new());
        let is_at_ear = match plays.or(speaker.as_deref()) {
            Some(speaker) => card.speaker() == Some(speaker),
            None => name.is_none() || card.misses_device(),
        };
        for _ in 0..blocks {
            let mut block = [0.0; BLOCK];
            self.mix(card.is_heard(), &mut block);
            self.limiter.process(&mut block);
            if card.is_heard() && is_at_ear {
                hear(&block);
            }
            card.play(&block);
        }
        self.card = Some((name, card));
    }

    /// Adds the tone. It begins, and goes on, when its device does, or the short ones would be over before they are heard.
    pub fn mix(&mut self, is_heard: bool, mix: &mut [f32]) {
        self.waited = if is_heard { 0 } else { self.waited.saturating_add(1) };
        if (1..=MOST_WAITED).contains(&self.waited) {
            return;
        }
        if let Some(tone) = &mut self.tone
            && !tone.mix(mix)
        {
            self.tone = None;
        }
    }
}
