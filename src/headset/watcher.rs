//! The thread that looks for a headset, and moves reports between it and [`Headset`].

#![expect(clippy::disallowed_methods, reason = "a shell: it reads the clock")]

use super::{Calls, Headset, Output, Press};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    time::{Duration, Instant},
};

/// A headset that is plugged in is found within this time.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Reports and changes of calls that wait; a person makes a few a second.
const WAITING: usize = 64;
/// So long the end waits for the lamps to go out.
const GOODBYE: Duration = Duration::from_millis(200);

/// Writes a report, its id in front.
pub type Write = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;
/// Takes a report of a headset, or nothing once it is gone.
pub type Read = Box<dyn Fn(Option<&[u8]>) + Send>;

/// Where headsets are plugged in.
pub trait Bus: Send {
    /// What is there, unless that is as it was before. From now on `read` takes what the headset says.
    fn look(&mut self, read: Read) -> Option<Found>;

    /// How often to look.
    fn rhythm(&self) -> Duration {
        LOOK_EVERY
    }
}

/// What [`Bus::look`] finds.
pub enum Found {
    Nothing,
    Headset(Plugged),
    /// There is one that this user may not use.
    Refused {
        name: String,
    },
}

/// A headset that is open.
pub struct Plugged {
    pub name: String,
    /// Its report descriptor.
    pub descriptor: Vec<u8>,
    pub write: Write,
}

/// What the watcher tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The buttons of this one work.
    Plugged {
        name: String,
    },
    /// They do not, because this user may not use the device.
    Refused {
        name: String,
    },
    Unplugged,
    Pressed(Press),
}

#[derive(Debug)]
enum Input {
    Calls(Calls),
    /// From the device with this number.
    Report(u32, Vec<u8>),
    Gone(u32),
    /// There may be no room for it: what counts is [`Desk::stopped`].
    Stop,
}

/// The running thread; it ends with this.
#[derive(Debug)]
pub struct Watcher {
    input: SyncSender<Input>,
    shown: Option<Calls>,
    stopped: Arc<AtomicBool>,
    /// Nothing ever comes; the thread drops the other end when the lamps are out.
    ended: Receiver<()>,
}

impl Watcher {
    /// `tell` is called on the thread.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(bus: Box<dyn Bus>, tell: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let (input, inputs) = sync_channel(WAITING);
        let stopped = Arc::new(AtomicBool::new(false));
        let (end, ended) = channel();
        let desk = Desk {
            bus,
            tell: Box::new(tell),
            reports: input.clone(),
            stopped: Arc::clone(&stopped),
            calls: Calls::default(),
            open: None,
            number: 0,
            _end: end,
        };
        std::thread::Builder::new().name("headset".into()).spawn(move || desk.run(&inputs))?;
        Ok(Self { input, shown: None, stopped, ended })
    }

    /// How it stands with calls from now on; to be told as often as one likes. Never waits: what a stuck device has no room
    /// for is shown the next time.
    pub fn show(&mut self, calls: Calls) {
        if self.shown != Some(calls) && self.input.try_send(Input::Calls(calls)).is_ok() {
            self.shown = Some(calls);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Without room, what waits there wakes it just as well.
        let _ = self.input.try_send(Input::Stop);
        // A thread that is stuck in its device is left behind.
        let _ = self.ended.recv_timeout(GOODBYE);
    }
}

/// A headset in use.
struct Open {
    headset: Headset,
    write: Write,
}

struct Desk {
    bus: Box<dyn Bus>,
    tell: Box<dyn Fn(Told) + Send>,
    reports: SyncSender<Input>,
    stopped: Arc<AtomicBool>,
    calls: Calls,
    open: Option<Open>,
    /// Tells what an earlier device says from what this one does.
    number: u32,
    _end: Sender<()>,
}

impl Desk {
    fn run(mut self, inputs: &Receiver<Input>) {
        let mut look = Instant::now();
        while !self.stopped.load(Ordering::Acquire) {
            let now = Instant::now();
            if now >= look {
                self.look(now);
                look = now + self.bus.rhythm();
            }
            match inputs.recv_timeout(look.saturating_duration_since(now)) {
                Ok(Input::Calls(calls)) => {
                    self.calls = calls;
                    self.with_headset(|headset| headset.handle_calls(Instant::now(), calls));
                }
                Ok(Input::Report(number, report)) if number == self.number => {
                    self.with_headset(|headset| headset.handle_report(Instant::now(), &report));
                }
                Ok(Input::Gone(number)) if number == self.number => self.close(),
                Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Input::Report(..) | Input::Gone(_)) | Err(RecvTimeoutError::Timeout) => {}
            }
        }
        // No lamp stays on for a call that nobody has.
        self.with_headset(|headset| headset.handle_calls(Instant::now(), Calls::default()));
    }

    fn look(&mut self, now: Instant) {
        let (reports, number) = (self.reports.clone(), self.number + 1);
        let read = move |report: Option<&[u8]>| {
            let input = report.map_or(Input::Gone(number), |report| Input::Report(number, report.to_vec()));
            // A watcher that is gone wants no reports.
            let _ = reports.send(input);
        };
        let Some(found) = self.bus.look(Box::new(read)) else { return };
        self.close();
        self.number = number;
        match found {
            Found::Nothing => {}
            Found::Refused { name } => (self.tell)(Told::Refused { name }),
            Found::Headset(Plugged { name, descriptor, write }) => {
                if let Some(headset) = Headset::new(&descriptor) {
                    self.open = Some(Open { headset, write });
                    (self.tell)(Told::Plugged { name });
                    let calls = self.calls;
                    self.with_headset(|headset| headset.handle_calls(now, calls));
                }
            }
        }
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            (self.tell)(Told::Unplugged);
        }
    }

    fn with_headset(&mut self, act: impl FnOnce(&mut Headset)) {
        let Some(Open { headset, write }) = &mut self.open else { return };
        act(headset);
        while let Some(output) = headset.poll_output() {
            match output {
                Output::Press(press) => (self.tell)(Told::Pressed(press)),
                Output::Write(report) => {
                    // Unplugged, its reader says so; else its buttons work all the same.
                    if let Err(why) = write(&report) {
                        tracing::info!("the headset's lamps cannot be switched: {why}");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::descriptor::tests::USUAL, *};
    use std::sync::Mutex;

    const LATEST: Duration = Duration::from_secs(20);
    const TALKING: Calls = Calls { ringing: false, in_hand: true, held: false, muted: false };

    /// One headset, whose lamps take their time.
    struct Slow {
        read: Arc<Mutex<Option<Read>>>,
        lamps: Sender<u8>,
        ready: Option<Receiver<()>>,
    }

    impl Bus for Slow {
        fn look(&mut self, read: Read) -> Option<Found> {
            let (ready, lamps) = (self.ready.take()?, self.lamps.clone());
            *self.read.lock().expect("whole") = Some(read);
            let write = move |report: &[u8]| {
                lamps.send(report[1]).map_err(io::Error::other)?;
                ready.recv().map_err(io::Error::other)
            };
            let (name, descriptor) = ("Slow".to_owned(), USUAL.to_vec());
            Some(Found::Headset(Plugged { name, descriptor, write: Box::new(write) }))
        }
    }

    #[test]
    fn no_lamp_stays_on_however_much_the_headset_says() {
        for waiting in [0, WAITING] {
            let (lamps, lit) = channel();
            let (go, ready) = channel();
            let read = Arc::default();
            let bus = Slow { read: Arc::clone(&read), lamps, ready: Some(ready) };
            let mut watcher = Watcher::start(Box::new(bus), |_| ()).expect("a thread");
            assert_eq!(lit.recv_timeout(LATEST), Ok(0), "idle");
            go.send(()).expect("it writes");
            watcher.show(TALKING);
            assert_eq!(lit.recv_timeout(LATEST), Ok(1), "off the hook");
            // It stands in its device, and what the headset says fills all the room there is.
            for report in 0..waiting {
                read.lock().expect("whole").as_ref().expect("plugged in")(Some(&[2, report as u8, 0]));
            }
            let began = Instant::now();
            drop(watcher);
            assert!(began.elapsed() >= GOODBYE, "it waits for the lamps");
            drop(go);
            let last = std::iter::from_fn(|| lit.recv_timeout(LATEST).ok()).last();
            assert_eq!(last, Some(0), "{waiting} reports before");
            assert_eq!(lit.recv_timeout(LATEST), Err(RecvTimeoutError::Disconnected), "the thread has ended");
        }
    }
}
