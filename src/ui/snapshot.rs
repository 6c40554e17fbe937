//! Everything the window shows, and everything it can ask for.

mod account;
mod call;
mod colleague;
mod intent;

pub use account::{AudioEncryption, SipAccount, SipTransport};
pub use call::{
    Call, CallState, DialAsked, Encryption, Heard, HistoryEntry, HistoryKind, MOST_STRETCHES, Quality, Recorded,
    SipMessage, Stretch, Trace, Transfer,
};
pub use colleague::{Colleague, Presence};
pub use intent::Intent;

use crate::secret::Secret;
use std::time::Instant;

/// Latest state of the softphone; a new one is published whenever something changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub status: Status,
    /// Name typed at sign-in, account and tenant, once signed in.
    pub identity: Option<Identity>,
    /// Last server, user name and whether secrets are remembered, to fill the sign-in form. Remembered secrets never come
    /// here; those that the program was started with do, ready to apply.
    pub sign_in: SignInForm,
    pub registrations: Vec<RegistrationRow>,
    /// The plain account in use, in place of a login's registrations.
    pub sip_account: Option<SipAccount>,
    /// What has shown last that calls can arrive, while online.
    pub proof: Option<Proof>,
    /// There is no network; calls wait for it until then.
    pub network_lost: Option<Instant>,
    /// A registration's SIP password is to be typed before it can come online.
    pub sip_password: Option<SipPassword>,
    pub calls: Vec<Call>,
    /// Somebody outside any call asks for one to be made.
    pub dial_asked: Option<DialAsked>,
    /// Newest first.
    pub history: Vec<HistoryEntry>,
    pub audio: Audio,
    pub settings: Settings,
    pub recording: RecordingRule,
    /// How calls are treated before they ring, where that can be chosen.
    pub services: Option<Services>,
    pub voicemail: Voicemail,
    pub colleagues: Vec<Colleague>,
    /// The messages of the call whose details are open.
    pub trace: Option<Trace>,
    /// Can be dialled in whatever state.
    pub emergency_numbers: Vec<String>,
    pub about: About,
    pub locale: Locale,
    /// The program cannot work, and why: nothing else is shown.
    pub fatal: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Status {
    #[default]
    SignedOut,
    SigningIn,
    /// The TMS said no, in its words.
    Refused {
        reason: String,
    },
    /// The TMS cannot be reached.
    TmsUnreachable {
        reason: String,
        retry_at: Option<Instant>,
    },
    Initialized,
    Connecting {
        registration: String,
    },
    Online {
        registration: String,
        since: Instant,
        /// When the registrar last said so: the proof that calls can arrive, with its age.
        confirmed: Instant,
    },
    /// Another device holds the registration.
    OnlineElsewhere {
        registration: String,
        reason: String,
    },
    NotReachable {
        registration: String,
        reason: String,
        retry_at: Option<Instant>,
    },
}

/// What has just shown that calls can arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    pub by: ProvedBy,
    /// The registrar's last answer lists this device.
    pub is_listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvedBy {
    /// The registrar granted the registration.
    Register,
    /// The server answered over the very way that calls come.
    Answer,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Identity {
    pub user: String,
    pub account: String,
    pub tenant: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignInForm {
    pub server: String,
    pub username: String,
    /// Filled only from the environment (`AGENT_MANAGER_PASSWORD`, `AGENT_MANAGER_API_KEY`), as the demonstration does.
    pub password: Secret,
    pub api_key: Secret,
    /// A password and key are kept in the keyring (or its 0600 file) and are used when the fields stay empty.
    pub secrets_remembered: bool,
    /// The last server had only the XML API: signed in with tenant and key.
    pub xml: bool,
    pub tenant: String,
    pub sip_server: String,
    /// The last sign-in was a plain account's.
    pub plain: bool,
    pub sip_account: SipAccount,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SipPassword {
    pub registration: String,
    /// Why the one typed before was no good.
    pub problem: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct RegistrationRow {
    pub name: String,
    pub extension: String,
    /// (P), else (S).
    pub primary: bool,
    pub label: String,
    pub ring_inbound: bool,
    pub in_use: Option<InUse>,
    /// The one chosen here.
    pub selected: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct InUse {
    pub device: String,
    pub address: String,
    /// In the user's time zone and locale, ready to show: "08:02".
    pub since: String,
    pub this_device: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Audio {
    pub microphones: Vec<String>,
    pub speakers: Vec<String>,
    /// Chosen; `None` = system default.
    pub microphone: Option<String>,
    pub speaker: Option<String>,
    pub ringer: Option<String>,
    /// `None` = where one talks.
    pub alert: Option<String>,
    /// During calls no other program uses microphone and speaker, where they are named.
    pub alone: bool,
    /// Peaks 0.0–1.0 while the meters are on.
    pub microphone_level: f32,
    pub speaker_level: f32,
    /// What is done to the microphone's sound.
    pub voice: Voice,
    /// The WAV file that whoever is on hold hears; empty: nothing.
    pub hold_music: String,
    /// The headset whose buttons work, or why they do not, in a sentence; while one is plugged in.
    pub headset: Option<String>,
    /// How much sound the ear got today, in a sentence with what it assumes; once something was heard.
    pub exposure: Option<String>,
    /// The check before the shift, once it was begun.
    pub check: Option<Check>,
    /// Plays back what it hears, so that the check can measure the network; empty: nobody knows one.
    pub echo_number: String,
    /// "No sound card was found; plug in a headset."
    pub problem: Option<String>,
}

/// How far the check before the shift is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The person is to speak.
    Speak,
    /// A tone plays there.
    Headset,
    Ringer,
    /// The echo number is called.
    Network,
    Done(Vec<Finding>),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub good: bool,
    /// A sentence; what helps, where something is wrong.
    pub words: String,
}

/// Echo cancelling, noise suppression, one level for all voices; and nothing sent while nobody speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Voice {
    pub echo: bool,
    pub noise: bool,
    pub gain: bool,
    pub suppress_silence: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub theme: ThemeChoice,
    /// Show the small ringing window.
    pub ringing_window: bool,
    /// Send digits by SIP INFO instead of RFC 4733 telephone-events.
    pub dtmf_via_info: bool,
    /// Calls may be recorded.
    pub may_record: bool,
    /// Both sides hear a tone meanwhile.
    pub recording_tone: bool,
}

/// What the account says of recording its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingRule {
    pub rule: Recording,
    /// Both sides hear a tone meanwhile, whatever the settings say.
    pub tone: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// As the settings say.
    #[default]
    Allowed,
    Forbidden,
    /// Every call is, by itself.
    Required,
}

/// Do not disturb, forwarding and the like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services {
    pub do_not_disturb: bool,
    /// Callers hear "not available" rather than "busy".
    pub do_not_disturb_as_unreachable: bool,
    /// Numbers as typed; empty: not forwarded.
    pub forward_always: String,
    pub forward_busy: String,
    pub forward_no_answer: String,
    pub forward_after_s: u64,
    /// The phone system may ask for a call to be answered without ringing.
    pub answer_on_request: bool,
    pub withhold_identity: bool,
    /// Dialled before a colleague's number to take over what rings there; empty where the phone system needs none.
    pub pickup_prefix: String,
}

/// Voicemail of the account, as far as its phone system says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voicemail {
    pub waiting: bool,
    pub new: u32,
    pub old: u32,
    /// What to dial to listen.
    pub account: Option<String>,
}

/// How the user writes numbers and times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locale {
    /// "8:02 am", else "08:02".
    pub twelve_hours: bool,
    /// "4,2", else "4.2".
    pub decimal_comma: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    #[default]
    System,
    Light,
    Dark,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    pub version: String,
    pub sip_address: String,
    pub instance_id: String,
    pub config_dir: String,
    pub log_file: Option<String>,
}

/// Must not be lost: shown as a toast, announced to screen readers.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub kind: NoticeKind,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    Info,
    Warning,
    Error,
}
