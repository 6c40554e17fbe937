//! Figures of one call's audio, as the window and the headless interface show them.

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
}

/// What this end did to the sound, in milliseconds since the call's audio began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HereStats {
    /// This computer was late for the sound.
    pub stalled_ms: u64,
    /// There was no microphone or no speaker.
    pub absent_ms: u64,
    /// The other side was to be heard, and the microphone heard something.
    pub heard_ms: u64,
    pub said_ms: u64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RxStats {
    pub packets: u64,
    /// Never came (RFC 3550 §6.4.1 cumulative loss, never negative).
    pub lost: u64,
    /// Came after their time to be played.
    pub late: u64,
    pub concealed_ms: u64,
    /// Interarrival jitter, RFC 3550 §6.4.1.
    pub jitter_ms: f64,
    /// Delay held in the jitter buffer now.
    pub buffer_ms: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct TxStats {
    pub packets: u64,
    /// Payload bytes, headers not counted.
    pub bytes: u64,
}
