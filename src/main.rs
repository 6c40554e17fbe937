//! The desktop's entry: read the arguments, hand over.

use agent_manager::{
    app::{headless, ring, window},
    config::cli::{Cli, Mode},
};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.mode {
        Some(Mode::Headless(args)) => headless::run(&args),
        Some(Mode::Ring) => ring::run(),
        None => window::run(cli.window),
    }
}
