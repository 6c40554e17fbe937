//! Names, order, keyboard, and what is asked for.

use crate::{
    desk::{Desk, Setup},
    fake::*,
};
use agent_manager::ui::{
    screen::Page,
    snapshot::{Call, HistoryEntry, Intent, Notice, NoticeKind, SignInForm, Snapshot, Status},
};
use egui::{Key, Modifiers};
use egui_kittest::{
    Harness,
    kittest::{NodeT, Queryable},
};

fn press(harness: &mut Harness<'_, Desk>, key: Key) {
    harness.key_press_modifiers(Modifiers::COMMAND, key);
    harness.run();
}

fn asked(harness: &mut Harness<'_, Desk>) -> Vec<Intent> {
    std::mem::take(&mut harness.state_mut().asked)
}

#[test]
fn apply_sends_what_was_typed() {
    let mut harness = Setup::new(signed_out()).light();
    for (field, text) in
        [("Server", "tms.example"), ("User name", "maria"), ("Password", "correct-horse"), ("API key", "tms_4f0c9a")]
    {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    harness.get_by_label("Apply").click();
    harness.run();
    let wanted = Intent::Apply {
        server: "tms.example".into(),
        username: "maria".into(),
        password: "correct-horse".into(),
        api_key: "tms_4f0c9a".into(),
        remember: true,
    };
    assert_eq!(asked(&mut harness), [wanted]);
}

/// *Apply* makes the program remember server and user name, and it says so in its next snapshot.
#[test]
fn what_is_typed_stays_when_apply_is_refused() {
    let mut harness = Setup::new(signed_out()).light();
    for (field, text) in
        [("Server", "tms.example"), ("User name", "maria"), ("Password", "correct-horse"), ("API key", "tms_4f0c9a")]
    {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
    }
    for _ in 0..2 {
        harness.get_by_label("Apply").click();
        harness.run();
        let applied = asked(&mut harness);
        let all = |intent: &Intent| {
            matches!(intent, Intent::Apply { password, api_key, remember: true, .. }
                if password == "correct-horse" && api_key == "tms_4f0c9a")
        };
        assert!(applied.len() == 1 && all(&applied[0]), "{applied:?}");
        let snapshot = &mut harness.state_mut().snapshot;
        (snapshot.sign_in.server, snapshot.sign_in.username) = ("tms.example".into(), "maria".into());
        snapshot.status = refused().status;
        harness.run();
    }
    harness.state_mut().snapshot = online();
    harness.run();
    let typed = &demo_form().sign_in;
    harness.state_mut().snapshot = Snapshot {
        sign_in: SignInForm { password: String::new(), api_key: String::new(), ..typed.clone() },
        ..signed_out()
    };
    harness.run();
    assert_eq!(
        harness.get_by_label("Password").value().unwrap_or_default(),
        "",
        "nothing secret waits for whoever is next"
    );
}

#[test]
fn an_empty_field_is_named_and_nothing_is_sent() {
    let mut harness = Setup::new(signed_out()).light();
    harness.get_by_label("Apply").click();
    harness.run();
    assert!(harness.query_all_by_label_contains("Enter the server's address").next().is_some());
    assert_eq!(asked(&mut harness), []);
}

#[test]
fn remembered_secrets_may_stay_empty() {
    let mut snapshot = demo_form();
    snapshot.sign_in.password.clear();
    snapshot.sign_in.api_key.clear();
    snapshot.sign_in.secrets_remembered = true;
    let mut harness = Setup::new(snapshot).light();
    harness.get_by_label("Apply").click();
    harness.run();
    assert!(matches!(&asked(&mut harness)[..], [Intent::Apply { password, .. }] if password.is_empty()));
}

#[test]
fn what_is_remembered_is_one_login_s() {
    let mut snapshot = demo_form();
    snapshot.sign_in =
        SignInForm { password: String::new(), api_key: String::new(), secrets_remembered: true, ..snapshot.sign_in };
    let mut harness = Setup::new(snapshot).light();
    harness.get_by_label("User name").focus();
    harness.run();
    harness.get_by_label("User name").type_text("-s");
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_all_by_label_contains("Enter your password").next().is_some());
}

#[test]
fn a_refusal_is_read_whole_also_above_a_call() {
    for snapshot in [refused(), Snapshot { calls: vec![talking()], ..refused() }] {
        let harness = Setup::new(snapshot).light();
        let mut said = harness.query_all_by_label_contains("This login has not been activated");
        let sentence =
            said.find(|node| node.accesskit_node().role() == egui::accesskit::Role::Label).expect("it is said");
        let (sentence, first) = (sentence.rect(), harness.get_by_label("Server").rect());
        assert!(sentence.height() > 60.0 && sentence.top() > 0.0 && sentence.bottom() < first.top(), "{sentence}");
    }
}

#[test]
fn tenant_and_key_are_a_form_of_their_own() {
    let mut harness = Setup::new(signed_out()).light();
    harness.get_by_label("Sign in with tenant and key").click();
    harness.run();
    assert!(harness.query_by_label("User name").is_none());
    harness.get_by_label("Apply").click();
    harness.run();
    for (field, text) in [("Server", "tms.example"), ("Tenant", "acme"), ("API key", "tms_4f0c9a")] {
        harness.get_by_label(field).focus();
        harness.run();
        harness.get_by_label(field).type_text(text);
        harness.run();
        assert_eq!(asked(&mut harness), []);
    }
    harness.get_by_label("Apply").click();
    harness.run();
    let wanted = Intent::ApplyXml {
        server: "tms.example".into(),
        tenant: "acme".into(),
        key: "tms_4f0c9a".into(),
        sip_server: String::new(),
        remember: true,
    };
    assert_eq!(asked(&mut harness), [wanted]);
    harness.get_by_label("Sign in with user name and password").click();
    harness.run();
    assert!(harness.query_by_label("User name").is_some(), "what is typed stays, and the way back is there");
}

#[test]
fn a_remembered_key_is_the_tenant_s_only() {
    let mut harness = Setup::new(tenant_form()).light();
    harness.get_by_label("Apply").click();
    harness.run();
    assert!(matches!(&asked(&mut harness)[..], [Intent::ApplyXml { key, .. }] if key.is_empty()));
    harness.get_by_label("Sign in with user name and password").click();
    harness.run();
    harness.get_by_label("User name").type_text("maria");
    harness.run();
    harness.get_by_label("Apply").click();
    harness.run();
    assert_eq!(asked(&mut harness), []);
    assert!(harness.query_all_by_label_contains("Enter your").next().is_some());
}

#[test]
fn a_sip_password_is_typed_where_it_is_asked_for() {
    let mut harness = Setup::new(sip_password(None)).light();
    harness.get_by_label("Go online").click();
    harness.run();
    assert_eq!(asked(&mut harness), [], "nothing is typed yet");
    harness.get_by_label("SIP password").focus();
    harness.run();
    harness.get_by_label("SIP password").type_text("s3cret");
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    let wanted = Intent::SipPassword { registration: "100-acme-laptop".into(), password: "s3cret".into() };
    assert_eq!(asked(&mut harness), [wanted]);
}

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
fn a_notice_leaves_the_calls_within_reach() {
    let notice = Notice { kind: NoticeKind::Warning, text: "The headset was unplugged.".into() };
    let harness = Setup::new(with_calls(vec![talking()])).page(Page::Audio).notice(notice).light();
    let (said, end) = (harness.get_by_label("Dismiss").rect(), harness.get_by_label("End").rect());
    assert!(said.bottom() < end.top(), "{said} {end}");
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
fn tab_visits_every_control_of_the_main_screen() {
    let mut harness = Setup::new(with_calls(vec![talking()])).light();
    let mut visited = vec![];
    for _ in 0..24 {
        harness.key_press(Key::Tab);
        harness.run();
        let focused = harness.root().children_recursive().find(|node| node.is_focused());
        let name = focused.and_then(|node| node.accesskit_node().label());
        visited.extend(name.filter(|name| !visited.contains(name)));
    }
    for wanted in ["Settings", "Mute", "Hold", "Keypad", "End", "Number or SIP address", "Call Echo back"] {
        assert!(visited.iter().any(|name| name == wanted), "{wanted} is not reached: {visited:?}");
    }
}

#[test]
fn nothing_repaints_while_nothing_changes() {
    let harness = Setup::new(online()).light();
    let wait = harness.output().viewport_output[&egui::ViewportId::ROOT].repaint_delay;
    assert!(wait > std::time::Duration::from_secs(3600), "an idle window asks to be painted again in {wait:?}");
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
fn signing_out_leads_back_to_the_form() {
    let mut harness = Setup::new(online()).page(Page::Settings).light();
    harness.get_by_label("Sign out").click();
    harness.run();
    assert_eq!(asked(&mut harness), [Intent::SignOut]);
    harness.state_mut().snapshot = Snapshot { status: Status::SignedOut, ..demo_form() };
    harness.run();
    assert!(harness.query_by_label("Apply").is_some());
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
