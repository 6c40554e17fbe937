//! What is only to be noted: what keys are used for, who was not let in, how calls went. It goes over one bounded queue to one
//! task, which writes many notes at a time, so that neither a request nor a call waits for the database's only writer.
//!
//! A flood leaves room for what matters more: refusals may fill half of the queue, uses of keys three quarters, and calls all.

use std::{collections::HashMap, time::Duration};

use tokio::sync::{mpsc, oneshot};

use super::{
    api_keys::{self, Use},
    calls::{self, CallRecord},
    clock::Clock,
    http::input::Peer,
    refusals::{self, Note, RefusedSignIn},
    store::Store,
};

/// Notes that wait at most.
const QUEUED: usize = 16_384;
/// The longest that a note waits for others to go with it.
const PAUSE: Duration = Duration::from_millis(300);
/// Notes that are written together: a flood of one kind must not keep the others waiting.
const MOST_AT_ONCE: usize = 512;

enum Entry {
    Used(Use),
    Refused(Note),
    RefusedSignIn(RefusedSignIn),
    Over(Box<CallRecord>),
    /// Answered once everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// Takes notes; cheap to clone.
#[derive(Clone, Debug)]
pub struct Notebook {
    clock: Clock,
    queue: mpsc::Sender<Entry>,
}

/// To be run beside it.
pub struct Writer {
    store: Store,
    clock: Clock,
    queue: mpsc::Receiver<Entry>,
}

/// What is written at a time.
#[derive(Default)]
struct Batch {
    entries: usize,
    uses: Vec<Use>,
    /// With how often it came.
    refused: HashMap<Note, i64>,
    sign_ins: HashMap<RefusedSignIn, i64>,
    calls: Vec<CallRecord>,
    flushed: Option<oneshot::Sender<()>>,
}

impl Notebook {
    /// The queue, and the task that writes what comes over it.
    pub fn new(store: Store, clock: Clock) -> (Self, Writer) {
        let (sender, queue) = mpsc::channel(QUEUED);
        (Self { clock: clock.clone(), queue: sender }, Writer { store, clock, queue })
    }

    /// A key was used: `sign-in`, `link`, `xml GetExtensions`. Never blocks; beyond its share of the queue it is left out, for an
    /// integration that asks so often is seen all the same.
    pub fn used(&self, key: i64, peer: Peer, request: impl Into<String>) {
        let (at, address) = (self.clock.now_ms(), peer.ip().to_string());
        self.take(Entry::Used(Use { key, at, address, request: request.into() }), QUEUED / 4);
    }

    /// A device was not let in. Never blocks; beyond its share of the queue there is a flood, and enough of it is seen already.
    pub fn refused(&self, note: Note) {
        self.take(Entry::Refused(note), QUEUED / 2);
    }

    /// As [`Notebook::refused`], of Agent Manager's sign-in.
    pub fn refused_sign_in(&self, note: RefusedSignIn) {
        self.take(Entry::RefusedSignIn(note), QUEUED / 2);
    }

    /// A call is over. Never blocks: a database that does not answer must not end calls.
    pub fn over(&self, record: CallRecord) {
        if !self.take(Entry::Over(Box::new(record)), 0) {
            tracing::error!("the record of a call is lost: the database has not answered for too long");
        }
    }

    /// Waits until what was noted before is written: before it is shown, and before the server stops.
    pub async fn flush(&self) {
        let (sender, written) = oneshot::channel();
        if self.queue.send(Entry::Flush(sender)).await.is_ok() {
            let _ = written.await;
        }
    }

    /// Whether there was room beyond what is left to others.
    fn take(&self, entry: Entry, left: usize) -> bool {
        self.queue.capacity() > left && self.queue.try_send(entry).is_ok()
    }
}

impl Writer {
    /// Until the last handle is gone and everything is written.
    pub async fn run(mut self) {
        while let Some(first) = self.queue.recv().await {
            let mut batch = Batch::default();
            batch.add(first);
            let pause = tokio::time::sleep(PAUSE);
            tokio::pin!(pause);
            while batch.flushed.is_none() && batch.entries < MOST_AT_ONCE {
                tokio::select! {
                    more = self.queue.recv() => match more {
                        Some(entry) => batch.add(entry),
                        None => break,
                    },
                    () = &mut pause => break,
                }
            }
            batch.write(&self.store, self.clock.now_ms()).await;
        }
    }
}

impl Batch {
    fn add(&mut self, entry: Entry) {
        self.entries += 1;
        match entry {
            Entry::Used(one) => self.uses.push(one),
            Entry::Refused(note) => *self.refused.entry(note).or_default() += 1,
            Entry::RefusedSignIn(note) => *self.sign_ins.entry(note).or_default() += 1,
            Entry::Over(record) => self.calls.push(*record),
            Entry::Flush(sender) => self.flushed = Some(sender),
        }
    }

    /// What cannot be written is lost, which is logged; the rest is written all the same.
    async fn write(self, store: &Store, now: i64) {
        let Self { uses, refused, sign_ins, calls, flushed, entries: _ } = self;
        let (used, lost) = (uses.len(), calls.len());
        if let Err(error) = calls::write(store, &calls).await {
            tracing::error!(%error, records = lost, "records of calls could not be written");
        }
        if let Err(error) = api_keys::log(store, &uses).await {
            tracing::warn!(%error, uses = used, "what API keys were used for could not be written down");
        }
        if let Err(error) = refusals::write(store, refused, sign_ins, now).await {
            tracing::warn!(%error, "refusals could not be noted");
        }
        if let Some(sender) = flushed {
            let _ = sender.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{http::testing::Harness, refusals::Why};

    #[tokio::test]
    async fn a_flood_of_refusals_leaves_room_for_the_rest() {
        let h = Harness::new().await;
        let (notebook, _writer) = Notebook::new(h.app.store.clone(), h.app.clock.clone());
        let note = || Note {
            realm: "acme".into(),
            registration: "100-acme".into(),
            username: "100-acme".into(),
            why: Why::WrongSecret,
            detail: String::new(),
            address: [10, 0, 0, 9].into(),
            device: String::new(),
        };
        (0..2 * QUEUED).for_each(|_| notebook.refused(note()));
        assert_eq!(notebook.queue.capacity(), QUEUED / 2);
        (0..QUEUED).for_each(|_| notebook.used(1, Peer(([127, 0, 0, 1], 9).into()), "link"));
        assert_eq!(notebook.queue.capacity(), QUEUED / 4);
    }
}
