//! A small file of the calls that are under way: what a program that fell has left standing, the next one ends.

use crate::{
    config::folder::{Durable, write_whole},
    sip::dialog::DialogRecord,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, Instant},
};

/// A file larger than that is not ours; calls at once are bounded far below.
const LARGEST: u64 = 256 * 1024;

/// No call lasts longer, and a registration that has not come back by then does not keep others from being written.
const OLDEST: Duration = Duration::from_hours(8);

/// Changes within this time are written down together: a busy phone does not wait for its disk at every call.
const SOON: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Orphans {
    file: Option<PathBuf>,
    /// Of the program before this one.
    left: Option<Kept>,
    written: Vec<DialogRecord>,
    /// When calls that have changed are to be noted.
    due: Option<Instant>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// Whose calls they are; its credentials are needed to end them.
    registration: String,
    dialogs: Vec<DialogRecord>,
}

impl Orphans {
    pub(super) fn read(file: Option<PathBuf>) -> Self {
        let is_young =
            |found: &fs::Metadata| found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < OLDEST));
        let good = |file: &&PathBuf| fs::metadata(file).is_ok_and(|found| found.len() <= LARGEST && is_young(&found));
        let left = file.as_ref().filter(good).and_then(|file| {
            let damaged = |why: &dyn std::fmt::Display| {
                tracing::warn!("{} cannot be read, so the calls in it stay as they are: {why}", file.display());
            };
            let bytes = fs::read(file).inspect_err(|e| damaged(e)).ok()?;
            serde_json::from_slice(&bytes).inspect_err(|e| damaged(e)).ok()
        });
        Self { file, left, written: Vec::new(), due: None }
    }

    /// What is to be ended, now that `registration` is online; once.
    pub(super) fn take(&mut self, registration: &str) -> Option<Vec<DialogRecord>> {
        let left = self.left.take_if(|left| left.registration == registration)?;
        if let Some(Err(error)) = self.file.as_ref().map(fs::remove_file) {
            tracing::warn!("the calls that were left standing are ended, but their file cannot be removed: {error}");
        }
        Some(left.dialogs).filter(|dialogs| !dialogs.is_empty())
    }

    /// A call has changed: they are to be noted soon.
    pub(super) fn changed(&mut self, now: Instant) {
        self.due.get_or_insert(now + SOON);
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Whether they are to be noted now, or, with `None`, because there is no later; once.
    pub(super) fn is_due(&mut self, now: Option<Instant>) -> bool {
        self.due.take_if(|due| now.is_none_or(|now| *due <= now)).is_some()
    }

    /// The calls of `registration` that are under way.
    pub(super) fn note(&mut self, registration: &str, dialogs: Vec<DialogRecord>) {
        // What is not ended yet must not be forgotten: the old ones stay until their registration is online.
        if dialogs == self.written || self.left.is_some() {
            return;
        }
        let kept = Kept { registration: registration.to_owned(), dialogs: dialogs.clone() };
        match self.write(&kept) {
            Ok(()) => self.written = dialogs,
            Err(error) => tracing::warn!("calls cannot be written down, so a crash would leave them standing: {error}"),
        }
    }

    fn write(&self, kept: &Kept) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if kept.dialogs.is_empty() {
            return fs::remove_file(file);
        }
        write_whole(file, &serde_json::to_vec(kept)?, Durable::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(call: &str) -> DialogRecord {
        let text = format!(
            r#"{{"call_id":"{call}","local":"<sip:a@x>;tag=1","remote":"<sip:b@x>;tag=2","target":"sip:b@10.0.0.1","routes":["<sip:10.0.0.2;lr>"],"cseq":3}}"#
        );
        serde_json::from_str(&text).expect("a record")
    }

    #[test]
    fn changes_are_noted_together_and_the_last_one_at_the_end() {
        let (mut orphans, now) = (Orphans::read(None), Instant::now());
        assert!(!orphans.is_due(Some(now)) && !orphans.is_due(None));
        orphans.changed(now);
        orphans.changed(now + SOON / 2);
        assert_eq!(orphans.poll_timeout(), Some(now + SOON));
        assert!(!orphans.is_due(Some(now + SOON / 2)) && orphans.is_due(Some(now + SOON)));
        assert_eq!(orphans.poll_timeout(), None);
        orphans.changed(now);
        assert!(orphans.is_due(None) && !orphans.is_due(None));
    }

    #[test]
    fn calls_that_were_left_are_ended_once_by_their_registration() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = Some(folder.path().join("calls.json"));
        let mut first = Orphans::read(file.clone());
        first.note("100", vec![record("one"), record("two")]);
        // It falls. The next one comes online elsewhere first.
        let mut second = Orphans::read(file.clone());
        assert_eq!(second.take("200"), None);
        second.note("200", vec![record("new")]);
        let mut third = Orphans::read(file.clone());
        assert_eq!(third.take("100"), Some(vec![record("one"), record("two")]));
        assert_eq!(third.take("100"), None);
        third.note("100", vec![record("three")]);
        #[cfg(unix)]
        {
            let written = fs::metadata(folder.path().join("calls.json")).expect("written").permissions();
            let mode = std::os::unix::fs::PermissionsExt::mode(&written);
            assert_eq!(mode & 0o777, 0o600, "whom one talks to is nobody else's to read");
        }
        third.note("100", Vec::new());
        assert_eq!(Orphans::read(file.clone()).take("100"), None, "all have ended in good order");
        let bye = record("one").restore().expect("a dialog").request(crate::sip::msg::Method::BYE);
        assert_eq!((bye.uri.to_string().as_str(), bye.headers.get("Call-ID")), ("sip:b@10.0.0.1", Some("one")));
        assert_eq!(bye.headers.get("Route"), Some("<sip:10.0.0.2;lr>"));
        assert!(bye.headers.cseq().expect("readable").number > 3);
        for damaged in ["", "{", "[]", r#"{"registration":"100","dialogs":[{}]}"#] {
            fs::write(folder.path().join("calls.json"), damaged).expect("written");
            assert_eq!(Orphans::read(file.clone()).take("100"), None, "{damaged}");
        }
        Orphans::read(None).note("100", vec![record("one")]);
    }
}
