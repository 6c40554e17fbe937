//! An X server with a window manager, a session bus and the accessibility bus, all ended with the test.

use crate::process::{Process, poll_until};
use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// How long anything may take here; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Desk {
    pub folder: tempfile::TempDir,
    display: String,
    bus: String,
    /// Ended in reverse order.
    children: Vec<Process>,
}

impl Drop for Desk {
    fn drop(&mut self) {
        while self.children.pop().is_some() {}
    }
}

impl Desk {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut xvfb = Command::new("Xvfb");
        // It begins anew once nobody is connected, which may be just when the window manager connects.
        xvfb.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset"]);
        let (xvfb, number) = first_line(xvfb, "Xvfb");
        // A keyring that is installed here is there only if the test starts one, not whenever somebody asks for it.
        let services = folder.path().join("dbus-1/services");
        std::fs::create_dir_all(&services).expect("a folder");
        let none = "[D-BUS Service]\nName=org.freedesktop.secrets\nExec=/bin/false\n";
        std::fs::write(services.join("org.freedesktop.secrets.service"), none).expect("the folder can be written");
        let mut dbus = Command::new("dbus-daemon");
        dbus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
        dbus.env("XDG_RUNTIME_DIR", folder.path());
        let (dbus, bus) = first_line(dbus, "dbus-daemon");
        let mut desk = Self { folder, display: format!(":{number}"), bus, children: vec![xvfb, dbus] };
        let launcher = desk.command("/usr/libexec/at-spi-bus-launcher").arg("--launch-immediately").spawn();
        desk.children.push(Process(launcher.expect("at-spi2-core is installed")));
        desk.wait_for("the accessibility bus", |desk| {
            let mut ask = desk.command("gdbus");
            ask.args(["call", "--session", "--dest", "org.a11y.Bus", "--object-path", "/org/a11y/bus"]);
            ask.args(["--method", "org.a11y.Bus.GetAddress"]);
            ask.output().is_ok_and(|answer| answer.status.success()).then_some(())
        });
        for property in ["IsEnabled", "ScreenReaderEnabled"] {
            let mut set = desk.command("gdbus");
            set.args(["call", "--session", "--dest", "org.a11y.Bus", "--object-path", "/org/a11y/bus"]);
            set.args(["--method", "org.freedesktop.DBus.Properties.Set", "org.a11y.Status", property, "<true>"]);
            assert!(set.status().expect("gdbus runs").success());
        }
        let openbox = desk.command("openbox").stderr(Stdio::null()).spawn().expect("openbox is installed");
        desk.children.push(Process(openbox));
        desk.wait_for("the window manager", |desk| {
            let answer = desk.command("xdotool").args(["get_desktop"]).output().ok()?;
            answer.status.success().then_some(())
        });
        // Out of the way of what is looked at.
        desk.xdotool(&["mousemove", "1279", "799"]);
        desk
    }

    /// A command on this desktop, quiet.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("LANG", "en_GB.UTF-8")
            .env_remove("LC_ALL")
            .env_remove("WAYLAND_DISPLAY")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// The softphone with this command line.
    pub fn agent_manager(&self) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_agent-manager"));
        command.stderr(Stdio::inherit());
        command
    }

    pub fn display(&self) -> &str {
        &self.display
    }

    /// Asks until there is an answer.
    pub fn wait_for<T>(&self, what: &str, ask: impl Fn(&Self) -> Option<T>) -> T {
        wait_for(what, || ask(self))
    }

    pub fn xdotool(&self, arguments: &[&str]) -> String {
        let output = self.command("xdotool").args(arguments).stdout(Stdio::piped()).output().expect("xdotool runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Closes Agent Manager's window as its user does; the process ends well by itself.
    pub fn close(&self, mut process: Process) {
        let main = self.xdotool(&["search", "--onlyvisible", "--name", "Agent Manager"]);
        let ended = poll_until(Duration::from_secs(10), || {
            let ended = process.0.try_wait().expect("waited for");
            if ended.is_none() {
                // A key pressed before the window has the keyboard goes nowhere.
                self.xdotool(&["windowactivate", &main, "key", "alt+F4"]);
            }
            ended
        });
        let status = ended.expect("the window was closed and the program goes on");
        assert!(status.success(), "{status}");
    }

    /// `atspi.py` with these arguments; what it printed.
    pub fn atspi(&self, arguments: &[&str]) -> Result<String, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/window/atspi.py");
        let mut command = self.command("/usr/bin/python3");
        let output = command.arg(script).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        let output = output.expect("python3 runs");
        let said = String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
        if output.status.success() { Ok(said.trim().to_owned()) } else { Err(said.trim().to_owned()) }
    }

    /// A picture of the whole screen, or of one window, among the test's artefacts.
    pub fn picture(&self, window: &str, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../artefacts");
        std::fs::create_dir_all(&folder).expect("a folder for artefacts");
        let file = folder.join(name);
        let taken = self.command("import").args(["-window", window]).arg(&file).status();
        assert!(taken.is_ok_and(|status| status.success()), "no picture {}", file.display());
        file
    }
}

pub fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    poll_until(PATIENCE, ask).unwrap_or_else(|| panic!("waited {PATIENCE:?} in vain for {what}"))
}

fn first_line(mut command: Command, name: &str) -> (Process, String) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = Process(child.unwrap_or_else(|why| panic!("{name} is not installed: {why}")));
    let mut line = String::new();
    let stdout = child.0.stdout.take().expect("stdout was piped");
    let mut stdout = BufReader::new(stdout);
    stdout.read_line(&mut line).expect("a line");
    // Kept open and read, so that the child never meets a closed pipe.
    std::thread::spawn(move || {
        let _ = stdout.read_to_end(&mut Vec::new());
    });
    (child, line.trim().to_owned())
}
