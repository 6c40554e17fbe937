//! Ways to sign in to a TMS, and what becomes of signing in.

use super::wire;
use crate::ua::api::Secret;

/// Where to sign in, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TmsLogin {
    /// `https://tms.example` or `http://127.0.0.1:8080`.
    pub url: String,
    pub proof: Proof,
}

/// What proves who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Typed by a person, or remembered.
    Password { username: String, password: Secret, api_key: Secret },
    /// The code of an `agent-manager://` link, good once. The session that it opens outlives the program.
    Link { code: Secret, registration: Option<String> },
    /// Of the session that a link has opened.
    Token(Secret),
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

/// Sign-in requests of ours that a TMS would never see: the address itself is wrong.
pub const BAD_ADDRESS: &str = "urn:agent-manager:problem:bad-address";
