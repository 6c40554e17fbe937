//! The portal under fifty people at once, on an account of ten thousand extensions that are registered: `make bench`.
//!
//! Each opens page after page on a connection of its own and reads for a moment in between. Absolute figures on a shared
//! machine are weak evidence; what a page costs beside the others, and a sign-in beside argon2 alone, counts.

#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

mod browser;
#[allow(dead_code, reason = "the bench uses a part of the tests' handles")]
#[path = "../../tests/peers/support/process.rs"]
mod process;
mod site;

use agent_manager::server::passwords::Passwords;
use browser::Browser;
use site::{PASSWORD, Site};
use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

const PEOPLE: usize = 50;
const EXTENSIONS: usize = 10_000;
/// How long somebody looks at a page; nobody clicks faster than that.
const LOOKS: Duration = Duration::from_millis(500);
const LASTS: Duration = Duration::from_secs(20);
/// What is promised of every page at the 99th percentile, in milliseconds.
const GOAL_MS: f64 = 20.0;
/// What is promised of memory while so many are registered, MiB (60 MB).
const MEMORY_GOAL: f64 = 60e6 / 1_048_576.0;
const PAGES: [(&str, &str); 9] = [
    ("Extension Manager", "/extensions"),
    ("… its last page", "/extensions?offset=9950"),
    ("… a search", "/extensions?search=agent+77"),
    ("… a search in vain", "/extensions?search=nobody"),
    ("an extension", "/extensions/5000"),
    ("its registrations", "/extensions/5000/registrations"),
    ("Set up an agent", "/set-up"),
    ("Users", "/users"),
    ("Audit", "/audit"),
];

fn main() -> ExitCode {
    // A few extensions and seconds show that everything runs; the figures say nothing then.
    let smoke = std::env::args().any(|a| a == "--smoke");
    let (extensions, lasts) = if smoke { (100, Duration::from_secs(2)) } else { (EXTENSIONS, LASTS) };
    let site = Site::start(extensions, PEOPLE);
    let memory = site.memory();
    let mut signing_in = Vec::new();
    let people: Vec<Browser> = (0..PEOPLE)
        .map(|at| {
            let mut browser = Browser::connect(&site.address);
            signing_in.push(browser.sign_in(&site::administrator(at), PASSWORD));
            browser
        })
        .collect();
    let visits: Vec<Vec<(usize, f64)>> = std::thread::scope(|scope| {
        let visit = |(at, browser)| scope.spawn(move || stroll(browser, at, lasts));
        let threads: Vec<_> = people.into_iter().enumerate().map(visit).collect();
        threads.into_iter().map(|thread| thread.join().expect("nobody stumbles")).collect()
    });
    let visits = visits.concat();
    println!(
        "\n{PEOPLE} people, {extensions} extensions, {:.0} pages a second\n",
        visits.len() as f64 / lasts.as_secs_f64()
    );
    println!("| page | median | 99th percentile | longest | goal |\n|---|---|---|---|---|");
    let mut missed = Vec::new();
    for (page, (name, _)) in PAGES.iter().enumerate() {
        missed.extend(row(name, visits.iter().filter(|(of, _)| *of == page).map(|(_, took)| *took).collect()));
    }
    missed.extend(row("all", visits.into_iter().map(|(_, took)| took).collect()));
    println!("\n| sign-in, one after the other | median |\n|---|---|");
    println!("| the form, to its answer | {:.1} ms |", percentile(&mut signing_in, 0.5));
    println!("| argon2 alone | {:.1} ms |", percentile(&mut argon2(), 0.5));
    println!("\n| memory of tms | | goal |\n|---|---|---|");
    for (when, memory) in [("once it serves", memory), ("after all this", site.memory())] {
        println!("| {when} | {memory:.0} MiB | < {MEMORY_GOAL:.0} MiB |");
        if memory >= MEMORY_GOAL {
            missed.push(format!("{memory:.0} MiB {when}, and less than {MEMORY_GOAL:.0} is promised"));
        }
    }
    missed.iter().for_each(|goal| println!("Missed: {goal}"));
    if missed.is_empty() || smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One person's pages, each with how long it took in milliseconds.
fn stroll(mut browser: Browser, at: usize, lasts: Duration) -> Vec<(usize, f64)> {
    // They did not all sit down at the same moment.
    std::thread::sleep(LOOKS * at as u32 / PEOPLE as u32);
    let end = Instant::now() + lasts;
    let mut visits = Vec::new();
    for page in (0..PAGES.len()).cycle().skip(at) {
        if Instant::now() >= end {
            break;
        }
        let started = Instant::now();
        browser.open(&format!("/accounts/{}{}", site::TENANT, PAGES[page].1));
        visits.push((page, started.elapsed().as_secs_f64() * 1000.0));
        std::thread::sleep(LOOKS);
    }
    visits
}

fn argon2() -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let passwords = Passwords::new();
    let once = || {
        let started = Instant::now();
        runtime.block_on(passwords.hash(PASSWORD)).expect("hashes");
        started.elapsed().as_secs_f64() * 1000.0
    };
    (0..PEOPLE).map(|_| once()).collect()
}

/// Prints one page's; the promise, where it was not kept.
fn row(name: &str, mut took: Vec<f64>) -> Option<String> {
    let (median, most) = (percentile(&mut took, 0.5), percentile(&mut took, 0.99));
    let longest = percentile(&mut took, 1.0);
    println!("| {name} | {median:.1} ms | {most:.1} ms | {longest:.1} ms | ≤ {GOAL_MS} ms |");
    (most > GOAL_MS).then(|| format!("{name}: {most:.1} ms at the 99th percentile, and {GOAL_MS} ms is promised"))
}

fn percentile(took: &mut [f64], share: f64) -> f64 {
    took.sort_unstable_by(f64::total_cmp);
    took[((took.len() as f64 * share).ceil() as usize).clamp(1, took.len()) - 1]
}
