//! Colleagues: their lamps, what one press does, type-ahead, the list; and the lamp for voicemail.

use crate::{
    desk::{Desk, Setup, asked},
    fake::*,
};
use agent_manager::ui::snapshot::{Intent, Presence, Snapshot, Voicemail};
use egui::Key;
use egui_kittest::{Harness, kittest::Queryable};

fn open(snapshot: Snapshot) -> Harness<'static, Desk> {
    let mut harness = Setup::new(snapshot).light();
    harness.get_by_label("Colleagues").click();
    harness.run();
    harness
}

#[test]
fn every_lamp_is_a_word_too() {
    let harness = open(with_colleagues(vec![]));
    for wanted in [
        "Anna Nkosi, 102, Free",
        "Ben Jacobs, 103, In a call",
        "Carmen de Villiers, 104, Ringing",
        "Dineo Molefe, 105, Away",
        "Ewan McAllister, 106, Not registered",
        "Farah Khan, sip:farah@partner.example, State not known",
    ] {
        assert!(harness.query_by_label(wanted).is_some(), "{wanted}");
    }
}

#[test]
fn why_nothing_is_known_is_said_where_the_row_is_too_short_for_it() {
    let mut snapshot = with_colleagues(vec![]);
    let why = "This phone system does not tell who is in a call.";
    snapshot.colleagues[5].unknown_because = Some(why.into());
    let mut harness = open(snapshot);
    harness.get_by_label(&format!("Farah Khan, sip:farah@partner.example, State not known: {why}")).hover();
    // A tooltip waits until the pointer rests.
    harness.step();
    harness.run_steps(60);
    assert!(harness.query_by_label(why).is_some(), "on hovering");
}

#[test]
fn one_press_calls_transfers_or_picks_up() {
    let talking_id = talking().id;
    let free = vec![];
    for (calls, button, wanted) in [
        (free.clone(), "Call Anna Nkosi", Intent::Dial { to: "102".into() }),
        (free, "Pick up the call for Carmen de Villiers", Intent::PickUp { to: "104".into() }),
        (vec![talking()], "Transfer to Ben Jacobs", Intent::Transfer { call: talking_id, to: "103".into() }),
        (vec![talking()], "Call Ben Jacobs", Intent::Dial { to: "103".into() }),
    ] {
        let mut harness = Setup::new(with_colleagues(calls)).size([380.0, 1000.0]).light();
        harness.get_by_label("Colleagues").click();
        harness.run();
        harness.get_by_label(button).click();
        harness.run();
        assert_eq!(asked(&mut harness), [wanted]);
    }
    let mut harness = open(with_colleagues(vec![]));
    harness.get_by_label("Anna Nkosi, 102, Free").click();
    harness.run();
    assert_eq!(asked(&mut harness), [], "a press on the list calls nobody");
    assert_eq!(harness.get_by_label("Number or SIP address").value().as_deref(), Some("102"));
}

#[test]
fn a_name_that_is_typed_finds_its_number_and_enter_calls_it() {
    for (typed, wanted) in [("ann", "102"), ("mcal", "106"), ("echo", "600"), ("10", "10"), ("nobody", "nobody")] {
        let mut harness = Setup::new(with_colleagues(vec![])).light();
        harness.get_by_label("Number or SIP address").type_text(typed);
        harness.run();
        harness.key_press(Key::Enter);
        harness.run();
        assert_eq!(asked(&mut harness), [Intent::Dial { to: wanted.into() }], "{typed}");
    }
    let mut harness = Setup::new(with_colleagues(vec![])).light();
    harness.get_by_label("Number or SIP address").type_text("carmen");
    harness.run();
    assert!(harness.query_by_label("Carmen de Villiers, 104, Ringing").is_some());
    assert!(harness.query_by_label_contains("Anna Nkosi").is_none());
}

#[test]
fn the_list_is_edited_in_its_place() {
    let mut harness = open(with_colleagues(vec![]));
    harness.get_by_label("Edit colleagues").click();
    harness.run();
    harness.get_by_label("Add a colleague").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_by_label("Enter the colleague's number or SIP address.").is_some());
    for (field, text) in [("Name", "Gugu Zulu"), ("Number", "107")] {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::AddColleague { name: "Gugu Zulu".into(), number: "107".into() }]);
    harness.get_by_label("Remove Anna Nkosi").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::RemoveColleague { number: "102".into() }]);
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Remove Anna Nkosi").is_none());
}

#[test]
fn whoever_is_in_a_call_with_us_is_not_called_again() {
    let mut snapshot = with_colleagues(vec![agent_manager::ui::snapshot::Call { peer: "102".into(), ..talking() }]);
    snapshot.colleagues[0].presence = Presence::Busy;
    let harness = open(snapshot);
    assert!(harness.query_by_label("Call Anna Nkosi").is_none());
    assert!(harness.query_by_label("Transfer to Anna Nkosi").is_none());
}

#[test]
fn the_voicemail_lamp_counts_and_listens() {
    let voicemail = |new, account: Option<&str>| {
        let voicemail = Voicemail { waiting: new > 0, new, old: 1, account: account.map(Into::into) };
        Setup::new(Snapshot { voicemail, ..online() }).light()
    };
    let mut harness = voicemail(3, Some("*97"));
    harness.get_by_label("Voicemail: 3 new, 1 old. Listen").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Dial { to: "*97".into() }]);
    let mut harness = voicemail(3, None);
    harness.get_by_label("Voicemail: 3 new, 1 old").click();
    harness.run();
    assert_eq!(asked(&mut harness), [], "nobody knows the number");
    let harness = Setup::new(online()).light();
    assert!(harness.query_by_label_contains("oicemail").is_none(), "this phone system has none");
}
