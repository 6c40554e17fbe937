//! Debian's baresip with file audio, driven through its control port (JSON in netstrings).

use super::{
    ip::ip,
    process::{Process, free_port, poll_until},
    tone,
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// An address that stays on this machine and is not 127.x, which baresip's media refuses: a veth pair, removed when
/// dropped.
pub struct Veth {
    device: String,
    pub address: String,
}

impl Veth {
    /// `Err` where the system forbids it, and why.
    pub fn up() -> Result<Self, String> {
        let id = std::process::id() % 0xffff;
        let (device, peer) = (format!("am{id:x}"), format!("am{id:x}p"));
        let veth = Self { device, address: format!("10.77.{}.1", id % 250) };
        let Self { device, address } = &veth;
        ip(&format!("link add {device} type veth peer name {peer}"))?;
        ip(&format!("addr add {address}/24 dev {device}"))?;
        ip(&format!("link set {device} up"))?;
        ip(&format!("link set {peer} up"))?;
        Ok(veth)
    }
}

impl Drop for Veth {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", &self.device]).stderr(Stdio::null()).status();
    }
}

pub struct Baresip {
    process: Process,
    control: TcpStream,
    received: Vec<u8>,
    dir: PathBuf,
    pub sip_port: u16,
}

#[derive(Clone, Copy)]
pub struct BaresipOptions<'a> {
    /// `pcmu`, `g722` or `opus`: the only one it offers.
    pub codec: &'a str,
    /// The tone it speaks.
    pub hz: f64,
    /// `host:port` where user `bs` registers in the domain `am.test`.
    pub registrar: Option<&'a str>,
    /// Its `mediaenc`, `srtp-mand` or `dtls_srtp`: nothing unencrypted.
    pub encryption: Option<&'a str>,
    /// It checks ways (ICE), and takes RTCP on RTP's port.
    pub ice: bool,
    /// Through ALSA's default device instead of files.
    pub sound_card: bool,
}

impl<'a> BaresipOptions<'a> {
    pub fn new(codec: &'a str, hz: f64) -> Self {
        Self { codec, hz, registrar: None, encryption: None, ice: false, sound_card: false }
    }
}

/// A configuration folder, ready to start.
pub struct BaresipConfig {
    dir: PathBuf,
    /// The file that it speaks from, in the only rate and number of channels that it takes.
    pub speaks: PathBuf,
    pub rate: u32,
    pub channels: u16,
    sip_port: u16,
    control_port: u16,
}

/// A baresip that runs, perhaps not yet ready for commands.
pub struct BaresipProcess {
    process: Process,
    config: BaresipConfig,
}

impl BaresipConfig {
    pub fn spawn(self) -> BaresipProcess {
        let log = std::fs::File::create(self.dir.join("log")).expect("the test's folder can be written");
        let child = Command::new("stdbuf")
            .args(["-oL", "baresip", "-4", "-f"])
            .arg(&self.dir)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .expect("baresip is installed (make test installs it)");
        BaresipProcess { process: Process(child), config: self }
    }
}

impl BaresipProcess {
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.config.dir.join("log")).unwrap_or_default()
    }

    /// Waits until it takes commands.
    pub fn ready(self) -> Baresip {
        let Self { process, config } = self;
        let connect = || TcpStream::connect(("127.0.0.1", config.control_port)).ok();
        let control = poll_until(Duration::from_secs(10), connect).expect("baresip opens its control port");
        control.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout can be set");
        Baresip { process, control, received: Vec::new(), dir: config.dir, sip_port: config.sip_port }
    }
}

impl Baresip {
    /// Answers by itself, speaks a tone of `hz`, offers one codec.
    pub fn start(dir: &Path, veth: &Veth, codec: &str, hz: f64) -> Self {
        Self::configure(dir, veth, BaresipOptions::new(codec, hz)).spawn().ready()
    }

    pub fn configure(dir: &Path, veth: &Veth, options: BaresipOptions) -> BaresipConfig {
        let (sip_port, control_port) = (free_port(), free_port());
        let dir = dir.join(format!("baresip-{sip_port}"));
        // Debian's 1.0.0 has no resampler: the file must have the codec's rate and channels.
        let (rate, channels) = match options.codec {
            "opus" => (48_000, 2),
            "g722" => (16_000, 1),
            _ => (8_000, 1),
        };
        let config = BaresipConfig { speaks: dir.join("play.wav"), dir, rate, channels, sip_port, control_port };
        std::fs::create_dir_all(&config.dir).expect("the test's folder can be written");
        // Its file source does not loop.
        tone::write_as(&config.speaks, options.hz, 90, rate, channels);
        write_configuration(&config, veth, options);
        config
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn command(&mut self, command: &str, params: &str) {
        let text = json!({"command": command, "params": params, "token": command}).to_string();
        write!(self.control, "{}:{text},", text.len()).expect("baresip listens");
    }

    /// Waits for an event of that type.
    pub fn event(&mut self, kind: &str, limit: Duration) -> Value {
        let end = Instant::now() + limit;
        loop {
            while let Some(message) = self.next() {
                if message["type"] == kind {
                    return message;
                }
            }
            assert!(Instant::now() < end, "baresip: no {kind} within {limit:?}");
            let mut chunk = [0; 4096];
            if let Ok(n) = self.control.read(&mut chunk) {
                self.received.extend_from_slice(&chunk[..n]);
            }
        }
    }

    /// One netstring off what was received.
    fn next(&mut self) -> Option<Value> {
        let colon = self.received.iter().position(|b| *b == b':')?;
        let length: usize = std::str::from_utf8(&self.received[..colon]).ok()?.parse().ok()?;
        let end = colon + 1 + length;
        if self.received.len() <= end {
            return None;
        }
        let message = serde_json::from_slice(&self.received[colon + 1..end]).ok()?;
        self.received.drain(..=end);
        Some(message)
    }

    /// What it heard in its last call, complete after the call's end.
    pub fn heard(&self) -> PathBuf {
        let files = std::fs::read_dir(&self.dir).expect("baresip's folder is there");
        let dumps = files.filter_map(|f| Some(f.ok()?.path())).filter(|p| p.to_string_lossy().ends_with("-dec.wav"));
        // Their names tell when they began.
        dumps.max().expect("baresip's sndfile module writes what it decodes")
    }
}

fn write_configuration(config: &BaresipConfig, veth: &Veth, options: BaresipOptions) {
    let BaresipConfig { dir, speaks: play, rate, channels, sip_port, control_port } = config;
    let (name, module) = match options.codec {
        "opus" => ("opus/48000/2", "opus.so"),
        "g722" => ("G722/16000/1", "g722.so"),
        _ => ("PCMU/8000/1", "g711.so"),
    };
    let (audio, driver) = match options.sound_card {
        true => ("audio_player alsa,default\naudio_source alsa,default".to_owned(), "alsa.so"),
        // Files only: with a module for sound cards loaded it would look for one to play to, and drop the call.
        false => (format!("audio_player none,\naudio_source aufile,{}", play.display()), "aufile.so"),
    };
    let encryption = options.encryption.map(|name| format!(";mediaenc={name}")).unwrap_or_default();
    let srtp = match options.encryption {
        Some("dtls_srtp") => "module srtp.so\nmodule dtls_srtp.so\n",
        Some(_) => "module srtp.so\n",
        None => "",
    };
    let (ice, nat) = if options.ice { ("rtcp_mux yes\nmodule ice.so\n", ";medianat=ice") } else { ("", "") };
    let config = format!(
        "poll_method epoll\nsip_listen {address}:{sip_port}\nnet_interface {device}\ncall_max_calls 4\n\
         {audio}\naudio_alert none,\nausrc_srate {rate}\nauplay_srate {rate}\n\
         ausrc_channels {channels}\nauplay_channels {channels}\naudio_level no\nrtp_timeout 0\n\
         jitter_buffer_delay 1-5\nmodule_path /usr/lib/baresip/modules\nmodule {module}\nmodule {driver}\n\
         {srtp}{ice}module sndfile.so\nmodule uuid.so\nmodule_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n\
         ctrl_tcp_listen 127.0.0.1:{control_port}\nsnd_path {dir}\nopus_bitrate 28000\nopus_inbandfec yes\n",
        address = veth.address,
        device = veth.device,
        dir = dir.display(),
    );
    let identity = match options.registrar {
        Some(at) => format!("<sip:bs@am.test>;auth_user=bs;auth_pass=pwbs;outbound=\"sip:{at}\";regint=600"),
        None => format!("<sip:bs@{}>;regint=0", veth.address),
    };
    let account = format!("{identity};audio_codecs={name};answermode=auto{encryption}{nat}\n");
    let uuid = "11111111-2222-3333-4444-555555555555";
    for (file, text) in [("config", config.as_str()), ("accounts", &account), ("contacts", ""), ("uuid", uuid)] {
        std::fs::write(dir.join(file), text).expect("the test's folder can be written");
    }
}
