//! The background task that carries letters out, and tries again what failed.

use std::{collections::HashSet, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{Letter, queries};
use crate::server::{clock::Clock, contacts::Contacts, notices::Notices, store::Store};

/// Letters under way at a time.
const AT_ONCE: usize = 32;
/// Between two looks for what was left undone, here or by a process that is no more.
const LOOK: Duration = Duration::from_secs(1);
/// A letter under way is nobody else's for so long, in milliseconds.
const CLAIM_MS: i64 = 60_000;
/// After the first failure, in milliseconds; doubled by each further one, up to the claim's length.
const PAUSE_MS: i64 = 1_000;

/// Carries letters out.
pub struct Courier {
    bag: Bag,
    letters: mpsc::Receiver<(Letter, oneshot::Sender<()>)>,
}

/// What it takes to carry one out; cheap to clone.
#[derive(Clone)]
struct Bag {
    store: Store,
    clock: Clock,
    contacts: Contacts,
    notices: Notices,
}

impl Courier {
    pub(super) fn new(
        store: Store,
        clock: Clock,
        contacts: Contacts,
        notices: Notices,
        letters: mpsc::Receiver<(Letter, oneshot::Sender<()>)>,
    ) -> Self {
        Self { bag: Bag { store, clock, contacts, notices }, letters }
    }

    /// Until the last handle is gone.
    pub async fn run(mut self) {
        let (mut tasks, mut under_way) = (JoinSet::new(), HashSet::new());
        let mut look = tokio::time::interval(LOOK);
        loop {
            let room = AT_ONCE.saturating_sub(under_way.len());
            tokio::select! {
                letter = self.letters.recv(), if room > 0 => {
                    let Some((letter, done)) = letter else { break };
                    under_way.insert(letter.id);
                    let bag = self.bag.clone();
                    tasks.spawn(async move {
                        let letter = bag.deliver(letter).await;
                        // Whoever made the change may have gone.
                        let _ = done.send(());
                        letter
                    });
                }
                _ = look.tick(), if room > 0 => {
                    // One that takes long is only claimed anew.
                    for letter in self.bag.claim(room).await {
                        if under_way.insert(letter.id) {
                            let bag = self.bag.clone();
                            tasks.spawn(async move { bag.deliver(letter).await });
                        }
                    }
                }
                Some(delivered) = tasks.join_next() => {
                    if let Ok(letter) = delivered {
                        under_way.remove(&letter);
                    }
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// One look for what was left undone.
    #[cfg(test)]
    pub async fn look(&self) {
        for letter in self.bag.claim(AT_ONCE).await {
            self.bag.deliver(letter).await;
        }
    }
}

impl Bag {
    async fn claim(&self, most: usize) -> Vec<Letter> {
        let now = self.clock.now_ms();
        queries::claim(&self.store, most, now, now + CLAIM_MS).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the outbox could not be read");
            Vec::new()
        })
    }

    /// Its id, once it was tried.
    async fn deliver(&self, letter: Letter) -> i64 {
        let left = letter.effects.tell(&self.contacts, &self.notices).await;
        let noted = if left.is_empty() {
            queries::done(&self.store, letter.id).await
        } else {
            tracing::warn!(
                letter = letter.id,
                tries = letter.tries + 1,
                "the SIP side could not be told all of a change"
            );
            let pause = PAUSE_MS << letter.tries.clamp(0, 6);
            let again = self.clock.now_ms() + pause.min(CLAIM_MS);
            queries::later(&self.store, letter.id, &left, again).await
        };
        // It is claimed, and tried again once that has run out.
        if let Err(error) = noted {
            tracing::warn!(%error, letter = letter.id, "what was carried out could not be noted");
        }
        letter.id
    }
}
