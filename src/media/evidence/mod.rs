//! What a call sounded like, second by second, and whose fault it was when it sounded bad. Pure.

mod timeline;
mod verdict;

pub use timeline::{Span, Timeline};
pub use verdict::{Evidence, Fault, Verdict, verdict};
