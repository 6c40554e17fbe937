//! Interfaces made by a test, by iproute2's `ip`.

use std::process::Command;

/// What a system says that does not let us make them: without the capability, or without the kernel's module.
const FORBIDDEN: [&str; 4] = ["not permitted", "Permission denied", "Unknown device type", "not supported"];

/// Runs `ip` with these words. `Err` is why the system forbids it, which a test says before it is skipped; anything else that goes
/// wrong fails the test.
pub fn ip(words: &str) -> Result<(), String> {
    let output = Command::new("ip").args(words.split(' ')).output().expect("iproute2 is installed (make test does)");
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    assert!(FORBIDDEN.iter().any(|word| why.contains(word)), "ip {words}: {why}");
    Err(why)
}
