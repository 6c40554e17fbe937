//! Starting, feeding and stopping the driver's thread.

use super::{
    api::{Command, Event, Tagged},
    shell::Shell,
    transport::Sockets,
};
use crate::{
    config::media::MediaSettings,
    media::{
        engine::{AudioChoice, Impairment},
        voice::VoiceProcessing,
    },
    sip::flow::Transport,
    ua::api::Settings,
};
use std::{net::SocketAddr, panic::AssertUnwindSafe, path::PathBuf, sync::Arc, thread::JoinHandle};
use tokio::sync::mpsc;

/// What the driver needs to know before it starts.
#[derive(Clone, Debug)]
pub struct Options {
    /// Listening address of SIP, UDP and TCP alike; port 0 picks one.
    pub bind: SocketAddr,
    /// As the user asked; `None`: UDP, or what the TMS says is best.
    pub transport: Option<Transport>,
    pub audio: AudioChoice,
    pub voice: VoiceProcessing,
    /// What whoever is on hold hears, a WAV file; `None`: nothing.
    pub hold_music: Option<PathBuf>,
    pub impairment: Option<Impairment>,
    /// Certificate authority (PEM) trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Where the calls under way are written down, so that the next start can end them after a crash.
    pub calls_file: Option<PathBuf>,
    /// Where the day's sound exposure is written down.
    pub exposure_file: Option<PathBuf>,
    /// In place of the system's resolver.
    pub dns_server: Option<SocketAddr>,
    /// As the user says; what is left open is the TMS's to say.
    pub media: MediaSettings,
    /// Can always be dialled, as the user says; `None`: those of the TMS's account, failing that the usual ones.
    pub emergency_numbers: Option<Vec<String>>,
    /// Recorded calls have a tone, unless the order says otherwise.
    pub recording_tone: bool,
    /// The folder of the calls that an account wants recorded.
    pub recordings: PathBuf,
    pub agent: Settings,
}

#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error("cannot listen for calls on {address}: {source}; use another address or port with --bind")]
    Bind { address: SocketAddr, source: std::io::Error },
    #[error("the system gives no thread to work on: {0}; close other programs and try again")]
    Thread(std::io::Error),
    #[error("too many commands at once; wait for their answers and try again")]
    Busy,
    #[error("the softphone has stopped")]
    Stopped,
}

/// Commands waiting for the driver; more are refused, or waited for.
const COMMANDS: usize = 256;

/// The running driver.
#[derive(Debug)]
pub struct Driver {
    commands: Commands,
    thread: JoinHandle<()>,
}

/// Gives the driver commands, from any thread.
#[derive(Clone, Debug)]
pub struct Commands(mpsc::Sender<Tagged<Command>>);

impl Commands {
    /// # Errors
    /// [`DriverError::Busy`] or [`DriverError::Stopped`]; the command was not taken.
    pub fn send(&self, command: Tagged<Command>) -> Result<(), DriverError> {
        self.0.try_send(command).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => DriverError::Busy,
            mpsc::error::TrySendError::Closed(_) => DriverError::Stopped,
        })
    }

    /// Waits while the driver is busy; for threads that may wait.
    ///
    /// # Errors
    /// [`DriverError::Stopped`]
    pub fn send_waiting(&self, command: Tagged<Command>) -> Result<(), DriverError> {
        self.0.blocking_send(command).map_err(|_| DriverError::Stopped)
    }
}

impl Driver {
    /// Opens the SIP sockets and starts the thread. `events` is called on that thread and must return at once; the last one
    /// is [`Event::Stopped`], whatever happens. `first` is carried out before anything is heard from the network, so that
    /// whoever calls on [`Event::Ready`] finds the account there.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn start(
        options: Options,
        first: Option<Command>,
        events: impl Fn(Tagged<Event>) + Send + Sync + 'static,
    ) -> Result<Self, DriverError> {
        let address = options.bind;
        let sockets = Sockets::bind(address).map_err(|source| DriverError::Bind { address, source })?;
        let (sender, receiver) = mpsc::channel(COMMANDS);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(DriverError::Thread)?;
        let thread = std::thread::Builder::new()
            .name("driver".into())
            .spawn(move || {
                let events = Arc::new(events);
                let heard = events.clone();
                stopping(&*events, || {
                    let result =
                        runtime.block_on(Shell::run(options, sockets, first, receiver, Box::new(move |e| heard(e))));
                    // A look-up that hangs in the system's resolver is not waited for.
                    runtime.shutdown_background();
                    result
                });
            })
            .map_err(DriverError::Thread)?;
        Ok(Self { commands: Commands(sender), thread })
    }

    pub fn commands(&self) -> Commands {
        self.commands.clone()
    }

    /// # Errors
    /// See [`Commands::send`].
    pub fn send(&self, command: Tagged<Command>) -> Result<(), DriverError> {
        self.commands.send(command)
    }

    /// Waits until the thread has ended, which [`Command::Quit`] brings about within two seconds.
    pub fn join(self) {
        drop(self.commands);
        if self.thread.join().is_err() {
            tracing::error!("the driver's thread ended in a panic");
        }
    }
}

/// Runs the driver and tells of its end, in a panic too: a front end must not wait for what is gone.
fn stopping(events: &impl Fn(Tagged<Event>), run: impl FnOnce() -> Result<(), String>) {
    let failure = match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.err(),
        Err(_) => Some("Agent Manager has failed within itself; start it again, and keep its log.".to_owned()),
    };
    events(Tagged { id: None, what: Event::Stopped { failure } });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn every_end_is_told() {
        for (run, failed) in [
            ((|| Ok(())) as fn() -> Result<(), String>, None),
            (|| Err("No socket.".into()), Some("No socket.")),
            (|| panic!("on purpose"), Some("failed within itself")),
        ] {
            let told = RefCell::new(Vec::new());
            stopping(&|event: Tagged<Event>| told.borrow_mut().push(event.what), run);
            let [Event::Stopped { failure }] = &told.into_inner()[..] else { panic!("the end is told once") };
            match failed {
                None => assert_eq!(*failure, None),
                Some(words) => assert!(failure.as_ref().is_some_and(|f| f.contains(words)), "{failure:?}"),
            }
        }
    }
}
