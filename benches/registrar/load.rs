//! sipp as so many devices that register and refresh.

use crate::process::{Group, bounded};
use std::{
    fmt::Write,
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

/// The account that all devices are of, and the realm.
pub const REALM: &str = "acme";
/// Devices that are on their way at a time.
const AT_ONCE: usize = 50;

/// SIP user of a device: `1000-acme`, …
pub fn user(device: usize) -> String {
    format!("{}-{REALM}", 1000 + device)
}

/// Its password.
pub fn password(device: usize) -> String {
    format!("secret-{device}")
}

/// One load.
pub struct Load {
    /// The registrar's.
    pub port: u16,
    /// The devices': the same in every turn, so that who registered before refreshes.
    pub from: u16,
    pub devices: usize,
}

impl Load {
    /// Each device registers `rounds` times; every one must succeed. Registrations a second.
    pub fn run(&self, folder: &Path, rounds: usize) -> f64 {
        let mut devices = String::from("SEQUENTIAL\n");
        for device in 0..self.devices {
            let (user, password) = (user(device), password(device));
            writeln!(devices, "{user};[authentication username={user} password={password}];{REALM}").expect("writes");
        }
        fs::write(folder.join("devices.csv"), devices).expect("the folder can be written");
        let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/registrar/register.xml");
        let mut command = bounded("sipp");
        command.arg(format!("127.0.0.1:{}", self.port)).args([
            "-sf",
            scenario,
            "-inf",
            "devices.csv",
            "-i",
            "127.0.0.1",
        ]);
        command.args(["-p", &self.from.to_string(), "-nostdin", "-timeout", "300", "-timeout_error", "-trace_err"]);
        command.args(["-set", "rounds", &rounds.to_string()]);
        command.args(["-r", "100000", "-l", &AT_ONCE.to_string(), "-m", &self.devices.to_string()]);
        command.args(["-error_file", "sipp.err"]).env("TERM", "dumb").current_dir(folder);
        let output = File::create(folder.join("sipp.out")).expect("the folder can be written");
        let started = Instant::now();
        command.stdin(Stdio::null()).stdout(output).stderr(Stdio::null());
        let mut sipp = Group::start(&mut command).expect("sipp is installed (make test installs it)");
        let status = sipp.leader().wait(Duration::from_secs(320));
        let errors = fs::read_to_string(folder.join("sipp.err")).unwrap_or_default();
        assert!(status.success(), "sipp: {status}\n{}", errors.chars().take(2000).collect::<String>());
        (self.devices * rounds) as f64 / started.elapsed().as_secs_f64()
    }
}
