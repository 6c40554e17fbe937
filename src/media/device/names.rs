//! The names of sound devices, as people know them.

use super::sound_server::{self, Released, Standard};
use cpal::{
    Device,
    traits::{DeviceTrait, HostTrait},
};
use std::collections::HashSet;

/// What a device is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// The devices for one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices {
    /// Besides the default; none where there is no sound.
    pub names: Vec<String>,
    pub standard: Standard,
}

/// What the default device is called while it is in use.
pub const DEFAULT: &str = "System default";

/// A device to be opened.
pub struct Found {
    pub device: Device,
    pub name: String,
    /// Where the sound server shall move the stream to.
    pub server_id: Option<String>,
    /// What is used where no device is chosen, as far as that was asked: where it is used.
    pub standard: Standard,
    /// Why the default device stands for the one asked for.
    pub instead: Option<Instead>,
}

impl Found {
    const fn past_server(device: Device, name: String) -> Self {
        Self { device, name, server_id: None, standard: Standard::Unknown, instead: None }
    }
}

/// Why the default device is used, and not the one asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    Absent,
    /// Another program has it.
    Busy,
}

/// The devices for one way.
pub fn list(way: Way) -> Devices {
    let _quiet = quiet();
    let served = sound_server::devices(way);
    let standard = sound_server::standard(way, served.as_deref());
    let mut names: Vec<String> = served.into_iter().flatten().map(|device| device.name).collect();
    if names.is_empty() {
        // The server's devices are the cards themselves, so both would be too many.
        names.extend(cards(way).into_iter().map(|card| card.name));
    }
    // Devices are known by their names, so of two alike the first is the one that can be had.
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Devices { names, standard }
}

/// The device of that name, or the default one. Errors are for people.
pub fn find(name: Option<&str>, way: Way) -> Result<Found, String> {
    let wanted = name.filter(|name| *name != DEFAULT);
    let devices = sound_server::devices(way);
    let served = wanted.and_then(|wanted| devices.iter().flatten().find(|device| device.name == wanted));
    if let (Some(wanted), None) = (wanted, served)
        && let Some(card) = cards(way).into_iter().find(|card| card.name == wanted)
    {
        return Ok(Found::past_server(card.device, card.name));
    }
    let standard = match served {
        Some(_) => Standard::Unknown,
        None => sound_server::standard(way, devices.as_deref()),
    };
    if standard == Standard::Nothing {
        return Err(if way == Way::In { "there is no microphone" } else { "there is no speaker" }.to_owned());
    }
    let host = host()?;
    let device = match way {
        Way::In => host.default_input_device(),
        Way::Out => host.default_output_device(),
    };
    let device = device.ok_or("there is no sound device")?;
    let instead = (wanted.is_some() && served.is_none()).then_some(Instead::Absent);
    let (name, server_id) = match (served, &standard) {
        (Some(served), _) => (served.name.clone(), Some(served.id.clone())),
        (None, Standard::Other(other)) => (DEFAULT.to_owned(), Some(other.id.clone())),
        (None, _) => (DEFAULT.to_owned(), sound_server::default(way)),
    };
    Ok(Found { device, name, server_id, standard, instead })
}

/// The sound card that the device of that name is, to be used past the server, which lets go of it for as long as the second value
/// lives. Errors are for people.
pub fn find_card(name: &str, way: Way) -> Result<(Found, Option<Released>), String> {
    let served = sound_server::devices(way).into_iter().flatten().find(|device| device.name == name);
    let pcm = match &served {
        // Without a server, cards are known by their own names.
        None => None,
        Some(device) => {
            let (card, device) = device.card.ok_or("it is no sound card of this computer")?;
            Some(format!("plughw:CARD={card},DEV={device}"))
        }
    };
    let is_it = |card: &Card| pcm.as_ref().map_or(card.name == name, |pcm| card.pcm == *pcm);
    let card = cards(way).into_iter().find(is_it).ok_or("ALSA does not know it")?;
    let released = served.and_then(|served| sound_server::release(way, &served.id));
    Ok((Found::past_server(card.device, name.to_owned()), released))
}

/// Keeps the sound library from writing to standard error on this thread, for as long as the value lives.
#[cfg(target_os = "linux")]
pub fn quiet() -> impl Sized {
    alsa::Output::local_error_handler().ok()
}

#[cfg(not(target_os = "linux"))]
pub fn quiet() -> impl Sized {}

/// ALSA also where others exist: cpal's PulseAudio host stalls.
fn host() -> Result<cpal::Host, String> {
    #[cfg(target_os = "linux")]
    let host = cpal::host_from_id(cpal::HostId::Alsa).map_err(|e| e.to_string());
    #[cfg(not(target_os = "linux"))]
    let host = Ok(cpal::default_host());
    host
}

/// A sound card without a server in between.
struct Card {
    /// ALSA's name for it.
    pcm: String,
    name: String,
    device: Device,
}

fn cards(way: Way) -> Vec<Card> {
    let Ok(devices) = host().and_then(|host| host.devices().map_err(|e| e.to_string())) else { return Vec::new() };
    let fits = |device: &Device| match way {
        Way::In => device.supports_input(),
        Way::Out => device.supports_output(),
    };
    devices.filter(fits).filter_map(card).collect()
}

/// `None` for what is no device to a person: ALSA lists every plugin, and each card a dozen times.
fn card(device: Device) -> Option<Card> {
    let pcm = device.id().ok()?.id().to_owned();
    let name = device.description().ok()?.name().to_owned();
    shown(&pcm).then_some(Card { pcm, name, device })
}

fn shown(pcm: &str) -> bool {
    if cfg!(not(target_os = "linux")) {
        return true;
    }
    // With conversions in software, so that every rate works.
    pcm.starts_with("plughw:") && pcm.contains("DEV=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_and_repetitions_are_left_out() {
        for pcm in ["default", "null", "jack", "samplerate", "surround51:CARD=PCH,DEV=0", "hw:CARD=0,DEV=0", "pulse"] {
            assert!(!shown(pcm), "{pcm}");
        }
        assert!(shown("plughw:CARD=Headset,DEV=0"));
    }
}
