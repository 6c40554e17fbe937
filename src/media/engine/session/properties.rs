//! Whatever comes to a session's sockets, it stays sane: the peer is still heard, nobody else is, nothing grows or panics.

use super::{Report, stream::Stream};
use crate::{
    media::{
        ice::Way,
        plan::{
            Codec, CryptoSuite, Direction, DtlsPlan, IceCredentials, IcePlan, KeyExchange, MasterKey, MediaPlan,
            OpusParams, SrtpKeys, TelephoneEvent,
        },
        security::DtlsIdentity,
    },
    properties::config,
};
use proptest::{
    prelude::*,
    sample::{Index, select},
};
use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Datagrams as peers and strangers send them.
static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/media/datagrams.txt");
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let octets =
        |hex: &str| (0..hex.len()).step_by(2).map(|n| u8::from_str_radix(&hex[n..n + 2], 16).unwrap()).collect();
    lines.map(|line| octets(line.split_once(' ').unwrap().1)).collect()
});

static IDENTITY: LazyLock<DtlsIdentity> = LazyLock::new(|| DtlsIdentity::generate().unwrap());

#[derive(Clone, Debug)]
struct Datagram {
    octets: Vec<u8>,
    from_peer: bool,
    control: bool,
    after_ms: u64,
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let change = (any::<Index>(), any::<u8>(), 0..5u8);
    let mutated = (any::<Index>(), prop::collection::vec(change, 0..5)).prop_map(|(which, changes)| {
        let mut octets = which.get(&CORPUS).clone();
        for (at, octet, kind) in changes {
            let at = at.index(octets.len() + 1);
            match kind {
                0 => octets.truncate(at),
                1 => octets.insert(at, octet),
                // Fields of length are where harm is done.
                2 if at < octets.len() => octets[at] = 0xff,
                _ if at < octets.len() => octets[at] = octet,
                _ => octets.extend(vec![octet; 1_200]),
            }
        }
        octets
    });
    let any_octets = prop::collection::vec(any::<u8>(), 0..80);
    let octets = prop_oneof![9 => mutated, 1 => any_octets];
    (octets, any::<bool>(), any::<bool>(), 0..200u64).prop_map(|(octets, from_peer, control, after_ms)| Datagram {
        octets,
        from_peer,
        control,
        after_ms,
    })
}

fn peer() -> SocketAddr {
    "192.0.2.9:5000".parse().unwrap()
}

fn stranger() -> SocketAddr {
    "203.0.113.66:6666".parse().unwrap()
}

/// In the clear, with keys, and with a handshake on either end of it.
fn protections() -> Vec<Option<KeyExchange>> {
    let key = |octet| MasterKey::new(CryptoSuite::AesCm128HmacSha1_80, vec![octet; 30]).unwrap();
    let dtls = |active| KeyExchange::Dtls(DtlsPlan { active, fingerprint: IDENTITY.fingerprint() });
    let sdes = KeyExchange::Sdes(SrtpKeys { send: key(1), receive: key(2) });
    vec![None, Some(sdes), Some(dtls(true)), Some(dtls(false))]
}

fn side(name: &str) -> IceCredentials {
    IceCredentials { ufrag: name.to_owned(), password: name.repeat(5) }
}

fn plan(srtp: Option<KeyExchange>) -> MediaPlan {
    MediaPlan {
        remote_rtp: peer(),
        remote_rtcp: peer(),
        rtcp_mux: true,
        direction: Direction::SendRecv,
        send: (0, Codec::Pcmu),
        receive: vec![(0, Codec::Pcmu), (96, Codec::Opus)],
        telephone_event: Some(TelephoneEvent { send_payload_type: 101, receive_payload_type: 101, clock_rate: 8_000 }),
        opus: OpusParams::default(),
        srtp,
        ice: Some(Box::new(IcePlan {
            local: side("ours"),
            remote: side("theirs"),
            candidates: Vec::new(),
            controlling: false,
        })),
        ptime_ms: 20,
        extended_reports: Default::default(),
        comfort_noise: None,
    }
}

proptest! {
    #![proptest_config(config(150, 7983))]

    #[test]
    fn any_datagrams_leave_a_session_sane(
        datagrams in prop::collection::vec(datagram(), 1..60),
        srtp in select(protections()),
    ) {
        let start = Instant::now();
        let (mut now, mut block, mut sent) = (start, [0.0; 480], 0);
        let mut stream = Stream::new(now, plan(srtp.clone()), None, (Some(IDENTITY.clone()), "192.0.2.1:4000".parse().unwrap()));
        stream.shield.answered(now);
        let mut failures = 0;
        for datagram in &datagrams {
            now += Duration::from_millis(datagram.after_ms);
            let source = if datagram.from_peer { peer() } else { stranger() };
            stream.incoming(now, Way { peer: source, relayed: false }, &datagram.octets, datagram.control, &mut |report| {
                // Only what was authentic, or needs not be, is heard.
                assert!(srtp.is_none() || !matches!(report, Report::Key(_)));
            });
            let outcome = stream.go_on(now, |_, _| sent += 1, &mut |_| {});
            failures += usize::from(outcome.is_some());
            stream.receiver.play(now, &mut block);
            prop_assert!(block.iter().all(|sample| sample.is_finite()));
        }
        prop_assert!(srtp.is_none() || stream.receiver.stats().packets == 0, "nothing was authentic");
        prop_assert!(failures <= 1);
        // A stranger makes us send no more than he sends, but for the flights of a handshake.
        prop_assert!(sent <= 16 * (datagrams.len() + 40), "{sent} datagrams for {}", datagrams.len());
    }
}
