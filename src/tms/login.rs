//! Ways to sign in to a TMS, and what becomes of signing in.

use super::wire;
use crate::secret::Secret;
use std::collections::BTreeMap;

/// How to sign in to either kind of TMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    Rest(TmsLogin),
    Xml(XmlLogin),
}

/// Where to sign in by the REST API, and with what.
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

/// A TMS that has only the XML API: tenant and key with every request, and the lasting SIP passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlLogin {
    /// With or without the endpoint's path.
    pub url: String,
    /// Shown as who is signed in; proves nothing.
    pub username: Option<String>,
    pub tenant: String,
    pub key: Secret,
    /// Where the TMS does not say it and it is not the TMS's own host: `sip.example:5080`.
    pub sip_server: Option<String>,
    pub passwords: SipPasswords,
}

/// SIP passwords by registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SipPasswords {
    /// Of every registration that has none of its own; empty: none.
    pub any: Secret,
    pub of: BTreeMap<String, Secret>,
}

impl SipPasswords {
    pub fn get(&self, registration: &str) -> Option<&Secret> {
        self.of.get(registration).or(Some(&self.any)).filter(|password| !password.0.is_empty())
    }
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
