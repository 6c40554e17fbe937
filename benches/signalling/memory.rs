//! Every byte that two user agents hold after ten calls and after a day of them.

use crate::{
    Row,
    sim::Faults,
    site::{Site, account, address},
};
use agent_manager::ua::api::{Command, Event};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicIsize, Ordering::Relaxed},
    time::Duration,
};

/// The system's allocator, which also counts.
pub struct Counted;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: the system's own allocator does the work; counting touches nothing of it.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: the caller keeps to `GlobalAlloc::alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: the caller keeps to `GlobalAlloc::dealloc`'s contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// `calls` calls in eight hours, over a link that loses and doubles some packets.
pub fn measure(calls: u32) -> [Row; 1] {
    let faults = Faults { loss: 0.02, duplicate: 0.02, delay: Duration::from_millis(20), ..Faults::default() };
    let mut site = Site::new(7, faults, vec![account(0, None), account(1, None)]);
    let pace = Duration::from_secs(8 * 3600) / calls;
    let (mut early, mut number) = (0, [0, 0]);
    for n in 1..=calls {
        call(&mut site, n as usize % 2, &mut number, pace);
        if n == 10 {
            early = settled(&mut site);
        }
    }
    let late = settled(&mut site);
    assert_eq!(late, early, "bytes held after {calls} calls, and after ten");
    [Row::new(format!("bytes held after a day of {calls} calls; after ten {early}"), late.to_string(), "the same")]
}

/// One call by `from`, with a hold in the middle.
fn call(site: &mut Site, from: usize, number: &mut [u32; 2], pace: Duration) {
    number.iter_mut().for_each(|number| *number += 1);
    let call = number[from];
    let to = format!("sip:{}@{}", 1 - from, address(1 - from));
    let steps = [
        Command::Dial { to, anonymous: false },
        Command::Hold { call },
        Command::Resume { call },
        Command::Hangup { call },
    ];
    for step in steps {
        site.command(from, step);
        site.run(pace / 4, |_, _| None);
        for agent in &mut site.agents {
            let refused = agent.events.iter().find(|(_, event)| matches!(event, Event::Refused { .. }));
            assert!(refused.is_none(), "{refused:?}");
            agent.events = Vec::new();
        }
    }
}

/// Bytes held once every transaction has ended.
fn settled(site: &mut Site) -> isize {
    site.run(Duration::from_secs(120), |_, _| None);
    assert!(site.agents.iter().all(|agent| agent.agent.pending() == 0), "something is left over");
    site.agents.iter_mut().for_each(|agent| agent.events = Vec::new());
    HELD.load(Relaxed)
}
