//! What offer/answer agreed on, in plain words: the only thing the user agent and the media engine share.

mod address;
mod ice;
mod security;

pub use address::is_private;
pub use ice::{IceCredentials, IcePlan};
pub use security::{CryptoSuite, DtlsPlan, Fingerprint, KeyExchange, MasterKey, Srtp, SrtpKeys, SrtpPolicy};
use std::net::SocketAddr;

/// Codecs by their RTP names (RFC 3551, RFC 7587).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    Opus,
    G722,
    Pcmu,
    Pcma,
}

impl Codec {
    /// As written in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::G722 => "G722",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
    /// RTP clock rate in Hz; of G.722 half the rate of its sound (RFC 3551 §4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcmu | Self::Pcma => 8_000,
        }
    }
    /// As shown to people and in headless events: `opus/48000`, `G722/8000`.
    pub fn label(self) -> String {
        format!("{}/{}", self.name(), self.clock_rate())
    }
}

/// Direction seen from us (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Opus format parameters the peer asked for (RFC 7587 §6.1); they bind our encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusParams {
    /// `maxaveragebitrate`, bit/s.
    pub max_average_bitrate: Option<u32>,
    /// `maxplaybackrate`, Hz.
    pub max_playback_rate: Option<u32>,
    /// `useinbandfec=1`: the peer decodes in-band FEC.
    pub fec: bool,
    /// `usedtx=1`: the peer prefers that silence is not sent, and we want that, too.
    pub dtx: bool,
    /// `cbr=1`.
    pub cbr: bool,
    /// Packets may carry copies of earlier ones.
    pub redundancy: Option<Redundancy>,
}

/// Redundant audio (RFC 2198): the payload types agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redundancy {
    /// The peer's choice.
    pub send_payload_type: u8,
    /// Ours.
    pub receive_payload_type: u8,
}

/// telephone-event (RFC 4733): the payload types and the clock rate agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Payload type we send with, the peer's choice.
    pub send_payload_type: u8,
    /// Payload type we receive, our choice.
    pub receive_payload_type: u8,
    /// 8000 or 48000 Hz, the clock of the audio codec it accompanies.
    pub clock_rate: u32,
}

/// Extended RTCP reports that the peer asked for (RFC 3611 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtendedReports {
    /// `voip-metrics`: how we fare.
    pub voip_metrics: bool,
    /// `rcvr-rtt`: who only listens learns the round trip, too.
    pub receiver_rtt: Option<ReceiverRtt>,
}

/// Who answers whoever only listens (DLRR blocks).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverRtt {
    All,
    /// Who sends audio.
    Senders,
}

/// Comfort noise (RFC 3389) in place of silence: the payload types agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComfortNoise {
    /// The peer's choice.
    pub send_payload_type: u8,
    /// Ours.
    pub receive_payload_type: u8,
    /// We want to send it, too.
    pub sends: bool,
}

/// One audio stream as agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaPlan {
    /// Where we send RTP; where packets really come from takes over for symmetric RTP (RFC 4961) once they come.
    pub remote_rtp: SocketAddr,
    /// Where we send RTCP (RFC 3605, else RTP port + 1; the same as RTP when multiplexed, RFC 5761).
    pub remote_rtcp: SocketAddr,
    pub rtcp_mux: bool,
    pub direction: Direction,
    /// We have put the peer on hold: where it listens, it hears music in place of us.
    pub on_hold: bool,
    /// Codec we send, with the payload type the peer gave it.
    pub send: (u8, Codec),
    /// Payload types the peer may send to us, as we numbered them.
    pub receive: Vec<(u8, Codec)>,
    pub telephone_event: Option<TelephoneEvent>,
    /// What our encoder must respect when `send` is Opus.
    pub opus: OpusParams,
    /// Where the keys of SRTP come from; without any nothing is encrypted.
    pub srtp: Option<KeyExchange>,
    /// Ways to be checked; without any the addresses above are all there is.
    pub ice: Option<Box<IcePlan>>,
    /// Milliseconds of audio a packet we send holds (`a=ptime` of the peer, default 20; whole tens up to 60).
    pub ptime_ms: u32,
    pub extended_reports: ExtendedReports,
    pub comfort_noise: Option<ComfortNoise>,
}

impl MediaPlan {
    /// Whether what is said here is for the peer.
    pub const fn hears_us(&self) -> bool {
        self.direction.sends() && !self.on_hold
    }
}

impl Default for OpusParams {
    fn default() -> Self {
        Self { max_average_bitrate: None, max_playback_rate: None, fec: true, dtx: false, cbr: false, redundancy: None }
    }
}

#[cfg(test)]
impl MediaPlan {
    /// One codec both ways in packets of 20 ms with nobody, nothing else agreed on.
    pub fn of(codec: Codec) -> Self {
        let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
        Self {
            remote_rtp: nobody,
            remote_rtcp: nobody,
            rtcp_mux: false,
            direction: Direction::SendRecv,
            on_hold: false,
            send: (0, codec),
            receive: vec![(0, codec)],
            telephone_event: None,
            opus: OpusParams::default(),
            srtp: None,
            ice: None,
            ptime_ms: 20,
            extended_reports: ExtendedReports::default(),
            comfort_noise: None,
        }
    }
}
