use super::*;
use crate::{
    driver::api::{LoginState, RecordingState},
    media::{
        check::{Finding, Step},
        engine::Notice,
        evidence::{Fault, Span, Verdict},
        plan::{Codec, Srtp},
        stats::{CallStats, HereStats, RxStats, TxStats, VoipMetrics},
        voice::Exposure,
    },
    ua::api::{CallDirection, CallInfo, CallState, EndedBy},
};
use serde_json::json;
use std::time::Duration;

fn said(what: Event) -> Value {
    let line = line(&Tagged { id: None, what }).expect("an event of the contract");
    assert!(!line.contains('\n') && line.starts_with(r#"{"event":"#), "{line}");
    serde_json::from_str(&line).expect("JSON")
}

fn about(state: RegistrationState) -> Value {
    said(Event::Registration { name: "100-acme".into(), state })
}

#[test]
fn ready_and_login() {
    let sip = "udp:127.0.0.1:5072".to_owned();
    assert_eq!(
        said(Event::Ready { sip }),
        json!({"event": "ready", "version": env!("CARGO_PKG_VERSION"), "sip": "udp:127.0.0.1:5072"})
    );
    let refused = LoginState::Refused { kind: "x".into(), reason: "No.".into() };
    assert_eq!(said(Event::Login(refused)), json!({"event": "login", "state": "refused", "reason": "No."}));
    let unreachable = LoginState::Unreachable { reason: "Down.".into(), retry_in_s: Some(2) };
    assert_eq!(
        said(Event::Login(unreachable)),
        json!({"event": "login", "state": "unreachable", "reason": "Down.", "retry_in_s": 2})
    );
    let me = wire::Me {
        user: wire::User { name: "Ann".into() },
        account: wire::Account {
            name: "Acme".into(),
            tenant: "acme".into(),
            realm: "acme".into(),
            edition: wire::Edition::Enterprise,
            emergency_numbers: vec![],
        },
        extensions: vec![],
    };
    assert_eq!(said(Event::Login(LoginState::Initialized(me))), json!({"event": "login", "state": "initialized"}));
}

#[test]
fn registrations() {
    let row = wire::Registration {
        name: "100-acme".into(),
        extension: "100".into(),
        kind: wire::Kind::P,
        label: "Desk".into(),
        ring_inbound: true,
        in_use: Some(wire::InUse {
            device: "Yealink T46S".into(),
            address: "10.0.0.12:5060".into(),
            since: "2026-01-01T08:00:00Z".parse().expect("a time"),
            this_device: false,
        }),
    };
    let free = wire::Registration { in_use: None, kind: wire::Kind::S, ..row.clone() };
    assert_eq!(
        said(Event::Registrations(vec![row, free])),
        json!({"event": "registrations", "list": [
            {"name": "100-acme", "extension": "100", "kind": "P", "label": "Desk", "ring_inbound": true, "in_use": {
                "device": "Yealink T46S", "address": "10.0.0.12:5060", "since": "2026-01-01T08:00:00Z", "this_device": false}},
            {"name": "100-acme", "extension": "100", "kind": "S", "label": "Desk", "ring_inbound": true}]})
    );
}

#[test]
fn a_registration_s_states() {
    let with = |state: &str, more: Value| {
        let mut all = json!({"event": "registration", "state": state, "name": "100-acme"});
        all.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        all
    };
    assert_eq!(about(RegistrationState::Offline), with("offline", json!({})));
    assert_eq!(about(RegistrationState::Registering), with("registering", json!({})));
    let online = RegistrationState::Online { expires: Duration::from_secs(120) };
    assert_eq!(about(online), with("online", json!({"expires_s": 120})));
    let conflict = RegistrationState::Conflict { code: 403, reason: "Held.".into() };
    assert_eq!(about(conflict), with("conflict", json!({"code": 403, "reason": "Held."})));
    let failed =
        RegistrationState::Failed { code: None, reason: "Down.".into(), retry_in: Some(Duration::from_secs(9)) };
    assert_eq!(about(failed), with("failed", json!({"reason": "Down.", "retry_in_s": 9})));
}

#[test]
fn calls() {
    let ringing =
        CallInfo { peer_name: Some("Ann".into()), ..CallInfo::bare(1, CallDirection::In, CallState::Ringing) };
    assert_eq!(
        said(Event::Call(ringing.clone())),
        json!({"event": "call", "call": 1, "direction": "in", "state": "ringing", "peer": "sip:101@acme", "peer_name": "Ann"})
    );
    let connected =
        CallInfo { state: CallState::Connected, codec: Some(Codec::Opus), peer_name: None, ..ringing.clone() };
    assert_eq!(
        said(Event::Call(connected.clone())),
        json!({"event": "call", "call": 1, "direction": "in", "state": "connected", "peer": "sip:101@acme",
            "codec": "opus/48000", "srtp": "off"})
    );
    let secret = CallInfo { srtp: Srtp::Sdes { in_the_open: true }, ..connected };
    assert_eq!(said(Event::Call(secret))["srtp"], "sdes");
    let state = CallState::Ended { ended_by: EndedBy::AnsweredElsewhere, code: Some(487), reason: "Taken.".into() };
    assert_eq!(
        said(Event::Call(CallInfo { state, peer_name: None, ..ringing })),
        json!({"event": "call", "call": 1, "direction": "in", "state": "ended", "peer": "sip:101@acme",
            "code": 487, "reason": "Taken.", "ended_by": "answered_elsewhere"})
    );
}

#[test]
fn figures_are_given_when_asked_for() {
    let stats = CallStats {
        rx: RxStats {
            packets: 10,
            lost: 1,
            late: 2,
            unreadable: 3,
            concealed_ms: 20,
            jitter_ms: 1.2345,
            buffer_ms: 40.0,
            ..RxStats::default()
        },
        tx: TxStats { packets: 11, bytes: 1760 },
        rtt_ms: Some(80.0),
        mos: Some(4.2049),
        remote_loss: Some(0.1),
        metrics: Some(Box::new(VoipMetrics { end_system_ms: 90, buffer_ms: 30, ..VoipMetrics::default() })),
        remote: Some(Box::new(VoipMetrics {
            mos: Some(3.9),
            loss: 0.015625,
            end_system_ms: 120,
            buffer_ms: 60,
            ..VoipMetrics::default()
        })),
        here: HereStats { loudness: 0.01, ..HereStats::default() },
        ..CallStats::default()
    };
    let stats = |asked| Event::Stats { call: 1, stats: stats.clone(), asked, last: false };
    assert_eq!(
        said(stats(true)),
        json!({"event": "stats", "call": 1, "mos": 4.2, "rtt_ms": 80.0, "delay_in_ms": 130.0, "delay_out_ms": 160.0,
            "remote": {"mos": 3.9, "loss": 0.016, "late": 0.0, "buffer_ms": 60}, "tx": {"packets": 11, "bytes": 1760},
            "rx": {"packets": 10, "lost": 1, "late": 2, "unreadable": 3, "concealed_ms": 20, "jitter_ms": 1.2, "buffer_ms": 40.0,
                "level_db": -20.0}})
    );
    assert_eq!(line(&Tagged { id: None, what: stats(false) }), None);
}

#[test]
fn how_a_call_sounded_and_what_the_ear_got() {
    let verdict = Verdict { fault: Fault::LocalNetwork, words: "Use a cable.".into() };
    let second = Span { seconds: 1, packets: 48, lost: 2, jitter_ms: 7.06, mos: Some(4.123), ..Span::default() };
    assert_eq!(
        said(Event::Quality { call: 1, verdict, timeline: vec![second], last: true }),
        json!({"event": "quality", "call": 1, "fault": "local_network", "verdict": "Use a cable.", "last": true,
            "timeline": [{"seconds": 1, "packets": 48, "lost": 2, "concealed_ms": 0, "jitter_ms": 7.1, "buffer_ms": 0.0, "mos": 4.12}]})
    );
    assert_eq!(said(Event::Speaks { call: 2, on: true }), json!({"event": "speaks", "call": 2, "on": true}));
    assert_eq!(said(Event::TalksMuted { call: 2 }), json!({"event": "talks_muted", "call": 2}));
    let begun = Event::Recording { call: 2, file: "x.opus".into(), state: RecordingState::Begun { tone: false } };
    let wanted = json!({"event": "recording", "call": 2, "state": "begun", "file": "x.opus", "tone": false});
    assert_eq!(said(begun), wanted);
    for (state, name) in [(RecordingState::Over, "over"), (RecordingState::Failed, "failed")] {
        let recording = Event::Recording { call: 2, file: "x.opus".into(), state };
        assert_eq!(said(recording), json!({"event": "recording", "call": 2, "state": name, "file": "x.opus"}));
    }
    let finding = Finding { what: "echo", good: true, words: "None.".into() };
    assert_eq!(
        said(Event::Check(Step::Done(vec![finding]))),
        json!({"event": "check", "state": "done", "findings": [{"what": "echo", "good": true, "message": "None."}]})
    );
    assert_eq!(said(Event::Check(Step::Speak)), json!({"event": "check", "state": "speak"}));
    let exposure = Exposure { level_db: 77.04, peak_db: 95.0, heard: std::time::Duration::from_secs(90) };
    let wanted = json!({"event": "exposure", "level_dba": 77.0, "peak_dbc": 95.0, "share": 0.101, "heard_s": 90,
        "assumes": "assuming that usual speech reaches your ear with 75 dB(A)"});
    assert_eq!(said(Event::Exposure { exposure, asked: true }), wanted);
    assert_eq!(line(&Tagged { id: None, what: Event::Exposure { exposure, asked: false } }), None);
}

#[test]
fn answers_carry_their_command_s_mark() {
    let done = Tagged { id: Some("x".into()), what: Event::Done { command: "mute", call: Some(1) } };
    let said: Value = serde_json::from_str(&line(&done).expect("a line")).expect("JSON");
    assert_eq!(said, json!({"event": "ok", "cmd": "mute", "call": 1, "id": "x"}));
    let bad = Rejected { command: Some("fly".into()), id: Some(7.into()), message: "No.".into() };
    let said: Value = serde_json::from_str(&rejected(&bad)).expect("JSON");
    assert_eq!(said, json!({"event": "error", "cmd": "fly", "message": "No.", "id": 7}));
}

#[test]
fn what_a_person_should_know_says_how_bad_it_is() {
    for (severity, word) in [(Severity::Info, "info"), (Severity::Warning, "warning")] {
        let notice = Notice { severity, text: "The speaker works again.".into() };
        let wanted = json!({"event": "notice", "severity": word, "message": "The speaker works again."});
        assert_eq!(said(Event::Notice(notice)), wanted);
    }
}

#[test]
fn voicemail_colleagues_and_messages() {
    let messages = ua::Messages { waiting: true, new: 2, old: 5, account: None };
    assert_eq!(said(Event::Messages(messages)), json!({"event": "messages", "waiting": true, "new": 2, "old": 5}));
    for (state, word) in [
        (ColleagueState::Free, "free"),
        (ColleagueState::Ringing, "ringing"),
        (ColleagueState::Busy, "busy"),
        (ColleagueState::Away, "away"),
        (ColleagueState::NotRegistered, "not_registered"),
    ] {
        let event = Event::Colleague { uri: "sip:101@acme".into(), state };
        assert_eq!(said(event), json!({"event": "colleague", "uri": "sip:101@acme", "state": word}));
    }
    let subscribed = |refusal: Option<&str>| {
        let (package, to, refusal) = (ua::Package::Dialog, "101".to_owned(), refusal.map(str::to_owned));
        said(Event::Subscription { package, to, refusal })
    };
    assert_eq!(subscribed(None), json!({"event": "ok", "cmd": "subscribe", "what": "dialog", "to": "101"}));
    assert_eq!(
        subscribed(Some("No.")),
        json!({"event": "error", "cmd": "subscribe", "what": "dialog", "to": "101", "message": "No."})
    );
    let message = Event::Message { from: "sip:101@acme".into(), from_name: None, text: "Hi".into() };
    assert_eq!(said(message), json!({"event": "message", "from": "sip:101@acme", "text": "Hi"}));
}
