//! The demonstration as a person sees it: the softphone's window with a display, the same story played in the terminal
//! without one.

mod echo;
mod play;
mod quality;
mod softphone;

pub use play::play;

use crate::ua::api::Secret;
use softphone::Softphone;
use std::{
    io,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::time::timeout;

/// A window that is still there after this long has opened.
const OPENS: Duration = Duration::from_secs(2);

/// What the softphone needs to sign in, and where it stands on the disk.
pub struct Stage {
    /// The `agent-manager` program.
    pub softphone: PathBuf,
    /// Its settings, recordings and log; made and removed by the caller.
    pub folder: PathBuf,
    pub tms: String,
    pub username: String,
    pub password: Secret,
    pub api_key: Secret,
}

/// Why the story cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StoryError {
    #[error("{} cannot be started ({source}); build it beside tms with: cargo build --release --bins", .program.display())]
    Start { program: PathBuf, source: io::Error },
    #[error("the softphone stopped while the story waited for {0}; its log above says why")]
    Gone(String),
    #[error("{what} did not happen within {seconds} s; the softphone's last words: {last}")]
    Late { what: String, seconds: u64, last: String },
    #[error("the window could not be opened ({0})")]
    NoWindow(ExitStatus),
    #[error("{0}")]
    Wrong(String),
    #[error("the recording cannot be used: {0}")]
    Recording(#[from] hound::Error),
    #[error("talking to the softphone: {0}")]
    Io(#[from] io::Error),
}

impl Stage {
    /// The program with its secrets in the environment, where no other user can read them.
    fn command(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(&self.softphone);
        command
            .env("AGENT_MANAGER_PASSWORD", &self.password.0)
            .env("AGENT_MANAGER_API_KEY", &self.api_key.0)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Shows the window, the sign-in form ready to apply, until it is closed.
    ///
    /// # Errors
    /// [`StoryError::NoWindow`] where it ends badly at once, as it does when nothing answers at `DISPLAY`.
    pub async fn show(&self) -> Result<(), StoryError> {
        let mut command = self.command();
        command.args(["--tms", &self.tms, "--username", &self.username]).arg("--config-dir").arg(&self.folder);
        let started = command.spawn();
        let mut window = started.map_err(|source| StoryError::Start { program: self.softphone.clone(), source })?;
        if let Ok(status) = timeout(OPENS, window.wait()).await {
            let status = status?;
            return if status.success() { Ok(()) } else { Err(StoryError::NoWindow(status)) };
        }
        println!(
            "The window is open. Apply, then the settings wheel, Select account; dial 600 (echo), 601 (calls you back),"
        );
        println!("101 (a colleague who speaks). Closing the window ends the demonstration.");
        let status = window.wait().await?;
        if status.success() { Ok(()) } else { Err(StoryError::Wrong(format!("the window ended with {status}"))) }
    }

    fn headless(&self) -> Result<Softphone, StoryError> {
        let mut command = self.command();
        let audio = format!("file:{},{}", self.tone().display(), self.recording().display());
        command.arg("headless").args(["--tms", &self.tms, "--username", &self.username]);
        command
            .args(["--bind", "127.0.0.1:0", "--audio", &audio])
            .arg("--config-dir")
            .arg(self.folder.join("softphone"));
        Softphone::start(command).map_err(|source| StoryError::Start { program: self.softphone.clone(), source })
    }

    /// What the softphone's microphone hears.
    fn tone(&self) -> PathBuf {
        self.folder.join("tone.wav")
    }

    /// What its speaker played.
    fn recording(&self) -> PathBuf {
        self.folder.join("heard.wav")
    }
}
