//! RTP (RFC 3550): packets, what their sequence numbers and times tell, and where they may come from.

mod latch;
pub mod redundancy;
mod sequence;

pub use latch::{Latch, Signalled, Verdict};
pub use sequence::{Reception, Update};

use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};

/// Octets of the header that we send (RFC 3550 §5.1).
pub const HEADER: usize = 12;
/// Largest datagram that is read or sent.
pub const MAX_PACKET: usize = 1500;

/// A packet received; the payload lies in the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// `None` for anything that is not RTP version 2 (RFC 3550 §A.1).
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let reader = RtpReader::new(datagram).ok()?;
        Some(Self {
            payload_type: reader.payload_type(),
            marker: reader.mark(),
            sequence: reader.sequence_number().into(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            payload: reader.payload(),
        })
    }

    /// Writes the packet into `buffer`; returns its length, `None` when the buffer is too small or the type not of 7 bits.
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        if self.payload_type > 127 {
            return None;
        }
        RtpPacketBuilder::new()
            .payload_type(self.payload_type)
            .marked(self.marker)
            .sequence(Seq::from(self.sequence))
            .timestamp(self.timestamp)
            .ssrc(self.ssrc)
            .payload(self.payload)
            .build_into(buffer)
            .ok()
    }
}

/// Whether a datagram on a multiplexed port is RTCP (RFC 5761 §4): its second byte holds a packet type of 192 to 223.
pub fn is_rtcp(datagram: &[u8]) -> bool {
    datagram.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3550))]

            #[test]
            fn what_is_written_is_read(payload_type in 0u8..128, marker: bool, sequence: u16, timestamp: u32, ssrc: u32,
                                       payload in prop::collection::vec(any::<u8>(), 0..400)) {
                let packet = Packet { payload_type, marker, sequence, timestamp, ssrc, payload: &payload };
                let mut buffer = [0; MAX_PACKET];
                let length = packet.write(&mut buffer).unwrap();
                prop_assert_eq!(Packet::parse(&buffer[..length]), Some(packet));
            }

            #[test]
            fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), first in 0x80u8..0xc0) {
                let mut bytes = bytes;
                if let Some(byte) = bytes.first_mut() {
                    *byte = first;
                }
                let _ = Packet::parse(&bytes);
            }
        }
    }
}
