//! The other ways into the real window: a one-time link, in a new window and in one that runs; tenant and key.

use crate::{desk::Desk, person::Hands, process::Process, tms::Tms};
use std::{
    io::Write,
    process::Stdio,
    time::{Duration, Instant},
};

const SECONDARY: &str = "100-acme-laptop";
const ONLINE: &[&str] = &["wait", "Online, 100-acme-laptop, secondary"];

fn window(desk: &Desk, arguments: &[&str]) -> Process {
    Process(desk.agent_manager().arg("--light").args(arguments).spawn().expect("the window starts"))
}

/// What a click on a link does while a window runs: starts the program, which hands the link over and ends.
fn open(desk: &Desk, link: &str) {
    let started = Instant::now();
    let status = desk.agent_manager().arg(link).stderr(Stdio::null()).status().expect("it starts");
    assert!(status.success() && started.elapsed() < Duration::from_secs(2), "{status} after {:?}", started.elapsed());
}

#[test]
fn a_link_opens_the_window_online_and_further_ones_reach_the_window_that_runs() {
    let desk = Desk::start();
    let hands = Hands(&desk);
    let tms = Tms::start(true);
    let link = tms.link(&format!("&registration={SECONDARY}"));
    let first = window(&desk, &[&link]);
    hands.does(&[ONLINE]);

    // Used up: said, and nothing is lost.
    desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager", "windowminimize"]);
    open(&desk, &link);
    hands.does(&[&["wait", "This link is unknown, was used already*"], ONLINE, &["click", "Dismiss"]]);
    let main = desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]);
    assert!(!main.is_empty(), "the window has come to the front");
    desk.picture(&main, "link-used.png");
    open(&desk, "agent-manager://link?tms=http://tms.example&code=x");
    hands.does(&[
        &["wait", "This link leads to http://tms.example, which is not safe*"],
        ONLINE,
        &["click", "Dismiss"],
    ]);
    open(&desk, &tms.link(""));
    hands.does(&[&["wait", "Initialized"]]);
    desk.close(first);

    // Its session is found again at the next start.
    let again = window(&desk, &[]);
    hands.does(&[&["wait", "Initialized"]]);
    let login = format!("/v1/accounts/acme/logins/{}", tms.demo("username"));
    tms.ask("PATCH", &login, &serde_json::json!({"enabled": false}));
    hands.does(&[&["wait", "This login was disabled*"], &["wait", "Apply"]]);
    desk.close(again);
    let form = window(&desk, &[&link]);
    hands.does(&[&["wait", "This link is unknown, was used already*"], &["wait", "Apply"]]);
    desk.close(form);
}

#[test]
fn tenant_and_key_sign_in_and_the_sip_password_is_asked_for_once() {
    let desk = Desk::start();
    let hands = Hands(&desk);
    let tms = Tms::start(true);
    let password = tms.sip_password(SECONDARY);
    let first = window(&desk, &[]);
    hands.does(&[
        &["click", "Sign in with tenant and key"],
        &["set", "Server", tms.url()],
        &["set", "Tenant", "acme"],
        &["set", "API key", tms.demo("api_key")],
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Select account"],
        &["click", "100-acme-laptop, secondary*"],
        &["wait", "100-acme-laptop needs its SIP password*"],
        &["set", "SIP password", "wrong"],
        &["click", "Go online"],
        &["wait", "The server does not accept the user name or the password*"],
        &["set", "SIP password", &password],
        &["click", "Go online"],
        ONLINE,
    ]);
    let main = desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]);
    desk.picture(&main, "xml-online.png");
    desk.close(first);
    let again = window(&desk, &[]);
    hands.does(&[ONLINE]);
    desk.close(again);
}

/// The secrets' half of GNOME's keyring, unlocked, its files in the desk's folder.
fn keyring(desk: &Desk) -> Process {
    let mut command = desk.command("gnome-keyring-daemon");
    command.args(["--foreground", "--unlock", "--components=secrets"]).stdin(Stdio::piped());
    command.env("XDG_DATA_HOME", desk.folder.path().join("data"));
    let mut daemon = Process(command.spawn().expect("gnome-keyring is installed"));
    daemon.0.stdin.take().expect("stdin was piped").write_all(b"unlocks it").expect("it reads its password");
    desk.wait_for("the keyring", |desk| {
        let mut ask = desk.command("gdbus");
        ask.args([
            "call",
            "--session",
            "--dest",
            "org.freedesktop.secrets",
            "--object-path",
            "/org/freedesktop/secrets",
        ]);
        ask.args(["--method", "org.freedesktop.Secret.Service.ReadAlias", "default"]).stdout(Stdio::piped());
        let answer = ask.output().ok()?;
        String::from_utf8_lossy(&answer.stdout).contains("/collection/").then_some(())
    });
    daemon
}

#[test]
fn secrets_are_remembered_in_the_keyring_where_there_is_one_and_in_no_file() {
    let desk = Desk::start();
    let hands = Hands(&desk);
    let _keyring = keyring(&desk);
    let tms = Tms::start(true);
    let first = window(&desk, &[]);
    hands.does(&[
        &["set", "Server", tms.url()],
        &["set", "User name", tms.demo("username")],
        &["set", "Password", tms.demo("password")],
        &["set", "API key", tms.demo("api_key")],
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Select account"],
        &["click", "100-acme-laptop, secondary*"],
        ONLINE,
    ]);
    desk.close(first);
    let folder = desk.folder.path();
    assert!(folder.join("data/keyrings/login.keyring").exists(), "the keyring keeps something");
    for file in std::fs::read_dir(folder.join("agent-manager")).expect("the settings' folder") {
        let file = file.expect("an entry").path();
        let content = std::fs::read(&file).unwrap_or_default();
        let holds = |secret: &str| content.windows(secret.len()).any(|piece| piece == secret.as_bytes());
        assert!(!holds(tms.demo("password")) && !holds(tms.demo("api_key")), "{} holds a secret", file.display());
        assert_ne!(file.file_name(), Some("secrets.json".as_ref()), "the keyring is used instead");
    }
    let again = window(&desk, &[]);
    hands.does(&[ONLINE]);
    desk.close(again);
}
