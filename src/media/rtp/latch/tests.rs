//! Who is listened to, and where ours go.

use super::*;

const MOMENT: Duration = Duration::from_millis(1);

mod properties {
    use super::*;
    use crate::properties::config;
    use proptest::prelude::*;

    /// When, who, SSRC, first sequence number and length of a run of a stranger's packets.
    fn injected() -> impl Strategy<Value = Vec<(u64, u8, u32, u16, u16)>> {
        prop::collection::vec((0..400u64, 0..4u8, 0..3u32, any::<u16>(), 1..9u16), 0..60)
    }

    proptest! {
        #![proptest_config(config(500, 4961))]

        /// Whatever strangers send, in sequence or not, with the peer's source or another, and whenever: while the peer's
        /// packets come, or its RTCP alone, or it has none to send, they are all heard, nobody else's is, and ours go there.
        #[test]
        fn a_stranger_s_packets_never_replace_the_peer_s(
            injected in injected(),
            // Also where the peer is not where it was said to be.
            behind_nat: bool,
            // Where checks have shown the way, also while the peer is silent.
            checked: bool,
            // Or while only its RTCP comes.
            muted: bool,
            silence in 4..400u64,
        ) {
            let start = Instant::now();
            let (own, nat) = (address("10.0.0.5:4000"), address("203.0.113.7:31000"));
            let peer = if behind_nat { nat } else { own };
            let mut latch = Latch::new(start, at(own));
            if checked {
                latch.checked(peer);
            }
            for n in 0..400u64 {
                let now = start + Duration::from_millis(50 * n);
                let is_held = !checked && !muted && (silence..silence + 200).contains(&n);
                latch.signalled(now, Signalled { sends: !is_held, ..at(own) });
                if muted && n % 100 == 0 {
                    latch.alive(now, peer);
                }
                if !is_held && (!checked && !muted || n < silence) {
                    prop_assert_eq!(latch.judge(now, peer, 7, n as u16), Verdict::Accept);
                }
                let is_latched = latch.target() == peer && n > u64::from(PROBATION);
                for (_, who, ssrc, sequence, run) in injected.iter().filter(|(at, ..)| *at == n && is_latched) {
                    let stranger = SocketAddr::from(([198, 51, 100, *who], 6_666));
                    for step in 0..*run {
                        let verdict = latch.judge(now, stranger, 6 + ssrc, sequence.wrapping_add(step));
                        prop_assert_eq!(verdict, Verdict::Drop);
                        prop_assert_eq!(latch.target(), peer);
                    }
                }
            }
        }

        /// Nor does anybody hear us, or is heard, who sends before the peer or while it is silent, from its own host, too: where
        /// the peer has a public address of its own and shows itself there by audio or RTCP within four seconds, ours go there
        /// whatever comes, and its packets are heard whoever was.
        #[test]
        fn nobody_is_heard_before_the_peer_sends_nor_while_it_is_silent(
            injected in injected(),
            sent in prop::collection::vec(any::<bool>(), 40),
            shows in 0..20u64,
            by_rtcp: bool,
        ) {
            let (start, peer) = (Instant::now(), address("192.0.2.1:4000"));
            let mut latch = Latch::new(start, at(peer));
            for n in 0..400u64 {
                let now = start + Duration::from_millis(200 * n);
                for (_, who, ssrc, sequence, run) in injected.iter().filter(|(at, ..)| *at == n) {
                    let host = if *who == 0 { [192, 0, 2, 1] } else { [198, 51, 100, *who] };
                    for step in 0..*run {
                        let stranger = SocketAddr::from((host, 6_666));
                        let verdict = latch.judge(now, stranger, 6 + ssrc, sequence.wrapping_add(step));
                        prop_assert_eq!((verdict, latch.target()), (Verdict::Drop, peer));
                    }
                }
                if n == shows && by_rtcp {
                    latch.alive(now, latch.signalled.control);
                } else if n == shows || n > shows && sent[n as usize / 10] {
                    prop_assert_eq!(latch.judge(now, peer, 99, n as u16), Verdict::Accept);
                }
            }
        }

        /// However the strangers of a peer that is nowhere to be seen send, its own first packet is heard, and ours go there.
        #[test]
        fn the_peer_s_first_packet_is_believed_whoever_was_quicker(injected in injected(), shows in 0..400u64) {
            let (start, peer) = (Instant::now(), address("192.0.2.1:4000"));
            let mut latch = Latch::new(start, at(peer));
            for n in 0..=shows {
                let now = start + Duration::from_millis(200 * n);
                for (_, who, ssrc, sequence, run) in injected.iter().filter(|(at, ..)| *at == n) {
                    for step in 0..*run {
                        let stranger = SocketAddr::from(([198, 51, 100, *who], 6_666));
                        latch.judge(now, stranger, 6 + ssrc, sequence.wrapping_add(step));
                        prop_assert_eq!(latch.target(), peer);
                    }
                }
            }
            let now = start + Duration::from_millis(200 * shows);
            prop_assert_eq!(latch.judge(now, peer, 99, 0), Verdict::Accept);
            prop_assert_eq!(latch.target(), peer);
        }
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn at(address: SocketAddr) -> Signalled {
    let control = SocketAddr::new(address.ip(), address.port() + 1);
    Signalled { address, control, sends: true, secured: false }
}

/// Lets `source` send so many packets in sequence.
fn send(latch: &mut Latch, now: Instant, source: SocketAddr, count: u16) -> Vec<Verdict> {
    send_as(latch, now, source, 7, count)
}

fn send_as(latch: &mut Latch, now: Instant, source: SocketAddr, ssrc: u32, count: u16) -> Vec<Verdict> {
    (0..count).map(|n| latch.judge(now, source, ssrc, n)).collect()
}

#[test]
fn a_peer_is_heard_from_each_of_its_addresses_and_a_stranger_from_none() {
    let [way, other, stranger] = ["192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.3:5000"].map(address);
    let now = Instant::now();
    let mut latch = Latch::new(now, at(way));
    latch.checked(way);
    latch.also(other);
    for sequence in 0..50 {
        assert_eq!(latch.judge(now, other, 7, sequence), Verdict::Accept);
        assert_eq!(latch.judge(now, stranger, 7, sequence), Verdict::Drop);
    }
    assert_eq!(latch.target(), way, "it is sent to where the checks say");
    assert!(latch.knows(other.ip()) && !latch.knows(stranger.ip()));
    (0..100u16).for_each(|port| latch.also(SocketAddr::from(([192, 0, 2, 9], port))));
    assert_eq!(latch.others.len(), MOST_OTHERS);
    // A later description says where the peer was found, which changes nothing.
    latch.signalled(now, at(stranger));
    assert_eq!(latch.target(), way);
    latch.unchecked(now);
    assert_eq!((latch.target(), latch.judge(now, other, 7, 50)), (way, Verdict::Drop));
    let later = now + LONG_SILENCE + Duration::from_millis(1);
    assert_eq!(latch.judge(later, stranger, 7, 51), Verdict::Accept, "without checks a silent source is succeeded");
}

#[test]
fn the_signalled_address_is_believed_and_kept() {
    let (now, peer, stranger) = (Instant::now(), address("192.0.2.1:4000"), address("198.51.100.9:6666"));
    let mut latch = Latch::new(now, at(peer));
    assert_eq!(latch.judge(now, peer, 1, 10), Verdict::Accept);
    for n in 0..100 {
        assert_eq!(latch.judge(now, stranger, 2, n), Verdict::Drop);
        assert_eq!(latch.judge(now, peer, 1, 11 + n), Verdict::Accept);
    }
    assert_eq!(latch.target(), peer);
}

#[test]
fn whoever_was_quicker_gives_way_to_the_signalled_address() {
    for (peer, verdict) in [("192.0.2.1:4000", Verdict::Drop), ("10.0.0.5:4000", Verdict::Accept)] {
        let (now, peer, stranger) = (Instant::now(), address(peer), address("198.51.100.9:6666"));
        let mut latch = Latch::new(now, at(peer));
        assert_eq!(send(&mut latch, now, stranger, 50), [verdict; 50], "behind a NAT it may be the peer");
        assert_eq!(latch.judge(now, peer, 1, 10), Verdict::Accept);
        assert_eq!(latch.target(), peer);
        assert_eq!(send(&mut latch, now, stranger, 50), [Verdict::Drop; 50]);
    }
}

#[test]
fn who_has_nothing_to_send_is_not_succeeded() {
    let (start, stranger) = (Instant::now(), address("198.51.100.9:6666"));
    for peer in ["10.0.0.5:4000", "203.0.113.7:31000"].map(address) {
        let mut latch = Latch::new(start, at(address("10.0.0.5:4000")));
        send(&mut latch, start, peer, 3);
        latch.signalled(start, Signalled { sends: false, ..latch.signalled });
        let held = start + Duration::from_secs(60);
        assert_eq!(send(&mut latch, held, stranger, 50), [Verdict::Drop; 50]);
        latch.signalled(held, Signalled { sends: true, ..latch.signalled });
        assert_eq!(send(&mut latch, held, stranger, 50), [Verdict::Drop; 50], "it was not silent");
        assert_eq!(latch.target(), peer);
    }
}

#[test]
fn a_nat_s_address_takes_over_after_probation() {
    let (now, signalled, nat) = (Instant::now(), address("10.0.0.5:4000"), address("203.0.113.7:31000"));
    let mut latch = Latch::new(now, at(signalled));
    for (n, target) in [(0, signalled), (1, signalled), (2, nat), (3, nat)] {
        assert_eq!(latch.judge(now, nat, 7, n), Verdict::Accept);
        assert_eq!(latch.target(), target, "after packet {n}");
    }
    // The NAT has forgotten the way and makes another.
    let moved = address("203.0.113.7:31002");
    assert_eq!(send(&mut latch, now, moved, 50), [Verdict::Drop; 50]);
    send(&mut latch, now + SILENCE + Duration::from_millis(1), moved, 3);
    assert_eq!(latch.target(), moved);
    // Another provider.
    let (later, other) = (now + SILENCE + LONG_SILENCE, address("198.51.100.9:6666"));
    send(&mut latch, later, other, 3);
    assert_eq!(latch.target(), moved);
    send(&mut latch, later + Duration::from_millis(2), other, 3);
    assert_eq!(latch.target(), other);
}

#[test]
fn authentic_packets_show_where_the_peer_is() {
    let (now, signalled, other) = (Instant::now(), address("192.0.2.1:4000"), address("203.0.113.7:31000"));
    for secured in [false, true] {
        let mut latch = Latch::new(now, Signalled { secured, ..at(signalled) });
        let verdict = if secured { Verdict::Accept } else { Verdict::Drop };
        assert_eq!(send(&mut latch, now, other, 5), [verdict; 5]);
        assert_eq!(latch.target(), if secured { other } else { signalled });
    }
}

/// It has asked a STUN server for an address that its own network, and ours, does not use.
#[test]
fn a_neighbour_is_sent_to_within_the_network() {
    let (now, outer, inner) = (Instant::now(), address("203.0.113.7:31000"), address("192.168.1.20:4000"));
    let mut latch = Latch::new(now, at(outer));
    send(&mut latch, now, inner, 3);
    assert_eq!(latch.target(), inner);
}

#[test]
fn scattered_packets_of_a_stranger_never_latch() {
    let (now, signalled, stranger) = (Instant::now(), address("10.0.0.5:4000"), address("203.0.113.7:31000"));
    let mut latch = Latch::new(now, at(signalled));
    for n in 0..200u16 {
        latch.judge(now, stranger, 7, n.wrapping_mul(7_919));
    }
    assert_eq!(latch.target(), signalled);
}

#[test]
fn who_is_listened_to_is_known_although_ours_go_elsewhere() {
    let (now, [signalled, other]) = (Instant::now(), ["192.0.2.1:4000", "203.0.113.7:31000"].map(address));
    let mut latch = Latch::new(now, at(signalled));
    assert!(!latch.knows(other.ip()));
    send(&mut latch, now + ABSENCE + MOMENT, other, 3);
    assert!(latch.knows(signalled.ip()) && latch.knows(other.ip()) && latch.target() == signalled);
}

/// Its NAT rewrites the port that was signalled, or its media server sends from another address.
#[test]
fn a_peer_that_never_was_where_it_was_said_to_be_is_found_after_a_while() {
    let (start, signalled) = (Instant::now(), address("192.0.2.1:4000"));
    for (source, target) in [("192.0.2.1:5000", "192.0.2.1:5000"), ("192.0.2.2:4000", "192.0.2.1:4000")] {
        let (source, target) = (address(source), address(target));
        let mut latch = Latch::new(start, at(signalled));
        assert_eq!(send(&mut latch, start + ABSENCE, source, 50), [Verdict::Drop; 50]);
        assert_eq!(latch.target(), signalled);
        let later = start + ABSENCE + MOMENT;
        assert_eq!(send(&mut latch, later, source, 5)[1..4], [Verdict::Drop, Verdict::Accept, Verdict::Accept]);
        assert_eq!(latch.target(), target);
        // As long as it sends, nobody else is.
        let stranger = address("192.0.2.1:6666");
        assert_eq!(send_as(&mut latch, later + LONG_SILENCE, stranger, 8, 50), [Verdict::Drop; 50]);
        assert_eq!(send_as(&mut latch, later + LONG_SILENCE + MOMENT, stranger, 8, 3)[2], Verdict::Accept);
        // It was on its way all the time.
        assert_eq!(latch.judge(later, signalled, 1, 1), Verdict::Accept);
        assert_eq!(latch.target(), signalled);
    }
}

/// What is waited for is sound, so that being on hold is no absence; nor is being said to be elsewhere.
#[test]
fn absence_is_of_who_has_something_to_send() {
    let (start, signalled, other) = (Instant::now(), address("192.0.2.1:4000"), address("192.0.2.1:5000"));
    let mut latch = Latch::new(start, Signalled { sends: false, ..at(signalled) });
    let (resumed, moved) = (start + ABSENCE * 2, start + ABSENCE * 4);
    latch.signalled(resumed, at(signalled));
    assert_eq!(send(&mut latch, resumed + MOMENT, other, 3), [Verdict::Drop; 3]);
    latch.signalled(moved, at(address("192.0.2.1:4002")));
    assert_eq!(send(&mut latch, moved + MOMENT, other, 3), [Verdict::Drop; 3]);
    assert_eq!(send(&mut latch, moved + ABSENCE + MOMENT, other, 3)[2], Verdict::Accept);
}

/// It has shown itself at its public address: by audio, or, muted, by RTCP from where that was said to come from.
#[test]
fn who_was_heard_where_it_was_said_to_be_is_succeeded_by_nobody() {
    let (start, peer) = (Instant::now(), address("192.0.2.1:4000"));
    for by_rtcp in [false, true] {
        let mut latch = Latch::new(start, at(peer));
        if by_rtcp {
            latch.alive(start, latch.signalled.control);
        } else {
            latch.judge(start, peer, 1, 1);
        }
        for stranger in ["192.0.2.1:6666", "198.51.100.9:6666"].map(address) {
            for after in [SILENCE + MOMENT, ABSENCE + MOMENT, LONG_SILENCE * 10] {
                assert_eq!(send(&mut latch, start + after, stranger, 50), [Verdict::Drop; 50], "{by_rtcp} {stranger}");
                assert_eq!(latch.target(), peer);
            }
        }
    }
    // RTCP from another port of its host, as through a NAT, tells nothing of where its audio will come from.
    let mut latch = Latch::new(start, at(peer));
    latch.alive(start, address("192.0.2.1:4444"));
    assert_eq!(send(&mut latch, start + ABSENCE + MOMENT, address("192.0.2.1:5000"), 3)[2], Verdict::Accept);
}

/// Its NAT has made another way: RTCP comes from there, and its own source goes on from another port.
#[test]
fn a_peer_may_go_on_from_another_port_of_its_host() {
    let (now, peer, moved) = (Instant::now(), address("192.0.2.1:4000"), address("192.0.2.1:5000"));
    let mut latch = Latch::new(now, at(peer));
    send(&mut latch, now, peer, 3);
    assert_eq!(send(&mut latch, now + SILENCE, moved, 5), [Verdict::Drop; 5]);
    let later = now + SILENCE + MOMENT;
    latch.alive(later, address("192.0.2.1:5001"));
    send(&mut latch, later, moved, 3);
    assert_eq!(latch.target(), moved);
    latch.signalled(now, at(address("192.0.2.9:7000")));
    assert_eq!(latch.target(), address("192.0.2.9:7000"));
}

/// Behind a NAT another source of its host may be it as well, once neither its audio nor its RTCP comes.
#[test]
fn rtcp_keeps_another_source_of_a_nat_s_host_out() {
    let (now, nat, moved) = (Instant::now(), address("203.0.113.7:31000"), address("203.0.113.7:31002"));
    let mut latch = Latch::new(now, at(address("10.0.0.5:4000")));
    for n in 0..3 {
        latch.judge(now, nat, 1, n);
    }
    latch.alive(now + LONG_SILENCE, address("203.0.113.7:31001"));
    assert_eq!(send(&mut latch, now + LONG_SILENCE + MOMENT, moved, 50), [Verdict::Drop; 50]);
    send(&mut latch, now + LONG_SILENCE * 2 + MOMENT, moved, 3);
    assert_eq!(latch.target(), moved);
}
