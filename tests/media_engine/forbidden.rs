//! A thread that may ask the system for nothing: to wait for a lock would be to ask, as would a log's line or a page of memory.

use std::{io, thread::JoinHandle};

/// Any further call of the system ends this thread at once, and nothing else of the process.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn system_calls() -> io::Result<()> {
    let mut kill = libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_KILL_THREAD,
    };
    let program = libc::sock_fprog { len: 1, filter: &raw mut kill };
    // Strict mode would leave a thread to read and write, and is refused within containers, which filter already.
    // SAFETY: the kernel copies the program, and both ask for this thread alone.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    if refused { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Waits until the thread has ended, be it by force: then it has left nothing that its own `join` could return.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn join(thread: JoinHandle<()>) {
    use std::os::unix::thread::JoinHandleExt;
    // SAFETY: the handle was the only one, and gives the thread up.
    assert_eq!(unsafe { libc::pthread_join(thread.into_pthread_t(), std::ptr::null_mut()) }, 0);
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn system_calls() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn join(thread: JoinHandle<()>) {
    thread.join().expect("the thread does not panic");
}
