//! Non-INVITE client transaction: RFC 3261 §17.1.2 (Figure 6).

use super::{Backoff, ClientAction as Action, ClientInput as Input, Timers};
use std::time::Instant;

/// The states of Figure 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `e`: Timer E, over UDP only. `f`: Timer F.
    Trying {
        e: Option<Backoff>,
        f: Instant,
    },
    /// The same timers; E now fires every T2.
    Proceeding {
        e: Option<Backoff>,
        f: Instant,
    },
    /// Absorbs retransmitted final responses until Timer K.
    Completed {
        k: Instant,
    },
    Terminated,
}

/// Reports exactly one outcome: a final response, a time-out or a transport failure.
#[derive(Clone, Copy, Debug)]
pub struct ClientNonInvite {
    state: State,
    timers: Timers,
    reliable: bool,
}

impl ClientNonInvite {
    /// The request has just been sent for the first time.
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        // §17.1.2.2: Timer E = T1 over unreliable transports; Timer F = 64*T1 over any.
        let e = (!reliable).then(|| Backoff::start(now, timers.t1));
        Self { state: State::Trying { e, f: now + timers.give_up() }, timers, reliable }
    }

    /// For the owner to know when it is over.
    pub fn state(&self) -> State {
        self.state
    }

    /// One row of the table.
    pub fn step(&mut self, now: Instant, input: Input) -> &'static [Action] {
        use State::{Completed, Proceeding, Terminated, Trying};
        let t2 = self.timers.t2;
        let (state, actions): (State, &'static [Action]) = match (self.state, input) {
            (Trying { f, .. } | Proceeding { f, .. }, Input::Timer) if f <= now => (Terminated, &[Action::TimedOut]),
            (Trying { e: Some(e), f }, Input::Timer) if e.is_due(now) => {
                (Trying { e: Some(e.next(now, Some(t2))), f }, &[Action::Send])
            }
            (Proceeding { e: Some(e), f }, Input::Timer) if e.is_due(now) => {
                (Proceeding { e: Some(Backoff::start(now, t2)), f }, &[Action::Send])
            }
            (Trying { e, f } | Proceeding { e, f }, Input::Provisional) => (Proceeding { e, f }, &[Action::PassUp]),
            (Trying { .. } | Proceeding { .. }, Input::Success | Input::Failure) => {
                // §17.1.2.2: Timer K = T4 over UDP, zero over a reliable transport.
                let next = if self.reliable { Terminated } else { Completed { k: now + self.timers.t4 } };
                (next, &[Action::PassUp])
            }
            (Trying { .. } | Proceeding { .. }, Input::TransportError) => (Terminated, &[Action::TransportFailed]),

            (Completed { k }, Input::Timer) if k <= now => (Terminated, &[]),

            (state @ (Trying { .. } | Proceeding { .. }), Input::Timer | Input::Cancel)
            | (state @ (Completed { .. } | Terminated), _) => (state, &[]),
        };
        self.state = state;
        actions
    }

    /// When to step with [`Input::Timer`].
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Trying { e, f } | State::Proceeding { e, f } => Some(e.map_or(f, |e| e.at().min(f))),
            State::Completed { k } => Some(k),
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

    impl Machine for ClientNonInvite {
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
            name: "no answer over UDP: Timer E doubles up to T2, Timer F ends it",
            reliable: false,
            steps: &[
                (500, Timer, &[Send], "Trying"),
                (1500, Timer, &[Send], "Trying"),
                (3500, Timer, &[Send], "Trying"),
                (7500, Timer, &[Send], "Trying"),
                (11500, Timer, &[Send], "Trying"),
                (15500, Timer, &[Send], "Trying"),
                (19500, Timer, &[Send], "Trying"),
                (23500, Timer, &[Send], "Trying"),
                (27500, Timer, &[Send], "Trying"),
                (31500, Timer, &[Send], "Trying"),
                (32000, Timer, &[TimedOut], "Terminated"),
            ],
        },
        Row {
            name: "no answer over TCP: Timer F alone",
            reliable: true,
            steps: &[(32000, Timer, &[TimedOut], "Terminated")],
        },
        Row {
            name: "answered over UDP: Timer K absorbs copies",
            reliable: false,
            steps: &[
                (10, Success, &[PassUp], "Completed"),
                (20, Success, &[], "Completed"),
                (30, Failure, &[], "Completed"),
                (40, TransportError, &[], "Completed"),
                (5010, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "answered over TCP: Timer K is zero",
            reliable: true,
            steps: &[(10, Failure, &[PassUp], "Terminated")],
        },
        Row {
            name: "100 slows Timer E to T2",
            reliable: false,
            steps: &[
                (500, Timer, &[Send], "Trying"),
                (600, Provisional, &[PassUp], "Proceeding"),
                (700, Provisional, &[PassUp], "Proceeding"),
                (1500, Timer, &[Send], "Proceeding"),
                (5500, Timer, &[Send], "Proceeding"),
                (6000, Failure, &[PassUp], "Completed"),
                (11000, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "100 and nothing more: Timer F ends it",
            reliable: true,
            steps: &[(600, Provisional, &[PassUp], "Proceeding"), (32000, Timer, &[TimedOut], "Terminated")],
        },
        Row {
            name: "transport fails",
            reliable: false,
            steps: &[(1, TransportError, &[TransportFailed], "Terminated")],
        },
        Row {
            name: "connection lost after 100",
            reliable: true,
            steps: &[(1, Provisional, &[PassUp], "Proceeding"), (2, TransportError, &[TransportFailed], "Terminated")],
        },
        Row {
            name: "there is no CANCEL for it",
            reliable: true,
            steps: &[(1, Cancel, &[], "Trying"), (2, Success, &[PassUp], "Terminated")],
        },
    ];

    const INPUTS: &[Input] = &[Provisional, Success, Failure, Cancel, Timer, TransportError];

    #[test]
    fn table() {
        table::run::<ClientNonInvite>(ROWS);
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3261))]

            #[test]
            fn ends(reliable: bool, inputs in prop::collection::vec((0u16..9000, prop::sample::select(INPUTS)), 0..20)) {
                table::ends::<ClientNonInvite>(reliable, &inputs, &[]);
            }
        }
    }
}
