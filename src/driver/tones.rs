//! Which sound, besides the calls' own audio, their states ask for.

use crate::{
    media::engine::Tone,
    ua::api::{CallDirection, CallInfo, CallState},
};

/// The calls, and whether one that is not answered is heard, where that is known. Ringing wins over what we hear of a call we make
/// ourselves; a call that waits beside another beeps instead of ringing. Ringback covers nobody's early media (RFC 3960 §3.2), but
/// where it `plays` already a promise does not interrupt it.
pub(super) fn tone<'a>(
    calls: impl Iterator<Item = (&'a CallInfo, Option<bool>)> + Clone,
    plays: Option<Tone>,
) -> Option<Tone> {
    let talking = |c: &CallInfo| matches!(c.state, CallState::Connected | CallState::Held | CallState::RemoteHeld);
    if calls.clone().any(|(c, _)| c.state == CallState::Ringing) {
        return Some(if calls.clone().any(|(c, _)| talking(c)) { Tone::CallWaiting } else { Tone::Ring });
    }
    let is_heard = |(call, heard): (&CallInfo, Option<bool>)| match call.state {
        CallState::Early { media } if call.direction == CallDirection::Out => {
            Some(media && heard.unwrap_or(plays != Some(Tone::Ringback)))
        }
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

    fn call(direction: CallDirection, state: CallState) -> (CallInfo, Option<bool>) {
        (CallInfo::bare(1, direction, state), None)
    }

    /// A call of ours that has agreed on audio.
    fn early(heard: Option<bool>) -> (CallInfo, Option<bool>) {
        (CallInfo::bare(2, CallDirection::Out, CallState::Early { media: true }), heard)
    }

    #[test]
    fn by_the_calls_states() {
        use CallDirection::{In, Out};
        let rings = || call(Out, CallState::Early { media: false });
        let (ringback, yes, no) = (Some(Tone::Ringback), Some(true), Some(false));
        for (plays, calls, expected) in [
            (None, vec![], None),
            (None, vec![call(Out, CallState::Dialing)], None),
            (None, vec![rings()], ringback),
            (None, vec![early(None)], None),
            (ringback, vec![early(None)], ringback),
            (ringback, vec![rings(), early(None)], ringback),
            (ringback, vec![early(yes)], None),
            (ringback, vec![early(yes), early(None)], None),
            (Some(Tone::Ring), vec![early(None)], None),
            (None, vec![early(yes)], None),
            (None, vec![early(no)], ringback),
            (None, vec![rings(), early(no)], ringback),
            (None, vec![rings(), early(yes)], None),
            (None, vec![early(no), early(yes)], None),
            (None, vec![call(Out, CallState::Held), early(no)], ringback),
            (ringback, vec![call(In, CallState::Ringing), early(no)], Some(Tone::Ring)),
            (None, vec![call(In, CallState::Ringing)], Some(Tone::Ring)),
            (None, vec![call(In, CallState::Ringing), call(Out, CallState::Held)], Some(Tone::CallWaiting)),
            (ringback, vec![call(In, CallState::Connected)], None),
        ] {
            let told = tone(calls.iter().map(|(call, heard)| (call, *heard)), plays);
            assert_eq!(told, expected, "{plays:?} before {calls:?}");
        }
    }
}
