//! What a session counts and measures, and what its peer is told of it.

use super::*;
use crate::media::{
    plan::{CryptoSuite, MasterKey, SrtpKeys},
    srtp::SrtpSession,
    stats::TxStats,
};

/// Neither before there are keys nor while the peer does not agree to it.
#[test]
fn what_does_not_leave_is_not_counted_as_sent() {
    let identity = DtlsIdentity::generate().expect("one");
    let dtls = KeyExchange::Dtls(DtlsPlan { active: false, fingerprint: identity.fingerprint() });
    for (srtp, unwanted, packets) in [(None, false, 5), (Some(dtls), false, 0), (None, true, 0)] {
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, MediaPlan { srtp, ..plan(Direction::SendRecv) }, None, Some(&identity));
        session.stream.as_mut().expect("a stream").consent.lost = unwanted;
        session.speak(&[0.1; 10 * BLOCK], None, &mut |_| {});
        assert_eq!(session.stats(true).map(|stats| stats.tx), Some(TxStats { packets, bytes: packets * 160 }));
        let last = session.stream.as_mut().and_then(|stream| stream.report(start, true)).expect("a report");
        assert_eq!(rtcp::parse(&last).expect("ours").sender_ntp.is_some(), packets > 0);
    }
}

/// A network that is delayed on purpose looks like one.
#[test]
fn a_delay_on_purpose_shows_in_the_round_trip() {
    let start = Instant::now();
    let delayed = Impairment { loss_percent: 0.0, burst: None, delay_ms: 400, jitter_ms: 0, seed: 1 };
    let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
    session.set_plan(start, plan(Direction::SendRecv), Some(delayed), None);
    session.speak(&[0.1; 10 * BLOCK], None, &mut |_| {});
    let stream = session.stream.as_mut().expect("a stream");
    let ours = rtcp::parse(&stream.report(start, true).expect("a report")).expect("ours");
    let last_sender_report = (ours.sender_ntp.expect("it sends") >> 16) as u32;
    let block = Some(Block { ssrc: ours.ssrc, last_sender_report, ..Block::default() });
    let extended = Extended::default();
    let answer = rtcp::write(&Outgoing { ssrc: 7, sender: None, block, cname: "peer", extended, bye: false });
    let way = Way { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), relayed: false };
    stream.incoming(start, way, &answer, false, &mut |_| {});
    for (ms, seen) in [(399, None), (400, Some(400.0))] {
        session.release(start + Duration::from_millis(ms), &mut |_| {});
        let rtt_ms = session.stats(true).and_then(|stats| stats.rtt_ms);
        assert_eq!(rtt_ms.map(f64::round), seen);
    }
}

/// RFC 3711 §3.3: under another key than was agreed on, or in the open. What comes twice tells nothing of keys.
#[test]
fn what_cannot_be_decrypted_is_told_apart_from_nothing() {
    let key = |first: u8| {
        MasterKey::new(CryptoSuite::AesCm128HmacSha1_80, (first..).take(30).collect()).expect("a key and its salt")
    };
    let (ours, theirs, other) = (key(1), key(50), key(100));
    let silent = |unreadable| Some(Report::Silent { again: false, unreadable });
    for (sends, copies, unreadable, told) in [
        (Some(Some(&theirs)), 2, 0, None),
        (Some(Some(&other)), 1, 110, silent(true)),
        (Some(None), 1, 110, silent(true)),
        (None, 0, 0, silent(false)),
    ] {
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        let srtp = Some(KeyExchange::Sdes(SrtpKeys { send: ours.clone(), receive: theirs.clone() }));
        session.set_plan(start, MediaPlan { srtp, ..plan(Direction::SendRecv) }, None, None);
        session.connected(start);
        let seals = sends.flatten().map(|key| SrtpKeys { send: key.clone(), receive: ours.clone() });
        let (mut seals, mut sealed, mut heard) = (seals.map(SrtpSession::new), Vec::new(), None);
        for sequence in 0..110_u16 {
            let now = start + Duration::from_millis(100) * u32::from(sequence);
            let timestamp = 800 * u32::from(sequence);
            let packet = Packet { payload_type: 0, marker: false, sequence, timestamp, ssrc: 7, payload: &[0x55; 160] };
            let mut octets = [0; MAX_PACKET];
            let length = packet.write(&mut octets).expect("it fits");
            let datagram = match &mut seals {
                Some(seals) => seals.protect(&octets[..length], &mut sealed).map(|()| &sealed[..]).expect("RTP"),
                None => &octets[..length],
            };
            let stream = session.stream.as_mut().expect("a stream");
            for _ in 0..copies {
                let way = Way { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), relayed: false };
                stream.incoming(now, way, datagram, false, &mut |_| {});
            }
            session.housekeep(now, &mut |report| {
                if matches!(report, Report::Silent { .. }) {
                    heard = Some(report);
                }
            });
        }
        assert_eq!((session.stats(true).map(|stats| stats.rx.unreadable), heard), (Some(unreadable), told));
    }
}
