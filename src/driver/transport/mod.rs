//! SIP sockets: one UDP socket, one TCP listener on the same port, and TCP and TLS connections by their flow. Moves messages and
//! keep-alives; opens a connection where a flow has none; everything a peer can fill is bounded.

mod connection;
pub(super) mod log;
mod tls;

use crate::{
    sip::{
        flow::{Flow, Transport},
        msg::Message,
        uri::Host,
        wire,
    },
    stream::{self, Heard},
    stun::{self, Binding},
};
use connection::{Connection, Notice, What};
use socket2::{Domain, Socket, Type};
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener, UdpSocket as StdUdp},
    path::PathBuf,
    time::Instant,
};
use tls::Tls;
pub(super) use tls::web_config;
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

/// The sockets, bound before the runtime runs so that a wrong address is refused at start.
#[derive(Debug)]
pub(super) struct Sockets {
    bound: Pair,
    /// Beside 0.0.0.0, where the machine has IPv6.
    six: Option<Pair>,
}

/// UDP and TCP on the same port.
#[derive(Debug)]
struct Pair {
    udp: StdUdp,
    tcp: StdListener,
}

impl Sockets {
    /// UDP and TCP on the same port; port 0 picks one that is free for both. 0.0.0.0 means every address, IPv6 too.
    pub(super) fn bind(address: SocketAddr) -> io::Result<Self> {
        let bound = Pair::bind(address)?;
        let beside = |port| Pair::bind((Ipv6Addr::UNSPECIFIED, port).into()).ok();
        let six = if address.ip() == Ipv4Addr::UNSPECIFIED { beside(bound.address()?.port()) } else { None };
        Ok(Self { bound, six })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.bound.address()
    }
}

impl Pair {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        // A port picked for UDP can be taken for TCP.
        let tries = if address.port() == 0 { 16 } else { 1 };
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..tries {
            let udp = open(address, Type::DGRAM)?;
            let udp: StdUdp = udp.into();
            match open(udp.local_addr()?, Type::STREAM).map(StdListener::from) {
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

    fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }
}

/// IPv6 sockets leave IPv4 to others: there is a socket of its own for that.
fn open(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        socket.set_reuse_address(true)?;
    }
    stream::mark(&(&socket).into(), address.is_ipv6());
    socket.bind(&address.into())?;
    if kind == Type::STREAM {
        socket.listen(128)?;
    }
    Ok(socket)
}

/// What comes from the network, or becomes of what was sent.
#[derive(Debug)]
pub(super) enum Received {
    Message {
        flow: Flow,
        message: Message,
        /// It as it came.
        bytes: Vec<u8>,
    },
    /// A single CRLF over a stream.
    Pong(Flow),
    /// The answer to a STUN binding request.
    Stun(Flow, Binding),
    /// A connection ended, or could not be opened; `lost` are the marks of what was sent on it lately.
    Closed { flow: Flow, reason: String, lost: Vec<u64> },
}

#[derive(Debug)]
pub(super) struct Transports {
    bound: Listening,
    six: Option<Listening>,
    tls: Tls,
    connections: HashMap<Flow, Connection>,
    tasks: JoinSet<()>,
    notices: mpsc::Receiver<Notice>,
    notice_sender: mpsc::Sender<Notice>,
    serial: u64,
    /// Connections that were given up for others, still to be reported.
    given_up: VecDeque<Received>,
}

/// A pair of sockets within the runtime.
#[derive(Debug)]
struct Listening {
    udp: UdpSocket,
    /// The same socket: the runtime's refuses to send until it has once waited for leave to.
    udp_out: StdUdp,
    tcp: TcpListener,
    buffer: Vec<u8>,
}

enum Woken {
    Datagram(io::Result<Datagram>),
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Notice(Notice),
}

struct Datagram {
    bytes: Vec<u8>,
    remote: SocketAddr,
}

impl Listening {
    fn new(pair: Pair) -> io::Result<Self> {
        Ok(Self {
            udp_out: pair.udp.try_clone()?,
            udp: UdpSocket::from_std(pair.udp)?,
            tcp: TcpListener::from_std(pair.tcp)?,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Nothing is lost when the waiting is given up. For ever, where there are no such sockets.
    async fn next(this: Option<&mut Self>) -> Woken {
        let Some(Self { udp, tcp, buffer, .. }) = this else { return std::future::pending().await };
        tokio::select! {
            received = udp.recv_from(buffer) => {
                Woken::Datagram(received.map(|(length, remote)| Datagram { bytes: buffer[..length].to_vec(), remote }))
            }
            accepted = tcp.accept() => Woken::Accepted(accepted),
        }
    }
}

impl Transports {
    /// Within a runtime. `ca_file`: certificate authorities (PEM) trusted besides the system's.
    pub(super) fn new(sockets: Sockets, ca_file: Option<PathBuf>) -> io::Result<Self> {
        let (notice_sender, notices) = mpsc::channel(NOTICES);
        Ok(Self {
            bound: Listening::new(sockets.bound)?,
            six: sockets.six.map(Listening::new).transpose()?,
            tls: Tls::new(ca_file),
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
            Transport::Udp => match self.udp_towards(flow.remote).send_to(&payload, flow.remote) {
                Ok(_) => Ok(()),
                // A full socket buffer loses datagrams as any router would; transactions retransmit.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
                Err(e) => Err(format!("{} cannot be reached: {e}", flow.remote)),
            },
            Transport::Tcp | Transport::Tls => {
                self.reap();
                if !self.connections.contains_key(&flow) {
                    self.connect(now, flow)?;
                }
                let connection = self.connections.get_mut(&flow).expect("just found or made");
                connection.send(payload, token)
            }
        }
    }

    /// Whether the sockets are of this address's family.
    pub(super) fn reaches(&self, remote: SocketAddr) -> bool {
        let bound = self.bound.udp.local_addr().is_ok_and(|bound| bound.is_ipv4() == remote.is_ipv4());
        bound || (remote.is_ipv6() && self.six.is_some())
    }

    fn udp_towards(&self, remote: SocketAddr) -> &StdUdp {
        match &self.six {
            Some(six) if remote.is_ipv6() => &six.udp_out,
            _ => &self.bound.udp_out,
        }
    }

    /// Before anything is sent to a TLS flow: the host it was found for, whose certificate the server must show.
    ///
    /// # Errors
    /// A clause: the address belongs to another name.
    pub(super) fn expect(&mut self, now: Instant, flow: Flow, host: &Host) -> Result<(), String> {
        if flow.transport != Transport::Tls {
            return Ok(());
        }
        let shown = self.connections.get(&flow).and_then(|connection| connection.certificate.as_ref());
        self.tls.expect(now, flow.remote, host, shown)
    }

    /// Forgets a connection that is known to be dead.
    pub(super) fn close(&mut self, flow: Flow) -> Vec<u64> {
        self.connections.remove(&flow).map(Connection::abandon).unwrap_or_default()
    }

    /// Ends all connections; with the marks of what was sent on each lately.
    pub(super) fn close_all(&mut self) -> Vec<(Flow, Vec<u64>)> {
        self.connections.drain().map(|(flow, connection)| (flow, connection.abandon())).collect()
    }

    /// Waits for the next thing to report; nothing is lost when the waiting is given up.
    pub(super) async fn next(&mut self) -> Received {
        loop {
            if let Some(closed) = self.given_up.pop_front() {
                return closed;
            }
            let woken = tokio::select! {
                woken = Listening::next(Some(&mut self.bound)) => woken,
                woken = Listening::next(self.six.as_mut()) => woken,
                Some(notice) = self.notices.recv() => Woken::Notice(notice),
            };
            #[expect(clippy::disallowed_methods, reason = "the shell reads the clock")]
            let now = Instant::now();
            let received = match woken {
                Woken::Datagram(Ok(datagram)) => self.datagram(datagram),
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

    fn datagram(&self, Datagram { bytes, remote }: Datagram) -> Option<Received> {
        let flow = Flow { transport: Transport::Udp, remote };
        if stun::is_stun(&bytes) {
            return stun::read(&bytes).map(|binding| Received::Stun(flow, binding));
        }
        match wire::read(&bytes) {
            Ok(message) => {
                log::received(flow, &bytes);
                Some(Received::Message { flow, message, bytes })
            }
            Err(error) => {
                // Without an answer the peer's transaction times out.
                stream::unreadable(error, |answer| drop(self.udp_towards(remote).send_to(&answer, remote)));
                None
            }
        }
    }

    fn notice(&mut self, now: Instant, notice: Notice) -> Option<Received> {
        let flow = notice.flow;
        // A connection that was replaced has nothing to say any more.
        let connection = self.connections.get_mut(&flow).filter(|c| c.serial == notice.serial)?;
        connection.heard(now);
        Some(match notice.what {
            What::Secured(certificate) => {
                connection.certificate = Some(certificate);
                return None;
            }
            What::Heard(Heard::Message(message)) => {
                // Off a stream, where the bytes are one message's only once they were read.
                let bytes = wire::write(&message);
                log::received(flow, &bytes);
                Received::Message { flow, message: *message, bytes }
            }
            What::Heard(Heard::Pong) => Received::Pong(flow),
            What::Closed(reason) => {
                let lost = self.connections.remove(&flow).map(Connection::abandon).unwrap_or_default();
                Received::Closed { flow, reason, lost }
            }
        })
    }

    fn connect(&mut self, now: Instant, flow: Flow) -> Result<(), String> {
        if self.connections.len() >= MAX_CONNECTIONS && !self.evict() {
            return Err("too many connections are open; end some calls and try again".into());
        }
        let way = if flow.transport == Transport::Tls { Some(self.tls.way(flow.remote)?) } else { None };
        self.serial += 1;
        let opened = Connection::open(now, self.serial, (flow, way), self.notice_sender.clone(), &mut self.tasks);
        self.connections.insert(flow, opened);
        Ok(())
    }

    fn accept(&mut self, now: Instant, stream: TcpStream, remote: SocketAddr) {
        self.reap();
        if self.connections.len() >= MAX_CONNECTIONS && !self.evict() {
            tracing::warn!("a connection from {remote} is refused: {MAX_CONNECTIONS} are open");
            return;
        }
        let flow = Flow { transport: Transport::Tcp, remote };
        self.serial += 1;
        let accepted =
            Connection::accepted(now, self.serial, (stream, flow), self.notice_sender.clone(), &mut self.tasks);
        if let Some(old) = self.connections.insert(flow, accepted) {
            self.give_up(flow, old, "the peer connected anew");
        }
    }

    fn give_up(&mut self, flow: Flow, connection: Connection, reason: &str) {
        let lost = connection.abandon();
        self.given_up.push_back(Received::Closed { flow, reason: reason.to_owned(), lost });
    }

    /// Makes room by closing the incoming connection that was silent longest.
    fn evict(&mut self) -> bool {
        let incoming = self.connections.iter().filter(|(_, c)| c.incoming);
        let Some(flow) = incoming.min_by_key(|(_, c)| c.last_heard).map(|(flow, _)| *flow) else { return false };
        if let Some(connection) = self.connections.remove(&flow) {
            self.give_up(flow, connection, "another connection needed its place");
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
