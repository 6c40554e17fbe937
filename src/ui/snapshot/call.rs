//! Calls, as they run and as they are remembered.

use super::Finding;
use std::{path::PathBuf, sync::Arc, time::Instant};

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: u32,
    pub incoming: bool,
    pub state: CallState,
    pub peer: String,
    pub peer_name: Option<String>,
    /// Which of our numbers or queues was called.
    pub called: Option<String>,
    /// Who forwarded the call to us.
    pub forwarded_by: Option<String>,
    /// Start of this state's clock: ringing since, connected since (hold does not restart it).
    pub since: Instant,
    pub muted: bool,
    pub codec: Option<String>,
    pub encryption: Encryption,
    pub quality: Option<Quality>,
    /// Whose fault it is and what helps, while something is wrong; of one that has ended in any case.
    pub verdict: Option<Finding>,
    /// How it has sounded since it was connected.
    pub course: Vec<Stretch>,
    pub transfer: Option<Transfer>,
    /// Each of these calls hears the others.
    pub in_conference: bool,
    /// In a conference: the other side is speaking now.
    pub speaks: bool,
    pub recorded: Option<Recorded>,
    /// The phone system had it answered without ringing.
    pub answered_by_itself: bool,
}

/// The recording of a call that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub since: Instant,
    pub file: PathBuf,
    /// Both sides hear a short beep every 15 seconds.
    pub has_tone: bool,
}

/// A transfer that the person has asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Transfer {
    /// `ringing`: at the target.
    Trying { ringing: bool },
    /// Sentences; shown until they are dismissed.
    Failed { reason: String },
}

/// May `to` be called, as `from` asks?
#[derive(Clone, Debug, PartialEq)]
pub struct DialAsked {
    pub request: u32,
    pub from: String,
    pub to: String,
}

/// Whether others on the way can listen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    #[default]
    None,
    /// Both ways, with keys that were sent where others may read them.
    KeysInTheOpen,
    /// Both ways, with keys from a handshake that was announced where others may change what was said.
    HandshakeInTheOpen,
    /// Both ways, with keys that nobody saw on the way to our server.
    KeysHidden,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CallState {
    Dialing,
    Early,
    Ringing,
    Connected,
    Held,
    RemoteHeld,
    /// Shown for a few seconds with the reason in words.
    Ended {
        reason: String,
        failed: bool,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quality {
    pub mos: f64,
    /// How we sound at the other side, where that side tells.
    pub remote_mos: Option<f64>,
    pub loss_percent: f64,
    pub jitter_ms: f64,
    /// From their mouth to our ear, and the other way where they tell their share of it.
    pub delay_ms: Option<f64>,
    pub delay_out_ms: Option<f64>,
    /// Of the time, what was made up for what did not come.
    pub concealed_percent: f64,
}

/// Pieces that a call's course has at most.
pub const MOST_STRETCHES: usize = 60;

/// A piece of a call; all of one call are equally long but for the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    pub seconds: u32,
    /// At its worst; `None` while nothing was to be heard.
    pub mos: Option<f64>,
}

/// How a call that has ended sounded.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub quality: Option<Quality>,
    pub codec: Option<String>,
    pub verdict: Option<Finding>,
    pub course: Vec<Stretch>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// Which one it is, while the program runs.
    pub id: u64,
    pub peer: String,
    pub peer_name: Option<String>,
    pub called: Option<String>,
    pub forwarded_by: Option<String>,
    pub kind: HistoryKind,
    /// In the user's time zone and locale: "10:42", "Tue 09:15".
    pub when: String,
    /// `None` when never connected.
    pub duration_s: Option<u64>,
    /// How it ended, a sentence.
    pub reason: Option<String>,
    /// Its number, where its messages may still be kept.
    pub call: Option<u32>,
    /// While the program runs.
    pub heard: Option<Arc<Heard>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryKind {
    Incoming,
    Outgoing,
    Missed,
    /// Rang here, taken on another device: not missed.
    AnsweredElsewhere,
    Failed,
}

/// The messages of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub call: u32,
    pub messages: Vec<SipMessage>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipMessage {
    /// "10:42:07.123", in the user's time zone.
    pub time: String,
    /// By us, else received.
    pub sent: bool,
    /// Where to or from: "UDP 192.0.2.10:5060".
    pub flow: String,
    /// Without its secrets.
    pub text: String,
}
