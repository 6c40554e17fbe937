//! What a front end (window, headless) asks of the softphone and what it hears from it.

use crate::{
    media::{
        engine::{AudioChoice, DeviceList, DtmfVia},
        stats::CallStats,
    },
    tms::wire,
    ua::api::{Account, CallId, CallInfo, RegistrationState, Secret},
};

/// A command with the caller's own mark, which every direct answer carries back.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    pub id: Option<serde_json::Value>,
    pub what: T,
}

#[derive(Clone, Debug)]
pub struct TmsLogin {
    /// `https://tms.example` or `http://127.0.0.1:8080`.
    pub url: String,
    pub username: String,
    pub password: Secret,
    pub api_key: Secret,
}

#[derive(Clone, Debug)]
pub enum Command {
    SignIn(TmsLogin),
    SignOut,
    /// A plain SIP account on any PBX, in place of a TMS.
    UseAccount(Box<Account>),
    Registrations,
    Select {
        registration: String,
        takeover: bool,
    },
    Offline,
    Dial {
        to: String,
    },
    Answer {
        call: CallId,
    },
    Reject {
        call: CallId,
        code: u16,
    },
    Hangup {
        call: CallId,
    },
    Hold {
        call: CallId,
    },
    Resume {
        call: CallId,
    },
    Mute {
        call: CallId,
        on: bool,
    },
    Dtmf {
        call: CallId,
        digits: String,
        via: Dtmf,
    },
    Stats {
        call: CallId,
    },
    Audio(AudioChoice),
    Meter {
        on: bool,
    },
    TestTone {
        ringer: bool,
    },
    /// Hang up, un-register, sign out, stop. The driver's thread ends within two seconds.
    Quit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtmf {
    Media(DtmfVia),
    Info,
}

#[derive(Clone, Debug)]
pub enum Event {
    /// The SIP socket is open: `udp:127.0.0.1:5072`.
    Ready {
        sip: String,
    },
    Login(LoginState),
    /// Answer to `Registrations`, and by itself whenever the TMS says the list changed.
    Registrations(Vec<wire::Registration>),
    Registration {
        name: String,
        state: RegistrationState,
    },
    Call(CallInfo),
    Muted {
        call: CallId,
        on: bool,
    },
    Dtmf {
        call: CallId,
        digit: char,
    },
    /// Answer to `Stats`, and (without id) once a second for every call with audio.
    Stats {
        call: CallId,
        stats: CallStats,
        last: bool,
    },
    Levels {
        microphone: f32,
        speaker: f32,
    },
    Devices(DeviceList),
    /// Something a person should know, in a sentence.
    Notice(String),
    /// A command without an event of its own took effect.
    Done {
        command: &'static str,
        call: Option<CallId>,
    },
    Error {
        command: &'static str,
        call: Option<CallId>,
        message: String,
    },
    /// The driver has stopped; nothing follows.
    Stopped,
}

#[derive(Clone, Debug, PartialEq)]
pub enum LoginState {
    SignedOut,
    SigningIn,
    Initialized(wire::Me),
    /// `kind`: the problem's type; `reason`: a sentence. The TMS said no; trying again by itself makes no sense.
    Refused {
        kind: String,
        reason: String,
    },
    /// The TMS could not be reached or answered nonsense; tried again after `retry_in_s` where that is given.
    Unreachable {
        reason: String,
        retry_in_s: Option<u64>,
    },
}
