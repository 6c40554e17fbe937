//! An event as a line of standard output.

mod call;
mod registration;
mod sound;

pub use registration::Proof;

use super::command::Rejected;
use crate::{
    driver::api::{Event, Tagged},
    media::engine::Severity,
    tms::wire,
    ua::api::{self as ua, ColleagueState, RegistrationState},
};
use call::{Call, Recording, Transfer, call, recording, transfer};
use registration::{Login, Registration, Row, SIP_PASSWORD_MISSING, login, proven, registration, row};
use serde::Serialize;
use serde_json::Value;
use sound::{Check, Exposure, Quality, Stats, check, figures, quality};
use std::net::IpAddr;

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    what: What<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum What<'a> {
    Ready { version: &'a str, sip: &'a str },
    Login(Login<'a>),
    Registrations { list: Vec<Row<'a>> },
    Registration(Registration<'a>),
    Network(Network),
    Call(Call<'a>),
    Dtmf { call: u32, digit: char },
    Transfer(Transfer<'a>),
    Referred { call: u32, by: u32 },
    TakesOver { call: u32, old: u32 },
    DialAsked(DialAsked<'a>),
    Messages(Messages<'a>),
    Colleague { uri: &'a str, state: &'a str },
    Message(Message<'a>),
    Stats(Stats),
    Quality(Quality<'a>),
    TalksMuted { call: u32 },
    Speaks { call: u32, on: bool },
    RecordingRule { rule: wire::Recording, tone: bool },
    Recording(Recording<'a>),
    Exposure(Exposure),
    Check(Check<'a>),
    Ok(Ok<'a>),
    Notice { severity: &'a str, message: &'a str },
    Error(Error<'a>),
}

#[derive(Serialize)]
struct Network {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_wait_s: Option<u64>,
}

#[derive(Default, Serialize)]
struct DialAsked<'a> {
    request: u32,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

#[derive(Serialize)]
struct Messages<'a> {
    waiting: bool,
    new: u32,
    old: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_name: Option<&'a str>,
    text: &'a str,
}

#[derive(Default, Serialize)]
struct Ok<'a> {
    cmd: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<u32>,
    #[serde(flatten)]
    wish: Option<Wish<'a>>,
}

#[derive(Default, Serialize)]
struct Error<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cmd: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<u32>,
    #[serde(flatten)]
    wish: Option<Wish<'a>>,
    message: &'a str,
}

/// What was subscribed to.
#[derive(Serialize)]
struct Wish<'a> {
    what: &'a str,
    to: &'a str,
}

/// The line for an event, without its line end; `None` for events that the contract does not have.
pub fn line(event: &Tagged<Event>) -> Option<String> {
    line_with(event, None)
}

/// The line that `name` is online still, and what shows it.
pub fn online(name: &str, proof: Proof) -> String {
    let proof = Some(proven(proof));
    let what = What::Registration(Registration { state: "online", name, proof, ..Registration::default() });
    write(&Line { what, id: None })
}

/// The same as [`line`], where being online is told with what proved it last.
pub fn line_with(event: &Tagged<Event>, proof: Option<Proof>) -> Option<String> {
    let what = match &event.what {
        Event::Ready { sip } => What::Ready { version: env!("CARGO_PKG_VERSION"), sip },
        Event::Login(state) => What::Login(login(state)?),
        Event::Registrations(list) => What::Registrations { list: list.iter().map(row).collect() },
        Event::Registration { name, state: state @ RegistrationState::Online { .. } } => {
            What::Registration(Registration { proof: proof.map(proven), ..registration(name, state) })
        }
        Event::Registration { name, state } => What::Registration(registration(name, state)),
        Event::Reachable { name, .. } => What::Registration(Registration {
            state: "online",
            name,
            proof: proof.map(proven),
            ..Registration::default()
        }),
        Event::SipPasswordWanted { registration } => What::Registration(Registration {
            state: "failed",
            name: registration,
            reason: Some(SIP_PASSWORD_MISSING),
            ..Registration::default()
        }),
        Event::Network { address: Some(address), .. } => {
            What::Network(Network { state: "up", address: Some(*address), calls_wait_s: None })
        }
        Event::Network { address: None, patience } => {
            What::Network(Network { state: "lost", address: None, calls_wait_s: Some(patience.as_secs()) })
        }
        Event::Call(info) => What::Call(call(info)),
        Event::Transfer { call, state } => What::Transfer(transfer(*call, state)),
        Event::Referred { call, by } => What::Referred { call: *call, by: *by },
        Event::TakesOver { call, old } => What::TakesOver { call: *call, old: *old },
        Event::DialAsked { request, from, to } => {
            What::DialAsked(DialAsked { request: *request, state: "open", from: Some(from), to: Some(to) })
        }
        Event::DialAskedOver { request } => {
            What::DialAsked(DialAsked { request: *request, state: "over", ..DialAsked::default() })
        }
        Event::Messages(ua::Messages { waiting, new, old, account }) => {
            What::Messages(Messages { waiting: *waiting, new: *new, old: *old, account: account.as_deref() })
        }
        Event::Colleague { uri, state } => What::Colleague { uri, state: colleague(*state) },
        Event::Message { from, from_name, text } => {
            What::Message(Message { from, from_name: from_name.as_deref(), text })
        }
        Event::Dtmf { call, digit } => What::Dtmf { call: *call, digit: *digit },
        Event::Stats { call, stats, asked: true, .. } => What::Stats(figures(*call, stats)),
        Event::Quality { call, verdict, timeline, last } => What::Quality(quality(*call, verdict, timeline, *last)),
        Event::Speaks { call, on } => What::Speaks { call: *call, on: *on },
        Event::Recording { call, file, state } => What::Recording(recording(*call, file, *state)),
        Event::RecordingRule(told) => What::RecordingRule { rule: told.rule, tone: told.tone },
        Event::TalksMuted { call } => What::TalksMuted { call: *call },
        Event::Exposure { exposure, asked: true } => What::Exposure(Exposure::from(exposure)),
        Event::Check(step) => What::Check(check(step)),
        Event::Done { command, call } => What::Ok(Ok { cmd: command, call: *call, wish: None }),
        Event::Subscription { package, to, refusal } => {
            let (cmd, wish) = ("subscribe", Some(Wish { what: package.name(), to }));
            match refusal {
                None => What::Ok(Ok { cmd, wish, ..Ok::default() }),
                Some(message) => What::Error(Error { cmd: Some(cmd), wish, message, ..Error::default() }),
            }
        }
        Event::Notice(notice) => What::Notice { severity: severity(notice.severity), message: &notice.text },
        Event::Error { command, call, message } => {
            What::Error(Error { cmd: Some(command), call: *call, message, wish: None })
        }
        Event::Stopped { failure: Some(message) } => What::Error(Error { message, ..Error::default() }),
        Event::Token(_)
        | Event::Services(_)
        | Event::Stats { asked: false, .. }
        | Event::Exposure { asked: false, .. }
        | Event::Muted { .. }
        | Event::Levels { .. }
        | Event::Trace { .. }
        | Event::Devices(_)
        | Event::Stopped { failure: None } => return None,
    };
    Some(write(&Line { what, id: event.id.as_ref() }))
}

/// The line for a command that cannot be carried out.
pub fn rejected(rejected: &Rejected) -> String {
    let error = Error { cmd: rejected.command.as_deref(), message: &rejected.message, ..Error::default() };
    write(&Line { what: What::Error(error), id: rejected.id.as_ref() })
}

/// The line for what keeps the softphone from starting.
pub fn fatal(message: &str) -> String {
    write(&Line { what: What::Error(Error { message, ..Error::default() }), id: None })
}

fn write(line: &Line<'_>) -> String {
    serde_json::to_string(line).expect("strings, numbers and string keys always serialise")
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
    }
}

const fn colleague(state: ColleagueState) -> &'static str {
    match state {
        ColleagueState::Free => "free",
        ColleagueState::Ringing => "ringing",
        ColleagueState::Busy => "busy",
        ColleagueState::Away => "away",
        ColleagueState::NotRegistered => "not_registered",
    }
}

#[cfg(test)]
mod tests;
