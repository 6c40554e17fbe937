//! How much of the server one caller may take who is signed in: requests a second, and streams of events at a time. Both are far
//! beyond what a person or an integration needs; one that has gone wild slows down itself and nobody else.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Requests of one caller: a bucket of so many, filled again at so many a second.
const BURST: f64 = 2_000.0;
const PER_SECOND: f64 = 200.0;
/// Buckets remembered at most; a full one need not be.
const REMEMBERED: usize = 10_000;
/// Streams of one caller at a time: a softphone has one, a person a few windows. Another one ends the oldest.
const STREAMS: usize = 10;

/// Who is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// A softphone's session.
    Agent(i64),
    /// A managing session.
    Manager(i64),
    /// An API key.
    Key(i64),
}

/// A lock is right here: held for a map look-up, never across an await.
#[derive(Debug, Default)]
pub struct Pace {
    buckets: Mutex<HashMap<Caller, Bucket>>,
    streams: Streams,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    /// Milliseconds since 1970.
    at: i64,
}

type Streams = Arc<Mutex<HashMap<Caller, VecDeque<oneshot::Sender<()>>>>>;

/// A stream of events that is open; gone when dropped.
#[derive(Debug)]
pub struct Stream {
    ended: oneshot::Receiver<()>,
    caller: Caller,
    streams: Streams,
}

impl Pace {
    /// Takes a request of this caller on. `Err`: seconds until the next one is.
    pub fn take(&self, caller: Caller, now_ms: i64) -> Result<(), u64> {
        let mut buckets = locked(&self.buckets);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(&caller) {
            buckets.retain(|_, bucket| bucket.refilled(now_ms) < BURST);
            if buckets.len() >= REMEMBERED {
                buckets.clear();
            }
        }
        let bucket = buckets.entry(caller).or_insert(Bucket { left: BURST, at: now_ms });
        bucket.left = bucket.refilled(now_ms);
        bucket.at = now_ms;
        if bucket.left < 1.0 {
            return Err(1);
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// Opens a stream of this caller; it is to end once [`Stream::ended`] returns.
    pub fn stream(&self, caller: Caller) -> Stream {
        let (sender, ended) = oneshot::channel();
        let mut streams = locked(&self.streams);
        let own = streams.entry(caller).or_default();
        own.retain(|one| !one.is_closed());
        own.push_back(sender);
        if own.len() > STREAMS
            && let Some(oldest) = own.pop_front()
        {
            let _ = oldest.send(());
        }
        Stream { ended, caller, streams: Arc::clone(&self.streams) }
    }
}

impl Bucket {
    fn refilled(&self, now_ms: i64) -> f64 {
        // A clock that was set back fills nothing.
        let seconds = (now_ms - self.at).max(0) as f64 / 1000.0;
        (self.left + seconds * PER_SECOND).min(BURST)
    }
}

impl Stream {
    /// Returns once the caller has opened too many others.
    pub async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.ended.close();
        let mut streams = locked(&self.streams);
        if let Some(own) = streams.get_mut(&self.caller) {
            own.retain(|one| !one.is_closed());
            if own.is_empty() {
                streams.remove(&self.caller);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_fast_is_told_to_wait_and_others_are_not() {
        let pace = Pace::default();
        let (wild, other) = (Caller::Manager(1), Caller::Agent(1));
        let taken = (0..).take_while(|_| pace.take(wild, 0).is_ok()).count();
        assert_eq!(taken, BURST as usize);
        assert_eq!((pace.take(wild, 0), pace.take(other, 0)), (Err(1), Ok(())));
        let taken = (0..).take_while(|_| pace.take(wild, 1000).is_ok()).count();
        assert_eq!(taken, PER_SECOND as usize);
        assert_eq!(pace.take(wild, -1000), Err(1), "a clock that was set back fills nothing");
    }

    #[test]
    fn memory_is_bounded() {
        let pace = Pace::default();
        for session in 0..3 * REMEMBERED as i64 {
            assert_eq!(pace.take(Caller::Agent(session), session), Ok(()));
        }
        assert!(locked(&pace.buckets).len() <= REMEMBERED);
    }

    #[tokio::test]
    async fn one_stream_too_many_ends_the_oldest() {
        let pace = Pace::default();
        let mut first = pace.stream(Caller::Agent(1));
        let mut others: Vec<Stream> = (1..STREAMS).map(|_| pace.stream(Caller::Agent(1))).collect();
        let _elsewhere = pace.stream(Caller::Agent(2));
        assert!(first.ended.try_recv().is_err(), "there is room for it");
        others.push(pace.stream(Caller::Agent(1)));
        first.ended().await;
        drop(first);
        drop(others.pop());
        others.push(pace.stream(Caller::Agent(1)));
        assert!(others.iter_mut().all(|one| one.ended.try_recv().is_err()), "one that was closed counts");
        drop(others);
        assert_eq!(locked(&pace.streams).len(), 1, "nothing is kept of who has none");
    }
}
