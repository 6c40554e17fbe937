//! Recent calls, newest first, kept in `history.json` of the configuration folder.

use super::locale::when;
use crate::{
    config::{
        ConfigError,
        folder::{ConfigFolder, Durable},
    },
    ui::snapshot::{Heard, HistoryEntry, HistoryKind, Locale},
};
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

const FILE: &str = "history.json";
/// Calls kept; older ones are forgotten.
const KEPT: usize = 200;
/// A file this large is not one of ours.
const LIMIT: u64 = 256 * 1024;

/// One finished call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub peer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_by: Option<String>,
    pub kind: Kind,
    pub at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<u64>,
    /// How it ended, a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its number in this process.
    #[serde(skip)]
    pub call: Option<u32>,
    #[serde(skip)]
    pub heard: Option<Arc<Heard>>,
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
    folder: Arc<ConfigFolder>,
    entries: Vec<Finished>,
    /// Calls counted so far: the newest entry's number.
    count: u64,
}

impl History {
    /// Reads the list. A file that cannot be understood is put aside and answered by an empty list and a sentence for the user.
    pub fn load(folder: Arc<ConfigFolder>) -> (Self, Option<String>) {
        let read = match folder.read(FILE, LIMIT) {
            Ok(None) => Ok(vec![]),
            Ok(Some(bytes)) => serde_json::from_slice::<Vec<Finished>>(&bytes).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        let (mut entries, damage) = match read {
            Ok(entries) => (entries, None),
            Err(damage) => (vec![], Some(damage)),
        };
        let said = damage.map(|damage| {
            let aside = folder.set_aside(FILE);
            format!(
                "The recent calls could not be read ({damage}), so the list starts empty; the damaged file is kept as {}.",
                aside.display()
            )
        });
        entries.truncate(KEPT);
        let count = entries.len() as u64;
        (Self { folder, entries, count }, said)
    }

    /// Puts a call on top and writes the list.
    ///
    /// # Errors
    /// The file could not be written; the list holds until the end of the program.
    pub fn add(&mut self, call: Finished) -> Result<(), ConfigError> {
        self.count += 1;
        self.entries.insert(0, call);
        self.entries.truncate(KEPT);
        self.save()
    }

    /// How a call sounded is known soon after its end, and as long as the program runs.
    pub fn heard(&mut self, call: u32, heard: Arc<Heard>) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.call == Some(call)) {
            entry.heard = Some(heard);
        }
    }

    /// Another softphone counts its calls anew.
    pub fn forget_numbers(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.call = None);
    }

    /// Forgets all calls.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn clear(&mut self) -> Result<(), ConfigError> {
        self.entries.clear();
        self.save()
    }

    /// As the window shows it.
    pub fn shown(&self, now: &Zoned, locale: Locale) -> Vec<HistoryEntry> {
        let entry = |(age, call): (u64, &Finished)| HistoryEntry {
            id: self.count - age,
            peer: call.peer.clone(),
            peer_name: call.peer_name.clone(),
            called: call.called.clone(),
            forwarded_by: call.forwarded_by.clone(),
            kind: match call.kind {
                Kind::Incoming => HistoryKind::Incoming,
                Kind::Outgoing => HistoryKind::Outgoing,
                Kind::Missed => HistoryKind::Missed,
                Kind::AnsweredElsewhere => HistoryKind::AnsweredElsewhere,
                Kind::Failed => HistoryKind::Failed,
            },
            when: when(call.at, now, locale),
            duration_s: call.duration_s,
            reason: call.reason.clone(),
            call: call.call,
            heard: call.heard.clone(),
        };
        (0..).zip(&self.entries).map(entry).collect()
    }

    fn save(&self) -> Result<(), ConfigError> {
        let text = serde_json::to_vec(&self.entries).expect("strings, numbers and times always serialise");
        self.folder.write(FILE, &text, Durable::Yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::snapshot::Finding;

    fn call(peer: &str) -> Finished {
        let at = "2026-11-22T08:42:00Z".parse().expect("a time");
        Finished {
            peer: peer.into(),
            peer_name: None,
            called: None,
            forwarded_by: None,
            kind: Kind::Missed,
            at,
            duration_s: None,
            reason: None,
            call: None,
            heard: None,
        }
    }

    fn folder() -> (tempfile::TempDir, Arc<ConfigFolder>) {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        (dir, Arc::new(folder))
    }

    #[test]
    fn calls_come_back_newest_first_and_bounded() {
        let (dir, folder) = folder();
        let (mut history, said) = History::load(Arc::clone(&folder));
        assert_eq!(said, None, "no file is no damage");
        for number in 0..KEPT + 5 {
            history.add(call(&number.to_string())).expect("written");
        }
        let again = History::load(Arc::clone(&folder)).0;
        assert_eq!(again.entries, history.entries);
        assert_eq!((again.entries.len(), again.entries[0].peer.as_str()), (KEPT, "204"));
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(dir.path().join(FILE)).expect("there"));
            assert_eq!(mode & 0o777, 0o600, "whom one talks to is nobody else's business");
        }
        let now: Zoned = "2026-11-22T10:50[UTC]".parse().expect("a zoned time");
        let ids = |history: &History| history.shown(&now, Locale::default()).iter().map(|e| e.id).collect::<Vec<_>>();
        let before = ids(&history);
        history.add(call("one more")).expect("written");
        assert_eq!(ids(&history)[1..], before[..KEPT - 1], "each keeps its number");
        history.clear().expect("written");
        assert_eq!(History::load(folder).0.entries, []);
        history.add(call("another")).expect("written");
        assert!(!before.contains(&ids(&history)[0]), "and none is used twice");
    }

    #[test]
    fn how_a_call_sounded_is_known_as_long_as_the_program_runs() {
        let (_dir, folder) = folder();
        let mut history = History::load(Arc::clone(&folder)).0;
        for number in [1, 2] {
            history.add(Finished { call: Some(number), ..call("101") }).expect("written");
        }
        let verdict = Some(Finding { good: false, words: "Nothing came.".into() });
        history.heard(1, Arc::new(Heard { quality: None, codec: None, verdict: verdict.clone(), course: vec![] }));
        history.heard(3, Arc::new(Heard { quality: None, codec: None, verdict: None, course: vec![] }));
        let now: Zoned = "2026-11-22T10:50[UTC]".parse().expect("a zoned time");
        let known = |history: &History| {
            let shown = history.shown(&now, Locale::default());
            shown.iter().map(|entry| entry.heard.as_ref().and_then(|heard| heard.verdict.clone())).collect::<Vec<_>>()
        };
        assert_eq!(known(&history), [None, verdict]);
        assert_eq!(known(&History::load(folder).0), [None, None]);
    }

    #[test]
    fn a_damaged_file_is_kept_aside_and_said() {
        for damage in [&b""[..], b"[{\"peer\":", b"{}", b"\xff\xfe", &vec![b'['; 300 * 1024]] {
            let (dir, folder) = folder();
            std::fs::write(dir.path().join(FILE), damage).expect("written");
            let (history, said) = History::load(folder);
            assert_eq!(history.entries, []);
            assert!(said.is_some_and(|said| said.contains("history.json.bad")));
            assert_eq!(std::fs::read(dir.path().join("history.json.bad")).expect("kept"), damage);
        }
    }
}
