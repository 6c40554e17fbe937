//! The softphone without its window, at the other end of two pipes.

use super::StoryError;
use serde_json::Value;
use std::{io, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A running `agent-manager headless`.
pub struct Softphone {
    child: Child,
    commands: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
    last: String,
}

impl Softphone {
    /// # Errors
    /// Where the program cannot be started.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(commands), Some(events)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("its pipes are missing"));
        };
        Ok(Self { child, commands, events: BufReader::new(events).lines(), last: "none".into() })
    }

    /// One command of the headless interface.
    pub async fn send(&mut self, command: Value) -> Result<(), StoryError> {
        self.commands.write_all(format!("{command}\n").as_bytes()).await?;
        Ok(self.commands.flush().await?)
    }

    /// The first event from here on that `wanted` takes; `what` names it in an error.
    pub async fn wait<T>(
        &mut self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, StoryError> {
        let found = timeout(within, async {
            loop {
                let Some(line) = self.events.next_line().await? else { return Err(StoryError::Gone(what.to_owned())) };
                let event: Value = serde_json::from_str(&line).unwrap_or_default();
                self.last = line;
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => {
                let last = self.last.clone();
                Err(StoryError::Late { what: what.to_owned(), seconds: within.as_secs(), last })
            }
        }
    }

    /// Lets time pass; fails as soon as an event is `unwanted`, with its sentence.
    pub async fn watch(
        &mut self,
        during: Duration,
        unwanted: impl Fn(&Value) -> Option<String>,
    ) -> Result<(), StoryError> {
        match self.wait("", during, unwanted).await {
            Ok(why) => Err(StoryError::Wrong(why)),
            Err(StoryError::Late { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Hangs up, signs out, and ends.
    pub async fn quit(mut self) -> Result<(), StoryError> {
        self.send(serde_json::json!({"cmd": "quit"})).await?;
        match timeout(Duration::from_secs(5), self.child.wait()).await {
            Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(()),
            Ok(status) => Err(StoryError::Wrong(format!("the softphone ended with {}", status?))),
            Err(_) => Err(StoryError::Wrong("the softphone did not quit within 5 s".into())),
        }
    }
}
