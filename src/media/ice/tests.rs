use super::*;
use std::{collections::HashMap, time::Duration};

fn side(name: &str) -> IceCredentials {
    IceCredentials { ufrag: format!("{name}frag"), password: format!("{name}-password-of-many-octets") }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

const fn direct(peer: SocketAddr) -> Way {
    Way { peer, relayed: false }
}

fn host(address: &str) -> String {
    let address: SocketAddr = address.parse().unwrap();
    format!("candidate:1 1 UDP 2130706431 {} {} typ host", address.ip(), address.port())
}

fn reflexive(address: &str, base: &str) -> String {
    let (address, base): (SocketAddr, SocketAddr) = (address.parse().unwrap(), base.parse().unwrap());
    let (ip, port) = (address.ip(), address.port());
    format!("candidate:2 1 UDP 1694498815 {ip} {port} typ srflx raddr {} rport {}", base.ip(), base.port())
}

/// A NAT that lets in only whom somebody inside has sent to, each by the address he was sent to from.
struct Nat {
    outside: SocketAddr,
    sent_to: Vec<SocketAddr>,
}

/// Two sides and the network between them.
struct Bench {
    now: Instant,
    sides: [Ice; 2],
    nats: HashMap<usize, Nat>,
    events: [Vec<IceEvent>; 2],
    /// From now on nothing arrives.
    cut: bool,
}

const A: &str = "10.0.0.1:4000";
const B: &str = "10.1.0.1:5000";

impl Bench {
    /// What each offers, and which of them (0, 1) are behind a NAT.
    fn new(candidates: [Vec<String>; 2], nats: Vec<(usize, &str)>) -> Self {
        let now = Instant::now();
        let [ours, theirs] = candidates;
        let plan = |local, remote, candidates, controlling| IcePlan {
            local: side(local),
            remote: side(remote),
            candidates,
            controlling,
        };
        let sides = [
            Ice::new(now, address(A), plan("a", "b", theirs, true)),
            Ice::new(now, address(B), plan("b", "a", ours, false)),
        ];
        let nat = |(n, outside): (usize, &str)| (n, Nat { outside: address(outside), sent_to: Vec::new() });
        Self { now, sides, nats: nats.into_iter().map(nat).collect(), events: [vec![], vec![]], cut: false }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            for n in [0, 1] {
                self.sides[n].handle_timeout(self.now);
                while let Some((datagram, way)) = self.sides[n].poll_transmit() {
                    self.deliver(n, &datagram, way.peer);
                }
                let events = std::iter::from_fn(|| self.sides[n].poll_event());
                self.events[n].extend(events.filter(|event| !matches!(event, IceEvent::Peer(_))));
            }
            self.now += Duration::from_millis(10);
        }
    }

    fn deliver(&mut self, from: usize, datagram: &[u8], target: SocketAddr) {
        let mut source = [A, B].map(address)[from];
        if let Some(nat) = self.nats.get_mut(&from) {
            nat.sent_to.push(target);
            source = nat.outside;
        }
        let to = 1 - from;
        let reached = match self.nats.get(&to) {
            Some(nat) => target == nat.outside && nat.sent_to.contains(&source),
            // Nobody routes a private address through somebody else's NAT.
            None => target == [A, B].map(address)[to],
        };
        if reached && !self.cut {
            self.sides[to].handle_datagram(self.now, direct(source), datagram);
        }
    }
}

#[test]
fn two_sides_find_each_other_directly_and_through_nats() {
    let (a_seen, b_seen) = ("203.0.113.1:40000", "198.51.100.1:50000");
    for (candidates, nats, ways) in [
        ([vec![host(A)], vec![host(B)]], vec![], [B, A]),
        // One behind a NAT that it knows nothing of: the way is learnt from its checks.
        ([vec![host(A)], vec![host(B)]], vec![(0, a_seen)], [B, a_seen]),
        // Both behind NATs that let nobody in who was not sent to.
        (
            [vec![host(A), reflexive(a_seen, A)], vec![host(B), reflexive(b_seen, B)]],
            vec![(0, a_seen), (1, b_seen)],
            [b_seen, a_seen],
        ),
    ] {
        let mut bench = Bench::new(candidates, nats);
        bench.run(Duration::from_secs(5));
        for (events, way) in bench.events.iter().zip(ways) {
            assert_eq!(events.last(), Some(&IceEvent::Way(direct(address(way)))), "{events:?}");
        }
        // A minute later the way is the same: checks go on, and are answered.
        let before = bench.events.clone();
        bench.run(Duration::from_secs(60));
        assert_eq!(bench.events, before);
    }
}

#[test]
fn a_peer_that_falls_silent_is_no_longer_sent_to() {
    let mut bench = Bench::new([vec![host(A)], vec![host(B)]], vec![]);
    bench.run(Duration::from_secs(5));
    bench.cut = true;
    // RFC 7675 §5.1: consent ends after 30 s.
    bench.run(Duration::from_secs(30));
    assert_eq!(bench.events.each_ref().map(|events| events.last().copied()), [Some(IceEvent::Lost); 2]);
}

/// Whoever has the passwords may check from everywhere: it is still asked whether it agrees.
#[test]
fn a_peer_of_a_thousand_addresses_is_no_longer_sent_to_either() {
    let mut bench = Bench::new([vec![host(A)], vec![host(B)]], vec![]);
    let check = loop {
        bench.now += Duration::from_millis(10);
        bench.sides[1].handle_timeout(bench.now);
        if let Some((check, _)) = bench.sides[1].poll_transmit() {
            break check;
        }
    };
    bench.run(Duration::from_secs(5));
    for n in 0..1_000 {
        let way = direct(SocketAddr::from(([192, 0, 2, 9], 10_000 + n)));
        bench.sides[0].handle_datagram(bench.now, way, &check);
    }
    bench.cut = true;
    bench.run(Duration::from_secs(35));
    assert_eq!(bench.events[0].last(), Some(&IceEvent::Lost));
    assert!(bench.sides[0].agent.remote_candidates().count() <= MOST_PAIRS);
}

#[test]
fn a_peer_that_only_answers_is_chosen_for() {
    let now = Instant::now();
    let plan = IcePlan { local: side("a"), remote: side("b"), candidates: vec![host(B)], controlling: true };
    let (mut ours, mut lite) = (Ice::new(now, address(A), plan), IceAgent::new(credentials(&side("b"))));
    lite.set_ice_lite(true);
    lite.set_remote_credentials(credentials(&side("a")));
    lite.add_local_candidate(Candidate::host(address(B), Protocol::Udp).unwrap());
    let mut events = Vec::new();
    for step in 0..200 {
        let now = now + Duration::from_millis(10 * step);
        ours.handle_timeout(now);
        lite.handle_timeout(now);
        while let Some((datagram, _)) = ours.poll_transmit() {
            let message = StunMessage::parse(&datagram).unwrap();
            let packet = StunPacket { proto: Protocol::Udp, source: address(A), destination: address(B), message };
            lite.handle_packet(now, packet);
        }
        while let Some(transmit) = lite.poll_transmit() {
            ours.handle_datagram(now, direct(address(B)), &transmit.contents);
        }
        events.extend(std::iter::from_fn(|| ours.poll_event()));
    }
    assert_eq!(events, [IceEvent::Way(direct(address(B))), IceEvent::Peer(address(B))]);
}

#[test]
fn who_does_not_know_the_passwords_is_not_heard() {
    let mut bench = Bench::new([vec![host(A)], vec![host(B)]], vec![]);
    let stranger = IcePlan { local: side("b"), remote: side("x"), candidates: vec![host(A)], controlling: false };
    bench.sides[1] = Ice::new(bench.now, address(B), stranger);
    bench.run(Duration::from_secs(10));
    assert!(bench.events.iter().flatten().all(|event| matches!(event, IceEvent::Lost)), "{:?}", bench.events);
}

#[test]
fn a_stun_server_is_asked_three_times_and_then_done_without() {
    let (server, now) = (address("192.0.2.3:3478"), Instant::now());
    let mut question = Reflexive::new(now, server, [7; 12]);
    let mut sent = Vec::new();
    for step in 0..100 {
        question.handle_timeout(now + Duration::from_millis(10 * step));
        sent.extend(std::iter::from_fn(|| question.poll_transmit()).map(|_| 10 * step));
        if question.poll_answer() == Some(None) {
            sent.push(1_000 + 10 * step);
        }
    }
    assert_eq!(sent, [0, 100, 250, 1_500]);
    // RFC 5769 §2.2's address, in the answer to this question.
    let mut answer = [&[0x01, 0x01, 0x00, 0x0c][..], &COOKIE, &[7; 12]].concat();
    answer.extend([0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43]);
    let mut question = Reflexive::new(now, server, [7; 12]);
    assert!(!question.handle_datagram(address("192.0.2.4:3478"), &answer), "from elsewhere");
    assert!(question.handle_datagram(server, &answer));
    assert_eq!(question.poll_answer(), Some(Some(address("192.0.2.1:32853"))));
    assert_eq!((question.poll_answer(), question.poll_timeout()), (None, None));
    // Cut short or of another kind, it is none, and there is no need to wait longer.
    for broken in [&answer[..answer.len() - 1], &answer[..22], &[&[0x01, 0x11], &answer[2..]].concat()] {
        let mut question = Reflexive::new(now, server, [7; 12]);
        assert!(question.handle_datagram(server, broken));
        assert_eq!(question.poll_answer(), Some(None));
    }
}

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
