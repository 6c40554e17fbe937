use super::*;
use crate::media::{
    BLOCK,
    device::{sound_server::ServerDevice, stream::simulated},
    dsp::{peak, tone_share},
};
use rtrb::{Consumer, Producer, RingBuffer};
use std::cell::RefCell;

/// The devices of the test, which the streams of its thread open.
#[derive(Default)]
struct World {
    names: Vec<&'static str>,
    standard: Standard,
    rate: u32,
    /// Another program has the devices, and lets nobody share them.
    is_taken: bool,
    /// Another program has the devices.
    is_busy: bool,
    /// Opened so far, by the name they got.
    opened: Vec<String>,
    /// The far ends of the rings, which is where the device is.
    microphones: Vec<Producer<f32>>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn microphone(Wanted { name, alone }: Wanted) -> Link<Consumer<f32>> {
    WORLD.with_borrow_mut(|world| {
        let there = name.as_deref().filter(|name| world.names.contains(name));
        let opened = match there {
            _ if alone && world.is_busy => Err("another program is using it".to_owned()),
            _ if world.names.is_empty() => Err("there is no sound device".to_owned()),
            Some(_) if world.is_taken => {
                let (standard, instead) = (Standard::Server("Desk".to_owned()), Some(Instead::Busy));
                Ok(Opened { name: DEFAULT.to_owned(), standard, instead, rate: world.rate })
            }
            Some(name) => {
                Ok(Opened { name: name.to_owned(), standard: Standard::Unknown, instead: None, rate: world.rate })
            }
            None => {
                let (standard, instead) = (world.standard.clone(), name.map(|_| Instead::Absent));
                Ok(Opened { name: DEFAULT.to_owned(), standard, instead, rate: world.rate })
            }
        };
        world.opened.extend(opened.iter().map(|opened| opened.name.clone()));
        let (device, ring) = RingBuffer::new(48_000);
        world.microphones.push(device);
        simulated(ring, opened)
    })
}

struct Bench {
    port: Port<Consumer<f32>>,
    notices: Notices,
    now: Instant,
    said: Vec<String>,
}

impl Bench {
    fn new(names: &[&'static str], wanted: Option<&str>) -> Self {
        WORLD.set(World { names: names.to_vec(), rate: 48_000, ..World::default() });
        let now = Instant::now();
        let wanted = Wanted { name: wanted.map(str::to_owned), alone: false };
        let port = Port::new(now, "microphone", wanted, microphone);
        Self { port, notices: Notices::default(), now, said: Vec::new() }
    }

    /// Lets time pass in steps of 10 ms, in which the device calls back.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += Duration::from_millis(10);
            if let State::Open { link, .. } = &self.port.state {
                link.flow.callbacks.fetch_add(1, Relaxed);
            }
            self.port.maintain(self.now, &mut self.notices);
            self.said.extend(self.notices.take().map(|notice| notice.text));
        }
    }

    /// The devices change, and the card is told.
    fn plugged(&mut self, names: &[&'static str]) {
        self.moved(names, names.first().map_or(Standard::Unknown, |name| Standard::Server((*name).to_owned())));
    }

    /// The same, and the sound server has another default.
    fn moved(&mut self, names: &[&'static str], standard: Standard) {
        WORLD.with_borrow_mut(|world| (world.names, world.standard) = (names.to_vec(), standard.clone()));
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.port.devices_seen(self.now, &Devices { names, standard }, &mut self.notices);
    }

    fn said(&mut self) -> String {
        std::mem::take(&mut self.said).join(" ")
    }
}

#[test]
fn a_headset_that_is_unplugged_is_replaced_and_gone_back_to() {
    let mut bench = Bench::new(&["Headset", "Desk"], Some("Headset"));
    bench.run(500);
    assert_eq!((bench.port.in_use().as_deref(), bench.said().as_str()), (Some("Headset"), ""));
    // Without a sound server the stream ends with the device.
    WORLD.with_borrow_mut(|world| world.names = vec!["Desk"]);
    if let State::Open { link, .. } = &bench.port.state {
        link.flow.failed.store(true, Relaxed);
    }
    bench.run(1_000);
    assert_eq!(bench.port.in_use().as_deref(), Some(DEFAULT), "within a second");
    assert!(bench.port.misses_device() && bench.said().contains("“Headset” is not there"));
    bench.plugged(&["Desk"]);
    bench.run(100);
    assert_eq!(bench.port.in_use().as_deref(), Some(DEFAULT), "it is still away");
    bench.plugged(&["Desk", "Headset"]);
    bench.run(100);
    assert_eq!(bench.port.in_use().as_deref(), Some("Headset"));
    assert!(!bench.port.misses_device() && bench.said().contains("“Headset” is back"));
}

#[test]
fn a_card_that_cannot_be_had_alone_is_shared_and_that_is_told() {
    for is_busy in [false, true] {
        let mut bench = Bench::new(&["Headset"], None);
        WORLD.with_borrow_mut(|world| world.is_busy = is_busy);
        let wanted = Wanted { name: Some("Headset".to_owned()), alone: true };
        bench.port = Port::new(bench.now, "microphone", wanted, microphone);
        bench.run(500);
        assert_eq!(bench.port.in_use().as_deref(), Some("Headset"), "it is heard in any case");
        let said = bench.said();
        assert_eq!(
            said.contains("cannot be used alone (another program is using it), so it is shared"),
            is_busy,
            "{said}"
        );
        // It fails and comes back: nothing is said twice.
        if let State::Open { link, .. } = &bench.port.state {
            link.flow.failed.store(true, Relaxed);
        }
        bench.run(1_000);
        assert_eq!((bench.port.in_use().as_deref(), bench.said().as_str()), (Some("Headset"), ""));
    }
}

#[test]
fn a_card_that_another_program_keeps_leaves_the_default_until_it_has_been_away() {
    let mut bench = Bench::new(&["Headset"], None);
    WORLD.with_borrow_mut(|world| world.is_taken = true);
    let wanted = Wanted { name: Some("Headset".to_owned()), alone: false };
    bench.port = Port::new(bench.now, "microphone", wanted, microphone);
    bench.run(500);
    assert_eq!(bench.port.in_use().as_deref(), Some(DEFAULT), "it is heard in any case");
    let said = bench.said();
    assert!(said.contains("“Headset” is in use by another program; using System default (Desk) instead"), "{said}");
    let opened = || WORLD.with_borrow(|world| world.opened.len());
    WORLD.with_borrow_mut(|world| world.is_taken = false);
    let before = opened();
    bench.plugged(&["Headset", "Desk"]);
    bench.run(500);
    assert_eq!(opened(), before, "a call is not broken into to ask again");
    for names in [&["Desk"][..], &["Headset", "Desk"]] {
        bench.plugged(names);
        bench.run(500);
    }
    assert_eq!(bench.port.in_use().as_deref(), Some("Headset"));
    assert_eq!(bench.said(), "The microphone “Headset” is back.");
}

#[test]
fn a_card_that_works_only_with_others_is_shared() {
    let mut bench = Bench::new(&["Headset"], None);
    bench.port =
        Port::new(bench.now, "microphone", Wanted { name: Some("Headset".to_owned()), alone: true }, microphone);
    for _ in 0..2 {
        bench.port.maintain(bench.now, &mut bench.notices);
        let State::Open { link, .. } = &bench.port.state else { panic!("it is not open") };
        link.flow.failed.store(true, Relaxed);
        bench.run(130);
    }
    bench.run(500);
    assert!(bench.said().contains("cannot be used alone (it stopped working), so it is shared"));
    assert_eq!(bench.port.in_use().as_deref(), Some("Headset"));
}

#[test]
fn a_stream_that_the_sound_server_moved_is_known_to_be_elsewhere() {
    let mut bench = Bench::new(&["Headset", "Desk"], Some("Headset"));
    bench.run(500);
    bench.plugged(&["Desk"]);
    bench.run(10);
    assert_eq!(bench.port.in_use().as_deref(), Some(DEFAULT));
    let said = bench.said();
    assert!(said.contains("“Headset” is not there; using System default (Desk) instead"), "{said}");
    bench.plugged(&["Headset", "Desk"]);
    bench.run(100);
    assert_eq!(bench.port.in_use().as_deref(), Some("Headset"));
    let opened = WORLD.with_borrow(|world| world.opened.clone());
    assert_eq!(opened, ["Headset", "Headset"]);
}

#[test]
fn the_default_is_wanted_by_nobody_and_never_missed() {
    let mut bench = Bench::new(&["Desk"], None);
    bench.run(500);
    for (names, device) in [(&["Desk", "Headset"], "Desk"), (&["Headset", "Desk"], "Headset")] {
        bench.plugged(names);
        assert_eq!((bench.port.in_use().as_deref(), bench.port.device()), (Some(DEFAULT), Some(device)));
    }
    bench.plugged(&["Headset"]);
    bench.plugged(&[]);
    assert!(!bench.port.misses_device());
    assert_eq!(WORLD.with_borrow(|world| world.opened.len()), 1, "the sound server moves it itself");
    assert_eq!(bench.said(), "");
}

#[test]
fn a_stream_that_was_moved_to_what_is_played_ends_at_once_and_that_is_told() {
    for chosen in [None, Some("Desk")] {
        let mut bench = Bench::new(&["Desk"], chosen);
        bench.run(500);
        assert!(bench.port.in_use().is_some());
        bench.moved(&[], Standard::Nothing);
        assert!(!matches!(bench.port.state, State::Open { .. }), "nothing more of it is heard");
        bench.run(1_000);
        let said = bench.said();
        assert!(said.contains("microphone cannot be used") && said.contains("Plug in a headset"), "{said}");
        assert!(bench.port.fails() && bench.port.in_use().is_none());
        WORLD.with_borrow_mut(|world| (world.names, world.standard) = (vec!["Desk"], Standard::Unknown));
        bench.run(1_000);
        assert_eq!(bench.port.in_use().as_deref(), Some(chosen.unwrap_or(DEFAULT)), "within a second");
        assert_eq!(bench.said(), "The microphone works again.");
    }
}

#[test]
fn another_microphone_takes_the_place_of_what_is_played_as_long_as_that_is_the_default() {
    let another =
        |name: &str| Standard::Other(ServerDevice { id: name.to_lowercase(), name: name.to_owned(), card: None });
    let mut bench = Bench::new(&["Headset", "Desk"], Some("Headset"));
    bench.run(500);
    bench.moved(&["Desk"], another("Desk"));
    assert!(!matches!(bench.port.state, State::Open { .. }), "nothing more of it is heard");
    bench.run(100);
    assert_eq!((bench.port.in_use().as_deref(), bench.port.device()), (Some(DEFAULT), Some("Desk")));
    let said = bench.said();
    assert!(said.contains("“Headset” is not there; using System default (Desk) instead"), "{said}");
    let opened = || WORLD.with_borrow(|world| world.opened.len());
    let before = opened();
    for (names, now, reopens) in [
        (&["Desk"], another("Desk"), 0),
        (&["Lamp"], another("Lamp"), 1),
        (&["Lamp"], Standard::Server("Lamp".to_owned()), 2),
        (&["Lamp"], Standard::Unknown, 2),
    ] {
        bench.moved(names, now.clone());
        bench.run(100);
        assert_eq!(opened() - before, reopens, "{now:?}");
    }
}

#[test]
fn a_dead_server_is_tried_until_it_is_back_and_told_once() {
    let mut bench = Bench::new(&["Desk"], None);
    bench.run(500);
    WORLD.with_borrow_mut(|world| world.names.clear());
    if let State::Open { link, .. } = &bench.port.state {
        link.flow.failed.store(true, Relaxed);
    }
    bench.run(20_000);
    assert_eq!(bench.said.len(), 1, "{:?}", bench.said);
    assert!(bench.said().contains("there is no sound device"));
    WORLD.with_borrow_mut(|world| world.names.push("Desk"));
    bench.run(1_000);
    assert!(bench.port.in_use().is_some() && bench.said().contains("works again"), "within a second of its return");
}

/// A headset that is unplugged takes both with it.
#[test]
fn each_side_s_trouble_is_told_and_its_end() {
    let mut notices = Notices::default();
    let told = |notices: &mut Notices| -> Vec<String> {
        std::iter::from_fn(|| notices.take()).map(|notice| notice.text.split(" (").next().unwrap().to_owned()).collect()
    };
    for _ in 0..3 {
        notices.trouble("microphone", "gone");
        notices.trouble("speaker", "gone");
    }
    assert_eq!(told(&mut notices), ["The microphone cannot be used", "The speaker cannot be used"]);
    for what in ["speaker", "speaker", "microphone"] {
        notices.works(what);
    }
    assert_eq!(told(&mut notices), ["The speaker works again.", "The microphone works again."]);
    // What was not told before it passed is no news.
    notices.trouble("speaker", "gone");
    notices.works("speaker");
    assert_eq!(told(&mut notices), ["The speaker works again."]);
}

#[test]
fn every_rate_of_a_card_is_heard_at_ours() {
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000u32] {
        let mut bench = Bench::new(&["Desk"], None);
        WORLD.with_borrow_mut(|world| world.rate = rate);
        bench.port = Port::new(bench.now, "microphone", Wanted::default(), microphone);
        bench.run(20);
        let mut device = WORLD.with_borrow_mut(|world| world.microphones.pop().expect("it is open"));
        let State::Open { link, resampler, .. } = &mut bench.port.state else { panic!("{rate}: it is not open") };
        let mut heard = Vec::new();
        for n in 0..rate {
            let tone = 0.5 * (f64::from(n) * 440.0 * std::f64::consts::TAU / f64::from(rate)).sin();
            device.push(tone as f32).expect("there is room");
            if n % (rate / 100) == rate / 100 - 1 {
                let period: Vec<f32> = std::iter::from_fn(|| link.ring.pop().ok()).collect();
                resampler.process(&period, &mut heard);
            }
        }
        assert!(heard.len().abs_diff(SAMPLE_RATE as usize) < BLOCK, "{rate}: {}", heard.len());
        let steady = &heard[4_800..];
        assert!(tone_share(steady, 440.0, SAMPLE_RATE) > 0.99 && (0.48..0.52).contains(&peak(steady)), "{rate}");
    }
}
