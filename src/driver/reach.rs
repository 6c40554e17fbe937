//! The STUN server: its address, and the calls that wait for its word before they say where their audio is.

use crate::ua::api::CallId;
use std::{collections::BTreeMap, net::SocketAddr};
use tokio::task::JoinSet;

pub(super) struct Reach {
    /// `HOST:PORT`.
    name: Option<String>,
    server: Option<SocketAddr>,
    look_ups: JoinSet<Option<SocketAddr>>,
    /// Each with its RTP port as bound. The engine answers for all of them.
    waiting: BTreeMap<CallId, SocketAddr>,
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
    pub(super) fn ask(&mut self, call: CallId, port: SocketAddr) -> Option<SocketAddr> {
        let reaches = |server: &SocketAddr| {
            (server.is_ipv4(), server.ip().is_loopback()) == (port.is_ipv4(), port.ip().is_loopback())
        };
        let server = self.server.filter(reaches)?;
        self.waiting.insert(call, port);
        Some(server)
    }

    /// The port of a call that no longer has to wait.
    pub(super) fn answered(&mut self, call: CallId) -> Option<SocketAddr> {
        self.waiting.remove(&call)
    }
}
