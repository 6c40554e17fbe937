//! The desktop's entry: read the arguments, hand over.

use agent_manager::{
    app::headless,
    config::cli::{Cli, Mode},
};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.mode {
        Some(Mode::Headless(args)) => headless::run(&args),
        None => {
            eprintln!("agent-manager: this build has no window yet; use the subcommand headless");
            ExitCode::FAILURE
        }
    }
}
