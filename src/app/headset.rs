//! Between calls and a headset's buttons: what the headset is to show, and which commands a press means. Pure; the window and the
//! headless front end share it.

use crate::{
    driver::api::{Command, Event},
    headset::{Calls, Press},
    ua::api::{CallId, CallState},
};
use std::collections::BTreeMap;

/// Busy Here: other phones of the same number go on ringing (RFC 3261 §21.4.24).
pub const REJECT: u16 = 486;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ringing,
    /// Talked to, or being dialled.
    InHand,
    Held,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    standing: Standing,
    muted: bool,
}

/// The calls that there are, as the driver tells them: the one truth, which a headset only shows.
#[derive(Debug, Default)]
pub struct Handset {
    /// By number, and so by age.
    calls: BTreeMap<CallId, Call>,
    /// Whom, and whether without our number.
    last_dialled: Option<(String, bool)>,
}

impl Handset {
    /// `last_dialled`: before the program started.
    pub fn new(last_dialled: Option<String>) -> Self {
        Self { calls: BTreeMap::new(), last_dialled: last_dialled.map(|to| (to, false)) }
    }

    /// To be told of every event.
    pub fn handle_event(&mut self, event: &Event) {
        match event {
            Event::Call(info) => {
                let standing = match info.state {
                    CallState::Ringing => Standing::Ringing,
                    CallState::Dialing | CallState::Early { .. } | CallState::Connected | CallState::RemoteHeld => {
                        Standing::InHand
                    }
                    CallState::Held => Standing::Held,
                    CallState::Ended { .. } => {
                        self.calls.remove(&info.call);
                        return;
                    }
                };
                self.calls.entry(info.call).or_insert(Call { standing, muted: false }).standing = standing;
            }
            Event::Muted { call, on } => {
                self.calls.entry(*call).and_modify(|call| call.muted = *on);
            }
            _ => {}
        }
    }

    /// To be told of every command that a person gives.
    pub fn handle_command(&mut self, command: &Command) {
        if let Command::Dial { to, anonymous } = command {
            self.last_dialled = Some((to.clone(), *anonymous));
        }
    }

    /// What a headset shows.
    pub fn calls(&self) -> Calls {
        let any = |standing| self.calls.values().any(|call| call.standing == standing);
        let heard = |call: &Call| call.standing == Standing::InHand && !call.muted;
        let in_hand = any(Standing::InHand);
        Calls {
            ringing: any(Standing::Ringing),
            in_hand,
            held: any(Standing::Held),
            muted: in_hand && !self.calls.values().any(heard),
        }
    }

    /// What a press means, in order.
    pub fn commands(&self, press: Press) -> Vec<Command> {
        let hold = || self.of(Standing::InHand).map(|call| Command::Hold { call });
        let answer = || self.of(Standing::Ringing).take(1).map(|call| Command::Answer { call });
        let resume = || self.of(Standing::Held).take(1).map(|call| Command::Resume { call });
        let now = self.calls();
        match press {
            Press::Answer => answer().collect(),
            Press::Reject => {
                let reject = |call| Command::Reject { call, code: REJECT };
                self.of(Standing::Ringing).take(1).map(reject).collect()
            }
            // Of several on hold, nobody can say which; and whoever hears it ring wants to answer.
            Press::HangUp if !now.in_hand && (now.ringing || self.of(Standing::Held).count() > 1) => vec![],
            Press::HangUp => {
                let over = if now.in_hand { Standing::InHand } else { Standing::Held };
                self.of(over).map(|call| Command::Hangup { call }).collect()
            }
            Press::Swap if now.ringing => hold().chain(answer()).collect(),
            Press::Swap if now.held => hold().chain(resume()).collect(),
            Press::Swap => hold().collect(),
            Press::Hold if now.in_hand => hold().collect(),
            Press::Hold => resume().collect(),
            Press::Mute { on } => self.of(Standing::InHand).map(|call| Command::Mute { call, on }).collect(),
            Press::Redial => {
                let dial = |(to, anonymous): &(String, bool)| Command::Dial { to: to.clone(), anonymous: *anonymous };
                self.last_dialled.iter().map(dial).collect()
            }
        }
    }

    fn of(&self, standing: Standing) -> impl Iterator<Item = CallId> {
        self.calls.iter().filter(move |(_, call)| call.standing == standing).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::api::{CallDirection, CallInfo, EndedBy};

    fn call(call: CallId, state: CallState) -> Event {
        Event::Call(CallInfo::bare(call, CallDirection::In, state))
    }

    fn meant(handset: &Handset, press: Press) -> String {
        handset.commands(press).iter().map(|command| format!("{command:?}")).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_press_is_for_the_call_that_it_can_mean() {
        use CallState::{Connected, Dialing, Held, Ringing};
        let over = CallState::Ended { ended_by: EndedBy::Remote, code: None, reason: String::new() };
        for (events, press, wanted) in [
            (vec![call(1, Ringing), call(2, Ringing)], Press::Answer, "Answer { call: 1 }"),
            (vec![call(1, Ringing), call(1, over.clone())], Press::Answer, ""),
            (vec![call(1, Connected), call(2, Ringing)], Press::Reject, "Reject { call: 2, code: 486 }"),
            (vec![call(1, Connected), call(2, Ringing)], Press::Swap, "Hold { call: 1 }, Answer { call: 2 }"),
            (vec![call(1, Held), call(2, Connected)], Press::Swap, "Hold { call: 2 }, Resume { call: 1 }"),
            (vec![call(1, Held), call(2, Connected)], Press::HangUp, "Hangup { call: 2 }"),
            (vec![call(1, Connected), call(2, Connected)], Press::HangUp, "Hangup { call: 1 }, Hangup { call: 2 }"),
            (vec![call(1, Held)], Press::HangUp, "Hangup { call: 1 }"),
            (vec![call(1, Held), call(2, Ringing)], Press::HangUp, ""),
            (vec![call(1, Held), call(2, Ringing)], Press::Answer, "Answer { call: 2 }"),
            (vec![call(1, Held), call(2, Held)], Press::HangUp, ""),
            (vec![call(1, Held), call(2, Held)], Press::Hold, "Resume { call: 1 }"),
            (vec![call(1, Dialing)], Press::HangUp, "Hangup { call: 1 }"),
            (
                vec![call(1, Connected), call(2, Connected), call(3, Held)],
                Press::Mute { on: true },
                "Mute { call: 1, on: true }, Mute { call: 2, on: true }",
            ),
            (vec![], Press::Redial, "Dial { to: \"101\", anonymous: true }"),
        ] {
            let mut handset = Handset::new(Some("100".into()));
            handset.handle_command(&Command::Dial { to: "101".into(), anonymous: true });
            events.iter().for_each(|event| handset.handle_event(event));
            assert_eq!(meant(&handset, press), wanted, "{press:?} with {events:?}");
        }
    }

    #[test]
    fn muted_is_who_hears_nothing_of_us() {
        let mut handset = Handset::default();
        let mut muted = |event: Event| {
            handset.handle_event(&event);
            handset.calls().muted
        };
        assert!(!muted(call(1, CallState::Connected)));
        assert!(muted(Event::Muted { call: 1, on: true }));
        assert!(muted(call(1, CallState::RemoteHeld)), "it stays so whatever the other side does");
        assert!(!muted(call(2, CallState::Connected)), "one of two hears us");
        assert!(muted(Event::Muted { call: 2, on: true }));
        assert!(muted(call(2, CallState::Held)));
        assert!(!muted(call(1, CallState::Held)), "nobody is talked to");
        assert!(muted(call(1, CallState::Connected)), "back from hold, muted as before");
    }
}
