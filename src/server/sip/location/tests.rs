//! The rule of one device, as stories.

use super::*;
use crate::sip::{
    flow::Transport,
    uri::{Host, SipUri},
};

/// What happens at a second of the story.
enum Step {
    /// A device registers; the refusal contains these words, or is none.
    Register(Device, Option<&'static str>),
    Unregister(Device),
    TakeOver(Device),
    EndSession(i64),
    FlowLost(Device),
    Remove,
    /// The program ends and starts again; the contact is read again or, over a connection, is not.
    Restart {
        contact: bool,
    },
    /// Who holds it then.
    Held(Option<Device>),
}
use Step::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Device {
    Desk,
    /// The desk phone after a restart: another Call-ID, the same Contact.
    DeskRestarted,
    OtherDesk,
    Laptop,
    /// The same installation on another network.
    LaptopMoved,
    Tablet,
}
use Device::*;

impl Device {
    fn binding(self, cseq: u32) -> Binding {
        let (port, instance, call_id, device, session) = match self {
            Desk => (5070, None, "desk", "Yealink T46S", None),
            DeskRestarted => (5070, None, "desk again", "Yealink T46S", None),
            OtherDesk => (5071, None, "other", "Snom D785", None),
            Laptop => (5072, Some("urn:uuid:laptop"), "laptop", "Agent Manager", Some(1)),
            LaptopMoved => (5073, Some("urn:uuid:LAPTOP"), "laptop moved", "Agent Manager", Some(1)),
            Tablet => (5074, Some("urn:uuid:tablet"), "tablet", "Agent Manager", Some(2)),
        };
        let remote = ([10, 0, 0, 12], port).into();
        let host = Host::Ip([10, 0, 0, 12].into());
        Binding {
            uri: Uri::Sip(SipUri::new(Some("100"), host, Some(port))),
            flow: Flow { transport: Transport::Udp, remote },
            instance: instance.map(str::to_owned),
            call_id: call_id.to_owned(),
            cseq,
            device: device.to_owned(),
            session,
            latency: None,
        }
    }
}

fn aor() -> Aor {
    Aor { realm: "acme".into(), name: "100-acme".into() }
}

/// Plays a story; every registration is for 60 s. The instant after it, so that the caller can look further.
fn play(story: &[(u64, Step)]) -> (Location, Instant) {
    let start = Instant::now();
    let morning: Timestamp = "2026-01-05T08:02:00Z".parse().expect("a valid timestamp");
    let mut location = Location::default();
    let mut now = start;
    for (n, (second, step)) in story.iter().enumerate() {
        now = start + Duration::from_secs(*second);
        let cseq = n as u32 + 1;
        match step {
            Register(device, refused) => {
                let wall = morning + Duration::from_secs(*second);
                let answer = location.bind(now, wall, &aor(), device.binding(cseq), Duration::from_secs(60));
                match (refused, answer) {
                    (None, answer) => assert_eq!(answer, Ok(()), "step {n}"),
                    (Some(words), Ok(())) => panic!("step {n}: {device:?} got in, {words:?} expected"),
                    (Some(words), Err(why)) => {
                        assert!(why.to_string().contains(words), "step {n}: {why} lacks {words:?}");
                    }
                }
            }
            Unregister(device) => assert_eq!(location.unbind(now, &aor(), &device.binding(cseq)), Ok(())),
            TakeOver(device) => {
                let b = device.binding(cseq);
                let session = b.session.expect("a takeover is a session's");
                location.take_over(now, &aor(), session, &b.instance.expect("a takeover is an instance's"));
            }
            EndSession(session) => location.end_session(now, *session),
            FlowLost(device) => location.flow_lost(now, device.binding(cseq).flow),
            Remove => location.remove(now, &aor()),
            Restart { contact } => {
                let mut saved = location.saved(&aor());
                saved.contact = saved.contact.filter(|_| *contact);
                location = Location::default();
                location.restore(now, &aor(), saved);
                assert_eq!(location.poll_touched(), None, "step {n}: what was read is not written again");
            }
            Held(device) => {
                let held = location.holder(now, &aor()).map(|c| c.binding.call_id.clone());
                assert_eq!(held, device.map(|d| d.binding(0).call_id), "step {n}");
            }
        }
        let slot = location.slots.get(&aor());
        let contact = slot.and_then(|slot| slot.contact.as_ref()).map(|contact| &contact.binding);
        let hold = slot.and_then(|slot| slot.hold.as_ref()).map(|hold| hold.session);
        let sessions = [contact.and_then(|binding| binding.session), hold].into_iter().flatten();
        assert_eq!(location.by_session, sessions.map(|session| (session, aor())).collect(), "step {n}");
        assert_eq!(location.by_flow, contact.map(|binding| (binding.flow, aor())).into_iter().collect(), "step {n}");
    }
    (location, now)
}

const IN_USE: Option<&str> = Some("in use by Yealink T46S at 10.0.0.12 since 08:02 UTC");
const TAKEN: Option<&str> = Some("taken over");

#[test]
fn one_device_at_a_time() {
    let stories: &[(&str, &[(u64, Step)])] = &[
        (
            "a second device is refused in words",
            &[(0, Register(Desk, None)), (5, Register(Laptop, IN_USE)), (5, Held(Some(Desk)))],
        ),
        ("so is a second one without an instance", &[(0, Register(Desk, None)), (5, Register(OtherDesk, IN_USE))]),
        (
            "a refresh keeps it and its age",
            &[(0, Register(Desk, None)), (50, Register(Desk, None)), (100, Register(Laptop, IN_USE))],
        ),
        (
            "the same contact after a restart",
            &[(0, Register(Desk, None)), (9, Register(DeskRestarted, None)), (9, Held(Some(DeskRestarted)))],
        ),
        (
            "the same instance elsewhere replaces",
            &[(0, Register(Laptop, None)), (9, Register(LaptopMoved, None)), (9, Held(Some(LaptopMoved)))],
        ),
        (
            "expiry frees it",
            &[(0, Register(Desk, None)), (59, Held(Some(Desk))), (60, Held(None)), (60, Register(Laptop, None))],
        ),
        (
            "un-registering frees it",
            &[(0, Register(Desk, None)), (5, Unregister(Desk)), (5, Held(None)), (6, Register(Laptop, None))],
        ),
        ("nobody un-registers another", &[(0, Register(Desk, None)), (5, Unregister(Laptop)), (5, Held(Some(Desk)))]),
        ("a lost connection frees it", &[(0, Register(Desk, None)), (5, FlowLost(Desk)), (5, Held(None))]),
        ("a revoked registration has no contact", &[(0, Register(Desk, None)), (5, Remove), (5, Held(None))]),
        (
            "a session that ends takes its contact",
            &[
                (0, Register(Laptop, None)),
                (5, EndSession(2)),
                (5, Held(Some(Laptop))),
                (6, EndSession(1)),
                (6, Held(None)),
            ],
        ),
    ];
    for (name, story) in stories {
        println!("{name}");
        play(story);
    }
}

#[test]
fn a_restart_forgets_nobody() {
    let stories: &[(&str, &[(u64, Step)])] = &[
        (
            "the holder keeps it, until it expires",
            &[
                (0, Register(Desk, None)),
                (5, Restart { contact: true }),
                (5, Held(Some(Desk))),
                (6, Register(Laptop, IN_USE)),
                (59, Held(Some(Desk))),
                (60, Held(None)),
            ],
        ),
        (
            "a takeover holds for a device whose connection went down with the program",
            &[
                (0, Register(Desk, None)),
                (5, TakeOver(Laptop)),
                (6, Register(Laptop, None)),
                (7, Restart { contact: false }),
                (8, Register(Desk, TAKEN)),
                (9, Register(Laptop, None)),
                (9, EndSession(1)),
                (9, Register(Desk, None)),
            ],
        ),
    ];
    for (name, story) in stories {
        println!("{name}");
        play(story);
    }
}

#[test]
fn what_changes_is_saved_and_nothing_else() {
    let (mut location, start) = (Location::default(), Instant::now());
    let wall = Timestamp::UNIX_EPOCH;
    let minute = Duration::from_secs(60);
    let register = |location: &mut Location, device: Device, cseq: u32| {
        let _ = location.bind(start, wall, &aor(), device.binding(cseq), minute);
        location.poll_touched().map(|(_, hold)| hold)
    };
    assert_eq!(register(&mut location, Desk, 1), Some(false));
    assert_eq!(register(&mut location, Desk, 2), Some(false), "a refresh lasts longer");
    assert_eq!(register(&mut location, OtherDesk, 3), None, "refused");
    location.take_over(start, &aor(), 1, "urn:uuid:laptop");
    assert_eq!(location.poll_touched().map(|(_, hold)| hold), Some(true));
    assert_eq!(register(&mut location, Laptop, 4), Some(false));
    location.end_session(start, 1);
    assert_eq!(location.poll_touched().map(|(_, hold)| hold), Some(true));
    assert_eq!(location.saved(&aor()), Saved::default());
}

#[test]
fn a_takeover_holds() {
    let stories: &[(&str, &[(u64, Step)])] = &[
        (
            "the device pushed off does not come back, not even once the new holder's contact has lapsed",
            &[
                (0, Register(Desk, None)),
                (5, TakeOver(Laptop)),
                (5, Held(None)),
                (6, Register(Desk, TAKEN)),
                (7, Register(Laptop, None)),
                (8, Register(Desk, Some("in use by Agent Manager"))),
                (40, Register(Desk, Some("in use by Agent Manager"))),
                (80, Held(None)),
                (80, Register(Desk, TAKEN)),
                (81, Register(Laptop, None)),
            ],
        ),
        (
            "the end of the session gives it back",
            &[
                (0, Register(Desk, None)),
                (1, TakeOver(Laptop)),
                (2, Register(Laptop, None)),
                (9, EndSession(1)),
                (9, Register(Desk, None)),
            ],
        ),
        (
            "so does un-registering",
            &[
                (0, Register(Desk, None)),
                (1, TakeOver(Laptop)),
                (2, Register(Laptop, None)),
                (9, Unregister(Laptop)),
                (9, Register(Desk, None)),
            ],
        ),
        (
            "a takeover that never registers lapses",
            &[
                (0, Register(Desk, None)),
                (1, TakeOver(Laptop)),
                (30, Register(Desk, TAKEN)),
                (31, Register(Desk, None)),
            ],
        ),
        (
            "the last takeover counts",
            &[
                (0, TakeOver(Laptop)),
                (1, Register(Laptop, None)),
                (2, TakeOver(Tablet)),
                (3, Register(Laptop, TAKEN)),
                (4, Register(Tablet, None)),
                (5, EndSession(1)),
                (5, Held(Some(Tablet))),
            ],
        ),
        (
            "taking over what one holds keeps it",
            &[
                (0, Register(Laptop, None)),
                (1, TakeOver(Laptop)),
                (1, Held(Some(Laptop))),
                (40, Register(LaptopMoved, None)),
            ],
        ),
    ];
    for (name, story) in stories {
        println!("{name}");
        play(story);
    }
}

#[test]
fn a_takeover_ends_when_its_holder_is_gone() {
    let stories: &[(&str, &[(u64, Step)])] = &[
        (
            "a holder that crashed gives it back some minutes after its contact expired, and not before",
            &[
                (0, Register(Desk, None)),
                (1, TakeOver(Laptop)),
                (2, Register(Laptop, None)),
                (361, Register(Desk, TAKEN)),
                (362, Register(Desk, None)),
                (363, Register(Laptop, Some("in use by Yealink T46S"))),
            ],
        ),
        (
            "so does one whose connection broke",
            &[
                (1, TakeOver(Laptop)),
                (2, Register(Laptop, None)),
                (10, FlowLost(Laptop)),
                (309, Register(Desk, TAKEN)),
                (310, Register(Desk, None)),
            ],
        ),
        (
            "one that comes back in time keeps it as long as it lives",
            &[
                (1, TakeOver(Laptop)),
                (2, Register(Laptop, None)),
                (10, FlowLost(Laptop)),
                (300, Register(LaptopMoved, None)),
                (340, Register(LaptopMoved, None)),
                (390, Register(LaptopMoved, None)),
                (440, Register(LaptopMoved, None)),
                (490, Register(LaptopMoved, None)),
                (540, Register(LaptopMoved, None)),
                (590, Register(LaptopMoved, None)),
                (640, Register(LaptopMoved, None)),
                (690, Register(LaptopMoved, None)),
                (701, Register(Desk, Some("in use by Agent Manager"))),
                (800, Register(Desk, TAKEN)),
                (801, EndSession(1)),
                (801, Register(Desk, None)),
            ],
        ),
    ];
    for (name, story) in stories {
        println!("{name}");
        play(story);
    }
}

#[test]
fn an_older_register_changes_nothing() {
    let (mut location, now) = play(&[(0, Register(Desk, None))]);
    let old = Desk.binding(1);
    let wall = Timestamp::UNIX_EPOCH;
    assert_eq!(location.bind(now, wall, &aor(), old.clone(), Duration::from_secs(60)), Err(Refusal::OutOfOrder));
    assert_eq!(location.unbind(now, &aor(), &old), Err(Refusal::OutOfOrder));
    assert!(location.holder(now, &aor()).is_some());
}

#[test]
fn changes_are_told_once_and_tables_empty_themselves() {
    let (mut location, now) = play(&[(0, Register(Desk, None)), (1, Register(Desk, None))]);
    assert_eq!(location.poll_changed(), Some(aor()));
    assert_eq!(location.poll_changed(), None);
    let end = location.poll_timeout().expect("a contact expires");
    assert_eq!(end, now + Duration::from_secs(60));
    location.handle_timeout(end);
    assert_eq!(location.poll_changed(), Some(aor()));
    assert_eq!(location.poll_timeout(), None);
    assert!(location.slots.is_empty() && location.deadlines.is_empty());
}
