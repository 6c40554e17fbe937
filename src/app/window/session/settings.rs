//! What the agent sets is shown at once and kept for the next start.

use super::{super::intents, Running};
use crate::{
    driver::api::Command,
    ui::snapshot::{Settings, Voice},
};

impl Running {
    pub(super) fn set_window(&mut self, settings: Settings) {
        let written = self.memory.change(|all| {
            all.window.theme = settings.theme;
            all.window.notifications = settings.ringing_window;
            all.window.dtmf_via_info = settings.dtmf_via_info;
            all.window.may_record = settings.may_record;
            all.window.recording_tone = settings.recording_tone;
        });
        self.tell(written);
        self.send(Command::RecordingTone(settings.recording_tone));
        self.fold.snapshot.settings = settings;
    }

    /// Microphone, speaker, ringer and what alerts.
    pub(super) fn choose_audio(&mut self, chosen: [Option<String>; 4], alone: bool) {
        let audio = &mut self.fold.snapshot.audio;
        [audio.microphone, audio.speaker, audio.ringer, audio.alert] = chosen.clone();
        audio.alone = alone;
        let written = self.memory.change(|all| {
            let audio = &mut all.audio;
            [audio.microphone, audio.speaker, audio.ringer, audio.alert] = chosen;
            audio.alone = alone;
        });
        self.tell(written);
    }

    pub(super) fn set_voice(&mut self, voice: Voice) {
        self.fold.snapshot.audio.voice = voice;
        let written = self.memory.change(|all| {
            all.audio.voice = intents::processing(voice);
            all.audio.suppress_silence = voice.suppress_silence;
        });
        self.tell(written);
    }

    pub(super) fn set_hold_music(&mut self, file: &str) {
        file.clone_into(&mut self.fold.snapshot.audio.hold_music);
        let written = self.memory.change(|all| all.audio.hold_music = intents::hold_music(file));
        self.tell(written);
    }

    /// Whom the check before the shift calls.
    pub(super) fn set_echo_number(&mut self, echo: &str) {
        echo.clone_into(&mut self.fold.snapshot.audio.echo_number);
        let written = self.memory.change(|all| echo.clone_into(&mut all.audio.echo_number));
        self.tell(written);
    }
}
