//! The location service (RFC 3261 §10): where each registration is reached now, and the rule that one device at a time holds
//! it.
//!
//! A registration has one contact. The device that holds it refreshes and moves it; any other is refused in words, and
//! nothing it does can push the holder off. Only a takeover, ordered by a signed-in user, changes hands, and it *holds*:
//! until the new holder's session ends or un-registers, the device that was pushed off is refused although it registers
//! again, so two devices never take turns.

use crate::{
    server::contacts::TAKEOVER_HOLD,
    sip::{flow::Flow, uri::Uri},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// Address of record: `sip:{name}@{realm}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aor {
    /// The account's SIP domain, lower case.
    pub realm: String,
    /// Name of the registration: `100-acme`.
    pub name: String,
}

/// One device as it registered.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    pub uri: Uri,
    /// The flow the REGISTER came over; requests go back over it, which works through any NAT.
    pub flow: Flow,
    /// `+sip.instance` without angle brackets (RFC 5626 §4.1).
    pub instance: Option<String>,
    pub call_id: String,
    pub cseq: u32,
    /// The User-Agent header field, cut to what fits a table.
    pub device: String,
    /// The session whose credential was used; `None` for a device with the lasting password.
    pub session: Option<i64>,
}

/// A binding in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Contact {
    pub binding: Binding,
    /// When this holder took the registration; a refresh does not change it.
    pub since: Timestamp,
    pub expires: Instant,
}

/// Why a REGISTER changes nothing. `Display` is the sentence for the person at the device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "{name} is in use by {device} at {address} since {since}: choose another registration, or take it over in Agent Manager"
    )]
    InUse { name: String, device: String, address: String, since: String },
    #[error("{name} was taken over by a signed-in user: it is free again when that one signs out")]
    TakenOver { name: String },
    /// RFC 3261 §10.3 step 7: same Call-ID, and the CSeq is not higher.
    #[error("this REGISTER is older than the one before it")]
    OutOfOrder,
}

/// What a takeover left behind.
#[derive(Clone, Debug)]
struct Hold {
    session: i64,
    instance: String,
    /// Until the new holder has registered, the hold is short.
    lapses: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    contact: Option<Contact>,
    hold: Option<Hold>,
}

/// All live contacts. At most one for each registration that the store knows, because only those authenticate.
#[derive(Debug, Default)]
pub struct Location {
    slots: BTreeMap<Aor, Slot>,
    /// [`Slot::deadline`] of every slot that has one.
    deadlines: BTreeSet<(Instant, Aor)>,
    changed: BTreeSet<Aor>,
}

impl Location {
    /// Registers, refreshes or moves a device (RFC 3261 §10.3 steps 6 and 7). `wall` is `now` on the calendar.
    pub fn bind(
        &mut self,
        now: Instant,
        wall: Timestamp,
        aor: &Aor,
        binding: Binding,
        expires: Duration,
    ) -> Result<(), Refusal> {
        self.update(now, aor, |slot| {
            slot.admit(aor, &binding)?;
            let since = match &slot.contact {
                Some(held) => held.in_order(&binding).map(|()| held.since)?,
                None => wall,
            };
            if let Some(hold) = &mut slot.hold {
                hold.lapses = None;
            }
            slot.contact = Some(Contact { binding, since, expires: now + expires });
            Ok(())
        })
    }

    /// Un-registers (`Contact: *` or `expires=0`). Only the holder can; for anyone else there is nothing to remove, which is
    /// no error. A holder that gives a taken-over registration up gives it back to all.
    pub fn unbind(&mut self, now: Instant, aor: &Aor, binding: &Binding) -> Result<(), Refusal> {
        self.update(now, aor, |slot| {
            if let Some(held) = slot.contact.as_ref().filter(|held| held.binding.same_device(binding)) {
                held.in_order(binding)?;
                *slot = Slot::default();
            }
            Ok(())
        })
    }

    /// Removes whoever holds `aor`, unless it is this instance already, and keeps others away.
    pub fn take_over(&mut self, now: Instant, aor: &Aor, session: i64, instance: &str) {
        self.update(now, aor, |slot| {
            slot.contact = slot.contact.take().filter(|c| c.binding.is_instance(instance));
            let lapses = slot.contact.is_none().then(|| now + TAKEOVER_HOLD);
            slot.hold = Some(Hold { session, instance: instance.to_owned(), lapses });
        });
    }

    /// Signed out, expired or revoked: its contacts go and its takeovers end.
    pub fn end_session(&mut self, now: Instant, session: i64) {
        self.update_all(now, |slot| {
            slot.contact = slot.contact.take().filter(|c| c.binding.session != Some(session));
            slot.hold = slot.hold.take().filter(|hold| hold.session != session);
        });
    }

    /// The registration was disabled, removed or got another password.
    pub fn remove(&mut self, now: Instant, aor: &Aor) {
        self.update(now, aor, |slot| *slot = Slot::default());
    }

    /// The connection a device registered over is gone, and with it the only way to reach it (RFC 5626 §7).
    pub fn flow_lost(&mut self, now: Instant, flow: Flow) {
        self.update_all(now, |slot| slot.contact = slot.contact.take().filter(|c| c.binding.flow != flow));
    }

    /// Who holds `aor`.
    pub fn holder(&self, now: Instant, aor: &Aor) -> Option<&Contact> {
        self.slots.get(aor)?.contact.as_ref().filter(|c| c.expires > now)
    }

    /// Drops what has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, aor)) = self.deadlines.first().cloned()
            && at <= now
        {
            self.update(now, &aor, |_| ());
        }
    }

    /// When [`Location::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A registration that changed hands since the last call, each once.
    pub fn poll_changed(&mut self) -> Option<Aor> {
        self.changed.pop_first()
    }

    /// The only way a slot changes: what has expired goes first, and the tables beside it follow.
    fn update<R>(&mut self, now: Instant, aor: &Aor, change: impl FnOnce(&mut Slot) -> R) -> R {
        let mut slot = self.slots.remove(aor).unwrap_or_default();
        if let Some(at) = slot.deadline() {
            self.deadlines.remove(&(at, aor.clone()));
        }
        let shown = slot.shown();
        slot.lapse(now);
        let result = change(&mut slot);
        if slot.shown() != shown {
            self.changed.insert(aor.clone());
        }
        if let Some(at) = slot.deadline() {
            self.deadlines.insert((at, aor.clone()));
        }
        if slot.contact.is_some() || slot.hold.is_some() {
            self.slots.insert(aor.clone(), slot);
        }
        result
    }

    fn update_all(&mut self, now: Instant, change: impl Fn(&mut Slot)) {
        let all: Vec<Aor> = self.slots.keys().cloned().collect();
        for aor in &all {
            self.update(now, aor, &change);
        }
    }
}

impl Slot {
    /// Whether this device may hold the registration.
    fn admit(&self, aor: &Aor, binding: &Binding) -> Result<(), Refusal> {
        if let Some(held) = self.contact.as_ref().filter(|held| !held.binding.same_device(binding)) {
            return Err(held.in_use(aor));
        }
        match &self.hold {
            Some(hold) if !binding.is_instance(&hold.instance) => Err(Refusal::TakenOver { name: aor.name.clone() }),
            Some(_) | None => Ok(()),
        }
    }

    fn lapse(&mut self, now: Instant) {
        self.contact = self.contact.take().filter(|c| c.expires > now);
        self.hold = self.hold.take().filter(|hold| hold.lapses.is_none_or(|at| at > now));
    }

    fn deadline(&self) -> Option<Instant> {
        let contact = self.contact.as_ref().map(|c| c.expires);
        contact.into_iter().chain(self.hold.as_ref().and_then(|hold| hold.lapses)).min()
    }

    /// What people see in the list of registrations.
    fn shown(&self) -> Option<(String, Flow, Option<i64>)> {
        self.contact.as_ref().map(|c| (c.binding.device.clone(), c.binding.flow, c.binding.session))
    }
}

impl Contact {
    fn in_use(&self, aor: &Aor) -> Refusal {
        Refusal::InUse {
            name: aor.name.clone(),
            device: self.binding.device.clone(),
            address: self.binding.flow.remote.ip().to_string(),
            since: self.since.strftime("%H:%M UTC").to_string(),
        }
    }

    fn in_order(&self, later: &Binding) -> Result<(), Refusal> {
        let stale = self.binding.call_id == later.call_id && later.cseq <= self.binding.cseq;
        if stale { Err(Refusal::OutOfOrder) } else { Ok(()) }
    }
}

impl Binding {
    /// Whether it comes from this installation; URNs compare without case (RFC 8141 §3.1).
    pub fn is_instance(&self, id: &str) -> bool {
        self.instance.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(id))
    }

    /// The same device again: by its instance id; one without is told by its contact URI or by its Call-ID (RFC 3261 §10.2.4
    /// asks it to keep both).
    fn same_device(&self, other: &Self) -> bool {
        match (&self.instance, &other.instance) {
            (Some(mine), Some(theirs)) => mine.eq_ignore_ascii_case(theirs),
            (None, None) => self.call_id == other.call_id || self.uri.equivalent(&other.uri),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
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
                Held(device) => {
                    let held = location.holder(now, &aor()).map(|c| c.binding.call_id.clone());
                    assert_eq!(held, device.map(|d| d.binding(0).call_id), "step {n}");
                }
            }
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
            (
                "nobody un-registers another",
                &[(0, Register(Desk, None)), (5, Unregister(Laptop)), (5, Held(Some(Desk)))],
            ),
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
}
