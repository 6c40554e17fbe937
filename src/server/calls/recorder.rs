//! Writes records down, many in one transaction.

use tokio::sync::mpsc;

use super::{CallRecord, queries};
use crate::server::store::Store;

/// Records that wait. Beyond, they are lost, which is logged: a database that does not answer must not end calls.
const QUEUED: usize = 10_000;
/// Written in one transaction at most.
const AT_A_TIME: usize = 500;

/// The SIP side's handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Records(mpsc::Sender<CallRecord>);

/// To be run beside it.
pub struct Recorder {
    store: Store,
    records: mpsc::Receiver<CallRecord>,
}

impl Records {
    pub fn new(store: Store) -> (Self, Recorder) {
        let (sender, records) = mpsc::channel(QUEUED);
        (Self(sender), Recorder { store, records })
    }

    /// Never blocks.
    pub fn keep(&self, record: CallRecord) {
        if self.0.try_send(record).is_err() {
            tracing::error!("the record of a call is lost: the database has not answered for too long");
        }
    }
}

impl Recorder {
    /// Until the last handle is gone and everything is written.
    pub async fn run(mut self) {
        let mut batch = Vec::new();
        while self.records.recv_many(&mut batch, AT_A_TIME).await > 0 {
            if let Err(error) = queries::write(&self.store, &batch).await {
                tracing::error!(%error, records = batch.len(), "records of calls could not be written");
            }
            batch.clear();
        }
    }
}
