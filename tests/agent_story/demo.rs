//! `tms demo`, as far as `make demo` does not show it.

use crate::process::binary;
use std::process::{Command, Stdio};

#[test]
fn without_the_softphone_beside_it_the_demonstration_fails_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let alone = folder.path().join("tms");
    std::fs::copy(binary("tms"), &alone).expect("copies");
    let run = Command::new(alone)
        .arg("demo")
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("TMPDIR", folder.path())
        .stdin(Stdio::null())
        .output()
        .expect("tms runs");
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("agent-manager cannot be started") && said.contains("cargo build"), "{said}");
    let left = std::fs::read_dir(folder.path()).expect("reads").count();
    assert_eq!(left, 1, "the demonstration's folder is gone");
}
