//! Who is signed in, and which registration is online.

use super::*;

#[test]
fn a_registration_from_choosing_to_online_and_its_refreshes() {
    let mut story = Story::signed_in();
    assert_eq!(*story.status(), Status::Initialized);
    story.registration("100-acme", RegistrationState::Registering);
    assert!(matches!(story.status(), Status::Connecting { registration } if registration == "100-acme"));
    assert!(story.online("100-acme").refresh, "who holds what has changed");
    let first = story.at.now;
    story.wait(30 * SECOND);
    assert!(!story.online("100-acme").refresh, "a refresh changes nothing");
    let Status::Online { since, confirmed, .. } = *story.status() else { panic!("{:?}", story.status()) };
    assert_eq!((since, confirmed), (first, first + 30 * SECOND));
}

#[test]
fn the_old_registration_going_offline_does_not_touch_the_new_one() {
    let mut story = Story::signed_in();
    story.online("100-acme");
    story.registration("100-acme-laptop", RegistrationState::Registering);
    story.registration("100-acme", RegistrationState::Offline);
    assert!(matches!(story.status(), Status::Connecting { .. }));
    story.online("100-acme-laptop");
    story.registration("100-acme-laptop", RegistrationState::Offline);
    assert_eq!(*story.status(), Status::Initialized);
}

#[test]
fn failures_keep_their_words_and_the_time_of_the_next_try() {
    let mut story = Story::signed_in();
    let reason = "in use by Yealink".to_owned();
    story.registration("100-acme", RegistrationState::Conflict { code: 403, reason: reason.clone() });
    assert_eq!(*story.status(), Status::OnlineElsewhere { registration: "100-acme".into(), reason });
    let failed = RegistrationState::Failed { code: None, reason: "no answer".into(), retry_in: Some(12 * SECOND) };
    story.registration("100-acme", failed);
    let retry_at = Some(story.at.now + 12 * SECOND);
    assert!(matches!(story.status(), Status::NotReachable { retry_at: at, .. } if *at == retry_at));
}

#[test]
fn a_tms_that_goes_away_does_not_hide_a_registration_that_works() {
    let mut story = Story::signed_in();
    let away = || Event::Login(LoginState::Unreachable { reason: "no answer".into(), retry_in_s: Some(5) });
    story.hear(away());
    assert!(matches!(story.status(), Status::TmsUnreachable { .. }));
    story.online("100-acme");
    story.hear(away());
    assert!(matches!(story.status(), Status::Online { .. }));
    story.hear(Event::Login(LoginState::Refused { kind: "x".into(), reason: "disabled".into() }));
    assert_eq!(
        (story.status(), &story.fold.snapshot.identity),
        (&Status::Refused { reason: "disabled".into() }, &None)
    );
}

#[test]
fn rows_are_marked_with_what_is_chosen_and_who_holds_them() {
    let mut story = Story::signed_in();
    let in_use = wire::InUse {
        device: "Yealink".into(),
        address: "10.0.0.12:5060".into(),
        since: "2026-11-22T08:02:00Z".parse().expect("a time"),
        this_device: false,
    };
    let row = |name: &str, kind, in_use| wire::Registration {
        name: name.into(),
        extension: "100".into(),
        kind,
        label: "Desk".into(),
        ring_inbound: true,
        in_use,
    };
    story.hear(Event::Registrations(vec![row("100-acme", wire::Kind::P, Some(in_use)), row("b", wire::Kind::S, None)]));
    story.online("b");
    let rows = &story.fold.snapshot.registrations;
    assert_eq!((rows[0].selected, rows[1].selected, rows[0].primary), (false, true, true));
    assert_eq!(rows[0].in_use.as_ref().map(|holder| holder.since.as_str()), Some("08:02"));
}

#[test]
fn a_conflict_about_another_registration_leaves_the_one_that_is_online() {
    let mut story = Story::signed_in();
    story.online("100-acme-laptop");
    let reason = "In use by Yealink.".to_owned();
    let outcome = story.registration("100-acme", RegistrationState::Conflict { code: 409, reason: reason.clone() });
    assert!(matches!(story.status(), Status::Online { registration, .. } if registration == "100-acme-laptop"));
    let text = "100-acme: In use by Yealink.".to_owned();
    assert_eq!(outcome.notices, [Notice { kind: NoticeKind::Warning, text }]);
    assert!(outcome.refresh, "who holds what is asked again");
    story.registration("100-acme-laptop", RegistrationState::Conflict { code: 403, reason });
    assert!(matches!(story.status(), Status::OnlineElsewhere { .. }), "taken from us");
}

#[test]
fn a_sip_password_is_asked_for_and_again_when_the_registrar_does_not_take_it() {
    let mut story = Story::signed_in();
    let registration = || "7-acme".to_owned();
    let refused = |code| RegistrationState::Failed { code: Some(code), reason: "Wrong.".into(), retry_in: None };
    story.registration("7-acme", refused(401));
    assert_eq!(story.fold.snapshot.sip_password, None, "a TMS that gives credentials of its own");
    story.fold.snapshot.sign_in.xml = true;
    story.hear(Event::SipPasswordWanted { registration: registration() });
    assert_eq!(story.fold.snapshot.sip_password, Some(SipPassword { registration: registration(), problem: None }));
    story.registration("7-acme", RegistrationState::Registering);
    assert_eq!(story.fold.snapshot.sip_password, None);
    story.registration("7-acme", refused(403));
    let problem = Some("Wrong.".to_owned());
    assert_eq!(story.fold.snapshot.sip_password, Some(SipPassword { registration: registration(), problem }));
    story.online("7-acme");
    assert_eq!(story.fold.snapshot.sip_password, None);
    story.registration("7-acme", refused(503));
    assert_eq!(story.fold.snapshot.sip_password, None);
}

#[test]
fn a_choice_shows_at_once_and_what_was_online_stays_so_where_it_comes_to_nothing() {
    let mut story = Story::signed_in();
    let at = story.at.clone();
    let shown = |story: &Story| match story.status() {
        Status::Connecting { registration } => format!("connecting {registration}"),
        Status::Online { registration, .. } => format!("online {registration}"),
        other => format!("{other:?}"),
    };
    story.fold.choose(&at, "laptop".into());
    assert_eq!(shown(&story), "connecting laptop");
    let error = || Event::Error { command: "select", call: None, message: "No such registration.".into() };
    story.hear(error());
    assert_eq!(shown(&story), "Initialized");
    story.fold.choose(&at, "laptop".into());
    story.registration("laptop", RegistrationState::Registering);
    story.online("laptop");
    story.hear(error());
    assert_eq!(shown(&story), "online laptop", "it was about something else");

    story.fold.choose(&at, "desk".into());
    story.online("laptop");
    assert_eq!(shown(&story), "connecting desk", "a refresh of what we had");
    let conflict = RegistrationState::Conflict { code: 409, reason: "In use by Yealink.".into() };
    assert_eq!(story.registration("desk", conflict).notices.len(), 1);
    assert_eq!(shown(&story), "online laptop");

    story.fold.choose(&at, "desk".into());
    story.registration("laptop", RegistrationState::Offline);
    story.registration("desk", RegistrationState::Registering);
    story.registration("laptop", RegistrationState::Offline);
    assert_eq!(shown(&story), "connecting desk");
    story.fold.choose(&at, "home".into());
    story.fold.take_choice_back(&at);
    assert_eq!(shown(&story), "connecting desk");
    story.fold.choose(&at, "home".into());
    story.hear(Event::SipPasswordWanted { registration: "home".into() });
    assert_eq!(shown(&story), "connecting desk");
    assert!(story.fold.snapshot.sip_password.is_some());
}

#[test]
fn times_of_day_are_told_anew_on_another_day() {
    let mut story = Story::signed_in();
    let in_use = wire::InUse {
        device: "Yealink".into(),
        address: "10.0.0.12:5060".into(),
        since: "2026-11-22T08:02:00Z".parse().expect("a time"),
        this_device: false,
    };
    let row = wire::Registration {
        name: "100-acme".into(),
        extension: "100".into(),
        kind: wire::Kind::P,
        label: "Desk".into(),
        ring_inbound: true,
        in_use: Some(in_use),
    };
    story.hear(Event::Registrations(vec![row]));
    story.at.wall = "2026-11-23T00:00[UTC]".parse().expect("a zoned time");
    story.fold.handle_new_day(&story.at);
    let since = story.fold.snapshot.registrations[0].in_use.as_ref().map(|holder| holder.since.as_str());
    assert_eq!(since, Some("Sun 08:02"));
}
