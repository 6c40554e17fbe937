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
