//! Calls that sipp makes and the headless softphone answers at once, each side on a core of its own: as many as go.

use crate::{
    Row,
    support::{phone::Phone, process::free_port, sipp::Sipp},
};
use serde_json::json;
use std::{
    fs,
    process::{Command, Stdio},
    time::Instant,
};

/// Under way at once.
const AT_ONCE: &str = "30";

pub fn measure(calls: u32) -> [Row; 2] {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let port = free_port();
    let bind = format!("127.0.0.1:{port}");
    let args = ["--sip-account", "sip:agent@127.0.0.1", "--no-register", "--bind", &bind, "--audio", "null"];
    let more = ["--codecs", "pcmu", "--auto-answer", "0", "--max-calls", "200"];
    let phone = Phone::start(dir.path(), "phone", &[&args[..], &more[..]].concat(), "", None);
    phone.wait(json!({"event": "ready"}));
    on_core(0, phone.pid());
    on_core(1, std::process::id());
    let run = |calls| Sipp::calls(dir.path(), "uac", port, calls, 100_000, &["-d", "0", "-l", AT_ONCE]).finish();
    run(calls / 10);
    let (before, start) = (processor_seconds(phone.pid()), Instant::now());
    let figures = run(calls);
    let (took, spent) = (start.elapsed().as_secs_f64(), processor_seconds(phone.pid()) - before);
    assert_eq!((figures.successful, figures.failed), (u64::from(calls), 0));
    phone.quit();
    let (rate, each) = (f64::from(calls) / took, spent / f64::from(calls) * 1000.0);
    [
        Row::new("calls answered a second, one core", format!("{rate:.0}"), "at least 800"),
        Row::new("processor time a call, INVITE to BYE", format!("{each:.2} ms"), "at most 0.3 ms"),
    ]
}

/// Where there are two; children of the process stay there too.
fn on_core(core: usize, pid: u32) {
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let mut taskset = Command::new("taskset");
        let pinned = taskset.args(["-acp", &core.to_string(), &pid.to_string()]).stdout(Stdio::null()).status();
        assert!(pinned.is_ok_and(|status| status.success()), "taskset pins {pid} to core {core}");
    }
}

/// Of all its threads, those that have ended too, in seconds.
fn processor_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // Behind the name, which may hold anything: utime and stime are the 12th and 13th, in ticks of 10 ms.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
