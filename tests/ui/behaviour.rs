//! Names, order, keyboard, and what is asked for, in the window as a whole.

use crate::{
    desk::{Desk, Setup, asked},
    fake::*,
};
use agent_manager::ui::{
    screen::Page,
    snapshot::{Audio, Intent, Snapshot, Voice},
};
use egui::{
    Key,
    accesskit::{Action, Role},
};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};

#[test]
fn what_cannot_be_moved_is_not_offered_to_be_taken() {
    for page in [Page::Main, Page::Account] {
        let mut harness = Setup::new(stays()).page(page).light();
        if page == Page::Account {
            harness.get_by_label_contains("100-acme, primary").click();
            harness.run();
        }
        assert!(harness.query_by_label("Use the secondary").is_some() && harness.query_by_label("Take over").is_none());
    }
}

#[test]
fn what_a_conflict_asks_comes_into_view() {
    let mut snapshot = initialized();
    snapshot.registrations.rotate_left(1);
    let mut harness = Setup::new(snapshot).page(Page::Account).size([380.0, 480.0]).light();
    harness.get_by_label_contains("100-acme, primary").click();
    harness.run();
    let (first, last) = (harness.get_by_label("Use the secondary").rect(), harness.get_by_label("Cancel").rect());
    assert!(first.top() > 64.0 && last.bottom() <= 480.0, "{first} {last}");
}

#[test]
fn a_registration_in_use_elsewhere_asks_first() {
    let mut harness = Setup::new(initialized()).page(Page::Account).light();
    harness.get_by_label_contains("100-acme, primary").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_by_label_contains("100-acme is in use by Yealink T46S").is_some());
    harness.get_by_label("Use the secondary").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Select { registration: "100-acme-laptop".into(), takeover: false }]);
}

#[test]
fn take_over_is_explicit() {
    let mut harness = Setup::new(initialized()).page(Page::Account).light();
    harness.get_by_label_contains("100-acme, primary").click();
    harness.run();
    harness.get_by_label("Take over").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Select { registration: "100-acme".into(), takeover: true }]);
}

#[test]
fn a_free_registration_is_chosen_at_once() {
    let mut harness = Setup::new(initialized()).page(Page::Account).light();
    harness.get_by_label_contains("100-acme-laptop, secondary").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Select { registration: "100-acme-laptop".into(), takeover: false }]);
}

#[test]
fn the_switches_of_the_voice_ask_for_what_they_name() {
    let mut harness = Setup::new(online()).page(Page::Audio).size([380.0, 1_600.0]).light();
    let voice = audio().voice;
    asked(&mut harness);
    for (label, flipped) in [
        ("Even out the level", Voice { gain: true, ..voice }),
        ("Send no silence", Voice { suppress_silence: true, ..voice }),
    ] {
        harness.get_by_role_and_label(Role::Switch, label).click();
        harness.run();
        assert_eq!(asked(&mut harness), [Intent::Voice(flipped)]);
    }
}

#[test]
fn an_emergency_number_is_dialled_offline_however_it_is_written() {
    let snapshot = Snapshot { emergency_numbers: vec!["10111".into()], ..initialized() };
    for (typed, dialled) in [("10111", true), ("(10) 1.1/1", true), ("10-1 11", true), ("1011", false)] {
        let mut harness = Setup::new(snapshot.clone()).light();
        harness.get_by_label("Number or SIP address").focus();
        harness.run();
        harness.get_by_label("Number or SIP address").type_text(typed);
        harness.run();
        asked(&mut harness);
        harness.key_press(Key::Enter);
        harness.run();
        let expected = if dialled { vec![Intent::Dial { to: typed.into() }] } else { vec![] };
        assert_eq!(asked(&mut harness), expected, "{typed}");
    }
}

#[test]
fn the_wheel_leads_to_select_account() {
    let mut harness = Setup::new(initialized()).light();
    harness.get_by_label("Settings").click();
    harness.run();
    harness.get_by_label("Select account").click();
    harness.run();
    assert!(harness.query_by_label_contains("100-acme-laptop, secondary").is_some());
}

#[test]
fn a_conflict_offers_both_ways_out_on_the_main_screen() {
    let mut harness = Setup::new(elsewhere()).light();
    harness.get_by_label("Use the secondary").click();
    harness.run();
    harness.get_by_label("Take over").click();
    harness.run();
    assert_eq!(
        asked(&mut harness),
        [
            Intent::Select { registration: "100-acme-laptop".into(), takeover: false },
            Intent::Select { registration: "100-acme".into(), takeover: true },
        ]
    );
}

#[test]
fn meters_run_only_while_they_are_seen() {
    let mut harness = Setup::new(online()).page(Page::Audio).light();
    assert_eq!(asked(&mut harness), [Intent::Meter { on: true }]);
    harness.key_press(Key::Escape);
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Meter { on: false }]);
}

#[test]
fn the_check_before_the_shift_calls_the_number_that_is_typed() {
    let mut harness = Setup::new(online()).page(Page::Audio).size([380.0, 1_600.0]).light();
    asked(&mut harness);
    harness.get_by_label("Echo number").click();
    harness.run();
    harness.get_by_label("Echo number").type_text("600 ");
    harness.run();
    harness.get_by_label("Check everything").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::Check { echo: "600".into() }]);
}

/// Every page, and the main screen in each of its states.
fn every_view() -> Vec<(Page, Snapshot)> {
    let main = [
        signed_out(),
        demo_form(),
        refused(),
        tenant_form(),
        sip_form(),
        sip_password(None),
        initialized(),
        connecting(),
        online(),
        unreachable(),
        tms_unreachable(),
        elsewhere(),
        stays(),
        plain(),
        with_colleagues(vec![talking()]),
        joined(),
        recorded(),
        with_calls(vec![ringing()]),
        with_calls(vec![dialing()]),
        with_calls(vec![talking(), second_ringing()]),
        with_calls(vec![remote_held(), held()]),
        with_calls(vec![ended()]),
    ];
    let pages =
        [Page::Settings, Page::Account, Page::Audio, Page::Calls, Page::Appearance, Page::Shortcuts, Page::About];
    let others = pages.into_iter().flat_map(|page| {
        [initialized(), plain(), with_calls(vec![talking(), second_ringing()])].map(|snapshot| (page, snapshot))
    });
    main.into_iter().map(|snapshot| (Page::Main, snapshot)).chain(others).collect()
}

#[test]
fn every_control_has_a_name_and_tab_reaches_it() {
    let mut wrong = vec![];
    for (page, snapshot) in every_view() {
        let what = format!("{page:?} with {:?} and {} calls", snapshot.status, snapshot.calls.len());
        let mut harness = Setup::new(snapshot).page(page).light();
        let controls: Vec<_> = harness
            .root()
            .children_recursive()
            .map(|node| node.accesskit_node())
            .filter(|node| !node.is_hidden() && !node.is_disabled() && node.data().supports_action(Action::Click))
            .map(|node| (node.locate(), node.role(), node.label().unwrap_or_default()))
            // What is scrolled follows the keyboard.
            .filter(|(_, role, _)| *role != Role::ScrollBar)
            .collect();
        assert!(!controls.is_empty(), "{what}");
        let mut reached = vec![];
        for _ in 0..controls.len() + 4 {
            harness.key_press(Key::Tab);
            harness.run();
            let focused = harness.root().children_recursive().find(|node| node.is_focused());
            reached.extend(focused.map(|node| node.accesskit_node().locate()));
        }
        for (id, role, name) in controls {
            if name.trim().is_empty() {
                wrong.push(format!("{what}: a {role:?} has no name"));
            }
            if !reached.contains(&id) {
                wrong.push(format!("{what}: {role:?} {name:?} is not reached"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_repaints_while_nothing_changes() {
    let harness = Setup::new(online()).light();
    let wait = harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    // Only that nothing has proved for long that calls arrive is told unasked.
    assert!(wait > std::time::Duration::from_secs(600), "an idle window asks to be painted again in {wait:?}");
    let harness = Setup::new(with_calls(vec![talking()])).light();
    let wait = harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(wait > std::time::Duration::from_millis(900), "a call's clock ticks once a second, not in {wait:?}");
}

#[test]
fn changes_are_announced() {
    let mut harness = Setup::new(online()).light();
    for (calls, wanted) in [
        (vec![ringing()], "Incoming call from Maria Dlamini."),
        (vec![talking()], "Connected to Maria Dlamini."),
        (vec![muted()], "Microphone muted."),
        (vec![ended()], "Call with Johan Botha ended: They are busy. Try again later."),
        (vec![ended(), talking()], "Connected to Maria Dlamini."),
        (vec![held(), second_ringing()], "Johan Botha is on hold. Incoming call from +27 31 555 0107."),
    ] {
        harness.state_mut().snapshot.calls = calls;
        harness.run();
        let heard = harness
            .query_all_by_label(wanted)
            .any(|node| node.accesskit_node().live() == egui::accesskit::Live::Assertive);
        assert!(heard, "nobody hears {wanted:?}");
    }
}

#[test]
fn the_window_is_named_after_what_matters_most() {
    for (snapshot, wanted) in [
        (signed_out(), "Signed out – Agent Manager"),
        (online(), "Online – Agent Manager"),
        (with_calls(vec![muted()]), "Muted – Agent Manager"),
        (with_calls(vec![ringing()]), "Incoming call from Maria Dlamini – Agent Manager"),
    ] {
        let harness = Setup::new(snapshot).light();
        assert_eq!(harness.root().accesskit_node().label().as_deref(), Some(wanted));
    }
}

#[test]
fn an_engine_that_ends_is_told_from_one_that_never_ran() {
    let fatal = Some("The SIP sockets cannot be used; start again.".to_owned());
    for (snapshot, wanted) in
        [(Snapshot::default(), "Agent Manager cannot start"), (online(), "Agent Manager has stopped")]
    {
        let harness = Setup::new(Snapshot { fatal: fatal.clone(), ..snapshot }).light();
        assert!(harness.query_by_label(wanted).is_some());
    }
}

#[test]
fn a_tip_fits_into_the_smallest_window() {
    let mut harness = Setup::new(online()).page(Page::Audio).light();
    harness.get_by_label("Check everything").hover();
    harness.run_steps(8);
    let tip = harness.get_by_label_contains("takes less than twenty seconds").rect();
    assert!(tip.left() >= 0.0 && tip.right() <= agent_manager::ui::window::COMPACT[0], "{tip}");
}

#[test]
fn escape_closes_a_list_of_devices_before_it_leads_back() {
    let mut harness = Setup::new(online()).page(Page::Audio).light();
    harness.get_by_role_and_label(Role::ComboBox, "Microphone").click();
    harness.run();
    let open = |harness: &Harness<'_, Desk>| harness.query_by_label("System default").is_some();
    let on_page = |harness: &Harness<'_, Desk>| harness.query_by_label("Check everything").is_some();
    assert!(open(&harness));
    harness.key_press(Key::Escape);
    harness.run();
    assert!(!open(&harness) && on_page(&harness));
    harness.key_press(Key::Escape);
    harness.run();
    assert!(!on_page(&harness));
}

#[test]
fn chosen_devices_can_be_had_alone() {
    let mut harness = Setup::new(online()).page(Page::Audio).size([380.0, 1_800.0]).light();
    harness.get_by_role_and_label(Role::Switch, "Use the device alone").click();
    harness.run();
    let chosen = asked(&mut harness);
    let wanted = [Intent::ChooseAudio {
        microphone: audio().microphone,
        speaker: audio().speaker,
        ringer: audio().ringer,
        alert: None,
        alone: true,
    }];
    assert!(chosen.ends_with(&wanted), "{chosen:?}");
    let defaults = Audio { microphone: None, speaker: None, ..audio() };
    let harness = Setup::new(Snapshot { audio: defaults, ..online() }).page(Page::Audio).size([380.0, 1_800.0]).light();
    assert!(harness.query_by_label("Use the device alone").is_none(), "the default one changes");
}
