//! The STUN server: its address, and the calls that wait for its word before they say where their audio is.

use crate::ua::api::CallId;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// The engine says what came of it within half a second; should its word be lost, the call goes on without.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Reach {
    /// `HOST:PORT`.
    name: Option<String>,
    server: Option<SocketAddr>,
    look_ups: JoinSet<Option<SocketAddr>>,
    /// Each with its RTP port as bound, and until when it waits.
    waiting: BTreeMap<CallId, (SocketAddr, Instant)>,
}

impl Reach {
    pub(super) fn new(name: Option<String>) -> Self {
        Self { name, server: None, look_ups: JoinSet::new(), waiting: BTreeMap::new() }
    }

    /// Looks the server up, at the start and in every other network.
    pub(super) fn look_up(&mut self) {
        let Some(name) = self.name.clone() else { return };
        self.look_ups.abort_all();
        self.look_ups.spawn(async move {
            let found = tokio::net::lookup_host(&name).await;
            let found = found.inspect_err(|error| tracing::warn!("the STUN server {name} is not found: {error}"));
            let addresses: Vec<_> = found.into_iter().flatten().collect();
            // Where there is a NAT there is IPv4.
            addresses.iter().find(|address| address.is_ipv4()).or(addresses.first()).copied()
        });
    }

    /// The server's address, whenever one was found.
    pub(super) async fn next(&mut self) -> Option<SocketAddr> {
        match self.look_ups.join_next().await? {
            Ok(found) => found.or(self.server),
            // Another look-up has taken its place.
            Err(_) => self.server,
        }
    }

    pub(super) const fn found(&mut self, server: SocketAddr) {
        self.server = Some(server);
    }

    /// Whom to ask about this port before it is told to anybody.
    pub(super) fn ask(&mut self, now: Instant, call: CallId, port: SocketAddr) -> Option<SocketAddr> {
        let reaches = |server: &SocketAddr| {
            (server.is_ipv4(), server.ip().is_loopback()) == (port.is_ipv4(), port.ip().is_loopback())
        };
        let server = self.server.filter(reaches)?;
        self.waiting.insert(call, (port, now + PATIENCE));
        Some(server)
    }

    /// The port of a call that no longer has to wait, answered or closed.
    pub(super) fn answered(&mut self, call: CallId) -> Option<SocketAddr> {
        self.waiting.remove(&call).map(|(port, _)| port)
    }

    /// When [`Self::overdue`] has something to say.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.values().map(|(_, until)| *until).min()
    }

    /// A call that has waited long enough, with its port.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<(CallId, SocketAddr)> {
        let call = *self.waiting.iter().find(|(_, (_, until))| *until <= now)?.0;
        Some((call, self.answered(call)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_waits_for_a_word_that_was_lost() {
        let (mut reach, now) = (Reach::new(Some("stun.example:3478".into())), Instant::now());
        let port = |n: u16| SocketAddr::from(([192, 0, 2, 1], n));
        assert_eq!(reach.ask(now, 1, port(4000)), None, "no server was found");
        reach.found(SocketAddr::from(([192, 0, 2, 9], 3478)));
        for (call, after) in [(1, 0), (2, 10), (3, 20)] {
            assert!(reach.ask(now + Duration::from_millis(after), call, port(4000 + call as u16)).is_some());
        }
        assert_eq!(reach.answered(2), Some(port(4002)));
        assert_eq!((reach.poll_timeout(), reach.overdue(now)), (Some(now + PATIENCE), None));
        assert_eq!(reach.overdue(now + PATIENCE), Some((1, port(4001))));
        assert_eq!(reach.answered(1), None, "what comes later says nothing");
        assert_eq!(reach.overdue(now + PATIENCE), None);
        assert_eq!(reach.overdue(now + 2 * PATIENCE), Some((3, port(4003))));
        assert_eq!(reach.poll_timeout(), None);
    }
}
