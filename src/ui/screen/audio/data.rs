use crate::ui::{
    snapshot::{Audio, Check, Finding},
    text::t,
};

/// One choice of a device as shown.
#[derive(Debug, PartialEq)]
pub struct Choice {
    pub label: &'static str,
    /// What no choice means.
    pub default: &'static str,
    pub devices: Vec<String>,
    pub chosen: Option<String>,
}

/// Which device is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Microphone,
    Speaker,
    Ringer,
    /// Short notices beside a call.
    Alert,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Microphone, Self::Speaker, Self::Ringer, Self::Alert];
}

pub fn choice(audio: &Audio, role: Role) -> Choice {
    let (label, devices, chosen) = match role {
        Role::Microphone => (t().microphone, &audio.microphones, &audio.microphone),
        Role::Speaker => (t().speaker, &audio.speakers, &audio.speaker),
        Role::Ringer => (t().ringer, &audio.speakers, &audio.ringer),
        Role::Alert => (t().alert, &audio.speakers, &audio.alert),
    };
    let mut devices = devices.clone();
    // A device that is chosen but unplugged stays in the list: it comes back when it is plugged in.
    devices.extend(chosen.iter().filter(|name| !devices.contains(name)).cloned().collect::<Vec<_>>());
    let default = if role == Role::Alert { t().alert_default } else { t().system_default };
    Choice { label, default, devices, chosen: chosen.clone() }
}

/// How far the check before the shift is.
#[derive(Debug, Default, PartialEq)]
pub struct Progress {
    pub runs: bool,
    /// What the person is to do, or what happens.
    pub now: Option<&'static str>,
    /// What is wrong first.
    pub findings: Vec<Finding>,
}

pub fn progress(check: Option<&Check>) -> Progress {
    let runs = |words| Progress { runs: true, now: Some(words), findings: vec![] };
    match check {
        None => Progress::default(),
        Some(Check::Speak) => runs(t().check_speak),
        Some(Check::Headset) => runs(t().check_headset),
        Some(Check::Ringer) => runs(t().check_ringer),
        Some(Check::Network) => runs(t().check_network),
        Some(Check::Done(findings)) => {
            let mut findings = findings.clone();
            findings.sort_by_key(|finding| finding.good);
            let all_good = findings.iter().all(|finding| finding.good);
            let now = if all_good { t().check_good } else { t().check_bad };
            Progress { runs: false, now: Some(now), findings }
        }
    }
}
