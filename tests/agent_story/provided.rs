//! The same story at a provider: PostgreSQL, Kamailio and rtpengine in place of SQLite and our own SIP side.

use crate::{
    process::poll_until,
    story,
    tms::{Tms, select, until_free},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Kamailio has nothing to complain of once the story is told.
fn tell(quiet: bool, story: impl FnOnce(&Tms)) {
    let tms = Tms::start_provider(quiet);
    story(&tms);
    assert_eq!(tms.provider().kamailio.complaints(), Vec::<String>::new());
}

#[test]
fn a_held_primary_is_a_conflict() {
    tell(false, story::held_primary);
}

#[test]
fn a_takeover_holds() {
    tell(false, story::takeover_holds);
}

#[test]
fn ring_inbound_decides_who_rings() {
    tell(true, story::ring_inbound);
}

#[test]
fn the_last_registration_comes_by_itself() {
    tell(true, story::comes_back);
}

#[test]
fn a_call_is_begun_for_an_extension() {
    tell(true, story::begun_by_the_tms);
}

#[test]
fn a_password_is_good_for_its_own_registration_and_the_relay_carries_the_call() {
    tell(true, |tms| {
        let wrong = tms.plain_phone("wrong", "600-acme", "udp");
        let failed = wrong.wait(json!({"event": "registration", "state": "failed"}));
        assert_eq!(failed["code"], 403, "{failed}");
        assert!(failed["reason"].as_str().is_some_and(|r| r.contains("register 101-acme")), "{failed}");
        wrong.quit();

        let mut agent = tms.agent("agent");
        select(&mut agent, "100-acme-laptop", false, "online");
        let mut colleague = tms.colleague("udp");
        let second = tms.plain_phone("second", "101-acme", "tcp");
        let conflict = second.wait(json!({"event": "registration", "state": ["conflict", "failed"]}));
        assert!(conflict["reason"].as_str().is_some_and(|r| r.contains("in use by")), "{conflict}");
        second.quit();

        colleague.send(json!({"cmd": "dial", "to": "100"}));
        let ringing = agent.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
        agent.send(json!({"cmd": "answer", "call": ringing["call"]}));
        let call = colleague.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        colleague.stats_until(&call, |stats| stats["rx"]["packets"].as_u64().unwrap_or(0) >= 50);
        assert!(tms.provider().rtpengine.relayed() >= 50, "the relay saw no media");
        colleague.send(json!({"cmd": "hangup", "call": call}));
        agent.wait(json!({"event": "call", "state": "ended", "ended_by": "remote"}));

        // Kamailio has noted the call, and one is ended from here.
        let records = |count: usize| {
            let noted = || tms.ask("GET", "/v1/accounts/acme/call-records", &Value::Null);
            poll_until(Duration::from_secs(5), || {
                Some(noted()).filter(|list| list.as_array().map(Vec::len) == Some(count))
            })
            .expect("it is noted")
        };
        let first = &records(1)[0];
        assert_eq!((&first["from"], &first["ended_by"]), (&json!("101-acme"), &json!("caller")), "{first}");
        colleague.send(json!({"cmd": "dial", "to": "100"}));
        let ringing = agent.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
        agent.send(json!({"cmd": "answer", "call": ringing["call"]}));
        colleague.wait(json!({"event": "call", "state": "connected"}));
        let live = tms.ask("GET", "/v1/accounts/acme/calls", &Value::Null);
        assert!(tms.hang_up(live[0]["id"].as_str().expect("a call")), "{live}");
        for phone in [&mut agent, &mut colleague] {
            phone.wait(json!({"event": "call", "state": "ended", "ended_by": "remote"}));
        }
        assert_eq!(records(2)[0]["ended_by"], "tms");

        // Signed out, its contact is gone.
        agent.quit();
        let mut other = tms.agent("other");
        until_free(&mut other, "100-acme-laptop");
        other.quit();
        colleague.quit();
    });
}
