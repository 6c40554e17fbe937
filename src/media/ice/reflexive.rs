//! How a STUN server sees a media port (RFC 8489, RFC 8445 §5.1.1.2): asked while a call waits for its description, so not for long.

use crate::stun;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

/// When the question goes out, after the beginning; and when nobody waits for the answer any more.
const SENT_AT: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(250)];
const PATIENCE: Duration = Duration::from_millis(500);

/// One question.
pub struct Reflexive {
    server: SocketAddr,
    request: Vec<u8>,
    began: Instant,
    /// Times it is to have gone out by now, and has.
    due: usize,
    sent: usize,
    /// The answer, or that there is none; `None` once it was told.
    state: State,
}

enum State {
    Waiting,
    Answered(Option<SocketAddr>),
    Told,
}

impl Reflexive {
    /// `transaction`: random.
    pub fn new(now: Instant, server: SocketAddr, transaction: [u8; 12]) -> Self {
        Self { server, request: stun::request(transaction), began: now, due: 1, sent: 0, state: State::Waiting }
    }

    /// Whether it was the answer.
    pub fn handle_datagram(&mut self, source: SocketAddr, datagram: &[u8]) -> bool {
        let is_ours = source == self.server && datagram.get(4..20) == self.request.get(4..20);
        if is_ours && matches!(self.state, State::Waiting) {
            self.state = State::Answered(stun::read(datagram).map(|binding| binding.mapped));
        }
        is_ours
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let since = now.saturating_duration_since(self.began);
        self.due = SENT_AT.iter().filter(|at| **at <= since).count();
        if since >= PATIENCE && matches!(self.state, State::Waiting) {
            self.state = State::Answered(None);
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let next = SENT_AT.get(self.due).copied().unwrap_or(PATIENCE);
        matches!(self.state, State::Waiting).then(|| self.began + next)
    }

    pub fn poll_transmit(&mut self) -> Option<(Vec<u8>, SocketAddr)> {
        if self.sent >= self.due || !matches!(self.state, State::Waiting) {
            return None;
        }
        self.sent = self.due;
        Some((self.request.clone(), self.server))
    }

    /// What came of it, told once: our address as the server sees it, or `None`.
    pub fn poll_answer(&mut self) -> Option<Option<SocketAddr>> {
        let State::Answered(address) = self.state else { return None };
        self.state = State::Told;
        Some(address)
    }
}
