//! Calls by way of a relay, Debian's coturn, where there is no other.

use crate::support::{
    coturn::{Coturn, PORT, TLS_PORT},
    ip::ip,
    phone::Phone,
    process::{Process, binary, poll_until},
    tone,
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Addresses of either kind, as they stand in a URI.
struct Net {
    caller: &'static str,
    called: &'static str,
    relay: &'static str,
}

const IPV4: Net = Net { caller: "10.80.0.1", called: "10.80.0.2", relay: "10.80.0.9" };
const IPV6: Net = Net { caller: "[fd80::1]", called: "[fd80::2]", relay: "[fd80::9]" };
/// Where our audio ports are.
const AUDIO: &str = "16384-32767";

/// A namespace in which nobody's audio reaches anybody but by way of the relay; gone when dropped.
struct Namespace(String);

impl Namespace {
    /// `Err` where the system forbids it, and why.
    fn up(net: &Net) -> Result<Self, String> {
        let this = Self(format!("amr{:x}", std::process::id() % 0xffff));
        let name = &this.0;
        ip(&format!("netns add {name}"))?;
        ip(&format!("-n {name} link set lo up"))?;
        let (relay, family, length) = match net.relay.strip_prefix('[') {
            Some(_) => (bare(net.relay), "-6", 128),
            None => (net.relay, "-4", 32),
        };
        for address in [net.caller, net.called, net.relay].map(bare) {
            ip(&format!("-n {name} addr add {address}/{length} dev lo"))?;
        }
        // In the place of the rule that lets every address of ours be reached.
        ip(&format!("{family} -n {name} rule add pref 10 from {relay} lookup local"))?;
        ip(&format!("{family} -n {name} rule add pref 20 ipproto udp dport {AUDIO} blackhole"))?;
        ip(&format!("{family} -n {name} rule add pref 30 lookup local"))?;
        ip(&format!("{family} -n {name} rule del pref 0"))?;
        Ok(this)
    }
}

fn bare(address: &str) -> &str {
    address.trim_matches(['[', ']'])
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn phone(namespace: &Namespace, dir: &Path, name: &str, address: &str, more: &[&str], turn_password: &str) -> Phone {
    let (account, bind) = (format!("sip:{name}@{address}"), format!("{address}:0"));
    let args = ["--sip-account", &account, "--no-register", "--bind", &bind, "--log-level", "info"];
    let secrets = [("AGENT_MANAGER_TURN_USERNAME", "alice"), ("AGENT_MANAGER_TURN_PASSWORD", turn_password)];
    let phone = Phone::start_within_in(&namespace.0, &secrets, dir, name, &[&args[..], more].concat(), "");
    phone.wait(json!({"event": "ready"}));
    phone
}

#[test]
fn calls_go_through_a_relay_over_udp_tcp_and_tls() {
    let namespace = match Namespace::up(&IPV4) {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: this system forbids network namespaces: {why}");
            return;
        }
    };
    let (dir, relay) = (tempfile::tempdir().expect("a temporary folder"), IPV4.relay);
    let coturn = Coturn::start(&namespace.0, dir.path(), IPV4.relay);
    let ca = coturn.ca.display().to_string();
    let (audio, heard_there) = tone::card(dir.path(), "called", 700.0);
    let mut called =
        phone(&namespace, dir.path(), "called", IPV4.called, &["--audio", &audio, "--auto-answer", "0"], "");
    let ready = called.wait(json!({"event": "ready"}));
    let there = ready["sip"].as_str().expect("udp:HOST:PORT").replacen("udp:", "sip:called@", 1);
    for (name, uri, hz) in [
        ("udp", format!("turn:{relay}"), 440.0),
        ("tcp", format!("turn:{relay}:{PORT}?transport=tcp"), 550.0),
        ("tls", format!("turns:{relay}:{TLS_PORT}"), 1000.0),
    ] {
        let (audio, heard_here) = tone::card(dir.path(), name, hz);
        let args = ["--audio", &audio, "--turn", &uri, "--ca-file", &ca];
        let mut caller = phone(&namespace, dir.path(), name, IPV4.caller, &args, "secret");
        called.forget();
        caller.send(json!({"cmd": "dial", "to": there}));
        let call = caller.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        caller
            .stats_until(&call, |s| s["rx"]["packets"].as_u64() >= Some(75) && s["tx"]["packets"].as_u64() >= Some(75));
        caller.send(json!({"cmd": "hangup", "call": call}));
        called.wait(json!({"event": "call", "state": "ended"}));
        let log = caller.log();
        assert!(log.contains("by way of the relay") && !log.contains("of no use"), "{log}");
        caller.quit();
        assert!(tone::seconds(&heard_here, 700.0) > 0.8, "{name}: the caller hears");
        let heard = || (tone::seconds(&heard_there, hz) > 0.8).then_some(());
        poll_until(Duration::from_secs(2), heard).unwrap_or_else(|| panic!("{name}: the called one hears"));
    }
    // Each has given its address back, at the end of its call.
    let given_back = || (coturn.log().matches("lifetime=0").count() >= 3).then_some(());
    poll_until(Duration::from_secs(2), given_back).unwrap_or_else(|| panic!("{}", coturn.log()));

    // With a wrong password the call goes on without a relay, and the log says why.
    let uri = format!("turn:{relay}");
    let mut caller = phone(&namespace, dir.path(), "wrong", IPV4.caller, &["--audio", "null", "--turn", &uri], "guess");
    caller.send(json!({"cmd": "dial", "to": there}));
    caller.wait_for(Duration::from_secs(3), json!({"event": "call", "state": "connected"}));
    let log = caller.log();
    assert!(
        log.contains("goes on without: it refuses the user name or the password") && !log.contains("guess"),
        "{log}"
    );
    caller.quit();
    called.quit();
}

/// Its server ends in the midst of a call and is started anew: by TLS that shows at once, over UDP by its silence. The other side
/// learns of the new address by a re-INVITE, and both hear each other again.
#[test]
fn a_call_goes_on_when_its_relay_is_started_anew() {
    let namespace = match Namespace::up(&IPV4) {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: this system forbids network namespaces: {why}");
            return;
        }
    };
    let (dir, relay) = (tempfile::tempdir().expect("a temporary folder"), IPV4.relay);
    let mut coturn = Coturn::start(&namespace.0, dir.path(), IPV4.relay);
    let ca = coturn.ca.display().to_string();
    for (name, uri, hz) in
        [("udp", format!("turn:{relay}"), 440.0), ("tls", format!("turns:{relay}:{TLS_PORT}"), 1000.0)]
    {
        let other = format!("{name}-called");
        let (audio, heard_there) = tone::card(dir.path(), &other, 700.0);
        let mut called =
            phone(&namespace, dir.path(), &other, IPV4.called, &["--audio", &audio, "--auto-answer", "0"], "");
        let ready = called.wait(json!({"event": "ready"}));
        let there = ready["sip"].as_str().expect("udp:HOST:PORT").replacen("udp:", &format!("sip:{other}@"), 1);
        let (audio, heard_here) = tone::card(dir.path(), name, hz);
        let args = ["--audio", &audio, "--turn", &uri, "--ca-file", &ca];
        let mut caller = phone(&namespace, dir.path(), name, IPV4.caller, &args, "secret");
        caller.send(json!({"cmd": "dial", "to": there}));
        let call = caller.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        let into = called.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        let mut both_hear = |least: u64| {
            let received = |s: &Value| s["rx"]["packets"].as_u64().unwrap_or(0);
            let here = received(&caller.stats_until(&call, |s| received(s) >= least));
            (here, received(&called.stats_until(&into, |s| received(s) >= least)))
        };
        let (here, there) = both_hear(75);
        coturn.crash();
        coturn.start_again();
        both_hear(here.max(there) + 100);
        assert!(caller.log().contains("lends this call another address"), "{}", caller.log());
        for phone in [&caller, &called] {
            let ended = phone.events().into_iter().find(|e| e["event"] == "call" && e["state"] == "ended");
            assert_eq!(ended, None, "{name}");
        }
        caller.send(json!({"cmd": "hangup", "call": call}));
        called.wait(json!({"event": "call", "state": "ended"}));
        caller.quit();
        called.quit();
        let (here, there) = (tone::seconds(&heard_here, 700.0), tone::seconds(&heard_there, hz));
        assert!(here > 2.8 && there > 2.8, "{name}: seconds of the other's tone: {here:.1} and {there:.1}");
    }
}

/// RFC 8656 §7.1: the relay is found by IPv6, over UDP or a stream, and lends an address of that kind.
#[test]
fn calls_by_ipv6_go_through_a_relay() {
    let namespace = match Namespace::up(&IPV6) {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: this system forbids network namespaces: {why}");
            return;
        }
    };
    let (dir, relay) = (tempfile::tempdir().expect("a temporary folder"), IPV6.relay);
    let coturn = Coturn::start(&namespace.0, dir.path(), bare(relay));
    let (audio, heard_there) = tone::card(dir.path(), "called", 700.0);
    let args = ["--audio", &audio, "--auto-answer", "0"];
    let mut called = phone(&namespace, dir.path(), "called", IPV6.called, &args, "");
    let ready = called.wait(json!({"event": "ready"}));
    let there = ready["sip"].as_str().expect("udp:HOST:PORT").replacen("udp:", "sip:called@", 1);
    for (name, uri, hz) in
        [("udp", format!("turn:{relay}"), 440.0), ("tcp", format!("turn:{relay}:{PORT}?transport=tcp"), 550.0)]
    {
        let (audio, heard_here) = tone::card(dir.path(), name, hz);
        let args = ["--audio", &audio, "--turn", &uri];
        let mut caller = phone(&namespace, dir.path(), name, IPV6.caller, &args, "secret");
        called.forget();
        caller.send(json!({"cmd": "dial", "to": there}));
        let call = caller.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
        caller
            .stats_until(&call, |s| s["rx"]["packets"].as_u64() >= Some(75) && s["tx"]["packets"].as_u64() >= Some(75));
        caller.send(json!({"cmd": "hangup", "call": call}));
        called.wait(json!({"event": "call", "state": "ended"}));
        let log = caller.log();
        assert!(log.contains("by way of the relay") && !log.contains("of no use"), "{log}{}", coturn.log());
        caller.quit();
        assert!(tone::seconds(&heard_here, 700.0) > 0.8, "{name}: the caller hears");
        let heard = || (tone::seconds(&heard_there, hz) > 0.8).then_some(());
        poll_until(Duration::from_secs(2), heard).unwrap_or_else(|| panic!("{name}: the called one hears"));
    }
    called.quit();
}

/// What coturn and the TMS share; no softphone ever has it.
const SHARED: &str = "a secret of servers";

/// `tms serve` with the demonstration's tenant, and what it says once it is ready.
fn tms(namespace: &Namespace, dir: &Path) -> (Process, Value) {
    let (secret, database) = (dir.join("turn-secret"), format!("sqlite://{}/tms.db", dir.display()));
    std::fs::write(&secret, SHARED).expect("the test's folder can be written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &namespace.0]).arg(binary("tms"));
    command.args(["serve", "--http", "127.0.0.1:0", "--sip", "127.0.0.1:0", "--demo-data=quiet"]);
    command.args(["--database-url", &database, "--turn", &format!("turn:{}", IPV4.relay), "--turn-secret-file"]);
    let mut child = command.arg(secret).stdout(Stdio::piped()).spawn().expect("tms starts");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    (Process(child), serde_json::from_str(&line).expect("the ready line is JSON"))
}

/// Nobody has told the agent's softphone of a relay but the TMS, which gives it a password for a day.
#[test]
fn an_agent_s_calls_go_through_the_relay_that_the_tms_names() {
    let namespace = match Namespace::up(&IPV4) {
        Ok(namespace) => namespace,
        Err(why) => {
            println!("skipped: this system forbids network namespaces: {why}");
            return;
        }
    };
    let dir = tempfile::tempdir().expect("a temporary folder");
    let who = ["--use-auth-secret", &format!("--static-auth-secret={SHARED}")];
    let coturn = Coturn::start_for(&namespace.0, dir.path(), IPV4.relay, &who);
    let (_tms, ready) = tms(&namespace, dir.path());
    let demo = |field: &str| ready["demo"][field].as_str().expect("the ready line has it").to_owned();
    let (audio, heard_there) = tone::card(dir.path(), "called", 700.0);
    let (bind, sip) = (format!("{}:0", IPV4.called), &ready["demo"]["sip"]);
    let proxy = format!("sip:{};lr", ready["sip"].as_str().expect("an address"));
    let args = ["--sip-account", "sip:101-acme@acme", "--outbound-proxy", &proxy, "--bind", &bind, "--audio", &audio];
    let password = sip["password"].as_str().expect("a password");
    let called = [&args[..], &["--auto-answer", "0"]].concat();
    let called = Phone::start_within(&namespace.0, dir.path(), "called", &called, password);
    called.wait(json!({"event": "registration", "state": "online"}));

    let (audio, heard_here) = tone::card(dir.path(), "agent", 440.0);
    let (url, username, bind) =
        (ready["http"].as_str().expect("a URL"), demo("username"), format!("{}:0", IPV4.caller));
    let args = ["--tms", url, "--username", &username, "--registration", "100-acme-laptop", "--bind", &bind];
    let args = [&args[..], &["--audio", &audio, "--log-level", "info"]].concat();
    let key = demo("api_key");
    let secrets = [("AGENT_MANAGER_API_KEY", key.as_str())];
    let mut agent = Phone::start_within_in(&namespace.0, &secrets, dir.path(), "agent", &args, &demo("password"));
    agent.wait(json!({"event": "registration", "state": "online"}));
    agent.send(json!({"cmd": "dial", "to": "101"}));
    let call = agent.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    agent.stats_until(&call, |s| s["rx"]["packets"].as_u64() >= Some(75) && s["tx"]["packets"].as_u64() >= Some(75));
    agent.send(json!({"cmd": "hangup", "call": call}));
    called.wait(json!({"event": "call", "state": "ended"}));
    let log = agent.log();
    assert!(log.contains("by way of the relay") && !log.contains("of no use") && !log.contains(SHARED), "{log}");
    // The end of its password, and whose it is.
    assert!(coturn.log().contains(":100-acme-laptop>"), "{}", coturn.log());
    agent.quit();
    called.quit();
    assert!(tone::seconds(&heard_here, 700.0) > 0.8, "the agent hears");
    assert!(tone::seconds(&heard_there, 440.0) > 0.8, "the called one hears");
}
