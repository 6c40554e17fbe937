//! What tells a call where its audio is reached from outside: the STUN server's address, the relay's, and the calls that wait for
//! their word before they say where their audio is.

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
    /// `HOST:PORT`.
    stun: Option<String>,
    turn: Option<Turn>,
    ca_file: Option<PathBuf>,
    /// The STUN server's addresses.
    stun_at: Vec<SocketAddr>,
    /// The relay, and its addresses.
    relay: Option<(RelayServer, Vec<SocketAddr>)>,
    look_ups: JoinSet<Option<Found>>,
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

/// What a look-up has found: one address or more, those that most calls need first.
#[derive(Debug)]
pub(super) enum Found {
    Stun(Vec<SocketAddr>),
    Relay(RelayServer, Vec<SocketAddr>),
}

impl Reach {
    pub(super) fn new(stun: Option<String>, turn: Option<Turn>, ca_file: Option<PathBuf>) -> Self {
        let (stun_at, look_ups, waiting) = (Vec::new(), JoinSet::new(), BTreeMap::new());
        Self { stun, turn, ca_file, stun_at, relay: None, look_ups, found_until: None, waiting }
    }

    /// Those that calls ask from now on.
    pub(super) fn use_servers(&mut self, stun: Option<String>, turn: Option<Turn>) {
        let uri = |turn: &Option<Turn>| turn.as_ref().map(|turn| turn.uri.clone());
        let are_same = self.stun == stun && uri(&self.turn) == uri(&turn);
        (self.stun, self.turn) = (stun, turn);
        // Those before serve until the others are found.
        if self.stun.is_none() {
            self.stun_at.clear();
        }
        self.relay = self.relay.take().filter(|_| self.turn.is_some());
        let are_found = self.stun.is_some() != self.stun_at.is_empty() && self.turn.is_some() == self.relay.is_some();
        if are_same {
            self.exchange_access();
        }
        if !are_same || !are_found && self.look_ups.is_empty() {
            self.look_up();
        }
    }

    /// The relay's password of today.
    fn exchange_access(&mut self) {
        if let (Some((relay, _)), Some(turn)) = (&mut self.relay, &self.turn) {
            relay.access = access(turn);
        }
    }

    /// Looks the servers up, at the start and in every other network.
    pub(super) fn look_up(&mut self) {
        self.look_ups.abort_all();
        // Who waits for the ones before waits for these as long as for those.
        if self.waiting.values().all(|waiting| waiting.is_asked) {
            self.found_until = None;
        }
        if let Some(name) = self.stun.clone() {
            self.look_ups.spawn(async move {
                let found = addresses(&name).await;
                found
                    .inspect_err(|why| tracing::warn!("the STUN server {name} is not found: {why}"))
                    .ok()
                    .map(Found::Stun)
            });
        }
        if let Some(turn) = self.turn.clone() {
            let ca_file = self.ca_file.clone();
            self.look_ups.spawn(async move {
                let found = relay(&turn, ca_file).await;
                let name = turn.uri;
                found
                    .inspect_err(|why| tracing::warn!("the TURN server {name} cannot be used: {why}"))
                    .ok()
                    .map(|(relay, addresses)| Found::Relay(relay, addresses))
            });
        }
    }

    /// What a look-up has found, if anything; never while there is none.
    pub(super) async fn next(&mut self) -> Option<Option<Found>> {
        // Of one whose place another has taken nothing is known.
        self.look_ups.join_next().await.map(|found| found.ok().flatten())
    }

    pub(super) fn found(&mut self, server: Option<Found>) {
        match server {
            Some(Found::Stun(addresses)) => self.stun_at = addresses,
            Some(Found::Relay(relay, addresses)) => {
                self.relay = Some((relay, addresses));
                // Another password may have come meanwhile.
                self.exchange_access();
            }
            // It may be found in another network, or with the next password.
            None => {}
        }
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
        let stun = self.stun_at.iter().copied().find(reaches);
        let relay = self.relay.as_ref().and_then(|(relay, addresses)| {
            // A stream to a relay has an address of its own.
            let any = addresses.first().filter(|_| !matches!(relay.carrier, Carrier::Udp));
            let address = addresses.iter().copied().find(reaches).or(any.copied())?;
            Some(RelayServer { address, ..relay.clone() })
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

    /// When [`Self::poll_ask`] or [`Self::overdue`] has something to say.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let asks = self.waiting.values().any(|waiting| !waiting.is_asked);
        self.found_until.filter(|_| asks).into_iter().chain(self.waiting.values().map(|waiting| waiting.until)).min()
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

fn access(Turn { access, .. }: &Turn) -> RelayAccess {
    RelayAccess { username: access.username.clone(), password: access.password.clone() }
}

async fn relay(turn: &Turn, ca_file: Option<PathBuf>) -> Result<(RelayServer, Vec<SocketAddr>), String> {
    let uri = &turn.uri;
    let host = if uri.host.contains(':') { format!("[{}]", uri.host) } else { uri.host.clone() };
    let addresses = addresses(&format!("{host}:{}", uri.port)).await?;
    let &[address, ..] = &addresses[..] else { return Err("its name has no address".to_owned()) };
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
    Ok((RelayServer { name: uri.to_string(), address, carrier, access: access(turn) }, addresses))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::media::TurnAccess;

    #[test]
    fn no_call_waits_for_a_word_that_was_lost() {
        let (mut reach, now) = (Reach::new(Some("stun.example:3478".into()), None, None), Instant::now());
        let port = |n: u16| SocketAddr::from(([192, 0, 2, 1], n));
        assert!(!reach.begin(now, 1, port(4000)), "no server was found");
        reach.found(Some(Found::Stun(vec![SocketAddr::from(([192, 0, 2, 9], 3478))])));
        for (call, after) in [(1, 0), (2, 10), (3, 20)] {
            assert!(reach.begin(now + Duration::from_millis(after), call, port(4000 + call as u16)));
            assert!(matches!(reach.poll_ask(now), Some((asked, servers)) if asked == call && servers.stun.is_some()));
            assert!(reach.poll_ask(now).is_none());
        }
        assert_eq!(reach.answered(2), Some(port(4002)));
        assert_eq!((reach.poll_timeout(), reach.overdue(now)), (Some(now + PATIENCE), None));
        assert_eq!(reach.overdue(now + PATIENCE), Some((1, port(4001))));
        assert_eq!(reach.answered(1), None, "what comes later says nothing");
        assert_eq!(reach.overdue(now + PATIENCE), None);
        assert_eq!(reach.overdue(now + 2 * PATIENCE), Some((3, port(4003))));
        assert_eq!(reach.poll_timeout(), None);
    }

    #[test]
    fn a_call_is_seen_to_by_servers_of_its_own_family() {
        let access = RelayAccess { username: String::new(), password: TurnAccess::default().password };
        let [v4, v6]: [SocketAddr; 2] = ["192.0.2.9:3478", "[2001:db8::9]:3478"].map(|text| text.parse().unwrap());
        let [ours, ours_v6] = ["192.0.2.1:4000", "[2001:db8::1]:4000"].map(|text| text.parse().unwrap());
        let mut reach = Reach::new(None, None, None);
        let mut asked = |carrier: &Carrier, at: &[SocketAddr], port| {
            let relay =
                RelayServer { name: String::new(), address: v4, carrier: carrier.clone(), access: access.clone() };
            reach.found(Some(Found::Stun(at.to_vec())));
            reach.found(Some(Found::Relay(relay, at.to_vec())));
            reach.servers_for(port).map(|servers| (servers.stun, servers.relay.map(|relay| relay.address)))
        };
        for carrier in [Carrier::Udp, Carrier::Tcp] {
            assert_eq!(asked(&carrier, &[v4, v6], ours), Some((Some(v4), Some(v4))));
            assert_eq!(asked(&carrier, &[v4, v6], ours_v6), Some((Some(v6), Some(v6))));
        }
        assert_eq!(asked(&Carrier::Udp, &[v4], ours_v6), None);
        assert_eq!(asked(&Carrier::Tcp, &[v4], ours_v6), Some((None, Some(v4))), "the stream has its own address");
    }

    #[tokio::test]
    async fn a_name_that_is_looked_up_for_long_holds_up_the_first_call_only() {
        let (mut reach, now) = (Reach::new(None, None, None), Instant::now());
        let port = SocketAddr::from(([192, 0, 2, 1], 4000));
        reach.look_ups.spawn(std::future::pending());
        reach.found(Some(Found::Stun(vec![SocketAddr::from(([192, 0, 2, 9], 3478))])));
        assert!(reach.begin(now, 1, port) && reach.poll_ask(now).is_none(), "the other may come at once");
        let later = now + LOOK_UP;
        assert_eq!(reach.poll_timeout(), Some(later));
        assert!(matches!(reach.poll_ask(later), Some((1, servers)) if servers.stun.is_some()), "one is known");
        assert_eq!(reach.poll_timeout(), Some(now + PATIENCE));
        assert!(reach.begin(later, 2, port) && matches!(reach.poll_ask(later), Some((2, _))), "at once");
        let elsewhere = "[2001:db8::1]:4000".parse().unwrap();
        assert!(!reach.begin(later, 3, elsewhere), "nobody else is known");
        // In another network names lead elsewhere.
        reach.look_up();
        reach.look_ups.spawn(std::future::pending());
        assert!(reach.begin(later, 4, elsewhere) && reach.poll_ask(later).is_none());
        reach.look_up();
        reach.look_ups.spawn(std::future::pending());
        assert!(reach.poll_ask(later).is_none(), "it waits for these instead");
        assert!(reach.poll_ask(later + LOOK_UP).is_some(), "no longer than for those");
    }

    #[tokio::test]
    async fn another_password_costs_no_call_its_relay() {
        let turn = |uri: &str, username: &str| {
            Some(Turn {
                uri: uri.parse().unwrap(),
                access: TurnAccess { username: username.into(), ..TurnAccess::default() },
            })
        };
        let at: SocketAddr = "192.0.2.9:3478".parse().unwrap();
        let found = |turn: Option<Turn>| {
            let access = access(&turn.unwrap());
            Some(Found::Relay(
                RelayServer { name: String::new(), address: at, carrier: Carrier::Udp, access },
                vec![at],
            ))
        };
        let username = |reach: &Reach| {
            reach.servers_for(([192, 0, 2, 1], 4000).into()).and_then(|to| to.relay).map(|relay| relay.access.username)
        };
        let mut reach = Reach::new(None, turn("turn:relay.example", "1:a"), None);
        reach.found(found(turn("turn:relay.example", "1:a")));
        reach.use_servers(None, turn("turn:relay.example", "2:a"));
        assert_eq!((username(&reach).as_deref(), reach.look_ups.len()), (Some("2:a"), 0), "at once");
        // The answer to a question from before that.
        reach.found(found(turn("turn:relay.example", "1:a")));
        assert_eq!(username(&reach).as_deref(), Some("2:a"));
        reach.use_servers(None, turn("turn:other.example", "3:a"));
        assert_eq!((username(&reach).as_deref(), reach.look_ups.len()), (Some("2:a"), 1), "until the other is found");
        reach.found(None);
        assert_eq!(username(&reach).as_deref(), Some("2:a"));
        reach.use_servers(None, None);
        assert_eq!(username(&reach), None);
    }
}
