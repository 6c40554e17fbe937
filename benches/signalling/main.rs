//! What signalling costs: calls answered a second on one core, registrations kept over bad networks, and memory over a day of
//! calls. `make bench`, or one part alone: `cargo bench --bench signalling -- calls registration memory [--smoke]`.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod calls;
mod memory;
mod registration;
#[allow(dead_code, reason = "the bench uses a part of the tests' network")]
#[path = "../../tests/common/sim.rs"]
mod sim;
mod site;
#[allow(dead_code, reason = "the bench uses a part of the tests' handles")]
#[path = "../../tests/peers/support/mod.rs"]
mod support;

use std::time::Duration;

#[global_allocator]
static COUNTED: memory::Counted = memory::Counted;

/// One line of the table.
struct Row {
    what: String,
    ours: String,
    /// What the product promises.
    goal: &'static str,
}

impl Row {
    fn new(what: impl Into<String>, ours: String, goal: &'static str) -> Self {
        Self { what: what.into(), ours, goal }
    }
}

fn main() {
    let (flags, asked): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|a| a.starts_with("--"));
    // Shows that everything runs; the figures say little then.
    let smoke = flags.iter().any(|a| a == "--smoke");
    let wanted = |part: &str| asked.is_empty() || asked.iter().any(|a| a == part);
    let mut rows = Vec::new();
    // First, before anything else has left holes in what was allocated.
    if wanted("memory") {
        rows.extend(memory::measure(if smoke { 100 } else { 1_000 }));
    }
    if wanted("registration") {
        rows.extend(registration::measure(if smoke { 3 } else { 100 }));
    }
    if wanted("calls") {
        rows.extend(calls::measure(if smoke { 200 } else { 10_000 }));
    }
    println!("\n| what | ours | goal |\n|---|---|---|");
    for Row { what, ours, goal } in rows {
        println!("| {what} | {ours} | {goal} |");
    }
}

/// The middle and the longest of some times, in words.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let shown = |at: Option<&Duration>| at.map_or("–".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()));
    format!("{}, at most {}", shown(times.get(times.len() / 2)), shown(times.last()))
}
