//! Debian's Chromium as the other side of a call: between SIP and its WebRTC stands a gateway that changes nothing. Chromium
//! trickles (RFC 8838): its descriptions have no address, its candidates come by INFO (RFC 8840).

#![allow(clippy::disallowed_methods, reason = "a test takes its instants from the clock")]

#[path = "../common/chromium.rs"]
mod chromium;
#[path = "../peers/support/phone.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod phone;
#[path = "../peers/support/process.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod process;
#[path = "../headless/sip_peer.rs"]
#[allow(dead_code, reason = "shared with the headless tests")]
mod sip_peer;
#[path = "../peers/support/tone.rs"]
#[allow(dead_code, reason = "shared with the tests against real peers")]
mod tone;

use agent_manager::sip::msg::{Message, Request, Response};
use chromium::Chromium;
use phone::Phone;
use process::poll_until;
use serde_json::{Value, json};
use sip_peer::Peer;
use std::{path::Path, time::Duration};

const OURS_HZ: f64 = 440.0;
const THEIRS_HZ: f64 = 700.0;

/// The page, and the runtime that drives it from a test that is none itself.
struct Page {
    runtime: tokio::runtime::Runtime,
    chromium: Chromium,
}

impl Page {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let chromium = runtime.block_on(async {
            let chromium = Chromium::start(&[
                // A machine may have no other network.
                "--allow-loopback-in-peer-connection",
                "--disable-features=WebRtcHideLocalIpsWithMdns",
                "--autoplay-policy=no-user-gesture-required",
            ])
            .await;
            chromium.driver.goto("data:text/html,<title>A call</title>").await.expect("an empty page");
            chromium
        });
        let page = Self { runtime, chromium };
        page.run(include_str!("page.js"), Vec::new());
        page
    }

    fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.runtime.block_on(self.chromium.script(script, arguments))
    }

    /// What one of the page's functions makes of an argument.
    fn call(&self, function: &str, argument: &str) -> Value {
        self.run(&format!("return {function}(arguments[0])"), vec![json!(argument)])
    }

    fn description(&self, function: &str, argument: &str) -> String {
        let sdp = self.call(function, argument).as_str().expect("a description").to_owned();
        assert!(sdp.contains("a=ice-options:trickle") && !sdp.contains("a=candidate"), "it trickles: {sdp}");
        sdp
    }

    /// What is found until there is no more, without its end.
    fn candidates(&self) -> Vec<String> {
        let all = poll_until(Duration::from_secs(10), || {
            let found = self.call("candidates", "");
            let found = found.as_array().expect("a list").clone();
            found.contains(&Value::Null).then_some(found)
        });
        let all = all.expect("they end");
        let found: Vec<_> = all.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        assert!(!found.is_empty(), "Chromium finds no address to be reached at: has the machine any?");
        found
    }

    /// Once it hears our tone: what goes on there.
    fn figures_once_it_hears(&self) -> Value {
        let mut last = Value::Null;
        let figures = poll_until(Duration::from_secs(20), || {
            last = self.call("heard", "");
            let hears =
                last["db"].as_f64() > Some(-40.0) && last["hz"].as_f64().is_some_and(|hz| (hz - OURS_HZ).abs() < 10.0);
            let figures = self.call("figures", "");
            // RTCP of both sides needs a moment.
            (hears && !figures["reported"].is_null() && !figures["sent"].is_null()).then_some(figures)
        });
        figures.unwrap_or_else(|| panic!("Chromium heard {last}, {}", self.call("figures", "")))
    }

    fn close(self) {
        self.call("close", "");
        self.runtime.block_on(self.chromium.end());
    }
}

/// The gateway's side of a dialog.
struct Leg {
    /// `To` and the rest for requests of its own.
    head: String,
    uri: String,
    cseq: u32,
}

impl Leg {
    fn new(from: &str, to: &str, contact: &str, call_id: &str, cseq: u32) -> Self {
        let uri = contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
        Self { head: format!("From: {from}\nTo: {to}\nCall-ID: {call_id}\n"), uri, cseq }
    }

    /// Of a call to the gateway, answered as `peer.respond` does.
    fn called(invite: &Request) -> Self {
        let of = |name| invite.headers.get(name).expect("a header of each request");
        Self::new(&format!("{};tag=peer", of("To")), of("From"), of("Contact"), of("Call-ID"), 0)
    }

    /// Of a call from it.
    fn calling(response: &Response) -> Self {
        let of = |name| response.headers.get(name).expect("a header of each answer");
        Self::new(of("From"), of("To"), of("Contact"), of("Call-ID"), 1)
    }

    fn send(&mut self, peer: &mut Peer, method: &str, headers: &str, body: &str) {
        if method != "ACK" {
            self.cseq += 1;
        }
        let line = format!("{method} {} SIP/2.0\n{}CSeq: {} {method}\n{headers}", self.uri, self.head, self.cseq);
        peer.request(&line, body);
    }

    /// Tells candidates of the description `sdp`, with all that came before as RFC 8840 §4.4 wants it.
    fn trickle(&mut self, peer: &mut Peer, sdp: &str, candidates: &[String], is_end: bool) {
        let line = |name: &str| sdp.lines().find(|line| line.starts_with(name)).expect("a line of each description");
        let mut body = format!("{}\r\n{}\r\n", line("a=ice-ufrag:"), line("a=ice-pwd:"));
        body += &format!("{}\r\n{}\r\n", line("m=audio"), line("a=mid:"));
        body.extend(candidates.iter().map(|candidate| format!("a={candidate}\r\n")));
        body += if is_end { "a=end-of-candidates\r\n" } else { "" };
        let headers = "Info-Package: trickle-ice\nContent-Disposition: Info-Package\n\
            Content-Type: application/trickle-ice-sdpfrag";
        self.send(peer, "INFO", headers, &body);
        assert_eq!(peer.expect_final("INFO").code(), 200);
    }
}

/// Our side, whose tone and recording are files; registered, so that the gateway can call it.
fn phone(peer: &mut Peer, dir: &Path) -> (Phone, std::path::PathBuf) {
    let (audio, heard) = tone::card(dir, "card", OURS_HZ);
    // Nobody answers there; it is done without, and ICE offered.
    let more = ["--audio", &audio, "--srtp", "dtls", "--stun", "127.0.0.1:9", "--log-level", "info"];
    let (phone, _) = peer.registered(dir, &more);
    (phone, heard)
}

/// Both hear each other over Opus the way that was checked, with keys by a handshake and RTCP at the same port. `found`: what Chromium
/// told; `ours`: how it knows our candidate.
fn talk(phone: &mut Phone, page: &Page, found: &[String], ours: &str) {
    phone.wait(json!({"event": "call", "call": 1, "state": "connected", "codec": "opus/48000", "srtp": "dtls"}));
    let figures = page.figures_once_it_hears();
    assert_eq!(figures["dtls"], "connected", "{figures}");
    assert_eq!(figures["pair"], json!({"state": "succeeded", "nominated": true}), "{figures}");
    assert_eq!(figures["remote"]["candidateType"], ours, "{figures}");
    assert_eq!(figures["codec"]["mimeType"], "audio/opus", "{figures}");
    let port = format!(" {} typ host", figures["local"]["port"]);
    assert!(found.iter().any(|one| one.contains(&port)), "{port} is none of {found:?}");
    few_lost(&figures["reported"]["packetsLost"], &figures["outbound"]["packetsSent"], &figures);
    // RTCP of theirs came too: only their reports tell how long the way is.
    let stats = phone.stats_until(&json!(1), |s| s["rx"]["packets"].as_u64() >= Some(200) && !s["rtt_ms"].is_null());
    few_lost(&stats["rx"]["lost"], &stats["rx"]["packets"], &stats);
    assert!(phone.log().contains("the way that was checked"), "{}", phone.log());
}

/// None is lost on the way; but a socket overflows where its reader is kept waiting by Chromium and others on the same processors.
fn few_lost(lost: &Value, packets: &Value, figures: &Value) {
    let [lost, packets] = [lost, packets].map(|count| count.as_i64().unwrap_or_else(|| panic!("a count in {figures}")));
    assert!(lost * 50 < packets, "{lost} lost of {packets}: {figures}");
}

fn ended(phone: Phone, heard: &Path) {
    phone.wait(json!({"event": "call", "call": 1, "state": "ended"}));
    let warned = phone.events().into_iter().find(|event| event["event"] == "notice");
    assert_eq!(warned, None);
    phone.quit();
    let seconds = tone::seconds(heard, THEIRS_HZ);
    assert!(seconds > 3.0, "we heard Chromium for {seconds} s");
}

/// The page is told none of our candidates, so that there is no way but the one that we find by those it trickles.
#[test]
fn we_call_chromium_which_tells_its_addresses_after_its_answer() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let page = Page::open();
    let mut peer = Peer::udp();
    let (mut phone, heard) = phone(&mut peer, dir.path());
    phone.send(json!({"cmd": "dial", "to": "chromium"}));
    let invite = peer.expect("INVITE");
    let offer = String::from_utf8(invite.body.clone()).expect("text");
    let without: String = offer.split_inclusive('\n').filter(|line| !line.starts_with("a=candidate")).collect();
    let answer = page.description("answer", &without);
    peer.respond(&invite, 200, &[("Supported", "trickle-ice"), ("Recv-Info", "trickle-ice")], &answer);
    peer.expect("ACK");
    let (found, mut leg) = (page.candidates(), Leg::called(&invite));
    for known in 1..=found.len() {
        leg.trickle(&mut peer, &answer, &found[..known], known == found.len());
    }
    talk(&mut phone, &page, &found, "prflx");
    phone.send(json!({"cmd": "hangup", "call": 1}));
    let bye = peer.expect("BYE");
    peer.respond(&bye, 200, &[], "");
    ended(phone, &heard);
    page.close();
}

#[test]
fn chromium_calls_and_tells_its_addresses_before_our_answer_and_after() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let page = Page::open();
    let mut peer = Peer::udp();
    let (mut phone, heard) = phone(&mut peer, dir.path());
    let offer = page.description("offer", "");
    let to = peer.contact().replace("peer@", "a@");
    let head = format!(
        "INVITE sip:a@pbx.test SIP/2.0\nFrom: <sip:chromium@pbx.test>;tag=web\nTo: {to}\nCall-ID: web\nCSeq: 1 INVITE\n\
         Contact: {}\nSupported: trickle-ice\nRecv-Info: trickle-ice",
        peer.contact()
    );
    peer.request(&head, &offer);
    phone.wait(json!({"event": "call", "call": 1, "state": "ringing"}));
    let ringing = loop {
        match peer.receive() {
            Message::Response(response) if response.code() == 180 => break response,
            _ => {}
        }
    };
    assert_eq!(ringing.headers.get("Recv-Info"), Some("trickle-ice"));
    let (found, mut leg) = (page.candidates(), Leg::calling(&ringing));
    leg.trickle(&mut peer, &offer, &found[..1], false);
    phone.send(json!({"cmd": "answer", "call": 1}));
    let ok = peer.expect_final("INVITE");
    let (cseq, mut acknowledge) = (leg.cseq, Leg::calling(&ok));
    acknowledge.send(&mut peer, "ACK", "", "");
    leg.cseq = cseq;
    page.call("accept", &String::from_utf8(ok.body.clone()).expect("text"));
    leg.trickle(&mut peer, &offer, &found, true);
    talk(&mut phone, &page, &found, "host");
    leg.send(&mut peer, "BYE", "", "");
    assert_eq!(peer.expect_final("BYE").code(), 200);
    ended(phone, &heard);
    page.close();
}
