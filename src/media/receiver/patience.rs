//! How many packets more than the network's jitter asks for are waited for, where what follows a lost one is of use.

use crate::media::plan::Codec;

/// From these shares of lost packets on, one packet more is waited for, where it helps. In Opus the next one carries a copy; of a
/// codec without, what follows shows where the gap leads, and of what is late on a jittery network that is lost, too.
const OPUS_WAITS: &[f64] = &[0.005];
/// Copies (RFC 2198) come up to two packets later, and tell by their own in-band copies of the packet before, too.
const COPIES_WAIT: &[f64] = &[0.005, 0.005, 0.1];
const OTHERS_WAIT: &[f64] = &[0.03, 0.1];
/// Where packets look back further (DRED), bursts are waited for; the longest gap that is filled so is of 120 ms.
const DEEP_WAITS: &[f64] = &[0.005, 0.02, 0.05];
pub const LONGEST_WAIT_MS: f64 = 120.0;
/// So many packets may come that don't look back before that is no longer counted on.
const DEEP_FOR: u32 = 250;
/// Waiting ends at this share of what it began at: each change of the delay is heard more than the delay.
const LOSS_GONE: f64 = 0.25;
/// Share of a new packet in the losses lately: about 4 s.
const LOST_WEIGHT: f64 = 0.005;

/// See the module.
#[derive(Debug, Default)]
pub struct Patience {
    /// Share of packets that the network lost, whether or not something restored them.
    lost_lately: f64,
    waits: usize,
    /// Packets carry copies of those before.
    copies: bool,
    /// Packets that are still taken to look back further.
    deep_for: u32,
}

impl Patience {
    /// Packets that are waited for.
    pub const fn waits(&self) -> usize {
        self.waits
    }

    /// A packet of `packet_ms` came (0) or was lost (1).
    pub fn count(&mut self, lost: f64, codec: Option<Codec>, packet_ms: f64) {
        self.lost_lately += (lost - self.lost_lately) * LOST_WEIGHT;
        let helps_from = match codec {
            Some(Codec::Opus) if self.copies => COPIES_WAIT,
            Some(Codec::Opus) if self.deep_for > 0 => {
                &DEEP_WAITS[..DEEP_WAITS.len().min((LONGEST_WAIT_MS / packet_ms) as usize)]
            }
            Some(Codec::Opus) => OPUS_WAITS,
            _ => OTHERS_WAIT,
        };
        let (waits, lately) = (self.waits, self.lost_lately);
        let seen = |&(n, from): &(usize, &f64)| lately > if n < waits { from * LOSS_GONE } else { *from };
        self.waits = helps_from.iter().enumerate().filter(seen).count();
    }

    /// Whether the packet that came is of those that carry copies.
    pub const fn carries_copies(&mut self, carries: bool) {
        self.copies = carries;
    }

    /// Whether the packet that is played is of those that look back further.
    pub const fn looks_back(&mut self, looks: bool) {
        self.deep_for = if looks { DEEP_FOR } else { self.deep_for.saturating_sub(1) };
    }

    /// A packet came that had been taken for lost: to wait for what follows it would be of no use.
    pub fn came_after_all(&mut self) {
        self.lost_lately = (self.lost_lately - LOST_WEIGHT).max(0.0);
    }

    /// The stream begins anew, or ends.
    pub const fn restart(&mut self) {
        (self.waits, self.lost_lately, self.copies) = (0, 0.0, false);
    }
}
