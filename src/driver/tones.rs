//! Which sound, besides the calls' own audio, their states ask for.

use crate::{
    media::engine::Tone,
    ua::api::{CallDirection, CallInfo, CallState},
};

/// The calls, and whether nothing is heard of one that is not answered. Ringing wins over what we hear of a call we make ourselves; a
/// call that waits beside another beeps instead of ringing. Ringback covers nobody's early media (RFC 3960 §3.2).
pub(super) fn tone<'a>(calls: impl Iterator<Item = (&'a CallInfo, bool)> + Clone) -> Option<Tone> {
    let talking = |c: &CallInfo| matches!(c.state, CallState::Connected | CallState::Held | CallState::RemoteHeld);
    if calls.clone().any(|(c, _)| c.state == CallState::Ringing) {
        return Some(if calls.clone().any(|(c, _)| talking(c)) { Tone::CallWaiting } else { Tone::Ring });
    }
    let is_heard = |(call, silent): (&CallInfo, bool)| match call.state {
        CallState::Early { media } if call.direction == CallDirection::Out => Some(media && !silent),
        _ => None,
    };
    (calls.filter_map(is_heard).max() == Some(false)).then_some(Tone::Ringback)
}

/// 486, 600 to a call of ours: busy; 480 and 503 and the like are told in words.
pub(super) fn is_busy(call: &CallInfo) -> bool {
    call.direction == CallDirection::Out && matches!(call.state, CallState::Ended { code: Some(486 | 600), .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(direction: CallDirection, state: CallState) -> (CallInfo, bool) {
        (CallInfo::bare(1, direction, state), false)
    }

    /// A call of ours that has agreed on audio; `silent`: and nothing comes.
    fn early(silent: bool) -> (CallInfo, bool) {
        (CallInfo::bare(2, CallDirection::Out, CallState::Early { media: true }), silent)
    }

    #[test]
    fn by_the_calls_states() {
        use CallDirection::{In, Out};
        let rings = || call(Out, CallState::Early { media: false });
        for (calls, expected) in [
            (vec![], None),
            (vec![call(Out, CallState::Dialing)], None),
            (vec![rings()], Some(Tone::Ringback)),
            (vec![early(false)], None),
            (vec![early(true)], Some(Tone::Ringback)),
            (vec![rings(), early(true)], Some(Tone::Ringback)),
            (vec![rings(), early(false)], None),
            (vec![early(true), early(false)], None),
            (vec![call(Out, CallState::Held), early(true)], Some(Tone::Ringback)),
            (vec![call(In, CallState::Ringing), early(true)], Some(Tone::Ring)),
            (vec![call(In, CallState::Ringing)], Some(Tone::Ring)),
            (vec![call(In, CallState::Ringing), call(Out, CallState::Held)], Some(Tone::CallWaiting)),
            (vec![call(In, CallState::Connected)], None),
        ] {
            assert_eq!(tone(calls.iter().map(|(call, silent)| (call, *silent))), expected, "{calls:?}");
        }
    }
}
