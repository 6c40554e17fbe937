//! A call, its transfer and its recording.

use crate::{
    driver::api::RecordingState,
    media::plan::Srtp,
    ua::api::{CallDirection, CallInfo, CallState, EndedBy, TransferState},
};
use serde::Serialize;
use std::{borrow::Cow, path::Path};

#[derive(Serialize)]
pub struct Call<'a> {
    call: u32,
    direction: &'a str,
    state: &'a str,
    peer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    called_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded_by_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anonymous: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    codec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    srtp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub struct Transfer<'a> {
    call: u32,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Recording<'a> {
    call: u32,
    state: &'a str,
    file: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tone: Option<bool>,
}

pub fn call(info: &CallInfo) -> Call<'_> {
    let (state, code, reason, ended_by) = match &info.state {
        CallState::Dialing => ("dialing", None, None, None),
        CallState::Early { .. } => ("early", None, None, None),
        CallState::Ringing => ("ringing", None, None, None),
        CallState::Connected => ("connected", None, None, None),
        CallState::Held => ("held", None, None, None),
        CallState::RemoteHeld => ("remote_held", None, None, None),
        CallState::Ended { ended_by, code, reason } => {
            let by = match ended_by {
                EndedBy::Local => "local",
                EndedBy::Remote => "remote",
                EndedBy::Network => "network",
                EndedBy::AnsweredElsewhere => "answered_elsewhere",
            };
            ("ended", *code, Some(reason.as_str()).filter(|r| !r.is_empty()), Some(by))
        }
    };
    Call {
        call: info.call,
        direction: match info.direction {
            CallDirection::In => "in",
            CallDirection::Out => "out",
        },
        state,
        peer: &info.peer,
        peer_name: info.peer_name.as_deref(),
        called: info.called.as_deref(),
        called_name: info.origin.called_name.as_deref(),
        forwarded_by: info.origin.forwarded_by.as_deref(),
        forwarded_by_name: info.origin.forwarded_by_name.as_deref(),
        anonymous: info.origin.anonymous.then_some(true),
        codec: info.codec.map(|codec| codec.label()),
        srtp: info.codec.map(|_| match info.srtp {
            Srtp::Off => "off",
            Srtp::Sdes { .. } => "sdes",
            Srtp::Dtls { .. } => "dtls",
        }),
        code,
        reason,
        ended_by,
    }
}

pub fn transfer(call: u32, state: &TransferState) -> Transfer<'_> {
    match state {
        TransferState::Trying { code } => Transfer { call, state: "trying", code: *code, reason: None },
        TransferState::Done { code } => Transfer { call, state: "done", code: *code, reason: None },
        TransferState::Failed { code, reason } => Transfer { call, state: "failed", code: *code, reason: Some(reason) },
    }
}

pub fn recording(call: u32, file: &Path, state: RecordingState) -> Recording<'_> {
    let (state, tone) = match state {
        RecordingState::Begun { tone } => ("begun", Some(tone)),
        RecordingState::Over => ("over", None),
        RecordingState::Failed => ("failed", None),
    };
    Recording { call, state, file: file.to_string_lossy(), tone }
}
