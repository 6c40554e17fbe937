//! The sockets around [`Pbx`]: moves bytes, time, the store's answers and the HTTP side's orders in and out.

use super::{
    connections::{Connections, Incoming, Limits},
    keeper::{Keeper, Kept},
    location::Aor,
    pbx::{Output, Pbx, QueryId},
    routing::Facts,
};
use crate::{
    server::{
        clock::Clock,
        contacts::{Contact, Order},
        notebook::Notebook,
        notices::{Notice, Notices},
        registry::Registry,
        store::Store,
    },
    sip::{
        digest::Algorithm,
        entropy::Entropy,
        flow::{Flow, Transport},
        uri::Host,
        wire,
    },
    stream::{self, Heard},
};
use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::sleep_until,
};
use tokio_rustls::TlsAcceptor;

/// Messages from connections that wait for the loop.
const QUEUED_MESSAGES: usize = 256;
/// The largest datagram.
const DATAGRAM: usize = 65_535;
/// Pairs of ports tried where the system is to choose one.
const BIND_ATTEMPTS: usize = 16;
/// Where nothing else is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// TLS on a port of its own, with the newest certificate.
pub struct TlsListener {
    socket: TcpListener,
    acceptors: watch::Receiver<TlsAcceptor>,
}

impl TlsListener {
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(address: SocketAddr, acceptors: watch::Receiver<TlsAcceptor>) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, acceptors })
    }

    /// # Errors
    /// Where the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Never, where there is none.
    async fn accept(this: Option<&Self>) -> io::Result<(TcpStream, SocketAddr, TlsAcceptor)> {
        let Some(Self { socket, acceptors }) = this else { return std::future::pending().await };
        let (stream, peer) = socket.accept().await?;
        Ok((stream, peer, acceptors.borrow().clone()))
    }
}

/// Where the SIP side is and how it is spoken to.
#[derive(Debug)]
pub struct SipSettings {
    /// UDP and TCP; the system chooses where its port is 0.
    pub address: SocketAddr,
    /// How devices know it, where not by its address.
    pub known_as: Option<Host>,
    /// What digest offers, the preferred first.
    pub algorithms: Vec<Algorithm>,
    /// See [`Pbx::set_flow_key`].
    pub flow_key: Option<[u8; 32]>,
}

/// The registrar and proxy on its sockets.
pub struct SipServer {
    udp: UdpSocket,
    listener: TcpListener,
    tls: Option<TlsListener>,
    connections: Connections,
    incoming: mpsc::Receiver<Incoming>,
    pbx: Pbx,
    registry: Registry,
    keeper: Keeper,
    notebook: Notebook,
    notices: Notices,
    orders: mpsc::Receiver<Order>,
    answers: JoinSet<(QueryId, Result<Facts, String>)>,
    /// Waits for the calls that are being begun to end.
    closing: Option<oneshot::Sender<()>>,
}

impl SipServer {
    /// Binds UDP and TCP on the same port. Devices know it as it is told, else by its address, where that is unspecified by the
    /// one this machine reaches the network with. Who was registered before is so again.
    ///
    /// # Errors
    /// Where a socket cannot be had, or the database does not answer.
    pub async fn bind(
        settings: SipSettings,
        store: &Store,
        clock: &Clock,
        (notices, notebook): (Notices, Notebook),
        orders: mpsc::Receiver<Order>,
    ) -> io::Result<Self> {
        let SipSettings { address, known_as, algorithms, flow_key } = settings;
        let (udp, listener) = bind_pair(address).await?;
        let announced = SocketAddr::new(reachable_ip(address).await?, udp.local_addr()?.port());
        let (sender, incoming) = mpsc::channel(QUEUED_MESSAGES);
        let (now, wall) = (clock_now(), clock.now());
        let mut pbx = Pbx::new(now, wall, announced, algorithms, Entropy::from_system());
        if let Some(host) = known_as {
            pbx.set_known_as(host);
        }
        if let Some(key) = flow_key {
            pbx.set_flow_key(key);
        }
        for (aor, saved) in Keeper::read(store, now, wall).await.map_err(io::Error::other)? {
            pbx.restore(now, &aor, saved);
        }
        Ok(Self {
            udp,
            listener,
            tls: None,
            connections: Connections::new(Limits::of(open_files()), sender),
            incoming,
            pbx,
            registry: Registry::new(store.clone(), clock.clone()),
            keeper: Keeper::new(store.clone()),
            notebook,
            notices,
            orders,
            answers: JoinSet::new(),
            closing: None,
        })
    }

    /// Takes devices over TLS too.
    ///
    /// # Errors
    /// Where the system does not tell the listener's port.
    pub fn serve_tls(&mut self, listener: TlsListener) -> io::Result<()> {
        self.pbx.serve_tls(listener.local_addr()?.port());
        self.tls = Some(listener);
        Ok(())
    }

    /// Where devices reach it.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// Serves until dropped.
    pub async fn run(mut self) {
        let mut datagram = vec![0; DATAGRAM];
        loop {
            let due = self.pbx.poll_timeout().unwrap_or_else(|| clock_now() + IDLE);
            tokio::select! {
                received = self.udp.recv_from(&mut datagram) => match received {
                    Ok((length, remote)) => self.handle_datagram(remote, &datagram[..length]),
                    Err(error) => tracing::debug!(%error, "receiving a datagram"),
                },
                accepted = self.listener.accept() => {
                    self.handle_accepted(accepted.map(|(stream, peer)| (stream, peer, None))).await;
                }
                accepted = TlsListener::accept(self.tls.as_ref()) => {
                    self.handle_accepted(accepted.map(|(stream, peer, tls)| (stream, peer, Some(tls)))).await;
                }
                Some(incoming) = self.incoming.recv() => self.handle_incoming(incoming),
                Some(order) = self.orders.recv() => self.handle_order(order),
                Some(answer) = self.answers.join_next() => match answer {
                    Ok((id, facts)) => self.pbx.handle_facts(clock_now(), id, facts),
                    Err(error) => tracing::error!(%error, "a question to the store was lost"),
                },
                Some(_) = self.keeper.writing.join_next() => {}
                () = sleep_until(due.into()) => self.pbx.handle_timeout(clock_now()),
            }
            self.carry_out().await;
            self.keeper.write();
            if !self.pbx.is_beginning()
                && let Some(closing) = self.closing.take()
            {
                let _ = closing.send(());
            }
        }
    }

    fn handle_datagram(&mut self, remote: SocketAddr, datagram: &[u8]) {
        match wire::read(datagram) {
            Ok(message) => {
                self.pbx.handle_message(clock_now(), Flow { transport: Transport::Udp, remote }, message);
            }
            Err(error) => stream::unreadable(error, |answer| drop(self.udp.try_send_to(&answer, remote))),
        }
    }

    async fn handle_accepted(&mut self, accepted: io::Result<(TcpStream, SocketAddr, Option<TlsAcceptor>)>) {
        match accepted {
            Ok((stream, remote, tls)) => {
                let transport = if tls.is_some() { Transport::Tls } else { Transport::Tcp };
                for ended in self.connections.add(stream, Flow { transport, remote }, tls) {
                    self.handle_closed(ended);
                }
            }
            Err(error) => {
                // Out of descriptors: let some connections close first.
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn handle_incoming(&mut self, incoming: Incoming) {
        match incoming {
            // Where a connection was closed by us, what it still had to say is late.
            Incoming::Heard(peer, heard) => {
                if let (true, Heard::Message(message)) = (self.connections.heard(peer), heard) {
                    self.pbx.handle_message(clock_now(), peer.flow, *message);
                }
            }
            Incoming::Closed(peer) => {
                if self.connections.closed(peer) {
                    self.handle_closed(peer.flow);
                }
            }
        }
    }

    fn handle_closed(&mut self, flow: Flow) {
        self.pbx.handle_flow_lost(clock_now(), flow);
    }

    fn handle_order(&mut self, order: Order) {
        let now = clock_now();
        // Whoever asked may have gone; what was ordered is done all the same.
        match order {
            Order::Held { realm, registrations, reply } => {
                let held =
                    registrations.into_iter().filter_map(|name| self.held(now, Aor { realm: realm.clone(), name }));
                let _ = reply.send(held.collect());
            }
            Order::TakeOver { realm, registration, session, instance_id, reply } => {
                self.pbx.take_over(now, &Aor { realm, name: registration }, session, &instance_id);
                let _ = reply.send(());
            }
            Order::EndSession { session, reply } => {
                self.pbx.end_session(now, session);
                let _ = reply.send(());
            }
            Order::Remove { realm, registration, reply } => {
                self.pbx.remove(now, &Aor { realm, name: registration });
                let _ = reply.send(());
            }
            Order::Calls { realm, reply } => {
                let _ = reply.send(self.pbx.calls(&realm));
            }
            Order::HangUp { realm, call, reply } => {
                let _ = reply.send(self.pbx.hang_up(now, &realm, &call));
            }
            Order::Originate { realm, extension, destination, reply } => {
                let _ = reply.send(self.pbx.originate(now, &realm, &extension, &destination));
            }
            Order::Close { reply } => {
                self.pbx.end_begun(now);
                self.closing = Some(reply);
            }
        }
    }

    fn held(&self, now: Instant, aor: Aor) -> Option<Contact> {
        let held = self.pbx.holder(now, &aor)?;
        Some(Contact {
            device: held.binding.device.clone(),
            address: held.binding.flow.remote,
            since: held.since,
            expires_at: self.pbx.wall(held.expires),
            instance_id: held.binding.instance.clone(),
            session: held.binding.session,
            latency: held.binding.latency,
            realm: aor.realm,
            registration: aor.name,
        })
    }

    async fn carry_out(&mut self) {
        while let Some(output) = self.pbx.poll_output() {
            match output {
                Output::Transmit { flow, payload, client } => {
                    let sent = match flow.transport {
                        Transport::Udp => self.udp.send_to(&payload, flow.remote).await.map_err(|e| e.to_string()),
                        Transport::Tcp | Transport::Tls => {
                            if self.connections.send(flow, payload) {
                                Ok(0)
                            } else {
                                // Its Closed will find nothing to close any more.
                                self.handle_closed(flow);
                                Err("the device's connection is gone".to_owned())
                            }
                        }
                    };
                    if let (Err(why), Some(client)) = (sent, client) {
                        self.pbx.handle_transport_failed(clock_now(), client, &why);
                    }
                }
                Output::Ask { id, query } => {
                    let registry = self.registry.clone();
                    self.answers.spawn(async move {
                        let facts = query.ask(&registry).await.map_err(|error| {
                            tracing::error!(%error, "asking the store for a SIP request");
                            "the server's database does not answer: try again in a moment".to_owned()
                        });
                        (id, facts)
                    });
                }
                Output::Save { aor, hold } => {
                    let saved = self.pbx.saved(&aor);
                    let expires = saved.contact.as_ref().map_or_else(clock_now, |contact| contact.expires);
                    self.keeper.keep(aor, Kept { expires_at: self.pbx.wall(expires), saved, with_hold: hold });
                }
                Output::Refused(note) => self.notebook.refused(note),
                Output::Over(record) => self.notebook.over(record),
                Output::Changed(aor) => {
                    self.notices.publish(Notice::Holder { realm: aor.realm, registration: aor.name });
                }
            }
        }
    }
}

/// The shells are where the cores' time comes from.
#[expect(clippy::disallowed_methods, reason = "the server's one clock")]
pub fn clock_now() -> Instant {
    Instant::now()
}

/// How many files this process may have open (RLIMIT_NOFILE), as Linux tells it; where it does not, what is usual.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(1024)
}

async fn bind_pair(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut attempt = 0;
    loop {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(listener) => return Ok((udp, listener)),
            // Another program has TCP on the port that UDP was given.
            Err(error)
                if address.port() == 0 && error.kind() == io::ErrorKind::AddrInUse && attempt < BIND_ATTEMPTS =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// `address` itself, or where it is unspecified the address that a packet to the internet would leave from; nothing is sent.
async fn reachable_ip(address: SocketAddr) -> io::Result<std::net::IpAddr> {
    if !address.ip().is_unspecified() {
        return Ok(address.ip());
    }
    let probe = UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await?;
    let far: SocketAddr = match address {
        SocketAddr::V4(_) => ([192, 0, 2, 1], 9).into(),
        SocketAddr::V6(_) => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9).into(),
    };
    match probe.connect(far).await {
        Ok(()) => Ok(probe.local_addr()?.ip()),
        // No network: whoever calls does so on this machine.
        Err(_) => Ok(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        }),
    }
}
