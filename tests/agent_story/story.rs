//! Registrations held, taken over and come back to; who rings and who cannot be dialled.

use crate::tms::{Tms, row, select};
use serde_json::{Value, json};
use std::time::Duration;

const PRIMARY: &str = "100-acme";
const SECONDARY: &str = "100-acme-laptop";

#[test]
fn a_held_primary_is_a_conflict_and_the_secondary_stands_beside_it() {
    held_primary(&Tms::start(false));
}

pub fn held_primary(tms: &Tms) {
    let mut agent = tms.agent("agent");
    let held = row(&mut agent, PRIMARY);
    assert_eq!((&held["kind"], &held["in_use"]["this_device"]), (&json!("P"), &json!(false)), "{held}");
    assert_eq!(held["in_use"]["device"], "Yealink T46S");
    let conflict = select(&mut agent, PRIMARY, false, "conflict");
    assert!(conflict["reason"].as_str().is_some_and(|r| r.contains("in use by Yealink T46S")), "{conflict}");

    select(&mut agent, SECONDARY, false, "online");
    assert_eq!(row(&mut agent, SECONDARY)["in_use"]["this_device"], true);
    assert_eq!(row(&mut agent, PRIMARY)["in_use"]["device"], "Yealink T46S", "the desk phone keeps it");

    agent.send(json!({"cmd": "dial", "to": "101"}));
    agent.wait(json!({"event": "call", "direction": "out", "state": "connected"}));
    agent.quit();
}

#[test]
fn a_takeover_holds_although_the_desk_phone_registers_again() {
    takeover_holds(&Tms::start(false));
}

pub fn takeover_holds(tms: &Tms) {
    let mut agent = tms.agent("agent");
    select(&mut agent, PRIMARY, true, "online");
    // It registers every 10 s at the latest, and every 3 s once refused.
    let lost = json!({"event": "registration", "name": PRIMARY, "state": ["offline", "failed", "conflict"]});
    let until = std::time::Instant::now() + Duration::from_secs(16);
    while std::time::Instant::now() < until {
        assert_eq!(row(&mut agent, PRIMARY)["in_use"]["this_device"], true);
        assert_eq!(agent.find(&lost), None);
        std::thread::park_timeout(Duration::from_millis(500));
    }
    assert!(!agent.events().iter().any(|e| e["name"] == PRIMARY && e["state"] == "conflict"));

    // Signed out, the desk phone has it back.
    agent.quit();
    let mut agent = tms.agent("another");
    let back = crate::process::poll_until(Duration::from_secs(10), || {
        (row(&mut agent, PRIMARY)["in_use"]["device"] == "Yealink T46S").then_some(())
    });
    assert!(back.is_some(), "the desk phone does not get its registration back");
    agent.quit();
}

#[test]
fn ring_inbound_decides_who_rings_and_an_additional_registration_cannot_be_dialled() {
    ring_inbound(&Tms::start(true));
}

pub fn ring_inbound(tms: &Tms) {
    let mut agent = tms.agent("agent");
    select(&mut agent, SECONDARY, false, "online");
    let mut colleague = tms.colleague("tcp");

    colleague.send(json!({"cmd": "dial", "to": "100"}));
    let ringing = agent.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
    assert_eq!(ringing["peer"], "sip:101@acme", "the number to call back, by the PBX's word");
    agent.send(json!({"cmd": "answer", "call": ringing["call"]}));
    let connected = colleague.wait(json!({"event": "call", "state": "connected"}));
    colleague.send(json!({"cmd": "hangup", "call": connected["call"]}));
    agent.wait(json!({"event": "call", "state": "ended", "ended_by": "remote"}));
    colleague.wait(json!({"event": "call", "call": connected["call"], "state": "ended"}));

    let refused = |colleague: &mut crate::phone::Phone, to: &str, code: u16, words: &str| {
        colleague.send(json!({"cmd": "dial", "to": to}));
        let ended = colleague.wait(json!({"event": "call", "state": "ended"}));
        assert_eq!(ended["code"], code, "{ended}");
        assert!(ended["reason"].as_str().is_some_and(|r| r.contains(words)), "{ended}");
    };
    refused(&mut colleague, "sip:100-acme-laptop@acme", 403, "cannot be dialled");
    let path = format!("/v1/accounts/acme/extensions/100/registrations/{SECONDARY}");
    tms.ask("PATCH", &path, &json!({"ring_inbound": false}));
    row(&mut agent, SECONDARY); // from here on it hears of no call
    refused(&mut colleague, "100", 480, "");
    assert_eq!(agent.find(&json!({"event": "call", "direction": "in"})), None, "it is not ticked and rings");

    // It dials out all the same.
    agent.send(json!({"cmd": "dial", "to": "101"}));
    let ringing = colleague.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
    assert_eq!(ringing["peer"], "sip:100@acme");
    colleague.send(json!({"cmd": "reject", "call": ringing["call"]}));
    agent.wait(json!({"event": "call", "state": "ended"}));
    agent.send(json!({"cmd": "dial", "to": "101", "anonymous": true}));
    colleague.wait(json!({"event": "call", "direction": "in", "state": "ringing", "anonymous": true}));
    agent.quit();
    colleague.quit();
}

#[test]
fn the_last_registration_comes_by_itself_unless_it_is_held_elsewhere() {
    comes_back(&Tms::start(true));
}

pub fn comes_back(tms: &Tms) {
    let mut agent = tms.agent("agent");
    select(&mut agent, SECONDARY, false, "online");
    agent.quit();

    let agent = tms.agent("agent");
    agent.wait(json!({"event": "registration", "name": SECONDARY, "state": "online"}));
    agent.quit();

    let mut other = tms.agent("other");
    select(&mut other, SECONDARY, false, "online");
    let agent = tms.agent("agent");
    agent.wait(json!({"event": "registration", "name": SECONDARY, "state": "conflict"}));
    assert_eq!(row(&mut other, SECONDARY)["in_use"]["this_device"], true, "it was left alone");
    agent.quit();
    other.quit();
}

#[test]
fn a_call_is_begun_for_an_extension_and_its_device_dials() {
    begun_by_the_tms(&Tms::start(true));
}

pub fn begun_by_the_tms(tms: &Tms) {
    let mut agent = tms.agent("agent");
    select(&mut agent, SECONDARY, false, "online");
    let mut colleague = tms.colleague("udp");
    let shown = tms.xml("GetFullSipStatus", &format!("<UserName>{SECONDARY}</UserName>"));
    assert!(shown.contains("<Latency>"), "nobody measured: {shown}");
    let begin = |agent: &crate::phone::Phone| {
        let begun = tms.xml("Originate", "<Extension>100</Extension><Destination>101</Destination>");
        let channel =
            begun.split_once("<Channel>").and_then(|(_, rest)| Some(rest.split_once("</Channel>")?.0.to_owned()));
        let ringing = agent.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
        (channel.unwrap_or_else(|| panic!("{begun}")), ringing["call"].clone())
    };

    let (channel, call) = begin(&agent);
    let live = tms.ask("GET", "/v1/accounts/acme/calls", &Value::Null);
    assert_eq!((live.as_array().map(Vec::len), &live[0]["to"]), (Some(1), &json!("101")), "{live}");
    assert!(tms.hang_up(&channel), "while it rings");
    agent.wait(json!({"event": "call", "call": call, "state": "ended"}));

    row(&mut agent, SECONDARY); // from here on it hears of another call
    let (_, call) = begin(&agent);
    agent.send(json!({"cmd": "answer", "call": call}));
    let ringing = colleague.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
    assert_eq!(ringing["peer"], "sip:100@acme");
    colleague.send(json!({"cmd": "answer", "call": ringing["call"]}));
    agent.wait(json!({"event": "call", "direction": "out", "state": "connected"}));
    agent.wait(json!({"event": "call", "call": call, "state": "ended"}));
    colleague.send(json!({"cmd": "hangup", "call": ringing["call"]}));
    agent.wait(json!({"event": "call", "direction": "out", "state": "ended"}));
    agent.quit();
    colleague.quit();
}
