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
        // Before the session thread listens a signal ends the process at once, too.
        let asked = Instant::now();
        let killed = Command::new("kill").args([signal, &window.0.id().to_string()]).status();
        assert!(killed.is_ok_and(|status| status.success()));
        wait_for("the process to end", || window.0.try_wait().expect("a child"));
        assert!(asked.elapsed().as_millis() < 2_000, "{signal}: {:?}", asked.elapsed());
    }
}
