//! What each screen shows, as values.

use crate::fake::{self, *};
use agent_manager::ui::{
    screen::{
        about::data::facts,
        account::data::account,
        audio::data::{Role, choice},
        calls::data::cards,
        detail::data::detail,
        main::data::main,
        settings::data::entries,
        sign_in::data::{Draft, sign_in},
        transfer::data::panel,
    },
    snapshot::{Snapshot, Status},
};
use std::time::Duration;

fn check(name: &str, value: impl std::fmt::Debug) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_debug_snapshot!(name, value));
}

#[test]
fn sign_in_says_what_is_wrong() {
    let retry_at = Some(now() + Duration::from_millis(4_300));
    let unreachable = Status::TmsUnreachable { reason: "No answer from tms.example.".into(), retry_at };
    let shown: Vec<_> = [
        signed_out(),
        Snapshot { status: Status::SigningIn, ..demo_form() },
        refused(),
        Snapshot { status: unreachable, ..demo_form() },
        tenant_form(),
    ]
    .iter()
    .map(|snapshot| {
        let mut draft = Draft::default();
        draft.follow(&snapshot.sign_in);
        sign_in(snapshot, &draft, now())
    })
    .collect();
    check("sign_in", shown);
}

#[test]
fn main_screen_in_each_state() {
    let wrong = Some("Wrong.");
    let shown: Vec<_> =
        [initialized(), online(), unreachable(), elsewhere(), stays(), sip_password(None), sip_password(wrong)]
            .iter()
            .map(|snapshot| main(snapshot, now()))
            .map(|main| (main.status, main.advice, main.cannot_dial, main.next_change))
            .collect();
    check("main", shown);
    check("recent", main(&online(), now()).recent);
}

#[test]
fn calls_in_each_state() {
    let calls = vec![ringing(), dialing(), talking(), muted(), poor(), held(), ended(), second_ringing()];
    let shown: Vec<_> = calls.into_iter().map(|call| cards(&with_calls(vec![call]), now())).collect();
    check("calls", shown);
    check("calls_together", cards(&with_calls(vec![talking(), held(), second_ringing()]), now()));
}

#[test]
fn where_a_call_can_go() {
    let snapshot = with_calls(vec![talking(), held()]);
    check("transfer", ["", "6", "bo", "101", "nobody"].map(|typed| panel(&snapshot, talking().id, typed)));
}

#[test]
fn registrations_and_who_holds_them() {
    check("account", [initialized(), online(), stays()].map(|snapshot| account(&snapshot, "", fake::now())));
    let found =
        |search| account(&many(), search, now()).groups.into_iter().map(|group| group.title).collect::<Vec<_>>();
    assert_eq!(found(" 139-AC"), ["Extension 139"]);
    assert_eq!((found("").len(), found("nobody").len()), (39, 0));
}

#[test]
fn devices_settings_and_about() {
    let mut audio = audio();
    audio.microphone = Some("Unplugged headset".into());
    check("audio", [Role::Microphone, Role::Speaker, Role::Ringer].map(|role| choice(&audio, role)));
    check("settings", [initialized(), online()].map(|snapshot| entries(&snapshot)));
    check("about", facts(&online().about));
}

#[test]
fn the_thing_in_hand() {
    let shown = [
        detail(&with_calls(vec![held(), talking()]), Some(8), now()),
        detail(&online(), Some(8), now()),
        detail(&online(), Some(99), now()),
        detail(&online(), None, now()),
    ];
    check("detail", shown);
}
