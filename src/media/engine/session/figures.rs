//! A stream's figures: for the window, and for the peer.

use super::stream::Stream;
use crate::media::{
    emodel::{self, Conditions},
    plan::Codec,
    stats::{CallStats, StreamEnds, VoipMetrics},
};

/// RFC 3611 §4.7.6: concealment that fits what is heard, a buffer that adapts.
const ENHANCED_ADAPTIVE: u8 = 0b1011_0000;
/// Mean square of a sine of 0 dBm0, 3.14 dB below full scale (ITU-T G.711).
const ZERO_DBM0: f32 = 0.2427;

impl Stream {
    pub(super) fn stats(&self, whole_call: bool) -> CallStats {
        let rx = self.receiver.stats();
        let mos = self.conditions(whole_call).map(|conditions| emodel::mos(&conditions));
        let (tx, here) = (self.tx.clone(), self.here.clone());
        let (rtt_ms, remote_loss) = (self.rtcp.rtt_ms(), self.rtcp.remote_loss());
        let (metrics, remote) = (self.metrics().map(Box::new), self.rtcp.remote().map(Box::new));
        let ends = Some(Box::new(self.ends()));
        CallStats { rx, tx, rtt_ms, mos, remote_loss, here, metrics, remote, ends }
    }

    fn ends(&self) -> StreamEnds {
        let (payload_type, codec) = self.plan.send;
        StreamEnds {
            local: self.local,
            remote: self.latch.target(),
            ssrc: self.sender.ssrc(),
            remote_ssrc: self.receiver.source(),
            payload_type,
            codec,
            packet_ms: self.sender.packet_ms(),
            discontinuous: match codec {
                Codec::Opus => self.plan.opus.dtx,
                Codec::G722 | Codec::Pcmu | Codec::Pcma => self.plan.comfort_noise.is_some_and(|noise| noise.sends),
            },
        }
    }

    /// What the peer is told of how its audio fares here.
    pub(super) fn metrics(&self) -> Option<VoipMetrics> {
        let conditions = self.conditions(true)?;
        let rx = self.receiver.stats();
        let (packets, missing, bursts) = self.receiver.missed();
        let share = |count: u64| count as f64 / packets.max(1) as f64;
        let discarded = rx.late.min(missing);
        let (speech, silence) = self.receiver.levels();
        let dbm0 = |power: f32| (10.0 * (power / ZERO_DBM0).log10()).clamp(-126.0, 126.0) as i8;
        let (most, limit) = self.receiver.most_delay_ms();
        Some(VoipMetrics {
            loss: share(missing - discarded),
            discarded: share(discarded),
            bursts,
            rtt_ms: self.rtcp.rtt_ms().unwrap_or_default() as u16,
            end_system_ms: self.end_system_ms(conditions.codec) as u16,
            signal_dbm0: speech.map(dbm0),
            noise_dbm0: silence.map(dbm0),
            rating: Some(emodel::rating(&conditions).round().clamp(0.0, 100.0) as u8),
            mos_listening: Some(emodel::mos(&Conditions { delay_ms: 0.0, ..conditions })),
            mos: Some(emodel::mos(&conditions)),
            configuration: ENHANCED_ADAPTIVE,
            buffer_ms: rx.buffer_ms as u16,
            buffer_most_ms: most as u16,
            buffer_limit_ms: limit as u16,
        })
    }

    fn conditions(&self, whole_call: bool) -> Option<Conditions> {
        let codec = self.receiver.playing().filter(|_| whole_call || !self.receiver.is_deserted())?;
        let delay_ms = self.rtcp.rtt_ms().unwrap_or_default() / 2.0 + self.end_system_ms(codec);
        Some(Conditions { codec, delay_ms, loss: self.receiver.concealed_share(whole_call) })
    }

    /// Delay within this end, of one way.
    fn end_system_ms(&self, codec: Codec) -> f64 {
        self.receiver.stats().buffer_ms + f64::from(self.sender.packet_ms()) + processing_ms(codec)
    }
}

/// Delay within codec, rate conversion and the two sound cards.
fn processing_ms(codec: Codec) -> f64 {
    match codec {
        // The filters of rate conversion; in G.722 those of its bands besides.
        Codec::Pcmu | Codec::Pcma => 4.0 + 30.0,
        Codec::G722 => 5.5 + 30.0,
        // RFC 6716 §2: 6.5 ms of look-ahead.
        Codec::Opus => 6.5 + 30.0,
    }
}
