//! RTCP (RFC 3550 §6): what is reported to the peer and what its reports say.

mod session;
mod xr;

pub use session::{Received, RtcpSession, Sent};
pub use xr::{DelaySince, Extended, GMIN};

use rtcp_types::{
    Bye, Compound, Packet, ReceiverReport, ReportBlock, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem, SenderReport,
    Unknown, prelude::RtcpPacketParser,
};

/// Reports taken from one compound packet; a hostile one can hold more.
const MOST_BLOCKS: usize = 64;

/// What a compound packet says to us.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reports {
    /// Who sent it.
    pub ssrc: u32,
    /// NTP time of its sender report.
    pub sender_ntp: Option<u64>,
    /// About all sources, ours among them.
    pub blocks: Vec<Block>,
    pub extended: Extended,
}

/// A report block (§6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    pub ssrc: u32,
    /// In 1/256 since the report before.
    pub fraction_lost: u8,
    /// Of 24 bits, signed.
    pub cumulative_lost: i32,
    pub highest: u32,
    /// In timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report, zero for none.
    pub last_sender_report: u32,
    /// Since then, in 1/65536 s.
    pub delay: u32,
}

/// Reads a compound packet. `None` unless it is well-formed and begins with a report (§A.2); of extended reports (RFC 3611)
/// what is understood counts.
pub fn parse(datagram: &[u8]) -> Option<Reports> {
    let mut reports = Reports::default();
    let (mut rest, mut is_first) = (datagram, true);
    while !rest.is_empty() {
        let (&[head, kind, high, low], _) = rest.split_first_chunk()?;
        let length = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        let (packet, next) = rest.split_at_checked(length)?;
        if head >> 6 != 2 {
            return None;
        }
        rest = next;
        if kind == xr::PACKET_TYPE && !is_first {
            reports.extended.read(&packet[4..]);
            continue;
        }
        match Packet::parse(packet).ok()? {
            Packet::Sr(sender) => {
                if is_first {
                    reports.ssrc = sender.ssrc();
                    reports.sender_ntp = Some(sender.ntp_timestamp());
                }
                reports.blocks.extend(sender.report_blocks().map(block));
            }
            Packet::Rr(receiver) => {
                if is_first {
                    reports.ssrc = receiver.ssrc();
                }
                reports.blocks.extend(receiver.report_blocks().map(block));
            }
            _ if is_first => return None,
            _ => {}
        }
        reports.blocks.truncate(MOST_BLOCKS);
        is_first = false;
    }
    (!is_first).then_some(reports)
}

/// What a report of ours holds.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    pub ssrc: u32,
    /// A sender report: NTP time, RTP time, packets and payload bytes sent; else a receiver report.
    pub sender: Option<(u64, u32, u32, u32)>,
    pub block: Option<Block>,
    pub cname: &'a str,
    pub extended: Extended,
    pub bye: bool,
}

/// Writes a compound packet of report, SDES CNAME and perhaps extended report and BYE (§6.1).
pub fn write(outgoing: &Outgoing<'_>) -> Vec<u8> {
    let blocks = outgoing.block.iter().map(|block| {
        ReportBlock::builder(block.ssrc)
            .fraction_lost(block.fraction_lost)
            .cumulative_lost(block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff)
            .extended_sequence_number(block.highest)
            .interarrival_jitter(block.jitter)
            .last_sender_report_timestamp(block.last_sender_report)
            .delay_since_last_sender_report_timestamp(block.delay)
    });
    let extended = outgoing.extended.write(outgoing.ssrc);
    let compound = match outgoing.sender {
        Some((ntp, rtp, packets, bytes)) => {
            let report = SenderReport::builder(outgoing.ssrc)
                .ntp_timestamp(ntp)
                .rtp_timestamp(rtp)
                .packet_count(packets)
                .octet_count(bytes);
            Compound::builder().add_packet(blocks.fold(report, |report, block| report.add_report_block(block)))
        }
        None => {
            let report = ReceiverReport::builder(outgoing.ssrc);
            Compound::builder().add_packet(blocks.fold(report, |report, block| report.add_report_block(block)))
        }
    };
    let item = SdesItem::builder(SdesItem::CNAME, outgoing.cname);
    let mut compound = compound.add_packet(Sdes::builder().add_chunk(SdesChunk::builder(outgoing.ssrc).add_item(item)));
    if !outgoing.extended.is_empty() {
        compound = compound.add_packet(Unknown::builder(xr::PACKET_TYPE, &extended));
    }
    if outgoing.bye {
        compound = compound.add_packet(Bye::builder().add_source(outgoing.ssrc));
    }
    let mut buffer = vec![0; 256];
    let length = compound.write_into(&mut buffer).expect("one block of each kind and a short name fit 256 bytes");
    buffer.truncate(length);
    buffer
}

fn block(block: ReportBlock<'_>) -> Block {
    Block {
        ssrc: block.ssrc(),
        fraction_lost: block.fraction_lost(),
        // Sign extended from 24 bits.
        cumulative_lost: ((block.cumulative_lost() << 8) as i32) >> 8,
        highest: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_sender_report: block.last_sender_report_timestamp(),
        delay: block.delay_since_last_sender_report_timestamp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// SSRCs that say goodbye.
    pub fn goodbyes(datagram: &[u8]) -> Vec<u32> {
        let byes = Compound::parse(datagram).unwrap().filter_map(|packet| match packet.unwrap() {
            Packet::Bye(bye) => Some(bye.ssrcs().collect::<Vec<_>>()),
            _ => None,
        });
        byes.flatten().collect()
    }

    fn sample() -> Outgoing<'static> {
        let block = Block {
            ssrc: 7,
            fraction_lost: 12,
            cumulative_lost: -3,
            highest: 70_000,
            jitter: 44,
            last_sender_report: 0x1234_5678,
            delay: 65_536,
        };
        let extended = Extended { metrics: Some((7, xr::tests::METRICS)), ..Extended::default() };
        let sender = Some((5 << 32, 160, 3, 480));
        Outgoing { ssrc: 9, sender, block: Some(block), cname: "c0ffee", extended, bye: true }
    }

    #[test]
    fn what_is_written_is_read() {
        for sender in [Some((0x1122_3344_5566_7788, 160, 3, 480)), None] {
            let outgoing = Outgoing { sender, ..sample() };
            let read = parse(&write(&outgoing)).unwrap();
            assert_eq!(read.ssrc, 9);
            assert_eq!(read.sender_ntp, sender.map(|sender| sender.0));
            assert_eq!(read.blocks, [outgoing.block.unwrap()]);
            assert_eq!(read.extended, outgoing.extended);
            assert_eq!(goodbyes(&write(&outgoing)), [9]);
        }
    }

    #[test]
    fn refuses_what_is_no_compound_packet() {
        let good = write(&sample());
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&good[..good.len() - 1]), None);
        // Not beginning with a report: the SDES part alone.
        let report_length = 4 * (usize::from(u16::from_be_bytes([good[2], good[3]])) + 1);
        assert_eq!(parse(&good[report_length..]), None);
        let mut version = good;
        version[report_length] &= 0x3f;
        assert_eq!(parse(&version), None);
    }

    mod properties {
        use super::*;
        use crate::properties::{config, datagrams, spoilt};

        proptest! {
            #![proptest_config(config(256, 3550))]

            #[test]
            fn spoilt_packets_are_read_or_refused(packet in spoilt(datagrams("rtcp-"))) {
                if let Some(reports) = parse(&packet) {
                    prop_assert!(reports.blocks.len().max(reports.extended.delays.len()) <= MOST_BLOCKS);
                }
            }

            #[test]
            fn damaged_packets_are_read_or_refused(
                at in 0usize..200, to: u8, cut in 0usize..200, tail in prop::collection::vec(any::<u8>(), 0..40)
            ) {
                let mut packet = write(&sample());
                let length = packet.len();
                packet[at % length] = to;
                packet.truncate(cut);
                packet.extend(tail);
                let _ = parse(&packet);
            }

            #[test]
            fn any_bytes_are_read_or_refused(
                kind in 192u8..224, count in 0u8..64, mut bytes in prop::collection::vec(any::<u8>(), 4..120)
            ) {
                bytes[0] = 0x80 | count;
                bytes[1] = kind;
                bytes[2] = 0;
                bytes[3] %= 32;
                let _ = parse(&bytes);
            }
        }
    }
}
