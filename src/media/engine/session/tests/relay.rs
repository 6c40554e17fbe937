//! A session and the relay that lends it an address.

use super::*;
use crate::{
    media::{
        engine::Carrier,
        ice::{RelayDouble, frame},
    },
    secret::Secret,
};
use std::{
    io::{Read, Write},
    net::TcpListener,
};

/// A TURN server, over TCP or UDP, that is seen to between the session's steps; and the session that it lends an address.
struct RelayBench {
    now: Instant,
    poll: mio::Poll,
    session: Session,
    listener: TcpListener,
    streams: Vec<std::net::TcpStream>,
    socket: std::net::UdpSocket,
    relay: RelayDouble,
    told: Vec<Report>,
}

impl RelayBench {
    fn new(is_stream: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).and_then(|()| socket.set_nonblocking(true)).expect("they can be");
        let (address, carrier) = match is_stream {
            true => (listener.local_addr(), Carrier::Tcp),
            false => (socket.local_addr(), Carrier::Udp),
        };
        let access = RelayAccess { username: "alice".into(), password: Secret("secret".into()) };
        let server =
            RelayServer { name: "turn:relay.test".into(), address: address.expect("an address"), carrier, access };
        let (now, poll) = (Instant::now(), mio::Poll::new().expect("a poll"));
        let registry = Arc::new(poll.registry().try_clone().expect("another"));
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.ask(now, (None, Some(server)), (registry, Token(2)));
        let (streams, relay, told) = (Vec::new(), RelayDouble::default(), Vec::new());
        Self { now, poll, session, listener, streams, socket, relay, told }
    }

    /// Of ten seconds, as long as `until` is not told.
    fn run(&mut self, until: impl Fn(&Report) -> bool) -> bool {
        for _ in 0..1_000 {
            self.step();
            if self.told.iter().any(&until) {
                return true;
            }
        }
        false
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(10);
        let told = &mut self.told;
        self.session.release(self.now, &mut |report| told.push(report));
        self.streams.extend(self.listener.accept().map(|(stream, _)| stream));
        let mut request = [0; MAX_PACKET];
        for stream in &mut self.streams {
            stream.set_read_timeout(Some(Duration::from_millis(1))).expect("it can be");
            if let Ok(length) = stream.read(&mut request) {
                let mut rest = &request[..length];
                while let Some(length) = frame(rest).expect("TURN").filter(|length| *length <= rest.len()) {
                    let answer = self.relay.answer(&rest[..length]);
                    drop(stream.write_all(&answer.unwrap_or_default()));
                    rest = &rest[length..];
                }
            }
        }
        while let Ok((length, source)) = self.socket.recv_from(&mut request) {
            let answer = self.relay.answer(&request[..length]);
            drop(answer.map(|answer| self.socket.send_to(&answer, source)));
        }
        self.poll.poll(&mut mio::Events::with_capacity(4), Some(Duration::ZERO)).expect("polled");
        self.session.read_relay(self.now, &mut |_| {});
        self.session.read(self.now, false, &mut |_| {});
    }

    /// It begins anew and knows of nobody; its streams end.
    fn restart_relay(&mut self) {
        self.told.clear();
        self.streams.clear();
        self.relay = RelayDouble::default();
    }

    /// The peer's answer is there, and the checks have chosen a way.
    fn connect(&mut self, way: Way) {
        let side =
            |name| IceCredentials { ufrag: format!("{name}frag"), password: format!("{name}-password-of-many-octets") };
        let ice = IcePlan { local: side("a"), remote: side("b"), candidates: Vec::new(), controlling: true };
        let plan = MediaPlan { ice: Some(Box::new(ice)), ..plan(Direction::SendRecv) };
        self.session.set_plan(self.now, plan, None, None);
        self.session.connected(self.now);
        self.session.stream.as_mut().expect("a stream").way = Some(way);
    }
}

fn has_seen(report: &Report) -> bool {
    matches!(report, Report::Seen { relayed: Some(_), .. })
}

fn has_seen_anew(report: &Report) -> bool {
    matches!(report, Report::SeenAnew { relayed: Some(_), .. })
}

/// It is told where the call went by it, and a new address told wherever it is needed; what the call does not need is let be.
#[test]
fn a_relay_that_breaks_off_lends_another_address() {
    for is_stream in [true, false] {
        let mut bench = RelayBench::new(is_stream);
        assert!(bench.run(has_seen), "{:?}", bench.told);
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        bench.connect(Way { peer, relayed: true });
        for _ in 0..2 {
            bench.restart_relay();
            assert!(bench.run(has_seen_anew), "{is_stream}: {:?}", bench.told);
            let notices: Vec<_> = bench.told.iter().filter(|report| matches!(report, Report::Notice(_))).collect();
            let [Report::Notice(notice)] = &notices[..] else { panic!("{:?}", bench.told) };
            let text = &notice.text;
            assert!(text.contains("turn:relay.test") && text.contains("call again"), "{text}");
        }
        // As a STUN server would, over UDP.
        let reflexive = (!is_stream).then(|| SocketAddr::from(([192, 0, 2, 1], 4000)));
        assert!(
            bench
                .told
                .iter()
                .any(|told| matches!(told, Report::SeenAnew { reflexive: seen, .. } if *seen == reflexive))
        );
    }
    let mut bench = RelayBench::new(true);
    assert!(bench.run(has_seen));
    bench.connect(Way { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), relayed: false });
    bench.restart_relay();
    assert!(!bench.run(|report| !matches!(report, Report::Stats(_))), "{:?}", bench.told);
    assert!(bench.streams.is_empty(), "nobody asks it");
    // The peer does not agree to the direct way any more.
    bench.session.stream.as_mut().expect("a stream").consent.lost = true;
    assert!(bench.run(has_seen_anew), "{:?}", bench.told);
}

/// An address that is lent is kept with the password that it was lent for (RFC 8656 §5).
#[test]
fn a_call_that_outlives_its_relay_s_password_is_lent_another_address_for_the_next() {
    let mut bench = RelayBench::new(false);
    assert!(bench.run(has_seen), "{:?}", bench.told);
    bench.connect(Way { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), relayed: true });
    let tomorrow = RelayAccess { username: "alice".into(), password: Secret("tomorrow".into()) };
    let is_lost = |report: &Report| matches!(report, Report::Notice(_));
    // So long it may be before the relay is asked the next time.
    let waited = |bench: &mut RelayBench, until: fn(&Report) -> bool| (0..3).any(|_| bench.run(until));
    for name in ["turn:relay.test", "turn:other.test"] {
        bench.session.exchange_access(name, &tomorrow);
        assert!(!waited(&mut bench, is_lost), "it is asked whether it knows of us, all the same: {:?}", bench.told);
    }
    bench.restart_relay();
    bench.relay.password = "tomorrow";
    assert!(waited(&mut bench, has_seen_anew), "{:?}", bench.told);

    let next = RelayAccess { password: Secret("next".into()), ..tomorrow };
    bench.session.exchange_access("turn:other.test", &next);
    bench.restart_relay();
    bench.relay.password = "next";
    assert!(!waited(&mut bench, has_seen_anew) && bench.told.iter().any(is_lost), "{:?}", bench.told);
    bench.session.exchange_access("turn:relay.test", &next);
    assert!(waited(&mut bench, has_seen_anew), "{:?}", bench.told);
}
