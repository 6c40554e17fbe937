//! What a call sounded like, second by second, and whose fault it was when it sounded bad. Pure.

mod report;
mod timeline;
mod verdict;

pub use report::{CallNames, report};
pub use timeline::{Span, Timeline};
pub use verdict::{Evidence, Fault, Verdict, undecrypted, verdict};
