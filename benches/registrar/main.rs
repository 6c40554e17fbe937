//! Registrations a second with digest, the same sipp load on each registrar in one run, as a table of ratios: `make bench`.
//! What a million registrations take follows from it (docs/scale.md).
//!
//! Absolute figures on a shared machine are weak evidence; the ratio is what counts.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod load;
#[allow(dead_code, reason = "the bench uses a part of the tests' handles")]
#[path = "../../tests/peers/support/process.rs"]
mod process;
#[allow(dead_code, reason = "the bench uses a part of the provider's side")]
#[path = "../../tests/agent_story/provider.rs"]
mod provider;
mod registrars;

use load::Load;
use process::free_port;
use registrars::{Auth, Home, Registrar, kamailio, seed, tms, whole};
use std::time::Duration;

/// Devices, each with a registration of its own.
const DEVICES: usize = 10_000;
/// The refresh that a million devices are reckoned with.
const REFRESH: Duration = Duration::from_secs(600);
/// Turns; the best of each counts, since a shared machine only ever makes one slower.
const TURNS: usize = 3;

/// Times each device refreshes under the clock: a datagram lost to a full buffer, sent again after half a second, decides
/// nothing then.
const REFRESHES: usize = 5;

/// One registrar under the load.
struct Row {
    what: &'static str,
    /// Registrations a second.
    rate: f64,
    /// Resident, all its processes together, MiB, once every device has registered.
    memory: f64,
    /// The row it is compared with, and the ratio that is promised.
    goal: Option<(&'static str, f64)>,
}

/// What is promised of the built-in registrar's memory while all devices are registered, MiB (60 MB).
const MEMORY: f64 = 60e6 / 1_048_576.0;
const BUILT_IN: &str = "built-in, database in memory";
const BUILT_IN_ON_DISK: &str = "built-in, SQLite on disk storing contacts";
const KAMAILIO: &str = "Kamailio 5.6, all in memory";
const STOCK: &str = "Kamailio 5.6, stock subscriber table";
const VIEW: &str = "Kamailio 5.6, our view";
const WHOLE: &str = "Kamailio 5.6, our whole configuration";

fn main() {
    // A few devices show that everything runs; the figures say nothing then.
    let devices = if std::env::args().any(|a| a == "--smoke") { 200 } else { DEVICES };
    let home = Home::new();
    let postgres = seed(&home, devices);
    let from = free_port();
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..TURNS {
        let mut add = |what, goal, (rate, memory): (f64, f64)| match rows.iter_mut().find(|row| row.what == what) {
            Some(row) => row.rate = row.rate.max(rate),
            None => rows.push(Row { what, rate, memory, goal }),
        };
        let measure = |mut registrar: Registrar| {
            let load = Load { port: registrar.port, from, devices };
            load.run(home.path(), 1);
            let memory = registrar.memory();
            (load.run(home.path(), REFRESHES), memory)
        };
        add(KAMAILIO, None, measure(kamailio(&home, Auth::Memory)));
        add(BUILT_IN, Some((KAMAILIO, 0.8)), measure(tms(&home, true)));
        add(BUILT_IN_ON_DISK, Some((KAMAILIO, 0.5)), measure(tms(&home, false)));
        add(STOCK, None, measure(kamailio(&home, Auth::Stock(&postgres))));
        add(VIEW, Some((STOCK, 0.9)), measure(kamailio(&home, Auth::View(&postgres))));
        add(WHOLE, None, measure(whole(&home, &postgres)));
    }
    print(&rows, devices);
}

/// The goal beside the figure, where there is one.
fn memory_goal(what: &str, memory: f64) -> String {
    let kept = if memory < MEMORY { "kept" } else { "missed" };
    if [BUILT_IN, BUILT_IN_ON_DISK].contains(&what) { format!(" (< {MEMORY:.0} MiB: {kept})") } else { String::new() }
}

fn print(rows: &[Row], devices: usize) {
    println!("\n{devices} devices, the best of {TURNS} turns\n");
    println!("| registrar | registrations/s | memory | ratio | goal |\n|---|---|---|---|---|");
    for Row { what, rate, memory, goal } in rows {
        let ratio = goal.and_then(|(other, least)| {
            let other = rows.iter().find(|row| row.what == other)?;
            Some(format!("{:.2} × {} | ≥ {least}", rate / other.rate, other.what))
        });
        let ratio = ratio.unwrap_or_else(|| "| ".to_owned());
        println!("| {what} | {rate:.0} | {memory:.0} MiB{} | {ratio} |", memory_goal(what, *memory));
    }
    let (million, refresh) = (1e6, REFRESH.as_secs_f64());
    println!("\nA million devices that refresh every {refresh} s send {:.0} REGISTER a second:", million / refresh);
    for Row { what, rate, memory, .. } in rows {
        let nodes = (million / refresh / (rate / 2.0)).ceil();
        let gib = memory / devices as f64 * million / 1024.0;
        println!("- {what}: {nodes} node(s) at half load, at most {gib:.1} GiB in all");
    }
}
