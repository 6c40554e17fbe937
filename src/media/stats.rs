//! Figures of one call's audio, as the window and the headless interface show them.

use super::plan::Codec;
use std::net::SocketAddr;

/// An end that holds sound for longer is mistaken about itself.
const LONGEST_END_MS: u16 = 10_000;

/// All counts since the call's first packet; times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallStats {
    pub rx: RxStats,
    pub tx: TxStats,
    /// Round trip from RTCP (RFC 3550 §6.4.1), once known.
    pub rtt_ms: Option<f64>,
    /// Conversational mean opinion score by the E-model, delay included, 1.0–4.5 on the codec's own scale (narrowband or
    /// wideband), once there is audio. Live it tells of the last eight seconds, at the end of the whole call.
    pub mos: Option<f64>,
    /// What the peer reports it loses of our packets, 0.0–1.0, from its last RTCP report.
    pub remote_loss: Option<f64>,
    pub here: HereStats,
    /// What we would report, once there is audio; and the peer's, where it does.
    pub metrics: Option<Box<VoipMetrics>>,
    pub remote: Option<Box<VoipMetrics>>,
    /// Once there is a plan.
    pub ends: Option<Box<StreamEnds>>,
}

/// Between whom the audio goes, and how we send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamEnds {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub ssrc: u32,
    /// Once it was heard.
    pub remote_ssrc: Option<u32>,
    pub payload_type: u8,
    pub codec: Codec,
    pub packet_ms: u32,
    /// Silence is not sent.
    pub discontinuous: bool,
}

/// How one end fares since the beginning, as it tells the other (RFC 3611 §4.7). Shares are 0.0–1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VoipMetrics {
    /// Packets that never came and could not be recovered, and those that came too late to be played.
    pub loss: f64,
    pub discarded: f64,
    pub bursts: BurstStats,
    /// Zero while unknown, as the next.
    pub rtt_ms: u16,
    /// Delay within this end, both ways together: its buffer, codecs, sound cards.
    pub end_system_ms: u16,
    /// Speech, and the silence between it, as received.
    pub signal_dbm0: Option<i8>,
    pub noise_dbm0: Option<i8>,
    /// R factor of the E-model (ITU-T G.107), 0–100.
    pub rating: Option<u8>,
    /// Mean opinion scores, 1.0–5.0: of listening alone, and of conversation, delay included.
    pub mos_listening: Option<f64>,
    pub mos: Option<f64>,
    /// Concealment and kind of jitter buffer, as on the wire (§4.7.6).
    pub configuration: u8,
    /// Delay that the buffer holds for a punctual packet, the most that it would hold now, and ever.
    pub buffer_ms: u16,
    pub buffer_most_ms: u16,
    pub buffer_limit_ms: u16,
}

/// Whether losses come in bursts (RFC 3611 §4.7.2): shares of packets lost or discarded within bursts and in the gaps between
/// them, and how long both last on average.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BurstStats {
    pub burst_density: f64,
    pub gap_density: f64,
    pub burst_ms: u16,
    pub gap_ms: u16,
}

impl CallStats {
    /// Delay from the other side's mouth to our ear and from ours to theirs, in milliseconds, where both ends report: half
    /// the round trip, and each end's share.
    pub fn delays_ms(&self) -> Option<(f64, f64)> {
        let ours = self.metrics.as_deref()?;
        let theirs = self.remote.as_deref().filter(|theirs| (1..LONGEST_END_MS).contains(&theirs.end_system_ms))?;
        let way = self.rtt_ms? / 2.0;
        let sending = |end: &VoipMetrics| f64::from(end.end_system_ms.saturating_sub(end.buffer_ms)) / 2.0;
        let receiving = |end: &VoipMetrics| sending(end) + f64::from(end.buffer_ms.min(end.end_system_ms));
        Some((way + sending(theirs) + receiving(ours), way + sending(ours) + receiving(theirs)))
    }
}

/// What this end did to the sound, in milliseconds since the call's audio began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HereStats {
    /// This computer was late for the sound.
    pub stalled_ms: u64,
    /// There was no microphone or no speaker.
    pub absent_ms: u64,
    /// The other side, which had answered our checks before, answered none (RFC 7675 §5.1).
    pub unanswered_ms: u64,
    /// The other side was to be heard, and the microphone gave anything but zeros, whatever is made of it then; or there is none that
    /// could, as with `--audio null`.
    pub heard_ms: u64,
    pub said_ms: u64,
    /// Mean square of what the other side sounds like now, over a third of a second.
    pub loudness: f32,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RxStats {
    pub packets: u64,
    /// Never came (RFC 3550 §6.4.1 cumulative loss, never negative).
    pub lost: u64,
    /// Came after their time to be played, or were left out because too much was held.
    pub late: u64,
    /// Came, and could not be authenticated: under other keys than were agreed on, in the open, or damaged (RFC 3711 §3.3).
    pub unreadable: u64,
    pub concealed_ms: u64,
    /// Share of what was played that was concealed, 0.0–1.0.
    pub concealed_share: f64,
    /// Interarrival jitter, RFC 3550 §6.4.1.
    pub jitter_ms: f64,
    /// Delay held in the jitter buffer now.
    pub buffer_ms: f64,
}

/// What has left: neither what waited for keys nor what the peer did not agree to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TxStats {
    pub packets: u64,
    /// Payload bytes, headers not counted.
    pub bytes: u64,
}
