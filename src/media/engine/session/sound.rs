//! The sound of a session, between the cards and its stream: what is said and heard, recorded, and passed on in a conference.

use super::{Report, Session, stream::Stream};
use crate::media::{
    plan::Direction,
    record::{Recorder, Writer},
};
use std::time::{Duration, Instant};

impl Session {
    pub fn mute(&mut self, on: bool) {
        self.muted = on;
    }

    /// Muted, it takes nothing of what somebody says to the other side.
    pub fn is_talked_to_muted(&self) -> bool {
        let hears_us = |stream: &Stream| stream.plan.hears_us();
        self.muted && self.connected && self.stream.as_deref().is_some_and(hears_us)
    }

    /// Whether the call is one of a conference.
    pub fn join(&mut self, joined: bool) {
        self.member.join(joined);
    }

    /// Takes `count` samples of what was heard for the others of the conference; silence where it was less.
    pub fn pass_on(&mut self, count: usize) -> Vec<f32> {
        self.member.take(count)
    }

    /// Records from now on, or not any more. Returns who completes the file there was.
    pub fn record(&mut self, recorder: Option<Recorder>) -> Option<Writer> {
        self.recording.set(recorder)
    }

    /// Sends what the microphone heard, unless muted, and what the `others` of a conference say.
    pub fn speak(&mut self, microphone: &[f32], others: Option<&[f32]>, report: &mut impl FnMut(Report)) {
        let Some(stream) = &mut self.stream else { return };
        self.said.clear();
        self.said.extend_from_slice(microphone);
        // Muted, silence keeps the stream and its path through NATs alive.
        if self.muted {
            self.said.fill(0.0);
        }
        if let Some(others) = others {
            self.said.iter_mut().zip(others).for_each(|(sum, other)| *sum = (*sum + other).clamp(-1.0, 1.0));
        }
        self.recording.sound_there(&mut self.said, stream.plan.hears_us());
        let (rtp, reach) = (&self.ports.rtp, &mut self.reach);
        stream.say(&self.said, |datagram, way| reach.send(rtp, datagram, way));
        while stream.sender.keys_finished() {
            report(Report::KeysSent);
        }
        if !stream.plan.hears_us() {
            self.said.fill(0.0);
        }
        self.recording.said(&self.said);
    }

    /// Adds 10 ms of what the peer says to `mix`, asked for at `now`; `block` is room to work in.
    pub fn listen(&mut self, now: Instant, block: &mut [f32], mix: &mut [f32]) {
        let Some(stream) = &mut self.stream else { return };
        if stream.plan.direction.receives() {
            stream.play(now, block);
            self.recording.heard(block);
            // What is played to us on hold is for nobody else.
            let talks = stream.plan.direction == Direction::SendRecv;
            if talks {
                self.member.hear(block);
            }
            self.recording.sound_here(block);
            if talks {
                self.member.push(block);
            }
            mix.iter_mut().zip(block).for_each(|(sum, sample)| *sum += *sample);
        }
    }

    /// The microphone gave sound of so many milliseconds.
    pub fn microphone_lives(&mut self, ms: u64) {
        if let Some(stream) = &mut self.stream {
            stream.here.said_ms += ms;
        }
    }

    /// This computer was late for the sound, or had no device for it, for so long.
    pub fn suffered(&mut self, stalled: Duration, absent: Duration) {
        if let Some(stream) = &mut self.stream {
            stream.here.stalled_ms += stalled.as_millis() as u64;
            stream.here.absent_ms += absent.as_millis() as u64;
        }
    }
}
