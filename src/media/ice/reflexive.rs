//! How a STUN server sees a media port (RFC 8489, RFC 8445 §5.1.1.2): asked while a call waits for its description, so not for long.

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

/// When the question goes out, after the beginning; and when nobody waits for the answer any more.
const SENT_AT: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(250)];
const PATIENCE: Duration = Duration::from_millis(500);
const BINDING_REQUEST: [u8; 4] = [0x00, 0x01, 0x00, 0x00];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

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
        let request = [&BINDING_REQUEST[..], &COOKIE, &transaction].concat();
        Self { server, request, began: now, due: 1, sent: 0, state: State::Waiting }
    }

    /// Whether it was the answer.
    pub fn handle_datagram(&mut self, source: SocketAddr, datagram: &[u8]) -> bool {
        let is_ours = source == self.server && datagram.get(4..20) == self.request.get(4..20);
        if is_ours && matches!(self.state, State::Waiting) {
            self.state = State::Answered(mapped_address(datagram));
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

/// Of a success (RFC 8489 §14.2); servers say nothing that would have to be proved.
fn mapped_address(message: &[u8]) -> Option<SocketAddr> {
    let (header, mut attributes) = message.split_at_checked(20)?;
    if header[..2] != BINDING_SUCCESS {
        return None;
    }
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let (kind, length) = (u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..usize::from(length))?;
        if kind == XOR_MAPPED_ADDRESS {
            let plain: Vec<u8> = value.get(4..)?.iter().zip(&header[4..]).map(|(octet, mask)| octet ^ mask).collect();
            let ip = match <[u8; 4]>::try_from(plain.as_slice()) {
                Ok(ip) => IpAddr::from(ip),
                Err(_) => IpAddr::from(<[u8; 16]>::try_from(plain.as_slice()).ok()?),
            };
            let port = u16::from_be_bytes([value[2] ^ header[4], value[3] ^ header[5]]);
            return (port != 0).then(|| SocketAddr::new(ip, port));
        }
        attributes = rest.get(usize::from(length).next_multiple_of(4)..)?;
    }
    None
}
