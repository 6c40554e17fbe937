//! What changed, told to everyone who listens. Both halves of the server publish; server-sent events feed on it.

use tokio::sync::broadcast;

/// One change. A listener reads the new state itself, so a notice carries only what tells whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The registrations of this realm changed: one was added, altered or removed.
    Registrations { realm: String },
    /// The holder of one registration came, went or moved (a mere refresh is no change).
    Holder { realm: String, registration: String },
    /// A session ended; `reason` is a sentence for the person who was signed in.
    SessionEnded { session: i64, reason: String },
}

/// Handle to the bus; cheap to clone.
#[derive(Clone, Debug)]
pub struct Notices(broadcast::Sender<Notice>);

/// Notices kept for a slow listener. One that falls behind gets `Lagged` and reads the whole state again.
const KEPT: usize = 256;

impl Notices {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }

    /// Never blocks; nobody listening is no error.
    pub fn publish(&self, notice: Notice) {
        let _ = self.0.send(notice);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.0.subscribe()
    }
}

impl Default for Notices {
    fn default() -> Self {
        Self::new()
    }
}
