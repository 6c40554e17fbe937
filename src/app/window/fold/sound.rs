//! How calls sound and what is heard with, in the snapshot.

use super::{Fold, calls::quality};
use crate::{
    driver::api::Event,
    media::{
        check::Step,
        engine::DeviceList,
        evidence::{Fault, Verdict},
        voice,
    },
    ui::{
        snapshot::{Call, Check, Finding, Heard},
        text::{fill, t},
    },
};
use std::sync::Arc;

impl Fold {
    pub(super) fn sound(&mut self, event: Event) {
        match event {
            Event::Muted { call, on } => self.with_call(call, |shown| shown.muted = on),
            Event::Stats { call, stats, last, .. } => self.with_call(call, |shown| {
                // While nothing comes there is none; a call that is over keeps what was known of it.
                let before = shown.quality.take().filter(|_| last);
                shown.quality = quality(&stats).or(before);
            }),
            Event::Levels { microphone, speaker } if self.meters => {
                self.snapshot.audio.microphone_level = microphone;
                self.snapshot.audio.speaker_level = speaker;
            }
            Event::Check(step) => self.snapshot.audio.check = Some(check(step)),
            Event::Devices(devices) => self.devices(devices),
            Event::Exposure { exposure, .. } => {
                let level = format!("{:.0}", exposure.level_db);
                let share = format!("{:.0}", 100.0 * exposure.share());
                self.snapshot.audio.exposure = Some(fill(t().exposure, &[&level, &share, voice::ASSUMPTION]));
            }
            _ => {}
        }
    }

    /// Whose fault it is; of a call that is `over`, what is to be remembered of how it sounded.
    pub(super) fn judged(&mut self, call: u32, verdict: Verdict, over: bool) -> Option<(u32, Arc<Heard>)> {
        let shown = self.snapshot.calls.iter_mut().find(|shown| shown.id == call)?;
        // Of a call that nothing was heard of, nobody's fault is nothing to tell.
        let good = verdict.fault == Fault::Nobody;
        let tells = !good || over && shown.quality.is_some();
        shown.verdict = tells.then_some(Finding { good, words: verdict.words });
        over.then(|| heard(shown)).flatten().map(|heard| (call, heard))
    }

    /// Nobody goes on with a check whose driver is gone; what it found stays to be read.
    pub fn drop_check(&mut self) {
        self.snapshot.audio.check.take_if(|check| !matches!(check, Check::Done(_)));
    }

    fn devices(&mut self, devices: DeviceList) {
        let audio = &mut self.snapshot.audio;
        let none = devices.microphones.is_empty() && devices.speakers.is_empty();
        audio.problem = none.then(|| t().no_sound_card.to_owned());
        (audio.microphones, audio.speakers) = (devices.microphones, devices.speakers);
    }
}

/// How a call sounded, as far as that is known.
pub(super) fn heard(call: &Call) -> Option<Arc<Heard>> {
    let (quality, codec, verdict) = (call.quality.clone(), call.codec.clone(), call.verdict.clone());
    let is_known = quality.is_some() || verdict.is_some();
    is_known.then(|| Arc::new(Heard { quality, codec, verdict, course: call.course.clone() }))
}

fn check(step: Step) -> Check {
    match step {
        Step::Speak => Check::Speak,
        Step::Headset => Check::Headset,
        Step::Ringer => Check::Ringer,
        Step::Network => Check::Network,
        Step::Done(findings) => {
            let shown = findings.into_iter().map(|finding| Finding { good: finding.good, words: finding.words });
            Check::Done(shown.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::window::fold::Moment;
    use jiff::Timestamp;
    use std::time::Instant;

    #[test]
    fn a_check_ends_with_its_driver_and_what_it_found_stays() {
        for (step, remains) in [(Step::Network, None), (Step::Done(vec![]), Some(Check::Done(vec![])))] {
            let mut fold = Fold::default();
            let at = Moment { now: Instant::now(), wall: Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC) };
            fold.handle_event(&at, Event::Check(step));
            assert!(fold.snapshot.audio.check.is_some());
            fold.handle_event(&at, Event::Stopped { failure: None });
            assert_eq!(fold.snapshot.audio.check, remains);
        }
    }
}
