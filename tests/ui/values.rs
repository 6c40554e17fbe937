//! What each screen shows, as values.

use crate::fake::{self, *};
use agent_manager::ui::{
    screen::{
        Subject,
        about::data::facts,
        account::data::account,
        audio::data::{Role, choice, progress},
        calls::data::{cards, conference},
        detail::data::{detail, of, rungs},
        main::data::main,
        people::data::{meant, people, recents},
        settings::data::entries,
        sign_in::data::{Draft, sign_in},
        transfer::data::panel,
    },
    snapshot::{Call, CallState, Check, Snapshot, Status, Stretch, Voicemail},
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
        sip_form(),
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
            .chain(&[connecting(), tms_unreachable()])
            .map(|snapshot| main(snapshot, now()))
            .map(|main| (main.status, main.advice, main.cannot_dial, main.unproved, main.next_change))
            .collect();
    check("main", shown);
    check("recent", recents(&online(), ""));
}

#[test]
fn calls_in_each_state() {
    let mut calls = vec![ringing(), dialing(), talking(), muted(), poor(), held(), ended(), second_ringing()];
    calls.extend([calling(), remote_held(), locked(false), locked(true), unheard()]);
    let shown: Vec<_> = calls.into_iter().map(|call| cards(&with_calls(vec![call]), now())).collect();
    check("calls", shown);
    check("calls_together", cards(&with_calls(vec![talking(), held(), second_ringing()]), now()));
}

#[test]
fn colleagues_with_what_one_press_does() {
    let shown = [
        people(&with_colleagues(vec![]), ""),
        people(&with_colleagues(vec![talking()]), "ben"),
        people(&with_colleagues(vec![dialing()]), "104"),
    ];
    check("people", shown);
    let typed = ["ann", "10", "echo", "+27", "no one", "anna@partner.example"];
    check("meant", typed.map(|typed| (typed, meant(&with_colleagues(vec![]), typed))));
}

#[test]
fn lamps_and_what_is_no_good_news() {
    let voicemail = |waiting, new, old| Voicemail { waiting, new, old, account: Some("*97".into()) };
    let lamps = [voicemail(true, 3, 1), voicemail(true, 0, 0), voicemail(false, 0, 2), voicemail(true, 120, 0)];
    check("voicemail", lamps.map(|voicemail| main(&Snapshot { voicemail, ..online() }, now()).voicemail));
    let lost = |calls| Snapshot { network_lost: Some(now() + Duration::from_millis(26_400)), ..with_calls(calls) };
    let over = Snapshot { network_lost: Some(now()), ..with_calls(vec![talking()]) };
    let told = |snapshot: &Snapshot| {
        let shown = main(snapshot, now());
        (shown.network, shown.unproved, shown.next_change)
    };
    check("network", [lost(vec![talking()]), lost(vec![]), over, unproved(), plain()].map(|snapshot| told(&snapshot)));
}

#[test]
fn joined_calls_are_one() {
    let held = joined().calls.into_iter().map(|call| Call { state: CallState::Held, muted: true, ..call });
    let shown = [joined(), with_calls(held.collect()), with_calls(vec![talking(), fake::held()]), recorded()];
    check("conference", shown.map(|snapshot| conference(&snapshot, now())));
}

#[test]
fn what_is_behind_a_call() {
    let snapshot = failed();
    check("details", [Subject::Call(7), Subject::Past(4), Subject::Past(99)].map(|one| of(&snapshot, one, now())));
    check("remembered", of(&remembered(), Subject::Past(8), now()));
    check("ladder", rungs(snapshot.trace.as_ref(), 7));
    assert_eq!(rungs(snapshot.trace.as_ref(), 8), [], "another call's");
}

#[test]
fn the_worst_seconds_are_seen_and_a_gap_is_empty() {
    let course = [Some(4.5), Some(1.0), None].map(|mos| Stretch { seconds: 1, mos }).to_vec();
    let shown =
        detail(&with_calls(vec![Call { course, ..talking() }]), None, None, now()).and_then(|detail| detail.course);
    let heights: Vec<_> = shown.expect("a course").pieces.iter().map(|(_, height, _)| *height).collect();
    assert_eq!(heights, [1.0, 0.05, 0.0]);
}

#[test]
fn where_a_call_can_go() {
    let snapshot = with_calls(vec![talking(), held()]);
    check("transfer", ["", "6", "bo", "101", "nobody"].map(|typed| panel(&snapshot, talking().id, typed)));
}

#[test]
fn registrations_and_who_holds_them() {
    let shown = [initialized(), online(), stays(), unproved(), plain()];
    check("account", shown.map(|snapshot| account(&snapshot, "", fake::now())));
    let found =
        |search| account(&many(), search, now()).groups.into_iter().map(|group| group.title).collect::<Vec<_>>();
    assert_eq!(found(" 139-AC"), ["Extension 139"]);
    assert_eq!((found("").len(), found("nobody").len()), (39, 0));
}

#[test]
fn devices_settings_and_about() {
    let mut audio = audio();
    audio.microphone = Some("Unplugged headset".into());
    check("audio", Role::ALL.map(|role| choice(&audio, role)));
    check("check", [None, Some(&Check::Network), Some(&fake::checked())].map(progress));
    check("settings", [initialized(), online()].map(|snapshot| entries(&snapshot)));
    check("about", facts(&online().about));
}

#[test]
fn the_thing_in_hand() {
    let shown = [
        detail(&with_calls(vec![held(), talking()]), Some(8), None, now()),
        detail(&online(), Some(8), None, now()),
        detail(&online(), Some(99), None, now()),
        detail(&online(), None, None, now()),
        detail(&with_calls(vec![ended()]), None, None, now()),
        detail(&with_calls(vec![ended()]), Some(8), None, now()),
    ];
    check("detail", shown);
}
