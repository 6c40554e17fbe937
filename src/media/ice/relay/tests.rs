use super::*;
use md5::{Digest, Md5};
use proptest::prelude::*;

const RELAYED: &str = "198.51.100.2:49160";
const RELAYED_IPV6: &str = "[2001:db8::2]:49160";
const PEER: &str = "203.0.113.9:5000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn access(password: &str) -> RelayAccess {
    RelayAccess { username: "alice".into(), password: Secret(password.into()) }
}

/// A relay that wants every request of `alice` signed with her password and its newest nonce.
pub struct Server {
    pub password: &'static str,
    has_address: bool,
    nonce: Vec<u8>,
    lifetime: u32,
    /// The password that is wrong, or the network that is not served, has a code.
    forbidden: Option<IpAddr>,
    heard: Vec<u16>,
    /// The address was given back.
    released: bool,
}

impl Default for Server {
    fn default() -> Self {
        let (nonce, heard) = (b"first".to_vec(), Vec::new());
        let password = "secret";
        Self { password, has_address: false, nonce, lifetime: 600, forbidden: None, heard, released: false }
    }
}

impl Server {
    fn key(&self) -> [u8; 16] {
        Md5::digest(format!("alice:peers.test:{}", self.password)).into()
    }

    pub fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let request = Message::parse(request).expect("whole");
        self.heard.push(request.method);
        let refuse = |code: [u8; 4]| {
            Builder::new(Class::Error, request.method, request.transaction).put(attribute::ERROR_CODE, &code)
        };
        let challenge =
            |code| Some(refuse(code).put(attribute::REALM, b"peers.test").put(attribute::NONCE, &self.nonce).finish());
        if request.is_signed_with(&self.key()) != Some(true) {
            return challenge([0, 0, 4, 1]);
        }
        if request.attribute(attribute::NONCE) != Some(&self.nonce) {
            return challenge([0, 0, 4, 38]);
        }
        let peer = request.address(attribute::XOR_PEER_ADDRESS).map(|peer| peer.ip());
        if peer.is_some() && peer == self.forbidden {
            return Some(refuse([0, 0, 4, 3]).sign(&self.key()));
        }
        if matches!(request.method, method::ALLOCATE | method::REFRESH) {
            if self.has_address == (request.method == method::ALLOCATE) {
                return Some(refuse([0, 0, 4, 37]).sign(&self.key()));
            }
            self.released = request.attribute(attribute::LIFETIME) == Some(&[0; 4]);
            self.has_address = !self.released;
        }
        let granted = Builder::new(Class::Success, request.method, request.transaction);
        let relayed = match request.attribute(attribute::REQUESTED_ADDRESS_FAMILY) {
            Some([2, ..]) => RELAYED_IPV6,
            _ => RELAYED,
        };
        let granted = match request.method {
            method::ALLOCATE => granted
                .put_address(attribute::XOR_RELAYED_ADDRESS, address(relayed))
                .put_address(attribute::XOR_MAPPED_ADDRESS, address("192.0.2.1:4000")),
            _ => granted,
        };
        Some(granted.put(attribute::LIFETIME, &self.lifetime.to_be_bytes()).sign(&self.key()))
    }
}

/// Lets time pass, with the relay in between; gives the events.
fn run(relay: &mut Relay, server: &mut Server, now: &mut Instant, time: Duration) -> Vec<RelayEvent> {
    let (until, mut events) = (*now + time, Vec::new());
    loop {
        relay.handle_timeout(*now);
        while let Some(request) = relay.poll_transmit() {
            if let Some(answer) = server.answer(&request) {
                assert_eq!(relay.handle_datagram(*now, &answer), None);
            }
        }
        events.extend(std::iter::from_fn(|| relay.poll_event()));
        match relay.poll_timeout().filter(|at| *at <= until) {
            Some(at) => *now = at,
            None => break,
        }
    }
    *now = until;
    events
}

fn allocated(server: &mut Server, now: &mut Instant, is_reliable: bool) -> Relay {
    let mut relay = Relay::new(*now, access("secret"), is_reliable, false, [7; 32]);
    let events = run(&mut relay, server, now, Duration::ZERO);
    let (relayed, mapped) = (address(RELAYED), Some(address("192.0.2.1:4000")));
    assert_eq!(events, [RelayEvent::Allocated { relayed, mapped }]);
    relay
}

#[test]
fn what_is_sent_through_a_relay_goes_by_indications_and_then_by_a_channel() {
    for is_reliable in [false, true] {
        let (mut server, mut now) = (Server::default(), Instant::now());
        let mut relay = allocated(&mut server, &mut now, is_reliable);
        let (peer, alien) = (address(PEER), address("[2001:db8::1]:5000"));
        assert_eq!(relay.wrap(peer, b"early"), None, "nobody is let in yet");
        relay.permit(now, [peer.ip(), alien.ip(), peer.ip()]);
        assert_eq!(run(&mut relay, &mut server, &mut now, Duration::ZERO), []);
        let wrapped = relay.wrap(peer, b"hello").expect("permitted").to_vec();
        let sent = Message::parse(&wrapped).expect("an indication");
        assert_eq!((sent.class, sent.method), (Class::Indication, method::SEND));
        assert_eq!(sent.address(attribute::XOR_PEER_ADDRESS), Some(peer));
        assert_eq!(sent.attribute(attribute::DATA), Some(&b"hello"[..]));
        assert_eq!(relay.wrap(alien, b"hello"), None, "of another family");
        let data = |peer, data| {
            let indication = Builder::new(Class::Indication, method::DATA, [1; 12]);
            indication.put_address(attribute::XOR_PEER_ADDRESS, peer).put(attribute::DATA, data).finish()
        };
        assert_eq!(relay.handle_datagram(now, &data(peer, b"answer")), Some((peer, &b"answer"[..])));
        assert_eq!(relay.handle_datagram(now, &data(address("203.0.113.66:1"), b"spam")), None);
        relay.bind(now, peer);
        run(&mut relay, &mut server, &mut now, Duration::ZERO);
        let padded: &[u8] = if is_reliable { b"\x40\0\0\x05hello\0\0\0" } else { b"\x40\0\0\x05hello" };
        assert_eq!(relay.wrap(peer, b"hello"), Some(padded));
        assert_eq!(relay.handle_datagram(now, padded), Some((peer, &b"hello"[..])));
        assert_eq!(relay.handle_datagram(now, b"\x40\x01\0\0"), None, "no such channel");
        assert_eq!(frame(padded), Ok(Some(if is_reliable { padded.len() } else { padded.len() + 3 })));
        relay.release(now);
        let release = relay.poll_transmit().expect("it has an address");
        let release = Message::parse(&release).expect("whole");
        assert_eq!((release.method, release.attribute(attribute::LIFETIME)), (method::REFRESH, Some(&[0; 4][..])));
        assert_eq!(release.is_signed_with(&server.key()), Some(true));
    }
}

/// RFC 8656 §7.1, §9.
#[test]
fn a_call_by_ipv6_gets_an_address_of_its_kind() {
    let (mut server, mut now) = (Server::default(), Instant::now());
    let mut relay = Relay::new(now, access("secret"), false, true, [7; 32]);
    let events = run(&mut relay, &mut server, &mut now, Duration::ZERO);
    assert!(matches!(events[..], [RelayEvent::Allocated { relayed, .. }] if relayed == address(RELAYED_IPV6)));
    let (peer, alien) = (address("[2001:db8::9]:5000"), address(PEER));
    relay.permit(now, [peer.ip(), alien.ip()]);
    relay.bind(now, peer);
    assert_eq!(run(&mut relay, &mut server, &mut now, Duration::ZERO), []);
    assert_eq!(relay.wrap(peer, b"hello"), Some(&b"\x40\0\0\x05hello"[..]));
    assert_eq!(relay.wrap(alien, b"hello"), None);
}

#[test]
fn it_is_given_back_whatever_becomes_of_the_nonce_and_of_packets() {
    for (is_reliable, lost) in [(false, 0), (false, 2), (true, 0)] {
        let (mut server, mut now) = (Server::default(), Instant::now());
        let mut relay = allocated(&mut server, &mut now, is_reliable);
        server.nonce = b"another".to_vec();
        let began = now;
        relay.release(now);
        for _ in 0..lost {
            assert!(relay.poll_transmit().is_some() && relay.poll_transmit().is_none());
            now = relay.poll_timeout().expect("it is sent again");
            relay.handle_timeout(now);
        }
        assert_eq!(run(&mut relay, &mut server, &mut now, Duration::ZERO), []);
        assert_eq!((server.released, relay.poll_timeout()), (true, None), "{is_reliable} {lost}");
        assert!(now - began < Duration::from_millis(1_500));
    }
    // Nobody answers: it is left.
    let (mut server, mut now) = (Server::default(), Instant::now());
    let mut relay = allocated(&mut server, &mut now, false);
    let began = now;
    relay.release(now);
    while let Some(at) = relay.poll_timeout() {
        now = at;
        relay.handle_timeout(now);
    }
    assert_eq!((relay.poll_event(), now - began), (None, Duration::from_millis(1_400)));
    // It is granted only after it is of no use any more.
    let mut server = Server::default();
    let mut relay = Relay::new(now, access("secret"), false, false, [7; 32]);
    let first = relay.poll_transmit().expect("a question");
    relay.release(now);
    relay.handle_datagram(now, &server.answer(&first).expect("a challenge"));
    assert_eq!(run(&mut relay, &mut server, &mut now, Duration::ZERO), []);
    assert_eq!((server.released, relay.poll_timeout(), relay.relayed()), (true, None, None));
}

#[test]
fn it_is_kept_for_hours_whatever_becomes_of_the_nonce() {
    let (mut server, mut now) = (Server::default(), Instant::now());
    let mut relay = allocated(&mut server, &mut now, false);
    relay.permit(now, [address(PEER).ip()]);
    relay.bind(now, address(PEER));
    run(&mut relay, &mut server, &mut now, Duration::ZERO);
    for n in 0..60u8 {
        server.nonce = vec![n; 8];
        server.heard.clear();
        assert_eq!(run(&mut relay, &mut server, &mut now, Duration::from_secs(300)), [], "{n}");
        for method in [method::REFRESH, method::CREATE_PERMISSION, method::CHANNEL_BIND] {
            assert!(server.heard.contains(&method), "every permission is younger than five minutes");
        }
        assert!(relay.wrap(address(PEER), b"x").is_some_and(|wrapped| wrapped[0] == 0x40));
    }
    // Not even a short lifetime is missed.
    server.lifetime = 20;
    run(&mut relay, &mut server, &mut now, Duration::from_secs(300));
    server.heard.clear();
    run(&mut relay, &mut server, &mut now, Duration::from_secs(60));
    assert!(server.heard.iter().filter(|method| **method == method::REFRESH).count() >= 5);
}

/// RFC 8656 §7.2, §8.2: what a port left at the relay is given back first, and a relay that has been started anew knows nobody.
#[test]
fn a_relay_that_knows_too_much_or_too_little_is_asked_for_another_address() {
    for is_reliable in [false, true] {
        let (mut server, mut now) = (Server::default(), Instant::now());
        drop(allocated(&mut server, &mut now, is_reliable));
        server.heard.clear();
        let mut relay = allocated(&mut server, &mut now, is_reliable);
        assert_eq!(server.heard, [method::ALLOCATE, method::ALLOCATE, method::REFRESH, method::ALLOCATE]);
        relay.confirm(now);
        assert_eq!(run(&mut relay, &mut server, &mut now, Duration::ZERO), []);
        let mut server = Server { nonce: b"of another start".to_vec(), ..Server::default() };
        relay.confirm(now);
        let events = run(&mut relay, &mut server, &mut now, Duration::ZERO);
        assert!(matches!(&events[..], [RelayEvent::Failed(why)] if why.contains("forgotten us")), "{events:?}");
        allocated(&mut server, &mut now, is_reliable);
    }
}

#[test]
fn a_relay_of_no_use_says_why() {
    let now = Instant::now();
    let refused = |code: [u8; 4]| {
        move |request: &Message<'_>| {
            Builder::new(Class::Error, request.method, request.transaction).put(attribute::ERROR_CODE, &code).finish()
        }
    };
    for (code, said) in
        [([0, 0, 4, 86], "486"), ([0, 0, 5, 8], "no address left"), ([0, 0, 4, 41], "441"), ([0, 0, 5, 0], "500")]
    {
        let mut relay = Relay::new(now, access("secret"), false, false, [1; 32]);
        let request = relay.poll_transmit().expect("a question");
        let answer = refused(code)(&Message::parse(&request).expect("whole"));
        relay.handle_datagram(now, &answer);
        assert!(matches!(relay.poll_event(), Some(RelayEvent::Failed(why)) if why.contains(said)), "{said}");
        assert_eq!((relay.poll_timeout(), relay.poll_event()), (None, None));
    }
    let mut wrong = Relay::new(now, access("guess"), false, false, [1; 32]);
    let events = run(&mut wrong, &mut Server::default(), &mut now.clone(), Duration::ZERO);
    assert!(
        matches!(&events[..], [RelayEvent::Failed(why)] if why.contains("user name or the password")),
        "{events:?}"
    );
    let nobody = RelayAccess { username: String::new(), password: Secret::default() };
    let mut nameless = Relay::new(now, nobody, false, false, [1; 32]);
    let events = run(&mut nameless, &mut Server::default(), &mut now.clone(), Duration::ZERO);
    assert!(matches!(&events[..], [RelayEvent::Failed(why)] if why.contains("wants a user name")), "{events:?}");
    // Whoever does not know the password grants nothing.
    let (mut server, mut later) = (Server::default(), now);
    let mut relay = Relay::new(now, access("secret"), false, false, [1; 32]);
    let first = relay.poll_transmit().expect("a question");
    relay.handle_datagram(now, &server.answer(&first).expect("a challenge"));
    let second = relay.poll_transmit().expect("signed");
    let transaction = Message::parse(&second).expect("whole").transaction;
    for key in [None, Some(b"another")] {
        let forged = Builder::new(Class::Success, method::ALLOCATE, transaction);
        let forged = forged.put_address(attribute::XOR_RELAYED_ADDRESS, address("192.0.2.66:1"));
        relay.handle_datagram(
            now,
            &key.map_or_else(
                || Builder::finish(Builder::new(Class::Success, method::ALLOCATE, transaction)),
                |key| forged.sign(key),
            ),
        );
        assert_eq!((relay.relayed(), relay.poll_event()), (None, None));
    }
    relay.handle_datagram(now, &server.answer(&second).expect("granted"));
    assert_eq!(relay.relayed(), Some(address(RELAYED)));
    // A network that it does not serve is left out, and nothing else.
    server.forbidden = Some(address(PEER).ip());
    relay.permit(now, [address(PEER).ip(), "203.0.113.10".parse().unwrap()]);
    run(&mut relay, &mut server, &mut later, Duration::ZERO);
    assert_eq!(relay.wrap(address(PEER), b"x"), None);
    assert!(relay.wrap(address("203.0.113.10:1"), b"x").is_some());
}

#[test]
fn silence_is_waited_for_and_then_told_once() {
    let mut now = Instant::now();
    let began = now;
    for (is_reliable, times) in [(false, 7), (true, 1)] {
        let mut relay = Relay::new(now, access("secret"), is_reliable, false, [1; 32]);
        let (mut sent, mut events) = (0, Vec::new());
        while let Some(at) = relay.poll_timeout() {
            sent += std::iter::from_fn(|| relay.poll_transmit()).count();
            now = at;
            relay.handle_timeout(now);
            events.extend(std::iter::from_fn(|| relay.poll_event()));
        }
        assert_eq!((sent, events), (times, vec![RelayEvent::Failed("it does not answer".into())]));
    }
    assert!(now - began < Duration::from_secs(60));
}

mod properties {
    use super::*;
    use crate::properties::{config, datagrams, spoilt};

    proptest! {
        #![proptest_config(config(300, 8656))]

        /// Octets, what other relays have said, also as if to our own requests, and answers to those with a byte changed: nothing
        /// panics, nothing grows.
        #[test]
        fn any_bytes_from_a_relay_leave_it_sane(
            junk in prop::collection::vec(
                (
                    prop_oneof![spoilt(datagrams("turn-")), prop::collection::vec(any::<u8>(), 0..60)],
                    any::<usize>(),
                    any::<u8>(),
                    0..2_000u64,
                ),
                1..60,
            ),
        ) {
            let (mut server, mut now) = (Server::default(), Instant::now());
            let mut relay = Relay::new(now, access("secret"), false, false, [3; 32]);
            // What is asked for at once, anew or again, each with as many nonces as are taken.
            let at_once = 2 * (2 + MOST_PERMISSIONS + usize::from(MOST_CHANNELS)) * (1 + usize::from(request::MOST_STALE));
            let mut sent = 0;
            for (octets, at, octet, after) in &junk {
                now += Duration::from_millis(*after);
                relay.handle_datagram(now, octets);
                relay.handle_timeout(now);
                while let Some(request) = relay.poll_transmit() {
                    sent += 1;
                    let mut said = octets.clone();
                    if let Some(transaction) = said.get_mut(8..20) {
                        transaction.copy_from_slice(&request[8..20]);
                        relay.handle_datagram(now, &said);
                    }
                    let mut answer = server.answer(&request).expect("an answer");
                    let at = at % answer.len();
                    answer[at] = *octet;
                    relay.handle_datagram(now, &answer);
                    prop_assert!(sent <= at_once * (junk.len() + 1), "{sent} requests");
                }
                relay.permit(now, (0..=255u8).map(|n| IpAddr::from([10, 0, *octet, n])));
                relay.bind(now, SocketAddr::from(([10, 0, 0, *octet], 5_000)));
                prop_assert!(relay.permissions.len() <= MOST_PERMISSIONS && relay.channels.len() <= MOST_CHANNELS.into());
                prop_assert!(relay.requests.len() <= 2 + MOST_PERMISSIONS + usize::from(MOST_CHANNELS));
                prop_assert!(relay.poll_timeout().is_none_or(|at| at > now));
                while relay.poll_event().is_some() {}
                let _ = (relay.wrap(SocketAddr::from(([10, 0, 0, *octet], 5_000)), octets), frame(octets));
            }
        }
    }
}
