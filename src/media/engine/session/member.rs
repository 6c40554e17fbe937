//! A session's part in a conference: what it says to the others, and whether it speaks.

use super::Report;
use crate::media::{engine::passage::Passage, voice::SpeechActivity};

/// See the module; the default has no part in any.
#[derive(Default)]
pub(super) struct Member {
    /// What was heard, for the others; and whether it is speech.
    joined: Option<Box<(Passage, SpeechActivity)>>,
    /// They have begun to speak, or are quiet: to be told.
    speaks: Option<bool>,
}

impl Member {
    pub(super) fn join(&mut self, joined: bool) {
        if joined != self.joined.is_some() {
            self.hush();
            self.joined = joined.then(Default::default);
        }
    }

    /// Nobody is heard from now on: whoever spoke has ended.
    pub(super) fn hush(&mut self) {
        if self.joined.as_mut().is_some_and(|joined| joined.1.end()) {
            self.speaks = Some(false);
        }
    }

    /// Judges by a block of what is heard whether it is speech.
    pub(super) fn hear(&mut self, block: &[f32]) {
        if let Some((_, activity)) = self.joined.as_deref_mut() {
            self.speaks = activity.hear(block).or(self.speaks);
        }
    }

    /// A block for the others.
    pub(super) fn push(&mut self, block: &[f32]) {
        if let Some((passage, _)) = self.joined.as_deref_mut() {
            passage.push(block);
        }
    }

    /// Takes `count` samples for the others; silence where it was less.
    pub(super) fn take(&mut self, count: usize) -> Vec<f32> {
        self.joined.get_or_insert_default().0.take(count)
    }

    /// Tells whether it speaks, where that has changed.
    pub(super) fn tell(&mut self, report: &mut impl FnMut(Report)) {
        if let Some(on) = self.speaks.take() {
            report(Report::Speaks(on));
        }
    }
}
