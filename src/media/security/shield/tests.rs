use super::*;
use crate::media::plan::{CryptoSuite, MasterKey, SrtpKeys};

const A: &str = "192.0.2.1:4000";
const B: &str = "198.51.100.2:5000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn dtls(active: bool, theirs: &DtlsIdentity) -> KeyExchange {
    KeyExchange::Dtls(DtlsPlan { active, fingerprint: theirs.fingerprint() })
}

/// Two shields, the network between them, and what became of their handshakes.
struct Bench {
    now: Instant,
    sides: [Shield; 2],
    identities: [DtlsIdentity; 2],
    outcomes: [Vec<Outcome>; 2],
    datagrams: usize,
}

impl Bench {
    /// `a` begins.
    fn new() -> Self {
        let identities = [(), ()].map(|()| DtlsIdentity::generate().unwrap());
        let mut bench = Self {
            now: Instant::now(),
            sides: identities.each_ref().map(|identity| Shield::new(Some(identity.clone()))),
            identities,
            outcomes: [vec![], vec![]],
            datagrams: 0,
        };
        bench.plan();
        bench
    }

    /// `a`'s audio comes from elsewhere than it says. The call is answered; besides, a stranger's first datagram to `b`.
    fn behind_a_nat() -> (Self, Vec<u8>) {
        let mut bench = Self::new();
        let [a, b] = bench.identities.clone();
        bench.sides[1].set_plan(bench.now, None, address(A));
        bench.sides[1].set_plan(bench.now, Some(&dtls(false, &a)), address("192.0.2.99:4000"));
        bench.answer();
        let mut intruder = Shield::new(Some(DtlsIdentity::generate().unwrap()));
        intruder.set_plan(bench.now, Some(&dtls(true, &b)), address(B));
        let (hello, _) = intruder.poll_transmit().unwrap();
        (bench, hello)
    }

    fn plan(&mut self) {
        let [a, b] = &self.identities;
        self.sides[0].set_plan(self.now, Some(&dtls(true, b)), address(B));
        self.sides[1].set_plan(self.now, Some(&dtls(false, a)), address(A));
    }

    fn answer(&mut self) {
        let now = self.now;
        for side in &mut self.sides {
            side.answered(now);
        }
    }

    fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.now < until {
            for n in [0, 1] {
                self.sides[n].handle_timeout(self.now);
                while let Some((datagram, target)) = self.sides[n].poll_transmit() {
                    self.datagrams += 1;
                    let (source, to) = if n == 0 { (A, B) } else { (B, A) };
                    if target == address(to) {
                        self.sides[1 - n].handle_datagram(self.now, address(source), &datagram);
                    }
                }
                let outcome = self.sides[n].poll_outcome();
                self.outcomes[n].extend(outcome);
            }
            self.now += Duration::from_millis(10);
        }
    }

    /// Whether each hears the other.
    fn talks(&mut self, sequence: u8) -> [bool; 2] {
        let packet = [&[0x80, 0, 0, sequence][..], &[7; 28]].concat();
        [0, 1].map(|n| {
            let (mut sealed, mut opened) = (Vec::new(), Vec::new());
            let Some(sent) = self.sides[n].protect(&packet, &mut sealed).map(<[u8]>::to_vec) else { return false };
            assert_ne!(sent, packet, "nothing goes out in the clear");
            self.sides[1 - n].open(&sent, &mut opened) == Some(&packet[..])
        })
    }
}

#[test]
fn nothing_passes_before_the_handshake_and_all_after_it() {
    let mut bench = Bench::new();
    assert_eq!(bench.talks(1), [false, false]);
    assert_eq!(bench.sides[0].open(&[0x80; 40], &mut Vec::new()), None);
    bench.answer();
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.outcomes, [vec![Ok(address(B))], vec![Ok(address(A))]]);
    assert_eq!(bench.talks(2), [true, true]);
    // A hold, or a peer at another address: no new handshake, and time does no harm.
    let before = bench.datagrams;
    bench.plan();
    bench.run(Duration::from_secs(60));
    assert_eq!((bench.datagrams, bench.talks(3)), (before, [true, true]));
}

#[test]
fn another_certificate_means_another_handshake() {
    let mut bench = Bench::new();
    bench.answer();
    bench.run(Duration::from_millis(100));
    // The peer's place is taken by somebody else, as by a transfer.
    bench.identities[1] = DtlsIdentity::generate().unwrap();
    bench.sides[1] = Shield::new(Some(bench.identities[1].clone()));
    bench.sides[1].answered(bench.now);
    bench.plan();
    assert_eq!(bench.talks(1), [false, false]);
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.outcomes.each_ref().map(Vec::len), [2, 2]);
    assert_eq!(bench.talks(2), [true, true]);
}

#[test]
fn a_wrong_certificate_and_a_peer_that_never_begins_end_in_a_sentence() {
    let mut bench = Bench::new();
    let other = DtlsIdentity::generate().unwrap();
    bench.sides[0].set_plan(bench.now, Some(&dtls(true, &other)), address(B));
    bench.answer();
    bench.run(Duration::from_secs(20));
    for (outcomes, why) in bench.outcomes.iter().zip(["somebody may be listening", ""]) {
        assert!(matches!(&outcomes[..], [Err(text)] if text.contains(why) && text.ends_with('.')), "{outcomes:?}");
    }
    assert_eq!(bench.talks(1), [false, false]);

    let mut lonely = Shield::new(Some(other.clone()));
    lonely.set_plan(bench.now, Some(&dtls(false, &other)), address(A));
    assert_eq!(lonely.poll_timeout(), None, "a call may ring for long");
    lonely.answered(bench.now);
    lonely.handle_timeout(bench.now + PATIENCE);
    assert!(matches!(lonely.poll_outcome(), Some(Err(text)) if text.contains("does not take part")));
    assert_eq!(lonely.poll_outcome(), None);
}

/// Somebody who sees nothing but the port begins before the peer does.
#[test]
fn a_stranger_s_handshake_never_replaces_the_peer_s() {
    let mut bench = Bench::new();
    bench.answer();
    let (stranger, from) = (DtlsIdentity::generate().unwrap(), address("203.0.113.66:6666"));
    let ours = dtls(true, &bench.identities[1]);
    let mut intruder = Shield::new(Some(stranger));
    intruder.set_plan(bench.now, Some(&ours), address(B));
    // As far as it gets: the certificate it shows is the wrong one.
    for _ in 0..10 {
        while let Some((datagram, _)) = intruder.poll_transmit() {
            bench.sides[1].handle_datagram(bench.now, from, &datagram);
        }
        while let Some((datagram, target)) = bench.sides[1].poll_transmit() {
            assert_eq!(target, from);
            intruder.handle_datagram(bench.now, address(B), &datagram);
        }
    }
    assert_eq!(bench.sides[1].poll_outcome(), None);
    bench.run(Duration::from_secs(2));
    assert_eq!(bench.outcomes, [vec![Ok(address(B))], vec![Ok(address(A))]]);
    // Once there are keys, nobody else begins anything.
    let mut late = Shield::new(Some(DtlsIdentity::generate().unwrap()));
    late.set_plan(bench.now, Some(&ours), address(B));
    while let Some((datagram, _)) = late.poll_transmit() {
        bench.sides[1].handle_datagram(bench.now, from, &datagram);
        bench.sides[1].handle_datagram(bench.now, address(A), &datagram);
    }
    assert_eq!(bench.talks(9), [true, true]);
}

/// The peer is behind a NAT, and a stranger who begins first goes on for ever.
#[test]
fn a_stranger_does_not_keep_the_place() {
    let (mut bench, hello) = Bench::behind_a_nat();
    for _ in 0..PATIENCE.as_millis() / 10 {
        bench.sides[1].handle_datagram(bench.now, address("203.0.113.66:6666"), &hello);
        bench.run(Duration::from_millis(10));
    }
    assert_eq!(bench.outcomes, [vec![Ok(address(B))], vec![Ok(address(A))]]);
    assert_eq!(bench.talks(1), [true, true]);
}

/// A stranger begins and spoils what it began, over and over, from many ports.
#[test]
fn a_stranger_who_fails_does_not_shut_the_peer_out() {
    let (mut bench, hello) = Bench::behind_a_nat();
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    for n in 0..PATIENCE.as_millis() as u16 / 10 {
        let from = SocketAddr::from(([203, 0, 113, 66], 6_000 + n));
        bench.sides[1].handle_datagram(bench.now, from, &hello);
        bench.sides[1].handle_datagram(bench.now, from, &alert);
        bench.run(Duration::from_millis(10));
    }
    assert_eq!(bench.outcomes, [vec![Ok(address(B))], vec![Ok(address(A))]]);
    assert_eq!(bench.talks(1), [true, true]);
}

/// Between any two datagrams comes something that is no record, under the peer's own address.
#[test]
fn garbage_between_flights_ends_no_handshake() {
    let [mut clean, mut bench] = [(), ()].map(|()| Bench::new());
    clean.answer();
    clean.run(Duration::from_millis(200));
    bench.answer();
    for octets in [&[22][..], &[22, 0, 0, 0], &[22; 40], &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 7], &[63; 13]] {
        for (side, source) in [(0, B), (1, A)] {
            bench.sides[side].handle_datagram(bench.now, address(source), octets);
        }
        bench.run(Duration::from_millis(10));
    }
    bench.run(Duration::from_millis(100));
    assert_eq!(bench.outcomes, [vec![Ok(address(B))], vec![Ok(address(A))]]);
    assert_eq!(bench.datagrams, clean.datagrams, "none was sent twice");
}

#[test]
fn neither_what_came_before_the_answer_nor_garbage_ends_a_call() {
    let mut bench = Bench::new();
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40];
    for _ in 0..=MOST_TRIES {
        bench.sides[0].handle_datagram(bench.now, address(B), &alert);
    }
    bench.answer();
    bench.sides[0].handle_datagram(bench.now, address(B), &alert);
    for octet in 20..64 {
        bench.sides[0].handle_datagram(bench.now, address(B), &[22, octet, octet, octet]);
        bench.sides[0].handle_datagram(bench.now, address(B), &[octet.max(22); 40]);
    }
    assert_eq!(bench.sides[0].poll_outcome(), None);
    bench.run(Duration::from_secs(5));
    assert_eq!(bench.outcomes, [vec![Ok(address(B))], vec![Ok(address(A))]]);
}

#[test]
fn keys_of_a_description_are_kept_while_the_call_is_in_the_clear() {
    let key = |octet| MasterKey::new(CryptoSuite::AeadAes128Gcm, vec![octet; 28]).unwrap();
    let keys = KeyExchange::Sdes(SrtpKeys { send: key(1), receive: key(2) });
    let (now, mut shield) = (Instant::now(), Shield::default());
    let (packet, mut room) = ([&[0x80, 0, 0, 1][..], &[7; 28]].concat(), Vec::new());
    shield.set_plan(now, Some(&keys), address(B));
    let first = shield.protect(&packet, &mut room).map(<[u8]>::to_vec);
    shield.set_plan(now, None, address(B));
    assert_eq!(shield.protect(&packet, &mut room), Some(&packet[..]));
    shield.set_plan(now, Some(&keys), address(B));
    // The same sequence number again is a later round: no key stream is used twice.
    let earlier = [&[0x80, 0, 0, 0][..], &[7; 28]].concat();
    let again = shield.protect(&earlier, &mut room).map(<[u8]>::to_vec);
    assert!(first.is_some() && again.is_some() && first != again);
}
