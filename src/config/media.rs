//! What the audio of calls needs besides the account: servers that open a way for it, encryption, who hears how it was.

use crate::{media::plan::SrtpPolicy, sip::uri::Uri, stun::TurnUri, ua::api::Secret};

/// How one is let in at a TURN server; empty where it asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnAccess {
    pub username: String,
    pub password: Secret,
}

/// A TURN server, and how one is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    pub uri: TurnUri,
    pub access: TurnAccess,
}

/// What somebody has said of all this; `None`: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaSettings {
    /// `HOST:PORT` of a STUN server, which says how our audio ports are seen from outside.
    pub stun: Option<String>,
    /// A relay for calls that find no other way.
    pub turn: Option<Turn>,
    /// Who wants a report on each call's quality (RFC 6035).
    pub quality_report: Option<Uri>,
    pub srtp: Option<SrtpPolicy>,
}

impl MediaSettings {
    /// These, and what `other` says where they say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            stun: self.stun.or(other.stun),
            turn: self.turn.or(other.turn),
            quality_report: self.quality_report.or(other.quality_report),
            srtp: self.srtp.or(other.srtp),
        }
    }

    /// Whether there are servers that open ways.
    pub const fn opens_ways(&self) -> bool {
        self.stun.is_some() || self.turn.is_some()
    }
}
