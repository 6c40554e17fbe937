//! SIP sockets: one UDP socket, one TCP listener on the same port, and TCP connections by their peer's address. Moves
//! messages and keep-alives; opens a connection where a flow has none; everything a peer can fill is bounded.

mod connection;
mod log;

use crate::{
    sip::{
        flow::{Flow, Transport},
        msg::Message,
        wire,
    },
    stream::{self, Heard},
};
use connection::{Connection, Notice, What};
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp},
    time::Instant,
};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::mpsc,
    task::JoinSet,
};

/// Connections at a time; a new incoming one then takes the place of the incoming one that was silent longest.
const MAX_CONNECTIONS: usize = 64;
/// Things that connections have to report; more are waited for, which slows the peers down.
const NOTICES: usize = 128;
const DATAGRAM: usize = 65_535;

/// Both sockets, bound before the runtime runs so that a wrong address is refused at start.
#[derive(Debug)]
pub(super) struct Sockets {
    udp: StdUdp,
    tcp: StdListener,
}

impl Sockets {
    /// UDP and TCP on the same port; port 0 picks one that is free for both.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        // A port picked for UDP can be taken for TCP.
        let tries = if address.port() == 0 { 16 } else { 1 };
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..tries {
            let udp = StdUdp::bind(address)?;
            match StdListener::bind(udp.local_addr()?) {
                Ok(tcp) => {
                    udp.set_nonblocking(true)?;
                    tcp.set_nonblocking(true)?;
                    return Ok(Self { udp, tcp });
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }
}

/// What comes from the network, or becomes of what was sent.
#[derive(Debug)]
pub(super) enum Received {
    Message {
        flow: Flow,
        message: Message,
    },
    /// A single CRLF over a stream.
    Pong(Flow),
    /// A connection ended, or could not be opened; `lost` are the marks of what was sent on it lately.
    Closed {
        flow: Flow,
        reason: String,
        lost: Vec<u64>,
    },
}

#[derive(Debug)]
pub(super) struct Transports {
    udp: UdpSocket,
    /// The same socket: the runtime's refuses to send until it has once waited for leave to.
    udp_out: StdUdp,
    tcp: TcpListener,
    buffer: Vec<u8>,
    connections: HashMap<SocketAddr, Connection>,
    tasks: JoinSet<()>,
    notices: mpsc::Receiver<Notice>,
    notice_sender: mpsc::Sender<Notice>,
    serial: u64,
    /// Connections that were given up for others, still to be reported.
    given_up: VecDeque<Received>,
}

enum Woken {
    Datagram(io::Result<(usize, SocketAddr)>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Notice(Notice),
}

impl Transports {
    /// Within a runtime.
    pub(super) fn new(sockets: Sockets) -> io::Result<Self> {
        let (notice_sender, notices) = mpsc::channel(NOTICES);
        Ok(Self {
            udp_out: sockets.udp.try_clone()?,
            udp: UdpSocket::from_std(sockets.udp)?,
            tcp: TcpListener::from_std(sockets.tcp)?,
            buffer: vec![0; DATAGRAM],
            connections: HashMap::new(),
            tasks: JoinSet::new(),
            notices,
            notice_sender,
            serial: 0,
            given_up: VecDeque::new(),
        })
    }

    /// Sends, or has it sent as soon as the connection is there. `token` comes back with [`Received::Closed`] where a
    /// connection fails later.
    ///
    /// # Errors
    /// A clause saying why it cannot be sent at all.
    pub(super) fn send(
        &mut self,
        now: Instant,
        flow: Flow,
        payload: Vec<u8>,
        token: Option<u64>,
    ) -> Result<(), String> {
        log::sent(flow, &payload);
        match flow.transport {
            Transport::Udp => match self.udp_out.send_to(&payload, flow.remote) {
                Ok(_) => Ok(()),
                // A full socket buffer loses datagrams as any router would; transactions retransmit.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
                Err(e) => Err(format!("{} cannot be reached: {e}", flow.remote)),
            },
            Transport::Tcp => {
                self.reap();
                if !self.connections.contains_key(&flow.remote) {
                    self.connect(now, flow)?;
                }
                let connection = self.connections.get_mut(&flow.remote).expect("just found or made");
                connection.send(payload, token)
            }
            Transport::Tls => Err("SIP over TLS is not supported yet; use tcp or udp".into()),
        }
    }

    /// Forgets a connection that is known to be dead.
    pub(super) fn close(&mut self, flow: Flow) -> Vec<u64> {
        self.connections.remove(&flow.remote).map(Connection::abandon).unwrap_or_default()
    }

    /// Waits for the next thing to report; nothing is lost when the waiting is given up.
    pub(super) async fn next(&mut self) -> Received {
        loop {
            if let Some(closed) = self.given_up.pop_front() {
                return closed;
            }
            let woken = tokio::select! {
                datagram = self.udp.recv_from(&mut self.buffer) => Woken::Datagram(datagram),
                accepted = self.tcp.accept() => Woken::Accepted(accepted),
                Some(notice) = self.notices.recv() => Woken::Notice(notice),
            };
            #[expect(clippy::disallowed_methods, reason = "the shell reads the clock")]
            let now = Instant::now();
            let received = match woken {
                Woken::Datagram(Ok((length, remote))) => self.datagram(length, remote),
                // ICMP errors of earlier datagrams; their transactions time out by themselves.
                Woken::Datagram(Err(_)) => None,
                Woken::Accepted(Ok((stream, remote))) => {
                    self.accept(now, stream, remote);
                    None
                }
                Woken::Accepted(Err(e)) => {
                    tracing::warn!("a connection could not be accepted: {e}");
                    // Out of file descriptors: without a pause this would spin.
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    None
                }
                Woken::Notice(notice) => self.notice(now, notice),
            };
            if let Some(received) = received {
                return received;
            }
        }
    }

    fn datagram(&mut self, length: usize, remote: SocketAddr) -> Option<Received> {
        let flow = Flow { transport: Transport::Udp, remote };
        let bytes = &self.buffer[..length];
        match wire::read(bytes) {
            Ok(message) => {
                log::received(flow, bytes);
                Some(Received::Message { flow, message })
            }
            Err(error) => {
                // Without an answer the peer's transaction times out.
                stream::unreadable(error, |answer| drop(self.udp_out.send_to(&answer, remote)));
                None
            }
        }
    }

    fn notice(&mut self, now: Instant, notice: Notice) -> Option<Received> {
        let flow = Flow { transport: Transport::Tcp, remote: notice.remote };
        // A connection that was replaced has nothing to say any more.
        let connection = self.connections.get_mut(&notice.remote).filter(|c| c.serial == notice.serial)?;
        connection.heard(now);
        Some(match notice.what {
            What::Heard(Heard::Message(message)) => {
                log::received_over_stream(flow, &message);
                Received::Message { flow, message: *message }
            }
            What::Heard(Heard::Pong) => Received::Pong(flow),
            What::Closed(reason) => {
                let lost = self.connections.remove(&notice.remote).map(Connection::abandon).unwrap_or_default();
                Received::Closed { flow, reason, lost }
            }
        })
    }

    fn connect(&mut self, now: Instant, flow: Flow) -> Result<(), String> {
        if self.connections.len() >= MAX_CONNECTIONS && !self.evict() {
            return Err("too many connections are open; end some calls and try again".into());
        }
        self.serial += 1;
        let opened = Connection::open(now, self.serial, flow.remote, self.notice_sender.clone(), &mut self.tasks);
        self.connections.insert(flow.remote, opened);
        Ok(())
    }

    fn accept(&mut self, now: Instant, stream: TcpStream, remote: SocketAddr) {
        self.reap();
        if self.connections.len() >= MAX_CONNECTIONS && !self.evict() {
            tracing::warn!("a connection from {remote} is refused: {MAX_CONNECTIONS} are open");
            return;
        }
        self.serial += 1;
        let accepted =
            Connection::accepted(now, self.serial, stream, remote, self.notice_sender.clone(), &mut self.tasks);
        if let Some(old) = self.connections.insert(remote, accepted) {
            self.give_up(remote, old, "the peer connected anew");
        }
    }

    fn give_up(&mut self, remote: SocketAddr, connection: Connection, reason: &str) {
        let flow = Flow { transport: Transport::Tcp, remote };
        let lost = connection.abandon();
        self.given_up.push_back(Received::Closed { flow, reason: reason.to_owned(), lost });
    }

    /// Makes room by closing the incoming connection that was silent longest.
    fn evict(&mut self) -> bool {
        let incoming = self.connections.iter().filter(|(_, c)| c.incoming);
        let Some(remote) = incoming.min_by_key(|(_, c)| c.last_heard).map(|(remote, _)| *remote) else { return false };
        if let Some(connection) = self.connections.remove(&remote) {
            self.give_up(remote, connection, "another connection needed its place");
        }
        true
    }

    /// Collects tasks that have ended.
    fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests;
