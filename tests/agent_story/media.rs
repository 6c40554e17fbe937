//! What the account says of its agents' calls, as their softphones keep to it.

use crate::{
    phone::Phone,
    tms::{Tms, select},
};
use serde_json::{Value, json};
use std::{net::UdpSocket, path::PathBuf, time::Duration};

const SECONDARY: &str = "100-acme-laptop";

/// The demonstration's agent, online with these options on the command line.
fn agent(tms: &Tms, name: &str, options: &[&str]) -> Phone {
    let [url, username, password, key] = tms.login();
    let args = ["--tms", url, "--username", username, "--bind", "127.0.0.1:0", "--audio", "null"];
    let mut agent = Phone::start(tms.folder(), name, &[&args[..], options].concat(), password, Some(key));
    agent.wait(json!({"event": "login", "state": "initialized"}));
    select(&mut agent, SECONDARY, false, "online");
    agent
}

/// The agent's side of a call to the colleague, who answers.
fn call(agent: &mut Phone, colleague: &mut Phone) -> Value {
    colleague.forget();
    agent.send(json!({"cmd": "dial", "to": "101"}));
    let ringing = colleague.wait(json!({"event": "call", "direction": "in", "state": "ringing"}));
    colleague.send(json!({"cmd": "answer", "call": ringing["call"]}));
    agent.wait(json!({"event": "call", "state": "connected"}))
}

#[test]
fn calls_are_encrypted_as_the_account_says_unless_the_command_line_does() {
    let tms = Tms::start(true);
    let mut colleague = tms.colleague("tcp");
    for (policy, options, srtp) in [
        ("optional", &[][..], "sdes"),
        ("off", &[], "off"),
        ("off", &["--srtp", "sdes"], "sdes"),
        ("dtls", &[], "dtls"),
    ] {
        tms.ask("PATCH", "/v1/accounts/acme", &json!({"srtp": policy}));
        let mut agent = agent(&tms, "agent", options);
        let connected = call(&mut agent, &mut colleague);
        // A handshake takes a moment beyond the answer.
        agent.wait(json!({"event": "call", "state": "connected", "srtp": srtp}));
        agent.send(json!({"cmd": "hangup", "call": connected["call"]}));
        colleague.wait(json!({"event": "call", "state": "ended"}));
        agent.quit();
    }
    colleague.quit();
}

#[test]
fn an_account_that_demands_encryption_has_no_call_without() {
    let tms = Tms::start(true);
    let colleague = tms.colleague_with("tcp", &["--srtp", "off", "--auto-answer", "0"]);
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"srtp": "dtls"}));
    let mut agent = agent(&tms, "agent", &[]);
    agent.send(json!({"cmd": "dial", "to": "101"}));
    let ended = agent.wait(json!({"event": "call", "state": "ended"}));
    assert!(ended["reason"].as_str().is_some_and(|said| said.contains("encrypt")), "{ended}");
    agent.quit();
    colleague.quit();
}

#[test]
fn an_account_that_changes_its_mind_is_obeyed_by_the_next_call() {
    let tms = Tms::start(true);
    let mut colleague = tms.colleague("tcp");
    let mut agent = agent(&tms, "agent", &[]);
    let rule = |rule: &str| json!({"event": "recording_rule", "rule": rule, "tone": false});
    for (change, told, srtp) in [
        (json!({"srtp": "dtls", "recording": "forbidden"}), "forbidden", "dtls"),
        (json!({"srtp": "off", "recording": "allowed"}), "allowed", "off"),
        (json!({"srtp": "sdes", "recording": "required"}), "required", "sdes"),
    ] {
        agent.forget();
        tms.ask("PATCH", "/v1/accounts/acme", &change);
        agent.wait(rule(told));
        let connected = call(&mut agent, &mut colleague);
        agent.wait(json!({"event": "call", "state": "connected", "srtp": srtp}));
        let file = tms.folder().join(told);
        match told {
            "forbidden" => {
                agent.send(json!({"cmd": "record", "call": connected["call"], "file": file}));
                agent.wait(json!({"event": "error", "cmd": "record"}));
            }
            "required" => drop(agent.wait(json!({"event": "recording", "state": "begun"}))),
            _ => {}
        }
        agent.send(json!({"cmd": "hangup", "call": connected["call"]}));
        colleague.wait(json!({"event": "call", "state": "ended"}));
    }
    let registering = |event: &&Value| event["state"] == "registering";
    assert_eq!(agent.events().iter().filter(registering).count(), 1, "{:?}", agent.events());
    agent.quit();
    colleague.quit();
}

#[test]
fn each_call_s_quality_is_reported_to_the_collector_that_the_tms_names() {
    let collector = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
    collector.set_read_timeout(Some(Duration::from_secs(20))).expect("sets");
    let address = format!("sip:quality@{}", collector.local_addr().expect("bound"));
    let tms = Tms::start_with(true, &["--quality-collector", &address]);
    let mut colleague = tms.colleague("tcp");
    let mut agent = agent(&tms, "agent", &[]);
    let talking = call(&mut agent, &mut colleague);
    agent.stats_until(&talking["call"], |stats| stats["rx"]["packets"].as_u64() >= Some(50));
    agent.send(json!({"cmd": "hangup", "call": talking["call"]}));
    let mut bytes = [0; 65_535];
    let (length, from) = collector.recv_from(&mut bytes).expect("a report");
    let publish = String::from_utf8_lossy(&bytes[..length]);
    let header = |name: &str| publish.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(publish.starts_with(&format!("PUBLISH {address} SIP/2.0\r\n")), "{publish}");
    assert!(publish.contains("\r\nVQSessionReport") && publish.contains("Event: vq-rtcpxr\r\n"), "{publish}");
    let echoed = ["Via", "From", "To", "Call-ID", "CSeq"].map(header).join("\r\n");
    let answer = format!("SIP/2.0 200 OK\r\n{echoed}\r\nContent-Length: 0\r\n\r\n");
    collector.send_to(answer.as_bytes(), from).expect("answers");
    agent.quit();
    colleague.quit();
}

#[test]
fn calls_are_recorded_as_the_account_says() {
    let tms = Tms::start(true);
    let mut colleague = tms.colleague("tcp");
    let file = tms.folder().join("mine.opus");
    let record = |call: &Value, tone: bool| json!({"cmd": "record", "call": call["call"], "file": file, "tone": tone});
    let stop = |call: &Value| json!({"cmd": "record", "call": call["call"], "stop": true});
    let refused = |agent: &Phone, words: &str| {
        let error = agent.wait(json!({"event": "error", "cmd": "record"}));
        assert!(error["message"].as_str().is_some_and(|said| said.contains(words)), "{error}");
    };

    tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording": "forbidden"}));
    let mut agent = agent(&tms, "agent", &[]);
    assert!(agent.events().contains(&json!({"event": "recording_rule", "rule": "forbidden", "tone": false})));
    let talking = call(&mut agent, &mut colleague);
    agent.send(record(&talking, false));
    refused(&agent, "does not allow calls to be recorded");
    assert!(!file.exists());
    agent.quit();
    colleague.wait(json!({"event": "call", "state": "ended"}));

    // A file is in the way of the usual folder. The account says something new, and one recording's trouble is not the next one's.
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording": "required", "recording_tone": false}));
    let folder = tms.folder().join("agent/recordings");
    std::fs::write(&folder, "").expect("the agent's folder is there");
    let mut agent = self::agent(&tms, "agent", &[]);
    let talking = call(&mut agent, &mut colleague);
    let why = format!("and this call is not recorded: cannot use {}: ", folder.display());
    let told = agent.wait(json!({"event": "notice", "severity": "warning"}));
    assert!(told["message"].as_str().is_some_and(|said| said.contains(&why)), "{told}");
    std::fs::remove_file(&folder).expect("it is there");
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording_tone": true}));
    let begun = agent.wait(json!({"event": "recording", "call": talking["call"], "state": "begun"}));
    let kept = PathBuf::from(begun["file"].as_str().expect("a file"));
    assert_eq!(kept.parent(), Some(tms.folder().join("agent/recordings").as_path()), "the usual folder");
    agent.send(stop(&talking));
    refused(&agent, "every call recorded");
    agent.stats_until(&talking["call"], |stats| stats["rx"]["packets"].as_u64() >= Some(50));
    agent.send(json!({"cmd": "hangup", "call": talking["call"]}));
    agent.wait(json!({"event": "recording", "file": begun["file"], "state": "over"}));
    let heard = std::fs::read(&kept).expect("it is kept");
    let says = |words: &str| heard.windows(words.len()).any(|window| window == words.as_bytes());
    assert!(heard.len() > 1000 && says("Both heard a recording tone"), "{} octets", heard.len());

    // A call in hand follows: what may not be is stopped, what must be begins, and what may be is the agent's again.
    let talking = call(&mut agent, &mut colleague);
    let recording = |state: &str| json!({"event": "recording", "call": talking["call"], "state": state});
    agent.wait(recording("begun"));
    for (word, seen) in [("forbidden", "over"), ("required", "begun")] {
        tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording": word}));
        agent.wait(recording(seen));
    }
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording": "allowed"}));
    agent.wait(json!({"event": "recording_rule", "rule": "allowed"}));
    agent.send(stop(&talking));
    agent.wait(recording("over"));
    agent.quit();
    colleague.wait(json!({"event": "call", "state": "ended"}));

    // The tone is the account's to say, the recording the agent's again. One that has none is begun anew once there must be one.
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording_tone": false}));
    let mut agent = self::agent(&tms, "agent", &[]);
    let talking = call(&mut agent, &mut colleague);
    agent.send(record(&talking, false));
    agent.wait(json!({"event": "recording", "call": talking["call"], "state": "begun", "file": file, "tone": false}));
    tms.ask("PATCH", "/v1/accounts/acme", &json!({"recording_tone": true}));
    let begun = agent.wait(json!({"event": "recording", "call": talking["call"], "state": "begun", "tone": true}));
    agent.wait(json!({"event": "recording", "state": "over", "file": file}));
    agent.send(stop(&talking));
    agent.wait(json!({"event": "recording", "state": "over", "file": begun["file"]}));
    agent.quit();
    colleague.quit();
}
