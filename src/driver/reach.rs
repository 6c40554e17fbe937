//! What tells a call where its audio is reached from outside: the STUN server's address, the relay's, and the calls that wait for
//! their word before they say where their audio is.

mod server;

use super::transport::web_config;
use crate::{
    config::media::Turn,
    media::{
        engine::{Carrier, RelayServer},
        ice::RelayAccess,
    },
    stun::TurnTransport,
    ua::api::CallId,
};
use rustls::pki_types::ServerName;
use server::Server;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// The engine says what came of it within a second; should its word be lost, the call goes on without.
const PATIENCE: Duration = Duration::from_millis(1500);
/// So long calls wait for names to be looked up, once in every network; later ones are found out for the calls to come.
const LOOK_UP: Duration = Duration::from_millis(500);

pub(super) struct Reach {
    /// By `HOST:PORT`.
    stun: Server<String, Vec<SocketAddr>>,
    turn: Server<Turn, Relay>,
    ca_file: Option<PathBuf>,
    look_ups: JoinSet<Found>,
    /// When calls wait for the look-ups no longer; `None`: none has waited for them yet.
    found_until: Option<Instant>,
    waiting: BTreeMap<CallId, Waiting>,
}

struct Waiting {
    /// RTP's, as bound.
    port: SocketAddr,
    until: Instant,
    /// The engine was told whom to ask.
    is_asked: bool,
}

/// Whom to ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Servers {
    pub(super) stun: Option<SocketAddr>,
    pub(super) relay: Option<RelayServer>,
}

/// Where a relay is: one address or more, those that most calls need first.
pub(super) struct Relay {
    carrier: Carrier,
    addresses: Vec<SocketAddr>,
}

/// What a look-up has come to; or why to nothing, in a clause.
pub(super) enum Found {
    Stun(Result<Vec<SocketAddr>, String>),
    Relay(Result<Relay, String>),
}

impl Reach {
    pub(super) fn new(stun: Option<String>, turn: Option<Turn>, ca_file: Option<PathBuf>) -> Self {
        let (look_ups, waiting) = (JoinSet::new(), BTreeMap::new());
        Self { stun: Server::of(stun), turn: Server::of(turn), ca_file, look_ups, found_until: None, waiting }
    }

    /// Those that calls ask from now on.
    pub(super) fn use_servers(&mut self, stun: Option<String>, turn: Option<Turn>) {
        let is_stun_new = self.stun.rename(stun, |one, other| one == other);
        // With another password it is where it was.
        let is_turn_new = self.turn.rename(turn, |one, other| one.uri == other.uri);
        if is_stun_new || is_turn_new {
            self.look_up();
        }
    }

    /// Looks the servers up, at the start and in every other network.
    pub(super) fn look_up(&mut self) {
        // What was found meanwhile may be another server, or in another network.
        self.look_ups = JoinSet::new();
        // Who waits for the ones before waits for these as long as for those.
        if self.waiting.values().all(|waiting| waiting.is_asked) {
            self.found_until = None;
        }
        let (stun, turn) = (self.stun.begin(), self.turn.begin());
        self.spawn(stun, turn);
    }

    fn spawn(&mut self, stun: Option<String>, turn: Option<Turn>) {
        if let Some(name) = stun {
            self.look_ups
                .spawn(async move { Found::Stun(addresses(&name).await.map_err(|why| format!("{name}: {why}"))) });
        }
        if let Some(turn) = turn {
            let ca_file = self.ca_file.clone();
            self.look_ups.spawn(async move {
                Found::Relay(relay(&turn, ca_file).await.map_err(|why| format!("{}: {why}", turn.uri)))
            });
        }
    }

    /// What a look-up has come to; `None` while there is none.
    pub(super) async fn next(&mut self) -> Option<Found> {
        self.look_ups.join_next().await?.ok()
    }

    pub(super) fn found(&mut self, now: Instant, server: Found) {
        let (which, why) = match server {
            Found::Stun(result) => ("STUN", self.stun.found(now, result)),
            Found::Relay(result) => ("TURN", self.turn.found(now, result)),
        };
        if let Some(why) = why {
            tracing::warn!("the {which} server is not found, and looked for again and again: {why}");
        }
    }

    /// Looks up again what was not found.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let (stun, turn) = (self.stun.take_due(now), self.turn.take_due(now));
        self.spawn(stun, turn);
    }

    /// Whether servers are to be asked about this port before it is told to anybody; those that are being looked up, too, but one
    /// slow name holds up the first call only.
    pub(super) fn begin(&mut self, now: Instant, call: CallId, port: SocketAddr) -> bool {
        if !self.look_ups.is_empty() {
            self.found_until.get_or_insert(now + LOOK_UP);
        }
        let waits = self.is_looking(now) || self.servers_for(port).is_some();
        if waits {
            self.waiting.insert(call, Waiting { port, until: now + PATIENCE, is_asked: false });
        }
        waits
    }

    fn is_looking(&self, now: Instant) -> bool {
        !self.look_ups.is_empty() && self.found_until.is_some_and(|until| now < until)
    }

    /// A call that was begun, and whom to ask about its port: those that are known.
    pub(super) fn poll_ask(&mut self, now: Instant) -> Option<(CallId, Servers)> {
        if self.is_looking(now) {
            return None;
        }
        let (&call, port) = self.waiting.iter().find(|(_, w)| !w.is_asked).map(|(call, w)| (call, w.port))?;
        self.waiting.entry(call).and_modify(|waiting| waiting.is_asked = true);
        Some((call, self.servers_for(port).unwrap_or_default()))
    }

    fn servers_for(&self, port: SocketAddr) -> Option<Servers> {
        let reaches = |server: &SocketAddr| {
            (server.is_ipv4(), server.ip().is_loopback()) == (port.is_ipv4(), port.ip().is_loopback())
        };
        let stun = self.stun.known().and_then(|(_, addresses)| addresses.iter().copied().find(reaches));
        let relay = self.turn.known().and_then(|(turn, Relay { carrier, addresses })| {
            // A stream to a relay has an address of its own.
            let any = addresses.first().filter(|_| !matches!(carrier, Carrier::Udp));
            let address = addresses.iter().copied().find(reaches).or(any.copied())?;
            let (name, carrier) = (turn.uri.to_string(), carrier.clone());
            Some(RelayServer { name, address, carrier, access: access(turn) })
        });
        (stun.is_some() || relay.is_some()).then_some(Servers { stun, relay })
    }

    /// Whether the call waits for word of ports that are new.
    pub(super) fn is_waiting(&self, call: CallId) -> bool {
        self.waiting.contains_key(&call)
    }

    /// The port of a call that no longer has to wait, answered or closed.
    pub(super) fn answered(&mut self, call: CallId) -> Option<SocketAddr> {
        self.waiting.remove(&call).map(|waiting| waiting.port)
    }

    /// When [`Self::poll_ask`] or [`Self::overdue`] has something to say, or [`Self::handle_timeout`] something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let asks = self.waiting.values().any(|waiting| !waiting.is_asked);
        let found = self.found_until.filter(|_| asks);
        let until = self.waiting.values().map(|waiting| waiting.until);
        let retries = [self.stun.poll_timeout(), self.turn.poll_timeout()];
        until.chain(found).chain(retries.into_iter().flatten()).min()
    }

    /// A call that has waited long enough, with its port.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<(CallId, SocketAddr)> {
        let call = *self.waiting.iter().find(|(_, waiting)| waiting.until <= now)?.0;
        Some((call, self.answered(call)?))
    }
}

/// Where there is a NAT there is IPv4, which is first.
async fn addresses(name: &str) -> Result<Vec<SocketAddr>, String> {
    let mut addresses: Vec<_> = tokio::net::lookup_host(name).await.map_err(|e| e.to_string())?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    if addresses.is_empty() { Err("its name has no address".to_owned()) } else { Ok(addresses) }
}

/// As the engine takes it.
pub(super) fn access(Turn { access, .. }: &Turn) -> RelayAccess {
    RelayAccess { username: access.username.clone(), password: access.password.clone() }
}

async fn relay(turn: &Turn, ca_file: Option<PathBuf>) -> Result<Relay, String> {
    let uri = &turn.uri;
    let addresses = addresses(&uri.authority()).await?;
    let carrier = match uri.transport {
        TurnTransport::Udp => Carrier::Udp,
        TurnTransport::Tcp => Carrier::Tcp,
        TurnTransport::Tls => {
            let name = ServerName::try_from(uri.host.clone()).map_err(|e| e.to_string())?;
            // It reads files.
            let config = tokio::task::spawn_blocking(move || web_config(ca_file.as_ref())).await;
            Carrier::Tls(config.map_err(|e| e.to_string())??, name)
        }
    };
    Ok(Relay { carrier, addresses })
}

#[cfg(test)]
mod tests;
