use super::*;
use crate::{
    media::plan::{Codec, Direction, OpusParams},
    ua::api::CallDirection,
};
use std::net::Ipv4Addr;

fn info(call: CallId, state: CallState) -> CallInfo {
    CallInfo { peer: format!("sip:{call}@acme"), ..CallInfo::bare(call, CallDirection::Out, state) }
}

/// Two answered calls, the second on hold.
fn two_calls() -> Media {
    let (events, _) = mpsc::channel(1);
    let mut media =
        Media::new((AudioChoice::Null, VoiceProcessing::OFF, None), None, Ipv4Addr::LOCALHOST.into(), events);
    media.follow(&info(1, CallState::Connected));
    media.follow(&info(2, CallState::Connected));
    media.follow(&info(2, CallState::Held));
    media
}

#[test]
fn the_check_is_for_a_sound_card_without_calls() {
    for (calls, expected) in [(true, "end your calls first"), (false, "no sound card")] {
        let mut media = two_calls();
        if !calls {
            media.calls.clear();
        }
        let refused = media.check().expect_err("a sentence");
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn a_peer_that_says_nothing_on_hold_is_not_kept_out() {
    for (state, direction, fault) in [
        (CallState::Connected, Direction::SendRecv, Fault::Provider),
        (CallState::Held, Direction::SendOnly, Fault::Nobody),
        (CallState::Connected, Direction::SendOnly, Fault::Nobody),
        (CallState::Ringing, Direction::SendRecv, Fault::Nobody),
    ] {
        let mut media = two_calls();
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        media.plan(1, MediaPlan { direction, ..plan(nowhere) });
        media.follow(&info(1, state.clone()));
        let told: Vec<_> = (0..10).filter_map(|_| media.judge(1, &CallStats::default(), false)).collect();
        assert!(told.iter().all(|(verdict, _)| verdict.fault == fault), "{state:?} {direction:?}: {told:?}");
        assert_eq!(told.len(), usize::from(fault != Fault::Nobody), "{state:?} {direction:?}");
        let (last, _) = media.judge(1, &CallStats::default(), true).expect("how it went");
        assert_eq!(last.fault, fault, "{}", last.words);
    }
}

#[test]
fn that_nothing_can_be_decrypted_is_told_in_the_same_words_meanwhile_and_at_the_end() {
    let mut media = two_calls();
    media.plan(1, plan(SocketAddr::from((Ipv4Addr::LOCALHOST, 9))));
    let at = |second: u64| {
        let mut stats = CallStats::default();
        stats.rx.unreadable = second * 50;
        stats
    };
    (0..10).for_each(|second| drop(media.judge(1, &at(second), false)));
    let told = media.silence(1, true).expect("it talks").text;
    let (last, _) = media.judge(1, &at(10), true).expect("how it went");
    assert_eq!(last.words.replace("the other side", "sip:1@acme"), told);
}

#[test]
fn one_recording_at_a_time_whatever_is_still_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name| dir.path().join(name);
    let mut media = two_calls();
    let says = |refused: Result<(), String>, words: &str| {
        let refused = refused.expect_err("a sentence");
        assert!(refused.contains(words), "{refused}");
    };
    says(media.stop_recording(1).map(drop), "not being recorded");
    media.record(1, &file("a.wav"), true).expect("begun");
    assert_eq!([1, 2].map(|call| media.recording_tone(call)), [Some(true), None]);
    says(media.record(1, &file("b.wav"), false), "recorded already");
    assert!(media.recorded(1, &file("a.wav")) && !media.recorded(1, &file("a.wav")));
    says(media.stop_recording(1).map(drop), "not being recorded");
    media.record(1, &file("c.wav"), true).expect("begun anew, for that has failed");
    assert_eq!(media.stop_recording(1), Ok(file("c.wav")));
    says(media.stop_recording(1).map(drop), "not being recorded");
    media.record(1, &file("d.wav"), false).expect("the file before may take its time");
    assert!(!media.recorded(1, &file("c.wav")), "it was to be over");
    assert_eq!(media.recording_tone(1), Some(false), "it is not over with the one before");
    assert_eq!(media.stop_recording(1), Ok(file("d.wav")));
}

fn plan(remote: SocketAddr) -> MediaPlan {
    MediaPlan {
        remote_rtp: remote,
        remote_rtcp: remote,
        rtcp_mux: true,
        direction: Direction::SendRecv,
        on_hold: false,
        send: (0, Codec::Pcmu),
        receive: vec![(0, Codec::Pcmu)],
        telephone_event: None,
        opus: OpusParams::default(),
        srtp: None,
        ice: None,
        ptime_ms: 20,
        extended_reports: Default::default(),
        comfort_noise: None,
    }
}

#[test]
fn a_conference_stands_fails_or_waits_and_is_always_answered() {
    let mut media = two_calls();
    assert_eq!(media.confer(&[1, 2]), Ok(vec![2]));
    assert_eq!(media.poll_conference(), None, "it waits for the call on hold");
    media.follow(&info(2, CallState::Connected));
    assert_eq!(media.poll_conference(), Some(Ok(())));
    assert_eq!(media.poll_conference(), None, "told once");

    let mut media = two_calls();
    media.confer(&[1, 2]).expect("both are answered");
    assert!(!media.stays_held(3), "another call's refusal");
    assert!(media.stays_held(2), "the other side does not want to be resumed");
    media.follow(&info(2, CallState::Connected));
    assert_eq!(media.poll_conference(), None, "answered already");

    let mut media = two_calls();
    media.confer(&[1, 2]).expect("both are answered");
    media.follow(&info(
        1,
        CallState::Ended { ended_by: crate::ua::api::EndedBy::Remote, code: None, reason: String::new() },
    ));
    let why = media.poll_conference().and_then(Result::err).expect("a sentence");
    assert!(why.contains("Call 1 ended"), "{why}");
}
