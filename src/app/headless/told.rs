//! What was told already, so that nothing is told twice; and what shows that calls can arrive.

use crate::{
    driver::api::{Event, LoginState, Tagged},
    headless::event::{self, Proof},
    ua::api::{ProvedBy, Reachable, RegistrationState},
};
use std::time::Instant;

#[derive(Default)]
pub(super) struct Told {
    /// The TMS took the login: the end of a session is no refused login.
    pub initialized: bool,
    registration: Option<(String, RegistrationState)>,
    /// The last one that calls can arrive, and when it came.
    proof: Option<(Reachable, Instant)>,
    /// Kinds of proof that were told since the registration came online.
    kinds: Vec<ProvedBy>,
    /// Whether the TMS has this device as the holder, as it has said since then.
    tms_sees: Option<bool>,
    told_sees: Option<bool>,
}

impl Told {
    /// The lines of an event. `xml`: a TMS that may not tell devices apart.
    pub fn lines(&mut self, now: Instant, event: &Tagged<Event>, xml: bool) -> Vec<String> {
        if self.has_said(now, event, xml) {
            return Vec::new();
        }
        let line = event::line_with(event, self.proof(now));
        if matches!(&event.what, Event::Registration { .. } | Event::Reachable { .. }) {
            self.told_sees = self.tms_sees;
        }
        line.into_iter().chain(self.is_seen(now)).collect()
    }

    /// Whether the event says nothing new to who reads lines: a refreshed registration.
    fn has_said(&mut self, now: Instant, event: &Tagged<Event>, xml: bool) -> bool {
        match &event.what {
            Event::Registration { name, state } => {
                let said = Some((name.clone(), state.clone()));
                let repeats = event.id.is_none() && self.registration == said;
                let was_online = self.online() == Some(name);
                self.registration = said;
                if !matches!(state, RegistrationState::Online { .. }) {
                    self.kinds.clear();
                }
                if !was_online {
                    // What the TMS said before says nothing of us now.
                    (self.tms_sees, self.told_sees) = (None, None);
                }
                repeats
            }
            // Each kind once; being online is told with the first.
            Event::Reachable { proof, .. } => {
                self.proof = Some((*proof, now));
                let repeats = proof.by == ProvedBy::Register || self.kinds.contains(&proof.by);
                if !repeats {
                    self.kinds.push(proof.by);
                }
                repeats
            }
            Event::Registrations(list) => {
                let row = self.online().and_then(|name| list.iter().find(|row| row.name == name));
                let sees = row.map(|row| row.in_use.as_ref().is_some_and(|holder| holder.this_device));
                self.tms_sees = sees.filter(|sees| *sees || !xml);
                false
            }
            Event::Login(LoginState::Initialized(_)) => {
                self.initialized = true;
                false
            }
            _ => false,
        }
    }

    fn online(&self) -> Option<&str> {
        match &self.registration {
            Some((name, RegistrationState::Online { .. })) => Some(name),
            _ => None,
        }
    }

    fn proof(&self, now: Instant) -> Option<Proof> {
        let (reachable, at) = self.proof?;
        Some(Proof { reachable, age: now.saturating_duration_since(at), tms_sees: self.tms_sees })
    }

    /// The TMS sees this device now, or no longer does. That it does not yet is told with the next proof: its list may be about
    /// to come.
    fn is_seen(&mut self, now: Instant) -> Option<String> {
        let name = self.online()?.to_owned();
        let is_news = match (self.told_sees, self.tms_sees) {
            (before, Some(true)) => before != Some(true),
            (before, Some(false)) => before == Some(true),
            (_, None) => false,
        };
        let proof = self.proof(now).filter(|_| is_news)?;
        self.told_sees = self.tms_sees;
        Some(event::online(&name, proof))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tms::wire;
    use serde_json::{Value, json};
    use std::time::Duration;

    fn about(state: RegistrationState) -> Tagged<Event> {
        Tagged { id: None, what: Event::Registration { name: "100".into(), state } }
    }

    fn online() -> Tagged<Event> {
        about(RegistrationState::Online { expires: Duration::from_secs(60) })
    }

    #[test]
    fn a_registration_is_told_when_it_changes_or_was_asked_for() {
        let (mut told, now) = (Told::default(), Instant::now());
        let mut is_told = |event: Tagged<Event>| told.lines(now, &event, false).len() == 1;
        assert!(is_told(about(RegistrationState::Registering)));
        assert!(is_told(online()));
        assert!(!is_told(online()));
        assert!(is_told(Tagged { id: Some("select again".into()), ..online() }));
        assert!(is_told(about(RegistrationState::Registering)));
        assert!(is_told(online()));
    }

    /// The TMS's list, in which `holder` has the registration: this device or another.
    fn list(holder: Option<bool>) -> Tagged<Event> {
        let row = wire::Registration {
            name: "100".into(),
            extension: "100".into(),
            kind: wire::Kind::P,
            label: String::new(),
            ring_inbound: true,
            in_use: holder.map(|this_device| wire::InUse {
                device: "We".into(),
                address: "10.0.0.1:1".into(),
                since: "2026-01-01T08:00:00Z".parse().expect("a time"),
                this_device,
            }),
        };
        Tagged { id: None, what: Event::Registrations(vec![row]) }
    }

    #[test]
    fn e2_with_a_tms_the_proof_says_whether_it_sees_this_device_too() {
        let mut now = Instant::now();
        let mut told = Told::default();
        let mut proofs = |event: Tagged<Event>, xml| {
            now += Duration::from_secs(5);
            let lines = told.lines(now, &event, xml);
            let line = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            line.filter(|line| line["event"] == "registration").map(|line| line["proof"].clone()).collect::<Vec<_>>()
        };
        let reachable = |by| {
            let proof = Reachable { by, is_listed: true };
            Tagged { id: None, what: Event::Reachable { name: "100".into(), proof } }
        };
        let proof = |by: &str, age: u64, sees: Option<bool>| match sees {
            Some(sees) => json!({"by": by, "contact_listed": true, "tms_sees": sees, "age_s": age}),
            None => json!({"by": by, "contact_listed": true, "age_s": age}),
        };
        // Somebody else held it before: that is no word about us.
        assert_eq!(proofs(list(Some(false)), false), Vec::<Value>::new());
        assert_eq!(proofs(reachable(ProvedBy::Register), false), Vec::<Value>::new());
        assert_eq!(proofs(online(), false), [proof("register", 5, None)]);
        assert_eq!(proofs(list(None), false), Vec::<Value>::new(), "its list may be about to come");
        assert_eq!(proofs(list(Some(true)), false), [proof("register", 15, Some(true))]);
        assert_eq!(proofs(list(Some(true)), false), Vec::<Value>::new(), "told once");
        assert_eq!(proofs(reachable(ProvedBy::Pong), false), [proof("pong", 0, Some(true))]);
        assert_eq!(proofs(list(None), false), [proof("pong", 5, Some(false))], "it has lost us");
        assert_eq!(proofs(list(Some(true)), false), [proof("pong", 10, Some(true))]);
        // One that does not tell devices apart cannot miss us.
        assert_eq!(proofs(list(Some(false)), true), Vec::<Value>::new());
        proofs(about(RegistrationState::Registering), false);
        assert_eq!(proofs(online(), false), [proof("pong", 25, None)]);
    }
}
