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
use std::{process::ExitCode, time::Duration};

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

fn main() -> ExitCode {
    // A few devices show that everything runs; the figures say nothing then.
    let smoke = std::env::args().any(|a| a == "--smoke");
    let devices = if smoke { 200 } else { DEVICES };
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
    let missed = missed(&rows);
    missed.iter().for_each(|goal| println!("Missed: {goal}"));
    if missed.is_empty() || smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The rows whose memory is promised.
fn is_built_in(what: &str) -> bool {
    [BUILT_IN, BUILT_IN_ON_DISK].contains(&what)
}

/// How many times as fast as the row that it is compared with, with that one's name and the ratio that is promised.
fn ratio(row: &Row, rows: &[Row]) -> Option<(f64, &'static str, f64)> {
    let (other, least) = row.goal?;
    let other = rows.iter().find(|row| row.what == other)?;
    Some((row.rate / other.rate, other.what, least))
}

/// Each promise that was not kept, in words.
fn missed(rows: &[Row]) -> Vec<String> {
    let slow = |row: &Row| {
        let (ratio, other, least) = ratio(row, rows)?;
        // What cannot be compared is not kept either.
        let kept = ratio >= least;
        (!kept).then(|| format!("{} does {ratio:.2} × {other}, and {least} × is promised", row.what))
    };
    let large = |row: &Row| {
        let kept = !is_built_in(row.what) || row.memory < MEMORY;
        (!kept).then(|| format!("{} takes {:.0} MiB, and less than {MEMORY:.0} is promised", row.what, row.memory))
    };
    rows.iter().flat_map(|row| [slow(row), large(row)]).flatten().collect()
}

fn print(rows: &[Row], devices: usize) {
    println!("\n{devices} devices, the best of {TURNS} turns\n");
    println!("| registrar | registrations/s | memory | ratio | goal |\n|---|---|---|---|---|");
    for row in rows {
        let Row { what, rate, memory, .. } = row;
        let ratio = ratio(row, rows).map(|(ratio, other, least)| format!("{ratio:.2} × {other} | ≥ {least}"));
        let ratio = ratio.unwrap_or_else(|| "| ".to_owned());
        let promised = if is_built_in(what) { format!(" (< {MEMORY:.0} MiB)") } else { String::new() };
        println!("| {what} | {rate:.0} | {memory:.0} MiB{promised} | {ratio} |");
    }
    let (million, refresh) = (1e6, REFRESH.as_secs_f64());
    println!("\nA million devices that refresh every {refresh} s send {:.0} REGISTER a second:", million / refresh);
    for Row { what, rate, memory, .. } in rows {
        let nodes = (million / refresh / (rate / 2.0)).ceil();
        let gib = memory / devices as f64 * million / 1024.0;
        println!("- {what}: {nodes} node(s) at half load, at most {gib:.1} GiB in all");
    }
}
