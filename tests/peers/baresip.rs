//! Debian's baresip: calls both ways, what was spoken recognised on the other side.

use crate::{
    speech,
    support::{
        baresip::{Baresip, BaresipOptions, Veth},
        phone::Phone,
        process::free_port,
        tone,
    },
};
use serde_json::json;
use std::{path::Path, time::Duration};

/// Who dials.
#[derive(Clone, Copy, PartialEq)]
enum Caller {
    We,
    Baresip,
}

/// `srtp`: our policy; `theirs`: what baresip insists on, and what protects the call then; `ice`: both sides check ways.
fn call(veth: &Veth, codec: &str, caller: Caller, srtp: &str, theirs: Option<(&str, &str)>, ice: bool) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (input, output) = (dir.path().join("in.wav"), dir.path().join("out.wav"));
    speech::write(&input, 7, 20, 48_000, 1);
    let audio = format!("file:{},{}", input.display(), output.display());
    let port = free_port();
    let (account, bind) = (format!("sip:agent@{}", veth.address), format!("{}:{port}", veth.address));
    let args = ["--sip-account", &account, "--no-register", "--bind", &bind, "--audio", &audio, "--auto-answer", "0"];
    // Nobody answers there; it is done without, and ICE offered.
    let stun = format!("{}:9", veth.address);
    let stun = if ice { &["--stun", &stun][..] } else { &[] };
    let args = [&args[..], &["--srtp", srtp, "--log-level", "info"], stun].concat();
    let mut phone = Phone::start(dir.path(), "phone", &args, "", None);
    phone.wait(json!({"event": "ready"}));
    let options = BaresipOptions { encryption: theirs.map(|(name, _)| name), ice, ..BaresipOptions::new(codec, 700.0) };
    let baresip = Baresip::configure(dir.path(), veth, options);
    speech::write(&baresip.speaks, 8, 20, baresip.rate, baresip.channels);
    let spoken_there = baresip.speaks.clone();
    let mut baresip = baresip.spawn().ready();

    match caller {
        Caller::We => {
            phone.send(json!({"cmd": "dial", "to": format!("sip:bs@{}:{}", veth.address, baresip.sip_port)}));
        }
        Caller::Baresip => baresip.command("dial", &format!("sip:agent@{bind}")),
    }
    let connected = phone.wait(json!({"event": "call", "state": "connected"}));
    baresip.event("CALL_ESTABLISHED", Duration::from_secs(5));
    assert!(connected["codec"].as_str().is_some_and(|c| c.to_lowercase().starts_with(codec)), "{connected}");
    let id = connected["call"].clone();
    match theirs {
        // Told again once the handshake is done, unless it was before.
        Some((_, "dtls")) if connected["srtp"] == "off" => {
            phone.wait(json!({"event": "call", "call": id, "state": "connected", "srtp": "dtls"}));
        }
        theirs => assert_eq!(connected["srtp"], theirs.map_or("off", |(_, protected)| protected), "{connected}"),
    }
    phone.stats_until(&id, |s| s["rx"]["packets"].as_u64() >= Some(200) && s["tx"]["packets"].as_u64() >= Some(200));
    if caller == Caller::We {
        phone.send(json!({"cmd": "hangup", "call": id}));
    } else {
        baresip.command("hangup", "");
    }
    phone.wait(json!({"event": "call", "call": id, "state": "ended"}));
    assert_eq!(phone.log().contains("the way that was checked"), ice, "{}", phone.log());
    baresip.event("CALL_CLOSED", Duration::from_secs(5));
    phone.quit();

    let (here, there) = (recognised(&spoken_there, &output), recognised(&input, &baresip.heard()));
    assert!(here >= 3 && there >= 3, "{codec}: of four half seconds we recognised {here}, baresip {there}");
}

/// What is compared: sound below 1 kHz, half a second at a time.
const RATE: usize = 2_000;
const WINDOW: usize = RATE / 2;

/// How many of four half seconds of what was heard were said, each in its place after the one before.
fn recognised(said: &Path, heard: &Path) -> usize {
    let (said, heard) = (slow(said), slow(heard));
    let mut place = None;
    // Buffers and codecs need a moment at first.
    let windows = heard.chunks_exact(WINDOW).skip(2).take(4);
    windows
        .filter(|window| {
            // The first may be anywhere; buffers move the next ones by little.
            let (from, to) = match place.take() {
                Some(last) => (last + WINDOW - RATE / 10, last + WINDOW + RATE / 10),
                None => (0, usize::MAX),
            };
            let lags = from..to.min(said.len().saturating_sub(WINDOW));
            let alike = |lag: usize| (lag, speech::correlation(window, &said[lag..lag + WINDOW]));
            let best = lags.map(alike).max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, alike)| *alike > 0.5);
            place = best.map(|(lag, _)| lag);
            best.is_some()
        })
        .count()
}

/// A file's first channel at [`RATE`].
fn slow(path: &Path) -> Vec<f32> {
    let (samples, rate) = tone::read(path);
    let several = rate as usize / RATE;
    samples.chunks_exact(several).map(|some| (some.iter().sum::<f64>() / several as f64) as f32).collect()
}

/// The same in every codec, with SDES and with a handshake, for which it shows an RSA certificate, and with ICE, at once.
fn calls(caller: Caller) {
    let veth = match Veth::up() {
        Ok(veth) => veth,
        Err(why) => {
            println!("skipped: baresip's media refuses loopback, and this system forbids a veth pair: {why}");
            return;
        }
    };
    let (sdes, dtls) = (Some(("srtp-mand", "sdes")), Some(("dtls_srtp", "dtls")));
    // Who asks for it insists on it.
    let encrypted = match caller {
        Caller::We => [("g722", "sdes", sdes), ("pcmu", "dtls", dtls)],
        Caller::Baresip => [("opus", "optional", sdes), ("pcmu", "optional", dtls)],
    };
    std::thread::scope(|scope| {
        for (codec, srtp, theirs) in
            ["pcmu", "g722", "opus"].map(|codec| (codec, "off", None)).into_iter().chain(encrypted)
        {
            let veth = &veth;
            scope.spawn(move || call(veth, codec, caller, srtp, theirs, false));
        }
        scope.spawn(|| call(&veth, "pcmu", caller, "off", None, true));
    });
}

#[test]
fn we_call() {
    calls(Caller::We);
}

#[test]
fn baresip_calls() {
    calls(Caller::Baresip);
}
