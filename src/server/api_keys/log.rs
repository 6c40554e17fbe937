//! The log of what keys are used for, written in the background: whoever uses one does not wait for the database's only writer.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::queries;
use crate::server::{clock::Clock, http::input::Peer, store::Store};

/// Uses that wait; beyond, they are left out: an integration that asks so often is seen all the same.
const QUEUED: usize = 4096;
/// Uses written at a time, and the longest that one waits for others to go with it.
const BATCH: usize = 512;
const PAUSE: Duration = Duration::from_millis(500);

/// One use of a key.
pub struct Use {
    pub key: i64,
    /// Milliseconds since 1970.
    pub at: i64,
    pub address: String,
    /// `sign-in`, `link`, `xml GetExtensions`, …
    pub request: String,
}

enum Entry {
    Use(Use),
    /// Answered once everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// Notes uses; cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyLog {
    clock: Clock,
    queue: mpsc::Sender<Entry>,
}

/// To be run beside it.
pub struct LogWriter {
    store: Store,
    queue: mpsc::Receiver<Entry>,
}

impl KeyLog {
    pub fn new(store: Store, clock: Clock) -> (Self, LogWriter) {
        let (sender, queue) = mpsc::channel(QUEUED);
        (Self { clock, queue: sender }, LogWriter { store, queue })
    }

    /// Never blocks.
    pub fn used(&self, key: i64, peer: Peer, request: impl Into<String>) {
        let (at, address) = (self.clock.now_ms(), peer.ip().to_string());
        let _ = self.queue.try_send(Entry::Use(Use { key, at, address, request: request.into() }));
    }

    /// Waits until what was noted before is written: before it is shown, and before the server stops.
    pub async fn flush(&self) {
        let (sender, written) = oneshot::channel();
        if self.queue.send(Entry::Flush(sender)).await.is_ok() {
            let _ = written.await;
        }
    }
}

impl LogWriter {
    /// Until the last handle is gone.
    pub async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let (mut uses, mut waiting) = (Vec::new(), None);
            let pause = tokio::time::sleep(PAUSE);
            tokio::pin!(pause);
            let mut next = Some(first);
            while let Some(entry) = next.take() {
                match entry {
                    Entry::Use(one) => uses.push(one),
                    Entry::Flush(sender) => waiting = Some(sender),
                }
                if waiting.is_some() || uses.len() >= BATCH {
                    break;
                }
                tokio::select! {
                    more = self.queue.recv() => next = more,
                    () = &mut pause => {}
                }
            }
            if let Err(error) = queries::log(&self.store, &uses).await {
                tracing::warn!(%error, uses = uses.len(), "what API keys were used for could not be written down");
            }
            if let Some(sender) = waiting {
                let _ = sender.send(());
            }
        }
    }
}
