//! INVITE client transaction: RFC 3261 §17.1.1 (Figure 5) as changed by RFC 6026 §7.2, and the CANCEL rules of §9.1.

use super::{Backoff, ClientAction as Action, ClientInput as Input, Timers};
use std::time::Instant;

/// The states of Figure 5, with RFC 6026's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `a`: Timer A, over UDP only. `b`: Timer B. `cancel`: send CANCEL as soon as a provisional response allows it.
    Calling {
        a: Option<Backoff>,
        b: Instant,
        cancel: bool,
    },
    /// `give_up`: set once CANCEL is sent; without a final response until then the transaction ends (§9.1).
    Proceeding {
        give_up: Option<Instant>,
    },
    /// Absorbs retransmitted final responses until Timer D, answering each with the ACK.
    Completed {
        d: Instant,
    },
    /// Passes every 2xx up until Timer M.
    Accepted {
        m: Instant,
    },
    Terminated,
}

/// Reports exactly one outcome: a final response, a time-out or a transport failure (and further 2xx after a 2xx).
#[derive(Clone, Copy, Debug)]
pub struct ClientInvite {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl ClientInvite {
    /// The INVITE has just been sent for the first time.
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        // §17.1.1.2: Timer A = T1 over unreliable transports; Timer B = 64*T1 over any.
        let a = (!reliable).then(|| Backoff::start(now, timers.t1));
        Self { state: State::Calling { a, b: now + timers.give_up(), cancel: false }, timers, reliable }
    }

    /// For the owner to know when it is over.
    pub fn state(&self) -> State {
        self.state
    }

    /// One row of the table.
    pub fn step(&mut self, now: Instant, input: Input) -> &'static [Action] {
        use State::{Accepted, Calling, Completed, Proceeding, Terminated};
        let give_up = now + self.timers.give_up();
        let (state, actions): (State, &'static [Action]) = match (self.state, input) {
            (Calling { b, .. }, Input::Timer) if b <= now => (Terminated, &[Action::TimedOut]),
            (Calling { a: Some(a), b, cancel }, Input::Timer) if a.is_due(now) => {
                (Calling { a: Some(a.next(now, None)), b, cancel }, &[Action::Send])
            }
            (Calling { cancel: false, .. }, Input::Provisional) => (Proceeding { give_up: None }, &[Action::PassUp]),
            (Calling { cancel: true, .. }, Input::Provisional) => {
                (Proceeding { give_up: Some(give_up) }, &[Action::PassUp, Action::SendCancel])
            }
            (Calling { a, b, .. }, Input::Cancel) => (Calling { a, b, cancel: true }, &[]),

            (Proceeding { give_up: Some(at) }, Input::Timer) if at <= now => (Terminated, &[Action::TimedOut]),
            (state @ Proceeding { .. }, Input::Provisional) => (state, &[Action::PassUp]),
            (Proceeding { give_up: None }, Input::Cancel) => {
                (Proceeding { give_up: Some(give_up) }, &[Action::SendCancel])
            }

            (Calling { .. } | Proceeding { .. }, Input::Success) => (Accepted { m: give_up }, &[Action::PassUp]),
            (Calling { .. } | Proceeding { .. }, Input::Failure) => {
                // §17.1.1.2: Timer D is at least 32 s over UDP, zero over a reliable transport.
                let next = if self.reliable { Terminated } else { Completed { d: give_up } };
                (next, &[Action::SendAck, Action::PassUp])
            }
            (Calling { .. } | Proceeding { .. }, Input::TransportError) => (Terminated, &[Action::TransportFailed]),

            (state @ Completed { .. }, Input::Failure) => (state, &[Action::SendAck]),
            // The figure informs the transaction user; its outcome is known already, so the end is quiet.
            (Completed { .. }, Input::TransportError) => (Terminated, &[]),
            (Completed { d: end } | Accepted { m: end }, Input::Timer) if end <= now => (Terminated, &[]),

            (state @ Accepted { .. }, Input::Success) => (state, &[Action::PassUp]),

            (state @ (Calling { .. } | Proceeding { .. }), Input::Timer | Input::Cancel)
            | (state @ Completed { .. }, Input::Provisional | Input::Success | Input::Cancel | Input::Timer)
            | (
                state @ Accepted { .. },
                Input::Provisional | Input::Failure | Input::Cancel | Input::Timer | Input::TransportError,
            )
            | (state @ Terminated, _) => (state, &[]),
        };
        self.state = state;
        actions
    }

    /// When to step with [`Input::Timer`].
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Calling { a, b, .. } => Some(a.map_or(b, |a| a.at().min(b))),
            State::Proceeding { give_up } => give_up,
            State::Completed { d: end } | State::Accepted { m: end } => Some(end),
            State::Terminated => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::{self, Machine, Row, TIMERS};
    use super::*;
    use Action::*;
    use Input::*;
    use proptest::prelude::*;

    impl Machine for ClientInvite {
        type Input = Input;
        type Action = Action;
        const TIMER: Input = Timer;
        fn start(now: Instant, reliable: bool) -> Self {
            Self::new(now, TIMERS, reliable)
        }
        fn step_all(&mut self, now: Instant, input: Input) -> Vec<Action> {
            self.step(now, input).to_vec()
        }
        fn state_name(&self) -> String {
            table::name(self.state())
        }
        fn next(&self) -> Option<Instant> {
            self.deadline()
        }
    }

    const ROWS: &[Row<Input, Action>] = &[
        Row {
            name: "no answer over UDP: Timer A doubles, Timer B ends it",
            reliable: false,
            steps: &[
                (500, Timer, &[Send], "Calling"),
                (1500, Timer, &[Send], "Calling"),
                (3500, Timer, &[Send], "Calling"),
                (7500, Timer, &[Send], "Calling"),
                (15500, Timer, &[Send], "Calling"),
                (31500, Timer, &[Send], "Calling"),
                (32000, Timer, &[TimedOut], "Terminated"),
            ],
        },
        Row {
            name: "no answer over TCP: Timer B alone",
            reliable: true,
            steps: &[(32000, Timer, &[TimedOut], "Terminated")],
        },
        Row {
            name: "answered 2xx at once",
            reliable: false,
            steps: &[
                (10, Success, &[PassUp], "Accepted"),
                (500, Success, &[PassUp], "Accepted"),
                (600, Provisional, &[], "Accepted"),
                (700, Failure, &[], "Accepted"),
                (800, TransportError, &[], "Accepted"),
                (32010, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "ringing, then 2xx of two branches, over TCP",
            reliable: true,
            steps: &[
                (10, Provisional, &[PassUp], "Proceeding"),
                (200, Provisional, &[PassUp], "Proceeding"),
                (9000, Success, &[PassUp], "Accepted"),
                (9100, Success, &[PassUp], "Accepted"),
                (41000, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "refused over UDP: every copy of the refusal gets its ACK until Timer D",
            reliable: false,
            steps: &[
                (10, Provisional, &[PassUp], "Proceeding"),
                (20, Failure, &[SendAck, PassUp], "Completed"),
                (520, Failure, &[SendAck], "Completed"),
                (530, Success, &[], "Completed"),
                (540, Provisional, &[], "Completed"),
                (550, Cancel, &[], "Completed"),
                (32020, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "refused over TCP: Timer D is zero",
            reliable: true,
            steps: &[(20, Failure, &[SendAck, PassUp], "Terminated"), (21, Failure, &[], "Terminated")],
        },
        Row {
            name: "refused at once over UDP, the ACK cannot be sent",
            reliable: false,
            steps: &[(20, Failure, &[SendAck, PassUp], "Completed"), (21, TransportError, &[], "Terminated")],
        },
        Row {
            name: "transport fails",
            reliable: false,
            steps: &[(1, TransportError, &[TransportFailed], "Terminated")],
        },
        Row {
            name: "connection lost while ringing",
            reliable: true,
            steps: &[(1, Provisional, &[PassUp], "Proceeding"), (5, TransportError, &[TransportFailed], "Terminated")],
        },
        Row {
            name: "CANCEL waits for a provisional response",
            reliable: false,
            steps: &[
                (100, Cancel, &[], "Calling"),
                (500, Timer, &[Send], "Calling"),
                (600, Provisional, &[PassUp, SendCancel], "Proceeding"),
                (700, Cancel, &[], "Proceeding"),
                (900, Failure, &[SendAck, PassUp], "Completed"),
                (32900, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "CANCEL while ringing, 2xx wins",
            reliable: true,
            steps: &[
                (10, Provisional, &[PassUp], "Proceeding"),
                (100, Cancel, &[SendCancel], "Proceeding"),
                (110, Success, &[PassUp], "Accepted"),
                (32110, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "2xx comes before the CANCEL could be sent",
            reliable: false,
            steps: &[
                (10, Cancel, &[], "Calling"),
                (20, Success, &[PassUp], "Accepted"),
                (32020, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "CANCEL without a final response: 64*T1 later it is over",
            reliable: false,
            steps: &[
                (10, Provisional, &[PassUp], "Proceeding"),
                (60000, Cancel, &[SendCancel], "Proceeding"),
                (92000, Timer, &[TimedOut], "Terminated"),
            ],
        },
        Row {
            name: "CANCEL of an INVITE nobody answers",
            reliable: true,
            steps: &[(10, Cancel, &[], "Calling"), (32000, Timer, &[TimedOut], "Terminated")],
        },
    ];

    const INPUTS: &[Input] = &[Provisional, Success, Failure, Cancel, Timer, TransportError];

    #[test]
    fn table() {
        table::run::<ClientInvite>(ROWS);
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3261))]

            #[test]
            fn ends(reliable: bool, inputs in prop::collection::vec((0u16..9000, prop::sample::select(INPUTS)), 0..20)) {
                table::ends::<ClientInvite>(reliable, &inputs, &["Proceeding"]);
            }
        }
    }
}
