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

/// What has become of the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is another one.
    Came,
    /// One is gone, or another is the default: the server has moved streams, maybe the microphone's to what is played.
    Moved,
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
    pub fn start(tell: impl Fn(Change) + Send + 'static) -> Result<Self, NoWatch> {
        let mut command = Command::new("pactl");
        command.arg("subscribe").env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::piped());
        let started = command.spawn();
        let mut tool =
            started.map_err(|e| if e.kind() == ErrorKind::NotFound { NoWatch::Never } else { NoWatch::NotNow })?;
        let ended = Arc::new(AtomicBool::new(false));
        let output = tool.stdout.take().ok_or(NoWatch::NotNow)?;
        let told = Arc::clone(&ended);
        let body = move || {
            BufReader::new(output).lines().map_while(Result::ok).filter_map(|line| change(&line)).for_each(tell);
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
fn change(line: &str) -> Option<Change> {
    let is_device = ["on sink #", "on source #"].into_iter().any(|of| line.contains(of));
    let of_server = line.contains("'change'") && line.contains("on server");
    match is_device {
        true if line.contains("'new'") => Some(Change::Came),
        true if line.contains("'remove'") => Some(Change::Moved),
        _ => of_server.then_some(Change::Moved),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_devices_matter() {
        for (line, is) in [
            ("Event 'new' on sink #4", Change::Came),
            ("Event 'remove' on source #7", Change::Moved),
            ("Event 'change' on server #4294967295", Change::Moved),
        ] {
            assert_eq!(change(line), Some(is), "{line}");
        }
        for line in [
            "Event 'change' on sink #4",
            "Event 'new' on sink-input #9",
            "Event 'remove' on source-output #9",
            "Event 'new' on client #12",
            "",
        ] {
            assert_eq!(change(line), None, "{line}");
        }
    }
}
