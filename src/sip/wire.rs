//! Messages from bytes and to bytes (RFC 3261 §7, §18.3).
//!
//! The reader is strict about what identifies and frames a message and lenient where real peers are sloppy and nothing can
//! be confused:
//! - line ends may be CRLF or LF; CRLFs before the start line are skipped;
//! - folded lines are joined by one space, compact names expanded, white space before the colon dropped;
//! - a line that is not UTF-8 is read as ISO 8859-1, which is what such peers mean; it is written back as UTF-8;
//! - unknown methods, schemes and header fields are kept; bodies are bytes;
//! - in a datagram, bytes beyond Content-Length are dropped and a missing Content-Length means "to the end"; fewer bytes
//!   than it says make the message invalid.
//!
//! What cannot be read is a [`ReadError`], which carries the response to send where one is due.

mod read;
mod stream;
mod write;

pub use read::{ReadError, read};
pub use stream::{StreamItem, StreamReader};
pub use write::{write, write_request, write_response};

/// Header fields in one message.
pub const MAX_HEADERS: usize = 256;
/// Bytes of a start line and header fields together, and of a body on a stream: more than a datagram can hold.
pub const MAX_MESSAGE: usize = 65_535;
/// Bytes of a Request-URI; more is answered 414.
pub const MAX_URI: usize = 4096;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
