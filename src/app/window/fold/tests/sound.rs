//! How calls and devices sound.

use super::*;

#[test]
fn figures_that_read_the_same_are_the_same_snapshot() {
    let mut story = Story::signed_in();
    story.call(CallDirection::Out, UaState::Connected);
    let stats = |jitter_ms, mos| CallStats {
        rx: RxStats { packets: 990, lost: 10, jitter_ms, ..RxStats::default() },
        mos: Some(mos),
        ..CallStats::default()
    };
    story.hear(Event::Stats { call: 1, stats: stats(3.41, 4.312), last: false, asked: false });
    let before = story.fold.snapshot.clone();
    let outcome = story.hear(Event::Stats { call: 1, stats: stats(3.38, 4.308), last: false, asked: false });
    assert!(outcome.can_wait);
    assert_eq!(story.fold.snapshot, before);
    let quality = before.calls[0].quality.as_ref().expect("figures");
    assert_eq!((quality.mos, quality.loss_percent, quality.jitter_ms), (4.3, 1.0, 3.0));
    assert_eq!(quality.remote_mos, None, "the other side tells nothing");
    let remote = |mos| Some(Box::new(VoipMetrics { mos, ..VoipMetrics::default() }));
    for (told, shown) in [(None, None), (Some(4.06), Some(4.1))] {
        let stats = CallStats { remote: remote(told), ..stats(3.0, 4.3) };
        story.hear(Event::Stats { call: 1, stats, last: false, asked: false });
        assert_eq!(story.fold.snapshot.calls[0].quality.as_ref().and_then(|quality| quality.remote_mos), shown);
    }
}

/// The worst of all: it comes once, before there are any figures.
#[test]
fn that_nothing_comes_is_shown_and_how_a_call_sounded_outlives_it() {
    let mut story = Story::signed_in();
    story.call(CallDirection::Out, UaState::Connected);
    let verdict = |fault, words: &str| Verdict { fault, words: words.into() };
    let judged = |verdict, last| Event::Quality { call: 1, verdict, timeline: vec![], last };
    let stats =
        |mos, last| Event::Stats { call: 1, stats: CallStats { mos, ..CallStats::default() }, last, asked: false };
    story.hear(judged(verdict(Fault::Provider, "Nothing came."), false));
    story.hear(stats(None, false));
    let shown = |story: &Story| {
        let call = &story.fold.snapshot.calls[0];
        (
            call.verdict.clone().map(|verdict| (verdict.good, verdict.words)),
            call.quality.as_ref().map(|quality| quality.mos),
        )
    };
    assert_eq!(shown(&story), (Some((false, "Nothing came.".into())), None));
    story.hear(stats(Some(4.21), false));
    assert_eq!(shown(&story), (Some((false, "Nothing came.".into())), Some(4.2)), "until it is said to be over");
    story.hear(judged(verdict(Fault::Nobody, "Nothing was wrong."), false));
    assert_eq!(shown(&story).0, None);
    story.hear(stats(None, false));
    assert_eq!(shown(&story), (None, None), "nothing comes any more: no figure says how it sounds");
    story.hear(stats(Some(4.21), false));

    let finished = story.end(CallDirection::Out, EndedBy::Remote);
    assert_eq!(finished.heard.and_then(|heard| heard.quality.clone()).map(|quality| quality.mos), Some(4.2));
    story.hear(stats(Some(3.87), true));
    let (call, heard) = story.hear(judged(verdict(Fault::Nobody, "All well."), true)).heard.expect("the last word");
    assert_eq!((call, heard.verdict.clone()), (1, Some(Finding { good: true, words: "All well.".into() })));
    assert_eq!(heard.quality.as_ref().map(|quality| quality.mos), Some(3.9), "of the whole call");
}

/// What was on hold, and a second of which nothing was told, are in their places.
#[test]
fn how_a_call_sounds_is_followed_by_the_clock_and_remembered() {
    let mut story = Story::signed_in();
    let tell = |story: &mut Story, mos| {
        let stats = CallStats { mos, ..CallStats::default() };
        story.hear(Event::Stats { call: 1, stats, last: false, asked: false });
    };
    let course = |story: &Story| story.fold.snapshot.calls[0].course.iter().map(|piece| piece.mos).collect::<Vec<_>>();
    story.call(CallDirection::Out, UaState::Dialing);
    tell(story.wait(SECOND), Some(4.2));
    assert_eq!(course(&story), [], "it is not connected yet");
    story.call(CallDirection::Out, UaState::Connected);
    tell(story.wait(SECOND), Some(4.21));
    tell(story.wait(SECOND), None);
    tell(story.wait(2 * SECOND), Some(1.94));
    story.call(CallDirection::Out, UaState::Held);
    tell(story.wait(SECOND), Some(4.2));
    let wanted = [Some(4.2), None, None, Some(1.9), None];
    assert_eq!(course(&story), wanted);
    let heard = story.end(CallDirection::Out, EndedBy::Remote).heard;
    tell(story.wait(SECOND), Some(4.2));
    assert_eq!(course(&story), wanted, "it is over");
    assert_eq!(heard.map(|heard| heard.course.len()), Some(5));
}

#[test]
fn a_call_that_was_never_heard_is_not_said_to_have_had_no_sound() {
    let mut story = Story::signed_in();
    story.call(CallDirection::Out, UaState::Ringing);
    story.end(CallDirection::Out, EndedBy::Remote);
    let verdict = Verdict { fault: Fault::Nobody, words: "The call was too short to tell.".into() };
    let told = story.hear(Event::Quality { call: 1, verdict, timeline: vec![], last: true }).heard;
    assert!(told.is_none() && story.fold.snapshot.calls[0].verdict.is_none(), "{told:?}");
}

#[test]
fn levels_are_shown_only_while_asked_for() {
    let mut story = Story::signed_in();
    let loud = || Event::Levels { microphone: 0.5, speaker: 0.25 };
    story.hear(loud());
    assert_eq!(story.fold.snapshot.audio.microphone_level, 0.0);
    story.fold.set_meters(true);
    story.hear(loud());
    assert_eq!(story.fold.snapshot.audio.microphone_level, 0.5);
    story.fold.set_meters(false);
    assert_eq!(story.fold.snapshot.audio.speaker_level, 0.0);
}

#[test]
fn no_sound_card_is_said() {
    let mut story = Story::signed_in();
    story.hear(Event::Devices(DeviceList::default()));
    assert!(story.fold.snapshot.audio.problem.is_some());
    story.hear(Event::Devices(DeviceList { speakers: vec!["Headset".into()], ..DeviceList::default() }));
    assert_eq!(story.fold.snapshot.audio.problem, None);
}
