//! What is known of colleagues, put together from their calls and their presence.

use super::{
    dialog_info::{Applied, Dialogs, Line, Pickup},
    pidf::{self, Presence},
};
use crate::{
    sip::uri::{NameAddr, Uri},
    ua::{
        api::{ColleagueState, Event, Output, Package},
        identity,
        stack::Stack,
    },
};

/// One entry for each that is watched: as many as there are subscriptions.
#[derive(Debug, Default)]
pub(super) struct Colleagues(Vec<Colleague>);

#[derive(Debug)]
struct Colleague {
    target: Uri,
    dialogs: Option<Dialogs>,
    presence: Option<Presence>,
    told: Option<ColleagueState>,
}

impl Colleagues {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn forget(&mut self, package: Package, target: &Uri) {
        if let Some(one) = self.0.iter_mut().find(|one| one.target == *target) {
            match package {
                Package::Dialog => one.dialogs = None,
                Package::Presence => one.presence = None,
                Package::MessageSummary => {}
            }
        }
        self.0.retain(|one| one.dialogs.is_some() || one.presence.is_some());
    }

    pub fn dialogs(&mut self, stack: &mut Stack, target: &Uri, body: &[u8], over_gaps: bool) -> Applied {
        let one = self.of(target);
        let applied = one.dialogs.get_or_insert_default().apply(body, over_gaps);
        // What could not be used says nothing, least of all that the line is free.
        one.dialogs.take_if(|dialogs| !dialogs.is_known());
        self.tell(stack, target);
        applied
    }

    pub fn presence(&mut self, stack: &mut Stack, target: &Uri, body: &[u8]) {
        if let Some(presence) = pidf::read(body) {
            self.of(target).presence = Some(presence);
            self.tell(stack, target);
        }
    }

    /// Nobody is there.
    pub fn unreachable(&mut self, stack: &mut Stack, target: &Uri) {
        let one = self.of(target);
        (one.dialogs, one.presence) = (None, Some(Presence::Closed));
        self.tell(stack, target);
    }

    pub fn pickup(&self, target: &Uri) -> Option<Pickup> {
        self.0.iter().find(|one| one.target == *target)?.dialogs.as_ref()?.pickup()
    }

    fn of(&mut self, target: &Uri) -> &mut Colleague {
        let at = self.0.iter().position(|one| one.target == *target).unwrap_or_else(|| {
            self.0.push(Colleague { target: target.clone(), dialogs: None, presence: None, told: None });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    fn tell(&mut self, stack: &mut Stack, target: &Uri) {
        let one = self.of(target);
        let state = one.state();
        if state.is_some() && one.told != state {
            one.told = state;
            if let Some(state) = state {
                let uri = identity::readable(&NameAddr::new(target.clone()));
                stack.emit(Output::Event(Event::Colleague { uri, state }));
            }
        }
    }
}

impl Colleague {
    /// A call that is up or rings says more than presence, which servers tell late.
    fn state(&self) -> Option<ColleagueState> {
        match (self.dialogs.as_ref().map(Dialogs::line), self.presence) {
            (Some(Line::Ringing), _) => Some(ColleagueState::Ringing),
            (Some(Line::Busy), _) | (_, Some(Presence::Busy)) => Some(ColleagueState::Busy),
            (_, Some(Presence::Closed)) => Some(ColleagueState::NotRegistered),
            (_, Some(Presence::Away)) => Some(ColleagueState::Away),
            (Some(Line::Idle), _) | (_, Some(Presence::Open)) => Some(ColleagueState::Free),
            (None, None) => None,
        }
    }
}
