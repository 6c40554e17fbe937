mod registrations;
mod sound;

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
