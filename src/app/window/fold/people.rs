//! Colleagues and their lamps in the snapshot.

use super::{Fold, short_address};
use crate::{
    config::settings,
    ua::api::ColleagueState,
    ui::snapshot::{Colleague, Presence},
};

impl Fold {
    /// Whose lamps are shown from now on, by name; what is known of each stays.
    pub fn list_colleagues(&mut self, listed: &[settings::Colleague]) {
        let old = std::mem::take(&mut self.snapshot.colleagues);
        let known = |number: &str| old.iter().find(|one| one.number == number).map(|one| one.presence);
        let shown = |one: &settings::Colleague| Colleague {
            name: one.name.clone(),
            number: one.number.clone(),
            presence: known(&one.number).unwrap_or_default(),
        };
        self.snapshot.colleagues = listed.iter().map(shown).collect();
        self.snapshot.colleagues.sort_by_key(|one| (one.name.to_lowercase(), one.number.clone()));
    }

    pub(super) fn colleague(&mut self, uri: &str, state: ColleagueState) {
        let short = |address: &str| short_address(address, self.domain.as_deref());
        let number = short(uri);
        let at = self.snapshot.colleagues.iter().position(|one| short(&one.number) == number);
        if let Some(colleague) = at.and_then(|at| self.snapshot.colleagues.get_mut(at)) {
            colleague.presence = match state {
                ColleagueState::Free => Presence::Free,
                ColleagueState::Ringing => Presence::Ringing,
                ColleagueState::Busy => Presence::Busy,
                ColleagueState::Away => Presence::Away,
                ColleagueState::NotRegistered => Presence::NotRegistered,
            };
        }
    }

    /// Old lamps would lie.
    pub(super) fn forget_presence(&mut self) {
        for colleague in &mut self.snapshot.colleagues {
            colleague.presence = Presence::Unknown;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, number: &str) -> settings::Colleague {
        settings::Colleague { name: name.into(), number: number.into() }
    }

    #[test]
    fn lamps_follow_whoever_is_listed_whatever_the_address_is_called() {
        let mut fold = Fold { domain: Some("acme.example".into()), ..Fold::default() };
        fold.list_colleagues(&[listed("Zoë", "103"), listed("anna", "sip:102@acme.example")]);
        let shown = |fold: &Fold| {
            let lamp = |one: &Colleague| (one.name.clone(), one.presence);
            fold.snapshot.colleagues.iter().map(lamp).collect::<Vec<_>>()
        };
        fold.colleague("sip:102@acme.example", ColleagueState::Busy);
        fold.colleague("sip:103@acme.example", ColleagueState::NotRegistered);
        fold.colleague("sip:104@acme.example", ColleagueState::Free);
        assert_eq!(shown(&fold), [("anna".into(), Presence::Busy), ("Zoë".into(), Presence::NotRegistered)]);
        fold.list_colleagues(&[listed("Zoë", "103"), listed("Bob", "105")]);
        assert_eq!(shown(&fold), [("Bob".into(), Presence::Unknown), ("Zoë".into(), Presence::NotRegistered)]);
        fold.forget_presence();
        assert!(shown(&fold).iter().all(|(_, presence)| *presence == Presence::Unknown));
    }
}
