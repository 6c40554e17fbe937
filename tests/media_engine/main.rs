//! Two media engines talk over loopback with file cards: what one is given to say is heard at the other. They run in real
//! time beside other tests, so delays are judged leniently here; the receiver's own tests judge them strictly.

#![allow(clippy::disallowed_methods, reason = "a test takes its instants from the clock and ends before a queue grows")]

#[path = "../common/allocations.rs"]
mod allocations;
mod callbacks;
mod forbidden;
#[path = "../../src/properties.rs"]
#[allow(dead_code, reason = "others have use for the rest")]
mod properties;

use agent_manager::media::{
    dsp::steady_tone_share,
    engine::{AudioChoice, DtmfVia, EngineCommand, EngineEvent, Impairment, MediaEngine},
    plan::{Codec, CryptoSuite, Direction, KeyExchange, MasterKey, MediaPlan, OpusParams, SrtpKeys, TelephoneEvent},
    record::Recorder,
    stats::CallStats,
};
use properties::times;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::mpsc,
    time::{Duration, Instant},
};

const CALL: u32 = 1;

struct Party {
    engine: MediaEngine,
    events: mpsc::Receiver<EngineEvent>,
    address: SocketAddr,
    recording: PathBuf,
}

impl Party {
    fn new(dir: &Path, name: &str, hz: f64) -> Self {
        let input = dir.join(format!("{name}-in.wav"));
        let recording = dir.join(format!("{name}-out.wav"));
        write_tone(&input, hz);
        let (send, events) = mpsc::channel();
        let audio = AudioChoice::File { input, output: recording.clone() };
        let engine = MediaEngine::start(audio, move |event| drop(send.send(event))).unwrap();
        let address = engine.open(CALL, [127, 0, 0, 1].into()).unwrap();
        Self { engine, events, address, recording }
    }

    fn connect(&self, plan: MediaPlan) {
        self.engine.send(EngineCommand::Plan { session: CALL, plan });
        self.engine.send(EngineCommand::Connected { session: CALL });
    }

    /// Waits until an event fits; the others are dropped.
    fn wait<T>(&self, mut fits: impl FnMut(EngineEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).expect("the event comes within 20 seconds");
            if let Some(found) = fits(event) {
                return found;
            }
        }
    }

    /// Waits for figures after at least `seconds` of packets.
    fn stats_after(&self, seconds: u64) -> CallStats {
        self.wait(|event| match event {
            EngineEvent::Stats { stats, .. } if stats.tx.packets >= seconds * 50 => Some(stats),
            _ => None,
        })
    }

    /// Hangs up. Returns the last figures and the recording.
    fn finish(self) -> (CallStats, Vec<f32>) {
        self.engine.send(EngineCommand::Close { session: CALL });
        let stats = self.wait(|event| match event {
            EngineEvent::Stats { stats, last: true, .. } => Some(stats),
            _ => None,
        });
        self.engine.shutdown();
        let mut reader = hound::WavReader::open(&self.recording).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels, reader.spec().bits_per_sample), (48_000, 1, 16));
        (stats, reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect())
    }
}

fn write_tone(path: &Path, hz: f64) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..16_000 {
        let sample = (2.0 * std::f64::consts::PI * hz * f64::from(n) / 16_000.0).sin();
        writer.write_sample((sample * 12_000.0) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

fn plan(codec: Codec, remote: SocketAddr) -> MediaPlan {
    let payload_type = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus => 96,
    };
    let clock_rate = codec.clock_rate();
    MediaPlan {
        remote_rtp: remote,
        remote_rtcp: SocketAddr::new(remote.ip(), remote.port() + 1),
        rtcp_mux: false,
        direction: Direction::SendRecv,
        on_hold: false,
        send: (payload_type, codec),
        receive: vec![(payload_type, codec)],
        telephone_event: Some(TelephoneEvent { send_payload_type: 101, receive_payload_type: 101, clock_rate }),
        opus: OpusParams::default(),
        srtp: None,
        ice: None,
        ptime_ms: 20,
        extended_reports: Default::default(),
        comfort_noise: None,
    }
}

/// The two of them, connected.
fn call(dir: &Path, codec: Codec, impairment: Option<Impairment>) -> (Party, Party) {
    let (a, b) = (Party::new(dir, "a", 440.0), Party::new(dir, "b", 1_000.0));
    b.engine.send(EngineCommand::Impair(impairment));
    let (to_a, to_b) = (plan(codec, a.address), plan(codec, b.address));
    b.connect(to_a);
    a.connect(to_b);
    (a, b)
}

#[test]
fn each_hears_the_other_s_tone_in_every_codec() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus] {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = call(dir.path(), codec, None);
        b.stats_after(3);
        let now = a.engine.stats(CALL).unwrap();
        assert!(now.rx.packets > 100 && now.rx.buffer_ms < 150.0, "{codec:?}: {now:?}");
        for (party, hz) in [(a, 440.0), (b, 1_000.0)] {
            let (stats, heard) = party.finish();
            let hz = if hz == 440.0 { 1_000.0 } else { 440.0 };
            // Over two seconds, because a stall of the machine while the buffer still learns spoils a tenth or two.
            let share = steady_tone_share(&heard[24_000..heard.len() - 9_600], hz, 48_000);
            assert!(share > 0.8, "{codec:?} {hz}: {share}, {stats:?}");
            assert!(stats.rx.lost == 0 && stats.rx.concealed_ms < 500, "{codec:?}: {stats:?}");
            // A stall weighs more on the scale of G.722, which begins lower.
            let least = if codec == Codec::G722 { 3.5 } else { 4.0 };
            assert!(stats.mos.unwrap() > least, "{codec:?}: {stats:?}");
        }
    }
}

#[test]
fn whoever_is_on_hold_hears_the_music_and_nothing_of_us() {
    let dir = tempfile::tempdir().unwrap();
    let music = dir.path().join("music.wav");
    write_tone(&music, 600.0);
    let (a, b) = (Party::new(dir.path(), "a", 440.0), Party::new(dir.path(), "b", 1_000.0));
    a.engine.send(EngineCommand::Music(Some(dir.path().join("none.wav"))));
    let notice = a.wait(|event| if let EngineEvent::Notice(notice) = event { Some(notice.text) } else { None });
    assert!(notice.contains("none.wav") && notice.contains("choose a WAV file"), "{notice}");
    a.engine.send(EngineCommand::Music(Some(music)));
    b.connect(plan(Codec::G722, a.address));
    a.connect(MediaPlan { direction: Direction::SendOnly, on_hold: true, ..plan(Codec::G722, b.address) });
    b.stats_after(3);
    a.finish();
    let (stats, heard) = b.finish();
    let heard = &heard[48_000..heard.len() - 9_600];
    let (music, us) = (steady_tone_share(heard, 600.0, 48_000), steady_tone_share(heard, 440.0, 48_000));
    assert!(music > 0.8 && us < 0.01, "{music} {us}: {stats:?}");
}

#[test]
fn digits_arrive_once_each_both_ways() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let dir = tempfile::tempdir().unwrap();
        let impairment = Impairment { loss_percent: 20.0, burst: None, delay_ms: 10, jitter_ms: 30, seed: 11 };
        let (a, b) = call(dir.path(), codec, Some(impairment));
        let press = |digits: &str| EngineCommand::Dtmf { session: CALL, digits: digits.into(), via: DtmfVia::Rfc4733 };
        a.engine.send(press("1123#"));
        b.engine.send(press("*9"));
        for (party, digits) in [(&b, "1123#"), (&a, "*9")] {
            let (mut heard, mut sent) = (String::new(), false);
            party.wait(|event| {
                match event {
                    EngineEvent::Dtmf { digit, .. } => heard.push(digit),
                    EngineEvent::DtmfSent { session: CALL } => sent = true,
                    _ => {}
                }
                (sent && heard.len() >= digits.len()).then_some(())
            });
            assert_eq!(heard, digits, "{codec:?}");
        }
        b.finish();
        a.finish();
    }
}

#[test]
fn a_bad_network_shows_in_the_figures() {
    let dir = tempfile::tempdir().unwrap();
    let impairment = Impairment { loss_percent: 5.0, burst: None, delay_ms: 30, jitter_ms: 20, seed: 7 };
    let (a, b) = call(dir.path(), Codec::Pcmu, Some(impairment));
    b.stats_after(6);
    let (clean, _) = a.finish();
    let (bad, heard) = b.finish();
    let loss = bad.rx.lost as f64 / (bad.rx.packets + bad.rx.lost) as f64;
    assert!((0.02..0.09).contains(&loss), "{bad:?}");
    assert!((2.0..40.0).contains(&bad.rx.jitter_ms), "{bad:?}");
    assert!((10.0..200.0).contains(&bad.rx.buffer_ms), "{bad:?}");
    assert!(bad.rx.concealed_ms >= bad.rx.lost * 10 && bad.rx.concealed_ms < bad.rx.lost * 60 + 800, "{bad:?}");
    assert!(bad.mos.unwrap() < clean.mos.unwrap() - 0.1, "{bad:?} {clean:?}");
    assert!(steady_tone_share(&heard[48_000..96_000], 440.0, 48_000) > 0.8);
}

#[test]
fn hold_and_mute_send_silence() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = call(dir.path(), Codec::Pcmu, None);
    a.engine.send(EngineCommand::Mute { session: CALL, on: true });
    b.stats_after(2);
    a.engine.send(EngineCommand::Mute { session: CALL, on: false });
    let held = MediaPlan { direction: Direction::SendOnly, on_hold: true, ..plan(Codec::Pcmu, b.address) };
    a.engine.send(EngineCommand::Plan { session: CALL, plan: held });
    b.stats_after(4);
    let (stats, heard) = b.finish();
    let (_, at_a) = a.finish();
    assert!(stats.rx.packets > 190, "{stats:?}");
    // The first instants, before the mute arrived, aside.
    assert!(heard[24_000..].iter().all(|sample| sample.abs() < 0.01));
    assert!(at_a[at_a.len() - 24_000..].iter().all(|sample| sample.abs() < 0.01));
}

#[test]
fn two_calls_are_mixed_and_a_held_one_is_silent() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (a, b, c) = (Party::new(path, "a", 440.0), Party::new(path, "b", 1_000.0), Party::new(path, "c", 700.0));
    let second = a.engine.open(2, [127, 0, 0, 1].into()).unwrap();
    b.connect(plan(Codec::Pcmu, a.address));
    c.connect(plan(Codec::Opus, second));
    a.connect(plan(Codec::Pcmu, b.address));
    a.engine.send(EngineCommand::Plan { session: 2, plan: plan(Codec::Opus, c.address) });
    b.stats_after(2);
    let held = MediaPlan { direction: Direction::SendOnly, on_hold: true, ..plan(Codec::Pcmu, b.address) };
    a.engine.send(EngineCommand::Plan { session: CALL, plan: held });
    b.stats_after(4);
    let (stats, heard) = a.finish();
    assert_eq!(stats.rx.lost, 0, "a hold is no loss: {stats:?}");
    let (both, one) = (&heard[36_000..72_000], &heard[heard.len() - 48_000..]);
    for (hz, range) in [(1_000.0, 0.2..0.8), (700.0, 0.2..0.8)] {
        assert!(range.contains(&steady_tone_share(both, hz, 48_000)), "{hz}");
    }
    assert!(steady_tone_share(one, 700.0, 48_000) > 0.85);
    // The held party hears silence, the other one goes on hearing us.
    let ((_, at_b), (_, at_c)) = (b.finish(), c.finish());
    assert!(at_b[at_b.len() - 36_000..].iter().all(|sample| sample.abs() < 0.01));
    assert!(steady_tone_share(&at_c[at_c.len() - 48_000..], 440.0, 48_000) > 0.85);
}

#[test]
fn in_a_conference_everybody_hears_the_others_and_it_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    let (a, b, c) = (Party::new(path, "a", 440.0), Party::new(path, "b", 1_000.0), Party::new(path, "c", 700.0));
    let second = a.engine.open(2, [127, 0, 0, 1].into()).unwrap();
    b.connect(plan(Codec::Opus, a.address));
    c.connect(plan(Codec::G722, second));
    a.connect(plan(Codec::Opus, b.address));
    a.engine.send(EngineCommand::Plan { session: 2, plan: plan(Codec::G722, c.address) });
    a.engine.send(EngineCommand::Conference { sessions: vec![CALL, 2] });
    let recording = path.join("call.wav");
    let recorder = Some(Recorder::create(&recording, false).unwrap());
    a.engine.send(EngineCommand::Record { session: CALL, recorder });
    b.stats_after(3);
    a.finish();
    let shares = |samples: &[f32]| [440.0, 1_000.0, 700.0].map(|hz| steady_tone_share(samples, hz, 48_000));
    for (party, expected) in [(b, [true, false, true]), (c, [true, true, false])] {
        let (_, heard) = party.finish();
        let shares = shares(&heard[36_000..96_000]);
        assert_eq!(shares.map(|share| share > 0.2), expected, "{shares:?}");
    }
    let samples: Vec<f32> =
        hound::WavReader::open(&recording).unwrap().samples::<i16>().map(|s| f32::from(s.unwrap())).collect();
    for (side, expected) in [[true, false, true], [false, true, false]].into_iter().enumerate() {
        let side: Vec<f32> = samples.iter().skip(side).step_by(2).copied().collect();
        let shares = shares(&side[36_000..96_000]);
        assert_eq!(shares.map(|share| share > 0.2), expected, "{shares:?}");
    }
}

#[test]
fn encrypted_audio_is_heard_through_a_new_key_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (Party::new(dir.path(), "a", 440.0), Party::new(dir.path(), "b", 1_000.0));
    let key = |suite: CryptoSuite, first: u8| {
        MasterKey::new(suite, (first..).take(suite.key_length() + suite.salt_length()).collect()).unwrap()
    };
    let secret = |address: SocketAddr, send: &MasterKey, receive: &MasterKey| MediaPlan {
        srtp: Some(KeyExchange::Sdes(SrtpKeys { send: send.clone(), receive: receive.clone() })),
        ..plan(Codec::Pcmu, address)
    };
    let (ours, theirs) = (key(CryptoSuite::AesCm128HmacSha1_80, 1), key(CryptoSuite::AesCm128HmacSha1_80, 50));
    // The other side has no keys yet: what it sends is not heard.
    a.connect(secret(b.address, &ours, &theirs));
    b.connect(plan(Codec::Pcmu, a.address));
    b.stats_after(1);
    assert_eq!(a.engine.stats(CALL).unwrap().rx.packets, 0);
    b.engine.send(EngineCommand::Plan { session: CALL, plan: secret(a.address, &theirs, &ours) });
    b.stats_after(2);
    let renewed = key(CryptoSuite::AeadAes256Gcm, 100);
    a.engine.send(EngineCommand::Plan { session: CALL, plan: secret(b.address, &renewed, &theirs) });
    b.engine.send(EngineCommand::Plan { session: CALL, plan: secret(a.address, &theirs, &renewed) });
    b.stats_after(4);
    let ((_, at_a), (stats, at_b)) = (a.finish(), b.finish());
    assert!(stats.rx.packets > 100, "{stats:?}");
    for (heard, hz) in [(at_a, 1_000.0), (at_b, 440.0)] {
        let share = steady_tone_share(&heard[heard.len() - 48_000..heard.len() - 9_600], hz, 48_000);
        assert!(share > 0.8, "{hz}: {share}");
    }
}

/// RTP and RTCP of every shape, at any rate.
fn flood(from: &std::net::UdpSocket, to: &Party) {
    let mut packet = [0x80u8; 172];
    for n in 0..4_000 * times() {
        packet[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
        packet[0] |= 0x80;
        let length = 1 + n as usize % packet.len();
        let _ = from.send_to(&packet[..length], to.address);
        let _ = from.send_to(&packet[..length], SocketAddr::new(to.address.ip(), to.address.port() + 1));
    }
}

/// What the other side itself sends reaches the decoders: well-formed headers, and behind them anything.
#[test]
fn hostile_packets_of_the_agreed_address_do_no_harm_to_what_follows() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (Party::new(dir.path(), "a", 440.0), Party::new(dir.path(), "b", 1_000.0));
    let hostile = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    b.connect(plan(Codec::Opus, hostile.local_addr().unwrap()));
    flood(&hostile, &b);
    let mut random = 4_475u32;
    let mut packet = [0u8; 172];
    for n in (0..100 * times()).map(|n| n as u16) {
        packet.iter_mut().for_each(|byte| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (random >> 24) as u8;
        });
        // Opus, and one in eight a telephone-event; one source, in order and as fast as it is played.
        packet[..2].copy_from_slice(&[0x80, if n % 8 == 0 { 101 } else { 96 }]);
        packet[2..4].copy_from_slice(&n.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(n) * 960).to_be_bytes());
        packet[8..12].copy_from_slice(b"evil");
        let length = 12 + random as usize % 160;
        hostile.send_to(&packet[..length], b.address).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let stats = b.engine.stats(CALL).unwrap();
    assert!(stats.rx.packets >= u64::from(50 * times()), "it was taken in: {stats:?}");
    b.engine.send(EngineCommand::Plan { session: CALL, plan: plan(Codec::Opus, a.address) });
    a.connect(plan(Codec::Opus, b.address));
    b.stats_after(stats.tx.packets / 50 + 4);
    a.finish();
    let (_, heard) = b.finish();
    let share = steady_tone_share(&heard[heard.len() - 72_000..heard.len() - 24_000], 440.0, 48_000);
    assert!(share > 0.8, "{share}");
}

/// As long as a datagram can be, by a peer that otherwise keeps to what was agreed.
#[test]
fn the_longest_datagrams_of_the_peer_end_no_call() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (Party::new(dir.path(), "a", 440.0), Party::new(dir.path(), "b", 1_000.0));
    let peer = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    b.connect(plan(Codec::Pcmu, peer.local_addr().unwrap()));
    // 65,535 octets less the headers of IPv4 and UDP.
    let mut packet = vec![0xffu8; 65_507];
    let datagrams = 50 * times();
    for n in (0..datagrams).map(|n| n as u16) {
        packet[..2].copy_from_slice(&[0x80, if n % 10 == 9 { 101 } else { 0 }]);
        packet[2..4].copy_from_slice(&n.to_be_bytes());
        packet[4..8].copy_from_slice(&(u32::from(n) * 160).to_be_bytes());
        packet[8..12].copy_from_slice(b"long");
        peer.send_to(&packet, b.address).unwrap();
        // RTCP of that length, too: a sender's report and what nobody knows.
        packet[..4].copy_from_slice(&[0x80, 200, 0x3f, 0xff]);
        peer.send_to(&packet, SocketAddr::new(b.address.ip(), b.address.port() + 1)).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    let stats = b.engine.stats(CALL).unwrap();
    let datagrams = u64::from(datagrams);
    assert!(stats.tx.packets > datagrams / 2 && stats.rx.packets <= datagrams, "{stats:?}");
    // Each claims the time of one and holds the sound of nine; no more than 256 of them are kept.
    assert!(stats.rx.buffer_ms < (20.0 * datagrams as f64).min(6_000.0), "{stats:?}");
    assert!(stats.rx.jitter_ms.is_finite() && stats.rx.concealed_ms < 100 * datagrams, "{stats:?}");
    b.engine.send(EngineCommand::Plan { session: CALL, plan: plan(Codec::Pcmu, a.address) });
    a.connect(plan(Codec::Pcmu, b.address));
    b.stats_after(stats.tx.packets / 50 + 4);
    a.finish();
    let (after, heard) = b.finish();
    assert!(after.rx.packets > stats.rx.packets + 100, "{after:?}");
    let share = steady_tone_share(&heard[heard.len() - 72_000..heard.len() - 24_000], 440.0, 48_000);
    assert!(share > 0.8, "{share}");
}

/// Each change has another clock or other sound; the engines learn of it one after the other.
#[test]
fn a_change_of_codec_in_mid_call_is_heard_through() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = call(dir.path(), Codec::Pcmu, None);
    let mut seconds = 3;
    b.stats_after(seconds);
    for codec in [Codec::Opus, Codec::G722] {
        for (party, to) in [(&b, &a), (&a, &b)] {
            party.engine.send(EngineCommand::Plan { session: CALL, plan: plan(codec, to.address) });
        }
        seconds += 3;
        b.stats_after(seconds);
    }
    for (party, hz) in [(a, 1_000.0), (b, 440.0)] {
        let (stats, heard) = party.finish();
        assert!(stats.rx.packets > 400 && stats.rx.lost < 10, "{stats:?}");
        // The last two of each codec's three seconds, the recording's end aside.
        for (turn, codec) in [Codec::Pcmu, Codec::Opus, Codec::G722].into_iter().enumerate() {
            let from = (3 * turn + 1) * 48_000;
            let share = steady_tone_share(&heard[from..(from + 84_000).min(heard.len() - 4_800)], hz, 48_000);
            assert!(share > 0.8, "{codec:?} {hz}: {share}, {stats:?}");
        }
    }
}

#[test]
fn tones_in_the_audio_and_hostile_packets() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = call(dir.path(), Codec::Pcma, None);
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    flood(&stranger, &b);
    b.stats_after(1);
    a.engine.send(EngineCommand::Dtmf { session: CALL, digits: "5".into(), via: DtmfVia::Inband });
    a.wait(|event| matches!(event, EngineEvent::DtmfSent { session: CALL }).then_some(()));
    b.stats_after(2);
    a.finish();
    let (stats, heard) = b.finish();
    assert!(stats.rx.packets > 80, "{stats:?}");
    let keyed = heard.chunks(2_400).filter(|part| {
        [770.0, 1_336.0].iter().all(|hz| agent_manager::media::dsp::tone_share(part, *hz, 48_000) > 0.3)
    });
    assert!((1..=3).contains(&keyed.count()));
}
