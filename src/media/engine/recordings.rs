//! Recordings that are over and not complete on disk yet.

use super::{EngineEvent, SessionId};
use crate::media::record::Writer;
use std::time::{Duration, Instant};

/// How often they are looked after: nothing wakes the engine's thread when a file is complete, or cannot be.
const LOOK_AFTER: Duration = Duration::from_millis(50);

#[derive(Default)]
pub struct Recordings(Vec<(SessionId, Writer)>);

impl Recordings {
    /// The recording of this session is over.
    pub fn push(&mut self, session: SessionId, writer: Writer) {
        self.0.push((session, writer));
    }

    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        (!self.0.is_empty()).then(|| now + LOOK_AFTER)
    }

    /// Tells which are complete, or cannot be.
    pub fn look_after(&mut self, emit: &impl Fn(EngineEvent)) {
        self.0.retain(|(session, writer)| match writer.wait(Duration::ZERO) {
            None => true,
            Some(ended) => {
                emit(EngineEvent::Recorded { session: *session, ended });
                false
            }
        });
    }

    /// There is no later for them than `patience` from now.
    pub fn complete(&mut self, patience: Duration, clock: impl Fn() -> Instant, emit: &impl Fn(EngineEvent)) {
        let until = clock() + patience;
        for (session, writer) in self.0.drain(..) {
            let ended = writer.wait(until.saturating_duration_since(clock())).unwrap_or_else(|| writer.cut_off());
            emit(EngineEvent::Recorded { session, ended });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{
        BLOCK,
        record::{Ended, Recorder},
    };
    use std::cell::RefCell;

    #[test]
    fn one_that_is_over_is_told_once_when_it_is_complete() {
        let directory = tempfile::tempdir().expect("a directory");
        let (told, now) = (RefCell::default(), Instant::now());
        let emit = |event| RefCell::<Vec<_>>::borrow_mut(&told).push(event);
        let mut recordings = Recordings::default();
        assert_eq!(recordings.poll_timeout(now), None);
        let file = directory.path().join("call.wav");
        let mut recorder = Recorder::create(&file, false).expect("a file");
        recorder.heard(&[0.1; BLOCK]);
        recordings.push(7, recorder.finish());
        let end = now + Duration::from_secs(30);
        while recordings.poll_timeout(now) == Some(now + LOOK_AFTER) {
            assert!(Instant::now() < end && told.borrow().is_empty());
            recordings.look_after(&emit);
            std::thread::yield_now();
        }
        recordings.complete(Duration::ZERO, Instant::now, &emit);
        let told = told.into_inner();
        let [EngineEvent::Recorded { session: 7, ended: Ended { file: of, outcome: Ok(None) } }] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(of, &file);
        assert_eq!(hound::WavReader::open(of).expect("complete").duration() as usize, BLOCK);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_disk_does_not_take_is_told_with_the_failure() {
        let told = RefCell::default();
        let emit = |event| RefCell::<Vec<_>>::borrow_mut(&told).push(event);
        let mut recordings = Recordings::default();
        let mut recorder = Recorder::to_a_full_disk();
        recorder.heard(&[0.1; BLOCK]);
        recordings.push(7, recorder.finish());
        recordings.complete(Duration::from_secs(30), Instant::now, &emit);
        let told = told.into_inner();
        let [EngineEvent::Recorded { session: 7, ended: Ended { outcome: Err(why), .. } }] = &told[..] else {
            panic!("{told:?}")
        };
        assert!(why.text.contains("No space left"), "{}", why.text);
    }
}
