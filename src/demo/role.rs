//! What each party of the demonstration does when something happens to it.

use crate::{
    media::engine::AudioChoice,
    ua::api::{CallDirection, CallId, CallInfo, CallState, RegistrationState},
};
use std::{sync::Arc, time::Duration};

/// A part in the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Rings and never answers; pushed off, it registers again every few seconds, as real desk phones do.
    DeskPhone,
    /// Answers and speaks.
    Colleague,
    /// Answers and says what it hears.
    Echo,
    /// Answers, hangs up soon, and a little later calls the caller.
    CallBack,
}

/// What a party does next, after a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Register,
    Hangup { call: CallId },
    Dial { to: String },
}

/// How long a desk phone waits before it registers again.
const RETRY: Duration = Duration::from_secs(3);
/// The contract: 601 hangs up within 3 s, and calls back 3 s later.
const GREETING: Duration = Duration::from_secs(2);
const CALL_BACK_AFTER: Duration = Duration::from_secs(3);
/// How long the party that called back lets it ring, and stays when answered.
const RINGS_FOR: Duration = Duration::from_secs(30);
const STAYS_FOR: Duration = Duration::from_secs(15);

impl Role {
    /// What it is called on the network.
    pub const fn user_agent(self) -> &'static str {
        match self {
            Self::DeskPhone => "Yealink T46S",
            Self::Colleague => "Snom D785",
            Self::Echo => "TMS echo",
            Self::CallBack => "TMS call-back",
        }
    }

    /// How soon it answers, if it does.
    pub const fn answers_after(self) -> Option<Duration> {
        match self {
            Self::DeskPhone => None,
            Self::Colleague => Some(Duration::from_millis(1_500)),
            Self::Echo => Some(Duration::from_millis(200)),
            Self::CallBack => Some(Duration::from_millis(500)),
        }
    }

    /// Short, so that the desk phone notices within seconds that it was pushed off, and the others are back as soon when
    /// their account was disabled and is enabled again: what was removed comes back with the next refresh.
    pub const fn expires(self) -> Duration {
        match self {
            Self::DeskPhone => Duration::from_secs(10),
            Self::Colleague | Self::Echo | Self::CallBack => Duration::from_secs(20),
        }
    }

    pub const fn max_calls(self) -> usize {
        match self {
            Self::DeskPhone | Self::Colleague => 2,
            Self::Echo | Self::CallBack => 16,
        }
    }

    /// What its microphone hears in a call; `speech` is [`super::speech::phrase`].
    pub fn audio(self, speech: &Arc<[i16]>) -> AudioChoice {
        match self {
            Self::DeskPhone => AudioChoice::Null,
            Self::Echo => AudioChoice::Echo,
            Self::Colleague | Self::CallBack => AudioChoice::Loop { samples: Arc::clone(speech) },
        }
    }

    /// What follows from a change of its registration.
    pub fn on_registration(self, state: &RegistrationState) -> Option<(Duration, Act)> {
        match state {
            // Nobody is there to help it, so it helps itself.
            RegistrationState::Conflict { .. } | RegistrationState::Failed { retry_in: None, .. } => {
                Some((RETRY, Act::Register))
            }
            RegistrationState::Offline
            | RegistrationState::Registering
            | RegistrationState::Online { .. }
            | RegistrationState::Failed { retry_in: Some(_), .. } => None,
        }
    }

    /// What follows from a change of a call; `was_connected` before it.
    pub fn on_call(self, info: &CallInfo, was_connected: bool) -> Option<(Duration, Act)> {
        if self != Self::CallBack {
            return None;
        }
        let call = info.call;
        match (&info.state, info.direction) {
            (state, CallDirection::In) if !was_connected && state.is_answered() => {
                Some((GREETING, Act::Hangup { call }))
            }
            (CallState::Ended { .. }, CallDirection::In) if was_connected => {
                Some((CALL_BACK_AFTER, Act::Dial { to: info.peer.clone() }))
            }
            (CallState::Dialing, CallDirection::Out) => Some((RINGS_FOR, Act::Hangup { call })),
            (state, CallDirection::Out) if !was_connected && state.is_answered() => {
                Some((STAYS_FOR, Act::Hangup { call }))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ua::api::EndedBy;

    fn call(direction: CallDirection, state: CallState) -> CallInfo {
        CallInfo { peer: "sip:100@acme".into(), ..CallInfo::bare(1, direction, state) }
    }

    #[test]
    fn the_call_back_hangs_up_and_calls_whoever_called() {
        use CallDirection::{In, Out};
        let ended = || CallState::Ended { ended_by: EndedBy::Local, code: None, reason: String::new() };
        let hangup = |after| Some((after, Act::Hangup { call: 1 }));
        let dial = Some((CALL_BACK_AFTER, Act::Dial { to: "sip:100@acme".into() }));
        let cases = [
            (In, CallState::Ringing, false, None),
            (In, CallState::Connected, false, hangup(GREETING)),
            (In, CallState::Connected, true, None),
            (In, ended(), true, dial),
            (In, ended(), false, None),
            (Out, CallState::Dialing, false, hangup(RINGS_FOR)),
            (Out, CallState::Connected, false, hangup(STAYS_FOR)),
            (Out, ended(), true, None),
        ];
        for (direction, state, was_connected, expected) in cases {
            let info = call(direction, state);
            assert_eq!(Role::CallBack.on_call(&info, was_connected), expected, "{info:?}");
            assert_eq!(Role::Echo.on_call(&info, was_connected), None);
        }
    }

    #[test]
    fn a_party_that_was_pushed_off_tries_again() {
        let conflict = RegistrationState::Conflict { code: 403, reason: "in use".into() };
        assert_eq!(Role::DeskPhone.on_registration(&conflict), Some((RETRY, Act::Register)));
        assert_eq!(Role::DeskPhone.on_registration(&RegistrationState::Registering), None);
    }
}
