//! The check before the shift, and the call that it makes: no front end hears of that one.

use super::Shell;
use crate::{
    driver::{
        api::{Command, Event},
        check::{NetworkCheck, Output},
    },
    media::{check::Step, stats::CallStats},
    ua::api::{self as agent, CallId, CallState, TransferTo},
};
use std::time::Instant;

impl Shell {
    pub(super) fn check(&mut self, now: Instant, name: &'static str, echo: Option<String>) {
        let result = match &self.check {
            Some(_) => Err("The check is under way; wait until it is done.".to_owned()),
            _ => self.media.check(),
        };
        if result.is_ok() {
            self.check = Some((NetworkCheck::new(now, echo), Vec::new()));
        }
        self.settle(name, None, result);
    }

    /// What the engine says of the devices; their end is the network's beginning.
    pub(super) fn check_steps(&mut self, now: Instant, step: Step) {
        let Some((_, found)) = &mut self.check else { return self.tell(Event::Check(step)) };
        match step {
            Step::Done(findings) if findings.iter().any(|finding| finding.what == "call") => {
                self.check = None;
                self.tell(Event::Check(Step::Done(findings)));
            }
            Step::Done(findings) => {
                *found = findings;
                let is_online = self.agent.has_account();
                self.check_network(now, |check| check.handle_devices_done(now, is_online));
            }
            step => self.tell(Event::Check(step)),
        }
    }

    /// Feeds the network's part and carries out what it asks for.
    pub(super) fn check_network<T: Default>(&mut self, now: Instant, feed: impl FnOnce(&mut NetworkCheck) -> T) -> T {
        let Some((check, found)) = &mut self.check else { return T::default() };
        let answer = feed(check);
        let outputs: Vec<_> = std::iter::from_fn(|| check.poll_output()).collect();
        let mut findings = std::mem::take(found);
        if check.is_done() {
            self.check = None;
        }
        for output in outputs {
            match output {
                Output::Dial(to) => {
                    self.tell(Event::Check(Step::Network));
                    self.prepare_for_calls();
                    self.agent.handle_command(now, agent::Command::Measure { to });
                }
                Output::Hangup(call) => self.agent.handle_command(now, agent::Command::Hangup { call }),
                Output::Found(finding) => {
                    let all = std::mem::take(&mut findings).into_iter().chain([finding]).collect();
                    self.tell(Event::Check(Step::Done(all)));
                }
            }
        }
        if let Some((_, found)) = &mut self.check {
            *found = findings;
        }
        answer
    }

    /// Whether the event is of the call that measures the network.
    pub(super) fn is_of_check(&mut self, now: Instant, event: &agent::Event) -> bool {
        match event {
            agent::Event::Call(info) => {
                let is_ours = self.check_network(now, |check| check.handle_call(now, info));
                if is_ours {
                    self.probe = Some(info.call);
                    self.media.follow(info);
                    // What is said at the desk is nobody's business.
                    if !matches!(info.state, CallState::Ended { .. }) && self.media.mute(info.call, true).is_err() {
                        tracing::warn!("the call of the check cannot be muted");
                    }
                }
                is_ours
            }
            agent::Event::Refused { command: "dial", call: None, message } => {
                self.check_network(now, |check| check.handle_refused(message))
            }
            agent::Event::Refused { call: Some(call), .. } | agent::Event::Done { call: Some(call), .. } => {
                self.is_checked(*call)
            }
            agent::Event::Dtmf { call, .. } => self.is_checked(*call),
            _ => false,
        }
    }

    pub(super) fn measures(&mut self, now: Instant, call: CallId, stats: &CallStats) -> bool {
        self.check_network(now, |check| check.handle_stats(now, call, stats));
        self.is_checked(call)
    }

    pub(super) fn is_checked(&self, call: CallId) -> bool {
        self.probe == Some(call)
    }

    /// Refuses a command for the call that nobody is told of, as one for a call that is not there.
    pub(super) fn is_for_check(&mut self, name: &'static str, command: &Command) -> bool {
        let Some(probe) = self.probe.filter(|probe| names(command, *probe)) else { return false };
        self.fail(name, subject(command), format!("There is no call {probe}; it may have ended."));
        true
    }
}

/// The call that a command is for.
const fn subject(command: &Command) -> Option<CallId> {
    match command {
        Command::Answer { call }
        | Command::Reject { call, .. }
        | Command::Hangup { call }
        | Command::Hold { call }
        | Command::Resume { call }
        | Command::Mute { call, .. }
        | Command::Record { call, .. }
        | Command::Dtmf { call, .. }
        | Command::Transfer { call, .. }
        | Command::Stats { call } => Some(*call),
        _ => None,
    }
}

/// Whether a command would do something with this call.
fn names(command: &Command, call: CallId) -> bool {
    match command {
        Command::Conference { calls } => calls.contains(&call),
        Command::Transfer { to: TransferTo::Call(other), .. } if *other == call => true,
        command => subject(command) == Some(call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_calls_that_it_would_change() {
        let to = |to| Command::Transfer { call: 1, to };
        for (command, named, subject_of) in [
            (Command::Hangup { call: 1 }, &[1][..], Some(1)),
            (Command::Mute { call: 2, on: true }, &[2], Some(2)),
            (Command::Conference { calls: vec![1, 3] }, &[1, 3], None),
            (to(TransferTo::Call(2)), &[1, 2], Some(1)),
            (to(TransferTo::Address("3".into())), &[1], Some(1)),
            (Command::Dial { to: "1".into(), anonymous: false }, &[], None),
        ] {
            let found: Vec<_> = (1..=3).filter(|call| names(&command, *call)).collect();
            assert_eq!((found.as_slice(), subject(&command)), (named, subject_of), "{command:?}");
        }
    }
}
