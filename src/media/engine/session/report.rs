//! What a session has to say.

use crate::media::{
    engine::{EngineEvent, Notice, SessionId},
    plan::DtlsPlan,
    record::Ended,
    stats::CallStats,
};
use std::net::SocketAddr;

/// See the module.
#[derive(Debug, PartialEq)]
pub enum Report {
    Key(char),
    KeysSent,
    /// In a conference.
    Speaks(bool),
    /// Before the answer: whether audio comes.
    Early(bool),
    Stats(CallStats),
    /// Nothing was heard for [`super::SILENCE`], or still nothing a while later; `unreadable`: although audio comes.
    Silent {
        again: bool,
        unreadable: bool,
    },
    /// The peer answers no checks any more, so that it is not sent to; or still none a while later.
    ConsentLost {
        again: bool,
    },
    Notice(Notice),
    /// The recording is over before it was to be.
    Recorded(Ended),
    /// What became of the handshake for the keys of this plan.
    Secured(DtlsPlan, Result<(), String>),
    /// How a STUN server sees the RTP port, and a relay's address for it, as far as they said so.
    Seen {
        reflexive: Option<SocketAddr>,
        relayed: Option<SocketAddr>,
    },
    /// The same in the midst of a call: a relay lends another address in the place of one that was lost.
    SeenAnew {
        reflexive: Option<SocketAddr>,
        relayed: Option<SocketAddr>,
    },
}

impl Report {
    /// As the engine tells it of this session.
    pub fn of(self, session: SessionId) -> EngineEvent {
        match self {
            Self::Key(digit) => EngineEvent::Dtmf { session, digit },
            Self::KeysSent => EngineEvent::DtmfSent { session },
            Self::Speaks(on) => EngineEvent::Speaks { session, on },
            Self::Early(comes) => EngineEvent::EarlyMedia { session, comes },
            Self::Stats(stats) => EngineEvent::Stats { session, stats, last: false },
            Self::Notice(notice) => EngineEvent::Notice(notice),
            Self::Recorded(ended) => EngineEvent::Recorded { session, ended },
            Self::Seen { reflexive, relayed } => EngineEvent::Seen { session, reflexive, relayed },
            Self::SeenAnew { reflexive, relayed } => EngineEvent::SeenAnew { session, reflexive, relayed },
            Self::Secured(plan, result) => EngineEvent::Secured { session, plan, result },
            Self::ConsentLost { again } => EngineEvent::ConsentLost { session, again },
            Self::Silent { again, unreadable } => EngineEvent::Silent { session, again, unreadable },
        }
    }
}
