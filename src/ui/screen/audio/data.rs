use crate::ui::{snapshot::Audio, text::t};

/// One choice of a device as shown.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub label: &'static str,
    pub devices: Vec<String>,
    pub chosen: Option<String>,
}

/// Which device is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Microphone,
    Speaker,
    Ringer,
}

pub fn choice(audio: &Audio, role: Role) -> Choice {
    let (label, devices, chosen) = match role {
        Role::Microphone => (t().microphone, &audio.microphones, &audio.microphone),
        Role::Speaker => (t().speaker, &audio.speakers, &audio.speaker),
        Role::Ringer => (t().ringer, &audio.speakers, &audio.ringer),
    };
    let mut devices = devices.clone();
    // A device that is chosen but unplugged stays in the list: it comes back when it is plugged in.
    devices.extend(chosen.iter().filter(|name| !devices.contains(name)).cloned().collect::<Vec<_>>());
    Choice { label, devices, chosen: chosen.clone() }
}
