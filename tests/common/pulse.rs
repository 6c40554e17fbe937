//! A PulseAudio server of its own with null sinks: `speaker`, what the softphone plays; `bell`, described as "Loud bell", for ringing,
//! which is the card 7 of ALSA, whose own way leads to the sink `hardware`; and `mic`, whose monitor is what it hears, or `desk` through
//! the "Second microphone". They work off 50 ms at most at once, as sound cards do, and not the two seconds that such sinks usually take
//! while nobody listens.

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The sink for ringing.
const BELL: [&str; 6] = [
    "module-null-sink",
    "norewinds=1",
    "sink_name=bell",
    "rate=48000",
    "channels=2",
    "sink_properties='device.description=\"Loud bell\" alsa.card=7 alsa.device=0'",
];

/// Another microphone.
const SECOND: [&str; 5] = [
    "module-remap-source",
    "source_name=second",
    "master=desk.monitor",
    "channels=1",
    "source_properties='device.description=\"Second microphone\"'",
];

/// The server and its tools begin within so long.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server; ends with the value.
pub struct Pulse {
    server: Child,
    dir: tempfile::TempDir,
}

impl Pulse {
    /// Starts the server and waits until it answers.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pulse = Self { server: spawn(dir.path()), dir };
        pulse.wait_until_ready();
        pulse
    }

    /// Starts another server in the place of one that was killed.
    pub fn restart(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        self.server = spawn(self.dir.path());
        self.wait_until_ready();
    }

    /// Ends the server without farewell.
    pub fn kill(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }

    /// What a program under test needs: its default ALSA device is the server's, which plays to `speaker` and records from `mic`.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let config = self.dir.path().join("asound.conf");
        std::fs::write(
            &config,
            "</usr/share/alsa/alsa.conf>
             pcm.!default { type pulse hint { show on description \"Test\" } }
             ctl.!default { type pulse }
             pcm.!plughw { @args [ CARD DEV ] @args.CARD { type string } @args.DEV { type integer } type pulse device hardware }
             pcm.\"plughw:CARD=7,DEV=0\" { type pulse hint { show on description \"Card\" } }
",
        )
        .unwrap();
        vec![
            ("PULSE_SERVER", format!("unix:{}", self.socket().display())),
            ("ALSA_CONFIG_PATH", config.display().to_string()),
        ]
    }

    /// Removes a sink or a source, as when a headset is unplugged.
    pub fn unplug(&self, device: &str) {
        let modules = self.pactl(&["list", "short", "modules"]);
        let named = [format!("sink_name={device}"), format!("source_name={device}")];
        let is_it = |line: &&str| line.split_whitespace().any(|word| named.iter().any(|name| name == word));
        let line = modules.lines().find(is_it).unwrap_or_else(|| panic!("no {device} in\n{modules}"));
        self.pactl(&["unload-module", line.split('\t').next().unwrap_or_default()]);
    }

    /// Adds the sink `bell` again.
    pub fn plug_bell_in(&self) {
        self.pactl(&[&["load-module"][..], &BELL].concat());
    }

    /// Adds the "Second microphone" again.
    pub fn plug_microphone_in(&self) {
        self.pactl(&[&["load-module"][..], &SECOND].concat());
    }

    /// From where streams record for which nobody has chosen a source.
    pub fn set_default_source(&self, source: &str) {
        self.pactl(&["set-default-source", source]);
    }

    /// Where streams go for which nobody has chosen a sink, or whose sink is unplugged.
    pub fn set_default(&self, sink: &str) {
        self.pactl(&["set-default-sink", sink]);
    }

    /// Whether the server has let go of this sink.
    pub fn is_suspended(&self, sink: &str) -> bool {
        let sinks = self.pactl(&["list", "short", "sinks"]);
        sinks.lines().any(|line| line.contains(sink) && line.ends_with("SUSPENDED"))
    }

    /// Runs the server's tool.
    fn pactl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("pactl");
        command.envs(self.environment()).args(arguments);
        insist(&format!("pactl {arguments:?}"), || {
            let done = command.output().expect("pactl runs (package pulseaudio-utils)");
            done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
        })
    }

    /// Plays a WAV file to `sink` in the background.
    pub fn play(&self, sink: &str, file: &Path) -> Child {
        let mut command = Command::new("paplay");
        command.arg(format!("--device={sink}")).arg("--latency-msec=20").arg(file);
        self.begin(&mut command, "sink-inputs")
    }

    /// Starts one of the server's tools, which is among its `streams` then, or has done all by then.
    fn begin(&self, command: &mut Command, streams: &str) -> Child {
        command.envs(self.environment());
        insist(&format!("{command:?}"), || {
            let mut tool = command.spawn().expect("it runs (package pulseaudio-utils)");
            let (its_own, deadline) =
                (format!("application.process.id = \"{}\"", tool.id()), Instant::now() + PATIENCE);
            while !self.pactl(&["list", streams]).contains(&its_own) {
                if let Some(status) = tool.try_wait().expect("it can be asked") {
                    return status.success().then_some(tool);
                }
                if Instant::now() > deadline {
                    let _ = tool.kill().and_then(|()| tool.wait());
                    panic!("{} is not among the {streams}", tool.id());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Some(tool)
        })
    }

    /// Records `source` in the background.
    pub fn record(&self, source: &str) -> Recording {
        let (recorder, mut sound) = self.recorder(source);
        let reader = std::thread::spawn(move || {
            let (mut began, mut samples, mut bytes) = (Instant::now(), Vec::new(), [0u8; 480]);
            while sound.read_exact(&mut bytes).is_ok() {
                samples.extend(bytes.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]]))));
                let recorded = Duration::from_micros(samples.len() as u64 * 1_000_000 / 48_000);
                // Reading is late at times and never early.
                let latest = Instant::now() - recorded;
                began = if samples.len() == 240 { latest } else { began.min(latest) };
            }
            (began, samples)
        });
        Recording { recorder, reader: Some(reader) }
    }

    fn recorder(&self, source: &str) -> (Child, ChildStdout) {
        let mut command = Command::new("parec");
        command.arg(format!("--device={source}")).stdout(Stdio::piped());
        command.args(["--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=10"]);
        let mut recorder = self.begin(&mut command, "source-outputs");
        let sound = recorder.stdout.take().expect("stdout is piped");
        (recorder, sound)
    }

    /// Records `source` in the background and tells when each sound began after a silence.
    pub fn onsets(&self, source: &str) -> Onsets {
        self.onsets_after(source, 14_400)
    }

    /// The same, and over and over while it sounds: a wave is silent for a moment each time it crosses zero.
    pub fn sounds(&self, source: &str) -> Onsets {
        self.onsets_after(source, 0)
    }

    /// `silence`: samples.
    fn onsets_after(&self, source: &str, silence: usize) -> Onsets {
        let (recorder, mut sound) = self.recorder(source);
        let (tell, onsets) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let (mut bytes, mut quiet) = ([0u8; 480], 0);
            while sound.read_exact(&mut bytes).is_ok() {
                let read = Instant::now();
                let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
                for (n, sample) in samples.enumerate() {
                    if sample.unsigned_abs() < 2_000 {
                        quiet += 1;
                        continue;
                    }
                    if quiet > silence {
                        let _ = tell.send(read - Duration::from_micros((240 - n as u64) * 1_000_000 / 48_000));
                    }
                    quiet = 0;
                }
            }
        });
        Onsets { recorder, onsets }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("native")
    }

    fn wait_until_ready(&self) {
        self.pactl(&["info"]);
        self.set_default("speaker");
        self.set_default_source("microphone");
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A recorder; ends with the value.
pub struct Recording {
    recorder: Child,
    reader: Option<JoinHandle<(Instant, Vec<f32>)>>,
}

impl Recording {
    /// When it began, and the samples since then, 48 kHz in units of 16 bits.
    pub fn finish(mut self) -> (Instant, Vec<f32>) {
        let _ = self.recorder.kill();
        self.reader.take().expect("it is finished once").join().expect("the reader does not panic")
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.recorder.kill();
        let _ = self.recorder.wait();
    }
}

/// A recorder; ends with the value.
pub struct Onsets {
    recorder: Child,
    pub onsets: std::sync::mpsc::Receiver<Instant>,
}

impl Drop for Onsets {
    fn drop(&mut self) {
        let _ = self.recorder.kill();
        let _ = self.recorder.wait();
    }
}

/// Does it until the server takes it in: it refuses all while it starts, and the sixth who comes while it is busy.
fn insist<T>(what: &str, mut act: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(done) = act() {
            return done;
        }
        assert!(Instant::now() < deadline, "the sound server (package pulseaudio) refuses {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn spawn(dir: &Path) -> Child {
    let mut command = Command::new("pulseaudio");
    for variable in ["HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"] {
        command.env(variable, dir);
    }
    command.env("PULSE_RUNTIME_PATH", dir.join("rt")).env("PULSE_STATE_PATH", dir.join("st"));
    command.env_remove("PULSE_SERVER").env_remove("DBUS_SESSION_BUS_ADDRESS");
    command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=1"]);
    command.args(["--realtime=0", "--high-priority=0", "--log-target=stderr", "--log-level=error"]);
    for module in [
        format!("module-native-protocol-unix auth-anonymous=1 socket={}", dir.join("native").display()),
        "module-null-sink norewinds=1 sink_name=speaker rate=48000 channels=2".into(),
        BELL.join(" "),
        "module-null-sink norewinds=1 sink_name=hardware rate=48000 channels=2".into(),
        "module-null-sink norewinds=1 sink_name=mic rate=48000 channels=1".into(),
        "module-remap-source source_name=microphone master=mic.monitor channels=1".into(),
        "module-null-sink norewinds=1 sink_name=desk rate=48000 channels=1".into(),
        SECOND.join(" "),
        "module-always-sink".into(),
        // As desktops have it: a program's stream begins where its last one was moved to.
        "module-stream-restore".into(),
    ] {
        command.args(["-L", &module]);
    }
    command.stderr(Stdio::null()).spawn().expect("pulseaudio runs (package pulseaudio)")
}
