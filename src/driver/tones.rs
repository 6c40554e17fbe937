//! Which sound, besides the calls' own audio, their states ask for.

use crate::{
    media::engine::Tone,
    ua::api::{CallDirection, CallInfo, CallState},
};

/// Ringing wins over what we hear of a call we make ourselves; a call that waits beside another beeps instead of ringing.
pub(super) fn tone<'a>(calls: impl Iterator<Item = &'a CallInfo> + Clone) -> Option<Tone> {
    let talking = |c: &CallInfo| matches!(c.state, CallState::Connected | CallState::Held | CallState::RemoteHeld);
    if calls.clone().any(|c| c.state == CallState::Ringing) {
        return Some(if calls.clone().any(talking) { Tone::CallWaiting } else { Tone::Ring });
    }
    let mut early = calls.filter(|c| c.direction == CallDirection::Out);
    early.any(|c| c.state == CallState::Early { media: false }).then_some(Tone::Ringback)
}

/// 486, 600 to a call of ours: busy; 480 and 503 and the like are told in words.
pub(super) fn is_busy(call: &CallInfo) -> bool {
    call.direction == CallDirection::Out && matches!(call.state, CallState::Ended { code: Some(486 | 600), .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(direction: CallDirection, state: CallState) -> CallInfo {
        CallInfo::bare(1, direction, state)
    }

    #[test]
    fn by_the_calls_states() {
        use CallDirection::{In, Out};
        for (calls, expected) in [
            (vec![], None),
            (vec![call(Out, CallState::Dialing)], None),
            (vec![call(Out, CallState::Early { media: false })], Some(Tone::Ringback)),
            (vec![call(Out, CallState::Early { media: true })], None),
            (vec![call(In, CallState::Ringing)], Some(Tone::Ring)),
            (vec![call(In, CallState::Ringing), call(Out, CallState::Held)], Some(Tone::CallWaiting)),
            (vec![call(In, CallState::Connected)], None),
        ] {
            assert_eq!(tone(calls.iter()), expected, "{calls:?}");
        }
    }
}
