//! `tms demo`, as far as `make demo` does not show it.

use crate::process::binary;
use std::{
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Runs a copy of `tms` in `folder`, with what stands beside it.
fn demo(folder: &Path, display: Option<&str>) -> Output {
    let alone = folder.join("tms");
    std::fs::copy(binary("tms"), &alone).expect("copies");
    let mut command = Command::new(alone);
    command.arg("demo").env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env("TMPDIR", folder);
    command.envs(display.map(|display| ("DISPLAY", display)));
    command.stdin(Stdio::null()).output().expect("tms runs")
}

#[test]
fn without_the_softphone_beside_it_the_demonstration_fails_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = demo(folder.path(), None);
    assert_eq!(run.status.code(), Some(1));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(said.contains("agent-manager cannot be started") && said.contains("cargo build"), "{said}");
    let left = std::fs::read_dir(folder.path()).expect("reads").count();
    assert_eq!(left, 1, "the demonstration's folder is gone");
}

/// With a softphone of our own making: how its window ends, then what its story says and how the demonstration ends.
#[test]
fn the_window_s_end_ends_it_and_a_step_that_fails_fails_it() {
    const NO_LOGIN: &str = r#"{"event":"login","state":"refused","reason":"Out of order."}"#;
    for (display, window, code, told, failed) in [
        (Some(":999"), 0, 0, "The portal: ", ""),
        (Some(":999"), 9, 1, "The window could not be opened (exit status: 9), so here is the story", "Out of order."),
        (None, 9, 1, "The story of an agent", "the TMS refused the sign-in: Out of order."),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let softphone = folder.path().join("agent-manager");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = headless ] || exit {window}\ntest \"$AGENT_MANAGER_PASSWORD\" && echo '{NO_LOGIN}'\nread end\n"
        );
        std::fs::write(&softphone, script).expect("written");
        std::fs::set_permissions(&softphone, std::fs::Permissions::from_mode(0o700)).expect("a program");
        let run = demo(folder.path(), display);
        let (stdout, stderr) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert_eq!(run.status.code(), Some(code), "{stdout}{stderr}");
        assert!(stdout.contains(told) && stderr.contains(failed), "{stdout}{stderr}");
        assert_eq!(stdout.contains("The story of an agent"), window != 0, "{stdout}");
    }
}
