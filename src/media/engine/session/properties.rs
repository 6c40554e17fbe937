//! Whatever comes to a session's sockets, it stays sane: the peer is still heard, nobody else is, nothing grows or panics.

use super::{Report, stream::Stream};
use crate::{
    media::{
        ice::Way,
        plan::{
            Codec, ComfortNoise, CryptoSuite, Direction, DtlsPlan, IceCredentials, IcePlan, KeyExchange, MasterKey,
            MediaPlan, OpusParams, Redundancy, SrtpKeys, TelephoneEvent,
        },
        rtcp,
        rtp::Packet,
        security::DtlsIdentity,
        stats::{CallStats, VoipMetrics},
    },
    properties::{config, datagrams, spoilt},
};
use proptest::{prelude::*, sample::select};
use std::{
    net::SocketAddr,
    sync::LazyLock,
    time::{Duration, Instant},
};

static IDENTITY: LazyLock<DtlsIdentity> = LazyLock::new(|| DtlsIdentity::generate().unwrap());

#[derive(Clone, Debug)]
struct Datagram {
    octets: Vec<u8>,
    from_peer: bool,
    control: bool,
    after_ms: u64,
}

fn datagram() -> impl Strategy<Value = Datagram> {
    let any_octets = prop::collection::vec(any::<u8>(), 0..80);
    let octets = prop_oneof![9 => spoilt(datagrams("")), 1 => any_octets];
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
        on_hold: false,
        send: (0, Codec::Pcmu),
        receive: vec![(0, Codec::Pcmu), (96, Codec::Opus)],
        telephone_event: Some(TelephoneEvent { send_payload_type: 101, receive_payload_type: 101, clock_rate: 8_000 }),
        opus: OpusParams {
            redundancy: Some(Redundancy { send_payload_type: 98, receive_payload_type: 98 }),
            ..OpusParams::default()
        },
        srtp,
        ice: Some(Box::new(IcePlan {
            local: side("ours"),
            remote: side("theirs"),
            candidates: Vec::new(),
            controlling: false,
        })),
        ptime_ms: 20,
        extended_reports: Default::default(),
        comfort_noise: Some(ComfortNoise { send_payload_type: 13, receive_payload_type: 13, sends: true }),
    }
}

/// Each figure stays within its meaning.
fn judge(stats: &CallStats) {
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    let is_score = |score: Option<f64>| score.is_none_or(|score| (1.0..=5.0).contains(&score));
    assert!(stats.rtt_ms.is_none_or(|ms| (0.0..=30_000.0).contains(&ms)), "{stats:?}");
    assert!(is_score(stats.mos) && stats.remote_loss.is_none_or(is_share), "{stats:?}");
    assert!(is_share(stats.rx.concealed_share) && (0.0..=60_000.0).contains(&stats.rx.jitter_ms), "{stats:?}");
    // The devices of these tests nearly stand still.
    assert!((0.0..=60_000.0).contains(&stats.rx.buffer_ms), "{stats:?}");
    for metrics in [&stats.metrics, &stats.remote].into_iter().flatten() {
        let VoipMetrics { loss, discarded, bursts, rating, mos_listening, mos, .. } = **metrics;
        assert!([loss, discarded, bursts.burst_density, bursts.gap_density].into_iter().all(is_share), "{metrics:?}");
        assert!(is_score(mos_listening) && is_score(mos) && rating.is_none_or(|rating| rating <= 100), "{metrics:?}");
    }
    if let Some((inwards, outwards)) = stats.delays_ms() {
        assert!([inwards, outwards].iter().all(|ms| (0.0..=60_000.0).contains(ms)), "{inwards} {outwards}");
    }
}

/// A word of a report: likely, unlikely, or anything.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![select(vec![0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX]), 0u32..65_536, any::<u32>()]
}

/// Well-formed control packets that mean nothing good.
#[derive(Clone, Debug)]
struct Lie {
    sender_ntp: Option<(u32, u32)>,
    /// What follows the source in each block; and so long ago, in 1/65536 s, the last report of ours is said to have come.
    blocks: Vec<([u32; 5], Option<u32>)>,
    reference: Option<(u32, u32)>,
    delays: Vec<([u32; 2], Option<u32>)>,
    metrics: Vec<u8>,
    after_ms: u64,
}

fn lie() -> impl Strategy<Value = Lie> {
    let ago = || prop::option::of(0u32..40 * 65_536);
    let words = || prop::array::uniform5(word());
    let metrics = prop_oneof![Just(vec![0xff; 28]), prop::collection::vec(any::<u8>(), 28)];
    let times = || prop::option::of((word(), word()));
    (
        (times(), prop::collection::vec((words(), ago()), 0..32)),
        (times(), prop::collection::vec((prop::array::uniform2(word()), ago()), 0..70), metrics),
        0..9_000u64,
    )
        .prop_map(|((sender_ntp, blocks), (reference, delays, metrics), after_ms)| Lie {
            sender_ntp,
            blocks,
            reference,
            delays,
            metrics,
            after_ms,
        })
}

impl Lie {
    /// About `ours`, at our time `ntp` (RFC 3550 §6.4, RFC 3611 §4).
    fn octets(&self, ours: u32, ntp: u64) -> Vec<u8> {
        let ago = |ago: Option<u32>, or: u32| ago.map_or(or, |ago| ((ntp >> 16) as u32).wrapping_sub(ago));
        let mut words = vec![0, 0xcafe_babe];
        words.extend(self.sender_ntp.iter().flat_map(|(high, low)| [*high, *low, 0, 7, 7]));
        for &([loss, highest, jitter, last, delay], since) in &self.blocks {
            words.extend([ours, loss, highest, jitter, ago(since, last), delay]);
        }
        let kind = if self.sender_ntp.is_some() { 200 } else { 201 };
        words[0] = (0x80 | self.blocks.len() as u32) << 24 | kind << 16 | (words.len() as u32 - 1);
        let extended = words.len();
        words.extend([0, 0xcafe_babe]);
        words.extend(self.reference.iter().flat_map(|(high, low)| [4 << 24 | 2, *high, *low]));
        words.push((5 << 24) | (3 * self.delays.len() as u32));
        words.extend(self.delays.iter().flat_map(|&([last, delay], since)| [ours, ago(since, last), delay]));
        words.extend([7 << 24 | 8, ours]);
        let mut octets: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        octets.extend(&self.metrics);
        let length = (octets.len() / 4 - extended - 1) as u32;
        octets[4 * extended..4 * extended + 4].copy_from_slice(&(0x80cf_0000 | length).to_be_bytes());
        octets
    }
}

proptest! {
    #![proptest_config(config(100, 3611))]

    #[test]
    fn reports_that_lie_change_no_figure_beyond_its_meaning(lies in prop::collection::vec(lie(), 1..20)) {
        let (mut now, mut block) = (Instant::now(), [0.0; 480]);
        let unchecked = MediaPlan { ice: None, ..plan(None) };
        let mut stream = Stream::new(now, unchecked, None, (None, "192.0.2.1:4000".parse().unwrap()));
        let way = Way { peer: peer(), relayed: false };
        for (n, lie) in (1..).zip(&lies) {
            now += Duration::from_millis(lie.after_ms);
            let (sequence, timestamp) = (n as u16, 160 * n as u32);
            let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 0xcafe_babe, payload: &[0x55; 160] };
            let mut datagram = [0; 172];
            packet.write(&mut datagram).unwrap();
            stream.incoming(now, way, &datagram, false, &mut |_| {});
            let octets = lie.octets(stream.sender.ssrc(), stream.ntp(now));
            prop_assert!(rtcp::parse(&octets).is_some(), "well formed");
            stream.incoming(now, way, &octets, true, &mut |_| {});
            stream.say(&[0.1; 960], |_, _| true);
            stream.receiver.play(now, &mut block);
            for whole_call in [false, true] {
                judge(&stream.stats(whole_call));
            }
            // What we count ourselves is ours.
            let rx = stream.receiver.stats();
            prop_assert_eq!((rx.packets, rx.lost), (n, 0));
            let report = stream.report(now, true).unwrap();
            let read = rtcp::parse(&report).unwrap();
            prop_assert!(report.len() < 256 && read.blocks.len() == 1 && read.extended.delays.len() <= 1);
        }
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
            judge(&stream.stats(false));
        }
        prop_assert!(srtp.is_none() || stream.receiver.stats().packets == 0, "nothing was authentic");
        prop_assert!(failures <= 1);
        // A stranger makes us send no more than he sends, but for the flights of a handshake.
        prop_assert!(sent <= 16 * (datagrams.len() + 40), "{sent} datagrams for {}", datagrams.len());
    }
}
