//! What a person asks for in the window, as commands to the driver. Pure.

use super::services;
use crate::{
    app::headset::REJECT,
    config::settings::Audio,
    driver::api::{Command, Dtmf},
    media::{engine::AudioChoice, voice::VoiceProcessing},
    ua::api::{ServiceCommand, TransferTo},
    ui::snapshot::{Intent, Snapshot, Voice},
};
use std::path::PathBuf;

/// The commands for an intent, in order. What needs more than a command (signing in, settings, history) gives none.
pub fn commands(intent: &Intent, snapshot: &Snapshot) -> Vec<Command> {
    match intent {
        Intent::SignOut => vec![Command::SignOut],
        Intent::RefreshRegistrations => vec![Command::Registrations],
        Intent::Select { registration, takeover } => {
            vec![Command::Select { registration: registration.clone(), takeover: *takeover }]
        }
        Intent::GoOffline => vec![Command::Offline],
        Intent::Dial { to } => vec![Command::Dial { to: to.clone(), anonymous: false }],
        Intent::Answer { call } => vec![Command::Answer { call: *call }],
        Intent::Reject { call } => vec![Command::Reject { call: *call, code: REJECT }],
        Intent::Hangup { call } => vec![Command::Hangup { call: *call }],
        Intent::Hold { call } => vec![Command::Hold { call: *call }],
        Intent::Resume { call } => vec![Command::Resume { call: *call }],
        Intent::Mute { call, on } => vec![Command::Mute { call: *call, on: *on }],
        Intent::Dtmf { call, digits } => {
            // Without the setting the driver takes what the other side understands.
            let via = snapshot.settings.dtmf_via_info.then_some(Dtmf::Info);
            vec![Command::Dtmf { call: *call, digits: digits.clone(), via }]
        }
        Intent::Transfer { call, to } => {
            vec![Command::Transfer { call: *call, to: TransferTo::Address(to.clone()) }]
        }
        Intent::TransferTo { call, with } => vec![Command::Transfer { call: *call, to: TransferTo::Call(*with) }],
        Intent::AnswerDial { request, accept } => {
            vec![Command::AnswerDial { request: *request, accept: *accept }]
        }
        Intent::Conference { calls } => vec![Command::Conference { calls: calls.clone() }],
        Intent::PickUp { to } => vec![Command::PickUp { to: to.clone() }],
        Intent::Trace { call } => vec![Command::Trace { call: *call }],
        Intent::ChooseAudio { microphone, speaker, ringer, alert, alone } => {
            vec![Command::Audio(AudioChoice::Device {
                microphone: microphone.clone(),
                speaker: speaker.clone(),
                ringer: ringer.clone(),
                alert: alert.clone(),
                alone: *alone,
            })]
        }
        Intent::Voice(voice) => {
            vec![Command::Voice(processing(*voice)), Command::SuppressSilence(voice.suppress_silence)]
        }
        Intent::HoldMusic(file) => vec![Command::HoldMusic(hold_music(file))],
        Intent::Check { echo } => vec![Command::Check { echo: Some(echo.clone()).filter(|echo| !echo.is_empty()) }],
        Intent::Meter { on } => vec![Command::Meter { on: *on }],
        Intent::TestTone { ringer } => vec![Command::TestTone { ringer: *ringer }],
        Intent::Services(services) => {
            vec![Command::Services(ServiceCommand::Set(Box::new(services::wanted(services))))]
        }
        Intent::Quit => vec![Command::Quit],
        Intent::SipPassword { registration, password } => {
            vec![Command::SipPassword { registration: registration.clone(), password: password.clone() }]
        }
        Intent::Apply { .. }
        | Intent::ApplyXml { .. }
        | Intent::ApplySip { .. }
        | Intent::Record { .. }
        | Intent::AddColleague { .. }
        | Intent::RemoveColleague { .. }
        | Intent::CancelSignIn
        | Intent::Settings(_)
        | Intent::ClearHistory => vec![],
    }
}

/// The file that was typed.
pub fn hold_music(typed: &str) -> Option<PathBuf> {
    Some(typed.trim()).filter(|typed| !typed.is_empty()).map(PathBuf::from)
}

/// The switches of the audio page, as they are kept.
pub fn shown(audio: &Audio) -> Voice {
    let VoiceProcessing { echo, noise, gain } = audio.voice;
    Voice { echo, noise, gain, suppress_silence: audio.suppress_silence }
}

/// The engine's switches, as the audio page has them.
pub fn processing(voice: Voice) -> VoiceProcessing {
    let Voice { echo, noise, gain, suppress_silence: _ } = voice;
    VoiceProcessing { echo, noise, gain }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_switch_of_the_voice_reaches_its_own_place() {
        let audio = Audio { suppress_silence: true, ..Audio::default() };
        assert!(matches!(
            commands(&Intent::Voice(shown(&audio)), &Snapshot::default())[..],
            [Command::Voice(voice), Command::SuppressSilence(true)] if voice == audio.voice
        ));
    }

    #[test]
    fn digits_go_by_info_where_the_settings_say_so_and_else_as_the_other_side_takes_them() {
        let mut snapshot = Snapshot::default();
        let intent = Intent::Dtmf { call: 1, digits: "5".into() };
        for (dtmf_via_info, wanted) in [(false, None), (true, Some(Dtmf::Info))] {
            snapshot.settings.dtmf_via_info = dtmf_via_info;
            assert!(
                matches!(&commands(&intent, &snapshot)[..], [Command::Dtmf { call: 1, via, .. }] if *via == wanted)
            );
        }
    }
}
