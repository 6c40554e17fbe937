//! SRTP and SRTCP (RFC 3711; AEAD by RFC 7714): [`SrtpKeys`](super::plan::SrtpKeys) make a
//! [`SrtpSession`]. Pure. AES, HMAC-SHA-1 and GCM come from crates; key derivation, packet indices and replay protection are
//! here.

mod incoming;
mod outgoing;
mod replay;
mod session;
mod transform;

pub use session::SrtpSession;

/// Length of an RTP packet's header with its list of sources and its extension (RFC 3550 §5.1, §5.3.1), `None` where the
/// packet is cut off within it.
fn rtp_header_length(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut length = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (first >> 6 == 2 && packet.len() >= length).then_some(length)
}

fn ssrc_at(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn sequence(packet: &[u8]) -> Option<u16> {
    packet.get(2..4)?.try_into().ok().map(u16::from_be_bytes)
}
