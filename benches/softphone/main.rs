//! Speed and size of the headless softphone beside Debian's baresip in the same run, as a table of ratios: `make bench`.
//!
//! Absolute times on a shared machine are weak evidence; the ratio is what counts. One part alone:
//! `cargo bench --bench softphone -- start answer cpu ear window`.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

#[allow(dead_code, reason = "the bench uses a part of the tests' handles")]
#[path = "../../tests/peers/support/mod.rs"]
mod support;

mod answer;
#[path = "../../tests/window/desk.rs"]
#[allow(dead_code, reason = "the bench uses a part of the tests' desktop")]
mod desk;
mod mouth_to_ear;
#[path = "../../tests/window/person.rs"]
#[allow(dead_code, reason = "the bench uses a part of the tests' person")]
mod person;
#[path = "../../tests/agent_story/provider.rs"]
#[allow(dead_code, reason = "a part of the tests' TMS, which the bench uses without it")]
mod provider;
#[allow(dead_code, reason = "the bench uses a part of the tests' sound server")]
#[path = "../../tests/common/pulse.rs"]
mod pulse;
#[path = "../../tests/agent_story/tms.rs"]
#[allow(dead_code, reason = "the bench uses a part of the tests' TMS")]
mod tms;
mod window;

use pulse::Pulse;
use serde_json::json;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::DirEntry,
    path::Path,
    time::{Duration, Instant},
};
use support::{
    baresip::{Baresip, BaresipOptions, Veth},
    kamailio::{Kamailio, Options},
    phone::{self, Phone},
    process::{self, free_port, poll_until},
    tone,
};

/// One line of the table: ours and the peer's in the same unit; less is better.
struct Row {
    what: &'static str,
    unit: &'static str,
    ours: f64,
    /// `None` where it has nothing to compare.
    baresip: Option<f64>,
    /// What the product promises.
    goal: &'static str,
}

impl Row {
    fn beside(what: &'static str, unit: &'static str, ours: f64, baresip: f64, goal: &'static str) -> Self {
        Self { what, unit, ours, baresip: Some(baresip), goal }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, unit, ours, baresip, goal } = self;
        let (theirs, ratio) = match baresip {
            Some(baresip) => (format!("{baresip:.2} {unit}"), format!("{:.2}", ours / baresip)),
            None => ("–".to_owned(), "–".to_owned()),
        };
        write!(f, "| {what} | {ours:.2} {unit} | {theirs} | {ratio} | {goal} |")
    }
}

fn main() {
    let veth = Veth::up().unwrap_or_else(|why| {
        eprintln!(
            "make bench needs a veth pair, since baresip's media refuses loopback, and this system forbids one: {why}"
        );
        std::process::exit(1);
    });
    // First, since it sets the environment while no other thread runs.
    let pulse = Pulse::start();
    for (name, value) in pulse.environment() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var(name, value) };
    }
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|a| a == part);
    let mut rows = Vec::new();
    if wanted("ear") {
        rows.extend(mouth_to_ear::measure(&veth, &pulse));
    }
    if wanted("start") {
        rows.extend(start_and_memory(&veth));
    }
    if wanted("answer") {
        rows.push(answer_time(&veth));
    }
    if wanted("cpu") {
        let calls = [("pcmu", "off"), ("opus", "off"), ("opus", "on")];
        rows.extend(calls.map(|(codec, processing)| call_cpu(&veth, codec, processing)));
    }
    if wanted("window") {
        rows.extend(window::measure(&pulse));
    }
    println!("\n| what | ours | baresip 1.0.0 | ratio | goal |\n|---|---|---|---|---|");
    for row in rows {
        println!("{row}");
    }
}

/// Process start to registered with digest, and resident memory half a second later; turn about, medians of nine.
fn start_and_memory(veth: &Veth) -> Vec<Row> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let kamailio = Kamailio::start(dir.path(), Options { also: Some(&veth.address), ..Options::default() });
    let registrar = format!("{}:{}", veth.address, kamailio.port);
    let mut times: (Vec<f64>, Vec<f64>) = Default::default();
    let mut sizes: (Vec<f64>, Vec<f64>) = Default::default();
    for n in 0..9 {
        let start = Instant::now();
        let phone = kamailio.phone(dir.path(), &format!("s{n}"), "udp", "null", &[]);
        phone.wait(json!({"event": "registration", "state": "online"}));
        times.0.push(start.elapsed().as_secs_f64() * 1000.0);
        sizes.0.push(settled(phone.pid()));
        phone.quit();

        let options = BaresipOptions { registrar: Some(&registrar), ..BaresipOptions::new("pcmu", 440.0) };
        let config = Baresip::configure(dir.path(), veth, options);
        let start = Instant::now();
        let baresip = config.spawn();
        poll_until(Duration::from_secs(5), || baresip.log().contains("200 OK").then_some(())).expect("it registers");
        times.1.push(start.elapsed().as_secs_f64() * 1000.0);
        sizes.1.push(settled(baresip.pid()));
    }
    let row = |what, unit, (ours, baresip): (Vec<f64>, Vec<f64>), goal| {
        Row::beside(what, unit, median(ours), median(baresip), goal)
    };
    vec![
        row("process start to registered with digest", "ms", times, "1.00 x"),
        row("resident memory, registered, idle", "MiB", sizes, "1.25 x"),
    ]
}

/// Resident memory once it has not changed for half a second.
fn settled(pid: u32) -> f64 {
    let (mut last, mut since) = (resident_mib(pid), Instant::now());
    poll_until(Duration::from_secs(5), || {
        let now = resident_mib(pid);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > Duration::from_millis(500)).then_some(now)
    })
    .unwrap_or(last)
}

/// INVITE to 200 with answering at once.
fn answer_time(veth: &Veth) -> Row {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let (account, bind) = (format!("sip:agent@{}", veth.address), format!("{}:{port}", veth.address));
    let args = ["--sip-account", &account, "--no-register", "--bind", &bind, "--audio", "null", "--auto-answer", "0"];
    let phone = Phone::start(dir.path(), "phone", &args, "", None);
    phone.wait(json!({"event": "ready"}));
    let baresip = Baresip::start(dir.path(), veth, "pcmu", 440.0);
    let mut times: (Vec<f64>, Vec<f64>) = Default::default();
    for n in 0..60 {
        times.0.push(answer::measure(&veth.address, port, "agent", n));
        times.1.push(answer::measure(&veth.address, baresip.sip_port, "bs", n));
    }
    phone.quit();
    let (ours, baresip) = (median(times.0), median(times.1));
    Row::beside("INVITE to 200, answering at once, median of 60", "ms", ours, baresip, "1.00 x")
}

/// Processor time of either side of the same call of 60 s, both speaking from files; ours with voice `processing` on or off.
fn call_cpu(veth: &Veth, codec: &'static str, processing: &str) -> Row {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let input = dir.path().join("in.wav");
    tone::write(&input, 440.0, 20);
    let audio = format!("file:{},{}", input.display(), dir.path().join("out.wav").display());
    let port = free_port();
    let (account, bind) = (format!("sip:agent@{}", veth.address), format!("{}:{port}", veth.address));
    let args = ["--sip-account", &account, "--no-register", "--bind", &bind, "--audio", &audio, "--codecs", codec];
    let args = [&args[..], &["--voice-processing", processing]].concat();
    let mut phone = Phone::start(dir.path(), "phone", &args, "", None);
    phone.wait(json!({"event": "ready"}));
    let baresip = Baresip::start(dir.path(), veth, codec, 700.0);
    phone.send(json!({"cmd": "dial", "to": format!("sip:bs@{}:{}", veth.address, baresip.sip_port)}));
    let call = phone.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    let before = (Cpu::of(phone.pid()), Cpu::of(baresip.pid()));
    let end = Instant::now() + Duration::from_secs(60);
    poll_until(Duration::from_secs(61), || (Instant::now() >= end).then_some(()));
    let (ours, theirs) = (Cpu::of(phone.pid()).since(&before.0), Cpu::of(baresip.pid()).since(&before.1));
    phone.send(json!({"cmd": "hangup", "call": call}));
    phone.wait(json!({"event": "call", "state": "ended"}));
    phone.quit();
    let (what, goal) = match (codec, processing) {
        ("pcmu", _) => ("processor time of a call of 60 s, PCMU", "0.5 s"),
        (_, "on") => ("the same with voice processing (baresip: without)", "2.5 s"),
        _ => ("the same, Opus (baresip: stereo)", "1.4 s"),
    };
    Row::beside(what, "s", ours, theirs, goal)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn resident_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}

/// Time on the processor so far of each thread that lives, in nanoseconds: the figures of `/proc/PID/stat` count whole ticks
/// of 10 ms by who happens to run at their end, which is off by half for a programme that runs for microseconds.
struct Cpu(BTreeMap<OsString, f64>);

impl Cpu {
    fn of(pid: u32) -> Self {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let time = |task: DirEntry| {
            let schedstat = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((task.file_name(), schedstat.split_whitespace().next()?.parse().ok()?))
        };
        Self(tasks.filter_map(time).collect())
    }

    /// Seconds since then. A thread that has ended meanwhile takes its share with it, but not what it had before.
    fn since(&self, earlier: &Self) -> f64 {
        let spent = |(task, now): (&OsString, &f64)| now - earlier.0.get(task).unwrap_or(&0.0);
        self.0.iter().map(spent).sum::<f64>() / 1e9
    }
}
