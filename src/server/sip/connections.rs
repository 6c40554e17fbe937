//! TCP connections that devices opened to us: each a task that reads, and a queue towards one that writes.

use crate::sip::{
    msg::Message,
    wire::{self, ReadError, StreamItem, StreamReader},
};
use std::{collections::HashMap, io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

/// Connections at a time; more are closed at once.
const MAX_CONNECTIONS: usize = 1_000;
/// Messages waiting to be written; a peer that reads slower loses its connection.
const QUEUED_MESSAGES: usize = 64;
/// How long a connection may take to its first whole message.
const FIRST_MESSAGE: Duration = Duration::from_secs(10);
/// How long one may be silent afterwards: longer than the longest registration.
const IDLE: Duration = Duration::from_secs(3_700);
/// Double CRLF is answered by one (RFC 5626 §4.4.1).
const PONG: &[u8] = b"\r\n";

/// What comes off a connection.
#[derive(Debug)]
pub enum Incoming {
    Message(SocketAddr, Box<Message>),
    Closed(SocketAddr),
}

/// All connections. Dropping it closes them.
pub struct Connections {
    open: HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    tasks: JoinSet<()>,
    incoming: mpsc::Sender<Incoming>,
}

impl Connections {
    /// What they say goes to `incoming`.
    pub fn new(incoming: mpsc::Sender<Incoming>) -> Self {
        Self { open: HashMap::new(), tasks: JoinSet::new(), incoming }
    }

    /// A device connected.
    pub fn add(&mut self, stream: TcpStream, peer: SocketAddr) {
        while self.tasks.try_join_next().is_some() {}
        if self.open.len() >= MAX_CONNECTIONS {
            tracing::warn!(%peer, "connection refused: {MAX_CONNECTIONS} are open");
            return;
        }
        // Small messages that each wait for an answer: do not wait for more to send.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (queue, queued) = mpsc::channel(QUEUED_MESSAGES);
        self.open.insert(peer, queue.clone());
        let incoming = self.incoming.clone();
        self.tasks.spawn(async move {
            let ended = tokio::select! {
                ended = receive(read, peer, &queue, &incoming) => ended,
                ended = send(write, queued) => ended,
            };
            tracing::debug!(%peer, ?ended, "connection closed");
            let _ = incoming.send(Incoming::Closed(peer)).await;
        });
    }

    /// Queues a message. `false`: there is no such connection, or it does not keep up.
    pub fn send(&mut self, peer: SocketAddr, payload: Vec<u8>) -> bool {
        let sent = self.open.get(&peer).is_some_and(|queue| queue.try_send(payload).is_ok());
        if !sent {
            self.open.remove(&peer);
        }
        sent
    }

    /// After [`Incoming::Closed`].
    pub fn remove(&mut self, peer: SocketAddr) {
        self.open.remove(&peer);
    }
}

async fn receive(
    mut stream: OwnedReadHalf,
    peer: SocketAddr,
    queue: &mpsc::Sender<Vec<u8>>,
    incoming: &mpsc::Sender<Incoming>,
) -> io::Result<()> {
    let mut reader = StreamReader::new();
    let mut buffer = vec![0; 8 * 1024];
    let mut patience = FIRST_MESSAGE;
    loop {
        let read = timeout(patience, stream.read(&mut buffer)).await??;
        if read == 0 {
            return Ok(());
        }
        reader.push(&buffer[..read]);
        while let Some(item) = reader.pop() {
            match item {
                StreamItem::Message(message) => {
                    patience = IDLE;
                    if incoming.send(Incoming::Message(peer, Box::new(message))).await.is_err() {
                        return Ok(());
                    }
                }
                StreamItem::Unreadable(error) => answer(queue, error),
                StreamItem::Broken(error) => {
                    answer(queue, error);
                    return Ok(());
                }
                StreamItem::Ping => drop(queue.try_send(PONG.to_vec())),
                StreamItem::Pong => {}
            }
        }
    }
}

fn answer(queue: &mpsc::Sender<Vec<u8>>, error: ReadError) {
    if let ReadError::Answer(response) = error {
        let _ = queue.try_send(wire::write_response(&response));
    }
}

async fn send(mut stream: OwnedWriteHalf, mut queued: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(payload) = queued.recv().await {
        timeout(FIRST_MESSAGE, stream.write_all(&payload)).await??;
    }
    Ok(())
}
