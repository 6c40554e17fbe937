//! What changed, told to everyone who listens. Both halves of the server publish; server-sent events feed on it. Processes
//! that share a PostgreSQL tell each other ([`Bridge`]).

mod bridge;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};

pub use bridge::Bridge;

/// One change. A listener reads the new state itself, so a notice carries only what tells whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// Registrations of this realm changed: one was added, altered or removed. Only these members' lists look different where it
    /// says which.
    Registrations {
        realm: String,
        #[serde(default)]
        members: Option<Vec<i64>>,
    },
    /// The holder of one registration came, went or moved (a mere refresh is no change).
    Holder { realm: String, registration: String },
    /// The account of this realm says something else of its agents' calls.
    Media { realm: String },
    /// A session ended; `reason` is a sentence for the person who was signed in.
    SessionEnded { session: i64, reason: String },
    /// Nobody may hold this registration: each process has the Kamailios on its machine remove the contact.
    Evict { realm: String, registration: String },
    /// Notices of other processes were lost: whatever is shown may be out of date, and any session may have ended.
    Missed,
}

/// Handle to the bus; cheap to clone.
#[derive(Clone, Debug)]
pub struct Notices {
    here: broadcast::Sender<Notice>,
    elsewhere: Option<Elsewhere>,
}

/// The way to the other processes.
#[derive(Clone, Debug)]
struct Elsewhere {
    queue: mpsc::Sender<Notice>,
    /// Something did not fit into the queue.
    overflowed: Arc<AtomicBool>,
}

/// Notices kept for a slow listener. One that falls behind gets `Lagged` and reads the whole state again.
const KEPT: usize = 256;

impl Notices {
    /// For one process that is alone.
    pub fn new() -> Self {
        Self { here: broadcast::Sender::new(KEPT), elsewhere: None }
    }

    /// Never blocks; nobody listening is no error.
    pub fn publish(&self, notice: Notice) {
        self.tell_others(notice.clone());
        self.deliver(notice);
    }

    /// To the other processes alone. Never blocks.
    pub fn tell_others(&self, notice: Notice) {
        if let Some(elsewhere) = &self.elsewhere
            && elsewhere.queue.try_send(notice).is_err()
        {
            elsewhere.overflowed.store(true, Ordering::Relaxed);
        }
    }

    /// What is published from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.here.subscribe()
    }

    /// To this process alone.
    fn deliver(&self, notice: Notice) {
        let _ = self.here.send(notice);
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self::new()
    }
}
