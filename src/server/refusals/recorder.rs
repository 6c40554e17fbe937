//! Writes refusals down. What comes faster than it writes is counted where it repeats and dropped where the queue is full.

use std::{collections::HashMap, time::Duration};

use tokio::sync::mpsc;

use super::{Note, queries};
use crate::server::{clock::Clock, store::Store};

/// Notes that wait; beyond, they are dropped: there is a flood, and enough of it is seen already.
const QUEUED: usize = 256;
/// Between two writes.
const PAUSE: Duration = Duration::from_millis(200);

/// The SIP side's handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Refusals(mpsc::Sender<Note>);

/// To be run beside it.
pub struct Recorder {
    store: Store,
    clock: Clock,
    notes: mpsc::Receiver<Note>,
}

impl Refusals {
    pub fn new(store: Store, clock: Clock) -> (Self, Recorder) {
        let (sender, notes) = mpsc::channel(QUEUED);
        (Self(sender), Recorder { store, clock, notes })
    }

    /// Never blocks.
    pub fn note(&self, note: Note) {
        let _ = self.0.try_send(note);
    }
}

impl Recorder {
    /// Until the last handle is gone.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(QUEUED);
        while self.notes.recv_many(&mut batch, QUEUED).await > 0 {
            let mut counted: HashMap<Note, i64> = HashMap::new();
            for note in batch.drain(..) {
                *counted.entry(note).or_default() += 1;
            }
            if let Err(error) = queries::write(&self.store, counted, self.clock.now_ms()).await {
                tracing::warn!(%error, "refusals could not be noted");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
