//! The same story at a provider: PostgreSQL, Kamailio and rtpengine in place of SQLite and our own SIP side.

use crate::{
    story,
    tms::{Tms, row, select},
};
use serde_json::json;

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

        // Signed out, its contact is gone at once.
        agent.quit();
        let mut other = tms.agent("other");
        assert!(row(&mut other, "100-acme-laptop")["in_use"].is_null());
        other.quit();
        colleague.quit();
    });
}
