//! A session's recording: what is recorded of both sides, and the tone that both hear meanwhile.

use super::Report;
use crate::media::{
    dsp::tone::ToneSource,
    engine::Tone,
    record::{Recorder, Trouble, Writer},
};

/// See the module; the default records nothing.
#[derive(Default)]
pub(super) struct Recording {
    recorder: Option<Recorder>,
    /// What the other side hears of the tone, and what we do; none without one.
    tones: Option<Box<[ToneSource; 2]>>,
}

impl Recording {
    /// Ends, for another to begin in its place if there is one. Returns who completes the file there was.
    pub(super) fn set(&mut self, recorder: Option<Recorder>) -> Option<Writer> {
        let has_tone = recorder.as_ref().is_some_and(Recorder::has_tone);
        self.tones = has_tone.then(|| Box::new([(); 2].map(|()| ToneSource::new(Tone::Recording))));
        std::mem::replace(&mut self.recorder, recorder).map(Recorder::finish)
    }

    /// Adds the tone to what the other side is to hear. Where it does not hear us, the tone begins anew once it does: what it says
    /// then is recorded.
    pub(super) fn sound_there(&mut self, said: &mut [f32], hears_us: bool) {
        match self.tones.as_deref_mut() {
            Some([there, _]) if hears_us => {
                there.mix(said);
                said.iter_mut().for_each(|sample| *sample = sample.clamp(-1.0, 1.0));
            }
            Some([there, _]) => *there = ToneSource::new(Tone::Recording),
            None => {}
        }
    }

    /// Adds the tone to what is heard here.
    pub(super) fn sound_here(&mut self, heard: &mut [f32]) {
        if let Some([_, here]) = self.tones.as_deref_mut() {
            here.mix(heard);
        }
    }

    /// What the other side got from here.
    pub(super) fn said(&mut self, samples: &[f32]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.said(samples);
        }
    }

    /// What came from the other side.
    pub(super) fn heard(&mut self, samples: &[f32]) {
        if let Some(recorder) = &mut self.recorder {
            recorder.heard(samples);
        }
    }

    /// Tells what is wrong with it, each thing once. One that has failed is over.
    pub(super) fn tell_trouble(&mut self, report: &mut impl FnMut(Report)) {
        match self.recorder.as_mut().and_then(Recorder::poll_trouble) {
            None => {}
            Some(Trouble::Gaps(notice)) => report(Report::Notice(notice)),
            Some(Trouble::Over(ended)) => {
                *self = Self::default();
                report(Report::Recorded(ended));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{BLOCK, dsp::power};

    /// What it says after a hold is recorded, so the tone comes before.
    #[test]
    fn the_other_side_hears_the_tone_as_soon_as_it_hears_us_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut recording = Recording::default();
        recording.set(Some(Recorder::create(&dir.path().join("call.wav"), true).expect("a file")));
        let mut heard_at = Vec::new();
        for n in 0..1_000_usize {
            let held = n < 300 || (600..700).contains(&n);
            let mut said = [0.0; BLOCK];
            recording.sound_there(&mut said, !held);
            if power(&said) > 0.0 {
                heard_at.push(n);
                assert!(!held);
            }
        }
        assert!([300, 700].iter().all(|n| heard_at.contains(n) || heard_at.contains(&(n + 1))), "{heard_at:?}");
        assert_eq!(heard_at.iter().filter(|n| (400..600).contains(*n)).count(), 0, "then not for 15 seconds");
    }
}
