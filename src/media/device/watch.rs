//! Learns of devices that come and go from the sound server's own tool, which tells as they do.

use std::{
    io::{BufRead, BufReader, ErrorKind},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// The tool; ends with the value.
#[derive(Debug)]
pub struct Watch {
    tool: Child,
    ended: Arc<AtomicBool>,
}

/// Why there is no [`Watch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoWatch {
    /// There is no such tool here.
    Never,
    NotNow,
}

impl Watch {
    /// Calls `tell` on a thread of its own whenever devices have come, gone, or changed places as the default.
    ///
    /// # Errors
    /// It cannot be watched.
    pub fn start(tell: impl Fn() + Send + 'static) -> Result<Self, NoWatch> {
        let mut command = Command::new("pactl");
        command.arg("subscribe").env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
        let started = command.spawn();
        let mut tool =
            started.map_err(|e| if e.kind() == ErrorKind::NotFound { NoWatch::Never } else { NoWatch::NotNow })?;
        let ended = Arc::new(AtomicBool::new(false));
        let output = tool.stdout.take().ok_or(NoWatch::NotNow)?;
        let told = Arc::clone(&ended);
        let body = move || {
            BufReader::new(output)
                .lines()
                .map_while(Result::ok)
                .filter(|line| is_about_devices(line))
                .for_each(|_| tell());
            told.store(true, Relaxed);
        };
        let thread = std::thread::Builder::new().name("audio changes".into()).spawn(body);
        let watch = Self { tool, ended };
        thread.map(|_| watch).map_err(|_| NoWatch::NotNow)
    }

    /// The server is gone.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tool.kill();
        let _ = self.tool.wait();
    }
}

/// Volumes, streams and clients change all the time.
fn is_about_devices(line: &str) -> bool {
    let of = |what: &str| line.contains(&format!("on {what} #"));
    let comes_or_goes = line.contains("'new'") || line.contains("'remove'");
    comes_or_goes && (of("sink") || of("source")) || line.contains("'change'") && line.contains("on server")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_matter() {
        for line in ["Event 'new' on sink #4", "Event 'remove' on source #7", "Event 'change' on server #4294967295"] {
            assert!(is_about_devices(line), "{line}");
        }
        for line in [
            "Event 'change' on sink #4",
            "Event 'new' on sink-input #9",
            "Event 'remove' on source-output #9",
            "Event 'new' on client #12",
            "",
        ] {
            assert!(!is_about_devices(line), "{line}");
        }
    }
}
