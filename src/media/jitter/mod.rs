//! The adaptive jitter buffer: keeps packets in order, says what comes next, and how much delay the network calls for.
//! Pure: the caller passes the time and turns what comes out into sound ([`super::receiver`]).

mod buffer;
mod delay;

pub use buffer::{Insert, JitterBuffer, Kind, Next};
pub use delay::DelayEstimator;
