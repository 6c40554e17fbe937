//! A real call between two drivers, with the buttons and lamps of a simulated headset.

use super::*;
use crate::{
    app::{
        plain::{self, Way},
        setup::Softphone,
        window::session::engine::softphone,
    },
    config::settings::Settings,
    headset::{Bus, Found, Plugged, Read},
    media::engine::AudioChoice,
    ui::snapshot::CallState,
};
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, mpsc::Sender},
};

/// Hook switch and mute button in the first byte of report 2; lamps off-hook, mute and ring in that of report 3.
const DESCRIPTOR: &[u8] = &[
    0x05, 0x0B, 0x09, 0x05, 0xA1, 0x01, 0x85, 0x02, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x01, 0x09, 0x20, 0x81,
    0x22, 0x09, 0x2F, 0x81, 0x06, 0x95, 0x06, 0x81, 0x01, 0x05, 0x08, 0x85, 0x03, 0x95, 0x03, 0x09, 0x17, 0x09, 0x09,
    0x09, 0x18, 0x91, 0x22, 0x95, 0x05, 0x91, 0x01, 0xC0,
];
const HOOK: u8 = 1;
const MUTE: u8 = 2;
const OFF_HOOK_LAMP: u8 = 1;
const MUTE_LAMP: u8 = 2;
const RING_LAMP: u8 = 4;

/// Where the test plugs the headset in and out, and presses its buttons.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<(bool, Option<Read>)>>);

impl Socket {
    fn plug(&self, on: bool) {
        let mut socket = self.0.lock().expect("whole");
        socket.0 = on;
        if let Some(read) = socket.1.take().filter(|_| !on) {
            read(None);
        }
    }

    fn say(&self, first_byte: u8) {
        self.0.lock().expect("whole").1.as_ref().expect("plugged in")(Some(&[2, first_byte]));
    }
}

struct Simulated(Socket, Sender<u8>);

impl Bus for Simulated {
    fn look(&mut self, read: Read) -> Option<Found> {
        let mut socket = self.0.0.lock().expect("whole");
        let is_new = socket.0 && socket.1.is_none();
        is_new.then(|| {
            socket.1 = Some(read);
            let lamps = self.1.clone();
            let write = move |report: &[u8]| lamps.send(report[1]).map_err(std::io::Error::other);
            Found::Headset(Plugged {
                name: "Simulated".into(),
                descriptor: DESCRIPTOR.to_vec(),
                write: Box::new(write),
            })
        })
    }

    fn rhythm(&self) -> Duration {
        Duration::from_millis(20)
    }
}

/// An agent's window session with a headset.
struct Agent {
    running: Running,
    inputs: Receiver<Input>,
    lamps: Receiver<u8>,
    port: u16,
}

impl Agent {
    /// Works until `done`.
    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.inputs.recv_timeout(left.min(Duration::from_millis(20))) {
                Ok(Input::Event(event)) => {
                    if let Event::Ready { sip } = &event {
                        self.port = sip.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
                    }
                    self.running.event(event);
                }
                Ok(Input::Headset(told)) => self.running.headset_says(told),
                Ok(_) => {}
                Err(_) => assert!(!left.is_zero(), "{what}: {:?}", self.running.fold.snapshot.calls),
            }
            self.running.light_headset();
        }
    }

    /// Works until the headset shows these lamps.
    fn until_lit(&mut self, what: &str, wanted: u8) {
        self.until(what, |agent| agent.lamps.try_iter().any(|lit| lit == wanted));
    }

    fn call(&self) -> (CallState, bool) {
        let call = self.running.fold.snapshot.calls.last().expect("a call");
        (call.state.clone(), call.muted)
    }
}

fn agent(dir: &Path, socket: &Socket) -> Agent {
    let (mut running, inputs) = running(dir);
    let (lit, lamps) = std::sync::mpsc::channel();
    let bus = Box::new(Simulated(socket.clone(), lit));
    running.headset = super::super::headset::watch(Some(bus), running.starter.input());
    let typed = SipAccount { address: "101@127.0.0.1".into(), register: false, ..SipAccount::default() };
    running.apply_sip(typed, Secret::default(), false);
    running.send(Command::Audio(AudioChoice::Null));
    let mut agent = Agent { running, inputs, lamps, port: 0 };
    agent.until("it comes online", |agent| {
        agent.port > 0 && matches!(agent.running.fold.snapshot.status, Status::Online { .. })
    });
    agent
}

/// Somebody who calls the agent and hears nothing.
fn caller(dir: &Path, port: u16) -> Driver {
    let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let usual = softphone(&Settings::default(), &Way::default());
    let phone = Softphone { bind, audio: AudioChoice::Null, ..usual };
    let options = phone.options("urn:uuid:7f1c0c52-2c1e-4bb3-9a53-0d3bb3c5a1a0".into(), dir.join("calls.json"));
    let driver = Driver::start(options, None, |_| ()).expect("a free port");
    let typed = SipAccount { address: "102@127.0.0.1".into(), register: false, ..SipAccount::default() };
    let (account, _) = plain::check(&typed, Secret::default()).expect("an address");
    for what in [
        Command::UseAccount(Box::new(account)),
        Command::Dial { to: format!("sip:101@127.0.0.1:{port}"), anonymous: false },
    ] {
        driver.send(Tagged { id: None, what }).expect("it listens");
    }
    driver
}

#[test]
fn a_headset_answers_mutes_and_ends_and_shows_what_the_window_shows() {
    let dir = tempfile::tempdir().expect("temporary folder");
    let socket = Socket::default();
    socket.plug(true);
    let mut agent = agent(dir.path(), &socket);
    agent.until_lit("idle", 0);
    let named = |agent: &Agent| agent.running.fold.snapshot.audio.headset.clone();
    agent.until("named", |agent| named(agent).is_some_and(|said| said.contains("Simulated")));
    let elsewhere = tempfile::tempdir().expect("temporary folder");
    let caller = caller(elsewhere.path(), agent.port);
    agent.until_lit("it rings", RING_LAMP);
    assert_eq!(agent.call(), (CallState::Ringing, false));
    socket.say(HOOK);
    agent.until_lit("answered by the headset", OFF_HOOK_LAMP);
    assert_eq!(agent.call(), (CallState::Connected, false));
    socket.say(HOOK | MUTE);
    agent.until_lit("muted by the headset", OFF_HOOK_LAMP | MUTE_LAMP);
    assert_eq!(agent.call(), (CallState::Connected, true));
    socket.say(HOOK);
    let call = agent.running.fold.snapshot.calls.last().expect("a call").id;
    agent.running.intent(Intent::Mute { call, on: false });
    agent.until_lit("unmuted in the window", OFF_HOOK_LAMP);
    agent.running.intent(Intent::Mute { call, on: true });
    agent.until_lit("muted in the window", OFF_HOOK_LAMP | MUTE_LAMP);

    socket.plug(false);
    agent.until("unplugged", |agent| agent.running.fold.snapshot.audio.headset.is_none());
    assert_eq!(agent.call(), (CallState::Connected, true), "the call goes on, muted");
    socket.plug(true);
    agent.until_lit("plugged in again", OFF_HOOK_LAMP | MUTE_LAMP);
    assert_eq!(agent.call(), (CallState::Connected, true));

    agent.running.intent(Intent::Hold { call });
    agent.until_lit("on hold", OFF_HOOK_LAMP);
    assert_eq!(agent.call(), (CallState::Held, true));
    agent.running.intent(Intent::Resume { call });
    agent.until_lit("taken back, muted as before", OFF_HOOK_LAMP | MUTE_LAMP);
    // The hook switch follows the lamp of a headset that was just plugged in; then it goes back on the hook.
    socket.say(HOOK);
    socket.say(0);
    agent.until_lit("ended by the headset", 0);
    assert!(matches!(agent.call().0, CallState::Ended { .. }), "{:?}", agent.call());
    caller.send(Tagged { id: None, what: Command::Quit }).expect("it listens");
    caller.join();
}
