//! The peer's packets to us.

use super::{
    replay::Window,
    rtp_header_length, sequence, ssrc_at,
    transform::{Id, Stream, Trailer, Transform},
};
use crate::media::plan::MasterKey;

/// Sources remembered; a peer has one, and another after a transfer or behind a mixer.
const MOST_SOURCES: usize = 8;
/// Octets of SRTCP's index word, and its flag.
const WORD: usize = 4;
const ENCRYPTED: u32 = 0x8000_0000;

/// Checks and decrypts; only what is authentic leaves a trace.
pub struct Incoming {
    rtp: Transform,
    rtcp: Transform,
    /// Whether RTCP carries a tag of GCM, which stands before its index word, or one of HMAC, which stands behind it.
    rtcp_tag_behind: usize,
    /// Oldest first.
    sources: Vec<Source>,
}

#[derive(Default)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

impl Incoming {
    pub fn new(master: &MasterKey) -> Self {
        let rtcp = Transform::new(master, Stream::Rtcp);
        let rtcp_tag_behind = match &rtcp {
            Transform::Counter { tag, .. } => *tag,
            Transform::Gcm { .. } => 0,
        };
        Self { rtp: Transform::new(master, Stream::Rtp), rtcp, rtcp_tag_behind, sources: Vec::new() }
    }

    /// Makes the packet plain in place; `None` if it is not authentic, or was seen before.
    pub fn open(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let (header, id) = (rtp_header_length(packet)?, self.id(packet)?);
        let rollover = u32::try_from(id.index >> 16).ok()?;
        self.rtp.open(packet, header, id, Trailer::Rollover(rollover)).then(|| {
            self.source(id.ssrc).rtp.saw(id.index);
        })
    }

    /// Whether a packet is neither too old nor was seen before, so that it opens with the right key.
    pub fn is_new(&self, packet: &[u8]) -> bool {
        self.id(packet).is_some()
    }

    fn id(&self, packet: &[u8]) -> Option<Id> {
        let (sequence, ssrc) = (sequence(packet)?, ssrc_at(packet, 8)?);
        let window = self.sources.iter().find(|source| source.ssrc == ssrc).map(|source| &source.rtp);
        let highest = window.and_then(Window::highest);
        let index = highest.map_or(Some(u64::from(sequence)), |highest| nearest(highest, sequence))?;
        window.is_none_or(|window| window.accepts(index)).then_some(Id { ssrc, index })
    }

    pub fn open_control(&mut self, packet: &mut Vec<u8>) -> Option<()> {
        let at = packet.len().checked_sub(self.rtcp_tag_behind + WORD).filter(|at| *at >= 8)?;
        let word = ssrc_at(packet, at)?;
        // Nobody we know sends it in the clear, and then it would need another way of reading (RFC 3711 §3.4).
        if word & ENCRYPTED == 0 {
            return None;
        }
        let (ssrc, index) = (ssrc_at(packet, 4)?, u64::from(word & !ENCRYPTED));
        if self.sources.iter().any(|source| source.ssrc == ssrc && !source.rtcp.accepts(index)) {
            return None;
        }
        self.rtcp.open(packet, 8, Id { ssrc, index }, Trailer::Index(word)).then(|| {
            self.source(ssrc).rtcp.saw(index);
        })
    }

    /// The account of a source that proved to be genuine.
    fn source(&mut self, ssrc: u32) -> &mut Source {
        if let Some(at) = self.sources.iter().position(|source| source.ssrc == ssrc) {
            return &mut self.sources[at];
        }
        if self.sources.len() == MOST_SOURCES {
            self.sources.remove(0);
        }
        self.sources.push(Source { ssrc, ..Source::default() });
        self.sources.last_mut().expect("one was just added")
    }
}

/// The index closest to the highest one that ends in this sequence number (RFC 3711 §3.3.1); `None` below zero.
fn nearest(highest: u64, sequence: u16) -> Option<u64> {
    highest.checked_add_signed(i64::from(sequence.wrapping_sub(highest as u16) as i16))
}
