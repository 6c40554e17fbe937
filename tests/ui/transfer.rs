//! Sending a call elsewhere, how that goes, and calls that others ask for.

use crate::{
    desk::{Desk, Setup, asked, press},
    fake::*,
};
use agent_manager::ui::snapshot::{Call, DialAsked, Intent, Snapshot, Transfer};
use egui::Key;
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};

fn open(snapshot: Snapshot) -> Harness<'static, Desk> {
    let mut harness = Setup::new(snapshot).light();
    harness.get_by_label("Transfer").click();
    harness.run();
    harness.run();
    harness
}

#[test]
fn a_number_is_typed_and_enter_sends_the_call_there() {
    let mut harness = open(with_calls(vec![talking()]));
    assert!(harness.get_by_label("Transfer to").is_focused(), "ready to type");
    assert_eq!(asked(&mut harness), []);
    harness.get_by_label("Transfer to").type_text("102");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Transfer { call: 1, to: "102".into() }]);
    assert!(harness.query_by_label("Transfer to").is_none(), "the panel has served");
}

#[test]
fn what_is_typed_finds_people_and_one_press_sends_nobody() {
    let mut harness = open(with_calls(vec![talking()]));
    assert!(harness.query_by_label("Transfer to Maria Dlamini").is_none(), "nobody is sent to himself");
    harness.get_by_label("Transfer to").type_text("bot");
    harness.run();
    assert!(harness.query_by_label("Transfer to Echo").is_none());
    harness.get_by_label("Transfer to Johan Botha").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert_eq!(harness.get_by_label("Transfer to").value().as_deref(), Some("101"));
    harness.get_by_label("Transfer the call").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Transfer { call: 1, to: "101".into() }]);
}

#[test]
fn the_one_who_waits_is_joined_with_the_one_in_hand() {
    let mut harness = open(with_calls(vec![talking(), held()]));
    harness.get_by_label("Transfer to Johan Botha").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::TransferTo { call: held().id, with: talking().id }]);
}

#[test]
fn the_keyboard_opens_it_and_escape_closes_it_and_ends_nothing() {
    let mut harness = Setup::new(with_calls(vec![talking()])).light();
    press(&mut harness, Key::T);
    assert!(harness.query_by_label("Transfer to").is_some());
    press(&mut harness, Key::K);
    assert!(harness.query_by_label("Transfer to").is_none() && harness.query_by_label("5").is_some(), "one at a time");
    press(&mut harness, Key::T);
    harness.key_press(Key::Escape);
    harness.run();
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Transfer to").is_none());
    assert_eq!(asked(&mut harness), []);
}

#[test]
fn how_it_goes_is_said_and_a_failure_stays_until_it_is_read() {
    let with = |transfer| with_calls(vec![Call { transfer, ..talking() }]);
    let mut harness = Setup::new(with(Some(Transfer::Trying { ringing: true }))).light();
    assert!(harness.query_by_label_contains("Transferring: it rings there").is_some());
    harness.get_by_label("Transfer").click();
    harness.run();
    assert!(harness.query_by_label("Transfer to").is_none(), "it is under way");
    let reason = "The transfer did not succeed. 102 is busy. The call is back with you.";
    harness.state_mut().snapshot = with(Some(Transfer::Failed { reason: reason.into() }));
    harness.run();
    let said = |harness: &Harness<'_, Desk>| harness.query_all_by_label(reason).count();
    assert_eq!(said(&harness), 2, "painted, and announced");
    harness.get_by_label("Dismiss").click();
    harness.run();
    assert_eq!(said(&harness), 1);
    // The next one is told anew.
    for transfer in [Transfer::Trying { ringing: false }, Transfer::Failed { reason: reason.into() }] {
        harness.state_mut().snapshot = with(Some(transfer));
        harness.run();
    }
    assert_eq!(said(&harness), 2);
}

#[test]
fn a_call_that_others_ask_for_is_the_persons_choice() {
    for (button, accept) in [("Call 102", true), ("Don't call", false)] {
        let dial_asked = Some(DialAsked { request: 7, from: "crm".into(), to: "102".into() });
        let mut harness = Setup::new(Snapshot { dial_asked, ..online() }).light();
        let question = harness.query_all_by_label("crm asks you to call 102.").count();
        assert_eq!(question, 2, "painted, and announced");
        assert_eq!(asked(&mut harness), []);
        harness.get_by_label(button).click();
        harness.run();
        assert_eq!(asked(&mut harness), [Intent::AnswerDial { request: 7, accept }]);
    }
}

#[test]
fn every_control_of_it_is_reached_by_tab() {
    let mut harness = open(with_calls(vec![talking(), held()]));
    let mut reached: Vec<String> = Vec::new();
    for _ in 0..30 {
        harness.key_press(Key::Tab);
        harness.run();
        let focused = harness.root().children_recursive().find(|node| node.is_focused());
        reached.extend(focused.and_then(|node| node.accesskit_node().label()));
    }
    for name in ["Transfer to Johan Botha", "Transfer to Echo", "Transfer"] {
        assert!(reached.iter().any(|label| label == name), "{name}: {reached:?}");
    }
}
