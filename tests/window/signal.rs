//! SIGTERM and SIGINT end the program with its window.

use crate::{
    desk::{Desk, wait_for},
    process::Process,
};
use std::{process::Command, time::Instant};

#[test]
fn a_signal_closes_the_window_within_two_seconds() {
    let desk = Desk::start();
    for signal in ["-TERM", "-INT"] {
        let child = desk.agent_manager().spawn().expect("the window starts");
        let mut window = Process(child);
        desk.wait_for("the window", |desk| {
            (!desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]).is_empty()).then_some(())
        });
        // Until then the system ends the process by itself, which shows nothing.
        wait_for("the signals to be heard", || hears_signals(window.0.id()).then_some(()));
        let asked = Instant::now();
        let killed = Command::new("kill").args([signal, &window.0.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        let status = wait_for("the process to end", || window.0.try_wait().expect("a child"));
        assert!(status.success(), "{signal}: {status}");
        assert!(asked.elapsed().as_millis() < 2_000, "{signal}: {:?}", asked.elapsed());
    }
}

/// Whether the process handles SIGINT (2) and SIGTERM (15) itself.
fn hears_signals(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    [2, 15].iter().all(|signal| caught >> (signal - 1) & 1 == 1)
}
