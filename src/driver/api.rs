//! What a front end (window, headless) asks of the softphone and what it hears from it.

pub use crate::tms::login::{Login, LoginState, Proof, SipPasswords, TmsLogin, XmlLogin};

use crate::{
    media::{
        check::Step,
        engine::{AudioChoice, DeviceList, DtmfVia, Notice},
        evidence::{Span, Verdict},
        stats::CallStats,
        voice::{Exposure, VoiceProcessing},
    },
    tms::wire,
    ua::api::{
        Account, CallId, CallInfo, ColleagueState, Messages, Package, Reachable, RegistrationState, Secret,
        ServiceCommand, Services, TransferState, TransferTo,
    },
};
use jiff::Timestamp;
use std::{net::IpAddr, path::PathBuf, time::Duration};

/// A command with the caller's own mark, which every direct answer carries back.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    pub id: Option<serde_json::Value>,
    pub what: T,
}

#[derive(Clone, Debug)]
pub enum Command {
    SignIn(Login),
    SignOut,
    /// A plain SIP account on any PBX, in place of a TMS.
    UseAccount(Box<Account>),
    Registrations,
    Select {
        registration: String,
        takeover: bool,
    },
    /// For a TMS that has only the XML API, after [`Event::SipPasswordWanted`] or a wrong one: chooses the registration.
    SipPassword {
        registration: String,
        password: Secret,
    },
    Offline,
    Dial {
        to: String,
        /// Without showing who calls.
        anonymous: bool,
    },
    Services(ServiceCommand),
    Message {
        to: String,
        text: String,
    },
    Subscribe {
        package: Package,
        /// Empty: the account itself.
        to: String,
    },
    Unsubscribe {
        package: Package,
        to: String,
    },
    PickUp {
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
    /// Joins these calls: each hears all the others. Those on hold are taken off hold first.
    Conference {
        calls: Vec<CallId>,
    },
    /// Records both sides of a call, or with `None` stops.
    Record {
        call: CallId,
        file: Option<PathBuf>,
        /// Whether both sides hear a tone meanwhile; `None`: as the options say.
        tone: Option<bool>,
    },
    Dtmf {
        call: CallId,
        digits: String,
        /// `None`: RFC 4733 where the peer takes it, else tones in the audio.
        via: Option<Dtmf>,
    },
    Transfer {
        call: CallId,
        to: TransferTo,
    },
    /// The answer to [`Event::DialAsked`].
    AnswerDial {
        request: u32,
        accept: bool,
    },
    Stats {
        call: CallId,
    },
    /// Tell the SIP messages of this call from now on, in place of another's; `None`: of none.
    Trace {
        call: Option<CallId>,
    },
    Audio(AudioChoice),
    /// What the microphone's sound goes through, from now on.
    Voice(VoiceProcessing),
    /// What whoever is on hold hears from now on, a WAV file; `None`: nothing.
    HoldMusic(Option<PathBuf>),
    /// Whether silence need not be sent where the other side agrees (RFC 3389), from the next call on.
    SuppressSilence(bool),
    /// Whether recordings that begin from now on have a tone, unless their order says otherwise.
    RecordingTone(bool),
    /// How much sound the ear got.
    Exposure,
    /// The check before the shift; [`Event::Check`] follows. `echo`: whom to call to measure the network.
    Check {
        echo: Option<String>,
    },
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
    /// A link's code was good; signing in with [`Proof::Token`] finds its session again. `Login` follows.
    Token(Secret),
    /// Answer to `Registrations`, and by itself whenever the TMS says the list changed.
    Registrations(Vec<wire::Registration>),
    Registration {
        name: String,
        state: RegistrationState,
    },
    /// Nobody holds the registration that was chosen; its SIP password is to be typed, once.
    SipPasswordWanted {
        registration: String,
    },
    /// It has just been shown that calls can reach this registration.
    Reachable {
        name: String,
        proof: Reachable,
    },
    /// The way to the server has changed: from here on it begins at `address`. `None`: there is none; calls wait for it as long
    /// as `patience`.
    Network {
        address: Option<IpAddr>,
        patience: Duration,
    },
    Call(CallInfo),
    /// How calls are treated from now on; to be kept.
    Services(Services),
    Messages(Messages),
    Colleague {
        uri: String,
        state: ColleagueState,
    },
    /// What became of the wish to be told of `to`: taken, or why not. Answers `Subscribe`, and comes again when that changes.
    Subscription {
        package: Package,
        to: String,
        refusal: Option<String>,
    },
    Message {
        from: String,
        from_name: Option<String>,
        text: String,
    },
    Muted {
        call: CallId,
        on: bool,
    },
    /// How a transfer fares; `Done` and `Failed` answer the command.
    Transfer {
        call: CallId,
        state: TransferState,
    },
    /// The peer of `by` transfers us: `call` is made because of it.
    Referred {
        call: CallId,
        by: CallId,
    },
    /// `call`, which follows as connected, takes the place of `old`.
    TakesOver {
        call: CallId,
        old: CallId,
    },
    /// Somebody outside any call asks that `to` be called from here.
    DialAsked {
        request: u32,
        from: String,
        to: String,
    },
    /// That question is no longer open.
    DialAskedOver {
        request: u32,
    },
    Dtmf {
        call: CallId,
        digit: char,
    },
    /// Answer to `Stats` (`asked`), and by itself once a second for every call with audio; `last` once it has ended.
    Stats {
        call: CallId,
        stats: CallStats,
        asked: bool,
        last: bool,
    },
    /// What is wrong with a call's sound, as soon as that changes; and once it has ended (`last`), with how it went.
    Quality {
        call: CallId,
        verdict: Verdict,
        timeline: Vec<Span>,
        last: bool,
    },
    /// The other side of a call in a conference has begun to speak, or is quiet.
    Speaks {
        call: CallId,
        on: bool,
    },
    /// What becomes of the call's recording into this file.
    Recording {
        call: CallId,
        file: PathBuf,
        state: RecordingState,
    },
    /// What holds of recordings from now on; before the first, calls may be recorded.
    RecordingRule(RecordingRule),
    /// Somebody talks while muted in this call.
    TalksMuted {
        call: CallId,
    },
    /// Answer to `Exposure` (`asked`), and by itself once a minute of sound.
    Exposure {
        exposure: Exposure,
        asked: bool,
    },
    /// All that is kept of a call's messages, in their order; after [`Command::Trace`], and again with each further one.
    Trace {
        call: CallId,
        messages: Vec<Traced>,
    },
    /// How far the check before the shift is, and what it has found.
    Check(Step),
    Levels {
        microphone: f32,
        speaker: f32,
    },
    Devices(DeviceList),
    Notice(Notice),
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
    /// The driver has stopped; nothing follows. `failure`: a sentence, where nobody ordered it.
    Stopped {
        failure: Option<String>,
    },
}

/// What the account at the TMS says of recording its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingRule {
    pub rule: wire::Recording,
    /// Both sides hear a tone meanwhile, whatever the options and the order say.
    pub tone: bool,
}

/// Where a recording stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingState {
    /// `tone`: both sides hear one meanwhile, and the file says so.
    Begun { tone: bool },
    /// It was ended, or the call has ended, and the file is complete.
    Over,
    /// Why is said by a notice before, or, where it was ended by a command, by its answer.
    Failed,
}

/// A SIP message as a person may read it: without credentials, keys and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    pub at: Timestamp,
    /// By us, else received.
    pub sent: bool,
    /// Where to or from: `udp 192.0.2.10:5060`.
    pub flow: String,
    pub text: String,
}
