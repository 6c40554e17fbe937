//! Calls: dialling, digits, and every control where it is looked for.

use crate::{
    desk::{Desk, Setup, asked, press},
    fake::*,
};
use agent_manager::ui::{
    screen::Page,
    snapshot::{Call, CallState, HistoryEntry, Intent, Notice, NoticeKind, Snapshot},
    window::SMALLEST,
};
use egui::{Key, Modifiers};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};

#[test]
fn enter_in_the_dial_field_dials() {
    let mut harness = Setup::new(online()).light();
    let field = harness.get_by_label("Number or SIP address");
    assert!(field.is_focused(), "the dial field has the keyboard when the window opens");
    field.type_text("600");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Dial { to: "600".into() }]);
}

#[test]
fn what_was_dialled_stays_until_there_is_a_call_of_it() {
    let mut harness = Setup::new(online()).light();
    let number = |harness: &Harness<'_, Desk>| harness.get_by_label("Number or SIP address").value();
    harness.get_by_label("Number or SIP address").type_text("600");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Dial { to: "600".into() }]);
    assert_eq!(number(&harness).as_deref(), Some("600"), "it may be refused");
    harness.state_mut().snapshot.calls = vec![ringing()];
    harness.run();
    assert_eq!(number(&harness).as_deref(), Some("600"), "somebody else's call");
    harness.state_mut().snapshot.calls.push(dialing());
    harness.run();
    assert_eq!(number(&harness).unwrap_or_default(), "");
}

#[test]
fn end_is_always_in_the_same_place() {
    let unnamed = |call| Call { called: None, peer_name: None, ..call };
    let mut harness = Setup::new(with_calls(vec![unnamed(dialing())])).light();
    let place = harness.get_by_label("End").rect();
    for call in [talking(), muted(), held(), poor(), unnamed(talking())] {
        harness.state_mut().snapshot.calls = vec![call];
        harness.run();
        assert_eq!(harness.get_by_label("End").rect(), place);
        harness.get_by_label("Keypad").click();
        harness.run();
        assert!(harness.query_by_label("5").is_some());
        assert_eq!(harness.get_by_label("End").rect(), place, "with the keypad open");
        harness.get_by_label("Keypad").click();
        harness.run();
    }
    harness.state_mut().snapshot.calls = vec![ringing()];
    harness.run();
    assert_eq!(harness.get_by_label("Reject").rect(), place);
}

#[test]
fn a_call_can_be_muted_before_they_answer_and_nothing_else_yet() {
    let mut harness = Setup::new(with_calls(vec![dialing()])).light();
    let place = harness.get_by_label("Mute").rect();
    harness.get_by_label("Mute").click();
    harness.run();
    press(&mut harness, Key::M);
    assert_eq!(asked(&mut harness), [true, true].map(|on| Intent::Mute { call: 3, on }));
    for waits in ["Hold", "Keypad", "Transfer"] {
        assert!(harness.get_by_label(waits).accesskit_node().is_disabled(), "{waits}");
        harness.get_by_label(waits).click();
        harness.run();
    }
    for key in [Key::H, Key::T] {
        press(&mut harness, key);
    }
    assert_eq!(asked(&mut harness), []);
    harness.state_mut().snapshot.calls = vec![Call { muted: true, ..dialing() }];
    harness.run();
    assert!(harness.query_by_label_contains("Ringing… · Muted").is_some());
    press(&mut harness, Key::M);
    assert_eq!(asked(&mut harness), [Intent::Mute { call: 3, on: false }]);
    harness.state_mut().snapshot.calls = vec![Call { id: 3, ..talking() }];
    harness.run();
    assert_eq!(harness.get_by_label("Mute").rect(), place, "answered, nothing has moved");
    // Whoever waits on hold hears nothing; the one being dialled would.
    harness.state_mut().snapshot.calls = vec![held(), dialing()];
    harness.run();
    press(&mut harness, Key::M);
    assert_eq!(asked(&mut harness), [Intent::Mute { call: 3, on: true }]);
}

#[test]
fn nothing_is_dialled_while_offline() {
    let mut harness = Setup::new(initialized()).light();
    harness.get_by_label("Number or SIP address").type_text("600");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(asked(&mut harness), []);
}

#[test]
fn a_recent_call_is_filled_in_and_called_back_by_its_button() {
    let mut harness = Setup::new(online()).light();
    harness.get_by_label_contains("Outgoing, Echo").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert_eq!(harness.get_by_label("Number or SIP address").value().as_deref(), Some("600"));
    harness.get_by_label("Call Echo back").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Dial { to: "600".into() }]);
}

#[test]
fn the_chosen_recent_call_stays_the_same_when_another_comes_on_top() {
    let mut harness = Setup::new(online()).wide().light();
    harness.get_by_label_contains("Outgoing, Echo").click();
    harness.run();
    let newer = HistoryEntry { id: 99, ..online().history[0].clone() };
    harness.state_mut().snapshot.history.insert(0, newer);
    harness.run();
    assert_eq!(harness.get_all_by_label("Call Echo back").count(), 2, "in its row, and beside");
}

#[test]
fn digits_typed_beside_an_open_keypad_go_into_the_call() {
    let mut harness = Setup::new(with_calls(vec![talking()])).light();
    let number =
        |harness: &Harness<'_, Desk>| harness.get_by_label("Number or SIP address").value().unwrap_or_default();
    let dtmf = |digits: &str| [Intent::Dtmf { call: talking().id, digits: digits.into() }];
    press(&mut harness, Key::K);
    harness.event(egui::Event::Text("1x2#".into()));
    harness.run();
    assert_eq!(asked(&mut harness), dtmf("12#"));
    harness.get_by_label("5").click();
    harness.run();
    assert_eq!(asked(&mut harness), dtmf("5"));
    assert_eq!(number(&harness), "");
    harness.event(egui::Event::Text("0".repeat(30)));
    harness.run();
    assert_eq!(asked(&mut harness), dtmf(&"0".repeat(30)));
    assert!(harness.query_by_label(&format!("Sent: …{}", "0".repeat(24))).is_some());
    press(&mut harness, Key::L);
    harness.event(egui::Event::Text("600".into()));
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert_eq!(number(&harness), "600", "a field takes what is typed in it");
}

#[test]
fn zero_held_for_long_is_a_plus_where_numbers_are_dialled() {
    let hold = |harness: &mut Harness<'_, Desk>, steps| {
        let pos = harness.get_by_label("0").rect().center();
        let button = |pressed| egui::Event::PointerButton {
            pos,
            button: egui::PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        harness.hover_at(pos);
        harness.run();
        harness.event(button(true));
        harness.run_steps(steps);
        harness.event(button(false));
        harness.run();
    };
    let mut harness = Setup::new(online()).light();
    harness.get_by_label("Show keypad").click();
    harness.run();
    for (steps, number) in [(1, "0"), (5, "0+"), (1, "0+0"), (9, "0+0+")] {
        hold(&mut harness, steps);
        assert_eq!(harness.get_by_label("Number or SIP address").value().as_deref(), Some(number));
    }
    let mut harness = Setup::new(with_calls(vec![talking()])).light();
    press(&mut harness, Key::K);
    hold(&mut harness, 1);
    assert_eq!(asked(&mut harness), [Intent::Dtmf { call: talking().id, digits: "0".into() }]);
}

#[test]
fn a_notice_leaves_the_calls_within_reach() {
    let notice = Notice { kind: NoticeKind::Warning, text: "The headset was unplugged.".into() };
    let harness = Setup::new(with_calls(vec![talking()])).page(Page::Audio).notice(notice).light();
    let (said, end) = (harness.get_by_label("Dismiss").rect(), harness.get_by_label("End").rect());
    assert!(said.bottom() < end.top(), "{said} {end}");
}

/// Nothing that is there moves for it: End stays where it is.
#[test]
fn what_rings_below_the_fold_is_answered_without_scrolling() {
    for before in [joined(), with_calls(vec![talking()])] {
        let mut harness = Setup::new(before).size(SMALLEST).light();
        let ends = |harness: &Harness<'_, Desk>| {
            harness.get_all_by_label_contains("End").map(|end| end.rect()).collect::<Vec<_>>()
        };
        let stood = ends(&harness);
        harness.state_mut().snapshot.calls.push(second_ringing());
        harness.run();
        assert_eq!(ends(&harness), stood);
        let answer = harness.get_by_label("Answer");
        assert!(answer.rect().bottom() <= SMALLEST[1], "{}", answer.rect());
        answer.click();
        harness.run();
        assert_eq!(asked(&mut harness), [Intent::Answer { call: 5 }]);
        harness.set_size([SMALLEST[0], 1_000.0].into());
        harness.run();
        assert!(harness.query_by_label("Answer").is_none(), "its card is in view");
        harness.get_by_label("Hold and answer").click();
        harness.run();
        assert_eq!(asked(&mut harness), [Intent::Answer { call: 5 }]);
    }
}

fn press_at(harness: &mut Harness<'_, Desk>, at: egui::Pos2) -> Vec<Intent> {
    harness.hover_at(at);
    harness.drag_at(at);
    harness.drop_at(at);
    harness.run();
    asked(harness)
}

/// The middle of what has that label and is in view in the smallest window.
fn in_view(harness: &Harness<'_, Desk>, label: &str) -> egui::Pos2 {
    let within = |rect: &egui::Rect| rect.bottom() <= SMALLEST[1];
    harness.get_all_by_label(label).map(|one| one.rect()).find(within).expect("in view").center()
}

#[test]
fn answering_twice_ends_nobody_who_is_under_it() {
    let mut harness = Setup::new(with_calls(vec![held(), talking(), second_ringing()])).size(SMALLEST).light();
    let answer = in_view(&harness, "Answer");
    assert_eq!(press_at(&mut harness, answer), [Intent::Answer { call: 5 }]);
    let calls = &mut harness.state_mut().snapshot.calls;
    calls[1].state = CallState::Held;
    (calls[2].state, calls[2].since) = (CallState::Connected, now());
    harness.run();
    assert_eq!(press_at(&mut harness, answer), []);
    harness.state_mut().snapshot.calls[2].since = ago(3);
    harness.run();
    assert_ne!(press_at(&mut harness, answer), [], "this is what was under it");
}

#[test]
fn rejecting_twice_ends_nobody_who_is_under_it() {
    let calls = [joined().calls, vec![second_ringing()]].concat();
    let mut harness = Setup::new(with_calls(calls)).size(SMALLEST).light();
    let reject = in_view(&harness, "Reject");
    assert_eq!(press_at(&mut harness, reject), [Intent::Reject { call: 5 }]);
    let over = CallState::Ended { reason: "You declined.".into(), failed: false };
    harness.state_mut().snapshot.calls[2].state = over;
    harness.run();
    assert_eq!(press_at(&mut harness, reject), []);
    harness.state_mut().snapshot.calls.pop();
    harness.run();
    assert_eq!(press_at(&mut harness, reject), [Intent::Hangup { call: 2 }], "this is what was under it");
}

#[test]
fn shortcuts_reach_the_call_in_hand() {
    let talking_id = talking().id;
    for (snapshot, key, wanted) in [
        (with_calls(vec![ringing()]), Key::Enter, Intent::Answer { call: 1 }),
        (with_calls(vec![talking(), second_ringing()]), Key::Enter, Intent::Answer { call: 5 }),
        (with_calls(vec![talking()]), Key::M, Intent::Mute { call: talking_id, on: true }),
        (with_calls(vec![muted()]), Key::M, Intent::Mute { call: talking_id, on: false }),
        (with_calls(vec![held(), talking()]), Key::H, Intent::Hold { call: talking_id }),
        (with_calls(vec![held()]), Key::H, Intent::Resume { call: 2 }),
        (with_calls(vec![talking(), second_ringing()]), Key::E, Intent::Hangup { call: talking_id }),
        (with_calls(vec![dialing()]), Key::E, Intent::Hangup { call: 3 }),
        (with_calls(vec![ringing()]), Key::E, Intent::Reject { call: 1 }),
    ] {
        let mut harness = Setup::new(snapshot).light();
        press(&mut harness, key);
        assert_eq!(asked(&mut harness), [wanted]);
    }
}

#[test]
fn what_is_wrong_with_the_sound_is_said_once_under_the_call_or_beside_it() {
    let words = unsaid().verdict.expect("something is wrong").words;
    let said = |setup: Setup| setup.light().query_all_by_label(&words).count();
    assert_eq!(said(Setup::new(with_calls(vec![unsaid()]))), 1);
    assert_eq!(said(Setup::new(with_calls(vec![unsaid()])).wide()), 1);
    assert_eq!(
        said(Setup::new(with_calls(vec![unsaid()])).wide().page(Page::Audio)),
        1,
        "where the cause is looked for"
    );
    let second = Call { id: 9, ..unsaid() };
    assert_eq!(said(Setup::new(with_calls(vec![talking(), second])).wide()), 1, "details show one call");
    assert_eq!(said(Setup::new(with_calls(vec![talking()]))), 0);
    let mut harness = Setup::new(with_calls(vec![unsaid()])).light();
    press(&mut harness, Key::K);
    assert!(harness.query_by_label(&words).is_none(), "an open keypad needs the room");
}

#[test]
fn escape_never_ends_a_call() {
    for page in [Page::Main, Page::Settings, Page::Account, Page::Audio] {
        for call in [ringing(), talking(), dialing(), held()] {
            let mut harness = Setup::new(with_calls(vec![call])).page(page).light();
            asked(&mut harness);
            for _ in 0..4 {
                harness.key_press(Key::Escape);
                harness.run();
            }
            let ended = asked(&mut harness)
                .into_iter()
                .any(|intent| matches!(intent, Intent::Hangup { .. } | Intent::Reject { .. }));
            assert!(!ended, "on {page:?}");
        }
    }
}

#[test]
fn a_call_stays_within_reach_when_its_session_has_ended() {
    let snapshot = Snapshot { calls: vec![talking()], ..refused() };
    let mut harness = Setup::new(snapshot).light();
    assert!(harness.query_by_label("Apply").is_some());
    press(&mut harness, Key::M);
    harness.get_by_label("End").click();
    harness.run();
    let call = talking().id;
    assert_eq!(asked(&mut harness), [Intent::Mute { call, on: true }, Intent::Hangup { call }]);
}
