//! Sent to only as long as the peer agrees (RFC 7675).

use super::*;
use crate::media::ice::Ice;

/// A peer's checks, over a socket of its own.
struct Checks {
    socket: std::net::UdpSocket,
    ice: Ice,
}

fn side(name: &str) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}frag"), password: format!("{name}-password-of-many-octets") }
}

fn candidate(at: SocketAddr) -> String {
    format!("candidate:1 1 UDP 2130706431 {} {} typ host", at.ip(), at.port())
}

/// Begins checks of these names between both.
fn begin(now: Instant, session: &mut Session, socket: std::net::UdpSocket, names: [&str; 2]) -> Checks {
    let (here, there) = (session.ports.address, socket.local_addr().expect("an address"));
    let ice = |local: &str, remote: &str, at, controlling| IcePlan {
        local: side(local),
        remote: side(remote),
        candidates: vec![candidate(at)],
        controlling,
    };
    let ours = Some(Box::new(ice(names[0], names[1], there, true)));
    session.set_plan(now, MediaPlan { remote_rtp: there, ice: ours, ..plan(Direction::SendRecv) }, None, None);
    Checks { socket, ice: Ice::new(now, there, ice(names[1], names[0], here, false)) }
}

impl Checks {
    /// Goes on, or with `answers` false only listens. Returns how many packets of audio have come.
    fn go_on(&mut self, now: Instant, answers: bool) -> usize {
        let (mut buffer, mut audio) = ([0; MAX_PACKET], 0);
        while let Ok((length, source)) = self.socket.recv_from(&mut buffer) {
            match Kind::of(&buffer[..length]) {
                Kind::Stun if answers => {
                    self.ice.handle_datagram(now, Way { peer: source, relayed: false }, &buffer[..length]);
                }
                Kind::Stun => {}
                _ => audio += usize::from(!crate::media::rtp::is_rtcp(&buffer[..length])),
            }
        }
        self.ice.handle_timeout(now);
        while let Some((datagram, way)) = self.ice.poll_transmit().filter(|_| answers) {
            self.socket.send_to(&datagram, way.peer).expect("sent");
        }
        audio
    }
}

/// It keeps sending audio, so that nothing else shows it: nothing is sent and counted but the time, it is told once and again, and other
/// checks find the way.
#[test]
fn a_peer_that_answers_no_checks_any_more_is_told_of_until_there_are_others() {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.set_nonblocking(true).expect("it can be");
    let mut now = Instant::now();
    let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
    let mut peer = begin(now, &mut session, socket.try_clone().expect("another"), ["a", "b"]);
    session.connected(now);
    let mut run = |session: &mut Session, peer: &mut Checks, seconds: u64, answers| {
        let (mut audio, mut told) = (0, Vec::new());
        for _ in 0..seconds * 100 {
            now += Duration::from_millis(10);
            session.stream.as_mut().expect("a stream").heard(now);
            session.read(now, false, &mut |_| {});
            session.speak(&[0.1; BLOCK], None, &mut |_| {});
            let mut tell = |report| {
                if let Report::ConsentLost { again } = report {
                    told.push(again);
                }
            };
            session.release(now, &mut tell);
            session.housekeep(now, &mut tell);
            audio += peer.go_on(now, answers);
        }
        (now, audio, told)
    };
    let sent = |session: &Session| session.stats(true).map(|stats| stats.tx.packets);
    let (_, audio, told) = run(&mut session, &mut peer, 5, true);
    assert!(audio == 250 && told.is_empty(), "{audio} {told:?}");
    // RFC 7675 §5.1: within 30 s, then again 30 s later.
    let (_, _, told) = run(&mut session, &mut peer, 30, false);
    assert_eq!(told, [false]);
    let before = sent(&session);
    let (at, audio, told) = run(&mut session, &mut peer, 30, false);
    assert_eq!((audio, sent(&session), told), (0, before, vec![true]));
    let unanswered = |session: &Session| session.stats(true).map_or(0, |stats| stats.here.unanswered_ms);
    let lasted = unanswered(&session);
    assert!((30_000..=60_000).contains(&lasted), "{lasted} ms");
    // Nor does it answer others yet.
    let mut peer = begin(at, &mut session, socket, ["c", "d"]);
    run(&mut session, &mut peer, 5, false);
    assert_eq!(unanswered(&session), lasted + 5_000);
    let (_, audio, told) = run(&mut session, &mut peer, 40, true);
    assert!(audio >= 1_990 && told.is_empty(), "{audio} {told:?}");
    let lasted = unanswered(&session) - lasted;
    assert!(lasted <= 10_000, "{lasted} ms");
}
