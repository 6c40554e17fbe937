//! The ringing window's process, as the session thread sees it: started when a call rings, told what changes, gone when it
//! stops ringing. A process of its own shows also while the main window is minimised.

use super::session::Input;
use crate::ui::{
    screen::{
        calls::data::{InHand, in_hand, who},
        ring::data::{Pressed, Ringing},
    },
    snapshot::{Call, CallState, Snapshot, ThemeChoice},
};
use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::SyncSender,
    time::Instant,
};

pub struct RingingWindow {
    input: SyncSender<Input>,
    shown: Option<Shown>,
}

struct Shown {
    child: Child,
    /// Closing it ends the window.
    stdin: ChildStdin,
    told: Ringing,
}

impl RingingWindow {
    pub fn new(input: SyncSender<Input>) -> Self {
        Self { input, shown: None }
    }

    /// Shows the call that rings, or nothing when none does.
    ///
    /// # Errors
    /// A sentence, once a call: the window could not be shown. The main window shows the call all the same.
    pub fn follow(&mut self, snapshot: &Snapshot, now: Instant) -> Result<(), String> {
        let call = in_hand(&snapshot.calls, InHand::Ringing).filter(|_| snapshot.settings.ringing_window);
        let Some(call) = call else {
            self.close();
            return Ok(());
        };
        let ringing = describe(call, snapshot, now);
        match &mut self.shown {
            Some(shown) if shown.told.call == call.id => {
                let told = Ringing { rung_ms: shown.told.rung_ms, ..ringing };
                if told != shown.told {
                    // A child that is gone was closed by its user's hand or crashed: the main window still rings.
                    let _ = tell(&mut shown.stdin, &told);
                    shown.told = told;
                }
                Ok(())
            }
            _ => {
                self.close();
                let (input, call) = (self.input.clone(), call.id);
                self.shown = Some(start(ringing, input).map_err(|why| {
                    format!(
                        "The small window for call {call} could not be shown ({why}); answer it in the main window."
                    )
                })?);
                Ok(())
            }
        }
    }

    /// Ends the window, if there is one.
    pub fn close(&mut self) {
        if let Some(Shown { mut child, stdin, .. }) = self.shown.take() {
            drop(stdin);
            // It ends at the end of its input; waiting for that would hold up the session.
            let reaper = std::thread::Builder::new().name("ring-end".into());
            let _ = reaper.spawn(move || child.wait());
        }
    }
}

fn describe(call: &Call, snapshot: &Snapshot, now: Instant) -> Ringing {
    let (name, line) = who(call);
    let talking = |other: &Call| matches!(other.state, CallState::Connected | CallState::RemoteHeld);
    Ringing {
        call: call.id,
        name,
        line,
        rung_ms: now.saturating_duration_since(call.since).as_millis() as u64,
        hold_other: snapshot.calls.iter().any(talking),
        dark: match snapshot.settings.theme {
            ThemeChoice::System => None,
            ThemeChoice::Light => Some(false),
            ThemeChoice::Dark => Some(true),
        },
    }
}

fn start(ringing: Ringing, input: SyncSender<Input>) -> io::Result<Shown> {
    let mut child =
        Command::new(std::env::current_exe()?).arg("ring").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("stdin was piped");
    let stdout = child.stdout.take().expect("stdout was piped");
    tell(&mut stdin, &ringing)?;
    let call = ringing.call;
    std::thread::Builder::new().name("ring".into()).spawn(move || listen(call, stdout, &input))?;
    Ok(Shown { child, stdin, told: ringing })
}

fn tell(stdin: &mut ChildStdin, ringing: &Ringing) -> io::Result<()> {
    writeln!(stdin, "{}", serde_json::to_string(ringing)?)
}

/// Passes on what is pressed, until the child ends.
fn listen(call: u32, stdout: ChildStdout, input: &SyncSender<Input>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Ok(pressed) = serde_json::from_str::<Pressed>(&line)
            && input.send(Input::Pressed { call, pressed }).is_err()
        {
            return;
        }
    }
}
