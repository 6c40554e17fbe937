use super::*;

fn pair(now: Instant) -> (Association, Association) {
    let (a, b) = (DtlsIdentity::generate().unwrap(), DtlsIdentity::generate().unwrap());
    let side = |ours: &DtlsIdentity, theirs: &DtlsIdentity, active| {
        Association::new(now, ours, DtlsPlan { active, fingerprint: theirs.fingerprint() }).unwrap()
    };
    (side(&a, &b, true), side(&b, &a, false))
}

/// Each side's keys, or why there are none; `lost` says which of all datagrams get lost.
fn shake(
    mut now: Instant,
    sides: (&mut Association, &mut Association),
    mut lost: impl FnMut(usize) -> bool,
) -> [Option<Result<SrtpKeys, HandshakeError>>; 2] {
    let mut sides = [sides.0, sides.1];
    let (mut outcomes, mut sent) = ([None, None], 0);
    for _ in 0..1_000 {
        for n in [0, 1] {
            while let Some(datagram) = sides[n].poll_transmit() {
                assert!((20..=63).contains(&datagram[0]) && datagram.len() <= 1_400, "{} octets", datagram.len());
                sent += 1;
                if lost(sent) || matches!(outcomes[1 - n], Some(Err(_))) {
                    continue;
                }
                match sides[1 - n].handle_datagram(now, &datagram) {
                    Ok(None) => {}
                    Ok(Some(keys)) => outcomes[1 - n] = Some(Ok(keys)),
                    Err(error) => outcomes[1 - n] = Some(Err(error)),
                }
            }
        }
        if outcomes.iter().all(Option::is_some) {
            break;
        }
        now += Duration::from_millis(20);
        for side in &mut sides {
            let _ = side.handle_timeout(now);
        }
    }
    outcomes
}

#[test]
fn both_sides_come_by_the_same_keys() {
    let now = Instant::now();
    let (mut a, mut b) = pair(now);
    let [Some(Ok(ours)), Some(Ok(theirs))] = shake(now, (&mut a, &mut b), |_| false) else { panic!("no keys") };
    assert_eq!((&ours.send, &ours.receive), (&theirs.receive, &theirs.send));
    assert_ne!(ours.send, ours.receive);
    assert_eq!(ours.send.suite(), CryptoSuite::AeadAes256Gcm);
    assert!(a.is_done() && b.is_done() && a.poll_timeout().is_none() && b.poll_timeout().is_none());
}

#[test]
fn another_certificate_than_the_announced_one_ends_it_whoever_shows_it() {
    let now = Instant::now();
    let [ours, theirs, other] = [(), (), ()].map(|()| DtlsIdentity::generate().unwrap());
    for active in [true, false] {
        // They show `theirs`; we were told of `other`.
        let plan = |active, identity: &DtlsIdentity| DtlsPlan { active, fingerprint: identity.fingerprint() };
        let mut a = Association::new(now, &ours, plan(active, &other)).unwrap();
        let mut b = Association::new(now, &theirs, plan(!active, &ours)).unwrap();
        let [us, _] = shake(now, (&mut a, &mut b), |_| false);
        assert_eq!(us, Some(Err(HandshakeError::WrongCertificate)), "active: {active}");
        assert!(!a.is_done());
    }
}

/// RFC 9147 §5.8.2.
#[test]
fn a_flight_that_nobody_answers_goes_out_again_soon_and_then_each_second() {
    let start = Instant::now();
    let (mut a, _) = pair(start);
    assert!(a.poll_transmit().is_some());
    let (mut again, mut now) = (Vec::new(), start);
    while let Some(at) = a.poll_timeout() {
        now = at;
        let outcome = a.handle_timeout(now);
        match a.poll_transmit() {
            Some(_) => again.push((now - start).as_millis()),
            None => assert_eq!(outcome, Err(HandshakeError::Failed)),
        }
    }
    assert_eq!(again[..4], [400, 1_200, 2_200, 3_200]);
    assert_eq!((again.len(), (now - start).as_millis()), (11, 11_200));
}

mod properties {
    use super::*;
    use crate::properties::config;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(config(24, 5763))]

        /// A fifth of the datagrams gets lost, and there are keys within twenty seconds all the same.
        #[test]
        fn lost_datagrams_come_again(losses in prop::collection::vec(0..100u8, 400)) {
            let now = Instant::now();
            let (mut a, mut b) = pair(now);
            let outcomes = shake(now, (&mut a, &mut b), |n| losses.get(n).is_some_and(|chance| *chance >= 80));
            let [Some(Ok(ours)), Some(Ok(theirs))] = outcomes else {
                return Err(TestCaseError::fail("no keys"));
            };
            prop_assert_eq!(ours.send, theirs.receive);
        }

        /// Whatever comes between or instead of the peer's datagrams: nothing panics, nothing grows without end, and no keys come
        /// of it but the right ones.
        #[test]
        fn mutated_datagrams_do_no_harm(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..12),
        ) {
            let now = Instant::now();
            let (mut a, mut b) = pair(now);
            let mut seen: Vec<Vec<u8>> = Vec::new();
            let mut keys = [None, None];
            for round in 0..40u32 {
                let at = now + Duration::from_millis(u64::from(round) * 100);
                for n in [0, 1] {
                    let (from, to) = if n == 0 { (&mut a, &mut b) } else { (&mut b, &mut a) };
                    let _ = from.handle_timeout(at);
                    while let Some(datagram) = from.poll_transmit() {
                        seen.push(datagram.clone());
                        if let Some((which, place, byte, kind)) = changes.get(seen.len() % 13) {
                            let mut mutant = seen[which.index(seen.len())].clone();
                            let place = place.index(mutant.len());
                            match kind {
                                0 => mutant.truncate(place),
                                1 => mutant[place] = *byte,
                                2 => mutant.insert(place, *byte),
                                _ => drop(mutant.remove(place)),
                            }
                            let _ = to.handle_datagram(at, &mutant);
                        }
                        if let Ok(Some(made)) = to.handle_datagram(at, &datagram) {
                            keys[1 - n] = Some(made);
                        }
                    }
                }
            }
            prop_assert!(seen.len() < 1_000);
            if let [Some(ours), Some(theirs)] = keys {
                prop_assert_eq!(ours.send, theirs.receive);
            }
        }
    }
}
