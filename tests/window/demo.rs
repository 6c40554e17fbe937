//! What `make demo` shows on a display, as a newcomer follows its steps: the form that is ready to apply, Initialized, the
//! settings wheel, the primary's warning, the secondary, Online, hearing oneself, hanging up, closing.

use crate::{
    desk::Desk,
    person::Hands,
    process::{Process, binary},
    pulse::Pulse,
    tms::Tms,
};
use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

const SECONDARY: &str = "100-acme-laptop";
/// How long one waits for a sound.
const SOON: Duration = Duration::from_secs(10);

#[test]
fn the_demonstration_is_followed_from_apply_to_the_closed_window() {
    let desk = Desk::start();
    let sound = Pulse::start();
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = desk.command(binary("tms"));
    command.arg("demo").envs(sound.environment()).env("TMPDIR", folder.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn();
    let mut demo = Process(child.expect("tms starts"));
    let mut said = BufReader::new(demo.0.stdout.take().expect("stdout was piped"));
    let mut line = || {
        let mut line = String::new();
        said.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    };
    let (portal, login) = (line(), line());
    let portal = portal.strip_prefix("The portal: ").expect("its address");
    let login = login.strip_prefix("sign in as ").and_then(|login| login.split_once(", password ")).expect("a login");
    let tms = Tms::at(portal, login);

    let hands = Hands(&desk);
    hands.does(&[
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Settings"],
        &["click", "Select account*"],
        &["click", "100-acme, primary*"],
        &["wait", "100-acme is in use by Yealink T46S*"],
        &["wait", "Take over*"],
        &["click", "Use the secondary*"],
        &["wait", "Online, 100-acme-laptop, secondary"],
    ]);
    let [desk_phone, ours] = ["100-acme", SECONDARY].map(|registration| tms.holder(registration).to_string());
    assert!(desk_phone.contains("Yealink T46S") && ours.contains("AgentManager/"), "{desk_phone} {ours}");

    hands.does(&[&["set", "Number or SIP address", "600"], &["click", "Call"], &["wait", "Connected to*"]]);
    hears_oneself(&sound, folder.path());
    let main = desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]);
    desk.picture(&main, "demo.png");
    hands.does(&[&["click", "End"], &["wait", "Call with*"]]);

    desk.close(demo);
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("text");
    assert!(rest.contains("Closing the window ends the demonstration."), "{rest}");
    let address = portal.strip_prefix("http://").expect("plain HTTP");
    assert!(TcpStream::connect(address).is_err(), "its TMS runs on");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("reads").flatten().map(|entry| entry.path()).collect();
    assert_eq!(left, [folder.path().join("spoken.wav")], "the demonstration's folder is gone");
}

/// Each word at the microphone comes back from the other side within a second.
fn hears_oneself(sound: &Pulse, folder: &Path) {
    let spoken = folder.join("spoken.wav");
    let mut espeak = Command::new("espeak-ng");
    let made = espeak.arg("-w").arg(&spoken).arg("Good morning. One. Two. Three. Four.").status();
    assert!(made.expect("espeak-ng is installed (make test installs it)").success());
    let (mouth, ear) = (sound.onsets("mic.monitor"), sound.onsets("speaker.monitor"));
    assert!(sound.play("mic", &spoken).wait().expect("paplay ends").success());
    let said: Vec<Instant> = mouth.onsets.try_iter().collect();
    let mut heard = vec![];
    while heard.last() < said.last() {
        heard.push(ear.onsets.recv_timeout(SOON).expect("the voice comes back"));
    }
    let later = |said: &Instant| heard.iter().find_map(|heard| heard.checked_duration_since(*said));
    let later: Vec<_> = said.iter().map(later).collect();
    let back = later.iter().flatten().filter(|later| **later < Duration::from_secs(1)).count();
    assert!(back >= 3, "how much later each word came back: {later:?}");
}
