//! A TMS that goes away and comes back.

use crate::{
    process::poll_until,
    tms::{Tms, row, select},
};
use serde_json::json;
use std::time::Duration;

const SECONDARY: &str = "100-acme-laptop";
/// The second try comes after four seconds, a quarter more or less.
const BACK: Duration = Duration::from_secs(15);

#[test]
fn calls_go_on_while_the_tms_is_away_and_everything_is_there_again_afterwards() {
    let mut tms = Tms::start(true);
    let mut agent = tms.agent("agent");
    select(&mut agent, SECONDARY, false, "online");
    let mut colleague = tms.colleague("udp");
    agent.send(json!({"cmd": "dial", "to": "101"}));
    let ringing = colleague.wait(json!({"event": "call", "state": "ringing"}));
    colleague.send(json!({"cmd": "answer", "call": ringing["call"]}));
    let call = agent.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    row(&mut agent, SECONDARY);

    tms.stop();
    let before = agent.stats_until(&call, |_| true)["rx"]["packets"].as_u64();
    agent.stats_until(&call, |stats| stats["rx"]["packets"].as_u64() > before.map(|n| n + 50));
    agent.send(json!({"cmd": "registrations", "id": "away"}));
    let error = agent.wait(json!({"event": "error", "id": "away"}));
    assert!(error["message"].as_str().is_some_and(|m| m.contains("Nothing answers")), "{error}");

    tms.start_again();
    let shows = |agent: &mut crate::phone::Phone, ring_inbound: bool| {
        let wanted = |event: &serde_json::Value| {
            let rows = event["list"].as_array().into_iter().flatten();
            let ours = |row: &&serde_json::Value| row["name"] == SECONDARY && row["in_use"]["this_device"] == true;
            rows.filter(ours).any(|row| row["ring_inbound"] == ring_inbound)
        };
        let told = poll_until(BACK, || {
            let events = agent.events();
            let away = events.iter().rposition(|event| event["id"] == "away").expect("it was told");
            events[away..].iter().any(wanted).then_some(())
        });
        assert!(told.is_some(), "{:?}", agent.events().iter().rev().take(4).collect::<Vec<_>>());
    };
    let path = format!("/v1/accounts/acme/extensions/100/registrations/{SECONDARY}");
    tms.ask("PATCH", &path, &json!({"ring_inbound": false}));
    shows(&mut agent, false);
    let ended = agent.events().into_iter().find(|event| event["event"] == "call" && event["state"] == "ended");
    assert_eq!(ended, None, "the call is nobody's concern but its parties'");
    let logins = agent.events().into_iter().filter(|event| event["event"] == "login").count();
    assert_eq!(logins, 1, "the session goes on");
    agent.send(json!({"cmd": "hangup", "call": call}));
    agent.wait(json!({"event": "call", "state": "ended"}));
    agent.quit();
    colleague.quit();
}
