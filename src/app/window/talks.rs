//! One conversation at a time: whoever is talked to goes on hold when another call is dialled, answered or resumed, and when
//! the party of another call picks up; those who are joined count as one. Pure.

use crate::{
    driver::api::{Command, Event},
    ua::api::{CallId, CallInfo, CallState},
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Being dialled, ringing, or on hold.
    Waiting,
    Talking,
    /// Told to be put on hold, and not yet there: once is enough.
    Leaving,
}

#[derive(Debug, Default)]
pub struct Talks {
    /// Every call that has not ended.
    calls: BTreeMap<CallId, Standing>,
    /// Those that hear each other, or are about to.
    joined: BTreeSet<CallId>,
}

impl Talks {
    /// To be told of every command; what to send before it.
    pub fn handle_command(&mut self, command: &Command) -> Vec<Command> {
        match command {
            Command::Answer { call } => self.hold_all_but(*call),
            Command::Resume { call } => {
                let mut first = self.hold_all_but(*call);
                // Whoever comes back to one of a conference comes back to all of it.
                let is_away = |other: &CallId| self.calls.get(other) != Some(&Standing::Talking);
                let others = self.joined.iter().filter(|other| *other != call && is_away(other));
                first.extend(
                    others.filter(|_| self.joined.contains(call)).map(|other| Command::Resume { call: *other }),
                );
                first
            }
            Command::Conference { calls } => {
                self.joined = calls.iter().copied().collect();
                match calls.first() {
                    Some(call) => self.hold_all_but(*call),
                    None => vec![],
                }
            }
            Command::Hold { call } => {
                self.calls.entry(*call).and_modify(|standing| *standing = Standing::Leaving);
                vec![]
            }
            _ => vec![],
        }
    }

    /// To be told of every event; what to send because of it. A number that cannot be dialled makes no call, and so costs
    /// nobody the conversation.
    pub fn handle_event(&mut self, event: &Event) -> Vec<Command> {
        match event {
            Event::Call(info) => self.call(info),
            // Its other party is about to end it, and has put us on hold itself.
            Event::Referred { by: old, .. } | Event::TakesOver { old, .. } => {
                self.forget(*old);
                vec![]
            }
            Event::Error { command: "conference", .. } => {
                self.joined.clear();
                vec![]
            }
            // Refused, or taken back.
            Event::Error { command: "hold", call: Some(call), .. } => {
                if let Some(standing @ Standing::Leaving) = self.calls.get_mut(call) {
                    *standing = Standing::Talking;
                }
                vec![]
            }
            _ => vec![],
        }
    }

    fn call(&mut self, info: &CallInfo) -> Vec<Command> {
        let before = self.calls.get(&info.call).copied();
        let now = match info.state {
            CallState::Ended { .. } => {
                self.forget(info.call);
                return vec![];
            }
            CallState::Connected | CallState::RemoteHeld if before == Some(Standing::Leaving) => Standing::Leaving,
            CallState::Connected | CallState::RemoteHeld => Standing::Talking,
            CallState::Dialing | CallState::Early { .. } | CallState::Ringing | CallState::Held => Standing::Waiting,
        };
        self.calls.insert(info.call, now);
        let is_dialled = before.is_none() && info.state == CallState::Dialing;
        let is_taken_up = now == Standing::Talking && before != Some(Standing::Talking);
        if is_dialled || is_taken_up { self.hold_all_but(info.call) } else { vec![] }
    }

    fn hold_all_but(&mut self, this: CallId) -> Vec<Command> {
        let joined = &self.joined;
        let is_with = |call: &CallId| *call == this || (joined.contains(call) && joined.contains(&this));
        let others = self.calls.iter_mut().filter(|(call, standing)| !is_with(call) && **standing == Standing::Talking);
        others
            .map(|(call, standing)| {
                *standing = Standing::Leaving;
                Command::Hold { call: *call }
            })
            .collect()
    }
}

impl Talks {
    /// Those that hear each other: two or more, or nobody.
    pub const fn joined(&self) -> &BTreeSet<CallId> {
        &self.joined
    }

    fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
        if self.joined.remove(&call) && self.joined.len() < 2 {
            self.joined.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::api::{CallDirection, EndedBy};

    const END: CallState = CallState::Ended { ended_by: EndedBy::Remote, code: None, reason: String::new() };

    fn state(call: CallId, state: CallState) -> Event {
        Event::Call(CallInfo::bare(call, CallDirection::Out, state))
    }

    /// What is put on hold at each step.
    enum Step {
        Told(Event),
        Ordered(Command),
    }

    fn held(talks: &mut Talks, step: &Step) -> Vec<CallId> {
        let commands = match step {
            Step::Told(event) => talks.handle_event(event),
            Step::Ordered(command) => talks.handle_command(command),
        };
        let call = |command: &Command| match command {
            Command::Hold { call } => *call,
            // Taken off hold with the others of a conference.
            Command::Resume { call } => 100 + *call,
            other => panic!("{other:?}"),
        };
        commands.iter().map(call).collect()
    }

    #[test]
    fn one_conversation_at_a_time() {
        use CallState::{Connected, Dialing, Early, Held, RemoteHeld, Ringing};
        use Step::{Ordered, Told};
        let refused = || Event::Error { command: "hold", call: Some(1), message: "No.".into() };
        let dial_refused = || Event::Error { command: "dial", call: None, message: "Not a number.".into() };
        for (what, story) in [
            (
                "dialled beside a conversation, and picked up before the first has been put on hold",
                vec![
                    (Told(state(1, Connected)), &[][..]),
                    (Ordered(Command::Dial { to: "x".into(), anonymous: false }), &[]),
                    (Told(dial_refused()), &[]),
                    (Ordered(Command::Dial { to: "102".into(), anonymous: false }), &[]),
                    (Told(state(2, Dialing)), &[1]),
                    (Told(state(2, Early { media: false })), &[]),
                    (Told(state(2, Connected)), &[]),
                    (Told(state(1, Connected)), &[]),
                    (Told(state(1, Held)), &[]),
                    (Ordered(Command::Resume { call: 1 }), &[2]),
                    (Told(state(1, Connected)), &[]),
                    (Told(state(2, Held)), &[]),
                ],
            ),
            (
                "one answered while another is dialled, which then picks up",
                vec![
                    (Told(state(1, Dialing)), &[]),
                    (Told(state(2, Ringing)), &[]),
                    (Ordered(Command::Answer { call: 2 }), &[]),
                    (Told(state(2, Connected)), &[]),
                    (Told(state(1, Connected)), &[2]),
                ],
            ),
            (
                "answered while another is talked to, who has put us on hold",
                vec![
                    (Told(state(1, RemoteHeld)), &[]),
                    (Told(state(2, Ringing)), &[]),
                    (Ordered(Command::Answer { call: 2 }), &[1]),
                    (Told(state(2, Connected)), &[]),
                    (Told(state(2, END)), &[]),
                ],
            ),
            (
                "put on hold by hand, in vain",
                vec![
                    (Told(state(1, Connected)), &[]),
                    (Ordered(Command::Hold { call: 1 }), &[]),
                    (Told(refused()), &[]),
                    (Told(state(2, Dialing)), &[1]),
                    (Told(state(1, END)), &[]),
                    (Told(state(2, Connected)), &[]),
                ],
            ),
            (
                "two joined, put on hold for a third, and come back to",
                vec![
                    (Told(state(1, Held)), &[]),
                    (Told(state(2, Connected)), &[]),
                    (Ordered(Command::Conference { calls: vec![1, 2] }), &[]),
                    (Told(state(1, Connected)), &[]),
                    (Told(state(3, Ringing)), &[]),
                    (Ordered(Command::Answer { call: 3 }), &[1, 2]),
                    (Told(state(1, Held)), &[]),
                    (Told(state(2, Held)), &[]),
                    (Told(state(3, Connected)), &[]),
                    (Ordered(Command::Resume { call: 2 }), &[3, 101]),
                    (Told(state(2, Connected)), &[]),
                    (Told(state(1, Connected)), &[]),
                    (Told(state(1, END)), &[]),
                    (Ordered(Command::Resume { call: 2 }), &[]),
                ],
            ),
            (
                "joined in vain",
                vec![
                    (Told(state(1, Held)), &[]),
                    (Told(state(2, Connected)), &[]),
                    (Ordered(Command::Conference { calls: vec![1, 2] }), &[]),
                    (Told(Event::Error { command: "conference", call: None, message: "No.".into() }), &[]),
                    (Told(state(1, Connected)), &[2]),
                ],
            ),
            (
                "transferred by the other side, and then taken over",
                vec![
                    (Told(state(1, RemoteHeld)), &[]),
                    (Told(Event::Referred { call: 2, by: 1 }), &[]),
                    (Told(state(2, Dialing)), &[]),
                    (Told(state(2, Connected)), &[]),
                    (Told(state(1, END)), &[]),
                    (Told(Event::TakesOver { call: 3, old: 2 }), &[]),
                    (Told(state(3, Connected)), &[]),
                    (Told(state(2, END)), &[]),
                ],
            ),
        ] {
            let mut talks = Talks::default();
            for (number, (step, wanted)) in story.iter().enumerate() {
                assert_eq!(held(&mut talks, step), *wanted, "{what}, step {number}");
            }
        }
    }
}
