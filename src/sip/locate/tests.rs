//! Zones written down as tables, and what is made of them.

use super::*;
use proptest::prelude::*;

fn naptr(order: u16, preference: u16, services: &str, replacement: &str) -> Naptr {
    Naptr { order, preference, flags: "s".into(), services: services.into(), replacement: replacement.into() }
}

fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
    Srv { priority, weight, port, target: target.into() }
}

/// What the world knows of `pbx.test`.
fn zone(question: &Question) -> Answer {
    match question {
        Question::Naptr(name) => Answer::Naptr(match name.as_str() {
            "pbx.test" => vec![
                naptr(30, 1, "SIP+D2U", "_sip._udp.pbx.test"),
                naptr(20, 2, "SIPS+D2T", "_sips._tcp.pbx.test"),
                naptr(20, 1, "SIP+D2T", "elsewhere.test"),
                Naptr { flags: "u".into(), ..naptr(1, 1, "SIP+D2U", "regexp.test") },
                naptr(2, 1, "E2U+sip", "enum.test"),
            ],
            _ => Vec::new(),
        }),
        Question::Srv(name) => Answer::Srv(match name.as_str() {
            "_sip._udp.pbx.test" | "_sip._udp.srv.test" => vec![srv(20, 0, 5062, "b.test"), srv(10, 5, 5060, "a.test")],
            "_sips._tcp.pbx.test" => vec![srv(1, 0, 5071, "six.test")],
            "elsewhere.test" => vec![srv(1, 1, 5080, "b.test")],
            "_sip._udp.none.test" => vec![srv(0, 0, 0, ".")],
            "_sip._udp.gone.test" => vec![srv(0, 0, 5060, "nowhere.test")],
            "_sip._udp.slow.test" => return Answer::Failed,
            _ => Vec::new(),
        }),
        Question::Addresses(name) => Answer::Addresses(match name.as_str() {
            "a.test" | "plain.test" | "slow.test" => vec![[10, 0, 0, 1].into()],
            "b.test" => vec!["2001:db8::2".parse().expect("an address"), [10, 0, 0, 2].into()],
            "six.test" => vec!["2001:db8::6".parse().expect("an address")],
            "deaf.test" => return Answer::Failed,
            _ => Vec::new(),
        }),
    }
}

/// What a URI leads to, and the number of rounds of questions.
fn locate(uri: &str, default: Transport, only: Option<Transport>) -> (Result<Vec<String>, String>, usize) {
    let target = Target::of(&uri.parse().expect(uri), default).expect(uri);
    let mut locate = Locate::new(&target, only).expect("a name");
    let (mut answers, mut rounds, mut entropy) = (Vec::new(), 0, Entropy::from_seed(1));
    loop {
        match locate.next(std::mem::take(&mut answers), &mut entropy) {
            Step::Ask(questions) => {
                rounds += 1;
                assert!(rounds <= 4 && !questions.is_empty(), "{uri}");
                answers = questions.iter().map(zone).collect();
            }
            Step::Found(flows) => return (Ok(flows.iter().map(Flow::to_string).collect()), rounds),
            Step::Failed(why) => return (Err(why), rounds),
        }
    }
}

#[test]
fn what_the_dns_says_is_followed() {
    use Transport::{Tcp, Tls, Udp};
    for (uri, default, only, expected, rounds) in [
        // The domain prefers TCP; nobody insisted on anything.
        ("sip:pbx.test", Udp, None, &["tcp:[2001:db8::2]:5080", "tcp:10.0.0.2:5080"][..], 3),
        // A transport that is insisted on, by the URI or the settings, is kept.
        ("sip:pbx.test", Udp, Some(Udp), &["udp:10.0.0.1:5060", "udp:[2001:db8::2]:5062", "udp:10.0.0.2:5062"], 2),
        (
            "sip:pbx.test;transport=udp",
            Udp,
            None,
            &["udp:10.0.0.1:5060", "udp:[2001:db8::2]:5062", "udp:10.0.0.2:5062"],
            2,
        ),
        ("sips:pbx.test", Udp, None, &["tls:[2001:db8::6]:5071"], 2),
        ("sip:pbx.test", Tls, Some(Tls), &["tls:[2001:db8::6]:5071"], 2),
        // A port says it all.
        ("sip:a.test:5070", Udp, None, &["udp:10.0.0.1:5070"], 1),
        ("sip:a.test:5070", Tls, Some(Tls), &["tls:10.0.0.1:5070"], 1),
        // SRV without NAPTR.
        ("sip:srv.test", Udp, None, &["udp:10.0.0.1:5060", "udp:[2001:db8::2]:5062", "udp:10.0.0.2:5062"], 2),
        // Neither: the host with the default port.
        ("sip:plain.test", Udp, None, &["udp:10.0.0.1:5060"], 2),
        ("sip:plain.test", Tcp, Some(Tcp), &["tcp:10.0.0.1:5060"], 2),
        ("sips:plain.test", Udp, None, &["tls:10.0.0.1:5061"], 2),
        // A resolver that knows nothing of SRV does not stand in the way.
        ("sip:slow.test", Udp, None, &["udp:10.0.0.1:5060"], 2),
    ] {
        let (found, asked) = locate(uri, default, only);
        assert_eq!(found.expect(uri), expected, "{uri} {only:?}");
        assert_eq!(asked, rounds, "{uri} {only:?}");
    }
}

#[test]
fn what_cannot_be_found_is_a_sentence() {
    for (uri, said) in [
        ("sip:nowhere.test", "nowhere.test cannot be found; check the address"),
        ("sip:gone.test", "gone.test cannot be found"),
        ("sip:deaf.test", "deaf.test cannot be looked up now; check your network"),
        ("sip:none.test", "none.test offers no calls over udp"),
    ] {
        let why = locate(uri, Transport::Udp, None).0.expect_err(uri);
        assert!(why.contains(said), "{why}");
    }
    assert!(
        Locate::new(&Target::of(&"sip:10.0.0.1".parse().expect("a URI"), Transport::Udp).expect("a target"), None)
            .is_none()
    );
}

#[test]
fn weights_are_shares_and_a_seed_stays_with_its_server() {
    let records = || {
        vec![srv(10, 60, 1, "a"), srv(10, 40, 2, "b"), srv(10, 0, 3, "c"), srv(5, 0, 4, "first"), srv(20, 9, 5, "last")]
    };
    let mut firsts = [0; 3];
    for seed in 0..10_000 {
        let order = in_order(records(), &mut Entropy::from_seed(seed));
        assert_eq!((order[0].target.as_str(), order[4].target.as_str()), ("first", "last"));
        firsts[usize::from(order[1].port) - 1] += 1;
        let mut shuffled = records();
        shuffled.rotate_left((seed % 5) as usize);
        assert_eq!(in_order(shuffled, &mut Entropy::from_seed(seed)), order, "whatever the answer's order");
    }
    assert!((5_700..6_200).contains(&firsts[0]) && (3_700..4_200).contains(&firsts[1]), "{firsts:?}");
    assert!((1..300).contains(&firsts[2]), "without weight it is drawn seldom, but drawn: {firsts:?}");
}

mod properties {
    use super::*;
    use crate::properties::config;

    proptest! {
        #![proptest_config(config(256, 3263))]

        /// Nothing is lost or made up, priorities are kept, whatever the weights.
        #[test]
        fn an_order_of_all_by_priority(
            records in prop::collection::vec((0..4u16, any::<u16>(), any::<u16>()), 0..MAX_RECORDS), seed: u64
        ) {
            let records: Vec<Srv> = records.into_iter().map(|(p, w, port)| srv(p, w, port, "x")).collect();
            let order = in_order(records.clone(), &mut Entropy::from_seed(seed));
            prop_assert!(order.is_sorted_by_key(|srv| srv.priority));
            let sorted = |mut list: Vec<Srv>| {
                list.sort_by_key(|srv| (srv.priority, srv.weight, srv.port));
                list
            };
            prop_assert_eq!(sorted(order), sorted(records));
        }

        /// Whatever is answered, it ends, within bounds.
        #[test]
        fn it_ends(seed: u64, sizes in prop::collection::vec(0..100usize, 40)) {
            let target = Target::of(&"sip:pbx.test".parse().expect("a URI"), Transport::Udp).expect("a target");
            let (mut locate, mut entropy) = (Locate::new(&target, None).expect("a name"), Entropy::from_seed(seed));
            let mut sizes = sizes.into_iter().cycle();
            let mut answers = Vec::new();
            for round in 0.. {
                prop_assert!(round < 5);
                match locate.next(std::mem::take(&mut answers), &mut entropy) {
                    Step::Ask(questions) => answers = questions.iter().map(|question| {
                        let size = sizes.next().unwrap_or_default();
                        match question {
                            Question::Naptr(_) => Answer::Naptr(vec![naptr(1, 1, "SIP+D2U", "x.test"); size % 3]),
                            Question::Srv(_) if size % 7 == 0 => Answer::Failed,
                            Question::Srv(_) => Answer::Srv((0..size).map(|n| srv(1, 1, n as u16, "a.test")).collect()),
                            Question::Addresses(_) => Answer::Addresses((0..size).map(|n| [10, 0, 1, n as u8].into()).collect()),
                        }
                    }).collect(),
                    Step::Found(flows) => {
                        prop_assert!(!flows.is_empty() && flows.len() <= MAX_FLOWS);
                        break;
                    }
                    Step::Failed(_) => break,
                }
            }
        }
    }
}
