//! Where the log goes: standard error or a file, never standard output.

use crate::config::{ConfigError, cli::CommonArgs};
use std::{fs::File, sync::Mutex};
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

/// Sets the log up for the whole process.
///
/// # Errors
/// An unknown level, or a file that cannot be written.
pub fn start(args: &CommonArgs) -> Result<(), ConfigError> {
    let level: tracing::Level = args.log_level.parse().map_err(|_| ConfigError::Option {
        option: "--log-level",
        why: "error, warn, info, debug or trace is expected".into(),
    })?;
    // Libraries speak of their insides at info, and some of secrets at trace.
    let filter = Targets::new()
        .with_default(level.min(tracing::Level::WARN))
        .with_target("agent_manager", level)
        .with_target("sip", level);
    match &args.log_file {
        Some(path) => {
            let file = File::options()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|e| ConfigError::Option { option: "--log-file", why: format!("{}: {e}", path.display()) })?;
            let layer = fmt::layer().with_ansi(false).with_writer(Mutex::new(file));
            registry().with(layer.with_filter(filter)).init();
        }
        None => {
            let layer = fmt::layer().with_ansi(false).with_writer(std::io::stderr);
            registry().with(layer.with_filter(filter)).init();
        }
    }
    Ok(())
}
