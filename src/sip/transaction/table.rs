//! Runs the rows of a state table in simulated time.

use super::Timers;
use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

/// Milliseconds since the start, what happens, what it must cause, the state it must lead to.
pub type Step<I, A> = (u64, I, &'static [A], &'static str);

/// One way through a machine.
pub struct Row<I: 'static, A: 'static> {
    pub name: &'static str,
    pub reliable: bool,
    pub steps: &'static [Step<I, A>],
}

/// What the four machines have in common.
pub trait Machine {
    type Input: Copy + Debug + PartialEq;
    type Action: Copy + Debug + PartialEq + 'static;
    const TIMER: Self::Input;
    fn start(now: Instant, reliable: bool) -> Self;
    fn step_all(&mut self, now: Instant, input: Self::Input) -> Vec<Self::Action>;
    fn state_name(&self) -> String;
    fn next(&self) -> Option<Instant>;
}

/// The first word of a state's `Debug`.
pub fn name(state: impl Debug) -> String {
    format!("{state:?}").split([' ', '{']).next().unwrap_or_default().to_owned()
}

/// Every `Timer` step must stand exactly where the machine asked to be woken.
pub fn run<M: Machine>(rows: &[Row<M::Input, M::Action>]) {
    for row in rows {
        let start = Instant::now();
        let mut machine = M::start(start, row.reliable);
        for (number, &(at, input, actions, state)) in row.steps.iter().enumerate() {
            let now = start + Duration::from_millis(at);
            let place = format!("{}, step {number}: {input:?} at {at} ms", row.name);
            if input == M::TIMER {
                let asked = machine.next().map(|at| (at - start).as_millis());
                assert_eq!(asked, Some(u128::from(at)), "{place}: time asked for");
            }
            assert_eq!(machine.step_all(now, input), actions, "{place}");
            assert_eq!(machine.state_name(), state, "{place}");
        }
        assert_eq!(machine.next().is_none(), machine.state_name() == "Terminated", "{}: a timer to the end", row.name);
    }
}

/// Whatever happens, in whatever order: once timers alone drive it, the machine ends, except in the states where it rightly
/// waits for the transaction user without end.
pub fn ends<M: Machine>(reliable: bool, inputs: &[(u16, M::Input)], waits: &[&str]) {
    let mut now = Instant::now();
    let mut machine = M::start(now, reliable);
    for &(after, input) in inputs {
        now += Duration::from_millis(after.into());
        machine.step_all(now, input);
    }
    for _ in 0..40 {
        let Some(next) = machine.next() else { break };
        now = now.max(next);
        machine.step_all(now, M::TIMER);
    }
    let state = machine.state_name();
    assert!(state == "Terminated" && machine.next().is_none() || waits.contains(&state.as_str()), "left in {state}");
}

pub const TIMERS: Timers =
    Timers { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) };
