//! What the ear got of the last day, in a small file: a restart must not make the estimate forget.

use crate::{
    config::folder::{Durable, write_whole},
    media::voice::{Exposure, ExposureMeter, ExposureRecord},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::timeout};

/// A file larger than that is not ours.
const LARGEST: u64 = 16 * 1024;
/// How long the disk is waited for at the end.
const LAST_WRITE: Duration = Duration::from_millis(500);

/// Calls do not wait for the disk: one thread at a time writes.
#[derive(Debug)]
pub(super) struct ExposureFile {
    file: Option<PathBuf>,
    kept: Kept,
    /// What is not on the disk yet; a later note takes the place of an earlier one.
    waiting: Arc<Mutex<Waiting>>,
    writer: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    latest: Option<Kept>,
    /// A writer is at work and looks here before it ends.
    is_seen_to: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
        Self { file, kept: kept.unwrap_or_default(), waiting: Arc::default(), writer: JoinSet::new() }
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

    /// To be called within the driver's runtime.
    pub(super) fn note(&mut self, now: Timestamp, heard: ExposureRecord) {
        self.kept = Kept { at: now, heard };
        let Some(file) = self.file.clone() else { return };
        let mut waiting = lock(&self.waiting);
        waiting.latest = Some(self.kept.clone());
        if !std::mem::replace(&mut waiting.is_seen_to, true) {
            // The one before has ended.
            while self.writer.try_join_next().is_some() {}
            let waiting = Arc::clone(&self.waiting);
            self.writer.spawn_blocking(move || write_latest(&file, &waiting));
        }
    }

    /// The last note is on the disk, unless that takes too long.
    pub(super) async fn settle(&mut self) {
        let written = async { while self.writer.join_next().await.is_some() {} };
        if timeout(LAST_WRITE, written).await.is_err() {
            tracing::warn!("the disk is slow, so the last minutes' sound exposure may be forgotten");
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Until nothing is left to write.
fn write_latest(file: &Path, waiting: &Mutex<Waiting>) {
    loop {
        let next = {
            let mut waiting = lock(waiting);
            waiting.is_seen_to = waiting.latest.is_some();
            waiting.latest.take()
        };
        let Some(kept) = next else { return };
        let written = serde_json::to_vec(&kept).map_err(io::Error::from);
        if let Err(error) = written.and_then(|kept| write_whole(file, &kept, Durable::No)) {
            tracing::warn!("the day's sound exposure cannot be written down, so a restart would forget it: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
    }

    #[test]
    fn the_next_start_knows_and_damage_does_no_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Some(folder.path().join("exposure.json"));
        let (clock, now) = (Instant::now(), Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let mut meter = ExposureMeter::new(clock);
        (0..6_000).for_each(|_| meter.hear(clock, &[0.1; 480]));
        runtime().block_on(async {
            let mut noting = ExposureFile::read(file.clone());
            noting.note(now, meter.record());
            noting.settle().await;
        });
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

    #[test]
    fn nobody_waits_for_a_slow_disk_and_the_latest_note_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("exposure.json");
        let at = |seconds| Timestamp::UNIX_EPOCH + Duration::from_secs(seconds);
        let read = || ExposureFile::read(Some(file.clone())).kept.at;
        let mut noting = ExposureFile::read(Some(file.clone()));
        runtime().block_on(async {
            // A writer that is busy with an earlier note: nothing else is begun, and the last is what it finds.
            lock(&noting.waiting).is_seen_to = true;
            (1..=50).for_each(|n| noting.note(at(n), ExposureRecord::default()));
            assert!(noting.writer.is_empty() && !file.exists());
            write_latest(&file, &noting.waiting);
            assert_eq!((read(), lock(&noting.waiting).is_seen_to), (at(50), false));
            (51..=99).for_each(|n| noting.note(at(n), ExposureRecord::default()));
            noting.settle().await;
            assert_eq!(read(), at(99));
        });
    }
}
