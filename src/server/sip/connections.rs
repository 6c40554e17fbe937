//! TCP and TLS connections that devices opened to us: each a task that reads, and a queue towards one that writes.

use crate::{
    sip::flow::Flow,
    stream::{self, Ended, Heard, Patience, QUEUE},
};
use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Connections at a time; one more takes the place of the one that was silent longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    all: usize,
    /// Of them from one address, where a site's phones may all stand; one more takes the place of that address's most silent.
    from_one: usize,
}

impl Limits {
    /// For a process that may have so many files open: three quarters for devices, a quarter of these for one address.
    pub fn of(open_files: usize) -> Self {
        let all = (open_files / 4 * 3).clamp(64, 100_000);
        Self { all, from_one: all / 4 }
    }
}

const PATIENCE: Patience = Patience {
    first: Duration::from_secs(10),
    // Longer than the longest registration.
    idle: Duration::from_secs(3_700),
};

/// What comes off a connection.
#[derive(Debug)]
pub enum Incoming {
    Heard(Peer, Heard),
    Closed(Peer),
}

/// A connection: a late word of one must not be taken for the next one's from the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    pub flow: Flow,
    serial: u64,
}

#[derive(Debug)]
struct Connection {
    serial: u64,
    queue: mpsc::Sender<Vec<u8>>,
    task: AbortHandle,
    /// The tick of its last message, or of its beginning.
    heard: u64,
    /// A message has come. Those without one make room first.
    proven: bool,
}

/// Who makes room first: who never said a word, then who was silent longest.
type Silent = BTreeMap<Rank, Flow>;
type Rank = (bool, u64);

/// All connections. Dropping it closes them.
pub struct Connections {
    limits: Limits,
    open: HashMap<Flow, Connection>,
    silent: Silent,
    /// The same of each address, so that a connection costs no look at all the others.
    from: HashMap<IpAddr, Silent>,
    /// Counts connections and messages: names the former, orders the latter.
    ticks: u64,
    tasks: JoinSet<()>,
    incoming: mpsc::Sender<Incoming>,
}

impl Connections {
    /// What they say goes to `incoming`.
    pub fn new(limits: Limits, incoming: mpsc::Sender<Incoming>) -> Self {
        let (open, silent, from) = (HashMap::new(), Silent::new(), HashMap::new());
        Self { limits, open, silent, from, ticks: 0, tasks: JoinSet::new(), incoming }
    }

    /// A device connected; `tls` where a handshake is to come first. The connections that ended for it: another of its address,
    /// or one that made room.
    #[must_use = "their contacts and transactions are lost with them"]
    pub fn add(&mut self, stream: TcpStream, flow: Flow, tls: Option<TlsAcceptor>) -> Vec<Flow> {
        while self.tasks.try_join_next().is_some() {}
        let mut ended: Vec<Flow> = self.drop_connection(flow).into_iter().collect();
        ended.extend(self.make_room(flow.remote.ip()));
        stream::prepare(&stream);
        let (queue, queued) = mpsc::channel(QUEUE);
        self.ticks += 1;
        let peer = Peer { flow, serial: self.ticks };
        let (incoming, answers) = (self.incoming.clone(), queue.clone());
        let task = self.tasks.spawn(async move {
            let wrap = |heard| Incoming::Heard(peer, heard);
            let ended = match tls {
                None => stream::serve(stream, (answers, queued), PATIENCE, &incoming, wrap).await,
                Some(acceptor) => match timeout(PATIENCE.first, for_sip(&acceptor).accept(stream)).await {
                    Ok(Ok(stream)) => stream::serve(stream, (answers, queued), PATIENCE, &incoming, wrap).await,
                    Ok(Err(error)) => Ended::Lost(error),
                    Err(_) => Ended::Silent,
                },
            };
            tracing::debug!(%flow, %ended, "connection closed");
            let _ = incoming.send(Incoming::Closed(peer)).await;
        });
        let connection = Connection { serial: peer.serial, queue, task, heard: self.ticks, proven: false };
        self.rank(flow, None, Some(connection.rank()));
        self.open.insert(flow, connection);
        ended
    }

    /// Queues a message. `false`: there is no such connection, or it does not keep up and was closed.
    pub fn send(&mut self, flow: Flow, payload: Vec<u8>) -> bool {
        let sent = self.open.get(&flow).is_some_and(|open| open.queue.try_send(payload).is_ok());
        if !sent {
            self.drop_connection(flow);
        }
        sent
    }

    /// With [`Incoming::Heard`]. `false`: the connection has ended meanwhile.
    pub fn heard(&mut self, peer: Peer) -> bool {
        self.ticks += 1;
        let Some(open) = self.open.get_mut(&peer.flow).filter(|open| open.serial == peer.serial) else {
            return false;
        };
        let before = open.rank();
        (open.heard, open.proven) = (self.ticks, true);
        let rank = open.rank();
        self.rank(peer.flow, Some(before), Some(rank));
        true
    }

    /// With [`Incoming::Closed`]. `false`: it is known already, and the address may have a newer connection.
    pub fn closed(&mut self, peer: Peer) -> bool {
        let current = self.open.get(&peer.flow).is_some_and(|open| open.serial == peer.serial);
        current && self.drop_connection(peer.flow).is_some()
    }

    /// For one more from this address: ends the most silent one, of the address where that has its part.
    fn make_room(&mut self, ip: IpAddr) -> Option<Flow> {
        let own = self.from.get(&ip).filter(|own| own.len() >= self.limits.from_one);
        let full = own.or((self.open.len() >= self.limits.all).then_some(&self.silent))?;
        let (_, &flow) = full.first_key_value()?;
        tracing::warn!(%flow, "closed to make room for another connection");
        self.drop_connection(flow)
    }

    fn drop_connection(&mut self, flow: Flow) -> Option<Flow> {
        let connection = self.open.remove(&flow)?;
        connection.task.abort();
        self.rank(flow, Some(connection.rank()), None);
        Some(flow)
    }

    /// Moves a connection among the silent.
    fn rank(&mut self, flow: Flow, before: Option<Rank>, now: Option<Rank>) {
        let ip = flow.remote.ip();
        let own = self.from.entry(ip).or_default();
        for silent in [&mut self.silent, &mut *own] {
            before.and_then(|rank| silent.remove(&rank));
            silent.extend(now.map(|rank| (rank, flow)));
        }
        if own.is_empty() {
            self.from.remove(&ip);
        }
    }
}

impl Connection {
    fn rank(&self) -> Rank {
        (self.proven, self.heard)
    }
}

/// The certificate is the same as HTTP's, the protocol that may be asked for (ALPN) is not.
fn for_sip(acceptor: &TlsAcceptor) -> TlsAcceptor {
    let mut config = acceptor.config().as_ref().clone();
    config.alpn_protocols = vec![b"sip/2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

#[cfg(test)]
mod tests;
