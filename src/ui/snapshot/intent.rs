//! What the person asks for.

use super::{Services, Settings, SipAccount, Voice};
use crate::secret::Secret;

/// What the person asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// Empty password and key mean "use the remembered ones".
    Apply {
        server: String,
        username: String,
        password: Secret,
        api_key: Secret,
        remember: bool,
    },
    /// For a server that has only the XML API. An empty key means "use the remembered one".
    ApplyXml {
        server: String,
        tenant: String,
        key: Secret,
        sip_server: String,
        remember: bool,
    },
    /// The answer to [`super::Snapshot::sip_password`].
    SipPassword {
        registration: String,
        password: Secret,
    },
    /// For a plain account. An empty password means "use the remembered one".
    ApplySip {
        account: Box<SipAccount>,
        password: Secret,
        remember: bool,
    },
    /// Gives up a sign-in that is under way.
    CancelSignIn,
    SignOut,
    RefreshRegistrations,
    Select {
        registration: String,
        takeover: bool,
    },
    GoOffline,
    Dial {
        to: String,
    },
    /// Whoever is talked to goes on hold.
    Answer {
        call: u32,
    },
    Reject {
        call: u32,
    },
    Hangup {
        call: u32,
    },
    Hold {
        call: u32,
    },
    Resume {
        call: u32,
    },
    Mute {
        call: u32,
        on: bool,
    },
    Dtmf {
        call: u32,
        digits: String,
    },
    /// Sends the call's party to a number.
    Transfer {
        call: u32,
        to: String,
    },
    /// Joins the parties of two calls.
    TransferTo {
        call: u32,
        with: u32,
    },
    /// Joins these calls: each hears all the others.
    Conference {
        calls: Vec<u32>,
    },
    Record {
        call: u32,
        on: bool,
    },
    /// Takes over a call that rings at a colleague.
    PickUp {
        to: String,
    },
    /// Lists a colleague, or renames the one of that number.
    AddColleague {
        name: String,
        number: String,
    },
    RemoveColleague {
        number: String,
    },
    /// Shows the messages of this call from now on, or of none.
    Trace {
        call: Option<u32>,
    },
    /// The answer to [`super::Snapshot::dial_asked`].
    AnswerDial {
        request: u32,
        accept: bool,
    },
    ChooseAudio {
        microphone: Option<String>,
        speaker: Option<String>,
        ringer: Option<String>,
        /// For short notices beside a call; `None`: where one talks.
        alert: Option<String>,
        /// Nobody else uses the named ones during calls.
        alone: bool,
    },
    Meter {
        on: bool,
    },
    TestTone {
        ringer: bool,
    },
    Voice(Voice),
    /// What whoever is on hold hears, a WAV file; empty: nothing.
    HoldMusic(String),
    /// The check before the shift.
    Check {
        /// Whom to call for it; empty: nobody.
        echo: String,
    },
    Settings(Settings),
    Services(Services),
    ClearHistory,
    Quit,
}
