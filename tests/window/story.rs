//! The agent's story in the real window, against a real TMS: sign-in, *Apply*, Initialized, the settings wheel, *Select
//! account*, (S), Online, a call, hanging up; and a call that comes while the window is minimised.

use crate::{
    desk::Desk,
    process::{Process, binary, free_port, poll_until},
};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::Duration,
};

/// A TMS with its demonstration tenant, and what it said once it was ready.
struct Tms {
    _process: Process,
    ready: serde_json::Value,
}

impl Tms {
    fn start(folder: &std::path::Path) -> Self {
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

    fn said(&self, path: &str) -> &str {
        self.ready.pointer(path).and_then(|value| value.as_str()).unwrap_or_else(|| panic!("no {path}: {}", self.ready))
    }
}

/// Steps through the window by name.
struct Hands<'a>(&'a Desk);

impl Hands<'_> {
    #[track_caller]
    fn does(&self, steps: &[&[&str]]) {
        for step in steps {
            if let Err(why) = self.0.atspi(step) {
                self.0.picture("root", "failed.png");
                panic!("{step:?}: {why}");
            }
        }
    }
}

fn window(desk: &Desk, tms: &Tms) -> Process {
    let mut command = desk.agent_manager();
    command.args(["--tms", tms.said("/http"), "--username", tms.said("/demo/username"), "--light"]);
    command.env("AGENT_MANAGER_PASSWORD", tms.said("/demo/password"));
    command.env("AGENT_MANAGER_API_KEY", tms.said("/demo/api_key"));
    Process(command.spawn().expect("the window starts"))
}

#[test]
fn from_sign_in_to_an_echo_call_and_a_call_while_minimised() {
    let desk = Desk::start();
    let tms = Tms::start(desk.folder.path());
    let mut agent_manager = window(&desk, &tms);
    let hands = Hands(&desk);
    hands.does(&[
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Settings"],
        &["click", "Select account*"],
        // The primary is the desk phone's: it is said beforehand, and both ways out are offered.
        &["click", "100-acme, primary*"],
        &["wait", "Take over"],
        &["click", "Use the secondary"],
        &["wait", "Online, 100-acme-laptop, secondary"],
        &["set", "Number or SIP address", "600"],
        &["click", "Call"],
        &["wait", "Connected to *"],
        &["wait", "Sound quality: *"],
    ]);
    let main = desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]);
    desk.picture(&main, "window.png");
    hands.does(&[&["click", "Mute"], &["wait", "Muted: they can't hear you"], &["click", "Unmute"]]);
    hands.does(&[&["click", "End"], &["wait", "Call with * ended*"]]);

    desk.xdotool(&["windowminimize", &main]);
    let mut colleague = colleague(&tms);
    hands.does(&[&["wait", "Ringing for *"]]);
    desk.picture("root", "ringing-minimised.png");
    hands.does(&[&["click", "Answer"], &["gone", "Ringing for *"]]);
    drop(colleague.0.stdin.take());

    desk.xdotool(&["windowclose", &main]);
    let ended = poll_until(Duration::from_secs(10), || agent_manager.0.try_wait().expect("waited for"));
    assert!(ended.is_some(), "the window was closed and the program goes on");
}

/// Calls the agent's extension from the colleague's.
fn colleague(tms: &Tms) -> Process {
    let mut command = Command::new(binary("agent-manager"));
    let sip = tms.said("/demo/sip/username");
    command.args(["headless", "--sip-account", &format!("sip:{sip}@acme")]);
    command.arg("--outbound-proxy").arg(format!("sip:{};lr", tms.said("/sip")));
    command.args(["--audio", "null", "--bind", "127.0.0.1:0"]);
    command.env("AGENT_MANAGER_PASSWORD", tms.said("/demo/sip/password"));
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the colleague starts");
    let mut process = Process(child);
    let mut lines = BufReader::new(process.0.stdout.take().expect("stdout was piped")).lines();
    let online = lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"online\""));
    assert!(online, "the colleague cannot register");
    let stdin = process.0.stdin.as_mut().expect("stdin was piped");
    writeln!(stdin, r#"{{"cmd":"dial","to":"100"}}"#).expect("said");
    std::thread::spawn(move || lines.for_each(drop));
    process
}
