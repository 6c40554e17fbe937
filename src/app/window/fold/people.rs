//! Colleagues and their lamps, voicemail and messages in the snapshot.

use super::{Fold, notice, short_address};
use crate::{
    config::settings,
    ua::api::{ColleagueState, Messages, Package},
    ui::snapshot::{Colleague, Notice, NoticeKind, Presence, Voicemail},
};

impl Fold {
    /// Whose lamps are shown from now on, by name; what is known of each stays.
    pub fn list_colleagues(&mut self, listed: &[settings::Colleague]) {
        let old = std::mem::take(&mut self.snapshot.colleagues);
        let known = |number: &str| old.iter().find(|one| one.number == number);
        let shown = |one: &settings::Colleague| Colleague {
            name: one.name.clone(),
            number: one.number.clone(),
            presence: known(&one.number).map(|one| one.presence).unwrap_or_default(),
            unknown_because: known(&one.number).and_then(|one| one.unknown_because.clone()),
        };
        self.snapshot.colleagues = listed.iter().map(shown).collect();
        self.snapshot.colleagues.sort_by_key(|one| (one.name.to_lowercase(), one.number.clone()));
        self.refusals.retain(|(_, number, _)| listed.iter().any(|one| one.number == *number));
    }

    pub(super) fn colleague(&mut self, uri: &str, state: ColleagueState) {
        if let Some(at) = self.listed(uri) {
            self.snapshot.colleagues[at].presence = match state {
                ColleagueState::Free => Presence::Free,
                ColleagueState::Ringing => Presence::Ringing,
                ColleagueState::Busy => Presence::Busy,
                ColleagueState::Away => Presence::Away,
                ColleagueState::NotRegistered => Presence::NotRegistered,
            };
        }
    }

    /// Whether the phone system tells of somebody, or why not. One that has no voicemail has nothing to say of it.
    pub(super) fn watched(&mut self, package: Package, to: &str, refusal: Option<String>) {
        if package == Package::MessageSummary {
            return;
        }
        let Some(at) = self.listed(to) else { return };
        let number = self.snapshot.colleagues[at].number.clone();
        self.refusals.retain(|(of, whom, _)| (*of, whom) != (package, &number));
        self.refusals.extend(refusal.map(|why| (package, number.clone(), why)));
        let why = self.refusals.iter().find(|(_, whom, _)| *whom == number).map(|(_, _, why)| why.clone());
        self.snapshot.colleagues[at].unknown_because = why;
    }

    /// Which colleague of the snapshot's has that address.
    pub(super) fn listed(&self, address: &str) -> Option<usize> {
        let short = |address: &str| short_address(address, self.domain.as_deref());
        let number = short(address);
        self.snapshot.colleagues.iter().position(|one| short(&one.number) == number)
    }

    /// Old lamps would lie.
    pub(super) fn forget_presence(&mut self) {
        self.refusals.clear();
        for colleague in &mut self.snapshot.colleagues {
            (colleague.presence, colleague.unknown_because) = (Presence::Unknown, None);
        }
    }

    pub(super) fn voicemail(&mut self, messages: Messages) {
        self.snapshot.voicemail = Voicemail {
            waiting: messages.waiting,
            new: messages.new,
            old: messages.old,
            account: messages.account.as_deref().map(|a| short_address(a, self.domain.as_deref())),
        };
    }

    pub(super) fn message(&self, from: &str, from_name: Option<String>, text: &str) -> Notice {
        let from = from_name.unwrap_or_else(|| short_address(from, self.domain.as_deref()));
        notice(NoticeKind::Info, format!("{from}: {text}"))
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

    #[test]
    fn a_colleague_of_whom_nothing_is_told_says_why() {
        let mut fold = Fold::default();
        fold.list_colleagues(&[listed("Zoë", "103"), listed("anna", "102")]);
        let why =
            |fold: &Fold| fold.snapshot.colleagues.iter().map(|one| one.unknown_because.clone()).collect::<Vec<_>>();
        let refused = || Some("The server does not allow it.".to_owned());
        fold.watched(Package::MessageSummary, "102", refused());
        fold.watched(Package::Dialog, "102", None);
        assert_eq!(why(&fold), [None, None]);
        fold.watched(Package::Presence, "sip:103@acme", refused());
        fold.watched(Package::Presence, "999", refused());
        assert_eq!(why(&fold), [None, refused()]);
        // Of two kinds each is refused, and told after all, by itself.
        let other = || Some("The server knows nothing of it.".to_owned());
        fold.watched(Package::Dialog, "103", other());
        fold.watched(Package::Presence, "103", None);
        assert_eq!(why(&fold), [None, other()]);
        fold.watched(Package::Dialog, "103", None);
        assert_eq!(why(&fold), [None, None]);
        fold.watched(Package::Dialog, "103", refused());
        fold.list_colleagues(&[listed("Zoë", "103")]);
        assert_eq!(why(&fold), [refused()]);
        fold.forget_presence();
        assert_eq!(why(&fold), [None]);
    }
}
