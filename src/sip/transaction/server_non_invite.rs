//! Non-INVITE server transaction: RFC 3261 §17.2.2 (Figure 8) under the rules of RFC 4320: no provisional response but a
//! late 100, and never a 408.

use super::{ServerAction as Action, ServerInput as Input, Timers};
use std::time::Instant;

/// The states of Figure 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `trying`: when to send 100 (RFC 4320 §4.1). `end`: the client has given up by its Timer F, an answer is of no use.
    Trying {
        trying: Instant,
        end: Instant,
    },
    /// The 100 was sent.
    Proceeding {
        end: Instant,
    },
    /// Answers retransmissions with the final response until Timer J.
    Completed {
        j: Instant,
    },
    Terminated,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct ServerNonInvite {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl ServerNonInvite {
    /// The request has just come and been handed to the transaction user.
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        let state = State::Trying { trying: now + timers.e_reaches_t2(), end: now + timers.give_up() };
        Self { state, timers, reliable }
    }

    /// For the owner to know when it is over.
    pub fn state(&self) -> State {
        self.state
    }

    /// One row of the table.
    pub fn step(&mut self, now: Instant, input: Input) -> Option<Action> {
        use State::{Completed, Proceeding, Terminated, Trying};
        let (state, action) = match (self.state, input) {
            // RFC 4320 §4.2: no 408 goes out; the client has timed out by itself.
            (Trying { end, .. } | Proceeding { end }, Input::Timer) if end <= now => (Terminated, None),
            // RFC 4320 §4.1: a 100 before the client's Timer E reaches T2 would only slow its retransmissions down.
            (Trying { trying, end }, Input::Timer) if trying <= now => (Proceeding { end }, Some(Action::SendTrying)),
            (Trying { .. } | Proceeding { .. }, Input::Success | Input::Failure) => {
                // Timer J = 64*T1 over UDP, zero over a reliable transport.
                let next = if self.reliable { Terminated } else { Completed { j: now + self.timers.give_up() } };
                (next, Some(Action::Send))
            }
            (state @ (Proceeding { .. } | Completed { .. }), Input::Retransmission) => (state, Some(Action::Resend)),

            (Completed { j }, Input::Timer) if j <= now => (Terminated, None),

            (
                state @ (Trying { .. } | Proceeding { .. }),
                // RFC 4320 §4.1: the transaction user's own provisional responses are not sent.
                Input::Provisional
                | Input::Retransmission
                | Input::Timer
                | Input::Ack
                | Input::Acknowledged
                | Input::Cancel,
            )
            | (state @ (Completed { .. } | Terminated), _) => (state, None),
        };
        self.state = state;
        action
    }

    /// When to step with [`Input::Timer`].
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Trying { trying: at, .. } | State::Proceeding { end: at } | State::Completed { j: at } => Some(at),
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

    impl Machine for ServerNonInvite {
        type Input = Input;
        type Action = Action;
        const TIMER: Input = Timer;
        fn start(now: Instant, reliable: bool) -> Self {
            Self::new(now, TIMERS, reliable)
        }
        fn step_all(&mut self, now: Instant, input: Input) -> Vec<Action> {
            self.step(now, input).into_iter().collect()
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
            name: "answered at once over UDP: Timer J answers copies",
            reliable: false,
            steps: &[
                (10, Success, &[Send], "Completed"),
                (500, Retransmission, &[Resend], "Completed"),
                (600, Failure, &[], "Completed"),
                (32010, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "answered over TCP: Timer J is zero",
            reliable: true,
            steps: &[(10, Failure, &[Send], "Terminated")],
        },
        Row {
            name: "100 not before the client's Timer E reaches T2",
            reliable: false,
            steps: &[
                (500, Retransmission, &[], "Trying"),
                (600, Provisional, &[], "Trying"),
                (3500, Timer, &[SendTrying], "Proceeding"),
                (3600, Retransmission, &[Resend], "Proceeding"),
                (3700, Provisional, &[], "Proceeding"),
                (9000, Success, &[Send], "Completed"),
                (41000, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "never answered: ends with the client's Timer F, without 408",
            reliable: true,
            steps: &[(3500, Timer, &[SendTrying], "Proceeding"), (32000, Timer, &[], "Terminated")],
        },
        Row {
            name: "ACK and CANCEL mean nothing to it",
            reliable: true,
            steps: &[
                (1, Ack, &[], "Trying"),
                (2, Cancel, &[], "Trying"),
                (3, Acknowledged, &[], "Trying"),
                (4, Success, &[Send], "Terminated"),
            ],
        },
    ];

    const INPUTS: &[Input] = &[Retransmission, Ack, Provisional, Success, Failure, Acknowledged, Cancel, Timer];

    #[test]
    fn table() {
        table::run::<ServerNonInvite>(ROWS);
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3261))]

            #[test]
            fn ends(reliable: bool, inputs in prop::collection::vec((0u16..9000, prop::sample::select(INPUTS)), 0..20)) {
                table::ends::<ServerNonInvite>(reliable, &inputs, &[]);
            }
        }
    }
}
