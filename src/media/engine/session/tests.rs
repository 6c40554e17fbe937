mod directions;

use super::*;
use crate::media::{
    BLOCK, SAMPLE_RATE,
    dsp::power,
    plan::{Codec, DtlsPlan, IceCredentials, IcePlan, OpusParams, Redundancy},
    record::{Ended, Recorder},
    rtcp::{self, Block, Extended, Outgoing},
    rtp::Packet,
    security::Association,
};
use std::net::Ipv4Addr;

mod consent;
mod figures;
mod relay;

fn plan(direction: Direction) -> MediaPlan {
    MediaPlan { rtcp_mux: true, direction, ..MediaPlan::of(Codec::Pcmu) }
}

#[test]
fn a_nat_is_kept_open_where_nothing_else_does() {
    for (direction, rtcp_mux, expected) in [
        (Direction::Inactive, false, 2),
        (Direction::RecvOnly, false, 2),
        (Direction::Inactive, true, 0),
        (Direction::SendRecv, false, 0),
    ] {
        let peer = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        peer.set_nonblocking(true).expect("it can be");
        let remote_rtp = peer.local_addr().expect("an address");
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, MediaPlan { remote_rtp, rtcp_mux, ..plan(direction) }, None, None);
        for second in 0..40 {
            session.housekeep(start + Duration::from_secs(second), &mut |_| {});
        }
        let mut buffer = [0; MAX_PACKET];
        let empty = std::iter::from_fn(|| peer.recv(&mut buffer).ok()).filter(|length| *length == 0).count();
        assert_eq!(empty, expected, "{direction:?} {rtcp_mux}");
    }
}

#[test]
fn checks_that_never_succeed_do_not_mute() {
    let side =
        |name| IceCredentials { ufrag: format!("{name}frag"), password: format!("{name}-password-of-many-octets") };
    let candidates = vec!["candidate:1 1 UDP 2130706431 127.0.0.1 9 typ host".into()];
    let ice = IcePlan { local: side("a"), remote: side("b"), candidates, controlling: true };
    let start = Instant::now();
    let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
    session.set_plan(start, MediaPlan { ice: Some(Box::new(ice)), ..plan(Direction::SendRecv) }, None, None);
    let mut told = Vec::new();
    for n in 0..120 * 50 {
        session.release(start + Duration::from_millis(20) * n, &mut |report| told.push(report));
    }
    let [Report::Notice(notice)] = &told[..] else { panic!("{told:?}") };
    assert!(notice.text.contains("could not be checked"), "{}", notice.text);
    let target = session.stream.as_ref().and_then(|stream| stream.target());
    assert_eq!(target, Some(Way { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), relayed: false }));
}

/// Whoever is reached by a relay alone is answered by it before the checks have chosen a way, whatever strangers send meanwhile,
/// also where its part of the handshake came before the plan.
#[test]
fn a_handshake_is_answered_by_the_way_that_it_came() {
    let (ours, theirs) = (DtlsIdentity::generate().expect("one"), DtlsIdentity::generate().expect("one"));
    let peer = SocketAddr::from(([203, 0, 113, 9], 5000));
    let stranger = Way { peer: SocketAddr::from(([198, 51, 100, 66], 6666)), relayed: false };
    let dtls = |active, identity: &DtlsIdentity| DtlsPlan { active, fingerprint: identity.fingerprint() };
    for (relayed, early) in [(true, false), (true, true), (false, false), (false, true)] {
        let (way, start) = (Way { peer, relayed }, Instant::now());
        let mut client = Association::new(start, &theirs, dtls(true, &ours)).expect("it begins");
        let hello = client.poll_transmit().expect("its first flight");
        let srtp = Some(KeyExchange::Dtls(dtls(false, &theirs)));
        let plan = MediaPlan { remote_rtp: peer, srtp, ..plan(Direction::SendRecv) };
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.early = early.then(|| (way, hello.clone()));
        session.set_plan(start, plan, None, Some(&ours));
        let stream = session.stream.as_mut().expect("a stream");
        if !early {
            stream.incoming(start, way, &hello, false, &mut |_| {});
        }
        stream.incoming(start, stranger, &hello, false, &mut |_| {});
        stream.incoming(start, stranger, &[22, 254, 253, 1], false, &mut |_| {});
        let mut sent = Vec::new();
        stream.go_on(start, |datagram, way| sent.push((way, datagram.to_vec())), &mut |_| {});
        assert!(!sent.is_empty() && sent.iter().all(|(to, _)| *to == way), "{relayed} {early}: {sent:?}");
        // And it is an answer.
        let answered = sent.iter().all(|(_, datagram)| client.handle_datagram(start, datagram).is_ok());
        assert!(answered && client.poll_transmit().is_some());
    }
}

#[test]
fn both_sides_hear_that_a_call_is_recorded() {
    use crate::media::dsp::tone_share;
    let dir = tempfile::tempdir().expect("a directory");
    for tone in [false, true] {
        let (start, mut block) = (Instant::now(), [0.0; BLOCK]);
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, plan(Direction::SendRecv), None, None);
        session.mute(true);
        let recorder = Recorder::create(&dir.path().join(format!("{tone}.wav")), tone).expect("a file");
        session.record(Some(recorder));
        let (mut said, mut heard) = (Vec::new(), Vec::new());
        for n in 0..1_600 {
            let mut mix = [0.0; BLOCK];
            session.speak(&[0.0; BLOCK], None, &mut |_| {});
            session.listen(start + Duration::from_millis(10) * n, &mut block, &mut mix);
            said.extend_from_slice(&session.said);
            heard.extend_from_slice(&mix);
        }
        for side in [&said, &heard] {
            // A fifth of a second at once, and again after 15 s.
            for second in [0, 15] {
                let beep = &side[second * 48_000 + 480..][..9_000];
                assert_eq!(tone_share(beep, 1_400.0, SAMPLE_RATE) > 0.95, tone, "second {second}");
            }
            assert!(power(&side[10_000..15 * 48_000]) < 1e-6, "and quiet in between");
        }
        session.record(None);
        session.speak(&[0.0; BLOCK], None, &mut |_| {});
        assert_eq!(power(&session.said), 0.0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_recording_that_fails_is_over() {
    let (start, mut block, mut mix) = (Instant::now(), [0.0; BLOCK], [0.0; BLOCK]);
    let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
    session.set_plan(start, plan(Direction::SendRecv), None, None);
    session.record(Some(Recorder::to_a_full_disk()));
    let (mut told, end) = (Vec::new(), start + Duration::from_secs(30));
    while told.is_empty() {
        assert!(Instant::now() < end, "nothing is said");
        session.speak(&[0.1; BLOCK], None, &mut |_| {});
        session.listen(start, &mut block, &mut mix);
        session.housekeep(start, &mut |report| told.push(report));
        std::thread::yield_now();
    }
    let [Report::Recorded(Ended { file, outcome: Err(why) })] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*file, std::path::Path::new("call.wav"));
    assert!(why.text.contains("No space left"), "{}", why.text);
    assert!(session.record(None).is_none(), "there is nothing to stop");
}

#[test]
fn whoever_speaks_in_a_conference_ends_when_held_or_alone() {
    for held in [false, true] {
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, plan(Direction::SendRecv), None, None);
        session.join(true);
        let told = std::cell::RefCell::new(Vec::new());
        let tell = |session: &mut Session| session.housekeep(start, &mut |report| told.borrow_mut().push(report));
        (0..50).for_each(|_| session.member.hear(&[0.1; BLOCK]));
        tell(&mut session);
        if held {
            session.set_plan(start, plan(Direction::SendOnly), None, None);
        }
        session.join(false);
        tell(&mut session);
        tell(&mut session);
        assert_eq!(told.into_inner(), [true, false].map(Report::Speaks), "{held}");
    }
}

#[test]
fn silence_is_told_and_told_again_also_on_hold() {
    for direction in [Direction::SendRecv, Direction::SendOnly, Direction::Inactive] {
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, plan(direction), None, None);
        let mut told = Vec::new();
        for second in 0..=80 {
            if second == 5 {
                session.connected(start + Duration::from_secs(second));
            }
            session.housekeep(start + Duration::from_secs(second), &mut |report| {
                if let Report::Silent { again, .. } = report {
                    told.push((second, again));
                }
            });
        }
        assert_eq!(told, [(14, false), (44, true), (74, true)], "{direction:?}");
    }
}

/// Neither who is on hold nor who has not begun to speak is silent: nobody else takes the place.
#[test]
fn a_held_peer_is_spoken_to_again() {
    let start = Instant::now();
    let [peer, stranger] = ["10.0.0.5:4000", "203.0.113.66:6666"].map(|address| address.parse().expect("an address"));
    let agreed = |direction| MediaPlan { remote_rtp: peer, remote_rtcp: peer, ..plan(direction) };
    let mut stream = Stream::new(start, agreed(Direction::SendRecv), None, (None, peer));
    let send = |stream: &mut Stream, now, source, sequences: std::ops::Range<u16>| {
        for sequence in sequences {
            let payload = &[0x55; 160];
            let packet = Packet { payload_type: 0, marker: false, sequence, timestamp: 0, ssrc: 7, payload };
            let mut octets = [0; MAX_PACKET];
            let length = packet.write(&mut octets).expect("it fits");
            stream.incoming(now, Way { peer: source, relayed: false }, &octets[..length], false, &mut |_| {});
        }
    };
    let target = |stream: &Stream| stream.target().map(|way| way.peer);
    send(&mut stream, start, stranger, 0..5);
    send(&mut stream, start, peer, 100..105);
    assert_eq!(target(&stream), Some(peer));
    for direction in [Direction::SendOnly, Direction::Inactive] {
        let now = start + Duration::from_secs(60);
        stream.set_plan(start, agreed(direction));
        send(&mut stream, now, stranger, 20..50);
        stream.set_plan(now, agreed(Direction::SendRecv));
        send(&mut stream, now, stranger, 50..60);
        assert_eq!(target(&stream), Some(peer), "{direction:?}");
        send(&mut stream, now, peer, 105..110);
        assert!(now + SILENCE <= stream.silent_at, "it is heard");
    }
}

/// Who sends what looks like RTCP keeps no call alive that has ended, and hides no loss.
#[test]
fn control_packets_are_believed_of_the_peer_alone() {
    let start = Instant::now();
    let [peer, stranger] = ["192.0.2.9:5000", "203.0.113.66:6666"].map(|address| address.parse().expect("an address"));
    let agreed = Redundancy { send_payload_type: 98, receive_payload_type: 98 };
    let opus = OpusParams { redundancy: Some(agreed), ..OpusParams::default() };
    let plan =
        MediaPlan { remote_rtp: peer, remote_rtcp: peer, send: (96, Codec::Opus), opus, ..plan(Direction::SendRecv) };
    let mut stream = Stream::new(start, plan, None, (None, peer));
    let report = |fraction_lost, ours| {
        let block = Block { ssrc: ours, fraction_lost, ..Block::default() };
        let extended = Extended::default();
        rtcp::write(&Outgoing { ssrc: 7, sender: None, block: Some(block), cname: "peer", extended, bye: false })
    };
    let copies = |stream: &mut Stream| {
        let mut types = Vec::new();
        stream.sender.speak(&[0.1; 960], |datagram| types.push(datagram[1] & 0x7f));
        types == [98]
    };
    let (lossy, clean) = (report(50, stream.sender.ssrc()), report(0, stream.sender.ssrc()));
    let silent_at = stream.silent_at;
    let junk: [&[u8]; 3] = [&[0x80, 200], &[0x80, 200, 0, 9], &[0x81, 203, 0, 1, 0, 0, 0, 7]];
    let now = start + Duration::from_secs(5);
    for (source, datagrams) in [(stranger, vec![&lossy[..]; 3]), (peer, junk.to_vec())] {
        for datagram in datagrams {
            stream.incoming(now, Way { peer: source, relayed: false }, datagram, false, &mut |_| {});
        }
        assert!(
            stream.silent_at == silent_at && stream.rtcp.remote_loss().is_none() && !copies(&mut stream),
            "{source}"
        );
    }
    let mut say = |datagram: &[u8]| {
        stream.incoming(now, Way { peer, relayed: false }, datagram, true, &mut |_| {});
        assert_eq!(stream.silent_at, now + SILENCE);
        copies(&mut stream)
    };
    assert!(say(&lossy));
    let about_another = report(0, 0x1234_5678);
    assert!((0..20).all(|_| say(&about_another)), "what the peer says of others tells nothing of our loss");
    assert!(!(0..10).all(|_| say(&clean)), "what it says of ours does");
}

/// After a change of network. The checks of the next plan, whose passwords are others, begin at this address.
#[test]
fn a_session_that_has_moved_says_so() {
    let ports = || PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports");
    let mut session = Session::new(ports());
    session.set_plan(Instant::now(), plan(Direction::SendRecv), None, None);
    let there = ports();
    let address = there.address;
    assert_ne!(session.move_to(there).address, address);
    assert_eq!(session.stats(true).and_then(|stats| stats.ends).map(|ends| ends.local), Some(address));
}
