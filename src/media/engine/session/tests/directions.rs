//! Who hears whom: before the answer, on hold, and where one side only listens.

use super::*;

/// A packet from where the peer was signalled to be: its payload type, its number and what is in it.
fn send(session: &mut Session, now: Instant, (payload_type, sequence): (u8, u16), payload: &[u8]) {
    let timestamp = u32::from(sequence) * 160;
    let packet = Packet { payload_type, marker: false, sequence, timestamp, ssrc: 7, payload };
    let mut octets = [0; MAX_PACKET];
    let length = packet.write(&mut octets).expect("it fits");
    let way = Way { peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 9)), relayed: false };
    let stream = session.stream.as_mut().expect("a stream");
    stream.incoming(now, way, &octets[..length], false, &mut |_| {});
}

/// What is not agreed on is not heard.
#[test]
fn early_media_is_told_until_the_answer() {
    let start = Instant::now();
    let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
    session.set_plan(start, plan(Direction::SendRecv), None, None);
    let mut told = Vec::new();
    for tenth in 0..150_u16 {
        let now = start + Duration::from_millis(100) * u32::from(tenth);
        let payload_type = if tenth < 20 { 96 } else { 0 };
        if tenth < 40 {
            send(&mut session, now, (payload_type, tenth), &[0x55; 160]);
        }
        if tenth == 140 {
            session.connected(now);
        }
        session.housekeep(now, &mut |report| {
            if let Report::Early(comes) = report {
                told.push((tenth, comes));
            }
        });
    }
    assert_eq!(told, [(5, false), (20, true), (89, false)]);
}

/// It is heard and recorded here; in a conference it is not what the others are to hear, nor is it speech.
#[test]
fn what_a_peer_plays_while_it_holds_us_is_for_us_alone() {
    let loud: Vec<u8> = (0..160).map(|n| if n / 10 % 2 == 0 { 0x90 } else { 0x10 }).collect();
    for (direction, passes) in [(Direction::SendRecv, true), (Direction::RecvOnly, false)] {
        let start = Instant::now();
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        session.set_plan(start, plan(direction), None, None);
        session.connected(start);
        session.join(true);
        let (mut heard, mut passed, mut told) = (0.0, 0.0, Vec::new());
        for n in 0..200_u16 {
            let now = start + Duration::from_millis(10) * u32::from(n);
            if n % 2 == 0 {
                send(&mut session, now, (0, n / 2), &loud);
            }
            let (mut block, mut mix) = ([0.0; BLOCK], [0.0; BLOCK]);
            session.listen(now, &mut block, &mut mix);
            heard += power(&mix);
            passed += power(&session.pass_on(BLOCK));
            session.housekeep(now, &mut |report| {
                if let Report::Speaks(on) = report {
                    told.push(on);
                }
            });
        }
        assert!(heard > 1.0, "{direction:?}");
        assert_eq!((passed > 1.0, told), (passes, vec![true; usize::from(passes)]), "{direction:?}");
    }
}

/// Recorders, supervisors and paging listen to us; whom we put on hold hears something else.
#[test]
fn who_only_listens_hears_us() {
    let dir = tempfile::tempdir().expect("a directory");
    for (on_hold, is_said) in [(false, true), (true, false)] {
        let mut session = Session::new(PortPair::bind(Ipv4Addr::LOCALHOST.into()).expect("free ports"));
        let plan = MediaPlan { on_hold, ..plan(Direction::SendOnly) };
        let start = Instant::now();
        session.set_plan(start, plan.clone(), None, None);
        session.connected(start);
        session.record(Some(Recorder::create(&dir.path().join(format!("{on_hold}.wav")), false).expect("a file")));
        session.speak(&[0.1; BLOCK], None, &mut |_| {});
        assert_eq!(power(&session.said) > 0.0, is_said, "what is recorded");
        session.mute(true);
        assert_eq!(session.is_talked_to_muted(), is_said);
        let stream = session.stream.as_mut().expect("a stream");
        let mut sent = Vec::new();
        let tone: Vec<f32> = (0..960).map(|n| 0.3 * (n as f32 / 20.0).sin()).collect();
        stream.sender.speak(&tone, |datagram| sent.extend_from_slice(&datagram[12..]));
        let is_loud = |octet: &u8| !octet & 0x7f > 0x20;
        assert_eq!(sent.iter().any(is_loud), is_said, "what is sent");
    }
}
