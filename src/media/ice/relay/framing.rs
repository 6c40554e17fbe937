//! Messages of a channel (RFC 8656 §12.4), and where in a stream one message ends and the next begins (§12.5, §2.1).

use crate::stun;

/// A channel's data begins with its number and its length.
const HEAD: usize = 4;

/// The stream holds what is no message of a relay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFramed;

/// How long the message at the beginning of `stream` is; `None`: that is not to be seen yet.
///
/// # Errors
/// [`NotFramed`]
pub fn frame(stream: &[u8]) -> Result<Option<usize>, NotFramed> {
    let Some(&[kind, _, high, low]) = stream.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([high, low]));
    match kind {
        0..0x40 => Ok(Some(stun::HEADER + length)),
        0x40..0x80 => Ok(Some(HEAD + length.next_multiple_of(4))),
        _ => Err(NotFramed),
    }
}

/// The channel's number, and what came over it.
pub(super) fn channel_data(message: &[u8]) -> Option<(u16, &[u8])> {
    let (&[kind, number, high, low], data) = message.split_first_chunk::<4>()?;
    let data = data.get(..usize::from(u16::from_be_bytes([high, low])))?;
    matches!(kind, 0x40..0x80).then(|| (u16::from_be_bytes([kind, number]), data))
}
