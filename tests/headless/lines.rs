//! Arguments, lines and exit codes.

use crate::{phone::Phone, process::binary, sip_peer::Peer};
use serde_json::{Value, json};
use std::{
    net::{TcpListener, UdpSocket},
    path::Path,
    process::{Command, Output},
};

fn run(args: &str) -> Output {
    let dir = tempfile::tempdir().expect("temporary folder");
    run_in(dir.path(), args)
}

fn run_in(config_dir: &Path, args: &str) -> Output {
    let mut command = Command::new(binary("agent-manager"));
    command.arg("headless").args(args.split_whitespace()).arg("--config-dir").arg(config_dir);
    command.env_remove("AGENT_MANAGER_PASSWORD").env_remove("AGENT_MANAGER_API_KEY");
    command.stdin(std::process::Stdio::null()).output().expect("agent-manager starts")
}

#[test]
fn wrong_arguments_give_2_and_a_sentence() {
    let account = "--sip-account sip:a@127.0.0.1";
    for (args, said) in [
        (String::new(), "--sip-account"),
        (format!("{account} --tms https://tms.example --username a"), "cannot be used with"),
        (format!("{account} --bogus"), "--bogus"),
        (format!("{account} --srtp zrtp"), "off, optional, sdes or dtls"),
        (format!("{account} --log-level loud"), "--log-level"),
        (format!("{account} --bind nowhere"), "--bind"),
        ("--tms https://tms.example --username a".into(), "AGENT_MANAGER_PASSWORD"),
        ("--tms https://tms.example --username a --secrets-stdin".into(), "standard input"),
    ] {
        let output = run(&args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args}: {stderr}");
        assert!(stderr.contains(said), "{args}: {stderr}");
    }
}

#[test]
fn what_keeps_it_from_starting_gives_1_and_a_sentence() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let file = dir.path().join("file");
    std::fs::write(&file, "no folder").expect("written");
    let taken_udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let taken_tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (udp, tcp) = (taken_udp.local_addr().expect("bound"), taken_tcp.local_addr().expect("bound"));
    for (config_dir, bind, said) in [
        (dir.path().join("udp"), udp.to_string(), "--bind"),
        (dir.path().join("tcp"), tcp.to_string(), "--bind"),
        (file.clone(), "127.0.0.1:0".into(), "--config-dir"),
        (file.join("below"), "127.0.0.1:0".into(), "--config-dir"),
    ] {
        let output = run_in(&config_dir, &format!("--sip-account sip:a@127.0.0.1 --no-register --bind {bind}"));
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let event: Value = serde_json::from_str(stdout.lines().next().expect("a line")).expect("JSON");
        assert_eq!(event["event"], "error");
        assert!(event["message"].as_str().is_some_and(|m| m.contains(said)), "{event}");
        assert!(stderr.contains(said), "{stderr}");
    }
}

#[test]
fn a_folder_in_use_is_refused_in_words() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let peer = Peer::udp();
    let first = peer.phone(dir.path(), &["--no-register"]);
    first.wait(json!({"event": "ready"}));
    let mut second = peer.phone(dir.path(), &["--no-register"]);
    let error = second.wait(json!({"event": "error"}));
    assert!(error["message"].as_str().is_some_and(|m| m.contains("another Agent Manager")), "{error}");
    assert_eq!(second.exit_code(), Some(1));
    first.quit();
}

#[test]
fn lines_that_mean_nothing_change_nothing() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut phone = Peer::udp().phone(dir.path(), &["--no-register"]);
    let ready = phone.wait(json!({"event": "ready"}));
    assert!(ready["sip"].as_str().is_some_and(|s| s.starts_with("udp:127.0.0.1:")), "{ready}");
    phone.wait(json!({"event": "registration", "name": "a", "state": "online"}));
    for (line, cmd, said) in [
        ("dial 101", None, "not JSON"),
        (r#"{"cmd":"fly","id":"x"}"#, Some("fly"), "fly"),
        (r#"{"cmd":"agent_state","state":"paused","id":"x"}"#, Some("agent_state"), "not supported yet: "),
        (r#"{"cmd":"conference","calls":[7,8],"id":"x"}"#, Some("conference"), "7"),
        (r#"{"cmd":"conference","calls":[7,7],"id":"x"}"#, Some("conference"), "two different"),
        (r#"{"cmd":"record","call":7,"file":"x.opus","id":"x"}"#, Some("record"), "7"),
        (r#"{"cmd":"hangup","call":7,"id":"x"}"#, Some("hangup"), "7"),
        (r#"{"cmd":"mute","call":7,"id":"x"}"#, Some("mute"), "7"),
        (r#"{"cmd":"stats","call":7,"id":"x"}"#, Some("stats"), "7"),
        (r#"{"cmd":"registrations","id":"x"}"#, Some("registrations"), "sign"),
    ] {
        phone.send_line(line);
        let error = phone.wait(json!({"event": "error"}));
        assert_eq!(error.get("cmd").and_then(|c| c.as_str()), cmd, "{line}: {error}");
        assert_eq!(error.get("id").and_then(|c| c.as_str()), cmd.map(|_| "x"), "{line}: {error}");
        assert!(error["message"].as_str().is_some_and(|m| m.contains(said)), "{line}: {error}");
    }
    phone.quit();
}

#[test]
fn the_end_of_input_and_a_signal_mean_quit() {
    let dir = tempfile::tempdir().expect("temporary folder");
    for end in [Phone::close_input, Phone::terminate] {
        let mut peer = Peer::udp();
        let (mut phone, _) = peer.registered(dir.path(), &[]);
        end(&mut phone);
        let bye = peer.expect("REGISTER");
        assert_eq!(bye.headers.get("Expires").or(bye.headers.get("Contact")).map(|v| v.ends_with('0')), Some(true));
        peer.respond(&bye, 200, &[], "");
        assert_eq!(phone.exit_code(), Some(0));
    }
}

#[test]
fn links_are_registered_for_this_user() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let mut command = Command::new(binary("agent-manager"));
    command.arg("--register-links").env("XDG_DATA_HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path());
    let output = command.stdin(std::process::Stdio::null()).output().expect("agent-manager starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let entry = std::fs::read_to_string(dir.path().join("applications/agent-manager.desktop")).expect("written");
    assert!(entry.contains("MimeType=x-scheme-handler/agent-manager;"), "{entry}");
    assert!(entry.contains(&format!("Exec=\"{}\" %u", binary("agent-manager").display())), "{entry}");
    assert!(dir.path().join("icons/hicolor/128x128/apps/agent-manager.png").is_file());

    std::fs::write(dir.path().join("file"), "").expect("an obstacle");
    let mut command = Command::new(binary("agent-manager"));
    let output =
        command.arg("--register-links").env("XDG_DATA_HOME", dir.path().join("file")).output().expect("starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cannot write"), "{said}");
}
