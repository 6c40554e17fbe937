//! Packets that carry copies of earlier ones (RFC 2198).

/// Blocks read of a packet; more are ignored, oldest first.
const MOST: usize = 4;
/// Largest offset and length that a header can tell (RFC 2198 §3).
const LARGEST_OFFSET: u32 = (1 << 14) - 1;
const LARGEST_COPY: usize = (1 << 10) - 1;
const FOLLOWED: u8 = 0x80;

/// One block of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    pub payload_type: u8,
    /// Timestamp units before the packet's.
    pub offset: u32,
    pub payload: &'a [u8],
}

/// What such a packet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redundant<'a> {
    pub primary: Block<'a>,
    /// Newest first.
    copies: [Option<Block<'a>>; MOST],
}

impl<'a> Redundant<'a> {
    /// `None` when headers and lengths do not fit.
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        // The headers come first, then the blocks in the same order.
        let mut body = packet;
        let mut headers = 0;
        while *body.first()? & FOLLOWED != 0 {
            body = body.get(4..)?;
            headers += 1;
        }
        let kind = body[0];
        let mut body = &body[1..];
        let mut copies = [None; MOST];
        for (n, header) in packet.chunks_exact(4).take(headers).enumerate() {
            let word = u32::from_be_bytes([header[0], header[1], header[2], header[3]]);
            let length = (word & LARGEST_COPY as u32) as usize;
            let payload = body.get(..length)?;
            body = &body[length..];
            let block = Block { payload_type: header[0] & !FOLLOWED, offset: (word >> 10) & LARGEST_OFFSET, payload };
            if let Some(place) = copies.get_mut(headers - 1 - n) {
                *place = Some(block);
            }
        }
        Some(Self { primary: Block { payload_type: kind, offset: 0, payload: body }, copies })
    }

    pub fn copies(&self) -> impl Iterator<Item = Block<'a>> {
        self.copies.into_iter().flatten()
    }
}

/// Replaces what `packet` held by `primary` and, where it fits, one copy.
pub fn write(primary: Block<'_>, copy: Option<Block<'_>>, packet: &mut Vec<u8>) {
    packet.clear();
    let copy = copy.filter(|copy| copy.offset <= LARGEST_OFFSET && copy.payload.len() <= LARGEST_COPY);
    if let Some(copy) = copy {
        let word = u32::from(FOLLOWED | copy.payload_type) << 24 | copy.offset << 10 | copy.payload.len() as u32;
        packet.extend(word.to_be_bytes());
    }
    packet.push(primary.payload_type & !FOLLOWED);
    packet.extend_from_slice(copy.map_or(&[], |copy| copy.payload));
    packet.extend_from_slice(primary.payload);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_the_rfc_s() {
        let mut packet = Vec::new();
        let (primary, copy) = (
            Block { payload_type: 96, offset: 0, payload: b"new" },
            Block { payload_type: 96, offset: 960, payload: b"copy" },
        );
        write(primary, Some(copy), &mut packet);
        // F=1, 7 bits of type, 14 of offset, 10 of length; then F=0 and the type.
        assert_eq!(packet, [&[0xe0, 0x0f, 0x00, 0x04, 0x60][..], b"copynew"].concat());
        write(primary, Some(Block { offset: 1 << 14, ..copy }), &mut packet);
        assert_eq!(packet, b"\x60new", "what cannot be told is left out");
        // Two copies, the older one first, as others send them.
        let two = [&[0xe0, 0x1e, 0x00, 0x01, 0xe0, 0x0f, 0x00, 0x01, 0x60][..], b"abc"].concat();
        let read = Redundant::parse(&two).expect("well formed");
        let told: Vec<_> = read.copies().map(|block| (block.offset, block.payload)).collect();
        assert_eq!(told, [(960, &b"b"[..]), (1_920, b"a")]);
        assert_eq!(read.primary.payload, b"c");
    }

    mod properties {
        use super::*;
        use crate::properties::{config, datagrams, spoilt};

        fn corpus() -> Vec<Vec<u8>> {
            datagrams("rtp-redundant").iter().map(|datagram| datagram[12..].to_vec()).collect()
        }

        proptest! {
            #![proptest_config(config(256, 2198))]

            #[test]
            fn what_is_written_is_read(kinds in (0u8..128, 0u8..128), offset in 0u32..16_384,
                                       new in prop::collection::vec(any::<u8>(), 0..300),
                                       old in prop::collection::vec(any::<u8>(), 0..1_024)) {
                let primary = Block { payload_type: kinds.0, offset: 0, payload: &new };
                let copy = Block { payload_type: kinds.1, offset, payload: &old };
                let mut packet = Vec::new();
                write(primary, Some(copy), &mut packet);
                let read = Redundant::parse(&packet).expect("well formed");
                prop_assert_eq!(read.primary, primary);
                prop_assert_eq!(read.copies().collect::<Vec<_>>(), [copy]);
            }

            #[test]
            fn any_bytes_are_read_or_refused(bytes in prop_oneof![spoilt(corpus()), prop::collection::vec(any::<u8>(), 0..200)]) {
                if let Some(read) = Redundant::parse(&bytes) {
                    let copied: usize = read.copies().map(|block| block.payload.len()).sum();
                    prop_assert!(copied + read.primary.payload.len() < bytes.len());
                }
            }
        }
    }
}
