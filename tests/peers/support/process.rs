//! A child process that does not outlive its test, and free ports.

use std::{
    net::{TcpListener, UdpSocket},
    path::PathBuf,
    process::{Child, ExitStatus},
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
        let _ = std::process::Command::new("kill").arg(self.pid().to_string()).status();
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

/// A UDP and TCP port on loopback that is free at this moment.
pub fn free_port() -> u16 {
    loop {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("loopback has free ports");
        let port = udp.local_addr().expect("a bound socket has an address").port();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
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
