//! Framing on a stream (RFC 3261 §18.3, RFC 5626 §4.4.1).

use super::{
    MAX_MESSAGE, ReadError,
    read::{Head, head_end},
};
use crate::sip::msg::Message;

/// What came off a stream.
#[derive(Debug, PartialEq, Eq)]
pub enum StreamItem {
    Message(Message),
    /// A message whose end was found but that cannot be used; the stream goes on.
    Unreadable(ReadError),
    /// Where the next message begins can no longer be known: send the answer if there is one and close the connection.
    /// Nothing comes after this.
    Broken(ReadError),
    /// CRLF CRLF between messages: answer with one CRLF. Its first half was reported as [`StreamItem::Pong`].
    Ping,
    /// A CRLF between messages: the answer to our own ping, if one is under way.
    Pong,
}

/// Cuts a stream into messages. Holds at most one message of [`MAX_MESSAGE`] head and body besides what was last pushed,
/// as long as each [`StreamReader::push`] is followed by [`StreamReader::pop`] until that gives `None`.
#[derive(Debug, Default)]
pub struct StreamReader {
    buffer: Vec<u8>,
    /// Bytes at the front of `buffer` that are done with.
    done: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between messages or inside a head: `seen` of its bytes hold no end. `crlf`: the last thing was an unpaired CRLF.
    Head { seen: usize, crlf: bool },
    /// The head is read; `length` bytes of body follow.
    Body { head: Box<Head>, length: usize },
    /// Nothing that comes has a meaning any more.
    Broken,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { seen: 0, crlf: false }
    }
}

impl StreamReader {
    /// At the beginning of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes as they came off the connection, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.state, State::Broken) {
            self.buffer.drain(..self.done);
            self.done = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Bytes held at present.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// The next item, or `None` until more bytes come.
    pub fn pop(&mut self) -> Option<StreamItem> {
        loop {
            let bytes = &self.buffer[self.done..];
            match std::mem::replace(&mut self.state, State::Broken) {
                State::Head { seen, crlf } => match bytes {
                    [] | [b'\r'] => {
                        self.state = State::Head { seen: 0, crlf };
                        return None;
                    }
                    // In one piece it is the peer's ping; half of it alone may be a pong.
                    [b'\r', b'\n', b'\r', b'\n', ..] if !crlf => {
                        self.done += 4;
                        self.state = State::default();
                        return Some(StreamItem::Ping);
                    }
                    [b'\r', b'\n', ..] => {
                        self.done += 2;
                        self.state = State::Head { seen: 0, crlf: !crlf };
                        return Some(if crlf { StreamItem::Ping } else { StreamItem::Pong });
                    }
                    // A stray line end of another kind is skipped.
                    [b'\r' | b'\n', ..] => {
                        self.done += 1;
                        self.state = State::default();
                    }
                    _ => match self.head(seen) {
                        Ok(state) => self.state = state,
                        Err(error) => return error.map(StreamItem::Broken),
                    },
                },
                State::Body { head, length } => {
                    if bytes.len() < length {
                        self.state = State::Body { head, length };
                        return None;
                    }
                    let body = bytes[..length].to_vec();
                    self.done += length;
                    self.state = State::default();
                    return Some(match head.message(body) {
                        Ok(message) => StreamItem::Message(message),
                        Err(error) => StreamItem::Unreadable(error),
                    });
                }
                State::Broken => {
                    self.buffer = Vec::new();
                    self.done = 0;
                    return None;
                }
            }
        }
    }

    /// Takes a whole head; `Err`: none yet, or none ever.
    fn head(&mut self, seen: usize) -> Result<State, Option<ReadError>> {
        let bytes = &self.buffer[self.done..];
        // The end can straddle what was seen by up to LF CR.
        let end = match head_end(bytes, seen.saturating_sub(2)) {
            Some(end) if end <= MAX_MESSAGE => end,
            None if bytes.len() <= MAX_MESSAGE => {
                self.state = State::Head { seen: bytes.len(), crlf: false };
                return Err(None);
            }
            Some(_) | None => {
                return Err(Some(Head::read(&bytes[..MAX_MESSAGE]).fail(513, "the message is too large")));
            }
        };
        let head = Head::read(&bytes[..end]);
        self.done += end;
        match head.content_length() {
            Ok(Some(length)) if length <= MAX_MESSAGE => Ok(State::Body { head: Box::new(head), length }),
            Ok(Some(_)) => Err(Some(head.fail(513, "the body is too large"))),
            Ok(None) => Err(Some(head.fail(400, "on a stream Content-Length is required"))),
            Err(why) => Err(Some(head.fail(400, why))),
        }
    }
}
