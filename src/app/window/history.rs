//! Recent calls, newest first, kept in `history.json` of the configuration folder.

use super::locale::when;
use crate::ui::snapshot::{HistoryEntry, HistoryKind, Locale};
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const FILE: &str = "history.json";
/// Calls kept; older ones are forgotten.
const KEPT: usize = 200;
/// A file this large is not one of ours.
const LIMIT: u64 = 256 * 1024;

/// One finished call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub peer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_name: Option<String>,
    pub kind: Kind,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
}

/// [`HistoryKind`] on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Incoming,
    Outgoing,
    Missed,
    AnsweredElsewhere,
    Failed,
}

/// The list and its file.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    entries: Vec<Finished>,
}

impl History {
    /// Reads the list; a file that cannot be understood counts as none.
    pub fn load(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let small = fs::metadata(&path).is_ok_and(|file| file.len() <= LIMIT);
        let read = || serde_json::from_slice(&fs::read(&path).ok()?).ok();
        let mut entries: Vec<Finished> = if small { read().unwrap_or_default() } else { vec![] };
        entries.truncate(KEPT);
        Self { path, entries }
    }

    /// Puts a call on top and writes the list.
    ///
    /// # Errors
    /// The file could not be written; the list holds until the end of the program.
    pub fn add(&mut self, call: Finished) -> io::Result<()> {
        self.entries.insert(0, call);
        self.entries.truncate(KEPT);
        self.save()
    }

    /// Forgets all calls.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn clear(&mut self) -> io::Result<()> {
        self.entries.clear();
        self.save()
    }

    /// As the window shows it.
    pub fn shown(&self, now: &Zoned, locale: Locale) -> Vec<HistoryEntry> {
        let entry = |call: &Finished| HistoryEntry {
            peer: call.peer.clone(),
            peer_name: call.peer_name.clone(),
            kind: match call.kind {
                Kind::Incoming => HistoryKind::Incoming,
                Kind::Outgoing => HistoryKind::Outgoing,
                Kind::Missed => HistoryKind::Missed,
                Kind::AnsweredElsewhere => HistoryKind::AnsweredElsewhere,
                Kind::Failed => HistoryKind::Failed,
            },
            when: when(call.at, now, locale),
            duration_s: call.duration_s,
        };
        self.entries.iter().map(entry).collect()
    }

    /// Whole or not at all: a new file takes the old one's place.
    fn save(&self) -> io::Result<()> {
        let new = self.path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec(&self.entries)?)?;
        fs::rename(&new, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(peer: &str) -> Finished {
        let at = "2026-11-22T08:42:00Z".parse().expect("a time");
        Finished { peer: peer.into(), peer_name: None, kind: Kind::Missed, at, duration_s: None }
    }

    #[test]
    fn calls_come_back_newest_first_and_bounded() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut history = History::load(folder.path());
        for number in 0..KEPT + 5 {
            history.add(call(&number.to_string())).expect("written");
        }
        let again = History::load(folder.path());
        assert_eq!(again.entries, history.entries);
        assert_eq!((again.entries.len(), again.entries[0].peer.as_str()), (KEPT, "204"));
        history.clear().expect("written");
        assert_eq!(History::load(folder.path()).entries, []);
    }

    #[test]
    fn a_damaged_file_is_no_history() {
        let folder = tempfile::tempdir().expect("a folder");
        for damage in [&b""[..], b"[{\"peer\":", b"{}", b"\xff\xfe", &vec![b'['; 300 * 1024]] {
            fs::write(folder.path().join(FILE), damage).expect("written");
            assert_eq!(History::load(folder.path()).entries, []);
        }
    }
}
