//! Where the log goes: a file in the window's folder, standard error of the program without one, or where `--log-file` says;
//! never standard output.

use crate::config::{ConfigError, cli::CommonArgs, folder::create_private};
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Mutex,
};
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

/// Sets the log up for the whole process. `usual`: the file that it goes to where the arguments name none; otherwise it goes to
/// standard error.
///
/// # Errors
/// An unknown level, or a `--log-file` that cannot be written.
pub fn start(args: &CommonArgs, usual: Option<&Path>) -> Result<(), ConfigError> {
    let level: tracing::Level = args.log_level.parse().map_err(|_| ConfigError::Option {
        option: "--log-level",
        why: "error, warn, info, debug or trace is expected".into(),
    })?;
    // Libraries speak of their insides at info, and some of secrets at trace.
    let filter = Targets::new()
        .with_default(level.min(tracing::Level::WARN))
        .with_target("agent_manager", level)
        .with_target("sip", level);
    let sink: Box<dyn Write + Send> =
        match (&args.log_file, usual) {
            (Some(path), _) => {
                let file = File::options().create(true).append(true).open(path);
                Box::new(file.map_err(|e| ConfigError::Option {
                    option: "--log-file",
                    why: format!("{}: {e}", path.display()),
                })?)
            }
            // Whoever cannot write there hears of it from the settings.
            (None, Some(path)) => match Bounded::open(path) {
                Ok(file) => Box::new(file),
                Err(_) => Box::new(io::stderr()),
            },
            (None, None) => Box::new(io::stderr()),
        };
    let layer = fmt::layer().with_ansi(false).with_writer(Mutex::new(sink));
    registry().with(layer.with_filter(filter)).init();
    Ok(())
}

/// Where the window's log is, in its folder.
pub fn usual(folder: &Path) -> PathBuf {
    folder.join("agent-manager.log")
}

/// Bytes that a log grows to before it is put aside.
const FULL: u64 = 4 * 1024 * 1024;

/// A log for this user only that stays within bounds: a full one becomes `NAME.old`, in place of the one before.
struct Bounded {
    path: PathBuf,
    file: File,
    size: u64,
}

impl Bounded {
    fn open(path: &Path) -> io::Result<Self> {
        path.parent().map_or(Ok(()), create_private)?;
        let mut options = File::options();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size })
    }
}

impl Write for Bounded {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size + line.len() as u64 > FULL {
            fs::rename(&self.path, self.path.with_extension("log.old"))?;
            *self = Self::open(&self.path)?;
        }
        let written = self.file.write(line)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_s_log_is_this_user_s_only_and_stays_within_bounds() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = usual(&dir.path().join("new"));
        let line = [b'x'; 64 * 1024];
        for _ in 0..2 {
            // Also over several starts.
            let mut log = Bounded::open(&path).expect("opened");
            (0..100).for_each(|_| log.write_all(&line).expect("written"));
        }
        let mut names: Vec<_> = fs::read_dir(path.parent().expect("a folder")).expect("there").collect();
        assert_eq!(names.len(), 2);
        for entry in names.drain(..).map(|entry| entry.expect("readable").metadata().expect("there")) {
            assert!((1..=FULL).contains(&entry.len()), "{}", entry.len());
            #[cfg(unix)]
            assert_eq!(std::os::unix::fs::MetadataExt::mode(&entry) & 0o777, 0o600);
        }
    }
}
