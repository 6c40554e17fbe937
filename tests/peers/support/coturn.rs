//! Debian's coturn in a network namespace, over UDP, TCP and TLS.

use super::{
    certificate::certificate,
    process::{Process, poll_until},
};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// The ports that coturn has by default, and those of its relayed addresses.
pub const PORT: u16 = 3478;
pub const TLS_PORT: u16 = 5349;
const RELAYED: (u16, u16) = (49_160, 49_260);

pub struct Coturn {
    process: Process,
    command: Command,
    log: PathBuf,
    /// The authority to trust.
    pub ca: PathBuf,
}

impl Coturn {
    /// With user `alice`, password `secret`.
    pub fn start(namespace: &str, dir: &Path, address: &str) -> Self {
        Self::start_for(namespace, dir, address, &["--lt-cred-mech", "--user=alice:secret"])
    }

    /// `who`: its options about whom it lets in.
    pub fn start_for(namespace: &str, dir: &Path, address: &str, who: &[&str]) -> Self {
        certificate(dir, "turn", &format!("IP:{address}"));
        let log = dir.join("turn.log");
        let file = |name: &str| dir.join(name).display().to_string();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace, "turnserver", "-n", "--fingerprint"]).args(who);
        command.args(["--realm=am.test", "--no-cli", "--no-rfc5780", "--no-multicast-peers"]);
        command.args([format!("--listening-ip={address}"), format!("--relay-ip={address}")]);
        command.args([format!("--listening-port={PORT}"), format!("--tls-listening-port={TLS_PORT}")]);
        command.args([format!("--min-port={}", RELAYED.0), format!("--max-port={}", RELAYED.1)]);
        command.args([format!("--cert={}", file("turn.pem")), format!("--pkey={}", file("turn.key"))]);
        command.args([format!("--userdb={}", file("turndb")), format!("--pidfile={}", file("turn.pid"))]);
        command.args(["--log-file=stdout", "--simple-log", "--verbose"]);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let (process, ca) = (Self::run(&mut command, &log), dir.join("ca.pem"));
        Self { process, command, log, ca }
    }

    fn run(command: &mut Command, log: &Path) -> Process {
        let written = std::fs::File::create(log).expect("the test's folder can be written");
        let process = Process(command.stdout(written).spawn().expect("iproute2 is installed (make test does)"));
        // It says how it waits for packets once it does.
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        let ready = poll_until(Duration::from_secs(10), || said().contains("IO method").then_some(()));
        ready.unwrap_or_else(|| panic!("coturn is installed (make test installs it) and starts: {}", said()));
        process
    }

    /// Ends at once, without a word to anybody.
    pub fn crash(&mut self) {
        self.process.0.kill().and_then(|()| self.process.0.wait()).expect("it runs");
    }

    /// After a crash: it knows nobody.
    pub fn start_again(&mut self) {
        self.process = Self::run(&mut self.command, &self.log);
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
