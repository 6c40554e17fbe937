//! What the window costs the processor on a software-rendered display: idle and online, and in a call above the headless
//! softphone in the same call.

use crate::{
    Cpu, Row,
    desk::Desk,
    person::{Hands, window},
    pulse::Pulse,
    support::{phone::Phone, process::poll_until},
    tms::Tms,
};
use serde_json::json;
use std::time::{Duration, Instant};

const SPAN: Duration = Duration::from_secs(30);

/// The sound server's variables must be in the environment already.
pub fn measure(sound: &Pulse) -> Vec<Row> {
    let desk = Desk::start();
    let tms = Tms::start(false);
    let process = window(&desk, sound, tms.login());
    let hands = Hands(&desk);
    hands.does(&[
        &["click", "Apply"],
        &["wait", "Initialized"],
        &["click", "Settings"],
        &["click", "Select account*"],
        &["click", "100-acme, primary*"],
        &["click", "Use the secondary"],
        &["wait", "Online, 100-acme-laptop, secondary"],
    ]);
    settle(process.pid());
    let idle = share(process.pid());
    hands.does(&[
        &["set", "Number or SIP address", "600"],
        &["click", "Call"],
        &["wait", "Connected to*"],
        &["wait", "Sound quality: *"],
    ]);
    let in_call = share(process.pid());
    drop(process);
    let headless = headless(&desk, &tms);
    let row = |what, ours, goal| Row { what, unit: "%", ours, baresip: None, goal };
    vec![
        row("window, idle and online, of a core", idle, "0"),
        row("window in a call, of a core", in_call, "–"),
        row("headless in the same call", headless, "–"),
        row("the window above it", in_call - headless, "2"),
    ]
}

fn headless(desk: &Desk, tms: &Tms) -> f64 {
    let [url, username, password, key] = tms.login();
    let args = ["--tms", url, "--username", username, "--audio", "device"];
    let mut phone = Phone::start(desk.folder.path(), "headless", &args, password, Some(key));
    phone.wait(json!({"event": "login", "state": "initialized"}));
    phone.send(json!({"cmd": "select", "registration": "100-acme-laptop", "takeover": true}));
    phone.wait(json!({"event": "registration", "state": "online"}));
    phone.send(json!({"cmd": "dial", "to": "600"}));
    let call = phone.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    // As in the window: once sound flows. Before an idle sound server's first block, ALSA's capture spins for a second and a half.
    let flows = poll_until(Duration::from_secs(20), || {
        phone.send(json!({"cmd": "stats", "call": call}));
        let stats = phone.wait(json!({"event": "stats", "call": call}));
        (stats["rx"]["packets"].as_u64() >= Some(250)).then_some(())
    });
    flows.expect("the echo comes back");
    let share = share(phone.pid());
    phone.send(json!({"cmd": "hangup", "call": call}));
    phone.quit();
    share
}

/// Waits until what was begun has been drawn: a second with no more than the odd keep-alive.
fn settle(pid: u32) {
    let (mut last, mut since) = (Cpu::of(pid), Instant::now());
    poll_until(Duration::from_secs(20), || {
        let now = Cpu::of(pid);
        if now.since(&last) > 0.002 {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() > Duration::from_secs(1)).then_some(())
    });
}

/// Percent of a core over [`SPAN`].
fn share(pid: u32) -> f64 {
    let (before, start) = (Cpu::of(pid), Instant::now());
    poll_until(SPAN + Duration::from_secs(1), || (start.elapsed() >= SPAN).then_some(()));
    Cpu::of(pid).since(&before) / start.elapsed().as_secs_f64() * 100.0
}
