use super::*;
use crate::{
    app::window::history::Kind,
    media::{
        engine::{self as media, DeviceList},
        evidence::{Fault, Verdict},
        plan::Codec,
        stats::{CallStats, RxStats, VoipMetrics},
    },
    ua::api::{CallDirection, CallInfo, CallState as UaState, EndedBy, TransferState},
    ui::snapshot::{CallState, DialAsked, Finding, HistoryEntry, SipAccount, Transfer},
};

const SECOND: Duration = Duration::from_secs(1);

struct Story {
    fold: Fold,
    at: Moment,
}

impl Story {
    fn signed_in() -> Self {
        let wall: Zoned = "2026-11-22T10:50[UTC]".parse().expect("a zoned time");
        let own = Snapshot { emergency_numbers: vec!["112".into()], ..Snapshot::default() };
        let mut story =
            Self { fold: Fold { snapshot: own, ..Fold::default() }, at: Moment { now: Instant::now(), wall } };
        let account = wire::Account {
            name: "Acme".into(),
            tenant: "acme".into(),
            realm: "acme.example".into(),
            edition: wire::Edition::Enterprise,
            emergency_numbers: vec!["144".into()],
        };
        let me = wire::Me { user: wire::User { name: "Maria".into() }, account, extensions: vec![] };
        assert!(story.hear(Event::Login(LoginState::Initialized(me))).refresh);
        story
    }

    fn hear(&mut self, event: Event) -> Outcome {
        self.fold.handle_event(&self.at, event)
    }

    fn wait(&mut self, time: Duration) -> &mut Self {
        self.at.now += time;
        self.fold.handle_timeout(self.at.now);
        self
    }

    fn registration(&mut self, name: &str, state: RegistrationState) -> Outcome {
        self.hear(Event::Registration { name: name.into(), state })
    }

    fn online(&mut self, name: &str) -> Outcome {
        self.registration(name, RegistrationState::Online { expires: 60 * SECOND })
    }

    fn call(&mut self, direction: CallDirection, state: UaState) -> Outcome {
        self.call_with(Some("Johan"), direction, state)
    }

    fn call_with(&mut self, name: Option<&str>, direction: CallDirection, state: UaState) -> Outcome {
        self.hear(Event::Call(CallInfo {
            peer: "sip:101@acme.example".into(),
            peer_name: name.map(str::to_owned),
            codec: Some(Codec::Opus),
            ..CallInfo::bare(1, direction, state)
        }))
    }

    fn end(&mut self, direction: CallDirection, ended_by: EndedBy) -> Finished {
        let ended = UaState::Ended { ended_by, code: None, reason: "They hung up.".into() };
        self.call(direction, ended).finished.expect("an end is history")
    }

    fn status(&self) -> &Status {
        &self.fold.snapshot.status
    }
}

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
fn a_call_from_ringing_to_its_end() {
    let mut story = Story::signed_in();
    story.call(CallDirection::In, UaState::Ringing);
    let call = &story.fold.snapshot.calls[0];
    assert_eq!((call.peer.as_str(), call.incoming, &call.state), ("101", true, &CallState::Ringing));
    story.wait(4 * SECOND).call(CallDirection::In, UaState::Connected);
    let talking_since = story.at.now;
    story.hear(Event::Muted { call: 1, on: true });
    story.wait(9 * SECOND).call(CallDirection::In, UaState::Held);
    let call = &story.fold.snapshot.calls[0];
    assert_eq!((call.since, call.muted), (talking_since, true), "hold restarts no clock and forgets no mute");
    let finished = story.end(CallDirection::In, EndedBy::Remote);
    assert_eq!((finished.kind, finished.duration_s), (Kind::Incoming, Some(9)));
    assert_eq!(story.fold.poll_timeout(), Some(story.at.now + ENDED_SHOWN));
    assert_eq!(story.fold.snapshot.calls.len(), 1, "the reason stays to be read");
    story.wait(ENDED_SHOWN);
    assert_eq!((story.fold.snapshot.calls.len(), story.fold.poll_timeout()), (0, None));
}

#[test]
fn whoever_says_no_name_has_the_listed_one() {
    let mut story = Story::signed_in();
    let listed = |number: &str| crate::config::settings::Colleague { name: "Zoë".into(), number: number.into() };
    for (number, told, shown) in [
        ("101", None, Some("Zoë")),
        ("sip:101@acme.example", Some(" "), Some("Zoë")),
        ("101", Some("Johan"), Some("Johan")),
        ("102", None, None),
    ] {
        story.fold.list_colleagues(&[listed(number)]);
        story.call_with(told, CallDirection::Out, UaState::Dialing);
        assert_eq!(story.fold.snapshot.calls[0].peer_name.as_deref(), shown, "{number} {told:?}");
    }
}

#[test]
fn what_history_calls_a_call_that_was_never_connected() {
    for (direction, ended_by, wanted, failed) in [
        (CallDirection::In, EndedBy::Remote, Kind::Missed, false),
        (CallDirection::In, EndedBy::AnsweredElsewhere, Kind::AnsweredElsewhere, false),
        (CallDirection::In, EndedBy::Local, Kind::Incoming, false),
        (CallDirection::Out, EndedBy::Local, Kind::Outgoing, false),
        (CallDirection::Out, EndedBy::Remote, Kind::Failed, true),
        (CallDirection::Out, EndedBy::Network, Kind::Failed, true),
    ] {
        let mut story = Story::signed_in();
        let first = if direction == CallDirection::In { UaState::Ringing } else { UaState::Dialing };
        story.call(direction, first);
        let finished = story.end(direction, ended_by);
        assert_eq!((finished.kind, finished.duration_s), (wanted, None), "{direction:?} {ended_by:?}");
        let shown = matches!(&story.fold.snapshot.calls[0].state, CallState::Ended { failed: f, .. } if *f == failed);
        assert!(shown, "{direction:?} {ended_by:?}");
    }
}

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
fn an_accounts_emergency_numbers_go_with_it() {
    let plain = |story: &mut Story| {
        story.fold.use_plain(&story.at, SipAccount::default(), "101".into(), None);
    };
    let signed_out = |story: &mut Story| drop(story.hear(Event::Login(LoginState::SignedOut)));
    for left in [plain as fn(&mut Story), signed_out] {
        let mut story = Story::signed_in();
        assert_eq!(story.fold.snapshot.emergency_numbers, ["144"]);
        left(&mut story);
        assert_eq!(story.fold.snapshot.emergency_numbers, ["112"]);
    }
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

#[test]
fn addresses_are_as_short_as_one_would_dial_them() {
    for (address, wanted) in [
        ("sip:101@acme.example", "101"),
        ("sip:alice@ACME.example", "alice"),
        ("sip:+27215550142@carrier.example;user=phone", "+27215550142"),
        ("sip:alice@elsewhere.example", "sip:alice@elsewhere.example"),
        ("tel:+27215550142", "+27215550142"),
        ("", ""),
    ] {
        assert_eq!(short_address(address, Some("acme.example")), wanted);
    }
}

#[test]
fn errors_and_notices_reach_the_window() {
    let mut story = Story::signed_in();
    let message = "You are not online. Choose a registration first.".to_owned();
    let outcome = story.hear(Event::Error { command: "dial", call: None, message: message.clone() });
    assert_eq!(outcome.notices, [Notice { kind: NoticeKind::Error, text: message }]);
    assert_eq!(story.fold.snapshot.history, Vec::<HistoryEntry>::new());
    for (severity, kind) in [(Severity::Info, NoticeKind::Info), (Severity::Warning, NoticeKind::Warning)] {
        let text = "The speaker works again.".to_owned();
        let outcome = story.hear(Event::Notice(media::Notice { severity, text: text.clone() }));
        assert_eq!(outcome.notices, [Notice { kind, text }]);
    }
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
fn a_call_answered_straight_into_hold_was_connected() {
    for (direction, wanted) in [(CallDirection::In, Kind::Incoming), (CallDirection::Out, Kind::Outgoing)] {
        let mut story = Story::signed_in();
        story.call(direction, UaState::RemoteHeld);
        story.wait(7 * SECOND);
        let finished = story.end(direction, EndedBy::Remote);
        assert_eq!((finished.kind, finished.duration_s), (wanted, Some(7)));
        let shown = &story.fold.snapshot.calls[0].state;
        assert!(matches!(shown, CallState::Ended { failed: false, .. }), "{shown:?}");
    }
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

#[test]
fn a_transfer_is_shown_with_its_call_and_a_question_until_it_is_over() {
    let mut story = Story::signed_in();
    story.call(CallDirection::Out, UaState::Connected);
    let shown = |story: &Story| story.fold.snapshot.calls[0].transfer.clone();
    let reason = || "The transfer did not succeed.".to_owned();
    for (state, expected) in [
        (TransferState::Trying { code: None }, Some(Transfer::Trying { ringing: false })),
        (TransferState::Trying { code: Some(180) }, Some(Transfer::Trying { ringing: true })),
        (TransferState::Failed { code: Some(486), reason: reason() }, Some(Transfer::Failed { reason: reason() })),
        (TransferState::Done { code: Some(200) }, None),
    ] {
        story.hear(Event::Transfer { call: 1, state });
        story.call(CallDirection::Out, UaState::Held);
        assert_eq!(shown(&story), expected);
    }
    let (from, to) = ("sip:crm@elsewhere.example".to_owned(), "sip:102@acme.example".to_owned());
    story.hear(Event::DialAsked { request: 3, from: from.clone(), to });
    let asked = DialAsked { request: 3, from, to: "102".into() };
    assert_eq!(story.fold.snapshot.dial_asked, Some(asked));
    story.hear(Event::DialAskedOver { request: 2 });
    assert!(story.fold.snapshot.dial_asked.is_some(), "another one");
    story.hear(Event::DialAskedOver { request: 3 });
    assert_eq!(story.fold.snapshot.dial_asked, None);
}
