//! What the softphone remembers between starts, in `settings.json`. Secrets are not among it.

use super::{
    ConfigError,
    folder::{ConfigFolder, Durable},
};
use crate::{
    media::voice::VoiceProcessing,
    ua::api::Services,
    ui::snapshot::{SipAccount, ThemeChoice},
};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

const FILE: &str = "settings.json";
/// Ten times what a long-used file holds.
const LIMIT: u64 = 256 * 1024;

/// Unknown fields are ignored and missing ones take their default, so that older and newer versions read each other's file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The TMS last signed in to, and the user name.
    pub server: Option<String>,
    pub username: Option<String>,
    pub signed_in_by: SignedInBy,
    /// Typed for a TMS that has only the XML API; `username` is then the tenant.
    pub sip_server: Option<String>,
    /// Comes online by itself at the next start.
    pub last_registration: Option<String>,
    /// The plain account typed last.
    pub sip_account: SipAccount,
    /// Whose lamps are shown.
    pub colleagues: Vec<Colleague>,
    pub audio: Audio,
    /// Do not disturb, forwarding and the like.
    pub services: Services,
    /// Of where the agent works, in place of the usual ones.
    pub emergency_numbers: Option<Vec<String>>,
    pub window: Window,
}

/// What opened the last session, and opens the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignedInBy {
    /// User name, password and API key.
    #[default]
    Password,
    /// An `agent-manager://` link, whose session is found again by its token.
    Link,
    /// Tenant and key, at a TMS that has only the XML API.
    Xml,
    /// A plain SIP account, at any phone system.
    Sip,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Colleague {
    pub name: String,
    pub number: String,
}

/// Device names; `None` is the system's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audio {
    pub microphone: Option<String>,
    pub speaker: Option<String>,
    pub ringer: Option<String>,
    /// For short notices beside a call; `None`: where one talks.
    pub alert: Option<String>,
    /// During calls no other program uses microphone and speaker, where they are named.
    pub alone: bool,
    pub voice: VoiceProcessing,
    /// A WAV file for whoever is on hold.
    pub hold_music: Option<PathBuf>,
    /// Silence need not be sent (RFC 3389).
    pub suppress_silence: bool,
    /// Called by the check before the shift.
    pub echo_number: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Window {
    pub theme: ThemeChoice,
    pub notifications: bool,
    pub dtmf_via_info: bool,
    pub may_record: bool,
    pub recording_tone: bool,
    /// Keep password and API key in the keyring (or its file).
    pub remember_secrets: bool,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            notifications: true,
            dtmf_via_info: false,
            may_record: false,
            recording_tone: false,
            remember_secrets: false,
        }
    }
}

impl Settings {
    /// Reads the file. One that cannot be used is put aside and answered by defaults and a sentence for the user.
    pub fn load(folder: &ConfigFolder) -> (Self, Option<String>) {
        let damage = match folder.read(FILE, LIMIT) {
            Ok(None) => return (Self::default(), None),
            Ok(Some(bytes)) => match serde_json::from_slice(&bytes) {
                Ok(settings) => return (settings, None),
                Err(e) => e.to_string(),
            },
            Err(e) => e.to_string(),
        };
        let aside = folder.set_aside(FILE);
        let said = format!(
            "The settings could not be read ({damage}), so Agent Manager starts with its defaults; the damaged file is kept as {}.",
            aside.display()
        );
        (Self::default(), Some(said))
    }

    /// Numbers that can always be dialled, where the user names them. What is none is left out; a list without any is none.
    pub fn emergency_numbers(&self) -> Option<Vec<String>> {
        let listed = self.emergency_numbers.iter().flatten().filter(|number| is_dialled(number)).cloned();
        Some(listed.collect()).filter(|listed: &Vec<_>| !listed.is_empty())
    }

    /// # Errors
    /// A sentence saying why the file could not be written; the old one is still whole.
    pub fn save(&self, folder: &ConfigFolder) -> Result<(), ConfigError> {
        let text = serde_json::to_vec_pretty(self).expect("plain strings and booleans always serialise");
        folder.write(FILE, &text, Durable::Yes)
    }
}

/// Whether it is a number as it is dialled: digits, `*` and `#`.
pub(super) fn is_dialled(number: &str) -> bool {
    (2..=15).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder() -> (tempfile::TempDir, ConfigFolder) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        (dir, folder)
    }

    #[test]
    fn what_is_saved_comes_back() {
        let (_dir, folder) = folder();
        let settings = Settings {
            server: Some("https://tms.example".into()),
            last_registration: Some("100-acme-laptop".into()),
            window: Window { theme: ThemeChoice::Dark, ..Window::default() },
            ..Settings::default()
        };
        settings.save(&folder).expect("written");
        assert_eq!(Settings::load(&folder), (settings, None));
    }

    #[test]
    fn a_file_cut_short_or_hostile_is_kept_aside() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let long = format!("{{\"server\":\"{}\"}}", "x".repeat(300 * 1024));
        for damaged in
            ["{\"server\":\"https://tm", "", "[7]", "{\"audio\":7}", "\u{0}\u{0}", deep.as_str(), long.as_str()]
        {
            let (dir, folder) = folder();
            fs::write(dir.path().join(FILE), damaged).expect("damage");
            let (settings, said) = Settings::load(&folder);
            assert_eq!(settings, Settings::default());
            assert!(said.expect("a sentence").contains("settings.json.bad"));
            assert_eq!(fs::read_to_string(dir.path().join("settings.json.bad")).expect("kept"), damaged);
            assert_eq!(Settings::load(&folder), (Settings::default(), None), "asked once, not at every start");
        }
    }

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_take_defaults() {
        let (dir, folder) = folder();
        fs::write(dir.path().join(FILE), r#"{"from_the_future":[1],"username":"a@b","window":{"theme":"light"}}"#)
            .expect("write");
        let (settings, said) = Settings::load(&folder);
        assert_eq!(said, None);
        assert_eq!(settings.username.as_deref(), Some("a@b"));
        assert_eq!(settings.window, Window { theme: ThemeChoice::Light, ..Window::default() });
    }

    #[test]
    fn emergency_numbers_are_those_that_are_numbers() {
        for (listed, expected) in [
            (None, None),
            (Some(vec![]), None),
            (Some(vec!["police"]), None),
            (Some(vec!["110", "one", "119"]), Some(["110", "119"].map(str::to_owned).to_vec())),
        ] {
            let listed = listed.map(|all: Vec<&str>| all.into_iter().map(str::to_owned).collect());
            let settings = Settings { emergency_numbers: listed.clone(), ..Settings::default() };
            assert_eq!(settings.emergency_numbers(), expected, "{listed:?}");
        }
    }
}
