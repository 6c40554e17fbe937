//! The way to a call's relay: its RTP socket, or a stream of its own, in the open or by TLS (RFC 8656 §2.1).

use crate::media::ice::{NotFramed, Relay, RelayAccess, RelayEvent, Way, frame};
use mio::{
    Interest, Registry, Token,
    net::{TcpStream, UdpSocket},
};
use rand::Rng;
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};
use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

/// Audio that waits for a stream that takes nothing, half a second of it; more would be too late to be heard.
const MOST_WAITING: usize = 4 * 1024;
/// What the system keeps besides.
const SEND_BUFFER: usize = 8 * 1024;
/// Room for the longest message and the beginning of the next.
const MOST_READ: usize = 128 * 1024;
const CHUNK: usize = 16 * 1024;

/// A TURN server, and how it is reached.
#[derive(Clone)]
pub struct RelayServer {
    /// As it was asked for: `turn:relay.example?transport=tcp`.
    pub name: String,
    pub address: SocketAddr,
    pub carrier: Carrier,
    pub access: RelayAccess,
}

/// What carries messages to a TURN server.
#[derive(Clone)]
pub enum Carrier {
    Udp,
    Tcp,
    /// Whom we trust, and the name that the certificate is to have.
    Tls(Arc<ClientConfig>, ServerName<'static>),
}

impl fmt::Debug for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayServer").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

/// A relay as one session has it.
pub struct RelayLink {
    relay: Relay,
    name: String,
    server: SocketAddr,
    stream: Option<Box<Stream>>,
}

impl RelayLink {
    /// Begins to ask for an address: `is_ipv6`, or IPv4.
    ///
    /// # Errors
    /// A clause: no stream to it can be opened.
    pub fn open(
        now: Instant,
        server: RelayServer,
        is_ipv6: bool,
        (registry, token): (&Registry, Token),
    ) -> Result<Self, String> {
        let mut seed = [0; 32];
        rand::rng().fill_bytes(&mut seed);
        let tls = match &server.carrier {
            Carrier::Udp | Carrier::Tcp => None,
            Carrier::Tls(config, name) => {
                let connection = ClientConnection::new(config.clone(), name.clone()).map_err(|e| e.to_string())?;
                Some(connection)
            }
        };
        let is_stream = !matches!(server.carrier, Carrier::Udp);
        let stream = match is_stream {
            true => Some(Box::new(Stream::open(server.address, tls, registry, token).map_err(|e| e.to_string())?)),
            false => None,
        };
        let relay = Relay::new(now, server.access, is_stream, is_ipv6, seed);
        Ok(Self { relay, name: server.name, server: server.address, stream })
    }

    pub const fn relayed(&self) -> Option<SocketAddr> {
        self.relay.relayed()
    }

    /// Whether what comes from there to the RTP port is the relay's.
    pub fn is_at(&self, source: SocketAddr) -> bool {
        self.stream.is_none() && source == self.server
    }

    /// What has come to the RTP port from the relay; gives what a peer sent, and who.
    pub fn handle_datagram<'a>(&mut self, now: Instant, datagram: &'a [u8]) -> Option<(SocketAddr, &'a [u8])> {
        self.relay.handle_datagram(now, datagram)
    }

    /// Whether the relay sees the RTP port itself, and not a stream's.
    pub const fn sees_port(&self) -> bool {
        self.stream.is_none()
    }

    /// Reads what the stream holds; `heard` gets what peers have sent. Returns `true` when more may be left.
    ///
    /// # Errors
    /// A clause: the stream is of no use any more.
    pub fn read(&mut self, now: Instant, mut heard: impl FnMut(SocketAddr, &[u8])) -> Result<bool, String> {
        let Some(stream) = &mut self.stream else { return Ok(false) };
        stream.flush()?;
        let more = stream.fill()?;
        let mut at = 0;
        while let Some(length) = frame(&stream.read[at..]).map_err(|NotFramed| "it does not speak TURN".to_owned())? {
            let Some(message) = stream.read.get(at..at + length) else { break };
            if let Some((peer, data)) = self.relay.handle_datagram(now, message) {
                heard(peer, data);
            }
            at += length;
        }
        stream.read.drain(..at);
        Ok(more)
    }

    /// Lets these send to us, and binds a channel to the way that was chosen.
    pub fn admit(&mut self, now: Instant, peers: impl IntoIterator<Item = IpAddr>, way: Option<Way>) {
        self.relay.permit(now, peers);
        if let Some(way) = way.filter(|way| way.relayed) {
            self.relay.bind(now, way.peer);
        }
    }

    /// Asks whether it still knows of us.
    pub fn confirm(&mut self, now: Instant) {
        self.relay.confirm(now);
    }

    /// Sends to a peer by way of the relay; `false` for what it would not let through, which goes nowhere.
    pub fn send(&mut self, rtp: &UdpSocket, peer: SocketAddr, data: &[u8]) -> bool {
        let Some(wrapped) = self.relay.wrap(peer, data) else { return false };
        match &mut self.stream {
            None => rtp.send_to(wrapped, self.server).is_ok(),
            Some(stream) => {
                stream.send_data(wrapped);
                true
            }
        }
    }

    /// Goes on with what is asked of the relay. Gives what has become of it.
    pub fn go_on(&mut self, now: Instant, rtp: &UdpSocket) -> Option<RelayEvent> {
        self.relay.handle_timeout(now);
        while let Some(message) = self.relay.poll_transmit() {
            carry(&mut self.stream, rtp, self.server, &message);
        }
        self.relay.poll_event()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.relay.poll_timeout()
    }

    /// Gives the address back: done once there is no timeout any more.
    pub fn close(&mut self, now: Instant, rtp: &UdpSocket) {
        self.relay.release(now);
        self.go_on(now, rtp);
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// What to say when there is none; the call goes on without.
    pub fn trouble(&self, why: &str) -> String {
        trouble(&self.name, why)
    }
}

/// What to say of a TURN server that is of no use; the call goes on without.
pub fn trouble(name: &str, why: &str) -> String {
    format!("The TURN server {name} is of no use to this call, which goes on without: {why}.")
}

fn carry(stream: &mut Option<Box<Stream>>, rtp: &UdpSocket, server: SocketAddr, message: &[u8]) {
    match stream {
        // What cannot be sent now is sent again.
        None => drop(rtp.send_to(message, server)),
        Some(stream) => stream.send(message),
    }
}

/// A connection to a relay. Never waits.
struct Stream {
    socket: TcpStream,
    tls: Option<ClientConnection>,
    /// What came and is no whole message yet.
    read: Vec<u8>,
    /// What the socket has not taken yet; behind TLS, that keeps it.
    waiting: Vec<u8>,
}

impl Stream {
    fn open(server: SocketAddr, tls: Option<ClientConnection>, registry: &Registry, token: Token) -> io::Result<Self> {
        let mut socket = TcpStream::connect(server)?;
        // Audio in small pieces is not to wait for more.
        let _ = socket.set_nodelay(true);
        let _ = socket2::SockRef::from(&socket).set_send_buffer_size(SEND_BUFFER);
        registry.register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
        let mut stream = Self { socket, tls, read: Vec::new(), waiting: Vec::new() };
        if let Some(tls) = &mut stream.tls {
            tls.set_buffer_limit(Some(MOST_WAITING));
        }
        Ok(stream)
    }

    /// What a peer is to hear, whole or not at all.
    fn send_data(&mut self, message: &[u8]) {
        if self.waiting.len() + message.len() <= MOST_WAITING {
            self.send(message);
        }
    }

    /// A request, which is never dropped: nobody sends it again (RFC 8489 §6.2.2). Those still unanswered are few.
    fn send(&mut self, message: &[u8]) {
        self.waiting.extend_from_slice(message);
        // What is wrong with the stream shows when it is read.
        let _ = self.flush();
    }

    fn flush(&mut self) -> Result<(), String> {
        loop {
            if let Some(tls) = self.tls.as_mut().filter(|tls| !tls.is_handshaking()) {
                // It takes as much as it has room for.
                let taken = tls.writer().write(&self.waiting).map_err(|e| e.to_string())?;
                self.waiting.drain(..taken);
            }
            let sent = match &mut self.tls {
                Some(tls) if tls.wants_write() => tls.write_tls(&mut self.socket),
                None if !self.waiting.is_empty() => {
                    self.socket.write(&self.waiting).inspect(|sent| drop(self.waiting.drain(..*sent)))
                }
                _ => return Ok(()),
            };
            match sent {
                Ok(_) => {}
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if waits(&e) => return Ok(()),
                Err(e) => return Err(lost(&e)),
            }
        }
    }

    /// Reads until there is nothing more, or enough for one turn; then `true`.
    fn fill(&mut self) -> Result<bool, String> {
        while self.read.len() < MOST_READ {
            let before = self.read.len();
            let got = match &mut self.tls {
                Some(tls) => tls.read_tls(&mut self.socket),
                None => {
                    self.read.resize(before + CHUNK, 0);
                    let got = self.socket.read(&mut self.read[before..]);
                    self.read.truncate(before + got.as_ref().map_or(0, |got| *got));
                    got
                }
            };
            match got {
                Ok(0) => return Err("it has closed the connection".to_owned()),
                Ok(_) => self.decrypt()?,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if waits(&e) => return Ok(false),
                Err(e) => return Err(lost(&e)),
            }
        }
        Ok(true)
    }

    fn decrypt(&mut self) -> Result<(), String> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        let state = tls.process_new_packets().map_err(|e| {
            format!(
                "the connection to it cannot be protected ({e}); where its certificate is of your company's own \
                 authority, give that with --ca-file"
            )
        })?;
        let before = self.read.len();
        self.read.resize(before + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(&mut self.read[before..]).map_err(|e| lost(&e))?;
        // A handshake answers.
        self.flush()
    }
}

/// Nothing is wrong, it is only not the time: not connected yet, or full.
fn waits(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

fn lost(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "nothing listens there; check host, port and transport".to_owned(),
        _ => format!("the connection to it is lost ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, time::Duration};

    /// A link over TCP, and the relay's end of it.
    fn link(poll: &mio::Poll) -> (RelayLink, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = RelayServer {
            name: "turn:127.0.0.1?transport=tcp".into(),
            address,
            carrier: Carrier::Tcp,
            access: RelayAccess { username: String::new(), password: crate::secret::Secret::default() },
        };
        let link = RelayLink::open(Instant::now(), server, false, (poll.registry(), Token(2))).unwrap();
        let (there, _) = listener.accept().unwrap();
        there.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (link, there)
    }

    /// What becomes of what the relay has written.
    fn outcome(poll: &mut mio::Poll, link: &mut RelayLink) -> Result<(), String> {
        let mut events = mio::Events::with_capacity(8);
        for _ in 0..50 {
            poll.poll(&mut events, Some(Duration::from_millis(100))).unwrap();
            while link.read(Instant::now(), |_, _| panic!("nobody may send yet"))? {}
        }
        Ok(())
    }

    #[test]
    fn a_stream_of_something_else_is_left_and_says_why() {
        let mut long = vec![0u8; 200_000];
        long.extend([0xff; 4]);
        for (written, said) in
            [(&b"HTTP/1.1"[..], "closed"), (&[0xff; 8], "does not speak TURN"), (&long, "does not speak TURN")]
        {
            let mut poll = mio::Poll::new().unwrap();
            let (mut link, mut there) = link(&poll);
            let written = written.to_vec();
            let writer = std::thread::spawn(move || {
                let _ = there.write_all(&written);
                (said != "closed").then_some(there)
            });
            let why = outcome(&mut poll, &mut link).expect_err("it is of no use");
            assert!(why.contains(said), "{why}");
            drop(link);
            let _ = writer.join().unwrap();
        }
    }

    #[test]
    fn a_relay_that_reads_nothing_does_not_grow() {
        let mut poll = mio::Poll::new().unwrap();
        let (mut link, mut there) = link(&poll);
        let rtp = UdpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(link.go_on(Instant::now(), &rtp), None);
        poll.poll(&mut mio::Events::with_capacity(8), Some(Duration::from_secs(5))).unwrap();
        assert_eq!(link.read(Instant::now(), |_, _| {}), Ok(false));
        let mut request = [0; 28];
        there.read_exact(&mut request).unwrap();
        assert_eq!(request[..2], [0, 3], "an Allocate");
        let stream = link.stream.as_mut().unwrap();
        for _ in 0..20_000 {
            stream.send_data(&[1; 1_000]);
        }
        let kept = stream.waiting.len();
        assert!(kept <= MOST_WAITING && kept > MOST_WAITING / 2);
        // A request finds room all the same, and is whole.
        stream.send(&[7; 2_000]);
        assert_eq!(stream.waiting.len(), kept + 2_000);
        let (mut came, mut buffer) = (Vec::new(), [0; 16_384]);
        while came.iter().filter(|octet| **octet == 7).count() < 2_000 {
            let length = there.read(&mut buffer).unwrap();
            came.extend_from_slice(&buffer[..length]);
            assert_eq!(link.read(Instant::now(), |_, _| {}), Ok(false));
        }
        assert_eq!(came.len() % 1_000, 0, "nothing is cut");
        assert!(came.ends_with(&[7; 2_000]) && !came[..came.len() - 2_000].contains(&7));
    }
}
