//! What a person asks for in the window, as commands to the driver. Pure.

use crate::{
    driver::api::{Command, Dtmf},
    media::engine::{AudioChoice, DtmfVia},
    ua::api::Secret,
    ui::snapshot::{CallState, Intent, Snapshot},
};

/// Busy Here: other phones of the same number go on ringing (RFC 3261 §21.4.24).
const REJECT: u16 = 486;

/// The commands for an intent, in order. What needs more than a command (signing in, settings, history) gives none.
pub fn commands(intent: &Intent, snapshot: &Snapshot) -> Vec<Command> {
    match intent {
        Intent::SignOut => vec![Command::SignOut],
        Intent::RefreshRegistrations => vec![Command::Registrations],
        Intent::Select { registration, takeover } => {
            vec![Command::Select { registration: registration.clone(), takeover: *takeover }]
        }
        Intent::GoOffline => vec![Command::Offline],
        // One conversation at a time: what is talked to waits on hold.
        Intent::Dial { to } => with_others_held(snapshot, None, Command::Dial { to: to.clone() }),
        Intent::Answer { call } => vec![Command::Answer { call: *call }],
        Intent::AnswerAndHold { call } => with_others_held(snapshot, Some(*call), Command::Answer { call: *call }),
        Intent::Reject { call } => vec![Command::Reject { call: *call, code: REJECT }],
        Intent::Hangup { call } => vec![Command::Hangup { call: *call }],
        Intent::Hold { call } => vec![Command::Hold { call: *call }],
        Intent::Resume { call } => with_others_held(snapshot, Some(*call), Command::Resume { call: *call }),
        Intent::Mute { call, on } => vec![Command::Mute { call: *call, on: *on }],
        Intent::Dtmf { call, digits } => {
            let via = if snapshot.settings.dtmf_via_info { Dtmf::Info } else { Dtmf::Media(DtmfVia::Rfc4733) };
            vec![Command::Dtmf { call: *call, digits: digits.clone(), via: Some(via) }]
        }
        Intent::ChooseAudio { microphone, speaker, ringer } => vec![Command::Audio(AudioChoice::Device {
            microphone: microphone.clone(),
            speaker: speaker.clone(),
            ringer: ringer.clone(),
        })],
        Intent::Meter { on } => vec![Command::Meter { on: *on }],
        Intent::TestTone { ringer } => vec![Command::TestTone { ringer: *ringer }],
        Intent::Quit => vec![Command::Quit],
        Intent::SipPassword { registration, password } => {
            vec![Command::SipPassword { registration: registration.clone(), password: Secret(password.clone()) }]
        }
        Intent::Apply { .. } | Intent::ApplyXml { .. } | Intent::Settings(_) | Intent::ClearHistory => vec![],
    }
}

fn with_others_held(snapshot: &Snapshot, this: Option<u32>, last: Command) -> Vec<Command> {
    let talking = |state: &CallState| matches!(state, CallState::Connected | CallState::RemoteHeld);
    let others = snapshot.calls.iter().filter(|call| Some(call.id) != this && talking(&call.state));
    others.map(|call| Command::Hold { call: call.id }).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::snapshot::Call;
    use std::time::Instant;

    fn call(id: u32, state: CallState) -> Call {
        Call {
            id,
            incoming: false,
            state,
            peer: "101".into(),
            peer_name: None,
            called: None,
            since: Instant::now(),
            muted: false,
            codec: None,
            quality: None,
        }
    }

    #[test]
    fn one_conversation_at_a_time() {
        let calls = vec![call(1, CallState::Connected), call(2, CallState::Held), call(3, CallState::Ringing)];
        let snapshot = Snapshot { calls, ..Snapshot::default() };
        for (intent, wanted) in [
            (Intent::AnswerAndHold { call: 3 }, "[Hold { call: 1 }, Answer { call: 3 }]"),
            (Intent::Resume { call: 2 }, "[Hold { call: 1 }, Resume { call: 2 }]"),
            (Intent::Dial { to: "600".into() }, "[Hold { call: 1 }, Dial { to: \"600\" }]"),
            (Intent::Hold { call: 1 }, "[Hold { call: 1 }]"),
            (Intent::Reject { call: 3 }, "[Reject { call: 3, code: 486 }]"),
        ] {
            assert_eq!(format!("{:?}", commands(&intent, &snapshot)), wanted);
        }
    }

    #[test]
    fn digits_go_the_way_the_settings_say() {
        let mut snapshot = Snapshot::default();
        let intent = Intent::Dtmf { call: 1, digits: "5".into() };
        assert!(format!("{:?}", commands(&intent, &snapshot)).contains("Rfc4733"));
        snapshot.settings.dtmf_via_info = true;
        assert!(format!("{:?}", commands(&intent, &snapshot)).contains("Info"));
    }
}
