//! What follows from a change outside of the database: devices to remove, softphones to tell. It is written down in the change's
//! own transaction and carried out at once, by a task of its own: neither a caller who hangs up nor a SIP side that is just
//! restarting loses it. What could not be done is tried again, by any process that shares the database, until it is.

mod courier;
mod queries;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

pub use self::courier::Courier;
use super::{clock::Clock, contacts::Contacts, notices::Notices, sessions::Ended, store::Store, store::Tx};

/// Changes whose effects wait for the courier; beyond, whoever made the change waits for a place.
const QUEUED: usize = 64;
/// Whoever made a change sees its effects, unless they take longer than this.
const PATIENCE: Duration = Duration::from_secs(10);
/// The process that made a change carries its effects out first; after this many milliseconds any may.
const OWN_MS: i64 = 3_000;

/// The effects of one change, written down.
#[derive(Debug)]
pub struct Letter {
    id: i64,
    effects: Ended,
    /// Attempts that failed.
    tries: i64,
}

/// Hands letters to the courier; cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox(mpsc::Sender<(Letter, oneshot::Sender<()>)>);

impl Outbox {
    /// The handle, and the courier to run beside it.
    pub fn new(store: Store, clock: Clock, contacts: Contacts, notices: Notices) -> (Self, Courier) {
        let (sender, letters) = mpsc::channel(QUEUED);
        (Self(sender), Courier::new(store, clock, contacts, notices, letters))
    }

    /// Carries out what [`post`] wrote down, once that is kept; waits until it was tried.
    pub async fn send(&self, letter: Option<Letter>) {
        let Some(letter) = letter else { return };
        let (done, tried) = oneshot::channel();
        let sent = async {
            if self.0.send((letter, done)).await.is_ok() {
                let _ = tried.await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, sent).await;
    }
}

/// Writes the effects down with the change. `None`: there are none.
pub async fn post(tx: &mut Tx, effects: Ended, now: i64) -> Result<Option<Letter>, sqlx::Error> {
    if effects.is_empty() {
        return Ok(None);
    }
    let id = queries::add(tx, &effects, now, now + OWN_MS).await?;
    Ok(Some(Letter { id, effects, tries: 0 }))
}
