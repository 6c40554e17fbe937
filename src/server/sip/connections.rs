//! TCP connections that devices opened to us: each a task that reads, and a queue towards one that writes.

use crate::stream::{self, Heard, Patience, QUEUE};
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Connections at a time; one more takes the place of the one that was silent longest.
const MAX_CONNECTIONS: usize = 1_000;
/// Of them from one address, where a site's phones may all stand; one more takes the place of that address's most silent.
const MAX_FROM_ONE: usize = 250;
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
    pub address: SocketAddr,
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

/// All connections. Dropping it closes them.
pub struct Connections {
    open: HashMap<SocketAddr, Connection>,
    /// Counts connections and messages: names the former, orders the latter.
    ticks: u64,
    tasks: JoinSet<()>,
    incoming: mpsc::Sender<Incoming>,
}

impl Connections {
    /// What they say goes to `incoming`.
    pub fn new(incoming: mpsc::Sender<Incoming>) -> Self {
        Self { open: HashMap::new(), ticks: 0, tasks: JoinSet::new(), incoming }
    }

    /// A device connected. The connections that ended for it: another of its address, or one that made room.
    #[must_use = "their contacts and transactions are lost with them"]
    pub fn add(&mut self, stream: TcpStream, address: SocketAddr) -> Vec<SocketAddr> {
        while self.tasks.try_join_next().is_some() {}
        let mut ended: Vec<SocketAddr> = self.drop_connection(address).into_iter().collect();
        let ip = address.ip();
        if self.open.keys().filter(|open| open.ip() == ip).count() >= MAX_FROM_ONE {
            ended.extend(self.evict(Some(ip)));
        } else if self.open.len() >= MAX_CONNECTIONS {
            ended.extend(self.evict(None));
        }
        stream::prepare(&stream);
        let (queue, queued) = mpsc::channel(QUEUE);
        self.ticks += 1;
        let peer = Peer { address, serial: self.ticks };
        let (incoming, answers) = (self.incoming.clone(), queue.clone());
        let task = self.tasks.spawn(async move {
            let wrap = |heard| Incoming::Heard(peer, heard);
            let ended = stream::serve(stream, (answers, queued), PATIENCE, &incoming, wrap).await;
            tracing::debug!(%address, %ended, "connection closed");
            let _ = incoming.send(Incoming::Closed(peer)).await;
        });
        self.open.insert(address, Connection { serial: peer.serial, queue, task, heard: self.ticks, proven: false });
        ended
    }

    /// Queues a message. `false`: there is no such connection, or it does not keep up and was closed.
    pub fn send(&mut self, address: SocketAddr, payload: Vec<u8>) -> bool {
        let sent = self.open.get(&address).is_some_and(|open| open.queue.try_send(payload).is_ok());
        if !sent {
            self.drop_connection(address);
        }
        sent
    }

    /// With [`Incoming::Heard`]. `false`: the connection has ended meanwhile.
    pub fn heard(&mut self, peer: Peer) -> bool {
        self.ticks += 1;
        let Some(open) = self.open.get_mut(&peer.address).filter(|open| open.serial == peer.serial) else {
            return false;
        };
        (open.heard, open.proven) = (self.ticks, true);
        true
    }

    /// With [`Incoming::Closed`]. `false`: it is known already, and the address may have a newer connection.
    pub fn closed(&mut self, peer: Peer) -> bool {
        let current = self.open.get(&peer.address).is_some_and(|open| open.serial == peer.serial);
        current && self.drop_connection(peer.address).is_some()
    }

    /// Ends the connection silent longest, of `ip` if one is given; those that never said a word first.
    fn evict(&mut self, ip: Option<IpAddr>) -> Option<SocketAddr> {
        let candidates = self.open.iter().filter(|(address, _)| ip.is_none_or(|ip| address.ip() == ip));
        let (&address, _) = candidates.min_by_key(|(_, open)| (open.proven, open.heard))?;
        tracing::warn!(%address, "closed to make room for another connection");
        self.drop_connection(address)
    }

    fn drop_connection(&mut self, address: SocketAddr) -> Option<SocketAddr> {
        self.open.remove(&address)?.task.abort();
        Some(address)
    }
}

#[cfg(test)]
mod tests;
