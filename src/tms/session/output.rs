//! What a session asks of its shell and tells.

use super::{ApiRequest, RequestId};
use crate::{
    secret::Secret,
    tms::{
        login::LoginState,
        outcome::{Answer, Failure},
        sse::ServerEvent,
        wire,
    },
};
use std::time::Duration;

/// What the session asks of its shell, in order.
#[derive(Debug)]
pub enum Output {
    /// Answer with `handle_answer`.
    Request {
        id: RequestId,
        request: ApiRequest,
    },
    /// Open the stream of events, closing an earlier one; answer with `handle_stream`.
    OpenEvents {
        request: ApiRequest,
    },
    CloseEvents,
    Event(Event),
}

#[derive(Debug, PartialEq)]
pub enum Event {
    Login(LoginState),
    /// A link's code was good: with this token the session is found again. [`LoginState::Initialized`] follows.
    Token(Secret),
    /// A link has opened another session in place of the one there was, whose SIP credential is gone.
    Replaced,
    /// Nobody holds the registration, and its SIP password is not known: it is to be asked for.
    PasswordWanted {
        registration: String,
    },
    /// `asked`: in answer to a command.
    Registrations {
        list: Vec<wire::Registration>,
        asked: bool,
    },
    /// Register with this; given again, with a new password, before the old one expires.
    Credential {
        registration: String,
        credential: Credential,
    },
    /// What the account says of calls, which holds whatever the credential said.
    Policy(wire::MediaPolicy),
    /// Held by another device; nothing changed.
    Conflict {
        registration: String,
        reason: String,
    },
    /// Another device has taken the chosen registration over; it is no longer chosen.
    Displaced {
        registration: String,
        reason: String,
    },
    /// The chosen registration can no longer be had: a sentence.
    Withdrawn {
        reason: String,
    },
    /// The TMS cannot be reached to ask for the credential; tried again by itself.
    SelectDelayed {
        registration: String,
        reason: String,
        retry_in: Duration,
    },
    /// A command could not be carried out: a sentence.
    Failed {
        command: &'static str,
        message: String,
    },
}

/// A SIP credential whose `Debug` shows no password.
#[derive(Clone)]
pub struct Credential(pub wire::SipCredential);

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential({})", self.0.username)
    }
}

impl PartialEq for Credential {
    fn eq(&self, other: &Self) -> bool {
        self.0.username == other.0.username && self.0.password == other.0.password
    }
}

/// What happened to the stream of events.
#[derive(Debug)]
pub enum Stream {
    Opened,
    Event(ServerEvent),
    /// It ended, or could not be opened: `Ok` is an answer that is not a stream.
    Closed(Result<Answer, Failure>),
}
