//! Someone who works in the window: his hands, his window with its login filled in, and what it costs the processor.

use crate::{desk::Desk, process::Process, pulse::Pulse};

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

/// The softphone's window with this login filled in: the TMS, user name, password and key.
pub fn window(desk: &Desk, sound: &Pulse, [tms, username, password, key]: [&str; 4]) -> Process {
    let mut command = desk.agent_manager();
    command.envs(sound.environment());
    command.args(["--tms", tms, "--username", username, "--light"]);
    command.env("AGENT_MANAGER_PASSWORD", password);
    command.env("AGENT_MANAGER_API_KEY", key);
    Process(command.spawn().expect("the window starts"))
}

/// User and system time in hundredths of a second, of all threads.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid)).expect("it runs");
    let after_name = stat.rsplit_once(')').expect("the name is in brackets").1;
    after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}
