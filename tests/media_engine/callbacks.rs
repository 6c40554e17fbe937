//! The sound card's callbacks, and the protection of the ear before them.

use crate::{allocations, forbidden};
use agent_manager::media::{
    BLOCK,
    device::{
        Flow,
        callback::{Feeder, Taker},
    },
    voice::{ExposureMeter, Limiter},
};
use rtrb::{Consumer, Producer, RingBuffer};
use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// The first second makes room.
const WARM_UP: u32 = 100;

/// What the card's thread leaves behind.
#[derive(Default)]
struct Card {
    /// Callbacks so far, of each kind.
    done: AtomicU32,
    allocations: AtomicU64,
}

/// The card's thread: it calls back `times` times.
fn card(card: &Card, beside: &Barrier, (mixed, heard): (Consumer<f32>, Producer<f32>), times: u32) {
    let flow = Arc::new(Flow::default());
    let (mut feeder, mut taker) = (Feeder::new(mixed, Arc::clone(&flow), 2), Taker::new(heard, flow, 2));
    let mut frames = [0i16; 2 * BLOCK];
    let mut call_back = |n: u32| {
        feeder.fill(&mut frames);
        taker.take(&frames);
        card.done.store(n + 1, Relaxed);
    };
    (0..WARM_UP).for_each(&mut call_back);
    beside.wait();
    if let Err(why) = forbidden::system_calls() {
        println!("callbacks may lock and ask the system here, which is not seen: the kernel forbids nothing ({why})");
    }
    let counted = allocations::count(|| (WARM_UP..times).for_each(&mut call_back));
    card.allocations.store(counted, Relaxed);
}

/// Our side of the rings, `times` blocks of it. Returns the allocations, and how many samples that sound came back.
fn engine(beside: &Barrier, (mut mixed, mut heard): (Producer<f32>, Consumer<f32>), times: u32) -> (u64, usize) {
    let start = Instant::now();
    let (mut limiter, mut exposure) = (Limiter::default(), ExposureMeter::new(start));
    let (mut mix, mut sounding) = ([0.0f32; BLOCK], 0);
    let mut tick = |n: u32| {
        for (at, sample) in mix.iter_mut().enumerate() {
            *sample = 0.7 * ((n as usize * BLOCK + at) as f32 * 0.05).sin();
        }
        limiter.process(&mut mix);
        exposure.hear(start + Duration::from_millis(10) * n, &mix);
        for sample in mix {
            // Neither side waits for the other.
            let _ = mixed.push(sample);
        }
        sounding += std::iter::from_fn(|| heard.pop().ok()).filter(|sample| sample.abs() > 0.1).count();
    };
    (0..WARM_UP).for_each(&mut tick);
    beside.wait();
    (allocations::count(|| (WARM_UP..times).for_each(&mut tick)), sounding)
}

/// Five minutes of the callbacks, and of what stands before the ear; `make soak` asks for 288 times as much, a day.
#[test]
fn callbacks_and_the_protection_of_the_ear_allocate_nothing_and_ask_the_system_for_nothing() {
    let times = 30_000 * super::properties::times().min(10_000);
    let ((mixed, to_card), (from_card, heard)) = (RingBuffer::new(4_800), RingBuffer::new(4_800));
    let (ours, beside) = (Arc::new(Card::default()), Arc::new(Barrier::new(2)));
    let (theirs, with) = (Arc::clone(&ours), Arc::clone(&beside));
    let thread = std::thread::spawn(move || card(&theirs, &with, (to_card, from_card), times));
    let (allocated, sounding) = engine(&beside, (mixed, heard), times);
    forbidden::join(thread);
    let done = ours.done.load(Relaxed);
    assert_eq!(done, times, "callback {done} locked, logged or asked the system for something else");
    assert_eq!((ours.allocations.load(Relaxed), allocated), (0, 0));
    assert!(sounding > 1_000, "{sounding} samples went both ways");
}

/// The test above would see it.
#[test]
fn callbacks_that_waited_for_a_lock_would_be_ended() {
    let ours = Arc::new((Mutex::new(()), AtomicBool::new(false)));
    let theirs = Arc::clone(&ours);
    let held = ours.0.lock().expect("nobody has it");
    let thread = std::thread::spawn(move || {
        if forbidden::system_calls().is_ok() {
            drop(theirs.0.lock());
            theirs.1.store(true, Relaxed);
        }
    });
    forbidden::join(thread);
    drop(held);
    assert!(!ours.1.load(Relaxed), "it was let wait");
}
