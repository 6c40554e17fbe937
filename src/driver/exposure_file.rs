//! What the ear got of the last day, in a small file: a restart must not make the estimate forget.

use crate::media::voice::{Exposure, ExposureMeter, ExposureRecord};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

/// A file larger than that is not ours.
const LARGEST: u64 = 16 * 1024;

#[derive(Debug)]
pub(super) struct ExposureFile {
    file: Option<PathBuf>,
    kept: Kept,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// When it was noted.
    at: Timestamp,
    heard: ExposureRecord,
}

impl ExposureFile {
    pub(super) fn read(file: Option<PathBuf>) -> Self {
        let good = |file: &&PathBuf| fs::metadata(file).is_ok_and(|found| found.len() <= LARGEST);
        let kept = file.as_ref().filter(good).and_then(|file| {
            let damaged = |why: &dyn std::fmt::Display| {
                tracing::warn!("{} cannot be read, so the day's sound exposure begins anew: {why}", file.display());
            };
            let bytes = fs::read(file).inspect_err(|e| damaged(e)).ok()?;
            serde_json::from_slice(&bytes).inspect_err(|e| damaged(e)).ok()
        });
        Self { file, kept: kept.unwrap_or_default() }
    }

    /// What was noted last, and how long ago. A clock that was set back makes it new.
    pub(super) fn last(&self, now: Timestamp) -> (ExposureRecord, Duration) {
        let age = now.duration_since(self.kept.at);
        (self.kept.heard.clone(), Duration::try_from(age).unwrap_or_default())
    }

    /// The figures that follow from it.
    pub(super) fn exposure(&self, now: Timestamp, clock: Instant) -> Exposure {
        let (mut meter, (record, age)) = (ExposureMeter::new(clock), self.last(now));
        meter.restore(clock, &record, age);
        meter.exposure()
    }

    pub(super) fn note(&mut self, now: Timestamp, heard: ExposureRecord) {
        self.kept = Kept { at: now, heard };
        if let Err(error) = self.write() {
            tracing::warn!("the day's sound exposure cannot be written down, so a restart would forget it: {error}");
        }
    }

    fn write(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let beside = file.with_extension("new");
        fs::write(&beside, serde_json::to_vec(&self.kept)?)?;
        fs::rename(beside, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_start_knows_and_damage_does_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Some(folder.path().join("exposure.json"));
        let (clock, now) = (Instant::now(), Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let mut meter = ExposureMeter::new(clock);
        (0..6_000).for_each(|_| meter.hear(clock, &[0.1; 480]));
        ExposureFile::read(file.clone()).note(now, meter.record());
        let heard = |later: u64| {
            ExposureFile::read(file.clone()).exposure(now + Duration::from_secs(later * 3_600), clock).heard.as_secs()
        };
        assert_eq!((heard(0), heard(23), heard(24)), (60, 60, 0));
        for damaged in ["", "{", "[]", r#"{"at":"x","heard":{"hours":[]}}"#] {
            fs::write(folder.path().join("exposure.json"), damaged).expect("written");
            assert_eq!(heard(0), 0, "{damaged}");
        }
        ExposureFile::read(None).note(now, meter.record());
    }
}
