//! The one place where it is decided whether a call may be made. What a call costs (trunks, budget, credit) and which classes
//! of destination an account bars are asked here once they exist; an emergency call is never refused.

use crate::{
    server::registry::Registration,
    tms::wire::{Edition, Kind},
};

/// Where a call leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// One of the account's emergency numbers, or `urn:service:sos` (RFC 5031).
    Emergency,
    /// To an extension of the same account.
    Internal,
    /// Anywhere else.
    External,
}

/// A call that somebody wants to make.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    pub caller: &'a Registration,
    /// Why its account, extension or registration may do nothing at present.
    pub refused: Option<&'a str>,
    pub class: Class,
}

impl Class {
    /// `internal`: an extension has this number. Which of those are emergencies all the same, `Registry::is_emergency` says.
    pub fn of(emergency: bool, internal: bool) -> Self {
        match (emergency, internal) {
            (true, _) => Self::Emergency,
            (false, true) => Self::Internal,
            (false, false) => Self::External,
        }
    }
}

impl Attempt<'_> {
    /// # Errors
    /// Why not, as a sentence for the 403.
    pub fn decide(&self) -> Result<(), String> {
        if self.class == Class::Emergency {
            return Ok(());
        }
        if let Some(why) = self.refused {
            return Err(why.to_owned());
        }
        // The database keeps an Express account from having one; a call made while the edition changes finds it out here.
        if self.caller.edition == Edition::Express && self.caller.kind == Kind::S {
            let number = &self.caller.extension.number;
            return Err(format!("an Express account has one registration per extension: call from {number}'s primary"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::registry::Extension;

    #[test]
    fn an_emergency_call_is_never_refused() {
        let caller = |edition, kind| Registration {
            name: "100-acme".into(),
            realm: "acme".into(),
            extension: Extension { number: "100".into(), name: "Alex".into() },
            kind,
            edition,
        };
        let disabled = Some("This extension is disabled");
        let cases = [
            (Edition::Enterprise, Kind::P, None, false, true, None),
            (Edition::Enterprise, Kind::S, None, false, true, None),
            (Edition::Enterprise, Kind::S, None, false, false, None),
            (Edition::Express, Kind::P, None, false, true, None),
            (Edition::Express, Kind::S, None, false, true, Some("Express")),
            (Edition::Express, Kind::S, None, true, false, None),
            (Edition::Enterprise, Kind::P, disabled, false, true, Some("disabled")),
            (Edition::Enterprise, Kind::P, disabled, true, false, None),
            (Edition::Express, Kind::S, disabled, true, true, None),
        ];
        for (edition, kind, refused, emergency, internal, words) in cases {
            let caller = caller(edition, kind);
            let attempt = Attempt { caller: &caller, refused, class: Class::of(emergency, internal) };
            let told = attempt.decide().err();
            assert_eq!(told.is_some(), words.is_some(), "{attempt:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(words.unwrap_or_default()), "{attempt:?}");
        }
    }
}
