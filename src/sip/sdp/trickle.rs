//! Candidates that come after the description (RFC 8838), in the body of an INFO (RFC 8840 §9).

use super::ice::{MOST_CANDIDATES, MOST_OCTETS, address};
use crate::media::plan::IcePlan;

/// Of the body.
pub const MEDIA_TYPE: &str = "application/trickle-ice-sdpfrag";
/// The Info Package, and the option tag.
pub const PACKAGE: &str = "trickle-ice";

/// Whether a fragment is of these checks, and not of those before or after a restart (RFC 8840 §4.4).
pub fn is_of(fragment: &[u8], plan: &IcePlan) -> bool {
    let text = String::from_utf8_lossy(fragment);
    attributes(&text).any(|(name, value)| name == "ice-ufrag" && value.trim() == plan.remote.ufrag)
}

/// Adds what a fragment names to what is checked. `false`: nothing of it is new, or it is of other checks than these.
pub fn trickled(fragment: &[u8], plan: &mut IcePlan) -> bool {
    if !is_of(fragment, plan) {
        return false;
    }
    let (text, before) = (String::from_utf8_lossy(fragment), plan.candidates.len());
    for (_, line) in attributes(&text).filter(|(name, line)| *name == "candidate" && line.len() <= MOST_OCTETS) {
        let candidate = format!("candidate:{line}");
        if plan.candidates.len() < MOST_CANDIDATES && address(line).is_some() && !plan.candidates.contains(&candidate) {
            plan.candidates.push(candidate);
        }
    }
    plan.candidates.len() > before
}

fn attributes(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.trim_end().strip_prefix("a=")?.split_once(':'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::plan::IceCredentials;
    use proptest::prelude::*;

    fn plan() -> IcePlan {
        let side =
            |name: &str| IceCredentials { ufrag: name.to_owned(), password: "0123456789012345678901".to_owned() };
        IcePlan { local: side("ours"), remote: side("theirs"), candidates: Vec::new(), controlling: false }
    }

    const FRAGMENT: &str = "a=ice-ufrag:theirs\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n\
        a=candidate:1 1 UDP 2130706431 192.0.2.9 5000 typ host\r\n\
        a=candidate:2 2 UDP 2130706430 192.0.2.9 5001 typ host\r\n\
        a=candidate:3 1 UDP 1694498815 203.0.113.9 6000 typ srflx raddr 192.0.2.9 rport 5000\r\na=end-of-candidates\r\n";

    #[test]
    fn what_comes_later_is_added_once_and_only_to_its_own_checks() {
        let mut plan = plan();
        assert!(trickled(FRAGMENT.as_bytes(), &mut plan));
        let of_component_1 = [
            "candidate:1 1 UDP 2130706431 192.0.2.9 5000 typ host",
            "candidate:3 1 UDP 1694498815 203.0.113.9 6000 typ srflx raddr 192.0.2.9 rport 5000",
        ];
        assert_eq!(plan.candidates, of_component_1);
        assert!(!trickled(FRAGMENT.as_bytes(), &mut plan), "each INFO repeats what came before");
        for other in [FRAGMENT.replace("ufrag:theirs", "ufrag:another"), FRAGMENT.replace("a=ice-ufrag:theirs\r\n", "")]
        {
            plan.candidates.clear();
            assert!(!trickled(other.as_bytes(), &mut plan) && plan.candidates.is_empty(), "{other}");
        }
        let many = |n| format!("a=candidate:{n} 1 UDP 1 192.0.2.9 {} typ host\r\n", 1 + n);
        let flood: String = (0..1_000).map(many).collect();
        assert!(trickled(format!("a=ice-ufrag:theirs\r\n{flood}").as_bytes(), &mut plan));
        assert_eq!(plan.candidates.len(), MOST_CANDIDATES);
    }

    mod properties {
        use super::*;
        use crate::properties::{config, fixtures, spoilt};

        proptest! {
            #![proptest_config(config(300, 8838))]

            /// What comes one after the other adds up to no more than is looked at, and each at most once.
            #[test]
            fn spoilt_fragments_add_what_can_be_reached(
                fragments in prop::collection::vec(spoilt(fixtures("trickle")), 1..20)
            ) {
                let mut plan = plan();
                for fragment in &fragments {
                    let before = plan.candidates.clone();
                    prop_assert_eq!(trickled(fragment, &mut plan), plan.candidates.len() > before.len());
                    prop_assert!(!trickled(fragment, &mut plan) && plan.candidates.starts_with(&before));
                    prop_assert!(plan.candidates.len() <= MOST_CANDIDATES);
                    let lines = plan.candidates.iter().map(|candidate| candidate.trim_start_matches("candidate:"));
                    prop_assert!(lines.into_iter().all(|line| address(line).is_some()));
                }
            }

            #[test]
            fn nothing_panics(at in 0..FRAGMENT.len(), octets in prop::collection::vec(any::<u8>(), 0..20)) {
                let mut fragment = FRAGMENT.as_bytes().to_vec();
                fragment.splice(at..at, octets.iter().copied());
                let mut plan = plan();
                prop_assert_eq!(trickled(&fragment, &mut plan), !plan.candidates.is_empty());
                prop_assert!(plan.candidates.len() <= 2);
            }
        }
    }
}
