//! The server's clock, handed to everything that needs the time, so that tests can turn it.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

/// Tells the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The calendar of the machine.
    #[expect(clippy::disallowed_methods, reason = "the server's one calendar")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// Stands still until the returned hand is moved.
    #[cfg(test)]
    pub fn manual(start: Timestamp) -> (Self, Arc<std::sync::atomic::AtomicI64>) {
        let hand = Arc::new(std::sync::atomic::AtomicI64::new(start.as_millisecond()));
        let read = Arc::clone(&hand);
        let now = move || from_ms(read.load(std::sync::atomic::Ordering::Relaxed));
        (Self(Arc::new(now)), hand)
    }

    /// The moment of the call.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Milliseconds since 1970, as the database stores them.
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

/// A stored time; one outside of jiff's range (±9999 years) becomes 1970, which is long over.
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
