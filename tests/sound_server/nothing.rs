//! A sound server that has no microphone, or no device at all, but has monitors of what is played and a dummy.

use crate::{phone::Phone, process::poll_until, pulse::Pulse, sound};
use agent_manager::media::dsp::{power, tone_share};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const LONG: Duration = Duration::from_secs(20);
/// Of what the computer plays, of the microphone that is unplugged, and of the one that comes.
const HZ: [f64; 3] = [700.0, 1_300.0, 2_300.0];
/// 50 ms.
const WINDOW: usize = 2_400;

fn phone(server: &Pulse, dir: &Path, name: &str, audio: &str) -> Phone {
    let account = format!("sip:{name}@127.0.0.1");
    let args = ["--sip-account", &account, "--no-register", "--bind", "127.0.0.1:0", "--audio", audio];
    let args = [&args[..], &["--codecs", "pcmu", "--auto-answer", "0", "--voice-processing", "off"]].concat();
    Phone::start_in(&server.environment(), dir, name, &args, "", None)
}

/// What is in the file that the other side hears so far, looked at whenever there is more.
struct Ear {
    file: PathBuf,
    /// Pieces of 50 ms, and in which of them each tone is heard.
    pieces: usize,
    heard: [Vec<usize>; 3],
}

impl Ear {
    fn listen(&mut self) {
        let Ok(mut file) = hound::WavReader::open(&self.file) else { return };
        if file.duration() as usize / WINDOW <= self.pieces || file.seek((self.pieces * WINDOW) as u32).is_err() {
            return;
        }
        let samples: Vec<f32> = file.samples::<i16>().map_while(Result::ok).map(|s| f32::from(s) / 32_768.0).collect();
        for piece in samples.chunks_exact(WINDOW) {
            for (heard, hz) in self.heard.iter_mut().zip(HZ) {
                let sounds = power(piece) > 1e-4 && tone_share(piece, hz, 48_000) > 0.3;
                heard.extend(sounds.then_some(self.pieces));
            }
            self.pieces += 1;
        }
    }

    #[track_caller]
    fn wait(&mut self, what: &str, fits: impl Fn(&Self) -> bool) {
        let fits = poll_until(LONG, || {
            self.listen();
            fits(self).then_some(())
        });
        assert!(fits.is_some(), "{what}: {:?} of {}", self.heard, self.pieces);
    }
}

#[test]
fn what_the_computer_plays_is_not_sent_when_the_only_microphone_is_unplugged() {
    let server = Pulse::start();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [played, spoken, later, silence, out] =
        ["played", "spoken", "later", "silence", "out"].map(|name| dir.path().join(format!("{name}.wav")));
    for (file, hz) in [&played, &spoken, &later].into_iter().zip(HZ) {
        sound::write_tone(file, 60, hz);
    }
    sound::write(&silence, 1, |_| 0.0);
    server.unplug("second");
    let mut agent = phone(&server, dir.path(), "agent", "device");
    let caller = phone(&server, dir.path(), "caller", &format!("file:{},{}", silence.display(), out.display()));
    let at = caller.wait(json!({"event": "ready"}))["sip"].as_str().expect("an address").replace("udp:", "sip:caller@");
    let playing =
        [("speaker", &played), ("mic", &spoken), ("desk", &later)].map(|(sink, file)| server.play(sink, file));
    agent.wait(json!({"event": "registration", "state": "online"}));
    agent.send(json!({"cmd": "dial", "to": at}));
    agent.wait(json!({"event": "call", "state": "connected"}));
    let mut ear = Ear { file: out, pieces: 0, heard: Default::default() };
    ear.wait("the microphone is heard", |ear| ear.heard[1].len() > 40);

    agent.forget();
    server.unplug("microphone");
    let notice = agent.wait_for(LONG, json!({"event": "notice", "severity": "warning"}));
    let words = notice["message"].as_str().expect("a sentence");
    assert!(words.contains("there is no microphone") && words.contains("Plug in a headset"), "{words}");
    ear.listen();
    let told = ear.pieces;
    ear.wait("the call goes on", |ear| ear.pieces > told + 60);

    agent.forget();
    server.plug_microphone_in();
    agent.wait_for(LONG, json!({"event": "notice", "message": "The microphone works again."}));
    ear.wait("the new microphone is heard", |ear| ear.heard[2].len() > 20);
    let [played, spoken, later] = ear.heard;
    println!("unplugged after {:?}, told before {told}, another from {:?}", spoken.last(), later.first());
    assert!(played.is_empty(), "what the computer plays is heard: {played:?}, after {:?}", spoken.last());
    assert!(later[0] > told + 20, "there was silence: {later:?}");
    agent.quit();
    caller.quit();
    for mut player in playing {
        let _ = player.kill();
        let _ = player.wait();
    }
}

/// Desktops without a sound card have a "Dummy Output".
#[test]
fn a_computer_without_any_device_is_told_so() {
    let server = Pulse::start();
    for sink in ["speaker", "bell", "hardware", "mic", "desk"] {
        server.unplug(sink);
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut agent = phone(&server, dir.path(), "agent", "device");
    agent.wait(json!({"event": "registration", "state": "online"}));
    agent.send(json!({"cmd": "check"}));
    for what in ["microphone", "speaker"] {
        let words = format!(
            "The {what} cannot be used (there is no {what}). Plug in a headset or choose another device; trying again."
        );
        agent.wait(json!({"event": "notice", "severity": "warning", "message": words}));
    }
    let done = agent.wait_for(LONG, json!({"event": "check", "state": "done"}));
    let findings = done["findings"].as_array().expect("findings");
    let found: Vec<_> =
        findings.iter().map(|found| (found["what"].as_str().unwrap_or_default(), found["good"] == true)).collect();
    assert_eq!(found[..3], [("microphone", false), ("speaker", false), ("ringer", false)], "{findings:?}");
    assert_eq!((found.len(), found[3].0), (4, "network"), "{findings:?}");
    agent.quit();
}
