//! Request methods.

use std::fmt;

/// A request method (RFC 3261 §7.1), any token allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    Known(rsip::Method),
    /// A method rsip has no name for, as written (methods are case-sensitive).
    Extension(String),
}

impl Method {
    pub const ACK: Self = Self::Known(rsip::Method::Ack);
    pub const BYE: Self = Self::Known(rsip::Method::Bye);
    pub const CANCEL: Self = Self::Known(rsip::Method::Cancel);
    pub const INFO: Self = Self::Known(rsip::Method::Info);
    pub const INVITE: Self = Self::Known(rsip::Method::Invite);
    pub const MESSAGE: Self = Self::Known(rsip::Method::Message);
    pub const NOTIFY: Self = Self::Known(rsip::Method::Notify);
    pub const OPTIONS: Self = Self::Known(rsip::Method::Options);
    pub const PRACK: Self = Self::Known(rsip::Method::PRack);
    pub const PUBLISH: Self = Self::Known(rsip::Method::Publish);
    pub const REFER: Self = Self::Known(rsip::Method::Refer);
    pub const REGISTER: Self = Self::Known(rsip::Method::Register);
    pub const SUBSCRIBE: Self = Self::Known(rsip::Method::Subscribe);
    pub const UPDATE: Self = Self::Known(rsip::Method::Update);

    /// As it stands on the wire.
    pub fn as_str(&self) -> &str {
        use rsip::Method as M;
        match self {
            Self::Known(known) => match known {
                M::Ack => "ACK",
                M::Bye => "BYE",
                M::Cancel => "CANCEL",
                M::Info => "INFO",
                M::Invite => "INVITE",
                M::Message => "MESSAGE",
                M::Notify => "NOTIFY",
                M::Options => "OPTIONS",
                M::PRack => "PRACK",
                M::Publish => "PUBLISH",
                M::Refer => "REFER",
                M::Register => "REGISTER",
                M::Subscribe => "SUBSCRIBE",
                M::Update => "UPDATE",
            },
            Self::Extension(name) => name,
        }
    }

    /// From the token on the wire, case-sensitively.
    pub fn from_token(token: &str) -> Self {
        match token {
            "ACK" => Self::ACK,
            "BYE" => Self::BYE,
            "CANCEL" => Self::CANCEL,
            "INFO" => Self::INFO,
            "INVITE" => Self::INVITE,
            "MESSAGE" => Self::MESSAGE,
            "NOTIFY" => Self::NOTIFY,
            "OPTIONS" => Self::OPTIONS,
            "PRACK" => Self::PRACK,
            "PUBLISH" => Self::PUBLISH,
            "REFER" => Self::REFER,
            "REGISTER" => Self::REGISTER,
            "SUBSCRIBE" => Self::SUBSCRIBE,
            "UPDATE" => Self::UPDATE,
            other => Self::Extension(other.to_owned()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
