//! From what is said into one softphone's microphone to what the other's loudspeaker plays, through a PulseAudio server with
//! null sinks: a pair of ours, then a pair of baresips.

use crate::{
    Row, median,
    pulse::{Onsets, Pulse},
    support::{
        baresip::{Baresip, BaresipOptions, Veth},
        phone::Phone,
        process::free_port,
    },
};
use serde_json::json;
use std::{path::Path, time::Duration};

/// Calls of a pair, and sounds in each.
const CALLS: u32 = 5;
const SOUNDS: u32 = 10;

pub fn measure(veth: &Veth, pulse: &Pulse) -> [Row; 2] {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pulses = dir.path().join("pulses.wav");
    write_pulses(&pulses);
    let beside = |what, codec, goal| {
        // Where a call's blocks fall between those of the sound server is a matter of chance.
        let calls = |call: &dyn Fn() -> Vec<f64>| median((0..CALLS).flat_map(|_| call()).collect());
        let ours = calls(&|| ours(veth, pulse, dir.path(), &pulses, codec));
        Row::beside(what, "ms", ours, calls(&|| baresips(veth, pulse, &pulses, codec)), goal)
    };
    [
        beside("mouth to ear through the sound server, PCMU", "pcmu", "80 ms"),
        beside("mouth to ear through the sound server, Opus", "opus", "90 ms"),
    ]
}

fn ours(veth: &Veth, pulse: &Pulse, dir: &Path, pulses: &Path, codec: &str) -> Vec<f64> {
    let start = |name: &str| {
        let port = free_port();
        let (account, bind) = (format!("sip:{name}@{}", veth.address), format!("{}:{port}", veth.address));
        let args = ["--sip-account", &account, "--no-register", "--bind", &bind, "--audio", "device"];
        let more = ["--codecs", codec, "--auto-answer", "0"];
        let phone = Phone::start(dir, name, &[&args[..], &more[..]].concat(), "", None);
        phone.wait(json!({"event": "ready"}));
        (phone, bind)
    };
    let ((mut a, _), (b, address)) = (start("a"), start("b"));
    a.send(json!({"cmd": "dial", "to": format!("sip:b@{address}")}));
    let call = a.wait(json!({"event": "call", "state": "connected"}))["call"].clone();
    let delays = delays(pulse, pulses);
    a.send(json!({"cmd": "hangup", "call": call}));
    a.wait(json!({"event": "call", "state": "ended"}));
    a.quit();
    b.quit();
    delays
}

fn baresips(veth: &Veth, pulse: &Pulse, pulses: &Path, codec: &'static str) -> Vec<f64> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let options = BaresipOptions { sound_card: true, ..BaresipOptions::new(codec, 440.0) };
    let start = || Baresip::configure(dir.path(), veth, options).spawn().ready();
    let (mut a, mut b) = (start(), start());
    a.command("dial", &format!("sip:bs@{}:{}", veth.address, b.sip_port));
    b.event("CALL_ESTABLISHED", Duration::from_secs(5));
    let delays = delays(pulse, pulses);
    a.command("hangup", "");
    delays
}

/// Short sounds, one every 600 ms.
fn write_pulses(path: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("the folder can be written");
    for n in 0..28_800 * SOUNDS {
        let at = n % 28_800;
        let sample = if at < 2_400 { (f64::from(at) * 0.13).sin() * 20_000.0 } else { 0.0 };
        wav.write_sample(sample as i16).expect("the folder can be written");
    }
    wav.finalize().expect("the folder can be written");
}

/// Plays the sounds and measures their delays, milliseconds.
fn delays(pulse: &Pulse, pulses: &Path) -> Vec<f64> {
    let (said, heard): (Onsets, Onsets) = (pulse.onsets("mic.monitor"), pulse.onsets("speaker.monitor"));
    let mut player = pulse.play("mic", pulses);
    let (mut mouth, mut delays) = (Vec::new(), Vec::new());
    // A sound server that was idle takes seconds to the first sound; then they come every 600 ms.
    let mut patience = Duration::from_secs(10);
    while let Ok(ear) = heard.onsets.recv_timeout(patience) {
        patience = Duration::from_secs(2);
        mouth.extend(said.onsets.try_iter());
        let last = mouth.iter().filter(|at| **at < ear && ear - **at < Duration::from_millis(590)).max();
        delays.extend(last.map(|at| (ear - *at).as_secs_f64() * 1000.0));
    }
    let _ = player.kill();
    let _ = player.wait();
    assert!(delays.len() >= 4, "heard only {} of {SOUNDS} sounds", delays.len());
    delays
}
