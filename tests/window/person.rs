//! Someone who works in the window: the server that he signs in to, his hands, and what his window costs the processor.

use crate::{
    desk::Desk,
    process::{Process, binary, free_port},
    pulse::Pulse,
};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// A TMS with its demonstration tenant, and what it said once it was ready.
pub struct Tms {
    _process: Process,
    ready: serde_json::Value,
}

impl Tms {
    pub fn start(folder: &Path) -> Self {
        let mut command = Command::new(binary("tms"));
        command.args(["serve", "--demo-data"]);
        command.arg(format!("--http=127.0.0.1:{}", free_port()));
        command.arg(format!("--sip=127.0.0.1:{}", free_port()));
        command.arg(format!("--database-url=sqlite://{}/tms.db", folder.display()));
        let child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
        let mut process = Process(child.expect("tms starts"));
        let mut line = String::new();
        let stdout = process.0.stdout.take().expect("stdout was piped");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self { ready: serde_json::from_str(&line).expect("the line is JSON"), _process: process }
    }

    pub fn said(&self, path: &str) -> &str {
        self.ready.pointer(path).and_then(|value| value.as_str()).unwrap_or_else(|| panic!("no {path}: {}", self.ready))
    }
}

/// Steps through the window by name.
pub struct Hands<'a>(pub &'a Desk);

impl Hands<'_> {
    #[track_caller]
    pub fn does(&self, steps: &[&[&str]]) {
        for step in steps {
            if let Err(why) = self.0.atspi(step) {
                self.0.picture("root", "failed.png");
                panic!("{step:?}: {why}");
            }
        }
    }
}

/// The softphone's window with the demonstration's login filled in.
pub fn window(desk: &Desk, sound: &Pulse, tms: &Tms) -> Process {
    let mut command = desk.agent_manager();
    command.envs(sound.environment());
    command.args(["--tms", tms.said("/http"), "--username", tms.said("/demo/username"), "--light"]);
    command.env("AGENT_MANAGER_PASSWORD", tms.said("/demo/password"));
    command.env("AGENT_MANAGER_API_KEY", tms.said("/demo/api_key"));
    Process(command.spawn().expect("the window starts"))
}

/// User and system time in hundredths of a second, of all threads.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid)).expect("it runs");
    let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}
