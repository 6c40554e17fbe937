//! Opus in Ogg (RFC 3533, RFC 7845): pages as bytes. Pure.

/// First page of the stream, and last (RFC 3533 §6).
const BEGINNING: u8 = 2;
const END: u8 = 4;

/// Numbers the pages of one stream.
#[derive(Debug)]
pub struct Pages {
    serial: u32,
    sequence: u32,
}

impl Pages {
    /// `serial`: anything, since the file holds one stream.
    pub const fn new(serial: u32) -> Self {
        Self { serial, sequence: 0 }
    }

    /// The two pages that an Opus stream begins with (RFC 7845 §5): how to decode it, who wrote it and what it is. `pre_skip`: samples at
    /// 48 kHz that the decoder makes before the first that was recorded.
    pub fn header(&mut self, channels: u8, pre_skip: u16, vendor: &str, description: &str) -> Vec<u8> {
        let mut head = b"OpusHead\x01".to_vec();
        head.push(channels);
        head.extend(pre_skip.to_le_bytes());
        head.extend(48_000u32.to_le_bytes());
        // No gain; one stream, left and right.
        head.extend([0, 0, 0]);
        let sized = |text: &str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let comment = sized(&format!("DESCRIPTION={description}"));
        let tags = [b"OpusTags", &sized(vendor)[..], &1u32.to_le_bytes(), &comment].concat();
        [self.page(&[head], 0, BEGINNING), self.page(&[tags], 0, 0)].concat()
    }

    /// A page of whole packets. `position`: samples up to its end, the pre-skip counted (RFC 7845 §4). 42 packets of the largest
    /// size fit.
    pub fn packets(&mut self, packets: &[Vec<u8>], position: u64, is_last: bool) -> Vec<u8> {
        self.page(packets, position, if is_last { END } else { 0 })
    }

    fn page(&mut self, packets: &[Vec<u8>], position: u64, flags: u8) -> Vec<u8> {
        // A packet is as many segments of 255 as it fills, and one that is shorter.
        let lacing = packets.iter().flat_map(|packet| {
            let full = std::iter::repeat_n(255, packet.len() / 255);
            full.chain(std::iter::once((packet.len() % 255) as u8))
        });
        let lacing: Vec<u8> = lacing.collect();
        debug_assert!(lacing.len() <= 255, "a page has 255 segments");
        let mut page = b"OggS\0".to_vec();
        page.push(flags);
        page.extend(position.to_le_bytes());
        page.extend(self.serial.to_le_bytes());
        page.extend(self.sequence.to_le_bytes());
        page.extend([0; 4]);
        page.push(lacing.len() as u8);
        page.extend(lacing);
        packets.iter().for_each(|packet| page.extend(packet));
        let checksum = checksum(&page);
        page[22..26].copy_from_slice(&checksum.to_le_bytes());
        self.sequence += 1;
        page
    }
}

/// CRC-32 with the polynomial 0x04c11db7, not reflected, from zero (RFC 3533 §6).
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |mut crc, &byte| {
        crc ^= u32::from(byte) << 24;
        for _ in 0..8 {
            crc = (crc << 1) ^ if crc & 0x8000_0000 == 0 { 0 } else { 0x04c1_1db7 };
        }
        crc
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_laced_and_checked() {
        // The check value of CRC-32/MPEG-2's polynomial with a start of zero (as in cksum without the length).
        assert_eq!(checksum(b"123456789"), 0x89a1_897f);
        let mut pages = Pages::new(7);
        let header = pages.header(2, 312, "test", "what it is");
        assert_eq!(&header[28..40], b"OpusHead\x01\x02\x38\x01");
        let page = pages.packets(&[vec![1; 600], vec![2; 255], vec![3; 10]], 2_880, true);
        assert_eq!((page[5], &page[6..14], page[18], page[26]), (END, &2_880u64.to_le_bytes()[..], 2, 6));
        assert_eq!(page[27..33], [255, 255, 90, 255, 0, 10]);
        assert_eq!(page.len(), 27 + 6 + 865);
    }
}
