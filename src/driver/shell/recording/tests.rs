use super::*;
use crate::ua::api::{CallDirection, EndedBy};
use wire::Recording::{Allowed, Forbidden, Required};

#[test]
fn what_the_account_forbids_is_refused_in_words() {
    for (rule, begins, is_recorded, words) in [
        (Allowed, true, false, None),
        (Allowed, false, true, None),
        (Forbidden, true, false, Some("does not allow")),
        // It is stopped by itself, too.
        (Forbidden, false, true, None),
        // Where its own could not be begun.
        (Required, true, false, None),
        (Required, true, true, Some("recorded by itself")),
        (Required, false, true, Some("every call recorded")),
    ] {
        let said = permit(rule, begins, is_recorded).err();
        assert_eq!(said.is_some(), words.is_some(), "{rule:?} {begins}");
        assert!(said.unwrap_or_default().contains(words.unwrap_or_default()), "{rule:?} {begins}");
    }
}

fn rule(rule: wire::Recording) -> RecordingRule {
    RecordingRule { rule, tone: false }
}

fn ended() -> CallState {
    CallState::Ended { ended_by: EndedBy::Local, code: None, reason: String::new() }
}

fn answered(recordings: &mut Recordings, call: CallId) {
    recordings.follow(&CallInfo::bare(call, CallDirection::In, CallState::Connected));
}

#[test]
fn calls_in_hand_follow_the_account_until_it_is_left() {
    let (mut recordings, now) = (Recordings::default(), Instant::now());
    recordings.follow(&CallInfo::bare(1, CallDirection::In, CallState::Ringing));
    answered(&mut recordings, 2);
    assert!(recordings.take_due(now, |_| None).is_none());
    assert!(recordings.set(Some(rule(Required))) && !recordings.set(Some(rule(Required))));
    assert_eq!(recordings.take_due(now, |_| None).map(|info| info.call), Some(2), "also one in hand");
    assert!(recordings.take_due(now, |_| Some(false)).is_none());
    recordings.set(Some(rule(Forbidden)));
    assert_eq!((recordings.rule(2).rule, recordings.forbidden()), (Forbidden, vec![1, 2]));
    recordings.set(Some(rule(Allowed)));
    assert_eq!((recordings.rule(2).rule, recordings.forbidden()), (Allowed, vec![]));
    recordings.set(Some(rule(Required)));
    // Signing out lets go of calls to come only, and another account has no say in it.
    recordings.set(None);
    answered(&mut recordings, 3);
    assert_eq!([1, 2, 3].map(|call| recordings.rule(call).rule), [Required, Required, Allowed]);
    recordings.set(Some(rule(Forbidden)));
    assert_eq!([1, 2, 3].map(|call| recordings.rule(call).rule), [Required, Required, Forbidden]);
    // It rang when the account was left.
    answered(&mut recordings, 1);
    let recorded = |call| (call == 2).then_some(false);
    assert_eq!(recordings.take_due(now, recorded).map(|info| info.call), Some(1));
    recordings.follow(&CallInfo::bare(1, CallDirection::In, ended()));
    assert!(recordings.take_due(now, recorded).is_none());
}

#[test]
fn where_a_tone_is_wanted_a_recording_without_one_is_begun_anew() {
    let (mut recordings, now) = (Recordings::default(), Instant::now());
    answered(&mut recordings, 1);
    recordings.follow(&CallInfo::bare(2, CallDirection::In, CallState::Ringing));
    for (rule, without, unrecorded) in [(Allowed, true, false), (Required, true, true)] {
        for (tone, wanted) in [(None, unrecorded), (Some(false), without), (Some(true), false)] {
            recordings.set(Some(RecordingRule { rule, tone: true }));
            assert_eq!(recordings.take_due(now, |_| tone).is_some(), wanted, "{rule:?} {tone:?}");
        }
    }
    recordings.set(Some(rule(Required)));
    assert!(recordings.take_due(now, |_| Some(false)).is_none());
}

#[test]
fn a_recording_that_failed_is_no_success_of_who_stopped_it() {
    let why = || Notice::warning("The disk is full.".to_owned());
    let of = |outcome| said(7, outcome, Some(None));
    let (notice, Some(Tagged { what: Event::Done { command: "record", call: Some(7) }, .. })) = of(Ok(Some(why())))
    else {
        panic!("it is done")
    };
    assert_eq!(notice, Some(why()), "there is something to say all the same");
    let (None, Some(Tagged { what: Event::Error { command: "record", call: Some(7), message }, .. })) = of(Err(why()))
    else {
        panic!("an error, and no notice besides")
    };
    assert_eq!(message, why().text);
    for outcome in [Ok(Some(why())), Err(why())] {
        assert!(matches!(said(7, outcome, None), (Some(notice), None) if notice == why()), "nobody asked");
    }
}

#[test]
fn who_stops_a_recording_waits_for_its_file_alone() {
    let mut recordings = Recordings::default();
    let waits = |file: &str, id: Option<u32>| (PathBuf::from(file), id.map(Value::from));
    recordings.awaited = vec![waits("a", Some(1)), waits("b", None), waits("a", Some(2))];
    for (file, mark) in
        [("b", Some(None)), ("b", None), ("a", Some(Some(1.into()))), ("a", Some(Some(2.into()))), ("a", None)]
    {
        assert_eq!(recordings.take_awaited(Path::new(file)), mark, "{file}");
    }
}

#[test]
fn a_new_demand_waits_for_no_other_s_next_try() {
    let (mut recordings, now) = (Recordings::default(), Instant::now());
    answered(&mut recordings, 1);
    assert_eq!(recordings.failed(now, 1), " Record again to go on.");
    assert_eq!(recordings.poll_timeout(), None, "it was the agent's own");
    recordings.set(Some(rule(Required)));
    assert!(recordings.take_due(now, |_| None).is_some(), "every call, from now on");
    recordings.failed(now, 1);
    assert!(recordings.take_due(now, |_| None).is_none(), "this one waits");
    recordings.set(Some(RecordingRule { rule: Required, tone: true }));
    assert!(recordings.take_due(now, |_| None).is_some(), "with a tone, from now on");
    recordings.failed(now, 1);
    assert_eq!(recordings.poll_timeout(), Some(now + RETRY), "the first of its own");
    assert!(recordings.take_due(now, |_| Some(false)).is_some(), "one runs that lacks the tone");
}

#[test]
fn what_must_be_recorded_is_tried_again_ever_later() {
    let (mut recordings, mut now) = (Recordings::default(), Instant::now());
    recordings.set(Some(rule(Required)));
    answered(&mut recordings, 1);
    for seconds in [5, 10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(recordings.failed(now, 1), " Recording is tried again by itself.");
        answered(&mut recordings, 1);
        let at = recordings.poll_timeout().expect("another try");
        assert_eq!(at - now, Duration::from_secs(seconds));
        assert!(recordings.take_due(at - Duration::from_millis(1), |_| None).is_none(), "{seconds}");
        assert!(recordings.take_due(at, |_| None).is_some(), "{seconds}");
        now = at;
    }
    assert_eq!(recordings.poll_timeout(), None);
    // One that ran for long has worked.
    for (ran, patience) in [(LONGEST_RETRY - RETRY, LONGEST_RETRY), (LONGEST_RETRY, RETRY)] {
        now += ran;
        recordings.failed(now, 1);
        now += patience;
        assert_eq!(recordings.poll_timeout(), Some(now));
        assert!(recordings.take_due(now, |_| None).is_some());
    }
}
