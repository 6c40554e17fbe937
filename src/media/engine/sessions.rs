//! The sessions and whose sockets are whose: those of calls, and those that are over but for a relay.

use super::{
    EngineEvent, PortPair, SessionId,
    audio::Demand,
    relay::RelayServer,
    session::{Report, Session},
};
use crate::media::stats::CallStats;
use mio::{Events, Interest, Registry, Token};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// The token of orders; sessions have the others.
pub const WAKE: Token = Token(usize::MAX);

/// A session has one for RTP, one for RTCP and one for the stream to a relay.
const TOKENS: usize = 3;

/// Sessions that are over and still give a relay's address back; of more at once, some are not waited for.
const MOST_PARTING: usize = 32;

/// See the module.
pub struct Sessions {
    /// Of calls.
    pub running: BTreeMap<SessionId, Session>,
    parting: BTreeMap<SessionId, Session>,
    /// Also for sessions that open streams by themselves.
    registry: Arc<Registry>,
    /// Sockets hold more than was read in one go.
    unread: bool,
}

impl Sessions {
    pub fn new(registry: Registry) -> Self {
        Self { running: BTreeMap::new(), parting: BTreeMap::new(), registry: Arc::new(registry), unread: false }
    }

    /// New ports for a new session, or for one that has moved to another address and goes on there.
    ///
    /// # Errors
    /// Nothing will be heard of what comes to them.
    pub fn open(&mut self, id: SessionId, ports: PortPair) -> io::Result<()> {
        let mut session = match self.running.remove(&id) {
            None => Session::new(ports),
            Some(mut moving) => {
                let old = moving.move_to(ports);
                // Closed with it in any case.
                let _ = self.registry.deregister(&mut { old.rtp }).and(self.registry.deregister(&mut { old.rtcp }));
                moving
            }
        };
        let ports = session.ports();
        let register = |socket: &mut mio::net::UdpSocket, which| {
            self.registry.register(socket, token(id, which), Interest::READABLE)
        };
        let registered = register(&mut ports.rtp, 0).and_then(|()| register(&mut ports.rtcp, 1));
        self.running.insert(id, session);
        registered
    }

    /// Ends a session. Returns its last figures.
    pub fn close(&mut self, now: Instant, id: SessionId) -> Option<CallStats> {
        let mut session = self.running.remove(&id)?;
        let stats = session.close(now);
        if session.is_parting() && self.parting.len() < MOST_PARTING {
            self.parting.insert(id, session);
        }
        stats
    }

    /// See [`Session::ask`].
    pub fn ask(&mut self, now: Instant, id: SessionId, servers: (Option<SocketAddr>, Option<RelayServer>)) {
        if let Some(session) = self.running.get_mut(&id) {
            session.ask(now, servers, (self.registry.clone(), token(id, 2)));
        }
    }

    /// What they need of the talk card.
    pub fn demand(&self) -> Demand {
        if self.running.values().any(Session::is_running) {
            Demand::Running
        } else if self.running.is_empty() {
            Demand::Nothing
        } else {
            Demand::Soon
        }
    }

    pub fn poll_timeout(&mut self, now: Instant) -> Option<Instant> {
        if self.unread {
            return Some(now);
        }
        self.running.values_mut().chain(self.parting.values_mut()).filter_map(Session::poll_timeout).min()
    }

    /// Reads what the sockets of these events hold, or all if some was left the last time.
    pub fn read(&mut self, now: Instant, events: &Events, emit: &impl Fn(EngineEvent)) {
        let mut unread = false;
        let mut read = |id: SessionId, session: &mut Session, which: usize| {
            let mut report = |report: Report| emit(report.of(id));
            unread |= match which {
                0 | 1 => session.read(now, which == 1, &mut report),
                _ => session.read_relay(now, &mut report),
            };
        };
        if self.unread {
            for (&id, session) in self.running.iter_mut().chain(&mut self.parting) {
                (0..TOKENS).for_each(|which| read(id, session, which));
            }
        } else {
            for token in events.iter().map(mio::event::Event::token).filter(|token| *token != WAKE) {
                let id = (token.0 / TOKENS) as SessionId;
                if let Some(session) = self.running.get_mut(&id).or_else(|| self.parting.get_mut(&id)) {
                    read(id, session, token.0 % TOKENS);
                }
            }
        }
        self.unread = unread;
    }

    /// See [`Session::release`]; those that need nothing more are gone.
    pub fn release(&mut self, now: Instant, emit: &impl Fn(EngineEvent)) {
        for (&id, session) in &mut self.running {
            session.release(now, &mut |report| emit(report.of(id)));
        }
        self.parting.retain(|_, session| {
            session.release(now, &mut |_| {});
            session.is_parting()
        });
    }

    /// This computer was late for their sound, or had no device for it, for so long.
    pub fn suffered(&mut self, stalled: Duration, absent: Duration) {
        self.running.values_mut().for_each(|session| session.suffered(stalled, absent));
    }
}

const fn token(id: SessionId, which: usize) -> Token {
    Token(id as usize * TOKENS + which)
}
