//! The configuration folder: one process at a time, files written whole or not at all.

use super::ConfigError;
use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// The folder, held by this process while this lives.
#[derive(Debug)]
pub struct ConfigFolder {
    path: PathBuf,
    /// The system releases the lock with the file, also when the process is killed.
    _lock: File,
}

impl ConfigFolder {
    /// Opens `dir`, or the platform's folder, creating it (0700) where it is missing.
    ///
    /// # Errors
    /// [`ConfigError::InUse`] when another process holds it.
    pub fn open(dir: Option<&Path>) -> Result<Self, ConfigError> {
        let path = Self::locate(dir)?;
        create_private(&path).map_err(|e| ConfigError::file("create the folder", &path, e))?;
        let lock_path = path.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|e| ConfigError::file("open", &lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(ConfigError::InUse(path)),
            Err(TryLockError::Error(e)) => Err(ConfigError::file("lock", lock_path, e)),
        }
    }

    /// Where the folder is, or will be.
    ///
    /// # Errors
    /// [`ConfigError::NoFolder`] when neither `dir` nor the system names one.
    pub fn locate(dir: Option<&Path>) -> Result<PathBuf, ConfigError> {
        if let Some(dir) = dir {
            return Ok(dir.to_owned());
        }
        let project = directories::ProjectDirs::from("", "", "agent-manager").ok_or(ConfigError::NoFolder)?;
        Ok(project.config_dir().to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A small file's content, `None` where there is none. More than `limit` bytes count as damage (`InvalidData`).
    pub(crate) fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path.join(name)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let mut content = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, limit + 1), &mut content)?;
        if content.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
        }
        Ok(Some(content))
    }

    /// [`write_whole`] for a file of this folder.
    pub(crate) fn write(&self, name: &str, content: &[u8], durable: Durable) -> Result<(), ConfigError> {
        let path = self.path.join(name);
        write_whole(&path, content, durable).map_err(|e| ConfigError::file("write", path, e))
    }

    /// Puts a damaged file aside as `NAME.bad`, replacing an earlier one; where that fails it stays and is overwritten later.
    pub(crate) fn set_aside(&self, name: &str) -> PathBuf {
        let bad = self.path.join(format!("{name}.bad"));
        match fs::rename(self.path.join(name), &bad) {
            Ok(()) => bad,
            Err(_) => self.path.join(name),
        }
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), ConfigError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(ConfigError::file("remove", path, e)),
            _ => Ok(()),
        }
    }

    /// The installation's `+sip.instance` (RFC 5626 §4.1): made once, the same ever after.
    ///
    /// # Errors
    /// When it cannot be written; the caller may go on with a passing one.
    pub fn instance_id(&self) -> Result<String, ConfigError> {
        const NAME: &str = "instance-id";
        let stored = self.read(NAME, 100).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some(id) = stored.as_deref().map(str::trim).filter(|id| is_instance_id(id)) {
            return Ok(id.to_owned());
        }
        let id = format!("urn:uuid:{}", uuid::Uuid::new_v4());
        // Not synced: it would cost the first start more than everything else, and a lost one is only made anew.
        self.write(NAME, id.as_bytes(), Durable::No)?;
        Ok(id)
    }
}

/// Whether a write must survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    Yes,
    No,
}

fn is_instance_id(text: &str) -> bool {
    text.strip_prefix("urn:uuid:").is_some_and(|id| uuid::Uuid::try_parse(id).is_ok())
}

/// A folder, and those above it that are missing, for this user only.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes a file, 0600, so that at any moment either the old or the new content is there, whole.
pub(crate) fn write_whole(path: &Path, content: &[u8], durable: Durable) -> io::Result<()> {
    let new = path.with_added_extension("new");
    let written = create_file(&new).and_then(|mut file| {
        file.write_all(content)?;
        if durable == Durable::Yes {
            file.sync_all()?;
        }
        fs::rename(&new, path)
    });
    // Half a file is of no use; that it cannot be removed either is not worth a second sentence.
    written.inspect_err(|_| drop(fs::remove_file(&new)))
}

fn create_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_process() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let first = ConfigFolder::open(Some(dir.path())).expect("free");
        let second = ConfigFolder::open(Some(dir.path())).expect_err("held");
        assert!(second.to_string().contains("another Agent Manager"), "{second}");
        drop(first);
        ConfigFolder::open(Some(dir.path())).expect("free again");
    }

    #[test]
    fn the_instance_id_stays_the_same() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        let id = folder.instance_id().expect("made");
        assert!(is_instance_id(&id));
        assert_eq!(folder.instance_id().expect("read"), id);
        for damaged in ["", "urn:uuid:", "urn:uuid:xyz\r\nVia: x", "\u{0}"] {
            fs::write(dir.path().join("instance-id"), damaged).expect("damage");
            let fresh = folder.instance_id().expect("made anew");
            assert!(is_instance_id(&fresh) && fresh != id, "{damaged:?}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_the_old_one() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        folder.write("a", b"old", Durable::Yes).expect("written");
        // A folder in the new file's place makes every write fail, root or not.
        fs::create_dir(dir.path().join("a.new")).expect("obstacle");
        let said = folder.write("a", b"new", Durable::Yes).expect_err("blocked").to_string();
        assert!(said.contains("cannot write") && said.contains("--config-dir"), "{said}");
        assert_eq!(folder.read("a", 10).expect("readable").as_deref(), Some(&b"old"[..]));
        assert_eq!(folder.read("a", 2).expect_err("too large").kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_says_so_and_leaves_the_old_file() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let folder = ConfigFolder::open(Some(dir.path())).expect("free");
        folder.write("a", b"old", Durable::Yes).expect("written");
        for durable in [Durable::Yes, Durable::No] {
            std::os::unix::fs::symlink("/dev/full", dir.path().join("a.new")).expect("a full disk");
            let said = folder.write("a", b"new", durable).expect_err("full").to_string();
            assert!(said.ends_with("free some space and try again"), "{said}");
            assert_eq!(folder.read("a", 10).expect("readable").as_deref(), Some(&b"old"[..]));
        }
        folder.write("a", b"new", Durable::Yes).expect("there is space again");
        assert_eq!(folder.read("a", 10).expect("readable").as_deref(), Some(&b"new"[..]));
    }
}
