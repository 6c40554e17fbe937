//! What goes into and comes out of the user agent.

pub use super::services::{
    EMERGENCY_NUMBERS, ForwardWhen, NoAnswer, ServiceCommand, Services, usual_emergency_numbers,
};
pub use crate::secret::Secret;

use crate::{
    media::plan::{Codec, MediaPlan, Srtp, SrtpPolicy},
    sip::{
        dialog::DialogRecord,
        flow::{Flow, Transport},
        uri::Uri,
    },
};
use std::{net::SocketAddr, time::Duration};

/// Number of a call, counted from 1, never used twice in a process.
pub type CallId = u32;

/// One SIP account.
#[derive(Clone, Debug)]
pub struct Account {
    /// What the contract calls the registration's name; shown to people.
    pub name: String,
    /// Address of record, e.g. `sip:100-acme@acme`.
    pub aor: Uri,
    /// Digest user; often the AOR's user part.
    pub auth_username: String,
    pub password: Secret,
    /// The only realm that the password is good for, where that is known; else each server's first one is its only one.
    pub realm: Option<String>,
    /// Preloaded route of every request outside a dialog; also where REGISTER goes.
    pub outbound_proxy: Option<Uri>,
    pub transport: Transport,
    /// `false`: call and be called without a registrar.
    pub register: bool,
    /// Wanted registration interval; default 600 s.
    pub expires: Duration,
    /// Numbers that can be dialled whatever else stands in the way; default [`EMERGENCY_NUMBERS`].
    pub emergency_numbers: Vec<String>,
}

impl Account {
    /// Whether `other` is the same address of record with other credentials or by another way at most, so that the
    /// registration goes on with it: un-registering would end what the new way has just begun.
    pub fn is_renewed_by(&self, other: &Self) -> bool {
        let line = |a: &Self| (a.name.clone(), a.aor.clone(), a.register);
        line(self) == line(other)
    }

    /// Whether besides it takes the same way, so that what runs with its servers goes on.
    pub fn goes_on_with(&self, other: &Self) -> bool {
        self.is_renewed_by(other) && (self.transport, &self.outbound_proxy) == (other.transport, &other.outbound_proxy)
    }
}

/// What holds for all accounts and calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Order of preference.
    pub codecs: Vec<Codec>,
    pub srtp: SrtpPolicy,
    /// Silence need not be sent where both sides agree (RFC 3389).
    pub silence_suppression: bool,
    /// `+sip.instance`, the same for the installation: `urn:uuid:…` (RFC 5626 §4.1).
    pub instance_id: String,
    /// User-Agent and Server (RFC 3261 §20.41, §20.35).
    pub user_agent: String,
    /// Answer incoming calls after this long.
    pub auto_answer: Option<Duration>,
    /// Further incoming calls are answered 486, further outgoing ones refused.
    pub max_calls: Option<usize>,
    /// Do not disturb and the like, as they were left.
    pub services: Services,
}

/// What the agent wants; what comes of it is an [`Event`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Become this account: un-register the old one, register the new one (or be ready at once when it does not register).
    /// One that differs in its credentials, proxy or transport only is registered anew with them, without going offline.
    SetAccount(Box<Account>),
    /// Un-register and be offline.
    ClearAccount,
    /// Another device has taken the registration of this account over: stop registering, un-register nothing. Calls go on.
    Displace { name: String, code: u16, reason: String },
    /// Call a number or user at the account's domain, a SIP URI or a tel URI. `anonymous`: without showing who calls.
    Dial { to: String, anonymous: bool },
    /// Call an echo to measure the way there. No call of a person is refused, sent on or kept waiting because of this one.
    Measure { to: String },
    /// Send a text message (RFC 3428): [`Event::Done`] once it is delivered.
    Message { to: String, text: String },
    /// Be told of `to` from now on, with whatever account is online; an empty `to` is the account itself:
    /// [`Event::Subscription`].
    Subscribe { package: Package, to: String },
    /// No longer.
    Unsubscribe { package: Package, to: String },
    /// Take over a call that rings at a colleague.
    PickUp { to: String },
    /// Change how calls are treated: [`Event::Services`], then [`Event::Done`].
    Services(ServiceCommand),
    /// Whether silence need not be sent where the other side agrees (RFC 3389, RFC 7587), from the next call on.
    SuppressSilence(bool),
    /// Take a ringing call.
    Answer { call: CallId },
    /// Refuse a ringing call with a 3xx to 6xx code; any other becomes 486.
    Reject { call: CallId, code: u16 },
    /// End a call in whatever state: CANCEL, BYE, or 486 where it rings.
    Hangup { call: CallId },
    /// Put the peer on hold.
    Hold { call: CallId },
    /// Take the peer off hold.
    Resume { call: CallId },
    /// Nothing is heard of the peer: ask it whether the call still stands. A call that nobody answers for has ended.
    Probe { call: CallId },
    /// Audio of a call that is not answered yet comes, or does not (any more): as long as it comes, the call is not given up.
    EarlyMedia { call: CallId, comes: bool },
    /// DTMF by SIP INFO (`application/dtmf-relay`); RFC 4733 and in-band go to the media engine.
    DtmfInfo { call: CallId, digits: String },
    /// End these calls of the account that is set, which a program before this one left behind.
    EndOrphans(Vec<DialogRecord>),
    /// The network has changed; our new address was told before.
    Network(NetworkChange),
    /// Send the peer of an answered call elsewhere; it goes on hold meanwhile, and comes back where that fails.
    Transfer { call: CallId, to: TransferTo },
    /// The answer to [`Event::DialAsked`].
    AnswerDialAsked { request: u32, accept: bool },
    /// Publish how a call sounded (`application/vq-rtcpxr`) to this collector; [`Event::Notice`] where that fails.
    /// `direct`: to its own address, not by way of the account's servers.
    ReportQuality { collector: Uri, body: String, direct: bool },
    /// End all calls, un-register, then [`Output::Idle`].
    Shutdown,
}

/// What has become of the way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkChange {
    /// There is none. Calls wait for it as long as `patience`.
    Lost { patience: Duration },
    /// There is one from another address: what runs moves there.
    Moved,
    /// There is one again, or the machine was asleep: what servers know of us may be out of date.
    Back,
}

/// Where a call is transferred to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferTo {
    /// Blind: to what a person dials, as in [`Command::Dial`].
    Address(String),
    /// Attended: to the peer of this other answered call; both calls end here when the two have been joined.
    Call(CallId),
}

/// What the user agent asks of its shell, in order.
#[derive(Debug)]
pub enum Output {
    /// Put these bytes on that flow. `token`: for `UserAgent::handle_transport_failed`, where a request could not be sent.
    Transmit { flow: Flow, payload: Vec<u8>, token: Option<u64> },
    /// Find where to send to (RFC 3263); answer with `UserAgent::handle_resolved`. `transport`: what to use where the URI
    /// leaves it open.
    Resolve { id: ResolveId, uri: Uri, transport: Transport },
    /// Open audio ports for this call towards `remote`; answer with `UserAgent::handle_media_opened`, at once.
    OpenMedia { call: CallId, remote: SocketAddr },
    /// Agreed, or agreed anew.
    Media { call: CallId, plan: MediaPlan },
    /// The call has ended; its audio ports are no longer needed.
    CloseMedia { call: CallId },
    /// For the front end.
    Event(Event),
    /// After [`Command::Shutdown`]: nothing left to say.
    Idle,
}

/// Names a lookup that [`Output::Resolve`] asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResolveId(pub u64);

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The account `name` has come into this state; `Online` comes with every grant, also of a refresh.
    Registration { name: String, state: RegistrationState },
    /// It has just been shown that calls can reach the account `name`, which is online.
    Reachable { name: String, proof: Reachable },
    /// A call is new, has changed, or has ended.
    Call(CallInfo),
    /// How a transfer that the agent has ordered fares.
    Transfer { call: CallId, state: TransferState },
    /// The peer of `by` transfers us: `call` is the call that is made because of it.
    Referred { call: CallId, by: CallId },
    /// `call`, which follows at once as connected, takes the place of `old` (RFC 3891).
    TakesOver { call: CallId, old: CallId },
    /// Somebody outside any call, `from`, asks that `to` be called from here (RFC 3515); nothing happens before
    /// [`Command::AnswerDialAsked`].
    DialAsked { request: u32, from: String, to: String },
    /// That question is no longer open, whoever closed it.
    DialAskedOver { request: u32 },
    /// DTMF received by SIP INFO.
    Dtmf { call: CallId, digit: char },
    /// How calls are treated from now on.
    Services(Services),
    /// Voicemail waiting.
    Messages(Messages),
    /// A colleague who is watched has changed.
    Colleague { uri: String, state: ColleagueState },
    /// What became of [`Command::Subscribe`]: taken by the server (or kept for when there is one), or, with a sentence, not. After
    /// it was taken it may be refused later.
    Subscription { package: Package, to: String, refusal: Option<String> },
    /// A text message has come.
    Message { from: String, from_name: Option<String>, text: String },
    /// Something a person should know; a sentence.
    Notice(String),
    /// A command could not be carried out; a sentence with the way out.
    Refused { command: &'static str, call: Option<CallId>, message: String },
    /// A command without an event of its own took effect (`dtmf` by INFO).
    Done { command: &'static str, call: Option<CallId> },
}

/// What one can be told of (RFC 6665 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// A colleague's calls (RFC 4235).
    Dialog,
    /// Whether a colleague is there (RFC 3856).
    Presence,
    /// Voicemail (RFC 3842).
    MessageSummary,
}

/// Voicemail of an account (RFC 3842).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    pub waiting: bool,
    pub new: u32,
    pub old: u32,
    /// What to dial to listen to them.
    pub account: Option<String>,
}

/// How a colleague is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColleagueState {
    Free,
    Ringing,
    Busy,
    Away,
    /// No device of theirs can be called.
    NotRegistered,
}

/// How a transfer stands.
#[derive(Clone, Debug, PartialEq)]
pub enum TransferState {
    /// `code`: how the target answers so far (100, 180), once the peer has told.
    Trying { code: Option<u16> },
    /// The two have been joined; the calls end.
    Done { code: Option<u16> },
    /// The peer is back. `code`: of the target, or of the peer where it refused; `reason`: sentences.
    Failed { code: Option<u16>, reason: String },
}

/// How an account stands with its registrar.
#[derive(Clone, Debug, PartialEq)]
pub enum RegistrationState {
    /// Given up by order.
    Offline,
    /// The first answer is awaited; a refresh is not reported.
    Registering,
    /// `expires`: what the registrar granted us, at most a day; zero for an account that does not register.
    Online { expires: Duration },
    /// Held by another device (the registrar's 403 with its reason); no retry by itself.
    Conflict { code: u16, reason: String },
    /// `retry_in`: when it will be tried again, `None` when only a person can help (wrong password).
    Failed { code: Option<u16>, reason: String, retry_in: Option<Duration> },
}

/// What shows that calls can reach us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reachable {
    pub by: ProvedBy,
    /// The registrar's last grant listed our contact; some list none.
    pub is_listed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvedBy {
    /// The registrar granted or refreshed the registration.
    Register,
    /// A keep-alive was answered: a CRLF or STUN pong (RFC 5626 §4.4).
    Pong,
    /// The server answered an OPTIONS.
    Options,
}

/// Who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallDirection {
    /// The peer.
    In,
    /// The agent.
    Out,
}

/// A call as others see it; sent whole at every change. A call that ended is reported once.
#[derive(Clone, Debug, PartialEq)]
pub struct CallInfo {
    pub call: CallId,
    pub direction: CallDirection,
    pub state: CallState,
    /// The peer's URI: `sip:101@acme`.
    pub peer: String,
    pub peer_name: Option<String>,
    /// What was called, where it differs from the account (the queue or number that an incoming call was for).
    pub called: Option<String>,
    pub origin: Origin,
    pub codec: Option<Codec>,
    /// How its audio is protected, as soon as there is any.
    pub srtp: Srtp,
}

#[cfg(test)]
impl CallInfo {
    /// A call with 101 of which nothing else is known.
    pub fn bare(call: CallId, direction: CallDirection, state: CallState) -> Self {
        Self {
            call,
            direction,
            state,
            peer: "sip:101@acme".into(),
            peer_name: None,
            called: None,
            origin: Origin::default(),
            codec: None,
            srtp: Srtp::Off,
        }
    }
}

/// How an incoming call came here, as far as our servers vouch for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The caller does not want to be known (RFC 3323).
    pub anonymous: bool,
    /// Who stands behind [`CallInfo::called`].
    pub called_name: Option<String>,
    /// Who forwarded the call to us last: the URI and the name (RFC 5806, RFC 7044).
    pub forwarded_by: Option<String>,
    pub forwarded_by_name: Option<String>,
    /// Answered without ringing because our PBX asked for it; to be said by a tone.
    pub answers_itself: bool,
}

/// Where a call stands.
#[derive(Clone, Debug, PartialEq)]
pub enum CallState {
    /// INVITE sent, nothing but 100 yet.
    Dialing,
    /// 18x received; `media`: audio is agreed on already, and what comes of it is heard.
    Early { media: bool },
    /// Incoming, waiting for the agent.
    Ringing,
    /// Answered; audio flows as agreed.
    Connected,
    /// We put the peer on hold.
    Held,
    /// The peer put us on hold.
    RemoteHeld,
    /// `code`: the SIP status or Reason cause behind it, if any; `reason`: a sentence.
    Ended { ended_by: EndedBy, code: Option<u16>, reason: String },
}

impl CallState {
    /// Whether the two are in a conversation, on hold or not.
    pub const fn is_answered(&self) -> bool {
        match self {
            Self::Connected | Self::Held | Self::RemoteHeld => true,
            Self::Dialing | Self::Early { .. } | Self::Ringing | Self::Ended { .. } => false,
        }
    }
}

/// Whose doing the end of a call was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// The agent, or this machine.
    Local,
    /// The peer: hung up, refused, cancelled.
    Remote,
    /// A server on the way, or silence.
    Network,
    /// Another device of the account took it; no missed call.
    AnsweredElsewhere,
}
