//! Child processes that do not outlive their test, and free ports.

use std::{
    ffi::OsStr,
    io,
    net::{TcpListener, UdpSocket},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// Ends its process, by id, when dropped.
pub struct Process(pub Child);

impl Process {
    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        // The kernel's own tool: a libc binding for one call would be a dependency more.
        let _ = Command::new("kill").arg(self.pid().to_string()).status();
    }

    /// The exit status within `limit`, else a panic.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let status = poll_until(limit, || self.0.try_wait().expect("a child can be waited for"));
        status.unwrap_or_else(|| panic!("process {} still runs after {limit:?}", self.pid()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.terminate();
            if poll_until(Duration::from_secs(3), || self.0.try_wait().ok().flatten()).is_none() {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
        }
    }
}

/// A server with every process that it starts: they end with this value, and also when the test itself is killed.
pub struct Group {
    // Dropped in this order: who leads may end the others in good order before they are killed.
    leader: Process,
    _rest: AtEnd,
}

impl Group {
    /// Starts it as a process group of its own.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let leader = Process(command.process_group(0).spawn()?);
        let group = leader.pid().to_string();
        Ok(Self { leader, _rest: AtEnd::run("kill -s KILL -- -\"$0\" 2>/dev/null", &group)? })
    }

    pub fn leader(&mut self) -> &mut Process {
        &mut self.leader
    }

    /// Whether its leader runs no longer.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.leader.0.try_wait(), Ok(None))
    }
}

/// A line of shell that is run when this is dropped, and also when whoever holds it is killed.
pub struct AtEnd(Child);

impl AtEnd {
    /// The line sees `argument` as `$0`.
    pub fn run(line: &str, argument: impl AsRef<OsStr>) -> io::Result<Self> {
        // Standard input ends when its other end does, which no other process has.
        let line = format!("read -r _; {line}");
        let mut shell = Command::new("sh");
        // Out of reach of what a terminal sends to the test and its group.
        shell.arg("-c").arg(line).arg(argument).process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
        shell.spawn().map(Self)
    }
}

impl Drop for AtEnd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A program none of whose files, its log among them, grows beyond 256 MiB.
pub fn bounded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("prlimit");
    command.arg("--fsize=268435456").arg("--").arg(program);
    command
}

/// Asks `ready` again and again until it answers or `limit` has passed.
pub fn poll_until<T>(limit: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(value) = ready() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A UDP and TCP port on loopback that is free at this moment; it and the next three are given once in a process, and lie
/// below those that the kernel gives away by itself, so that nobody takes them before their use.
pub fn free_port() -> u16 {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = std::process::id().wrapping_mul(61).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + (n % 5_000) as u16 * 4;
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A binary of this package.
pub fn binary(name: &str) -> PathBuf {
    match name {
        "tms" => env!("CARGO_BIN_EXE_tms").into(),
        _ => env!("CARGO_BIN_EXE_agent-manager").into(),
    }
}
