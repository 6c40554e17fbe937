//! INVITE server transaction: RFC 3261 §17.2.1 (Figure 7) as changed by RFC 6026 §7.1, and the retransmission of 2xx that
//! RFC 3261 §13.3.1.4 asks of the user agent server.

use super::{Backoff, ServerAction as Action, ServerInput as Input, Timers};
use std::time::{Duration, Instant};

/// §17.2.1: a 100 goes out unless the transaction user answers within this time.
pub const TRYING_AFTER: Duration = Duration::from_millis(200);
/// §13.3.1.1: a user agent repeats its provisional response every minute, so that no proxy on the way gives up (Timer C).
pub const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The states of Figure 7, with RFC 6026's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// `cancelled`: the transaction user knows of a CANCEL.
    Proceeding {
        next: Next,
        cancelled: bool,
    },
    /// A 3xx–6xx was sent. `g`: Timer G, over UDP only. `h`: Timer H.
    Completed {
        g: Option<Backoff>,
        h: Instant,
    },
    /// Absorbs retransmitted ACKs until Timer I.
    Confirmed {
        i: Instant,
    },
    /// A 2xx was sent: absorbs retransmitted INVITEs until Timer L. `resend`: the next retransmission of the 2xx, while
    /// its ACK is awaited.
    Accepted {
        resend: Option<Backoff>,
        l: Instant,
    },
    Terminated,
}

/// What to send next by ourselves while the transaction user does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Trying(Instant),
    /// The provisional response once more.
    Again(Instant),
    Nothing,
}

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct ServerInvite {
    state: State,
    timers: Timers,
    reliable: bool,
    /// The responses are our own: a 2xx is retransmitted until it is acknowledged, a provisional response repeated. A
    /// proxy only passes on what its branches send.
    is_user_agent: bool,
}

impl ServerInvite {
    /// The INVITE has just come and been handed to the transaction user.
    pub fn new(now: Instant, timers: Timers, reliable: bool, is_user_agent: bool) -> Self {
        Self {
            state: State::Proceeding { next: Next::Trying(now + TRYING_AFTER), cancelled: false },
            timers,
            reliable,
            is_user_agent,
        }
    }

    /// For the owner to know when it is over.
    pub fn state(&self) -> State {
        self.state
    }

    /// One row of the table.
    pub fn step(&mut self, now: Instant, input: Input) -> Option<Action> {
        use State::{Accepted, Completed, Confirmed, Proceeding, Terminated};
        let Timers { t1, t2, t4 } = self.timers;
        let give_up = now + self.timers.give_up();
        let (state, action) = match (self.state, input) {
            (Proceeding { next: Next::Trying(at), cancelled }, Input::Timer) if at <= now => {
                (Proceeding { next: Next::Nothing, cancelled }, Some(Action::SendTrying))
            }
            (Proceeding { next: Next::Again(at), cancelled }, Input::Timer) if at <= now => {
                (Proceeding { next: Next::Again(now + AGAIN_AFTER), cancelled }, Some(Action::Resend))
            }
            (state @ Proceeding { .. }, Input::Retransmission) => (state, Some(Action::Resend)),
            (Proceeding { cancelled, .. }, Input::Provisional) => {
                let next = if self.is_user_agent { Next::Again(now + AGAIN_AFTER) } else { Next::Nothing };
                (Proceeding { next, cancelled }, Some(Action::Send))
            }
            // §9.2: told once; a final response makes the CANCEL come too late.
            (Proceeding { next, cancelled: false }, Input::Cancel) => {
                (Proceeding { next, cancelled: true }, Some(Action::PassCancel))
            }
            (Proceeding { .. }, Input::Success) => {
                // §13.3.1.4: from T1, doubling up to T2, over reliable transports too: a hop on the way may be UDP.
                let resend = self.is_user_agent.then(|| Backoff::start(now, t1));
                (Accepted { resend, l: give_up }, Some(Action::Send))
            }
            (Proceeding { .. }, Input::Failure) => {
                let g = (!self.reliable).then(|| Backoff::start(now, t1));
                (Completed { g, h: give_up }, Some(Action::Send))
            }

            (Completed { h, .. }, Input::Timer) if h <= now => (Terminated, Some(Action::NoAck)),
            (Completed { g: Some(g), h }, Input::Timer) if g.is_due(now) => {
                (Completed { g: Some(g.next(now, Some(t2))), h }, Some(Action::Resend))
            }
            (state @ Completed { .. }, Input::Retransmission) => (state, Some(Action::Resend)),
            // Timer I = T4 over UDP, zero over a reliable transport.
            (Completed { .. }, Input::Ack) if self.reliable => (Terminated, None),
            (Completed { .. }, Input::Ack) => (Confirmed { i: now + t4 }, None),

            (Confirmed { i }, Input::Timer) if i <= now => (Terminated, None),

            // Still unacknowledged after 64*T1: the owner ends the session with BYE (§13.3.1.4).
            (Accepted { resend: Some(_), l }, Input::Timer) if l <= now => (Terminated, Some(Action::NoAck)),
            (Accepted { resend: None, l }, Input::Timer) if l <= now => (Terminated, None),
            (Accepted { resend: Some(resend), l }, Input::Timer) if resend.is_due(now) => {
                (Accepted { resend: Some(resend.next(now, Some(t2))), l }, Some(Action::Resend))
            }
            (state @ Accepted { .. }, Input::Ack) => (state, Some(Action::PassAck)),
            (Accepted { l, .. }, Input::Acknowledged) => (Accepted { resend: None, l }, None),
            // RFC 6026 §7.1: a proxy passes further 2xx on; of our own there is one.
            (state @ Accepted { .. }, Input::Success) if !self.is_user_agent => (state, Some(Action::Send)),

            (state @ Proceeding { .. }, Input::Timer | Input::Ack | Input::Acknowledged | Input::Cancel)
            | (
                state @ Completed { .. },
                Input::Provisional
                | Input::Success
                | Input::Failure
                | Input::Acknowledged
                | Input::Timer
                | Input::Cancel,
            )
            | (
                state @ Accepted { .. },
                Input::Retransmission
                | Input::Provisional
                | Input::Success
                | Input::Failure
                | Input::Timer
                | Input::Cancel,
            )
            | (state @ (Confirmed { .. } | Terminated), _) => (state, None),
        };
        self.state = state;
        action
    }

    /// When to step with [`Input::Timer`].
    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Proceeding { next: Next::Trying(at) | Next::Again(at), .. } => Some(at),
            State::Proceeding { next: Next::Nothing, .. } => None,
            State::Completed { g: timer, h: end } | State::Accepted { resend: timer, l: end } => {
                Some(timer.map_or(end, |timer| timer.at().min(end)))
            }
            State::Confirmed { i } => Some(i),
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

    impl Machine for ServerInvite {
        type Input = Input;
        type Action = Action;
        const TIMER: Input = Timer;
        fn start(now: Instant, reliable: bool) -> Self {
            Self::new(now, TIMERS, reliable, true)
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

    /// Of a proxy.
    struct Relaying(ServerInvite);

    impl Machine for Relaying {
        type Input = Input;
        type Action = Action;
        const TIMER: Input = Timer;
        fn start(now: Instant, reliable: bool) -> Self {
            Self(ServerInvite::new(now, TIMERS, reliable, false))
        }
        fn step_all(&mut self, now: Instant, input: Input) -> Vec<Action> {
            self.0.step_all(now, input)
        }
        fn state_name(&self) -> String {
            self.0.state_name()
        }
        fn next(&self) -> Option<Instant> {
            self.0.next()
        }
    }

    const ROWS: &[Row<Input, Action>] = &[
        Row {
            name: "100 after 200 ms, ringing, refused, ACK over UDP: Timer I",
            reliable: false,
            steps: &[
                (50, Retransmission, &[Resend], "Proceeding"),
                (200, Timer, &[SendTrying], "Proceeding"),
                (500, Retransmission, &[Resend], "Proceeding"),
                (600, Provisional, &[Send], "Proceeding"),
                (1000, Failure, &[Send], "Completed"),
                (1500, Timer, &[Resend], "Completed"),
                (1600, Retransmission, &[Resend], "Completed"),
                (1700, Ack, &[], "Confirmed"),
                (1800, Ack, &[], "Confirmed"),
                (1900, Retransmission, &[], "Confirmed"),
                (6700, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "ringing before 200 ms: no 100",
            reliable: false,
            steps: &[
                (50, Provisional, &[Send], "Proceeding"),
                (300, Success, &[Send], "Accepted"),
                (400, Acknowledged, &[], "Accepted"),
                (32300, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "ringing for minutes: the 180 is repeated",
            reliable: true,
            steps: &[
                (10, Provisional, &[Send], "Proceeding"),
                (60_010, Timer, &[Resend], "Proceeding"),
                (120_010, Timer, &[Resend], "Proceeding"),
                (130_000, Failure, &[Send], "Completed"),
                (130_001, Ack, &[], "Terminated"),
            ],
        },
        Row {
            name: "refused, no ACK over UDP: Timer G doubles up to T2, Timer H",
            reliable: false,
            steps: &[
                (0, Failure, &[Send], "Completed"),
                (500, Timer, &[Resend], "Completed"),
                (1500, Timer, &[Resend], "Completed"),
                (3500, Timer, &[Resend], "Completed"),
                (7500, Timer, &[Resend], "Completed"),
                (11500, Timer, &[Resend], "Completed"),
                (15500, Timer, &[Resend], "Completed"),
                (19500, Timer, &[Resend], "Completed"),
                (23500, Timer, &[Resend], "Completed"),
                (27500, Timer, &[Resend], "Completed"),
                (31500, Timer, &[Resend], "Completed"),
                (32000, Timer, &[NoAck], "Terminated"),
            ],
        },
        Row {
            name: "refused, no ACK over TCP: Timer H alone",
            reliable: true,
            steps: &[(0, Failure, &[Send], "Completed"), (32000, Timer, &[NoAck], "Terminated")],
        },
        Row {
            name: "refused over TCP: Timer I is zero",
            reliable: true,
            steps: &[(0, Failure, &[Send], "Completed"), (9, Ack, &[], "Terminated")],
        },
        Row {
            name: "2xx, no ACK: retransmitted over TCP too, then reported",
            reliable: true,
            steps: &[
                (0, Success, &[Send], "Accepted"),
                (500, Timer, &[Resend], "Accepted"),
                (1500, Timer, &[Resend], "Accepted"),
                (3500, Timer, &[Resend], "Accepted"),
                (7500, Timer, &[Resend], "Accepted"),
                (11500, Timer, &[Resend], "Accepted"),
                (15500, Timer, &[Resend], "Accepted"),
                (19500, Timer, &[Resend], "Accepted"),
                (23500, Timer, &[Resend], "Accepted"),
                (27500, Timer, &[Resend], "Accepted"),
                (31500, Timer, &[Resend], "Accepted"),
                (32000, Timer, &[NoAck], "Terminated"),
            ],
        },
        Row {
            name: "2xx, ACK lost once: INVITE absorbed, ACK passed up every time",
            reliable: false,
            steps: &[
                (0, Success, &[Send], "Accepted"),
                (500, Timer, &[Resend], "Accepted"),
                (520, Retransmission, &[], "Accepted"),
                (600, Ack, &[PassAck], "Accepted"),
                (600, Acknowledged, &[], "Accepted"),
                (700, Ack, &[PassAck], "Accepted"),
                (32000, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "a second answer comes too late",
            reliable: false,
            steps: &[
                (0, Success, &[Send], "Accepted"),
                (1, Failure, &[], "Accepted"),
                (2, Provisional, &[], "Accepted"),
                (3, Success, &[], "Accepted"),
                (4, Acknowledged, &[], "Accepted"),
                (32000, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "CANCEL is told once, and not after the answer",
            reliable: false,
            steps: &[
                (0, Cancel, &[PassCancel], "Proceeding"),
                (1, Cancel, &[], "Proceeding"),
                (2, Failure, &[Send], "Completed"),
                (3, Cancel, &[], "Completed"),
                (4, Ack, &[], "Confirmed"),
                (5004, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "CANCEL after 2xx",
            reliable: true,
            steps: &[
                (0, Success, &[Send], "Accepted"),
                (1, Cancel, &[], "Accepted"),
                (2, Acknowledged, &[], "Accepted"),
                (32000, Timer, &[], "Terminated"),
            ],
        },
        Row {
            name: "ACK before any answer is nothing",
            reliable: true,
            steps: &[
                (0, Ack, &[], "Proceeding"),
                (1, Acknowledged, &[], "Proceeding"),
                (2, Failure, &[Send], "Completed"),
                (3, Ack, &[], "Terminated"),
            ],
        },
    ];

    const RELAYING_ROWS: &[Row<Input, Action>] = &[Row {
        name: "a proxy's 2xx: each sent once, none retransmitted, none missed",
        reliable: false,
        steps: &[
            (0, Success, &[Send], "Accepted"),
            (700, Success, &[Send], "Accepted"),
            (32000, Timer, &[], "Terminated"),
        ],
    }];

    const INPUTS: &[Input] = &[Retransmission, Ack, Provisional, Success, Failure, Acknowledged, Cancel, Timer];

    #[test]
    fn table() {
        table::run::<ServerInvite>(ROWS);
        table::run::<Relaying>(RELAYING_ROWS);
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 3261))]

            #[test]
            fn ends(reliable: bool, inputs in prop::collection::vec((0u16..9000, prop::sample::select(INPUTS)), 0..20)) {
                table::ends::<ServerInvite>(reliable, &inputs, &["Proceeding"]);
            }
        }
    }
}
