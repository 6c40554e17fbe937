//! What the account says of its agents' calls, as their softphones keep to it.

use crate::{
    phone::Phone,
    tms::{Tms, select},
};
use serde_json::{Value, json};

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
    for (policy, options, srtp) in
        [("optional", &[][..], "sdes"), ("off", &[], "off"), ("off", &["--srtp", "sdes"], "sdes")]
    {
        tms.ask("PATCH", "/v1/accounts/acme", &json!({"srtp": policy}));
        let mut agent = agent(&tms, "agent", options);
        let connected = call(&mut agent, &mut colleague);
        assert_eq!(connected["srtp"], srtp, "{policy} {options:?}");
        agent.send(json!({"cmd": "hangup", "call": connected["call"]}));
        colleague.wait(json!({"event": "call", "state": "ended"}));
        agent.quit();
    }
    colleague.quit();
}
