//! The desktop's entry: read the arguments, hand over.

use agent_manager::{
    app::{desktop, headless, ring, window},
    config::cli::{Cli, Mode},
};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.mode {
        Some(Mode::Headless(args)) => headless::run(&args),
        Some(Mode::Ring) => ring::run(),
        None if cli.window.register_links => desktop::register_links(),
        None => window::run(cli.window),
    }
}
