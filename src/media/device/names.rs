//! The names of sound devices, as people know them.

use cpal::{
    Device,
    traits::{DeviceTrait, HostTrait},
};

/// What a device is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    In,
    Out,
}

/// The system's default device.
const DEFAULT: &str = "System default";

/// Names of the devices for one way, the default first.
pub fn list(way: Way) -> Vec<String> {
    let _quiet = quiet();
    let mut names = vec![DEFAULT.to_owned()];
    for (name, _) in devices(way) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The device of that name, or the default one; also its name and whether the one wanted is absent. Errors are for people.
pub fn find(name: Option<&str>, way: Way) -> Result<(Device, String, bool), String> {
    let wanted = name.filter(|name| *name != DEFAULT);
    if let Some(wanted) = wanted
        && let Some((name, device)) = devices(way).into_iter().find(|(name, _)| name == wanted)
    {
        return Ok((device, name, false));
    }
    let host = host()?;
    let device = match way {
        Way::In => host.default_input_device(),
        Way::Out => host.default_output_device(),
    };
    let device = device.ok_or("there is no sound device")?;
    Ok((device, DEFAULT.to_owned(), wanted.is_some()))
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

fn devices(way: Way) -> Vec<(String, Device)> {
    let Ok(devices) = host().and_then(|host| host.devices().map_err(|e| e.to_string())) else { return Vec::new() };
    let fits = |device: &Device| match way {
        Way::In => device.supports_input(),
        Way::Out => device.supports_output(),
    };
    devices.filter(fits).filter_map(|device| Some((name(&device)?, device))).collect()
}

/// `None` for what is no device to a person: ALSA lists every plugin, and each card a dozen times.
fn name(device: &Device) -> Option<String> {
    let id = device.id().ok()?;
    let name = device.description().ok()?.name().to_owned();
    shown(id.id()).then_some(name)
}

fn shown(pcm: &str) -> bool {
    if cfg!(not(target_os = "linux")) {
        return true;
    }
    // With conversions in software, so that every rate works.
    pcm.starts_with("plughw:") && pcm.contains("DEV=") || pcm == "pulse" || pcm == "pipewire"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_and_repetitions_are_left_out() {
        for pcm in ["default", "null", "jack", "samplerate", "surround51:CARD=PCH,DEV=0", "hw:CARD=0,DEV=0", "upmix"] {
            assert!(!shown(pcm), "{pcm}");
        }
        for pcm in ["plughw:CARD=Headset,DEV=0", "pulse", "pipewire"] {
            assert!(shown(pcm), "{pcm}");
        }
    }

    #[test]
    fn the_default_is_always_offered() {
        assert_eq!(list(Way::Out)[0], DEFAULT);
        assert_eq!(list(Way::In)[0], DEFAULT);
    }
}
