//! Several calls at once: swapping, joining, recording; and what is behind a call.

use crate::{
    desk::{Setup, asked, press},
    fake::*,
};
use agent_manager::ui::{
    screen::{
        Page,
        calls::data::{cards, conference},
    },
    snapshot::{Call, CallState, Intent, Recorded, Recording, RecordingRule, Settings, Snapshot, Stretch},
};
use egui::Key;
use egui_kittest::kittest::Queryable;
use std::time::Duration;

#[test]
fn one_press_or_key_swaps() {
    let calls = || with_calls(vec![talking(), held()]);
    let mut harness = Setup::new(calls()).light();
    harness.get_by_label("Swap").click();
    harness.run();
    press(&mut harness, Key::S);
    assert_eq!(asked(&mut harness), vec![Intent::Resume { call: held().id }; 2]);
    let mut harness = Setup::new(with_calls(vec![talking()])).light();
    press(&mut harness, Key::S);
    assert_eq!(asked(&mut harness), []);
}

#[test]
fn calls_are_joined_and_then_handled_as_one() {
    let both = || vec![talking().id, held().id];
    let mut harness = Setup::new(with_calls(vec![talking(), held()])).light();
    harness.get_by_label("Join").click();
    harness.run();
    press(&mut harness, Key::J);
    assert_eq!(asked(&mut harness), vec![Intent::Conference { calls: both() }; 2]);

    let mut harness = Setup::new(joined()).light();
    assert!(harness.query_by_label_contains("Conference, Maria Dlamini, Johan Botha, Connected").is_some());
    assert!(harness.query_by_label("Join").is_none(), "they are joined");
    let each = |intent: fn(u32) -> Intent| both().into_iter().map(intent).collect::<Vec<_>>();
    for (label, key, wanted) in [
        ("Mute", Key::M, each(|call| Intent::Mute { call, on: true })),
        ("Hold", Key::H, each(|call| Intent::Hold { call })),
        ("End conference", Key::E, each(|call| Intent::Hangup { call })),
    ] {
        harness.get_by_label(label).click();
        harness.run();
        assert_eq!(asked(&mut harness), wanted, "{label}");
        press(&mut harness, key);
        assert_eq!(asked(&mut harness), wanted, "{label} by key");
    }
    assert_eq!(harness.get_all_by_label("End").count(), 2, "and each can be let go");

    let away = joined().calls.into_iter().map(|call| Call { state: CallState::Held, ..call }).collect();
    let mut harness = Setup::new(with_calls(away)).light();
    harness.get_by_label("Resume").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Resume { call: talking().id }], "the others follow");
}

/// In a row, in words; the sentence is one press away, and nothing moves because of it.
#[test]
fn who_sounds_bad_in_a_conference_is_seen_and_explained() {
    for size in [[380.0, 640.0], [1_000.0, 640.0]] {
        let mut harness = Setup::new(joined_badly()).size(size).light();
        for row in [
            "Maria Dlamini, 03:27  Speaking · Bad sound, Recording 00:12",
            "Johan Botha, 00:41  In the conference",
            "Chloë Dubois, 00:30  Bad sound",
        ] {
            assert!(harness.query_by_label(row).is_some(), "{row}");
        }
        assert!(harness.query_by_label("Details of Johan Botha").is_none(), "there is nothing to explain");
        let why = "Nothing came from the other side";
        assert!(harness.query_by_label_contains(why).is_none());
        harness.get_by_label("Details of Chloë Dubois").click();
        harness.run();
        assert!(harness.query_by_label_contains(why).is_some(), "{size:?}");
        assert_eq!(asked(&mut harness).iter().filter(|intent| matches!(intent, Intent::Hangup { .. })).count(), 0);
    }
}

#[test]
fn recording_is_offered_where_it_is_allowed_and_seen_where_it_runs() {
    let mut harness = Setup::new(with_calls(vec![talking()])).light();
    assert!(harness.query_by_label("Record").is_none());
    press(&mut harness, Key::R);
    assert_eq!(asked(&mut harness), []);
    let settings = Settings { may_record: true, ..online().settings };
    let mut harness = Setup::new(Snapshot { settings, ..with_calls(vec![talking()]) }).light();
    harness.get_by_label("Record").click();
    harness.run();
    press(&mut harness, Key::R);
    assert_eq!(asked(&mut harness), vec![Intent::Record { call: 1, on: true }; 2]);
    let settings = Settings { may_record: true, ..online().settings };
    let mut harness = Setup::new(Snapshot { settings, ..online() }).page(Page::Calls).light();
    harness.get_by_role_and_label(egui::accesskit::Role::Switch, "Sound a tone while recording").click();
    harness.run();
    assert!(matches!(&asked(&mut harness)[..], [Intent::Settings(Settings { recording_tone: true, .. })]));
    let mut harness = Setup::new(recorded()).light();
    assert!(harness.query_by_label_contains("Recording 00:12").is_some());
    harness.get_by_label("Stop recording").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Record { call: 1, on: false }]);
    let mut harness = Setup::new(joined_and_recorded()).light();
    harness.get_by_label("Stop recording").click();
    harness.run();
    let each = |calls: &[u32], on| calls.iter().map(|call| Intent::Record { call: *call, on }).collect::<Vec<_>>();
    assert_eq!(asked(&mut harness), each(&[1, 2], false));
    assert!(
        harness
            .query_by_label_contains("Conference, Maria Dlamini, Johan Botha, Connected, 03:27, Recording 00:12")
            .is_some()
    );
}

/// The others would be refused, each with a notice of its own.
#[test]
fn of_a_conference_only_those_stop_that_are_recorded() {
    let calls = joined().calls.into_iter().map(|call| Call { recorded: (call.id == 2).then(|| recording(12)), ..call });
    let mut harness = Setup::new(with_calls(calls.collect())).light();
    harness.get_by_label("Stop recording").click();
    harness.run();
    press(&mut harness, Key::R);
    assert_eq!(asked(&mut harness), vec![Intent::Record { call: 2, on: false }; 2]);
}

#[test]
fn beside_the_main_column_the_last_call_stays_to_be_read() {
    let over = |call| {
        let mut snapshot = remembered();
        snapshot.history[0].call = call;
        snapshot
    };
    let said = "Sound got lost both ways";
    assert!(Setup::new(over(Some(3))).wide().light().query_by_label_contains(said).is_some());
    assert!(Setup::new(over(None)).wide().light().query_by_label_contains(said).is_none(), "it was before the start");
    let harness = Setup::new(online()).size([1_600.0, 640.0]).light();
    let middle = harness.get_by_label("Nothing selected").rect().center().x;
    assert!((middle - (380.0 + 1_600.0) / 2.0).abs() < 2.0, "what is empty is so in the middle: {middle}");
}

/// It goes on while the call waits, or another page is open.
#[test]
fn that_a_call_is_recorded_is_seen_wherever_the_call_is() {
    let recorded = || Call { recorded: Some(recording(12)), ..held() };
    let harness = Setup::new(with_calls(vec![talking(), recorded()])).light();
    assert!(harness.query_by_label("Johan Botha, 00:41  On hold, Recording 00:12").is_some());
    let harness = Setup::new(crate::fake::recorded()).page(Page::Audio).light();
    assert!(harness.query_by_label("Maria Dlamini, 03:27  Connected, Recording 00:12").is_some());
}

#[test]
fn the_mark_of_a_recording_says_whether_both_sides_hear_a_tone() {
    let without = "The call is being recorded.";
    let with_tone = "The call is being recorded. Both sides hear a short beep every 15 seconds.";
    // What is wanted of recordings to come changes nothing of those that run.
    let wanted = RecordingRule { rule: Recording::Allowed, tone: true };
    let settings = Settings { recording_tone: true, ..recorded().settings };
    let with = |base: Snapshot, tones: [bool; 2]| {
        let recorded = |has_tone| Some(Recorded { has_tone, ..recording(12) });
        let calls = base.calls.into_iter().zip(tones).map(|(call, tone)| Call { recorded: recorded(tone), ..call });
        Snapshot { calls: calls.collect(), recording: wanted, settings: settings.clone(), ..base }
    };
    for (tones, alone, together) in
        [([false, true], without, without), ([true, false], with_tone, without), ([true, true], with_tone, with_tone)]
    {
        let card = cards(&with(recorded(), tones), now()).0.remove(0);
        assert_eq!(card.recording.expect("it is recorded").tip, alone, "{tones:?}");
        let conference = conference(&with(joined_and_recorded(), tones), now()).expect("two are joined");
        assert_eq!(conference.recording.expect("it is recorded").tip, together, "{tones:?}");
    }
}

#[test]
fn muted_is_never_half_a_sentence() {
    for (call, said) in [(muted(), "Muted: they can't hear you"), (muted_and_recorded(), "Muted")] {
        let harness = Setup::new(with_calls(vec![call])).light();
        assert!(harness.query_by_label(said).is_some(), "{said}");
    }
}

/// What the account decides is not the agent's to press, whatever the settings say.
#[test]
fn where_the_account_decides_no_recording_is_offered_and_the_settings_say_so() {
    for (rule, said, calls) in [
        (Recording::Forbidden, "Your account does not allow calls to be recorded.", with_calls(vec![talking()])),
        (Recording::Required, "Your account wants every call recorded", recorded()),
    ] {
        let settings = Settings { may_record: true, ..online().settings };
        let snapshot =
            |base| Snapshot { settings: settings.clone(), recording: RecordingRule { rule, tone: true }, ..base };
        let mut harness = Setup::new(snapshot(calls)).light();
        press(&mut harness, Key::R);
        let is_seen = harness.query_by_label_contains("Recording 00:12").is_some();
        assert_eq!(is_seen, rule == Recording::Required);
        assert!(harness.query_by_label("Record").is_none() && harness.query_by_label("Stop recording").is_none());
        assert_eq!(asked(&mut harness), []);
        let harness = Setup::new(snapshot(online())).page(Page::Calls).light();
        assert!(harness.query_by_label_contains(said).is_some(), "{said}");
        for switch in ["Offer to record calls", "Sound a tone while recording"] {
            assert!(harness.query_by_label(switch).is_none(), "{switch}");
        }
    }
}

#[test]
fn a_worst_moment_is_told_only_where_not_all_was_excellent() {
    let told = |course| {
        let call = Call { course, ..talking() };
        Setup::new(with_calls(vec![call])).wide().light().query_by_label_contains("At its worst").is_some()
    };
    assert!(told(talking().course), "it has a moment of MOS 3.4");
    assert!(!told(vec![Stretch { seconds: 4, mos: Some(4.4) }; 9]));
}

#[test]
fn the_messages_of_a_call_are_told_while_somebody_looks() {
    let snapshot = Snapshot { trace: Some(trace(1)), ..with_calls(vec![talking()]) };
    let mut harness = Setup::new(snapshot).size([380.0, 1400.0]).light();
    press(&mut harness, Key::I);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Trace { call: Some(1) }]);
    harness.get_by_label("10:42:14.902, received, 486 Busy Here").click();
    harness.run();
    assert!(harness.query_by_label_contains("CSeq: 1 INVITE").is_some(), "all of it");
    harness.get_by_label("Copy all").click();
    harness.step();
    let commands = harness.output().platform_output.commands.clone();
    let copied = commands.iter().find_map(|command| match command {
        egui::OutputCommand::CopyText(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.expect("copied");
    assert!(copied.contains("10:42:07.123 sent to UDP 192.0.2.10:5060\nINVITE sip:101@acme.example"), "{copied}");
    harness.run();
    harness.key_press(Key::Escape);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Trace { call: None }]);
}

#[test]
fn why_a_call_failed_is_told_in_words_after_it_is_gone() {
    let mut harness = Setup::new(failed()).light();
    harness.get_by_label_contains("Outgoing, Chloë").click();
    harness.run();
    harness.get_by_label_contains("Details of Chloë").click();
    harness.run();
    assert!(harness.query_by_label("The other side is busy.").is_some());
    assert!(harness.query_by_label("10:42:14.902, received, 486 Busy Here").is_some());
}

#[test]
fn without_a_network_a_countdown_runs_while_calls_wait() {
    let lost = |calls| Snapshot { network_lost: Some(now() + Duration::from_millis(26_400)), ..with_calls(calls) };
    let harness = Setup::new(lost(vec![talking()])).light();
    assert!(harness.query_by_label("There is no network. Calls wait 27 s for it to come back.").is_some());
    let harness = Setup::new(lost(vec![])).light();
    assert!(harness.query_by_label("There is no network.").is_some());
}

#[test]
fn who_can_hear_us_without_our_doing_is_said_and_announced() {
    let mut harness = Setup::new(online()).light();
    harness.state_mut().snapshot.calls = vec![Call { answered_by_itself: true, ..talking() }];
    harness.run();
    assert!(harness.query_by_label("Maria Dlamini was answered by itself: they hear you.").is_some());
    assert!(harness.query_by_label_contains("Answered by itself, 03:27").is_some());
}

#[test]
fn whatever_is_listed_the_button_that_transfers_is_in_view() {
    for calls in [vec![talking()], vec![talking(), held()]] {
        let mut harness = Setup::new(with_colleagues(calls)).page(Page::Main).light();
        harness.get_by_label("Transfer").click();
        harness.run();
        let button = harness.get_by_label("Transfer the call").rect();
        assert!(button.bottom() <= 640.0 - 12.0, "{button}");
        let field = harness.get_by_label("Transfer to").rect();
        assert!(button.top() - field.bottom() > 60.0, "and there is room for the list: {field} {button}");
    }
}
