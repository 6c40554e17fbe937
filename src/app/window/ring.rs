//! The ringing window's process, as the session thread sees it: started when a call rings, told what changes, gone when it
//! stops ringing. A process of its own shows also while the main window is minimised.

use super::session::Input;
use crate::ui::{
    screen::{
        calls::data::{InHand, forwarded, in_hand, who},
        ring::data::{Pressed, Ringing},
    },
    snapshot::{Call, CallState, Snapshot, ThemeChoice},
};
use std::{
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::SyncSender,
    time::Instant,
};

pub struct RingingWindow {
    input: SyncSender<Input>,
    /// This program, as it was found at the start: an update may put another in its place.
    program: io::Result<PathBuf>,
    shown: Option<Shown>,
    /// The call whose window could not be shown, or was there no longer: it is not tried again.
    failed: Option<u32>,
}

struct Shown {
    child: Child,
    /// Closing it ends the window.
    stdin: ChildStdin,
    told: Ringing,
}

impl RingingWindow {
    pub fn new(input: SyncSender<Input>) -> Self {
        Self { input, program: std::env::current_exe(), shown: None, failed: None }
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
                    // Of a child that is gone its output tells.
                    let _ = tell(&mut shown.stdin, &told);
                    shown.told = told;
                }
                Ok(())
            }
            _ => {
                self.close();
                if self.failed == Some(call.id) {
                    return Ok(());
                }
                let name = ringing.name.clone();
                let started = self.start(ringing).map_err(|why| self.fails(call.id, &name, &why.to_string()))?;
                self.shown = Some(started);
                Ok(())
            }
        }
    }

    /// To be told when a child's output has ended.
    ///
    /// # Errors
    /// The same sentence, where that was nobody's wish.
    pub fn ended(&mut self, process: u32) -> Result<(), String> {
        let Some(Shown { told, .. }) = self.shown.take_if(|shown| shown.child.id() == process) else { return Ok(()) };
        Err(self.fails(told.call, &told.name, "it has ended"))
    }

    fn fails(&mut self, call: u32, name: &str, why: &str) -> String {
        self.failed = Some(call);
        format!("The small window for the call from {name} could not be shown ({why}); answer it in the main window.")
    }

    fn start(&self, ringing: Ringing) -> io::Result<Shown> {
        let program = self.program.as_ref().map_err(|why| io::Error::new(why.kind(), why.to_string()))?;
        let mut child = Command::new(program).arg("ring").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take().expect("stdin was piped");
        let stdout = child.stdout.take().expect("stdout was piped");
        // Of a child that is gone already its output tells.
        let _ = tell(&mut stdin, &ringing);
        let (call, process, input) = (ringing.call, child.id(), self.input.clone());
        std::thread::Builder::new().name("ring".into()).spawn(move || listen(call, process, stdout, &input))?;
        Ok(Shown { child, stdin, told: ringing })
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
    let forwarded = forwarded(call);
    let talking = |other: &Call| matches!(other.state, CallState::Connected | CallState::RemoteHeld);
    Ringing {
        call: call.id,
        name,
        line,
        forwarded,
        rung_ms: now.saturating_duration_since(call.since).as_millis() as u64,
        hold_other: snapshot.calls.iter().any(talking),
        dark: match snapshot.settings.theme {
            ThemeChoice::System => None,
            ThemeChoice::Light => Some(false),
            ThemeChoice::Dark => Some(true),
        },
    }
}

fn tell(stdin: &mut ChildStdin, ringing: &Ringing) -> io::Result<()> {
    writeln!(stdin, "{}", serde_json::to_string(ringing)?)
}

/// Passes on what is pressed, until the child ends.
fn listen(call: u32, process: u32, stdout: ChildStdout, input: &SyncSender<Input>) {
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if let Ok(pressed) = serde_json::from_str::<Pressed>(&line)
            && input.send(Input::Pressed { call, pressed }).is_err()
        {
            return;
        }
    }
    // A session that is gone misses no window.
    let _ = input.send(Input::RingingWindowEnded { process });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::snapshot::Settings;
    use std::sync::mpsc::sync_channel;

    fn ringing(id: u32) -> Snapshot {
        let call = Call {
            id,
            incoming: true,
            state: CallState::Ringing,
            peer: "101".into(),
            peer_name: Some("Johan".into()),
            called: None,
            forwarded_by: None,
            since: Instant::now(),
            muted: false,
            transfer: None,
            codec: None,
            encryption: Default::default(),
            quality: None,
            verdict: None,
            course: vec![],
            in_conference: false,
            speaks: false,
            recorded: None,
            answered_by_itself: false,
        };
        let settings = Settings { ringing_window: true, ..Settings::default() };
        Snapshot { calls: vec![call], settings, ..Snapshot::default() }
    }

    #[test]
    fn a_window_that_cannot_be_shown_is_said_once_a_call() {
        let (input, _inputs) = sync_channel(4);
        let mut ring = RingingWindow::new(input);
        ring.program = Ok("/nowhere/agent-manager".into());
        for id in [1, 2] {
            let said = ring.follow(&ringing(id), Instant::now()).expect_err("there is no such program");
            assert!(said.contains("the call from Johan") && said.contains("main window"), "{said}");
            ring.follow(&ringing(id), Instant::now()).expect("said already");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_window_that_dies_is_said_and_one_that_was_closed_is_not() {
        let (input, inputs) = sync_channel(4);
        let mut ring = RingingWindow::new(input);
        let process = || match inputs.recv() {
            Ok(Input::RingingWindowEnded { process }) => process,
            other => panic!("{other:?}"),
        };
        // Ends at once, whatever it is told.
        ring.program = Ok("/bin/true".into());
        ring.follow(&ringing(1), Instant::now()).expect("started");
        let said = ring.ended(process()).expect_err("nobody closed it");
        assert!(said.contains("has ended"), "{said}");
        ring.follow(&ringing(1), Instant::now()).expect("not started again");
        assert!(ring.shown.is_none());
        ring.follow(&ringing(2), Instant::now()).expect("started");
        ring.close();
        ring.ended(process()).expect("it was closed");
    }
}
