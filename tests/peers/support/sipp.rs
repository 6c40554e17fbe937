//! Debian's sipp as peer: runs a scenario and reads its figures.

use super::process::{Process, free_port, poll_until};
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// One run of sipp.
pub struct Sipp {
    process: Process,
    dir: PathBuf,
    name: String,
    pub port: u16,
}

/// What sipp counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Figures {
    pub successful: u64,
    pub failed: u64,
}

/// One of tests/peers/sipp, or sipp's own `uac` and `uas`.
fn scenario(name: &str) -> Vec<String> {
    match name {
        "uac" | "uas" => vec!["-sn".into(), name.into()],
        own => vec!["-sf".into(), format!("{}/tests/peers/sipp/{own}.xml", env!("CARGO_MANIFEST_DIR"))],
    }
}

impl Sipp {
    /// Waits for calls on a free port, until `calls` have ended.
    pub fn called(dir: &Path, name: &str, calls: u32, more: &[&str]) -> Self {
        let sipp = Self::spawn(dir, name, calls, None, more);
        let bound = poll_until(Duration::from_secs(5), || udp_port_in_use(sipp.port).then_some(()));
        bound.expect("sipp opens its port");
        sipp
    }

    /// Calls `sip:service@127.0.0.1:port`, `rate` calls a second.
    pub fn calls(dir: &Path, name: &str, port: u16, calls: u32, rate: u32, more: &[&str]) -> Self {
        let rate = rate.to_string();
        let mut args = vec!["-r", &rate, "-l", "100"];
        args.extend(more);
        Self::spawn(dir, name, calls, Some(port), &args)
    }

    fn spawn(dir: &Path, name: &str, calls: u32, to: Option<u16>, more: &[&str]) -> Self {
        let port = free_port();
        // Even, as RTP's has to be (RFC 3550 §11).
        let media = free_port();
        let mut command = Command::new("sipp");
        command.args(to.map(|p| format!("127.0.0.1:{p}"))).args(scenario(name));
        command.args(["-i", "127.0.0.1", "-nostdin", "-timeout_error", "-timeout", "120", "-trace_err", "-trace_stat"]);
        command.args(["-p", &port.to_string(), "-mp", &media.to_string(), "-m", &calls.to_string()]);
        command.args(["-stf", &format!("{name}.csv"), "-error_file", &format!("{name}.err")]).args(more);
        let output = std::fs::File::create(dir.join(format!("{name}.out"))).expect("the test's folder can be written");
        command.env("TERM", "dumb").current_dir(dir).stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
        let child = command.spawn().expect("sipp is installed (make test installs it)");
        Self { process: Process(child), dir: dir.to_owned(), name: name.to_owned(), port }
    }

    /// The figures once the last call has ended; all must have gone as the scenario says.
    pub fn finish(self) -> Figures {
        self.outcome().unwrap_or_else(|why| panic!("{why}"))
    }

    /// The same; `Err` says what did not go as the scenario says.
    pub fn outcome(mut self) -> Result<Figures, String> {
        let status = self.process.wait(Duration::from_secs(150));
        let figures = self.figures();
        if status.success() && figures.failed == 0 {
            return Ok(figures);
        }
        let errors = std::fs::read_to_string(self.dir.join(format!("{}.err", self.name))).unwrap_or_default();
        let errors: String = errors.chars().take(3000).collect();
        Err(format!("sipp {}: {status}, {figures:?}\n{errors}", self.name))
    }

    fn figures(&self) -> Figures {
        let csv = std::fs::read_to_string(self.dir.join(format!("{}.csv", self.name))).unwrap_or_default();
        let mut lines = csv.lines();
        let names: Vec<_> = lines.next().unwrap_or_default().split(';').collect();
        let last: Vec<_> = lines.last().unwrap_or_default().split(';').collect();
        let column = |name| {
            let at = names.iter().position(|n| *n == name);
            at.and_then(|i| last.get(i)).and_then(|v| v.parse().ok()).unwrap_or(0)
        };
        Figures { successful: column("SuccessfulCall(C)"), failed: column("FailedCall(C)") }
    }
}

/// Read from the kernel, since a bind would take the port away from sipp.
fn udp_port_in_use(port: u16) -> bool {
    let wanted = format!(":{port:04X} ");
    std::fs::read_to_string("/proc/net/udp").is_ok_and(|table| table.lines().any(|l| l.contains(&wanted)))
}
