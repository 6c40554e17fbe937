//! Our packets to the peer.

use super::{
    rtp_header_length, sequence, ssrc_at,
    transform::{Id, Stream, Trailer, Transform},
};
use crate::media::plan::MasterKey;

/// Packets of RTCP that one key may protect (RFC 3711 §3.4).
const MOST_RTCP: u32 = 0x7fff_ffff;
/// In the index word: the packet is encrypted.
const ENCRYPTED: u32 = 0x8000_0000;

/// Protects the packets of one source, in the order of their sequence numbers.
pub struct Outgoing {
    rtp: Transform,
    rtcp: Transform,
    rollover: u32,
    last: Option<u16>,
    rtcp_index: u32,
}

impl Outgoing {
    pub fn new(master: &MasterKey) -> Self {
        Self {
            rtp: Transform::new(master, Stream::Rtp),
            rtcp: Transform::new(master, Stream::Rtcp),
            rollover: 0,
            last: None,
            rtcp_index: 0,
        }
    }

    /// Protects the packet in place; `None` if it is none.
    pub fn protect(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let (header, sequence, ssrc) = (rtp_header_length(packet)?, sequence(packet)?, ssrc_at(packet, 8)?);
        if self.last.is_some_and(|last| sequence < last) {
            self.rollover = self.rollover.wrapping_add(1);
        }
        self.last = Some(sequence);
        let index = u64::from(self.rollover) << 16 | u64::from(sequence);
        self.rtp.seal(packet, header, Id { ssrc, index }, Trailer::Rollover(self.rollover));
        Some(())
    }

    pub fn protect_control(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let (ssrc, index) = (ssrc_at(packet, 4)?, self.rtcp_index);
        if index == MOST_RTCP {
            return None;
        }
        self.rtcp_index += 1;
        self.rtcp.seal(packet, 8, Id { ssrc, index: u64::from(index) }, Trailer::Index(index | ENCRYPTED));
        Some(())
    }
}
