//! The location service (RFC 3261 §10): where each registration is reached now, and the rule that one device at a time holds
//! it.
//!
//! A registration has one contact. The device that holds it refreshes and moves it; any other is refused in words, and
//! nothing it does can push the holder off. Only a takeover, ordered by a signed-in user, changes hands, and it *holds*:
//! until the new holder's session ends, it un-registers, or it has been gone for [`HOLD_WHILE_GONE`], the device that was
//! pushed off is refused although it registers again, so two devices never take turns.

use crate::{
    server::contacts::TAKEOVER_HOLD,
    sip::{flow::Flow, uri::Uri},
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// How long a takeover holds without its holder's contact: long enough for a restart or another network, short enough that a
/// holder that crashed does not keep the desk phone silent.
pub const HOLD_WHILE_GONE: Duration = Duration::from_secs(300);

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
    /// There and back and the device's own time: what it last took to answer a challenge. Not kept over a restart.
    pub latency: Option<Duration>,
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
    #[error(
        "{name} was taken over by a signed-in user: it is free again when that one signs out or is offline for 5 minutes"
    )]
    TakenOver { name: String },
    /// RFC 3261 §10.3 step 7: same Call-ID, and the CSeq is not higher.
    #[error("this REGISTER is older than the one before it")]
    OutOfOrder,
}

/// What of a slot outlives the program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Saved {
    pub contact: Option<Contact>,
    /// Session and instance for which a takeover holds it.
    pub hold: Option<(i64, String)>,
}

/// What a takeover left behind.
#[derive(Clone, Debug)]
struct Hold {
    session: i64,
    instance: String,
    /// `None` while the new holder has its contact: before it has registered, and once its contact is gone, time is short.
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
    /// Slots by the sessions in them, and by the flow of their contact.
    by_session: BTreeSet<(i64, Aor)>,
    by_flow: BTreeSet<(Flow, Aor)>,
    changed: BTreeSet<Aor>,
    /// What [`Location::saved`] answers has changed; and whether the hold has.
    touched: BTreeMap<Aor, bool>,
}

impl Location {
    /// Registers, refreshes or moves a device (RFC 3261 §10.3 steps 6 and 7). `wall` is `now` on the calendar.
    pub fn bind(
        &mut self,
        now: Instant,
        wall: Timestamp,
        aor: &Aor,
        mut binding: Binding,
        expires: Duration,
    ) -> Result<(), Refusal> {
        self.update(now, aor, |slot| {
            slot.admit(aor, &binding)?;
            let since = match &slot.contact {
                Some(held) => {
                    held.in_order(&binding)?;
                    binding.latency = binding.latency.or(held.binding.latency);
                    held.since
                }
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
        for aor in under(&self.by_session, session) {
            self.update(now, &aor, |slot| {
                slot.contact = slot.contact.take().filter(|c| c.binding.session != Some(session));
                slot.hold = slot.hold.take().filter(|hold| hold.session != session);
            });
        }
    }

    /// The registration was disabled, removed or got another password.
    pub fn remove(&mut self, now: Instant, aor: &Aor) {
        self.update(now, aor, |slot| *slot = Slot::default());
    }

    /// The connection a device registered over is gone, and with it the only way to reach it (RFC 5626 §7).
    pub fn flow_lost(&mut self, now: Instant, flow: Flow) {
        for aor in under(&self.by_flow, flow) {
            self.update(now, &aor, |slot| slot.lose_contact(now));
        }
    }

    /// Who holds `aor`.
    pub fn holder(&self, now: Instant, aor: &Aor) -> Option<&Contact> {
        self.slots.get(aor)?.contact.as_ref().filter(|c| c.expires > now)
    }

    /// Whose device registered over this flow.
    pub fn registered_at(&self, flow: Flow) -> Option<Aor> {
        under(&self.by_flow, flow).into_iter().next()
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

    /// A slot to be saved since the last call, each once, and whether its hold changed too.
    pub fn poll_touched(&mut self) -> Option<(Aor, bool)> {
        self.touched.pop_first()
    }

    /// What of a slot outlives the program.
    pub fn saved(&self, aor: &Aor) -> Saved {
        let slot = self.slots.get(aor);
        let hold = slot.and_then(|slot| slot.hold.as_ref()).map(|hold| (hold.session, hold.instance.clone()));
        Saved { contact: slot.and_then(|slot| slot.contact.clone()), hold }
    }

    /// What was saved before the program ended. A taken-over registration waits for its holder as if it had just gone.
    pub fn restore(&mut self, now: Instant, aor: &Aor, saved: Saved) {
        self.update(now, aor, |slot| {
            let lapses = saved.contact.is_none().then(|| now + HOLD_WHILE_GONE);
            slot.contact = saved.contact;
            slot.hold = saved.hold.map(|(session, instance)| Hold { session, instance, lapses });
        });
        self.touched.remove(aor);
    }

    /// The only way a slot changes: what has expired goes first, and the tables beside it follow.
    fn update<R>(&mut self, now: Instant, aor: &Aor, change: impl FnOnce(&mut Slot) -> R) -> R {
        let mut slot = self.slots.remove(aor).unwrap_or_default();
        self.index(&slot, aor, false);
        let (shown, kept) = (slot.shown(), slot.kept());
        slot.lapse(now);
        let result = change(&mut slot);
        if slot.shown() != shown {
            self.changed.insert(aor.clone());
        }
        let now_kept = slot.kept();
        if now_kept != kept {
            *self.touched.entry(aor.clone()).or_default() |= now_kept.1 != kept.1;
        }
        self.index(&slot, aor, true);
        if slot.contact.is_some() || slot.hold.is_some() {
            self.slots.insert(aor.clone(), slot);
        }
        result
    }

    /// Puts a slot into the tables by which it is found, or takes it out of them.
    fn index(&mut self, slot: &Slot, aor: &Aor, there: bool) {
        set(&mut self.deadlines, slot.deadline(), aor, there);
        set(&mut self.by_session, slot.contact.as_ref().and_then(|c| c.binding.session), aor, there);
        set(&mut self.by_session, slot.hold.as_ref().map(|hold| hold.session), aor, there);
        set(&mut self.by_flow, slot.contact.as_ref().map(|c| c.binding.flow), aor, there);
    }
}

fn set<K: Ord>(table: &mut BTreeSet<(K, Aor)>, key: Option<K>, aor: &Aor, there: bool) {
    let Some(key) = key else { return };
    match there {
        true => table.insert((key, aor.clone())),
        false => table.remove(&(key, aor.clone())),
    };
}

fn under<K: Ord + Copy>(table: &BTreeSet<(K, Aor)>, key: K) -> Vec<Aor> {
    let first = Aor { realm: String::new(), name: String::new() };
    table.range((key, first)..).take_while(|(found, _)| *found == key).map(|(_, aor)| aor.clone()).collect()
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

    /// The holder has not signed off, and may come back.
    fn lose_contact(&mut self, at: Instant) {
        self.contact = None;
        if let Some(hold) = &mut self.hold {
            hold.lapses = Some(at + HOLD_WHILE_GONE);
        }
    }

    fn lapse(&mut self, now: Instant) {
        if let Some(expired) = self.contact.as_ref().map(|c| c.expires).filter(|at| *at <= now) {
            self.lose_contact(expired);
        }
        self.hold = self.hold.take().filter(|hold| hold.lapses.is_none_or(|at| at > now));
    }

    fn deadline(&self) -> Option<Instant> {
        let contact = self.contact.as_ref().map(|c| c.expires);
        contact.into_iter().chain(self.hold.as_ref().and_then(|hold| hold.lapses)).min()
    }

    /// Tells whether what is saved has changed: each registration gets a later expiry or another CSeq.
    fn kept(&self) -> (Option<(Instant, u32)>, Option<i64>) {
        let contact = self.contact.as_ref().map(|c| (c.expires, c.binding.cseq));
        (contact, self.hold.as_ref().map(|hold| hold.session))
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
mod tests;
