//! The check before the shift, with devices of a sound server and an echo to call.

use crate::{phone::Phone, pulse::Pulse};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn the_check_before_the_shift_measures_the_network_in_under_twenty_seconds() {
    let server = Pulse::start();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let start = |name: &str, audio: &str| {
        let account = format!("sip:{name}@127.0.0.1");
        let args = ["--sip-account", &account, "--no-register", "--bind", "127.0.0.1:0", "--audio", audio];
        let args = [&args[..], &["--auto-answer", "0"]].concat();
        Phone::start_in(&server.environment(), dir.path(), name, &args, "", None)
    };
    let (mut agent, echo) = (start("agent", "device"), start("echo", "null"));
    let at = echo.wait(json!({"event": "ready"}))["sip"].as_str().expect("an address").replace("udp:", "sip:echo@");
    agent.wait(json!({"event": "registration", "state": "online"}));
    let began = Instant::now();
    agent.send(json!({"cmd": "check", "echo": at}));
    for state in ["speak", "headset", "ringer", "network"] {
        agent.wait(json!({"event": "check", "state": state}));
    }
    agent.send(json!({"cmd": "check"}));
    agent.wait(json!({"event": "error", "cmd": "check"}));
    let done = agent.wait(json!({"event": "check", "state": "done"}));
    let took = began.elapsed();
    println!("checked in {took:.1?}: {done}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let findings = done["findings"].as_array().expect("findings");
    let what: Vec<_> = findings.iter().map(|finding| finding["what"].as_str().unwrap_or_default()).collect();
    assert_eq!(what, ["microphone", "speaker", "ringer", "network"], "of a silent microphone there is no more to find");
    assert!(findings[1]["good"] == true && findings[2]["good"] == true, "both can play: {findings:?}");
    let network = &findings[3];
    let words = network["message"].as_str().expect("a sentence");
    assert!(network["good"] == true && words.contains("MOS 4.") && words.contains("there and back"), "{words}");
    echo.wait(json!({"event": "call", "state": "ended"}));
    let heard = agent.events().into_iter().find(|event| event["event"] == "call" || event["event"] == "stats");
    assert_eq!(heard, None, "nobody hears of the call that measures");
    agent.quit();
    echo.quit();
}

/// Devices are told apart by it.
#[test]
fn that_the_sound_server_s_tool_is_missing_is_told() {
    let server = Pulse::start();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let nothing = ("PATH", dir.path().display().to_string());
    let environment = [&server.environment()[..], &[nothing]].concat();
    let args = ["--sip-account", "sip:agent@127.0.0.1", "--no-register", "--bind", "127.0.0.1:0", "--audio", "device"];
    let mut agent = Phone::start_in(&environment, dir.path(), "agent", &args, "", None);
    agent.wait(json!({"event": "registration", "state": "online"}));
    agent.send(json!({"cmd": "check"}));
    let notice = agent.wait(json!({"event": "notice"}));
    let words = notice["message"].as_str().expect("a sentence");
    assert!(words.contains("pactl is missing") && words.contains("pulseaudio-utils"), "{words}");
    agent.quit();
}
