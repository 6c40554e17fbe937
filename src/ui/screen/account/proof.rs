//! What shows that calls can reach this computer, and which of it does not.

use crate::ui::{
    format::age,
    snapshot::{Proof, ProvedBy, Snapshot, Status},
    text::{fill, t},
};
use std::time::{Duration, Instant};

/// One thing that shows it, or fails to.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    pub text: String,
    pub holds: bool,
}

/// An answer that is older shows nothing any more: servers are asked every minute or two, registrations are refreshed at least
/// that often.
const OLD: Duration = Duration::from_secs(900);

/// While `registration` is online here: each check, the server's own word first.
pub fn checks(snapshot: &Snapshot, registration: &str, now: Instant) -> Vec<Check> {
    let Status::Online { registration: online, confirmed, .. } = &snapshot.status else { return vec![] };
    if online != registration {
        return vec![];
    }
    if snapshot.sip_account.as_ref().is_some_and(|account| !account.register) {
        return vec![Check { text: t().not_registering.to_owned(), holds: true }];
    }
    let old = now.saturating_duration_since(*confirmed);
    let answer = |template: &str, holds| Check { text: fill(template, &[&age(old)]), holds };
    let mut checks = vec![];
    if let Some(Proof { by, is_listed }) = &snapshot.proof {
        let text = if *is_listed { t().proof_listed } else { t().proof_not_listed };
        checks.push(Check { text: text.to_owned(), holds: *is_listed });
        checks.push(match by {
            _ if old >= OLD => answer(t().proof_old, false),
            ProvedBy::Register => answer(t().proof_registered, true),
            ProvedBy::Answer => answer(t().proof_answered, true),
        });
    } else {
        checks.push(answer(t().confirmed, old < OLD));
    }
    // The TMS keeps who holds each; its list may be about to come.
    let row = snapshot.registrations.iter().find(|row| row.name == registration);
    let sees = row.map(|row| row.in_use.as_ref().is_some_and(|holder| holder.this_device));
    // One that has only the XML API does not tell devices apart.
    checks.extend(sees.filter(|sees| *sees || !snapshot.sign_in.xml).map(|holds| {
        let text = if holds { t().proof_tms } else { t().proof_not_tms };
        Check { text: text.to_owned(), holds }
    }));
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::snapshot::{InUse, RegistrationRow};

    /// E2: which of them fails is said.
    #[test]
    fn e2_each_failing_check_has_words_of_its_own() {
        let now = Instant::now();
        let shown = |age: u64, is_listed, holder: Option<bool>, xml| {
            let mut snapshot = Snapshot::default();
            let confirmed = now.checked_sub(Duration::from_secs(age)).expect("the computer runs that long");
            snapshot.status = Status::Online { registration: "100".into(), since: confirmed, confirmed };
            snapshot.proof = Some(Proof { by: ProvedBy::Answer, is_listed });
            snapshot.sign_in.xml = xml;
            let in_use = holder.map(|this_device| InUse {
                device: "Agent Manager".into(),
                address: "10.0.0.31".into(),
                since: "09:40".into(),
                this_device,
            });
            snapshot.registrations = vec![RegistrationRow {
                name: "100".into(),
                extension: "100".into(),
                primary: true,
                label: String::new(),
                ring_inbound: true,
                in_use,
                selected: true,
            }];
            checks(&snapshot, "100", now).into_iter().map(|check| (check.text, check.holds)).collect::<Vec<_>>()
        };
        let holds = |checks: &[(String, bool)]| checks.iter().map(|(_, holds)| *holds).collect::<Vec<_>>();
        assert_eq!(holds(&shown(5, true, Some(true), false)), [true, true, true]);
        for (checks, failing) in [
            (shown(5, false, Some(true), false), t().proof_not_listed),
            (shown(5, true, Some(false), false), t().proof_not_tms),
            (shown(5, true, None, false), t().proof_not_tms),
        ] {
            let failed: Vec<_> = checks.iter().filter(|(_, holds)| !holds).map(|(text, _)| text.as_str()).collect();
            assert_eq!(failed, [failing]);
        }
        assert_eq!(holds(&shown(901, true, Some(true), false)), [true, false, true], "too old to show anything");
        // A TMS that does not tell devices apart cannot miss this one.
        assert_eq!(holds(&shown(5, true, Some(false), true)), [true, true]);
    }
}
