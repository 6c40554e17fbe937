//! Extended reports (RFC 3611): the blocks that two parties of a call have use for. The crate's builders know no VoIP metrics, and
//! its reader refuses whole compound packets for one odd block: what is not understood here is skipped.

use crate::media::stats::{BurstStats, VoipMetrics};

/// Packet type of extended reports (§2).
pub const PACKET_TYPE: u8 = 207;
/// Block types (§4.4, §4.5, §4.7).
const REFERENCE_TIME: u8 = 4;
const DELAY_SINCE: u8 = 5;
const VOIP_METRICS: u8 = 7;
/// Words after a block's first one.
const METRICS_WORDS: u16 = 8;
/// "Unavailable" of levels, ratings and scores.
const UNAVAILABLE: u8 = 127;
/// Received packets in a row that end a burst (§4.7.2).
pub const GMIN: u8 = 16;

/// What one packet holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extended {
    /// NTP time of a receiver's report (§4.4).
    pub reference_time: Option<u64>,
    pub delays: Vec<DelaySince>,
    /// About which source, and what.
    pub metrics: Option<(u32, VoipMetrics)>,
}

/// Delay since a receiver's report (§4.5): as in the blocks of a sender report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelaySince {
    pub ssrc: u32,
    /// Middle 32 bits of its NTP time.
    pub last_receiver_report: u32,
    /// In 1/65536 s.
    pub delay: u32,
}

impl Extended {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What follows the packet's first word: the sender's SSRC and the blocks.
    pub fn write(&self, ssrc: u32) -> Vec<u8> {
        let mut out = ssrc.to_be_bytes().to_vec();
        if let Some(ntp) = self.reference_time {
            head(&mut out, REFERENCE_TIME, 2);
            out.extend(ntp.to_be_bytes());
        }
        if !self.delays.is_empty() {
            head(&mut out, DELAY_SINCE, 3 * self.delays.len() as u16);
            for delay in &self.delays {
                out.extend([delay.ssrc, delay.last_receiver_report, delay.delay].map(u32::to_be_bytes).as_flattened());
            }
        }
        if let Some((about, metrics)) = &self.metrics {
            head(&mut out, VOIP_METRICS, METRICS_WORDS);
            out.extend(about.to_be_bytes());
            out.extend(write_metrics(metrics));
        }
        out
    }

    /// Adds what such a packet holds, its first word left out. A block that claims more than there is ends the reading.
    pub fn read(&mut self, body: &[u8]) {
        let mut rest = body.get(4..).unwrap_or_default();
        while let [kind, _, high, low, after @ ..] = rest {
            let length = 4 * usize::from(u16::from_be_bytes([*high, *low]));
            let Some((block, next)) = after.split_at_checked(length) else { return };
            match *kind {
                REFERENCE_TIME => {
                    self.reference_time =
                        block.first_chunk().map(|ntp| u64::from_be_bytes(*ntp)).or(self.reference_time);
                }
                DELAY_SINCE => self.delays.extend(block.chunks_exact(12).filter_map(delay).take(super::MOST_BLOCKS)),
                VOIP_METRICS => self.metrics = read_metrics(block).or(self.metrics),
                _ => {}
            }
            rest = next;
        }
        self.delays.truncate(super::MOST_BLOCKS);
    }
}

fn head(out: &mut Vec<u8>, kind: u8, words: u16) {
    out.extend([kind, 0]);
    out.extend(words.to_be_bytes());
}

fn delay(block: &[u8]) -> Option<DelaySince> {
    let word = |at: usize| block.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some(DelaySince { ssrc: word(0)?, last_receiver_report: word(4)?, delay: word(8)? })
}

fn write_metrics(metrics: &VoipMetrics) -> [u8; 28] {
    let share = |share: f64| (share * 256.0).clamp(0.0, 255.0) as u8;
    let level = |level: Option<i8>| level.map_or(UNAVAILABLE, |level| level as u8);
    let score = |mos: Option<f64>| mos.map_or(UNAVAILABLE, |mos| (mos * 10.0).round().clamp(10.0, 50.0) as u8);
    let bursts = &metrics.bursts;
    let mut out = [0; 28];
    out[..4].copy_from_slice(&[metrics.loss, metrics.discarded, bursts.burst_density, bursts.gap_density].map(share));
    let times = [bursts.burst_ms, bursts.gap_ms, metrics.rtt_ms, metrics.end_system_ms];
    out[4..12].copy_from_slice(times.map(u16::to_be_bytes).as_flattened());
    let levels = [level(metrics.signal_dbm0), level(metrics.noise_dbm0), UNAVAILABLE, GMIN];
    out[12..16].copy_from_slice(&levels);
    let rating = metrics.rating.map_or(UNAVAILABLE, |rating| rating.min(100));
    out[16..20].copy_from_slice(&[rating, UNAVAILABLE, score(metrics.mos_listening), score(metrics.mos)]);
    out[20] = metrics.configuration;
    let buffer = [metrics.buffer_ms, metrics.buffer_most_ms, metrics.buffer_limit_ms];
    out[22..].copy_from_slice(buffer.map(u16::to_be_bytes).as_flattened());
    out
}

fn read_metrics(block: &[u8]) -> Option<(u32, VoipMetrics)> {
    let (about, block) = block.split_first_chunk::<4>()?;
    let block: &[u8; 28] = block.first_chunk()?;
    let share = |at: usize| f64::from(block[at]) / 256.0;
    let ms = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    let level = |at: usize| (block[at] != UNAVAILABLE).then_some(block[at] as i8);
    // §4.7.5: 10 to 50; what else stands there says nothing.
    let score = |at: usize| (10..=50).contains(&block[at]).then(|| f64::from(block[at]) / 10.0);
    let bursts = BurstStats { burst_density: share(2), gap_density: share(3), burst_ms: ms(4), gap_ms: ms(6) };
    let metrics = VoipMetrics {
        loss: share(0),
        discarded: share(1),
        bursts,
        rtt_ms: ms(8),
        end_system_ms: ms(10),
        signal_dbm0: level(12),
        noise_dbm0: level(13),
        rating: (block[16] <= 100).then_some(block[16]),
        mos_listening: score(18),
        mos: score(19),
        configuration: block[20],
        buffer_ms: ms(22),
        buffer_most_ms: ms(24),
        buffer_limit_ms: ms(26),
    };
    Some((u32::from_be_bytes(*about), metrics))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub const METRICS: VoipMetrics = VoipMetrics {
        loss: 0.25,
        discarded: 0.125,
        bursts: BurstStats { burst_density: 0.5, gap_density: 0.0, burst_ms: 340, gap_ms: 65_000 },
        rtt_ms: 80,
        end_system_ms: 95,
        signal_dbm0: Some(-21),
        noise_dbm0: None,
        rating: Some(88),
        mos_listening: Some(4.3),
        mos: Some(4.1),
        configuration: 0xb0,
        buffer_ms: 40,
        buffer_most_ms: 340,
        buffer_limit_ms: 840,
    };

    fn sample() -> Extended {
        let delays = vec![DelaySince { ssrc: 5, last_receiver_report: 0x1234_5678, delay: 65_536 }];
        Extended { reference_time: Some(0x1122_3344_5566_7788), delays, metrics: Some((7, METRICS)) }
    }

    fn read(body: &[u8]) -> Extended {
        let mut extended = Extended::default();
        extended.read(body);
        extended
    }

    #[test]
    fn what_is_written_is_read_and_lies_where_the_rfc_has_it() {
        let written = sample().write(9);
        assert_eq!(read(&written), sample());
        assert_eq!(written.len(), 4 + 12 + 16 + 36);
        let block = &written[32..];
        assert_eq!(block[..8], [7, 0, 0, 8, 0, 0, 0, 7]);
        assert_eq!(block[8..12], [64, 32, 128, 0], "loss, discard, densities");
        assert_eq!(block[20..24], [(-21i8) as u8, 127, 127, 16], "levels, echo return loss, Gmin");
        assert_eq!(block[24..28], [88, 127, 43, 41], "ratings and scores");
        assert_eq!(block[28..30], [0xb0, 0]);
    }

    #[test]
    fn unknown_blocks_are_skipped_and_impossible_values_say_nothing() {
        let mut written = vec![0, 0, 0, 9, 99, 0, 0, 1, 1, 2, 3, 4];
        written.extend(&sample().write(9)[4..]);
        assert_eq!(read(&written), sample());
        let at = written.len() - 36;
        // R factor, MOS-LQ, MOS-CQ.
        for (place, value) in [(24, 101), (26, 0), (27, 51)] {
            written[at + place] = value;
        }
        let (_, metrics) = read(&written).metrics.unwrap();
        assert_eq!((metrics.rating, metrics.mos_listening, metrics.mos), (None, None, None));
    }

    mod properties {
        use super::*;
        use crate::properties::{config, datagrams, spoilt};

        /// Packets of extended reports, their first words left out.
        fn corpus() -> Vec<Vec<u8>> {
            let at = |datagram: &[u8]| datagram.iter().position(|octet| *octet == PACKET_TYPE).expect("one");
            datagrams("rtcp-extended").iter().map(|datagram| datagram[at(datagram) + 3..].to_vec()).collect()
        }

        proptest! {
            #![proptest_config(config(256, 3611))]

            #[test]
            fn spoilt_blocks_say_nothing_impossible(body in spoilt(corpus())) {
                let extended = read(&body);
                prop_assert!(extended.delays.len() <= crate::media::rtcp::MOST_BLOCKS);
                let Some((_, metrics)) = extended.metrics else { return Ok(()) };
                let bursts = metrics.bursts;
                for share in [metrics.loss, metrics.discarded, bursts.burst_density, bursts.gap_density] {
                    prop_assert!((0.0..1.0).contains(&share));
                }
                prop_assert!([metrics.mos, metrics.mos_listening].into_iter().flatten().all(|mos| (1.0..=5.0).contains(&mos)));
                prop_assert!(metrics.rating.is_none_or(|rating| rating <= 100));
            }

            #[test]
            fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..400), kind in 0u8..9, words in 0u16..20) {
                let mut body = vec![0, 0, 0, 9, kind, 0];
                body.extend(words.to_be_bytes());
                body.extend(bytes);
                prop_assert!(read(&body).delays.len() <= crate::media::rtcp::MOST_BLOCKS);
            }
        }
    }
}
