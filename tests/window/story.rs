//! The agent's story in the real window, against a real TMS: sign-in, *Apply*, Initialized, the settings wheel, *Select
//! account*, (S), Online, a call, hanging up; and a call that comes while the window is minimised.

use crate::{
    desk::Desk,
    person::{Hands, cpu_ticks, window},
    process::{Process, poll_until},
    pulse::Pulse,
    ring::Other,
    tms::Tms,
};
use std::{path::Path, time::Duration};

const SECONDARY: &str = "100-acme-laptop";

#[test]
fn from_sign_in_to_an_echo_call_and_a_call_while_minimised() {
    let desk = Desk::start();
    let sound = Pulse::start();
    let tms = Tms::start(false);
    let agent_manager = window(&desk, &sound, tms.login());
    let hands = Hands(&desk);
    hands.does(&[
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Settings"],
        &["click", "Select account*"],
        // The primary is the desk phone's: it is said beforehand, and both ways out are offered.
        &["click", "100-acme, primary*"],
        &["wait", "Take over"],
        &["click", "Use the secondary"],
        &["wait", "Online, 100-acme-laptop, secondary"],
        &["click", "Colleagues"],
        &["click", "Add a colleague"],
        &["set", "Name", "Echo"],
        &["set", "Number", "600"],
        &["click", "Add a colleague"],
        &["click", "Done"],
        &["click", "Call Echo"],
        &["wait", "Connected to*"],
        &["wait", "Sound quality: *"],
        // What was said for it stands behind the call.
        &["click", "Details"],
        &["wait", "Copy all"],
    ]);
    let main = desk.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]);
    // Where the pointer stood when the window opened counts as over it until it leaves.
    desk.xdotool(&["mousemove", "--window", &main, "5", "5", "mousemove", "1279", "799"]);
    desk.xdotool(&["windowsize", "--sync", &main, "960", "760"]);
    hands.does(&[&["wait", "Recent"], &["wait", "Sound quality: *"]]);
    keep(&desk.picture(&main, "details.png"));
    desk.xdotool(&["windowsize", "--sync", &main, "380", "640"]);
    hands.does(&[&["gone", "Recent"], &["click", "Back"], &["wait", "Number or SIP address"]]);
    desk.picture(&main, "echo.png");
    hands.does(&[
        &["click", "Mute"],
        &["wait", "Muted: they can't hear you"],
        &["click", "Unmute"],
        &["click", "End"],
        &["wait", "Call with*"],
        // 601 answers, hangs up and calls back.
        &["set", "Number or SIP address", "601"],
        &["click", "Call"],
        &["wait", "Connected to*"],
    ]);
    desk.xdotool(&["windowminimize", &main]);
    hands.does(&[&["wait", "Ringing for*"]]);
    desk.picture("root", "ringing-minimised.png");
    hands.does(&[&["click", "Answer"], &["gone", "Ringing for*"]]);
    desk.xdotool(&["windowactivate", &main]);
    hands.does(&[&["wait", "Call me back, 601, Connected*"]]);
    hands.does(&[&["wait", "Sound quality: *"], &["gone", "601, *"]]);
    while desk.atspi(&["tree"]).is_ok_and(|tree| tree.contains("'Dismiss'")) {
        hands.does(&[&["click", "Dismiss"]]);
    }
    keep(&desk.picture(&main, "window.png"));

    // The window is open behind another program while a second call comes: the keyboard stays where it is.
    hands.does(&[
        &["click", "End"],
        &["wait", "Call with*"],
        &["set", "Number or SIP address", "601"],
        &["click", "Call"],
        &["wait", "Connected to*"],
    ]);
    let other = Other::open(&desk);
    hands.does(&[&["wait", "Ringing for*"]]);
    assert!(other.has_keyboard() && other.gets_what_is_typed(&desk), "a call took the keyboard");
    hands.does(&[&["click", "Answer"], &["gone", "Ringing for*"]]);
    assert!(other.has_keyboard() && other.gets_what_is_typed(&desk), "answering took the keyboard");
    drop(other);
    hands.does(&[&["wait", "Call me back, 601, Connected*"]]);

    // Closing hangs up, un-registers and signs out, and takes no longer than two seconds.
    hands.does(&[&["click", "Hold"], &["wait", "Resume"]]);
    assert!(!tms.holder(SECONDARY).is_null(), "online");
    desk.close(agent_manager);
    assert!(tms.holder(SECONDARY).is_null(), "the registration went with the window: {}", tms.holder(SECONDARY));
    assert!(!tms.holder("100-acme").is_null(), "the desk phone kept its own");

    // Remembered: the next start signs in and comes online by itself, and then does nothing while nothing happens.
    let again =
        Process(desk.agent_manager().envs(sound.environment()).arg("--light").spawn().expect("the window starts"));
    hands.does(&[&["wait", "Online, 100-acme-laptop, secondary"]]);
    let before = settled_cpu(&again);
    std::thread::sleep(Duration::from_secs(2));
    let used = cpu_ticks(again.pid()) - before;
    assert!(used <= 2, "an idle window used {used} hundredths of a second of two");
    desk.close(again);
    assert!(tms.holder(SECONDARY).is_null(), "{}", tms.holder(SECONDARY));
}

/// Processor time used once it no longer grows from one look to the next.
fn settled_cpu(process: &Process) -> u64 {
    let mut last = cpu_ticks(process.pid());
    let settled = poll_until(Duration::from_secs(20), || {
        std::thread::sleep(Duration::from_millis(500));
        (std::mem::replace(&mut last, cpu_ticks(process.pid())) == last).then_some(last)
    });
    settled.expect("an idle window comes to rest")
}

/// The README's pictures are of the real window: `UPDATE_SNAPSHOTS=1` takes them anew.
fn keep(picture: &Path) {
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        std::fs::create_dir_all(&docs).expect("a folder");
        std::fs::copy(picture, docs.join(picture.file_name().expect("it is a file"))).expect("copied");
    }
}
