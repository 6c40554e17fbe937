//! The devices of a PulseAudio or PipeWire server. ALSA reaches the server but not each of its devices, so a stream is opened
//! on the default one and moved to the one wanted, with the server's own tool `pactl`; without it there is the default alone.
//! ALSA's plugin begins a stream anew after each lost buffer, on the default device again, so that it is moved again.
//!
//! Servers remember where a program's stream was moved last, and begin its next one there, whatever that is for: a talk after the
//! bell has rung. So one that belongs on the default device is moved there, too, which servers take for following the default.

use super::names::Way;
use std::{
    ffi::OsString,
    io::Read,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Streams are told apart by what is new since before one was opened, so only one may be opened at a time.
static OPENING: Mutex<()> = Mutex::new(());

/// What servers call the sink that stands for none ("Dummy Output").
const DUMMY: &str = "auto_null";

/// A PulseAudio server lets five connections wait for it and refuses the next: while it is busy, as when calls begin, it is asked this
/// often, and so long in between.
const ASKED: u32 = 6;
const CROWDED: Duration = Duration::from_millis(50);

/// One device of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerDevice {
    /// What the server calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The sound card that it is, and which of that card's devices, by ALSA's numbers.
    pub card: Option<(u32, u32)>,
}

/// What is used where no device is chosen, or the one chosen is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standard {
    /// Nobody says which, or whoever started the program has chosen it.
    #[default]
    Unknown,
    /// The server's default device, whichever that is; now the one of this name.
    Server(String),
    /// The server's default is none: it has what is played for a microphone.
    Other(ServerDevice),
    /// The server has none.
    Nothing,
}

impl Standard {
    /// What people call it, where that is known.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Server(name) | Self::Other(ServerDevice { name, .. }) => Some(name),
            Self::Unknown | Self::Nothing => None,
        }
    }

    /// Takes in what it is `now`. Returns whether a stream that is there has to go elsewhere; the server takes those along that are on
    /// its default device.
    pub fn becomes(&mut self, now: &Self) -> bool {
        if *now == Self::Unknown {
            return false;
        }
        let before = std::mem::replace(self, now.clone());
        let is_served = |standard: &Self| matches!(standard, Self::Unknown | Self::Server(_));
        !(is_served(&before) && is_served(now)) && before != *now
    }
}

/// A device that the server has let go of for as long as the value lives, or this program.
#[derive(Debug)]
pub struct Released(Child);

impl Drop for Released {
    fn drop(&mut self) {
        // The end of its input is the tool's sign.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// Has the server let go of its device `id`. `None`: it does not.
pub fn release(way: Way, id: &str) -> Option<Released> {
    let what = if way == Way::In { "suspend-source" } else { "suspend-sink" };
    // However this program ends, its end of the pipe is closed, and the server gets its device back.
    let script = "timeout 2 pactl \"$0\" \"$1\" 1 && echo && cat; timeout 2 pactl \"$0\" \"$1\" 0";
    let mut command = Command::new("sh");
    command.args(["-c", script, what, id]).env("LC_ALL", "C");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // What ends this program from a terminal does not end the tool.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut released = Released(command.spawn().ok()?);
    let mut done = [0];
    released.0.stdout.take()?.read_exact(&mut done).ok()?;
    Some(released)
}

/// All devices for one way; `None` without a server.
pub fn devices(way: Way) -> Option<Vec<ServerDevice>> {
    let what = if way == Way::In { "sources" } else { "sinks" };
    ask(&["list", what]).map(|text| parse_devices(&text))
}

/// What stands for the default device, whichever that is; `None` where whoever started the program has chosen another.
pub fn default(way: Way) -> Option<String> {
    let (chosen, id) = match way {
        Way::In => ("PULSE_SOURCE", "@DEFAULT_SOURCE@"),
        Way::Out => ("PULSE_SINK", "@DEFAULT_SINK@"),
    };
    std::env::var_os(chosen).is_none().then(|| id.to_owned())
}

/// What is used where none of the server's `devices` is chosen.
pub fn standard(way: Way, devices: Option<&[ServerDevice]>) -> Standard {
    match devices {
        Some(devices) if default(way).is_some() => choose(devices, || parse_default(way, &ask(&["info"])?)),
        _ => Standard::Unknown,
    }
}

/// `default`: what the server calls its default device.
fn choose(devices: &[ServerDevice], default: impl FnOnce() -> Option<String>) -> Standard {
    let Some(first) = devices.first() else { return Standard::Nothing };
    let Some(default) = default() else { return Standard::Unknown };
    match devices.iter().find(|device| device.id == default) {
        Some(device) => Standard::Server(device.name.clone()),
        None => Standard::Other(first.clone()),
    }
}

/// Whether a server seems to run here, by its socket.
pub fn is_there() -> bool {
    let socket = |folder: &OsString| Path::new(folder).join("pulse/native").exists();
    std::env::var_os("PULSE_SERVER").is_some() || std::env::var_os("XDG_RUNTIME_DIR").as_ref().is_some_and(socket)
}

/// A stream that was moved to its device.
#[derive(Debug)]
pub struct Placed {
    way: Way,
    device: String,
    /// The plugin's connection to the server, which outlives the streams that it begins.
    client: u32,
    /// The stream that was moved last.
    moved: u32,
    is_there: bool,
}

impl Placed {
    /// Whether the server moved it.
    pub const fn is_there(&self) -> bool {
        self.is_there
    }

    /// Moves the stream again where it was begun anew.
    pub fn keep(&mut self) {
        if let Some(new) = streams(self.way).into_iter().find(|stream| stream.client == self.client)
            && new.number != self.moved
        {
            self.moved = new.number;
            self.is_there = move_to(self.way, new.number, &self.device);
        }
    }
}

/// Opens a stream with `open` and moves it to the device `id`. A stream that cannot be moved stays on the default device.
/// `None`: it is not `awaited` any more when its turn comes. A server that has stood still would else be asked for all that was given
/// up meanwhile, one after the other, before what is wanted now.
pub fn open_on<T>(
    way: Way,
    id: &str,
    awaited: impl Fn() -> bool,
    open: impl FnOnce() -> T,
) -> Option<(T, Option<Placed>)> {
    // A thread that panicked while it held this left nothing half done.
    let _one = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if !awaited() {
        return None;
    }
    let before = streams(way);
    let opened = open();
    // ALSA's plugin returns once the server has confirmed the stream, so that one is listed by now.
    let is_new = |stream: &Stream| !before.iter().any(|old| old.client == stream.client);
    let placed = streams(way).into_iter().find(is_new).map(|Stream { number, client }| {
        let is_there = move_to(way, number, id);
        Placed { way, device: id.to_owned(), client, moved: number, is_there }
    });
    Some((opened, placed))
}

/// Returns whether the server has done it.
fn move_to(way: Way, stream: u32, device: &str) -> bool {
    let moves = if way == Way::In { "move-source-output" } else { "move-sink-input" };
    ask(&[moves, &stream.to_string(), device]).is_some()
}

/// A stream of this process, by the server's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stream {
    number: u32,
    client: u32,
}

fn streams(way: Way) -> Vec<Stream> {
    let what = if way == Way::In { "source-outputs" } else { "sink-inputs" };
    ask(&["list", what]).map_or_else(Vec::new, |text| parse_streams(&text, std::process::id()))
}

fn ask(arguments: &[&str]) -> Option<String> {
    // A server that hangs must not hold up the opening of devices for ever.
    let mut command = Command::new("timeout");
    command.args(["2", "pactl"]).args(arguments).env("LC_ALL", "C").stdin(Stdio::null());
    let mut output = command.output().ok()?;
    for _ in 1..ASKED {
        if is_refused(&output) {
            std::thread::sleep(CROWDED);
            output = command.output().ok()?;
        }
    }
    output.status.success().then(|| String::from_utf8(output.stdout).ok())?
}

/// The server has too many at its door, or is just gone.
fn is_refused(output: &Output) -> bool {
    !output.status.success() && is_there() && String::from_utf8_lossy(&output.stderr).contains("Connection refused")
}

/// What the server calls its default device.
fn parse_default(way: Way, text: &str) -> Option<String> {
    field(text, if way == Way::In { "Default Source:" } else { "Default Sink:" })
}

fn field(block: &str, name: &str) -> Option<String> {
    block.lines().find_map(|line| line.trim().strip_prefix(name).map(|value| value.trim().to_owned()))
}

/// Monitors of what is played are no microphones, and where a server has no device it plays to nobody.
fn parse_devices(text: &str) -> Vec<ServerDevice> {
    text.split("\n\n")
        .filter_map(|block| Some((block, field(block, "Name:")?, field(block, "Description:")?)))
        .filter(|(block, ..)| field(block, "Monitor of Sink:").is_none_or(|sink| sink == "n/a"))
        .filter(|(_, id, _)| !id.starts_with(DUMMY))
        .map(|(block, id, name)| {
            let number = |name| field(block, name)?.trim_matches(['=', ' ', '"']).parse().ok();
            let card = number("alsa.card ").and_then(|card| Some((card, number("alsa.device ")?)));
            ServerDevice { id, name, card }
        })
        .collect()
}

fn parse_streams(text: &str, process: u32) -> Vec<Stream> {
    let ours = format!("application.process.id = \"{process}\"");
    text.split("\n\n")
        .filter(|block| block.lines().any(|line| line.trim() == ours))
        .filter_map(|block| {
            let number = block.trim_start().lines().next()?.split_once('#')?.1.trim().parse().ok()?;
            let client = block.lines().find_map(|line| line.trim().strip_prefix("Client:"))?.trim().parse().ok()?;
            Some(Stream { number, client })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    };

    const SOURCES: &str = "Source #0\n\tState: IDLE\n\tName: speaker.monitor\n\tDescription: Monitor of Speaker\n\tMonitor of Sink: speaker\n\
        \n\nSource #2\n\tState: RUNNING\n\tName: usb-headset\n\tDescription: Headset, USB\n\tMonitor of Sink: n/a\n\
        \tProperties:\n\t\talsa.card = \"2\"\n\t\talsa.card_name = \"USB\"\n\t\talsa.device = \"1\"\n";
    const INPUTS: &str = "Sink Input #12\n\tDriver: x\n\tClient: 4\n\tProperties:\n\t\tapplication.process.id = \"77\"\n\
        \n\nSink Input #13\n\tProperties:\n\t\tapplication.process.id = \"778\"\n\n";

    #[test]
    fn reads_the_tool_s_lists() {
        let headset = ServerDevice { id: "usb-headset".into(), name: "Headset, USB".into(), card: Some((2, 1)) };
        assert_eq!(parse_devices(SOURCES), [headset]);
        assert_eq!(parse_streams(INPUTS, 77), [Stream { number: 12, client: 4 }]);
        assert!(parse_streams("", 77).is_empty());
        let info =
            "Server Name: pulseaudio\nDefault Sink: speaker\nDefault Source: speaker.monitor\nCookie: 078e:15cd\n";
        assert_eq!(parse_default(Way::In, info).as_deref(), Some("speaker.monitor"));
        assert_eq!(parse_default(Way::Out, info).as_deref(), Some("speaker"));
    }

    #[test]
    fn what_was_given_up_before_its_turn_is_not_opened() {
        let turn = OPENING.lock().unwrap();
        let (awaited, opened) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (still, opens) = (awaited.clone(), opened.clone());
        let opener = std::thread::spawn(move || {
            open_on(Way::Out, "speaker", || still.load(Relaxed), || opens.store(true, Relaxed))
        });
        awaited.store(false, Relaxed);
        drop(turn);
        assert!(opener.join().unwrap().is_none() && !opened.load(Relaxed));
        assert!(open_on(Way::Out, "speaker", || true, || ()).is_some());
    }

    #[test]
    fn neither_a_monitor_nor_a_dummy_is_a_device() {
        let dummy = "Sink #3\n\tName: auto_null\n\tDescription: Dummy Output\n\tMonitor Source: auto_null.monitor\n";
        assert_eq!(parse_devices(dummy), []);
        let monitor = SOURCES.split("\n\n").next().unwrap();
        assert_eq!(parse_devices(monitor), []);
    }

    #[test]
    fn what_is_played_is_never_the_default_microphone() {
        let [first, second] = ["Headset", "Desk"].map(device);
        let both = [first.clone(), second];
        let chosen = |devices: &[ServerDevice], default: Option<&str>| choose(devices, || default.map(str::to_owned));
        assert_eq!(chosen(&both, Some("Desk")), Standard::Server("Desk".into()));
        assert_eq!(chosen(&both, Some("speaker.monitor")), Standard::Other(first));
        assert_eq!(chosen(&[], Some("speaker.monitor")), Standard::Nothing);
        assert_eq!(chosen(&both, None), Standard::Unknown, "the server does not say it");
    }

    #[test]
    fn a_stream_leaves_the_default_only_where_that_is_no_device() {
        let [served, another] = ["Headset", "Desk"].map(|name| Standard::Server(name.into()));
        let [other, later] = ["Headset", "Desk"].map(|name| Standard::Other(device(name)));
        for (before, now, leaves) in [
            (&served, &another, false),
            (&Standard::Unknown, &served, false),
            (&served, &Standard::Nothing, true),
            (&Standard::Unknown, &Standard::Nothing, true),
            (&served, &other, true),
            (&other, &other, false),
            (&other, &later, true),
            (&other, &served, true),
            (&other, &Standard::Unknown, false),
        ] {
            let mut standard = before.clone();
            assert_eq!(standard.becomes(now), leaves, "{before:?} to {now:?}");
            assert_eq!(standard, if *now == Standard::Unknown { before } else { now }.clone());
        }
    }

    fn device(name: &str) -> ServerDevice {
        ServerDevice { id: name.into(), name: name.into(), card: None }
    }
}
