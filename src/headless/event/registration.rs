//! The login, its registrations, and which of them is online.

use crate::{
    driver::api::LoginState,
    tms::wire,
    ua::api::{ProvedBy, Reachable, RegistrationState},
};
use serde::Serialize;
use std::time::Duration;

pub const SIP_PASSWORD_MISSING: &str =
    "The SIP password is missing; set AGENT_MANAGER_PASSWORD, or use --secrets-stdin, and start again.";

#[derive(Default, Serialize)]
pub struct Login<'a> {
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_in_s: Option<u64>,
}

#[derive(Serialize)]
pub struct Row<'a> {
    name: &'a str,
    extension: &'a str,
    kind: wire::Kind,
    label: &'a str,
    ring_inbound: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_use: Option<&'a wire::InUse>,
}

#[derive(Default, Serialize)]
pub struct Registration<'a> {
    pub state: &'a str,
    pub name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_in_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proven>,
}

/// What has just shown that calls can arrive.
#[derive(Serialize)]
pub struct Proven {
    by: &'static str,
    contact_listed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tms_sees: Option<bool>,
    age_s: u64,
}

/// What shows that calls can arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    pub reachable: Reachable,
    /// How long ago that was.
    pub age: Duration,
    /// Whether the TMS, where there is one that tells, has this device as the registration's holder.
    pub tms_sees: Option<bool>,
}

pub fn login(state: &LoginState) -> Option<Login<'_>> {
    Some(match state {
        LoginState::SignedOut | LoginState::SigningIn => return None,
        LoginState::Initialized(_) => Login { state: "initialized", ..Login::default() },
        LoginState::Refused { reason, .. } => Login { state: "refused", reason: Some(reason), ..Login::default() },
        LoginState::Unreachable { reason, retry_in_s } => {
            Login { state: "unreachable", reason: Some(reason), retry_in_s: *retry_in_s }
        }
    })
}

pub fn row(row: &wire::Registration) -> Row<'_> {
    Row {
        name: &row.name,
        extension: &row.extension,
        kind: row.kind,
        label: &row.label,
        ring_inbound: row.ring_inbound,
        in_use: row.in_use.as_ref(),
    }
}

pub fn registration<'a>(name: &'a str, state: &'a RegistrationState) -> Registration<'a> {
    let about = |state| Registration { state, name, ..Registration::default() };
    match state {
        RegistrationState::Offline => about("offline"),
        RegistrationState::Registering => about("registering"),
        RegistrationState::Online { expires } => Registration { expires_s: Some(expires.as_secs()), ..about("online") },
        RegistrationState::Conflict { code, reason } => {
            Registration { code: Some(*code), reason: Some(reason), ..about("conflict") }
        }
        RegistrationState::Failed { code, reason, retry_in } => Registration {
            code: *code,
            reason: Some(reason),
            retry_in_s: retry_in.map(|d| d.as_secs()),
            ..about("failed")
        },
    }
}

pub const fn proven(proof: Proof) -> Proven {
    let Proof { reachable, age, tms_sees } = proof;
    let by = match reachable.by {
        ProvedBy::Register => "register",
        ProvedBy::Pong => "pong",
        ProvedBy::Options => "options",
    };
    Proven { by, contact_listed: reachable.is_listed, tms_sees, age_s: age.as_secs() }
}
